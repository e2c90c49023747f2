"""How far a lesion volume would move if the same brain were scanned again."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from hlhneuro.imaging.alignment import AlignedSession, BoolImage
from hlhneuro.imaging.volumes import FloatImage, Grid
from hlhneuro.lesions.extent import Border
from hlhneuro.settings import LesionSettings

__all__ = ["surface_sds_ml", "surface_voxels", "volume_sd_ml"]


def surface_voxels(mask: BoolImage) -> BoolImage:
    """Voxels of the mask that touch the outside."""
    surface: BoolImage = mask & ~ndimage.binary_erosion(mask)
    return surface


def surface_sds_ml(
    identities: NDArray[np.int32], count: int, session: AlignedSession | None, grid: Grid
) -> NDArray[np.float64]:
    """Return the standard uncertainty of each lesion's volume from how its session's slices cut it.

    A surface that is sampled every `d` mm is placed within a uniform error of SD ``d / sqrt(12)``, independently in
    each patch of ``d x d``; `d` is the geometric mean voxel edge of the session's reference image.

    Returns
    -------
    array, shape (count + 1,)
        Index is the lesion's number; 0 for a lesion that is not there.
    """
    spacing_mm = grid.mean_edge_mm
    native = session.native_grids.get(session.reference, grid) if session else grid
    edge_mm = max(float(np.prod(native.voxel_size_mm)) ** (1 / 3), spacing_mm)
    surface = identities[surface_voxels(identities > 0)]
    area_mm2 = np.bincount(surface, minlength=count + 1) * spacing_mm**2
    patches = np.where(area_mm2 > 0, np.maximum(area_mm2 / edge_mm**2, 1.0), 0.0)
    sds: NDArray[np.float64] = np.sqrt(patches) * edge_mm**3 / math.sqrt(12.0) / 1000.0
    return sds


def volume_sd_ml(
    mask: BoolImage,
    detection: tuple[FloatImage, float],
    border: Border,
    session: AlignedSession,
    grid: Grid,
    settings: LesionSettings,
) -> tuple[float, float]:
    """Return the standard uncertainty of a lesion volume (three parts in quadrature), and its part from the border.

    How the slices cut the surface; the operating point of detection (the threshold of the z map moved by its own
    error) and of the border (the share of lesion at which it is set, moved likewise), which act on all lesions alike.
    They describe repeatability on the same scanner and where a border may fairly be set, not agreement with a reader.
    The border is set alike at every session, so most of its part drops out of a change.

    Parameters
    ----------
    detection : tuple
        The z map and its threshold.
    border : Border
        Where the border of the mask may lie.
    """
    if not mask.any():
        return 0.0, 0.0
    near = ndimage.binary_dilation(mask, iterations=2)
    z, threshold = detection
    step = settings.threshold_error_sd
    looser, tighter = (z[near] > threshold - step).sum(), (z[near] > threshold + step).sum()
    operating_ml = float(looser - tighter) / 2 * grid.voxel_volume_ml
    level, step = settings.boundary_share, settings.boundary_share_sd
    outer, inner = (border.mask(at).sum() for at in (level - step, level + step))
    border_ml = float(outer - inner) / 2 * grid.voxel_volume_ml
    surface_ml = float(surface_sds_ml(mask.astype(np.int32), 1, session, grid)[1])
    return math.hypot(surface_ml, operating_ml, border_ml), border_ml
