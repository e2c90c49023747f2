"""Resampling: one image, one grid, one transform, one interpolation."""

from __future__ import annotations

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
    order = 3 if kind == "cubic" else 1
    smooth = _antialiased(np.asarray(data, dtype=np.float32), source, target, transform)
    low, high = float(smooth.min()), float(smooth.max())
    knots = ndi.spline_filter(smooth, order=3, output=np.float32, mode="mirror") if order == 3 else smooth
    out = np.zeros(target.shape, dtype=np.float32)
    for part, index in _source_index(source, target, transform):
        inside = _inside(index, source)
        values = ndi.map_coordinates(knots, index, order=order, mode="mirror", prefilter=False, output=np.float32)
        out[part] = np.where(inside, np.clip(values, low, high), 0)
    return out


def resample_mask(mask: BoolImage, source: Grid, target: Grid, transform: Transform) -> BoolImage:
    """Resample a mask: true where more than half of the target voxel is covered."""
    carried: BoolImage = resample(mask, source, target, transform, "linear") > 0.5
    return carried


def resample_labels(
    labels: NDArray[np.integer], source: Grid, target: Grid, transform: Transform
) -> NDArray[np.integer]:
    """Resample a map of labels: each target voxel gets the label that covers most of it (the lowest of equals).

    No label is made up in between, whatever the numbers are.
    """
    out = np.zeros(target.shape, dtype=labels.dtype)
    # Background wins where it covers more than any single label.
    best = 1.0 - resample(labels != 0, source, target, transform, "linear")
    for label in np.unique(labels[labels != 0]):
        share = resample(labels == label, source, target, transform, "linear")
        wins = share > best
        out[wins], best = label, np.maximum(best, share)
    return out


def coverage(source: Grid, target: Grid, transform: Transform) -> BoolImage:
    """Return which voxels of `target` lie in the field of view of `source` (`transform`: target to source points)."""
    out = np.zeros(target.shape, dtype=bool)
    for part, index in _source_index(source, target, transform):
        out[part] = _inside(index, source)
    return out


def _source_index(source: Grid, target: Grid, transform: Transform):  # type: ignore[no-untyped-def]
    """Yield slabs of the target and the source voxel positions of their points; slabs keep the memory small."""
    to_index = AffineTransform(np.linalg.inv(source.affine))
    thickness = max(1, _SLAB_VOXELS // (target.shape[1] * target.shape[2]))
    for start in range(0, target.shape[0], thickness):
        part = slice(start, min(start + thickness, target.shape[0]))
        index = np.stack(
            np.meshgrid(np.arange(part.start, part.stop), *(np.arange(n) for n in target.shape[1:]), indexing="ij"), -1
        )
        if isinstance(transform, AffineTransform):
            points = to_index.after(transform).after(AffineTransform(target.affine)).map(index)
        else:
            points = to_index.map(transform.map(AffineTransform(target.affine).map(index)))
        yield part, np.moveaxis(points, -1, 0)


def _inside(index: NDArray[np.float64], source: Grid) -> BoolImage:
    inside = np.ones(index.shape[1:], dtype=bool)
    for position, n in zip(index, source.shape, strict=True):
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
