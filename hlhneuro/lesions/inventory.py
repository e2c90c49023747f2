"""The list of lesions: one row for each and every session, with volume, its error, place and what became of it."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hlhneuro.imaging.alignment import AlignedSeries, AlignedSession
from hlhneuro.imaging.volumes import Grid
from hlhneuro.lesions.series import LesionSeries, SessionLesions
from hlhneuro.lesions.territories import territories
from hlhneuro.lesions.tracking import Tracks, lesion_status
from hlhneuro.lesions.uncertainty import surface_sds_ml
from hlhneuro.settings import ChangeSettings

__all__ = ["lesion_table"]

LESION_COLUMNS = (
    "lesion", "session", "territory", "side", "volume_ml", "volume_sd_ml", "change_ml", "change_sd_ml",
    "smallest_real_change_ml", "status", "parts", "x_mm", "y_mm", "z_mm",
)  # fmt: skip


def lesion_table(
    series: AlignedSeries, lesions: LesionSeries, tracks: Tracks, settings: ChangeSettings
) -> pd.DataFrame:
    """Return one row per lesion and session; the columns are described with `LesionChange`."""
    names = {t.label: t for t in territories()}
    voxel_ml = lesions.grid.voxel_volume_ml
    home = _home(lesions.territories, tracks)
    positions = [_centroids(image, tracks.count, lesions.grid.affine) for image in tracks.identities]
    aligned = [series.session(s.label) for s in lesions.sessions]
    errors = [
        _lesion_sds_ml(image, tracks.count, session, aligned_session, lesions.grid)
        for image, session, aligned_session in zip(tracks.identities, lesions.sessions, aligned, strict=True)
    ]
    rows = []
    for lesion in range(1, tracks.count + 1):
        territory = names.get(home[lesion])
        place = (territory.name, territory.side) if territory else ("unassigned", "")
        for i, session in enumerate(lesions.sessions):
            now, earlier = int(tracks.voxels[i][lesion]), int(tracks.voxels[i - 1][lesion]) if i else 0
            if not now and not earlier:
                continue
            own, shared = (error[lesion] for error in errors[i])
            change_ml, change_sd_ml = (now - earlier) * voxel_ml if i else math.nan, math.nan
            if i:  # the border is set alike: what is left of its error is the difference
                own_before, shared_before = (error[lesion] for error in errors[i - 1])
                change_sd_ml = math.hypot(own, own_before, shared - shared_before)
            limit_ml = settings.coverage_factor * change_sd_ml
            rows.append(
                (
                    lesion,
                    session.label,
                    *place,
                    now * voxel_ml,
                    math.hypot(own, shared),
                    change_ml,
                    change_sd_ml,
                    limit_ml,
                    lesion_status(tracks, lesion, i, change_ml, limit_ml),
                    int(tracks.parts[i][lesion]),
                    *(float(value) for value in positions[i if now else i - 1][lesion]),
                )
            )
    return pd.DataFrame(rows, columns=list(LESION_COLUMNS))


def _lesion_sds_ml(
    image: NDArray[np.int32], count: int, session: SessionLesions, aligned: AlignedSession | None, grid: Grid
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return each lesion's repeatability and its part from the border.

    The first is its own surface and its share (by surface) of the operating point's error.
    """
    own = surface_sds_ml(image, count, aligned, grid)
    whole = float(surface_sds_ml(session.mask.astype(np.int32), 1, aligned, grid)[1])
    operating_ml = math.sqrt(max(session.repeat_sd_ml**2 - whole**2, 0.0))
    area = own**2 / max(float((own**2).sum()), 1e-30)  # the surface part grows with the square root of the area
    return np.hypot(own, operating_ml * area), session.border_sd_ml * area


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
