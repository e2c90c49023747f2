"""Volume: a 3-D image with its RAS+ affine and what it shows; load, check, orient."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Grid", "Step", "Volume", "load_volume"]

FloatImage = NDArray[np.float32]


@dataclass(frozen=True)
class Grid:
    """Where the voxels of an image lie: its shape and the affine from voxel index to RAS+ millimetres."""

    shape: tuple[int, int, int]
    affine: NDArray[np.float64]

    @property
    def voxel_size_mm(self) -> tuple[float, float, float]:
        """Edge lengths of a voxel in millimetres."""
        x, y, z = np.linalg.norm(self.affine[:3, :3], axis=0)
        return float(x), float(y), float(z)

    @property
    def voxel_volume_ml(self) -> float:
        """Volume of one voxel in millilitres."""
        return float(abs(np.linalg.det(self.affine[:3, :3]))) / 1000.0

    def points_mm(self) -> NDArray[np.float32]:
        """Return the RAS+ position of every voxel centre, shape (X, Y, Z, 3), in millimetres."""
        index = np.stack(np.meshgrid(*(np.arange(n) for n in self.shape), indexing="ij"), axis=-1)
        points: NDArray[np.float32] = (index @ self.affine[:3, :3].T + self.affine[:3, 3]).astype(np.float32)
        return points


@dataclass(frozen=True)
class Step:
    """One processing step that was applied to an image: its name and parameters."""

    name: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True)
class Volume:
    """A 3-D image.

    Parameters
    ----------
    data : array, shape (X, Y, Z), float32
        Finite everywhere.
    affine : array, shape (4, 4)
        Voxel index to RAS+ millimetres.
    contrast : str
        What it shows (see `hlhneuro.study.layout.Scan.contrast`).
    steps : tuple of Step
        What was done to it, in order.
    """

    data: FloatImage
    affine: NDArray[np.float64]
    contrast: str
    steps: tuple[Step, ...] = ()

    @property
    def grid(self) -> Grid:
        """Where the voxels lie."""
        x, y, z = self.data.shape
        return Grid((x, y, z), self.affine)

    def stepped(self, data: FloatImage, name: str, **parameters: Any) -> Volume:
        """Return a copy with new data on the same grid and the step recorded."""
        return replace(self, data=data, steps=(*self.steps, Step(name, parameters)))


def load_volume(path: str | Path, contrast: str) -> Volume:
    """Load and check one image.

    Raises
    ------
    InputError
        If the file cannot be read, is not 3-D (a trailing axis of length one is dropped), has a singular affine, holds
        no finite signal, or has implausible voxel sizes.
    """
    raise NotImplementedError
