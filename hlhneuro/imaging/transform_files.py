"""Transforms in files: ITK text and displacement fields written and read; FSL and FreeSurfer matrices read."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from hlhneuro.errors import InputError, StudyError
from hlhneuro.imaging.transforms import AffineTransform, DisplacementTransform, Transform
from hlhneuro.imaging.volumes import Grid

__all__ = ["load_itk", "load_linear", "load_transform", "save_itk", "save_transform"]

_RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
_KINDS = "give one linear transform as ITK text, as FSL's 4 x 4 matrix or as a FreeSurfer LTA"
_SMALLEST_DETERMINANT = 1e-3  # a head is never made a thousand times smaller


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


def load_linear(path: str | Path, *, moving: Grid | None = None, reference: Grid | None = None) -> AffineTransform:
    """Read a linear registration of any of three kinds, told apart by what the file holds.

    ITK text, FSL's ``flirt -omat`` matrix (4 x 4 numbers) or a FreeSurfer LTA with one transform.

    Parameters
    ----------
    path : path
    moving, reference : Grid, optional
        Where the voxels of the registered image and of the image that it was registered to lie. FSL's matrix has no
        meaning without both; the others do not need them.

    Returns
    -------
    AffineTransform
        Points of the moving image to points of the reference. (An ITK file holds the opposite direction, because it
        pulls images: `load_itk` returns it as it is.)

    Raises
    ------
    InputError
        If the file is none of the three, is damaged, singular, or is FSL's and a grid was not given.
    StudyError
        If an FSL or LTA file is read and the package `nitransforms` is not installed.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot be read as a transform: {error}", path=path, remedy=_KINDS) from error
    if text.startswith("#Insight") or "\nTransform:" in text:
        return _inverted(load_itk(path).matrix, path)
    if re.search(r"^type\s*=", text, re.M):
        return _inverted(_by_nitransforms(path, "fs", None, None), path)
    if re.fullmatch(r"(\s*(\S+[^\S\n]+){3}\S+[^\S\n]*\n?){4}\s*", text):
        for name, grid in (("moving", moving), ("reference", reference)):
            if grid is None:
                remedy = f"give the grid of the {name} image: `{name}=load_volume(...).grid`"
                raise InputError("FSL's matrix means nothing without both images", path=path, field=name, remedy=remedy)
        return _inverted(_by_nitransforms(path, "fsl", moving, reference), path)
    raise InputError("is no linear transform", path=path, found=text[:40] or "nothing", remedy=_KINDS)


def _by_nitransforms(path: str | Path, kind: str, moving: Grid | None, reference: Grid | None) -> NDArray[np.float64]:
    """Return the matrix of reference points to moving points, RAS+ millimetres."""
    try:
        from nitransforms import io  # an optional package, and a slow import
    except ImportError as error:
        raise StudyError(
            "the package nitransforms is needed to read FSL and FreeSurfer transforms",
            path=path,
            remedy="install hlhneuro[transforms], or give an ITK text file",
        ) from error
    struct = io.get_linear_factory(kind, is_array=False)
    try:
        found = struct.from_filename(path)
        matrix = np.asarray(found.to_ras(moving=moving, reference=reference), dtype=np.float64)
    except (ValueError, AssertionError, IndexError, io.TransformIOError, NotImplementedError) as error:
        raise InputError(f"is damaged: {error or type(error).__name__}", path=path, remedy=_KINDS) from error
    return matrix


def _inverted(matrix: NDArray[np.float64], path: str | Path) -> AffineTransform:
    if not np.isfinite(matrix).all() or abs(np.linalg.det(matrix[:3, :3])) < _SMALLEST_DETERMINANT:
        raise InputError("is no transform that can be inverted", path=path, found=matrix.tolist(), remedy=_KINDS)
    return AffineTransform(matrix).inverse()


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
