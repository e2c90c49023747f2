"""Transform objects: they map points in RAS+ millimetres, invert, compose and save themselves; resampling is elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["AffineTransform", "Transform", "load_itk", "save_itk"]


class Transform(Protocol):
    """Anything that maps points in RAS+ millimetres."""

    def map(self, points_mm: ArrayLike) -> NDArray[np.float64]:
        """Map points, shape (..., 3)."""
        ...


@dataclass(frozen=True)
class AffineTransform:
    """A rigid or affine transform of points, ``y = matrix @ [x, 1]``, RAS+ millimetres."""

    matrix: NDArray[np.float64]

    def map(self, points_mm: ArrayLike) -> NDArray[np.float64]:
        """Map points, shape (..., 3)."""
        points = np.asarray(points_mm, dtype=np.float64)
        mapped: NDArray[np.float64] = points @ self.matrix[:3, :3].T + self.matrix[:3, 3]
        return mapped

    def inverse(self) -> AffineTransform:
        """Return the inverse transform."""
        return AffineTransform(np.asarray(np.linalg.inv(self.matrix), dtype=np.float64))

    def after(self, first: AffineTransform) -> AffineTransform:
        """Return the transform that applies `first` and then this one."""
        return AffineTransform(self.matrix @ first.matrix)


def save_itk(transform: AffineTransform, path: str | Path) -> None:
    """Write as ITK text (LPS millimetres)."""
    raise NotImplementedError


def load_itk(path: str | Path) -> AffineTransform:
    """Read an ITK text file (LPS millimetres)."""
    raise NotImplementedError
