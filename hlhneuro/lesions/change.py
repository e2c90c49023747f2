"""Where intensity changed beyond noise between consecutive sessions, and what that makes of each lesion."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hlhneuro.imaging.alignment import AlignedSeries
from hlhneuro.lesions.segmentation import LesionSeries
from hlhneuro.settings import ChangeSettings

__all__ = ["ChangeCode", "IntervalChange", "LesionChange", "measure_change"]


class ChangeCode(IntEnum):
    """Codes of the change map, against the session before."""

    NEW = 1
    ENLARGED = 2
    STABLE = 3
    SHRUNK = 4
    RESOLVED = 5


@dataclass(frozen=True)
class IntervalChange:
    """Change from one session to the next.

    Parameters
    ----------
    before, after : str
        Session labels.
    codes : uint8 array on the subject grid
        `ChangeCode`, 0 elsewhere.
    new_ml, enlarged_ml, stable_ml, shrunk_ml, resolved_ml : float
    net_ml, net_sd_ml : float
        Change of the lesion load and its standard uncertainty.
    smallest_real_change_ml : float
        1.96 standard uncertainties: a net change inside it is "within error".
    """

    before: str
    after: str
    codes: NDArray[np.uint8]
    new_ml: float
    enlarged_ml: float
    stable_ml: float
    shrunk_ml: float
    resolved_ml: float
    net_ml: float
    net_sd_ml: float
    smallest_real_change_ml: float


@dataclass(frozen=True)
class LesionChange:
    """Change over all sessions.

    Parameters
    ----------
    intervals : tuple of IntervalChange
        Between consecutive sessions in which lesions could be assessed.
    identities : mapping of session label to int32 array
        Lesion identity per voxel on the subject grid, the same number for the same lesion at every session.
    lesions : DataFrame
        One row per lesion and session: ``lesion, session, territory, side, volume_ml, volume_sd_ml, status``
        (new, enlarged, stable, shrunk, resolved, merged, split, or ``first`` at the first session), ``x_mm, y_mm, z_mm``
        (centroid in subject space, RAS+).
    territories : DataFrame
        One row per session and territory: ``session, territory, side, territory_ml, load_ml, load_fraction,
        lesions, affected``.
    """

    intervals: tuple[IntervalChange, ...]
    identities: dict[str, NDArray[np.int32]]
    lesions: pd.DataFrame
    territories: pd.DataFrame


def measure_change(series: AlignedSeries, lesions: LesionSeries, settings: ChangeSettings) -> LesionChange:
    """Measure change between consecutive sessions, track lesions and sum load by territory."""
    raise NotImplementedError
