"""Where two sessions differ beyond noise and registration error."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from hlhneuro.imaging.alignment import AlignedSession, BoolImage
from hlhneuro.imaging.volumes import FloatImage, Grid
from hlhneuro.lesions.evidence import grow, local_fdr, smoothed, symmetric_null
from hlhneuro.settings import LesionSettings

__all__ = ["changed_voxels", "difference_z"]

LESION_SIGN = {"FLAIR": 1.0, "T2w": 1.0, "T1w": -1.0}  # inflamed or dead tissue holds more water


def changed_voxels(
    before: AlignedSession,
    after: AlignedSession,
    inside: BoolImage,
    tissue: NDArray[np.uint8],
    grid: Grid,
    settings: LesionSettings,
) -> tuple[FloatImage, BoolImage]:
    """Return the standardised difference (brighter after: positive) and where it is beyond its null.

    Exchanging the two sessions changes the sign of the first and nothing of the second, bit for bit.

    Parameters
    ----------
    inside : bool array
        Brain that both sessions cover.
    tissue : uint8 array
        Most likely tissue per voxel, the same for both sessions; differences are centred within each.

    References
    ----------
    Schmidt et al., NeuroImage Clin 2019;23:101849 (change against the difference distribution of normal tissue).
    """
    voxel_mm = grid.mean_edge_mm
    shared = [c for c in ("FLAIR", "T2w", "T1w") if c in before.volumes and c in after.volumes]
    total = np.zeros(grid.shape, np.float32)
    for contrast in shared:
        pair = (before.volumes[contrast].data, after.volumes[contrast].data)
        total += np.float32(LESION_SIGN[contrast]) * difference_z(pair, inside, tissue, voxel_mm, settings)
    z = smoothed(total, inside, settings.context_mm / voxel_mm)
    z /= np.float32(symmetric_null(z[inside]))
    size = np.abs(z)
    resel = (2 * np.sqrt(np.pi) * settings.context_mm / voxel_mm) ** 3
    null = local_fdr(size[inside], resel, settings.local_fdr, settings.family_wise_error, two_sided=True)
    return z, grow(size, null) & inside


def difference_z(
    pair: tuple[FloatImage, FloatImage],
    inside: BoolImage,
    tissue: NDArray[np.uint8],
    voxel_mm: float,
    settings: LesionSettings,
) -> FloatImage:
    """Second image minus first over the spread that equally steep places of the image show.

    The spread is measured in bins of the mean image's gradient: flat places give the noise, steep ones what
    registration and reslicing leave. Class means and a smooth field are taken off first (scanner, coil).
    """
    difference = np.where(inside, pair[1] - pair[0], np.float32(0))
    for k in np.unique(tissue[inside]):
        here = inside & (tissue == k)
        difference[here] -= np.median(difference[here])
    limit = np.float32(2.5 * symmetric_null(difference[inside]))
    clipped = np.clip(difference, -limit, limit)
    difference -= smoothed(clipped, inside, settings.bias_change_mm / voxel_mm)
    mean = (pair[0] + pair[1]) / np.float32(2)
    gradient = ndimage.gaussian_gradient_magnitude(mean, 1.0)[inside]
    values = difference[inside]
    order = np.argsort(gradient, kind="stable")
    centres, spreads = [], []
    for part in np.array_split(order, settings.gradient_bins):
        centres.append(float(np.median(gradient[part])))
        spreads.append(symmetric_null(values[part]))
    spread = np.interp(gradient, centres, np.maximum.accumulate(spreads))
    z = np.zeros(difference.shape, np.float32)
    z[inside] = values / spread
    return z
