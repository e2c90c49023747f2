"""The optional engine ANTs (package antspyx): one deformation, repeatable; its files and conventions end here."""

from __future__ import annotations

import os
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from hlhneuro.errors import StudyError
from hlhneuro.imaging.volumes import FloatImage, Grid

__all__ = ["ants_warp"]

_RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0])
_THREADS = "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS"


def ants_warp(
    fixed: FloatImage, moving: FloatImage, counted: NDArray[np.bool_], grid: Grid, iterations: str
) -> FloatImage:
    """Return the displacement (RAS+ mm, shape (X, Y, Z, 3)) of fixed points by symmetric normalisation.

    Both images lie on one isotropic RAS+ grid already. One thread and a fixed seed: the same bits every time.

    Raises
    ------
    StudyError
        If the package is not installed.
    """
    before = os.environ.get(_THREADS)
    os.environ[_THREADS] = "1"  # read when the package's ITK first looks, and by each of its calls
    try:
        import ants  # optional and slow
    except ImportError as error:
        raise StudyError(
            "the package antspyx is not installed",
            field="align.deformable_engine",
            found="ants",
            remedy="install hlhneuro[ants], or set align.deformable_engine to greedy",
        ) from error
    else:
        spacing = grid.voxel_size_mm
        direction = _RAS_TO_LPS @ (grid.affine[:3, :3] / np.array(spacing))
        origin = (_RAS_TO_LPS @ grid.affine[:3, 3]).tolist()

        def image(data: NDArray[np.generic]) -> Any:
            return ants.from_numpy(data.astype(np.float32), origin=origin, spacing=list(spacing), direction=direction)

        found = ants.registration(
            image(fixed),
            image(moving),
            type_of_transform="SyNOnly",
            initial_transform="Identity",
            mask=image(counted),
            mask_all_stages=True,
            syn_metric="CC",
            syn_sampling=2,
            reg_iterations=tuple(int(n) for n in iterations.split("x")),
            random_seed=1,
        )
        warp: Any = nib.load(found["fwdtransforms"][0])
        field = np.asarray(warp.dataobj, dtype=np.float32).reshape(*grid.shape, 3)
        for path in {*found["fwdtransforms"], *found["invtransforms"]}:
            os.remove(path)  # noqa: PTH107 - names as the package gives them
        return field * np.array([-1, -1, 1], dtype=np.float32)
    finally:
        if before is None:
            os.environ.pop(_THREADS, None)
        else:
            os.environ[_THREADS] = before
