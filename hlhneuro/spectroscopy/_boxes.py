"""Boxes on grids: which part of each grid voxel a box covers, and how much of the box a grid."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hlhneuro.imaging.transforms import AffineTransform
from hlhneuro.imaging.volumes import Grid

__all__ = ["coverage", "inside_fraction", "points_of_cube"]

_SUBSAMPLES = 5  # per axis of a grid voxel: partial volumes are right to a hundredth; odd, so that no half is a tie
_BOX_SAMPLES = 24  # per axis of the box, to see how much of it the grid or another box covers


def points_of_cube() -> NDArray[np.float64]:
    """Return points spread evenly over the unit cube, shape (points, 3)."""
    line = _centres(_BOX_SAMPLES)
    return np.stack(np.meshgrid(line, line, line, indexing="ij"), axis=-1).reshape(-1, 3)


def _centres(count: int) -> NDArray[np.float64]:
    return (np.arange(count) + 0.5) / count - 0.5


def inside_fraction(box_to_subject: AffineTransform, grid: Grid) -> float:
    """Return which part of the box lies in the grid."""
    index = AffineTransform(grid.affine).inverse().map(box_to_subject.map(points_of_cube()))
    inside = np.all((index >= -0.5) & (index <= np.asarray(grid.shape) - 0.5), axis=1)
    return float(inside.mean())


def coverage(box_to_subject: AffineTransform, grid: Grid) -> tuple[tuple[slice, ...], NDArray[np.float64]]:
    """Return the piece of the grid about the box, and which part of each of its voxels lies in the box."""
    to_index = AffineTransform(grid.affine).inverse()
    corners = np.stack(np.meshgrid(*([[-0.5, 0.5]] * 3), indexing="ij"), axis=-1).reshape(-1, 3)
    reach = to_index.map(box_to_subject.map(corners))
    low = np.maximum(np.floor(reach.min(axis=0)).astype(int), 0)
    high = np.minimum(np.ceil(reach.max(axis=0)).astype(int) + 1, grid.shape)
    part = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    if (low >= high).any():
        return tuple(slice(0, 0) for _ in range(3)), np.zeros((0, 0, 0))
    fine = [(np.arange(a, b)[:, None] + _centres(_SUBSAMPLES)[None, :]).ravel() for a, b in zip(low, high, strict=True)]
    to_box = box_to_subject.inverse().after(AffineTransform(grid.affine)).matrix
    inside = np.ones(tuple(f.size for f in fine), dtype=bool)
    for row in range(3):
        x, y, z = (to_box[row, axis] * fine[axis] for axis in range(3))
        place = x[:, None, None] + y[None, :, None] + z[None, None, :] + to_box[row, 3]
        inside &= np.abs(place) <= 0.5
    blocks = inside.reshape(*(n for f in fine for n in (f.size // _SUBSAMPLES, _SUBSAMPLES)))
    return part, np.asarray(blocks.mean(axis=(1, 3, 5)))
