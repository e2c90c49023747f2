"""Transform objects: they map points in RAS+ mm, invert and compose; files and resampling are elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage as ndi
from scipy.spatial.transform import Rotation

from hlhneuro.errors import NotAssessable
from hlhneuro.imaging.volumes import FloatImage, Grid

__all__ = [
    "AffineTransform",
    "DisplacementTransform",
    "Transform",
    "mean_rigid",
    "rigid_exp",
    "rigid_log",
]

Matrix = NDArray[np.float64]
Points = NDArray[np.float64]
# An inverse is looked for until it is this close, and is refused if it stays further off than the second number.
_CLOSE_MM, _INVERSE_GAP_MM = 1e-3, 1e-2
_ROUNDS = 200


class Transform(Protocol):
    """Anything that maps points in RAS+ millimetres, and back."""

    def map(self, points_mm: ArrayLike) -> Points:
        """Map points, shape (..., 3)."""
        ...

    def inverse(self) -> Transform:
        """Return the inverse transform."""
        ...


@dataclass(frozen=True)
class AffineTransform:
    """A rigid or affine transform of points, ``y = matrix @ [x, 1]``, RAS+ millimetres."""

    matrix: NDArray[np.float64]

    @classmethod
    def identity(cls) -> AffineTransform:
        """Return the transform that leaves every point where it is."""
        return cls(np.eye(4))

    @classmethod
    def translation(cls, shift_mm: ArrayLike) -> AffineTransform:
        """Return a shift, shape (3,)."""
        matrix = np.eye(4)
        matrix[:3, 3] = np.asarray(shift_mm, dtype=np.float64)
        return cls(matrix)

    def map(self, points_mm: ArrayLike) -> NDArray[np.float64]:
        """Map points, shape (..., 3)."""
        points = np.asarray(points_mm, dtype=np.float64)
        mapped: NDArray[np.float64] = points @ self.matrix[:3, :3].T + self.matrix[:3, 3]
        return mapped

    def inverse(self) -> AffineTransform:
        """Return the inverse transform."""
        return AffineTransform(np.asarray(np.linalg.inv(self.matrix), dtype=np.float64))

    @overload
    def after(self, first: AffineTransform) -> AffineTransform: ...
    @overload
    def after(self, first: DisplacementTransform) -> DisplacementTransform: ...
    def after(self, first: AffineTransform | DisplacementTransform) -> AffineTransform | DisplacementTransform:
        """Return the transform that applies `first` and then this one; exact for either kind."""
        if isinstance(first, DisplacementTransform):
            return replace(first, affine=self.after(first.affine))
        return AffineTransform(self.matrix @ first.matrix)

    @property
    def is_rigid(self) -> bool:
        """Whether it only turns and shifts: no scaling, shear or mirror, to 1e-6."""
        turn = self.matrix[:3, :3]
        return bool(np.allclose(turn @ turn.T, np.eye(3), atol=1e-6) and np.linalg.det(turn) > 0)

    def rigid_part(self, centre_mm: ArrayLike) -> AffineTransform:
        """Return the nearest rigid transform (polar decomposition) that moves `centre_mm` to the same place."""
        u, _, vt = np.linalg.svd(self.matrix[:3, :3])
        turn = u @ np.diag([1.0, 1.0, float(np.sign(np.linalg.det(u @ vt)))]) @ vt
        matrix = np.eye(4)
        matrix[:3, :3] = turn
        matrix[:3, 3] = self.map(centre_mm) - turn @ np.asarray(centre_mm, dtype=np.float64)
        return AffineTransform(matrix)

    def power(self, exponent: float) -> AffineTransform:
        """Return a fraction of a rigid transform: 0.5 gives the half-way transform, its square root."""
        return AffineTransform(rigid_exp(exponent * rigid_log(self.matrix)))


def mean_rigid(transforms: Sequence[AffineTransform]) -> AffineTransform:
    """Return the mean of rigid transforms: the one from which the logarithms of the others sum to zero.

    The mean does not depend on the order and moves with its members, from the left and from the right alike, so that no
    coordinate system is preferred. The transforms must lie less than half a turn from each other.

    References
    ----------
    Pennec X, Arsigny V. Exponential barycenters of the canonical Cartan connection and invariant means on Lie groups.
    Matrix Information Geometry, Springer 2013: 123-166.
    """
    mean: Matrix = transforms[0].matrix
    for _ in range(50):
        inverse = np.linalg.inv(mean)
        step: Matrix = np.mean([rigid_log(inverse @ transform.matrix) for transform in transforms], axis=0)
        mean = mean @ rigid_exp(step)
        if np.abs(step).max() < 1e-13:
            break
    return AffineTransform(mean).rigid_part((0.0, 0.0, 0.0))


def rigid_log(matrix: Matrix) -> Matrix:
    """Return the logarithm of a rigid transform, shape (4, 4), in closed form."""
    vector = Rotation.from_matrix(matrix[:3, :3]).as_rotvec()
    x, y, z = vector
    turn = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    angle = float(np.linalg.norm(vector))
    # The series is used where the closed form would divide nothing by nothing.
    factor = 1 / 12 + angle**2 / 720 if angle < 1e-3 else (1 - angle / 2 / np.tan(angle / 2)) / angle**2
    log = np.zeros((4, 4))
    log[:3, :3] = turn
    log[:3, 3] = (np.eye(3) - turn / 2 + factor * turn @ turn) @ matrix[:3, 3]
    return log


def rigid_exp(matrix: Matrix) -> Matrix:
    """Return the rigid transform of such a logarithm, shape (4, 4), in closed form."""
    turn = matrix[:3, :3]
    vector = np.array([turn[2, 1], turn[0, 2], turn[1, 0]])
    angle = float(np.linalg.norm(vector))
    once = 1 / 2 - angle**2 / 24 if angle < 1e-3 else (1 - np.cos(angle)) / angle**2
    twice = 1 / 6 - angle**2 / 120 if angle < 1e-3 else (angle - np.sin(angle)) / angle**3
    out = np.eye(4)
    out[:3, :3] = Rotation.from_rotvec(vector).as_matrix()
    out[:3, 3] = (np.eye(3) + once * turn + twice * turn @ turn) @ matrix[:3, 3]
    return out


@dataclass(frozen=True)
class DisplacementTransform:
    """A smooth deformation followed by an affine: ``y = affine(x + u(x))``, RAS+ millimetres.

    Parameters
    ----------
    displacement_mm : array, shape (X, Y, Z, 3), float32
        `u` at the voxel centres of `grid`; linear in between, constant beyond the edge.
    grid : Grid
        Its axes may be oblique or sheared.
    affine : AffineTransform
    """

    displacement_mm: FloatImage
    grid: Grid
    affine: AffineTransform

    def map(self, points_mm: ArrayLike) -> Points:
        """Map points, shape (..., 3)."""
        points = np.asarray(points_mm, dtype=np.float64)
        return self.affine.map(points + self._shift(points))

    def _shift(self, points: Points) -> Points:
        index = AffineTransform(self.grid.affine).inverse().map(points.reshape(-1, 3)).T
        shift = [
            ndi.map_coordinates(self.displacement_mm[..., axis], index, order=1, mode="nearest", output=np.float64)
            for axis in range(3)
        ]
        return np.stack(shift, axis=-1).reshape(points.shape)

    def unmap(self, points_mm: ArrayLike) -> Points:
        """Return the points, shape (..., 3), that are mapped to these: found by fixed-point iteration, to 0.001 mm.

        Steps that overshoot are halved, so that places stretched to more than twice their length are found too.

        Raises
        ------
        NotAssessable
            If the deformation folds (its Jacobian determinant changes sign), or a point is not found to 0.01 mm.

        References
        ----------
        Chen M, Lu W, Chen Q, Ruchala KJ, Olivera GH. A simple fixed-point approach to invert a deformation field.
        Medical Physics 2008; 35: 81-88.
        """
        goals = self.affine.inverse().map(points_mm)
        back, gap_mm = self._followed_back(goals.reshape(-1, 3))
        if gap_mm > _INVERSE_GAP_MM or replace(self, affine=AffineTransform.identity()).jacobian().min() <= 0:
            raise NotAssessable(
                "the deformation folds and has no inverse",
                found=f"points up to {gap_mm:.3f} mm off",
                remedy="use a smoother deformation, or the affine transform alone",
            )
        return back.reshape(goals.shape)

    def inverse(self) -> DisplacementTransform:
        """Return the inverse, as displacements on the same voxels carried along by the affine.

        Exact (see `unmap`) at the voxel centres; between them it is off by what linear interpolation leaves, an eighth
        of the second difference of the displacement from voxel to voxel.

        Raises
        ------
        NotAssessable
            If the deformation folds.
        """
        there = Grid(self.grid.shape, self.affine.after(AffineTransform(self.grid.affine)).matrix)
        goals = AffineTransform(there.affine).map(np.moveaxis(np.indices(there.shape), 0, -1))
        back = self.unmap(goals) - self.affine.inverse().map(goals)
        field = (back @ self.affine.matrix[:3, :3].T).astype(np.float32)
        return DisplacementTransform(field, there, self.affine.inverse())

    def _followed_back(self, goals: Points) -> tuple[Points, float]:
        """Return the points that the displacement carries to `goals`, and the largest gap in millimetres."""
        found, rate = goals.copy(), np.ones(len(goals))
        last = np.zeros(goals.shape)
        active = np.arange(len(goals))
        for _ in range(_ROUNDS):
            gap = goals[active] - found[active] - self._shift(found[active])
            length, before = np.linalg.norm(gap, axis=1), np.linalg.norm(last[active], axis=1)
            overshot = ((gap * last[active]).sum(axis=1) < 0) & (length > 0.5 * before)
            rate[active] *= np.where(overshot, 0.5, 1.0)
            last[active] = gap
            far = length > _CLOSE_MM
            active = active[far]
            if active.size == 0:
                break
            found[active] += rate[active, None] * gap[far]
        return found, float(np.linalg.norm(last, axis=1).max())

    def after(self, first: AffineTransform | DisplacementTransform) -> DisplacementTransform:
        """Return the transform that applies `first` and then this one.

        After an affine it is exact. After another deformation the displacements are added up at that one's voxels: give
        it a grid that covers what matters.
        """
        if isinstance(first, AffineTransform):
            back = first.inverse()
            field = self.displacement_mm @ back.matrix[:3, :3].T.astype(np.float32)
            grid = Grid(self.grid.shape, back.after(AffineTransform(self.grid.affine)).matrix)
            return DisplacementTransform(field, grid, self.affine.after(first))
        points = first.map(first.grid.points_mm())
        second = self._shift(points) @ first.affine.inverse().matrix[:3, :3].T
        total = (first.displacement_mm + second).astype(np.float32)
        return DisplacementTransform(total, first.grid, self.affine.after(first.affine))

    def jacobian(self) -> FloatImage:
        """Return the Jacobian determinant at the voxels of `grid`: how many times larger a small volume becomes.

        Values at or below zero are folds (of opposite sign if `affine` mirrors).
        """
        to_index = np.linalg.inv(self.grid.affine[:3, :3])
        # shape (..., component, index axis)
        slopes = np.stack([np.gradient(self.displacement_mm, axis=axis) for axis in range(3)], axis=-1)
        local = np.eye(3) + slopes @ to_index
        jacobian: FloatImage = (np.linalg.det(local) * np.linalg.det(self.affine.matrix[:3, :3])).astype(np.float32)
        return jacobian
