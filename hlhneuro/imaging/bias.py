"""Bias-field correction."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hlhneuro.imaging._engine import one_thread, sitk
from hlhneuro.imaging.volumes import Volume
from hlhneuro.settings import PrepareSettings

__all__ = ["correct_bias"]


def correct_bias(volume: Volume, mask: NDArray[np.bool_], settings: PrepareSettings) -> Volume:
    """Return the image divided by its smooth bias field, estimated inside the mask (N4).

    The field is estimated on a shrunken copy and divided out at full resolution; its mean logarithm inside the mask is
    zero, so that the scale of the image stays.

    Parameters
    ----------
    volume : Volume
        A weighted image (not a quantitative map).
    mask : bool array, shape of the image
        Brain, generously.
    settings : PrepareSettings

    References
    ----------
    Tustison NJ et al. N4ITK: improved N3 bias correction. IEEE Trans Med Imaging 2010; 29: 1310-1320.
    """
    box, turned = _box(volume, mask)
    edges = np.array(volume.grid.voxel_size_mm)
    shrink = [int(n) for n in np.clip(np.round(settings.n4_voxel_size_mm / edges), 1, 8)]
    image = sitk.GetImageFromArray(np.maximum(volume.data[box][turned], 0).transpose(2, 1, 0))
    image.SetSpacing(volume.grid.voxel_size_mm)
    where = sitk.GetImageFromArray(mask[box][turned].astype(np.uint8).transpose(2, 1, 0))
    where.CopyInformation(image)
    with one_thread():
        small, small_where = sitk.BinShrink(image, shrink), sitk.Shrink(where, shrink)
        small_where.CopyInformation(small)
        n4 = sitk.N4BiasFieldCorrectionImageFilter()
        n4.SetMaximumNumberOfIterations(list(settings.n4_iterations))
        n4.SetConvergenceThreshold(settings.n4_convergence)
        n4.Execute(small, small_where)
        log_field = sitk.GetArrayFromImage(n4.GetLogBiasFieldAsImage(image)).transpose(2, 1, 0)
    log_field = log_field - log_field[mask[box][turned]].mean()
    # Far outside the mask the field is extrapolated: bounded by what was seen inside.
    low, high = np.percentile(log_field[mask[box][turned]], (0.1, 99.9))
    around = [(part.start, n - part.stop) for part, n in zip(box, mask.shape, strict=True)]
    field = np.pad(np.clip(log_field, low, high)[turned], around, mode="edge")
    corrected = (volume.data / np.exp(field)).astype(np.float32)
    return volume.stepped(
        np.ascontiguousarray(corrected), "n4", shrink=tuple(shrink), iterations=settings.n4_iterations
    )


def _box(volume: Volume, mask: NDArray[np.bool_]) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """Return the box of the mask, and how to run through it from left, back and bottom (or back again).

    The lattice of the field then lies on the brain alone, and lies there alike whichever way the axes of the file run.
    """
    box, turned = [], []
    for axis in range(3):
        used = np.flatnonzero(mask.any(axis=tuple(a for a in range(3) if a != axis)))
        box.append(slice(int(used[0]), int(used[-1]) + 1))
        column = volume.affine[:3, axis]
        turned.append(slice(None, None, -1 if column[np.abs(column).argmax()] < 0 else 1))
    return tuple(box), tuple(turned)
