"""The list of lesions: one row for each and every session, with volume, its error, place and what became of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hlhneuro.imaging.alignment import AlignedSeries
from hlhneuro.lesions.series import LesionSeries
from hlhneuro.lesions.territories import territories
from hlhneuro.lesions.tracking import Tracks, lesion_status
from hlhneuro.lesions.uncertainty import VolumeErrors, volume_errors
from hlhneuro.settings import ChangeSettings, LesionSettings

__all__ = ["errors_of", "lesion_table"]

LESION_COLUMNS = (
    "lesion", "session", "territory", "side", "volume_ml", "volume_sd_ml", "change_ml", "change_sd_ml",
    "smallest_real_change_ml", "status", "parts", "x_mm", "y_mm", "z_mm",
)  # fmt: skip


def errors_of(
    series: AlignedSeries, lesions: LesionSeries, tracks: Tracks, settings: LesionSettings
) -> list[VolumeErrors]:
    """Return the errors of the tracked lesions' volumes at every session."""
    found = []
    for image, session in zip(tracks.identities, lesions.sessions, strict=True):
        witness = None if session.supplied else session.contrasts[0]
        found.append(volume_errors(image, tracks.count, series.session(session.label), witness, lesions.grid, settings))
    return found


def lesion_table(
    lesions: LesionSeries, tracks: Tracks, errors: Sequence[VolumeErrors], settings: ChangeSettings
) -> pd.DataFrame:
    """Return one row per lesion and session; the columns are described with `LesionChange`."""
    names = {t.label: t for t in territories()}
    voxel_ml = lesions.grid.voxel_volume_ml
    home = _home(lesions.territories, tracks)
    positions = [_centroids(image, tracks.count, lesions.grid.affine) for image in tracks.identities]
    nothing = np.full(tracks.count + 1, math.nan)
    sds = [error.lesion_sds_ml for error in errors]
    change_sds = [after.change_sds_ml(before) for before, after in pairwise(errors)]
    change_sds.insert(0, nothing)
    rows = []
    for lesion in range(1, tracks.count + 1):
        territory = names.get(home[lesion])
        place = (territory.name, territory.side) if territory else ("unassigned", "")
        for i, session in enumerate(lesions.sessions):
            now, earlier = int(tracks.voxels[i][lesion]), int(tracks.voxels[i - 1][lesion]) if i else 0
            if not now and not earlier:
                continue
            change_ml = (now - earlier) * voxel_ml if i else math.nan
            change_sd_ml = float(change_sds[i][lesion])
            limit_ml = settings.coverage_factor * change_sd_ml
            rows.append(
                (
                    lesion,
                    session.label,
                    *place,
                    now * voxel_ml,
                    float(sds[i][lesion]),
                    change_ml,
                    change_sd_ml,
                    limit_ml,
                    lesion_status(tracks, lesion, i, change_ml, limit_ml),
                    int(tracks.parts[i][lesion]),
                    *(float(value) for value in positions[i if now else i - 1][lesion]),
                )
            )
    return pd.DataFrame(rows, columns=list(LESION_COLUMNS))


def _home(labels: NDArray[np.int16], tracks: Tracks) -> NDArray[np.int64]:
    """Territory that holds most of each lesion over all sessions (of equals the lower label); 0 if none does."""
    size = max(t.label for t in territories()) + 1
    votes = np.zeros((tracks.count + 1, size), np.int64)
    for image in tracks.identities:
        inside = image > 0
        np.add.at(votes, (image[inside], labels[inside]), 1)
    votes[:, 0] = 0
    best: NDArray[np.int64] = votes.argmax(axis=1)
    return best


def _centroids(image: NDArray[np.int32], count: int, affine: NDArray[np.float64]) -> NDArray[np.float64]:
    """Centre of each lesion in subject space, RAS+ millimetres; shape (count + 1, 3)."""
    index = np.argwhere(image)
    number = image[tuple(index.T)]
    size = np.maximum(np.bincount(number, minlength=count + 1), 1)
    sums = [np.bincount(number, weights=index[:, axis], minlength=count + 1) for axis in range(3)]
    centres: NDArray[np.float64] = (np.stack(sums, axis=1) / size[:, None]) @ affine[:3, :3].T + affine[:3, 3]
    return centres
