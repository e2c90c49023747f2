"""Where the spectroscopy voxel lies on the anatomy, and what it holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hlhneuro.imaging.alignment import BoolImage
from hlhneuro.imaging.transforms import AffineTransform
from hlhneuro.imaging.volumes import FloatImage, Grid

__all__ = ["VoxelComposition", "overlap", "place_voxel"]

_SUBSAMPLES = 5  # per axis of a grid voxel: partial volumes are right to a hundredth; odd, so that no half is a tie
_BOX_SAMPLES = 24  # per axis of the box, to see how much of it the grid covers


@dataclass(frozen=True)
class VoxelComposition:
    """The spectroscopy voxel in subject space.

    Parameters
    ----------
    mask : bool array on the subject grid
    volume_ml : float
        Volume of the voxel box.
    inside_fraction : float
        Part of the box that lies inside the subject grid.
    gm, wm, csf, lesion : float, optional
        Volume fractions; they sum to one inside the brain; None where tissue or lesions could not be assessed.
    reason : str
        Why fractions are missing; empty otherwise.
    """

    mask: BoolImage
    volume_ml: float
    inside_fraction: float
    gm: float | None
    wm: float | None
    csf: float | None
    lesion: float | None
    reason: str = ""


def place_voxel(
    affine: NDArray[np.float64],
    to_subject: AffineTransform,
    grid: Grid,
    tissue: Mapping[str, FloatImage] | None = None,
    lesion: BoolImage | None = None,
) -> VoxelComposition:
    """Lay the voxel box onto the subject grid and measure what it holds.

    Parameters
    ----------
    affine : array, shape (4, 4)
        The box as a unit cube around index (0, 0, 0), to RAS+ scanner millimetres.
    to_subject : AffineTransform
        From scanner to subject space, in millimetres.
    grid : Grid
        The subject grid.
    tissue : mapping, optional
        ``gm``, ``wm``, ``csf``: probabilities on the grid.
    lesion : bool array, optional

    Returns
    -------
    VoxelComposition
        Fractions weigh each grid voxel with its part inside the box.
    """
    box_to_subject = to_subject.after(AffineTransform(np.asarray(affine, dtype=np.float64)))
    inside_fraction = _inside_fraction(box_to_subject, grid)
    weight = _coverage(box_to_subject, grid)
    volume_ml = float(abs(np.linalg.det(affine[:3, :3]))) / 1000.0
    mask = weight >= 0.5
    total = float(weight.sum())
    if total == 0.0:
        why = "the spectroscopy voxel lies outside the images of the session"
        return VoxelComposition(mask, volume_ml, inside_fraction, None, None, None, None, why)
    if tissue is None:
        why = "no tissue maps of this session"
        part = None if lesion is None else float(np.sum(weight * lesion)) / total
        return VoxelComposition(mask, volume_ml, inside_fraction, None, None, None, part, why)
    parts = {name: float(np.sum(weight * tissue[name])) for name in ("gm", "wm", "csf")}
    damaged = 0.0 if lesion is None else float(np.sum(weight * lesion))
    brain = sum(parts.values())
    if brain + damaged <= 0.01 * total:
        why = "the spectroscopy voxel lies outside the brain"
        return VoxelComposition(mask, volume_ml, inside_fraction, None, None, None, None, why)
    # Tissue maps leave the lesion out or not quite: the lesion mask is exact, the tissues share the rest.
    share = 0.0 if lesion is None else min(damaged / max(brain + damaged, total), 1.0)
    if brain + damaged < total:
        share = damaged / (brain + damaged)
    healthy = {name: (1.0 - share) * value / brain if brain > 0 else 0.0 for name, value in parts.items()}
    why = "" if lesion is not None else "no lesion mask of this session"
    return VoxelComposition(
        mask,
        volume_ml,
        inside_fraction,
        healthy["gm"],
        healthy["wm"],
        healthy["csf"],
        None if lesion is None else share,
        why,
    )


def overlap(first: VoxelComposition, second: VoxelComposition) -> float:
    """Return the Dice overlap of two voxels on the same grid; zero where both are empty."""
    size = int(first.mask.sum() + second.mask.sum())
    return 2.0 * int(np.logical_and(first.mask, second.mask).sum()) / size if size else 0.0


def _centres(count: int) -> NDArray[np.float64]:
    return (np.arange(count) + 0.5) / count - 0.5


def _inside_fraction(box_to_subject: AffineTransform, grid: Grid) -> float:
    line = _centres(_BOX_SAMPLES)
    cube = np.stack(np.meshgrid(line, line, line, indexing="ij"), axis=-1).reshape(-1, 3)
    index = AffineTransform(grid.affine).inverse().map(box_to_subject.map(cube))
    inside = np.all((index >= -0.5) & (index <= np.asarray(grid.shape) - 0.5), axis=1)
    return float(inside.mean())


def _coverage(box_to_subject: AffineTransform, grid: Grid) -> NDArray[np.float64]:
    """Return which part of each grid voxel lies in the box."""
    weight = np.zeros(grid.shape)
    to_index = AffineTransform(grid.affine).inverse()
    corners = np.stack(np.meshgrid(*([[-0.5, 0.5]] * 3), indexing="ij"), axis=-1).reshape(-1, 3)
    reach = to_index.map(box_to_subject.map(corners))
    low = np.maximum(np.floor(reach.min(axis=0)).astype(int), 0)
    high = np.minimum(np.ceil(reach.max(axis=0)).astype(int) + 1, grid.shape)
    if (low >= high).any():
        return weight
    fine = [(np.arange(a, b)[:, None] + _centres(_SUBSAMPLES)[None, :]).ravel() for a, b in zip(low, high, strict=True)]
    to_box = box_to_subject.inverse().after(AffineTransform(grid.affine)).matrix
    inside = np.ones(tuple(f.size for f in fine), dtype=bool)
    for row in range(3):
        x, y, z = (to_box[row, axis] * fine[axis] for axis in range(3))
        place = x[:, None, None] + y[None, :, None] + z[None, None, :] + to_box[row, 3]
        inside &= np.abs(place) <= 0.5
    blocks = inside.reshape(*(n for f in fine for n in (f.size // _SUBSAMPLES, _SUBSAMPLES)))
    part = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    weight[part] = blocks.mean(axis=(1, 3, 5))
    return weight
