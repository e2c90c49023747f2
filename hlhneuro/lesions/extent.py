"""Where a lesion ends: half-way between its own brightness and that of the tissue around it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from hlhneuro.imaging.alignment import AlignedSession, BoolImage
from hlhneuro.imaging.volumes import FloatImage, Grid
from hlhneuro.lesions.evidence import smoothed
from hlhneuro.lesions.tissues import TissueModel
from hlhneuro.settings import LesionSettings

__all__ = ["Border", "lesion_share", "reach_voxels"]


@dataclass(frozen=True)
class Border:
    """What was found as a lesion, and where it may be taken off again.

    Parameters
    ----------
    found : bool array
        Voxels that are unlike normal tissue, down to a small share of lesion.
    share : float32 array
        Part of each voxel that is lesion.
    reach : tuple of int
        How far along each axis a border may be blurred, in voxels.
    """

    found: BoolImage
    share: FloatImage
    reach: tuple[int, ...]

    def mask(self, level: float) -> BoolImage:
        """Take off the border where less than `level` of the voxel is lesion; the inside stays whole."""
        outskirts = ndimage.maximum_filter(~self.found, size=tuple(2 * r + 1 for r in self.reach))
        kept: BoolImage = self.found & ~(outskirts & (self.share < level))
        return kept


def reach_voxels(
    sessions: Sequence[AlignedSession], contrasts: Sequence[str], grid: Grid, settings: LesionSettings
) -> tuple[int, ...]:
    """Return how far, along each axis of the grid, one thick slice or a soft edge smears a lesion.

    The thickest voxel of any session counts, so that all sessions are treated alike.
    """
    reach_mm = np.full(3, settings.soft_edge_mm)
    for session, contrast in zip(sessions, contrasts, strict=True):
        if contrast in session.native_grids and contrast in session.to_subject:
            edges = session.to_subject[contrast].matrix[:3, :3] @ session.native_grids[contrast].affine[:3, :3]
            axes = np.linalg.inv(grid.affine[:3, :3])
            reach_mm = np.maximum(reach_mm, np.abs(axes @ edges).sum(axis=1) * np.array(grid.voxel_size_mm))
    return tuple(max(1, round(float(r / size))) for r, size in zip(reach_mm, grid.voxel_size_mm, strict=True))


def lesion_share(
    session: AlignedSession,
    contrast: str,
    model: TissueModel,
    priors: Sequence[FloatImage],
    lesion: BoolImage,
    reach: tuple[int, ...],
    settings: LesionSettings,
) -> FloatImage:
    """Return the part of each voxel that is lesion, judged by brightness (0 normal tissue, 1 as the lesion's own core).

    The image is taken as a mixture of normal tissue (the mean that the template expects at that place) and of the
    lesion within reach; half is then where half of the voxel is lesion.
    """
    column = model.contrasts.index(contrast)
    weight = np.sum(priors, axis=0)
    normal = np.sum([p * np.float32(model.means[k, column]) for k, p in enumerate(priors)], axis=0)
    normal /= np.maximum(weight, np.float32(1e-6))
    inside = lesion | ndimage.binary_dilation(lesion, iterations=3)
    voxel_mm = session.volumes[contrast].grid.mean_edge_mm
    excess = smoothed(session.volumes[contrast].data - normal, inside, settings.context_mm / voxel_mm / 2)
    box = tuple(2 * r + 1 for r in reach)
    bright = np.where(lesion, np.maximum(excess, np.float32(0)), np.float32(0))
    # The mean that weighs each voxel by its own brightness: near the plateau, and not led by noise as a maximum is.
    core = ndimage.uniform_filter(bright**2, size=box) / np.maximum(
        ndimage.uniform_filter(bright, size=box), np.float32(1e-6)
    )
    share: NDArray[np.float32] = np.clip(excess / np.maximum(core, np.float32(1e-6)), 0, 1).astype(np.float32)
    return share
