"""Resampling: one image, one grid, one transform, one interpolation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi

from hlhneuro.imaging.transforms import AffineTransform, DisplacementTransform, Transform
from hlhneuro.imaging.volumes import FloatImage, Grid

__all__ = ["coverage", "resample", "resample_labels", "resample_mask"]

BoolImage = NDArray[np.bool_]
Kind = Literal["cubic", "linear"]

# Target voxels this much longer than source voxels would alias: the source is smoothed first.
_ALIASING_RATIO = 1.5
_FWHM = 2.0 * np.sqrt(2.0 * np.log(2.0))
_SLAB_VOXELS = 500_000


def resample(
    data: NDArray[np.generic], source: Grid, target: Grid, transform: Transform, kind: Kind = "cubic"
) -> FloatImage:
    """Resample an image onto another grid, zero where it does not reach.

    Parameters
    ----------
    data : array, shape of `source`
        The image.
    source, target : Grid
        Where it lies and where it is wanted.
    transform : Transform
        Maps points of the target's space to points of the source's space (mm).
    kind : {"cubic", "linear"}
        Cubic B-spline for intensities (clipped to the range of the image, so that no edge rings beyond it); linear for
        probabilities.

    Returns
    -------
    array, shape of `target`, float32
        Where a target voxel is much longer than the source's, the source is smoothed along that axis first, to the
        resolution of the target.
    """
    order: Literal[1, 3] = 3 if kind == "cubic" else 1
    smooth = _antialiased(np.asarray(data, dtype=np.float32), source, target, transform)
    low, high = float(smooth.min()), float(smooth.max())
    knots = ndi.spline_filter(smooth, order=3, output=np.float32, mode="mirror") if order == 3 else smooth
    out = np.zeros(target.shape, dtype=np.float32)
    for part, index in _slabs(source, target, transform):
        values = out[part]  # a view: filled in place
        if isinstance(index, AffineTransform):
            ndi.affine_transform(
                knots,
                index.matrix,
                output_shape=values.shape,
                output=values,
                order=order,
                mode="mirror",
                prefilter=False,
            )
        else:
            ndi.map_coordinates(knots, index, output=values, order=order, mode="mirror", prefilter=False)
        np.clip(values, low, high, out=values)
        values[~_inside(index, values.shape, source)] = 0
    return out


def resample_alike(
    images: Sequence[NDArray[np.generic]], source: Grid, target: Grid, transform: Transform
) -> list[FloatImage]:
    """Resample several probability maps that lie on the same grid, linearly: where they go is worked out once."""
    smooth = [_antialiased(np.asarray(data, dtype=np.float32), source, target, transform) for data in images]
    out = [np.zeros(target.shape, dtype=np.float32) for _ in images]
    for part, found in _slabs(source, target, transform):
        index = found
        if isinstance(index, AffineTransform):
            corners = np.meshgrid(*(np.arange(n) for n in out[0][part].shape), indexing="ij")
            index = np.moveaxis(index.map(np.stack(corners, axis=-1)), -1, 0)
        outside = ~_inside(index, out[0][part].shape, source)
        for values, data in zip(out, smooth, strict=True):
            ndi.map_coordinates(data, index, output=values[part], order=1, mode="mirror")
            values[part][outside] = 0
    return out


def resample_mask(mask: BoolImage, source: Grid, target: Grid, transform: Transform) -> BoolImage:
    """Resample a mask: true where more than half of the target voxel is covered."""
    return _share(mask, source, target, transform) > 0.5


def resample_labels(
    labels: NDArray[np.integer], source: Grid, target: Grid, transform: Transform
) -> NDArray[np.integer]:
    """Resample a map of labels: each target voxel gets the label that covers most of it (the lowest of equals).

    No label is made up in between, whatever the numbers are.
    """
    out = np.zeros(target.shape, dtype=labels.dtype)
    # Background wins where it covers more than any single label.
    best = 1.0 - _share(labels != 0, source, target, transform)
    for label in np.unique(labels[labels != 0]):
        share = _share(labels == label, source, target, transform)
        wins = share > best
        out[wins], best = label, np.maximum(best, share)
    return out


def _share(mask: BoolImage, source: Grid, target: Grid, transform: Transform) -> FloatImage:
    """Return how much of each target voxel a mask covers, 0..1: thick voxels are sampled at several points."""
    fine = min(source.voxel_size_mm)
    times = [max(1, round(edge / fine)) for edge in target.voxel_size_mm]
    split = np.diag([*(1.0 / n for n in times), 1.0])
    split[:3, 3] = [0.5 / n - 0.5 for n in times]  # the first sample of a voxel lies at its lower edge
    x, y, z = (n * m for n, m in zip(target.shape, times, strict=True))
    samples = resample(mask, source, Grid((x, y, z), target.affine @ split), transform, "linear")
    blocks = samples.reshape([n for pair in zip(target.shape, times, strict=True) for n in pair])
    share: FloatImage = blocks.mean(axis=(1, 3, 5), dtype=np.float32)
    return share


def coverage(source: Grid, target: Grid, transform: Transform) -> BoolImage:
    """Return which voxels of `target` lie in the field of view of `source` (`transform`: target to source points)."""
    out = np.zeros(target.shape, dtype=bool)
    for part, index in _slabs(source, target, transform):
        out[part] = _inside(index, out[part].shape, source)
    return out


def _slabs(
    source: Grid, target: Grid, transform: Transform
) -> Iterator[tuple[slice, AffineTransform | NDArray[np.float64]]]:
    """Yield slabs of the target, and where their voxels lie among those of the source; slabs keep the memory small.

    Where they lie is an affine from target index to source index, or for a deformation the indices themselves.
    """
    to_index, to_points = AffineTransform(source.affine).inverse(), AffineTransform(target.affine)
    thickness = max(1, _SLAB_VOXELS // (target.shape[1] * target.shape[2]))
    for start in range(0, target.shape[0], thickness):
        part = slice(start, min(start + thickness, target.shape[0]))
        if isinstance(transform, AffineTransform):
            first = AffineTransform.translation((start, 0, 0))
            yield part, to_index.after(transform).after(to_points).after(first)
            continue
        axes = np.meshgrid(np.arange(part.start, part.stop), *(np.arange(n) for n in target.shape[1:]), indexing="ij")
        points = transform.map(to_points.map(np.stack(axes, axis=-1)))
        yield part, np.moveaxis(to_index.map(points), -1, 0)


def _inside(index: AffineTransform | NDArray[np.float64], shape: tuple[int, ...], source: Grid) -> BoolImage:
    """Return which voxels of a slab lie in the field of view of the source, to its outer edge."""
    inside = np.ones(shape, dtype=bool)
    x, y, z = np.ogrid[: shape[0], : shape[1], : shape[2]]
    for axis, n in enumerate(source.shape):
        if isinstance(index, AffineTransform):
            a, b, c, shift = index.matrix[axis]
            position = (a * x + shift) + b * y + c * z
        else:
            position = index[axis]
        inside &= (position > -0.5 - 1e-6) & (position < n - 0.5 + 1e-6)
    return inside


def _antialiased(data: FloatImage, source: Grid, target: Grid, transform: Transform) -> FloatImage:
    linear = transform.affine if isinstance(transform, DisplacementTransform) else transform
    if not isinstance(linear, AffineTransform):
        return data
    step = (np.linalg.inv(source.affine) @ linear.matrix @ target.affine)[:3, :3]
    ratio = np.linalg.norm(step, axis=1)  # target voxel in units of source voxels, along each source axis
    sigma = np.where(ratio > _ALIASING_RATIO, np.sqrt(np.maximum(ratio**2 - 1, 0)) / _FWHM, 0.0)
    smooth: FloatImage = ndi.gaussian_filter(data, sigma, mode="nearest") if sigma.any() else data
    return smooth
