"""The other side of the brain: each voxel's place reflected through the mid-plane of the symmetric template."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from hlhneuro.imaging.alignment import AlignedSeries, BoolImage
from hlhneuro.imaging.transforms import AffineTransform, DisplacementTransform, Transform
from hlhneuro.imaging.volumes import FloatImage

__all__ = ["Mirror", "affine_part", "mirror_of"]

EVERY = 3  # the map is worked out at every third voxel: it is smooth
REFLECT = AffineTransform(np.diag([-1.0, 1.0, 1.0, 1.0]))


@dataclass(frozen=True)
class Mirror:
    """Where the mirror image of each brain voxel lies.

    Parameters
    ----------
    brain : bool array
    index : float32 array, shape (3, brain voxels)
        Voxel coordinates of the mirrored place.
    """

    brain: BoolImage
    index: NDArray[np.float32]

    def image(self, values: NDArray[np.floating], shift: tuple[float, float, float] = (0, 0, 0)) -> FloatImage:
        """Return the mirrored image, zero outside the brain; `shift` moves the place that is read, in voxels."""
        out = np.zeros(self.brain.shape, np.float32)
        at = self.index + np.array(shift, np.float32)[:, None]
        out[self.brain] = ndimage.map_coordinates(values, at, order=1, mode="constant")
        return out

    def mask(self, mask: BoolImage) -> BoolImage:
        """Return where the mirrored place lies in a mask."""
        return np.asarray(self.image(mask.astype(np.float32)) > 0.5)


def affine_part(transform: Transform) -> AffineTransform:
    """Return the affine of a transform to the template: the deformation follows lesions and ventricles, it does not."""
    if isinstance(transform, DisplacementTransform):
        return transform.affine
    if isinstance(transform, AffineTransform):
        return transform
    raise TypeError(f"no affine part in {type(transform).__name__}")


def mirror_of(series: AlignedSeries, *, deformed: bool = True) -> Mirror:
    """Return the mirror of a subject.

    Parameters
    ----------
    deformed : bool
        Follow the deformation to the template (the same anatomical place), or its affine part only (the same place in
        millimetres from the mid-plane).

    Raises
    ------
    NotAssessable
        If the deformation cannot be inverted.
    """
    grid, brain = series.grid, series.brain_mask
    to_template: Transform = series.to_template if deformed else affine_part(series.to_template)
    axes = [np.arange(0, size + EVERY, EVERY) for size in grid.shape]
    lattice = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    to_mm = AffineTransform(np.asarray(grid.affine, float))
    # Far outside the head the deformation need not have an inverse, and nothing there is asked for.
    asked = ndimage.maximum_filter(brain, 4 * EVERY + 1)
    inside = np.minimum(lattice, np.array(grid.shape) - 1)
    wanted = asked[tuple(inside.T)]
    goals = REFLECT.map(to_template.map(to_mm.map(lattice[wanted])))
    if isinstance(to_template, DisplacementTransform):
        back = to_template.unmap(goals)
    else:
        back = to_template.inverse().map(goals)
    coarse = np.full((3, len(lattice)), -1000.0)
    coarse[:, wanted] = to_mm.inverse().map(back).T
    coarse = coarse.reshape(3, *(len(axis) for axis in axes))
    points = np.argwhere(brain).T / EVERY
    index = np.stack([ndimage.map_coordinates(part, points, order=1, mode="nearest") for part in coarse])
    return Mirror(brain, index.astype(np.float32))
