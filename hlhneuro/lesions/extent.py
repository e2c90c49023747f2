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

__all__ = ["Border", "blur_voxels", "lesion_share", "reach_voxels", "share_of_core", "widened"]

CUBE = np.ones((3, 3, 3), bool)
# Weighs a voxel by how certainly it lies inside: half inside counts a sixteenth (expert-set)
CORE_POWER = 4
# A border lies between its inner and its outer voxels, a little inwards as noise frays it (balls of known volume)
INNER_PART = 0.6


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
        outskirts = ndimage.maximum_filter(~self.found, size=_box(self.reach))
        kept: BoolImage = self.found & ~(outskirts & (self.share < level))
        return kept


def widened(found: BoolImage, may_be: BoolImage, reach: tuple[int, ...]) -> BoolImage:
    """Return what was found, and what touches it within reach where more than half of the voxel is lesion.

    The threshold of detection is higher than half of a faint lesion, so its rim is not found by itself.

    Parameters
    ----------
    may_be : bool array
        Where a rim may lie: not like normal tissue, half or more of it lesion.
    """
    wide = found
    for _ in range(max(reach)):
        wide = wide | (ndimage.binary_dilation(wide, CUBE) & may_be)
    return wide


def reach_voxels(
    sessions: Sequence[AlignedSession], contrasts: Sequence[str], grid: Grid, settings: LesionSettings
) -> tuple[int, ...]:
    """Return how far, along each axis of the grid, one thick slice or a soft edge smears a lesion.

    The thickest voxel of any session counts, so that all sessions are treated alike.
    """
    reach_mm = np.full(3, settings.soft_edge_mm)
    for session, contrast in zip(sessions, contrasts, strict=True):
        reach_mm = np.maximum(reach_mm, _voxel_mm(session, contrast, grid))
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
    lesion within reach; half is then where half of the voxel is lesion. The core of a small lesion is never seen
    whole: its brightness is what it must be for a mask, blurred as the image is, to give what is seen (the recovery
    coefficient of partial-volume correction). Mask and brightness are found in turn.

    References
    ----------
    Soret et al., J Nucl Med 2007;48:932 (partial-volume effect, recovery coefficient).
    """
    grid = session.volumes[contrast].grid
    column = model.contrasts.index(contrast)
    weight = np.sum(priors, axis=0)
    normal = np.sum([p * np.float32(model.means[k, column]) for k, p in enumerate(priors)], axis=0)
    normal /= np.maximum(weight, np.float32(1e-6))
    inside = lesion | ndimage.binary_dilation(lesion, iterations=3)
    excess = smoothed(session.volumes[contrast].data - normal, inside, settings.context_mm / grid.mean_edge_mm / 2)
    return share_of_core(excess, lesion, blur_voxels(session, contrast, grid, settings), reach, settings)


def share_of_core(
    excess: FloatImage,
    lesion: BoolImage,
    blur: tuple[float, ...],
    reach: tuple[int, ...],
    settings: LesionSettings,
    *,
    curved: bool = False,
) -> FloatImage:
    """Return how much of each voxel is lesion, from how far it exceeds what is normal there.

    Parameters
    ----------
    excess : float32 array
    lesion : bool array
        Where the core is looked for.
    blur : tuple of float
        SD of the Gaussian that the image is blurred by, in voxels.
    reach : tuple of int
        How far a core is looked for along each axis, in voxels.
    curved : bool
        Whether the border of what is small lies where its own blur leaves it, less than half-way up. Lesions that fade
        out by themselves, seen in one image, have none of that.
    """
    bright = np.where(lesion, np.maximum(excess, np.float32(0)), np.float32(0))
    # To start with: the mean that weighs each voxel by its own brightness, not led by noise as a maximum is.
    half = np.float32(settings.boundary_share)
    share = _share(excess, _ratio(bright**2, bright, reach))
    for _ in range(settings.border_steps):
        mask = lesion & (share > half)
        recovered = ndimage.gaussian_filter(mask.astype(np.float32), blur)
        core = np.where(mask, recovered**CORE_POWER, np.float32(0))
        brightness = _ratio(core * excess, core * recovered, reach)
        if curved:
            brightness *= _border_height(mask, recovered, reach, half) / half
        share = _share(excess, brightness)
    return share


def _border_height(mask: BoolImage, recovered: FloatImage, reach: tuple[int, ...], flat: np.float32) -> FloatImage:
    """Return how much of a lesion's brightness is left at its border: half where that is flat, less where it is curved.

    What is blurred as much as it is wide is dimmer at its edge than half of what it is.
    """
    sides = mask & ~ndimage.binary_erosion(mask), ndimage.binary_dilation(mask) & ~mask
    inner, outer = (_ratio(np.where(side, recovered, 0), side.astype(np.float32), reach) for side in sides)
    height = INNER_PART * inner + (1 - INNER_PART) * outer
    return np.where((inner > 0) & (outer > 0), height, flat).astype(np.float32)


def _share(excess: FloatImage, core: FloatImage) -> FloatImage:
    share: NDArray[np.float32] = np.clip(excess / np.maximum(core, np.float32(1e-6)), 0, 1).astype(np.float32)
    return np.where(core > 0, share, np.float32(0))


def _ratio(above: FloatImage, below: FloatImage, reach: tuple[int, ...]) -> FloatImage:
    """Return the ratio of two sums over the voxels within reach, zero where there is nothing."""
    total = ndimage.uniform_filter(below, size=_box(reach))
    value = ndimage.uniform_filter(above, size=_box(reach)) / np.maximum(total, np.float32(1e-6))
    return np.asarray(np.where(total > 1e-6, value, 0), np.float32)


def blur_voxels(session: AlignedSession, contrast: str, grid: Grid, settings: LesionSettings) -> tuple[float, ...]:
    """Return the SD of a Gaussian as wide as what smears this image along each axis: soft edge and voxel.

    Each is a box, and a box of width w has a variance of w^2/12; cubic interpolation adds next to nothing.
    """
    box_mm = np.hypot(settings.usual_edge_mm, _voxel_mm(session, contrast, grid))
    return tuple(float(x) for x in box_mm / np.sqrt(12.0) / np.array(grid.voxel_size_mm))


def _voxel_mm(session: AlignedSession, contrast: str, grid: Grid) -> NDArray[np.float64]:
    """Return how wide a voxel of the scanner is along each axis of the grid (mm); 0 if that is not known."""
    if contrast not in session.native_grids or contrast not in session.to_subject:
        return np.zeros(3)
    edges = session.to_subject[contrast].matrix[:3, :3] @ session.native_grids[contrast].affine[:3, :3]
    along = np.abs(np.linalg.inv(grid.affine[:3, :3]) @ edges).sum(axis=1) * np.array(grid.voxel_size_mm)
    return np.asarray(along, np.float64)


def _box(reach: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(2 * r + 1 for r in reach)
