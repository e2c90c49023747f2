"""The last step of a rigid registration, half-way between two images: robust, and the same from either side."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi
from scipy.spatial.transform import Rotation

from hlhneuro.imaging.brain import dilate
from hlhneuro.imaging.transforms import AffineTransform
from hlhneuro.imaging.volumes import FloatImage, Volume

__all__ = ["Sampler", "halfway_points", "refine_rigid"]

BoolImage = NDArray[np.bool_]
Array = NDArray[np.float64]

_TUKEY = 4.685  # 95 % efficient on normal residuals (Beaton and Tukey 1974)
_TO_SD = 1.4826  # median absolute deviation to standard deviation of a normal distribution
_BINS = 32  # of equal size; fewer than a thousandth of a brain's samples would fall into finer ones
_ROUNDS, _FRESH_ROUNDS = 20, 3  # at most; slopes are taken anew in the first ones only: later steps are minute
_SETTLED_MM = 1e-3  # a step that moves the brain's surface by less ends the search: a fiftieth of the error aimed at
_RADIUS_MM = 60.0  # of a brain, for turning angles into millimetres


@dataclass(frozen=True)
class Sampler:
    """An image on an isotropic grid, ready to be read at any point.

    Parameters
    ----------
    knots : array
        Coefficients of its cubic B-spline.
    slopes : tuple of three arrays
        Central differences, per mm.
    mask : bool array
        Where it counts.
    to_index : AffineTransform
        Points in mm to voxel indices.
    voxel_size_mm : float
    """

    knots: FloatImage
    slopes: tuple[FloatImage, ...]
    mask: BoolImage
    to_index: AffineTransform
    voxel_size_mm: float

    @classmethod
    def of(cls, volume: Volume, mask: BoolImage) -> Sampler:
        """Return the sampler of an isotropic RAS+ working image."""
        data = volume.data.astype(np.float32)
        edge = volume.grid.voxel_size_mm[0]
        knots = ndi.spline_filter(data, order=3, output=np.float32, mode="mirror")
        slopes = tuple(np.asarray(np.gradient(data, edge, axis=axis), dtype=np.float32) for axis in range(3))
        return cls(knots, slopes, mask, AffineTransform(volume.affine).inverse(), edge)

    def widened(self, margin_mm: float) -> Sampler:
        """Return the sampler with a wider mask."""
        return replace(self, mask=dilate(self.mask, margin_mm, self.voxel_size_mm))

    def values(self, points_mm: Array) -> Array:
        """Return the image at points, shape (n, 3)."""
        return self._read(self.knots, points_mm, 3)

    def gradients(self, points_mm: Array) -> Array:
        """Return the slope per mm at points, shape (n, 3)."""
        return np.stack([self._read(slope, points_mm, 1) for slope in self.slopes], axis=-1)

    def inside(self, points_mm: Array) -> BoolImage:
        """Return which points lie in the mask."""
        nearest = np.rint(self.to_index.map(points_mm)).astype(np.intp)
        within = ((nearest >= 0) & (nearest < self.mask.shape)).all(axis=1)
        found = np.zeros(len(nearest), dtype=bool)
        found[within] = self.mask[tuple(nearest[within].T)]
        return found

    def within(self, points_mm: Array) -> BoolImage:
        """Return which points lie in the field of view."""
        index = self.to_index.map(points_mm)
        seen = (index >= 0) & (index <= np.array(self.mask.shape) - 1)
        return np.asarray(seen.all(axis=1))

    def _read(self, data: FloatImage, points_mm: Array, order: Literal[1, 3]) -> Array:
        index = self.to_index.map(points_mm).T
        found: Array = ndi.map_coordinates(data, index, order=order, mode="mirror", prefilter=False, output=np.float64)
        return found


def halfway_points(sides: tuple[Sampler, Sampler], transform: AffineTransform, spacing_mm: float) -> Array:
    """Return a lattice of points half-way between two images that holds all of both masks, shape (n, 3).

    Parameters
    ----------
    sides : (fixed, moving) Sampler
    transform : AffineTransform
        Rigid, points of the moving to points of the fixed image.
    spacing_mm : float
    """
    half = transform.power(0.5)
    corners = []
    for side, to_middle in zip(sides, (half.inverse(), half), strict=True):
        used = [
            np.flatnonzero(side.mask.any(axis=tuple(a for a in range(3) if a != axis)))[[0, -1]] for axis in range(3)
        ]
        box = np.array(np.meshgrid(*used)).reshape(3, -1).T
        corners.append(to_middle.after(side.to_index.inverse()).map(box))
    ends = np.concatenate(corners)
    first, last = np.floor(ends.min(axis=0) / spacing_mm), np.ceil(ends.max(axis=0) / spacing_mm)
    axes = [np.arange(low, high + 1) * spacing_mm for low, high in zip(first, last, strict=True)]
    lattice: Array = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    return lattice


def refine_rigid(
    sides: tuple[Sampler, Sampler], start: AffineTransform, *, margin_mm: float = 4.0, spacing_mm: float = 3.0
) -> AffineTransform:
    """Sharpen a rigid transform that is right to a few millimetres.

    Both images are read half-way between them. Each is predicted from the other by the mean of one at every brightness
    of the other, whatever the two contrasts are, and the motion that leaves the least is found by Gauss-Newton steps.
    What the prediction misses by far, such as a lesion that changed, gets no weight (Tukey's biweight). Nothing in it
    tells fixed from moving: exchanged images give the inverse transform.

    Parameters
    ----------
    sides : (fixed, moving) Sampler
        With the brain as mask.
    start : AffineTransform
        Rigid, points of the moving to points of the fixed image.
    margin_mm : float
        How far beyond the brains points count.
    spacing_mm : float
        Distance of the points at which the images are compared.

    Returns
    -------
    AffineTransform
        `start` itself if the brains share too few points.

    References
    ----------
    Reuter M, Rosas HD, Fischl B. Highly accurate inverse consistent registration: a robust approach. NeuroImage 2010;
    53: 1181-1196.
    Roche A, Malandain G, Pennec X, Ayache N. The correlation ratio as a new similarity measure for multimodal image
    registration. MICCAI 1998: 1115-1124.
    """
    sides = (sides[0].widened(margin_mm), sides[1].widened(margin_mm))
    points = halfway_points(sides, start, spacing_mm)
    half = start.power(0.5)
    points = points[sides[0].inside(half.map(points)) & sides[1].inside(half.inverse().map(points))]
    if len(points) < _BINS**2:
        return start
    centre = points.mean(axis=0)
    transform, slopes = start, []
    for n in range(_ROUNDS):
        half = transform.power(0.5)
        ways = (half, half.inverse())
        values = [side.values(way.map(points)) for side, way in zip(sides, ways, strict=True)]
        if n < _FRESH_ROUNDS:
            slopes = [
                side.gradients(way.map(points)) @ way.matrix[:3, :3] for side, way in zip(sides, ways, strict=True)
            ]
        step = _step(values, slopes, points - centre)
        transform = half.after(_small_motion(step, centre)).after(half)
        if np.linalg.norm(step * ([1.0] * 3 + [_RADIUS_MM] * 3)) < _SETTLED_MM:
            break
    return transform.rigid_part((0.0, 0.0, 0.0))


def _step(values: list[Array], slopes: list[Array], arms: Array) -> Array:
    """Return shift (mm) and turn (radians) of the Gauss-Newton step: fixed goes half of it, moving half of it back."""
    normal, right = np.zeros((6, 6)), np.zeros(6)
    for one, other in ((0, 1), (1, 0)):
        predicted, gain = _predict(values[other], values[one])
        residual = values[one] - predicted
        scale = _TO_SD * float(np.median(np.abs(residual))) or 1.0
        weight = np.clip(1 - (residual / (_TUKEY * scale)) ** 2, 0, None) ** 2
        # The fixed image is read half a step ahead and the moving one half a step behind, whichever is predicted.
        slope = (0.5 if one == 0 else -0.5) * (slopes[one] + gain[:, None] * slopes[other])
        jacobian = np.concatenate([slope, np.cross(arms, slope)], axis=1)
        weighted = jacobian * weight[:, None] / scale**2
        normal += weighted.T @ jacobian
        right += weighted.T @ residual
    return -np.asarray(np.linalg.lstsq(normal, right, rcond=None)[0], dtype=np.float64)


def _predict(given: Array, wanted: Array) -> tuple[Array, Array]:
    """Return the mean of `wanted` at each brightness of `given`, a smooth curve, and its slope."""
    edges = np.quantile(given, np.linspace(0, 1, _BINS + 1)[1:-1])
    code = np.searchsorted(edges, given)
    count = np.bincount(code, minlength=_BINS)
    used = count > 0
    x, y = (np.bincount(code, values, _BINS)[used] / count[used] for values in (given, wanted))
    if len(x) < 2:
        return np.full_like(given, y[0]), np.zeros_like(given)
    curve = ndi.gaussian_filter1d(y, 1.0, mode="nearest")
    return np.interp(given, x, curve), np.interp(given, x, np.gradient(curve, x))


def _small_motion(step: Array, centre_mm: Array) -> AffineTransform:
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_rotvec(step[3:]).as_matrix()
    matrix[:3, 3] = step[:3] + centre_mm - matrix[:3, :3] @ centre_mm
    return AffineTransform(matrix)
