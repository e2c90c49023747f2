"""Transform objects: they map points in RAS+ mm, invert, compose and save themselves; resampling is elsewhere."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import nibabel as nib
import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import linalg
from scipy import ndimage as ndi
from scipy.spatial.transform import Rotation

from hlhneuro.errors import InputError
from hlhneuro.imaging.volumes import FloatImage, Grid

__all__ = [
    "AffineTransform",
    "DisplacementTransform",
    "Transform",
    "load_itk",
    "load_transform",
    "mean_rigid",
    "save_itk",
    "save_transform",
]

Matrix = NDArray[np.float64]
_RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


class Transform(Protocol):
    """Anything that maps points in RAS+ millimetres."""

    def map(self, points_mm: ArrayLike) -> NDArray[np.float64]:
        """Map points, shape (..., 3)."""
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

    def after(self, first: AffineTransform) -> AffineTransform:
        """Return the transform that applies `first` and then this one."""
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
        return AffineTransform(_exp(exponent * _log(self.matrix)))


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
        step: Matrix = np.mean([_log(inverse @ transform.matrix) for transform in transforms], axis=0)
        mean = mean @ _exp(step)
        if np.abs(step).max() < 1e-13:
            break
    return AffineTransform(mean).rigid_part((0.0, 0.0, 0.0))


def _log(matrix: Matrix) -> Matrix:
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


def _exp(matrix: Matrix) -> Matrix:
    return np.asarray(linalg.expm(matrix), dtype=np.float64)


@dataclass(frozen=True)
class DisplacementTransform:
    """A smooth deformation followed by an affine: ``y = affine(x + u(x))``, RAS+ millimetres.

    Parameters
    ----------
    displacement_mm : array, shape (X, Y, Z, 3), float32
        `u` at the voxel centres of `grid`; linear in between, constant beyond the edge.
    grid : Grid
    affine : AffineTransform
    """

    displacement_mm: FloatImage
    grid: Grid
    affine: AffineTransform

    def map(self, points_mm: ArrayLike) -> NDArray[np.float64]:
        """Map points, shape (..., 3)."""
        points = np.asarray(points_mm, dtype=np.float64)
        inverse = np.linalg.inv(self.grid.affine)
        index = (points.reshape(-1, 3) @ inverse[:3, :3].T + inverse[:3, 3]).T
        shift = [
            ndi.map_coordinates(self.displacement_mm[..., axis], index, order=1, mode="nearest", output=np.float64)
            for axis in range(3)
        ]
        return self.affine.map(points + np.stack(shift, axis=-1).reshape(points.shape))


def save_itk(transform: AffineTransform, path: str | Path) -> None:
    """Write as ITK text (LPS millimetres).

    The file holds the transform of points as it is: points of its source space to points of its target space.
    """
    matrix = _RAS_TO_LPS @ transform.matrix @ _RAS_TO_LPS
    numbers = " ".join(f"{value:.17g}" for value in (*matrix[:3, :3].ravel(), *matrix[:3, 3]))
    Path(path).write_text(
        "#Insight Transform File V1.0\n#Transform 0\nTransform: AffineTransform_double_3_3\n"
        f"Parameters: {numbers}\nFixedParameters: 0 0 0\n",
        encoding="utf-8",
    )


def load_itk(path: str | Path) -> AffineTransform:
    """Read an ITK text file (LPS millimetres).

    Raises
    ------
    InputError
        If the file cannot be read or does not hold exactly one 3-D linear transform given by a matrix.
    """
    remedy = "give one ITK text transform of type AffineTransform or MatrixOffsetTransformBase"
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot be read as a transform: {error}", path=path, remedy=remedy) from error
    kinds = re.findall(r"^Transform:\s*(\S+)", text, re.M)
    if len(kinds) != 1 or not re.match(r"(AffineTransform|MatrixOffsetTransformBase)_\w+_3_3$", kinds[0]):
        raise InputError("is not one linear ITK transform", path=path, found=kinds or None, remedy=remedy)
    parameters, centre = (_numbers(text, name, path) for name in ("Parameters", "FixedParameters"))
    if parameters.size != 12 or centre.size != 3:
        raise InputError("has the wrong number of parameters", path=path, found=parameters.size, remedy=remedy)
    matrix = np.eye(4)
    matrix[:3, :3] = parameters[:9].reshape(3, 3)
    matrix[:3, 3] = parameters[9:] + centre - matrix[:3, :3] @ centre
    return AffineTransform(_RAS_TO_LPS @ matrix @ _RAS_TO_LPS)


def _numbers(text: str, name: str, path: str | Path) -> NDArray[np.float64]:
    found = re.search(rf"^{name}:(.*)$", text, re.M)
    try:
        return np.array(found.group(1).split() if found else [], dtype=np.float64)
    except ValueError as error:
        raise InputError(
            "holds something that is not a number", path=path, field=name, remedy="write it again"
        ) from error


def save_transform(transform: Transform, stem: str | Path) -> tuple[Path, ...]:
    """Write a transform to ``stem.txt`` (ITK text) and, where it deforms, ``stem.nii.gz`` (displacements, LPS mm).

    Returns
    -------
    tuple of path
        What was written. A point is first moved by the displacement and then by the affine.
    """
    text = Path(f"{stem}.txt")
    if isinstance(transform, AffineTransform):
        save_itk(transform, text)
        return (text,)
    if not isinstance(transform, DisplacementTransform):
        raise TypeError(f"cannot save a {type(transform).__name__}")
    save_itk(transform.affine, text)
    field = transform.displacement_mm * np.array([-1, -1, 1], dtype=np.float32)
    image: Any = nib.Nifti1Image(field[:, :, :, None, :], transform.grid.affine)  # type: ignore[no-untyped-call]
    image.header.set_intent("vector")
    image.header.set_xyzt_units("mm")
    warp = Path(f"{stem}.nii.gz")
    nib.save(image, warp)
    return text, warp


def load_transform(stem: str | Path) -> Transform:
    """Read what `save_transform` wrote under that stem.

    Raises
    ------
    InputError
        If a file is missing or is not what `save_transform` writes.
    """
    affine, warp = load_itk(f"{stem}.txt"), Path(f"{stem}.nii.gz")
    if not warp.exists():
        return affine
    try:
        image: Any = nib.load(warp)
        field = np.asarray(image.dataobj, dtype=np.float32)
    except (OSError, EOFError, ValueError, nib.filebasedimages.ImageFileError) as error:
        raise InputError(f"cannot be read: {error}", path=warp, remedy="run the alignment again") from error
    if field.ndim != 5 or field.shape[3:] != (1, 3):
        raise InputError("is not a displacement field", path=warp, found=field.shape, remedy="run the alignment again")
    field = field[:, :, :, 0, :] * np.array([-1, -1, 1], dtype=np.float32)
    grid = Grid((field.shape[0], field.shape[1], field.shape[2]), np.asarray(image.affine, dtype=np.float64))
    return DisplacementTransform(field, grid, affine)
