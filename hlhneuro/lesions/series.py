"""What segmenting gives: the lesions of each session, and those of a whole series."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hlhneuro.imaging.alignment import BoolImage
from hlhneuro.imaging.volumes import FloatImage, Grid

__all__ = ["LesionSeries", "SessionLesions"]


@dataclass(frozen=True)
class SessionLesions:
    """Lesions of one session on the subject grid.

    Parameters
    ----------
    label : str
        Session label.
    probability : float32 array in 0..1
    mask : bool array
    volume_ml, volume_sd_ml : float
        Lesion load and its standard uncertainty.
    contrasts : tuple of str
        What the segmentation rests on.
    confidence : str
        ``full`` or ``reduced`` (with the reason in `reason`).
    reason : str
    border_sd_ml : float
        The part of `volume_sd_ml` that comes from where the border is set, alike at every session.
    supplied : str
        Name of the file if the mask is the user's; empty if it is ours.
    detectable_contrast : float or None
        How much brighter than white matter (which is 1) on the leading contrast a lesion 6 mm across must be to be
        found with a chance of one half; None if that cannot be told.
    """

    label: str
    probability: FloatImage
    mask: BoolImage
    volume_ml: float
    volume_sd_ml: float
    contrasts: tuple[str, ...]
    confidence: str
    reason: str
    border_sd_ml: float = 0.0
    supplied: str = ""
    detectable_contrast: float | None = None


@dataclass(frozen=True)
class LesionSeries:
    """Lesions of all sessions in which they could be assessed.

    Parameters
    ----------
    grid : Grid
    sessions : tuple of SessionLesions
        In order of time; a session that cannot be segmented is in `not_assessable` instead.
    tissue : mapping
        ``gm``, ``wm``, ``csf``: tissue probability maps on the subject grid, lesion excluded.
    territories : int16 array
        Territory label per voxel, 0 outside (see `hlhneuro.lesions.territories`).
    not_assessable : mapping of session label to str
        Why.
    """

    grid: Grid
    sessions: tuple[SessionLesions, ...]
    tissue: Mapping[str, FloatImage]
    territories: NDArray[np.int16]
    not_assessable: Mapping[str, str]

    def session(self, label: str) -> SessionLesions | None:
        """Return the session of that label, or None."""
        return next((session for session in self.sessions if session.label == label), None)
