"""Finding smooth deformations, on top of an affine."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hlhneuro.imaging._engine import greedy, sitk, to_sitk, windowed
from hlhneuro.imaging.resampling import resample
from hlhneuro.imaging.transforms import AffineTransform, DisplacementTransform
from hlhneuro.imaging.volumes import Volume

__all__ = ["register_deformable"]

BoolImage = NDArray[np.bool_]


def register_deformable(
    fixed: Volume,
    moving: Volume,
    fixed_mask: BoolImage,
    *,
    start: AffineTransform,
    iterations: str = "40x20",
    metric: str = "NCC 2x2x2",
    smoothing: str = "2.0vox 1.0vox",
) -> DisplacementTransform:
    """Find a smooth deformation on top of an affine: the transform of fixed points to moving points.

    Parameters
    ----------
    fixed, moving : Volume
        Isotropic RAS+ images.
    fixed_mask : bool array
        Where the metric counts: tissue that has no counterpart in the other image (lesions) is left out of it.
    start : AffineTransform
        Moving to fixed points.
    """
    # The engine takes no starting matrix from memory, so the moving image is put in place on this coarse grid first.
    placed = resample(windowed(moving, None), moving.grid, fixed.grid, start.inverse(), "linear")
    warp = greedy(
        f"-i fix mov -gm mask -o warp -m {metric} -n {iterations} -s {smoothing}",
        "warp",
        fix=to_sitk(windowed(fixed, fixed_mask), fixed.grid),
        mov=to_sitk(placed, fixed.grid),
        mask=to_sitk(fixed_mask, fixed.grid),
    )
    field = np.ascontiguousarray(np.transpose(sitk.GetArrayFromImage(warp), (2, 1, 0, 3)), dtype=np.float32)
    field *= np.array([-1, -1, 1], dtype=np.float32)
    return DisplacementTransform(field, fixed.grid, start.inverse())
