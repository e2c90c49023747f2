"""Volume: a 3-D image with its RAS+ affine and what it shows; load, check, orient."""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from hlhneuro.errors import InputError

__all__ = ["Grid", "Step", "Volume", "load_volume", "read_values"]

FloatImage = NDArray[np.float32]

# What a file of the human head can be; outside of it the header is wrong, whatever the settings.
_VOXEL_MM = (0.1, 20.0)
_FEWEST_SLICES = 3
_FLAT = 1e-3  # determinant of the unit axes: below, two axes of the image point the same way
_FORM_GAP_VOXELS = 0.1
_TO_MM = {"meter": 1000.0, "micron": 0.001}


@dataclass(frozen=True)
class Grid:
    """Where the voxels of an image lie: its shape and the affine from voxel index to RAS+ millimetres."""

    shape: tuple[int, int, int]
    affine: NDArray[np.float64]

    @property
    def voxel_size_mm(self) -> tuple[float, float, float]:
        """Edge lengths of a voxel in millimetres."""
        x, y, z = np.linalg.norm(self.affine[:3, :3], axis=0)
        return float(x), float(y), float(z)

    @property
    def voxel_volume_ml(self) -> float:
        """Volume of one voxel in millilitres."""
        return float(abs(np.linalg.det(self.affine[:3, :3]))) / 1000.0

    @property
    def mean_edge_mm(self) -> float:
        """Mean edge of a voxel in millimetres; the edge itself where voxels are cubes."""
        return float(np.mean(self.voxel_size_mm))

    def points_mm(self) -> NDArray[np.float32]:
        """Return the RAS+ position of every voxel centre, shape (X, Y, Z, 3), in millimetres."""
        index = np.stack(np.meshgrid(*(np.arange(n) for n in self.shape), indexing="ij"), axis=-1)
        points: NDArray[np.float32] = (index @ self.affine[:3, :3].T + self.affine[:3, 3]).astype(np.float32)
        return points


@dataclass(frozen=True)
class Step:
    """One processing step that was applied to an image: its name and parameters."""

    name: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True)
class Volume:
    """A 3-D image.

    Parameters
    ----------
    data : array, shape (X, Y, Z), float32
        Finite everywhere.
    affine : array, shape (4, 4)
        Voxel index to RAS+ millimetres.
    contrast : str
        What it shows (see `hlhneuro.study.layout.Scan.contrast`).
    steps : tuple of Step
        What was done to it, in order.
    """

    data: FloatImage
    affine: NDArray[np.float64]
    contrast: str
    steps: tuple[Step, ...] = ()

    @property
    def grid(self) -> Grid:
        """Where the voxels lie."""
        x, y, z = self.data.shape
        return Grid((x, y, z), self.affine)

    def stepped(self, data: FloatImage, name: str, **parameters: Any) -> Volume:
        """Return a copy with new data on the same grid and the step recorded."""
        return replace(self, data=data, steps=(*self.steps, Step(name, parameters)))

    @property
    def notes(self) -> tuple[str, ...]:
        """What had to be put right when the image was loaded, in sentences: due in a session's problems."""
        return tuple(_SENTENCES[step.name].format(**step.parameters) for step in self.steps if step.name in _SENTENCES)


_SENTENCES = {
    "replace_nonfinite": "{count} voxels were not finite and were set to 0",
    "affine_conflict": "sform (code {sform_code}) and qform (code {qform_code}) disagree by up to {gap_mm} mm; "
    "the sform was used",
    "units_converted": "the header gives positions in {from}; they were converted to mm",
}


def load_volume(path: str | Path, contrast: str) -> Volume:
    """Load and check one image.

    What had to be put right is recorded on the volume: `singleton_axes_dropped`, `units_converted`, `affine_conflict`
    (sform and qform disagree; the sform is used), `replace_nonfinite`. `Volume.notes` says them in sentences.

    Parameters
    ----------
    path : path
        A NIfTI (or any other image that nibabel reads).
    contrast : str
        What the image shows.

    Raises
    ------
    InputError
        If the file cannot be read, is not 3-D (a trailing axis of length one is dropped), does not say where it lies,
        has a singular affine, holds no finite signal, or has implausible voxel sizes.
    """
    data, affine, steps = read_values(path)
    finite = np.isfinite(data)
    missing = int(data.size - np.count_nonzero(finite))
    if missing == data.size:
        raise InputError(
            "holds no finite value", path=path, remedy="export the image again from the scanner or archive"
        )
    if missing:
        data = np.where(finite, data, np.float32(0))
        steps.append(Step("replace_nonfinite", {"count": missing, "fraction": missing / data.size, "value": 0.0}))
    if float(data.max()) == float(data.min()):
        raise InputError(
            "holds no signal: all voxels are equal",
            path=path,
            found=float(data.max()),
            remedy="export the image again from the scanner or archive",
        )
    return Volume(np.ascontiguousarray(data), affine, contrast, tuple(steps))


def read_values(path: str | Path) -> tuple[FloatImage, NDArray[np.float64], list[Step]]:
    """Read a 3-D image and check where it lies; its values are as in the file, finite or not.

    Returns
    -------
    data : array, shape (X, Y, Z), float32
    affine : array, shape (4, 4)
        Voxel index to RAS+ millimetres.
    steps : list of Step
        What was done, and what had to be put right.

    Raises
    ------
    InputError
        As `load_volume`, values aside.
    """
    image, data = _read(Path(path))
    steps = [Step("load", {"file": Path(path).name})]
    data, dropped = _three_axes(data, Path(path))
    affine, found = _affine(image, Path(path))
    _check_geometry(data.shape, affine, Path(path))
    return data, affine, [*steps, *dropped, *found]


def _read(path: Path) -> tuple[Any, FloatImage]:
    again = "copy or export the file again; `gzip -t` tells whether it is complete"
    try:
        image: Any = nib.load(path)
        if image.get_data_dtype().kind not in "iufb":
            raise InputError(
                "is not an image of single real values",
                path=path,
                field="datatype",
                found=str(image.get_data_dtype()),
                remedy="export a magnitude image (no colour, no complex values)",
            )
        return image, np.asarray(image.get_fdata(dtype=np.float32, caching="unchanged"))
    except FileNotFoundError as error:
        raise InputError("there is no such file", path=path, remedy="check the path") from error
    except (OSError, EOFError, ValueError, zlib.error, nib.filebasedimages.ImageFileError) as error:
        raise InputError(
            f"cannot be read as an image: {str(error).splitlines()[0]}", path=path, remedy=again
        ) from error


def _three_axes(data: FloatImage, path: Path) -> tuple[FloatImage, list[Step]]:
    steps = []
    if data.ndim > 3 and all(n == 1 for n in data.shape[3:]):
        steps = [Step("singleton_axes_dropped", {"shape": tuple(data.shape)})]
        data = data.reshape(data.shape[:3])
    if data.ndim != 3:
        raise InputError(
            "is not a 3-D image",
            path=path,
            field="dim",
            found=" x ".join(str(n) for n in data.shape),
            remedy="split it into one 3-D file for each volume and keep the one that is meant",
        )
    return data, steps


def _affine(image: Any, path: Path) -> tuple[NDArray[np.float64], list[Step]]:
    """Return the affine in millimetres, the sform first, and what was odd about it."""
    affine = np.asarray(image.affine, dtype=np.float64).copy()
    steps = []
    header = image.header
    if hasattr(header, "get_sform"):
        sform, sform_code = header.get_sform(coded=True)
        try:
            qform, qform_code = header.get_qform(coded=True)
        except (ValueError, nib.spatialimages.HeaderDataError):
            qform, qform_code = None, 0  # a damaged quaternion is of no use, but the sform may be well
        if not sform_code and not qform_code:
            raise InputError(
                "does not say where and how it lies (no sform, no qform), so left and right are unknown",
                path=path,
                field="sform_code, qform_code",
                found="0, 0",
                remedy="convert it again from DICOM (dcm2niix)",
            )
        if sform_code and qform_code and sform is not None and qform is not None:
            gap = _largest_gap_mm(sform, qform, image.shape[:3])
            if gap > _FORM_GAP_VOXELS * np.linalg.norm(sform[:3, :3], axis=0).min():
                codes = {"sform_code": int(sform_code), "qform_code": int(qform_code)}
                steps.append(Step("affine_conflict", {"gap_mm": round(gap, 3), "used": "sform", **codes}))
        unit = header.get_xyzt_units()[0]
        if unit in _TO_MM:
            affine[:3] *= _TO_MM[unit]
            steps.append(Step("units_converted", {"from": unit}))
    return affine, steps


def _largest_gap_mm(a: NDArray[np.float64], b: NDArray[np.float64], shape: tuple[int, ...]) -> float:
    corners = np.array(list(itertools.product(*((0, n - 1) for n in shape))))
    gap = corners @ (a - b)[:3, :3].T + (a - b)[:3, 3]
    return float(np.linalg.norm(gap, axis=1).max())


def _check_geometry(shape: tuple[int, ...], affine: NDArray[np.float64], path: Path) -> None:
    remedy = "convert it again from DICOM (dcm2niix), or correct the header"
    edges = np.linalg.norm(affine[:3, :3], axis=0)
    shown = " x ".join(f"{edge:.4g}" for edge in edges)
    if not np.isfinite(affine).all() or edges.min() == 0 or abs(np.linalg.det(affine[:3, :3] / edges)) < _FLAT:
        raise InputError("has a singular affine", path=path, field="affine", found=affine.tolist(), remedy=remedy)
    if edges.min() < _VOXEL_MM[0] or edges.max() > _VOXEL_MM[1]:
        raise InputError(
            f"has implausible voxel sizes (outside {_VOXEL_MM[0]:g} to {_VOXEL_MM[1]:g} mm)",
            path=path,
            field="pixdim, xyzt_units",
            found=f"{shown} mm",
            remedy=remedy,
        )
    if min(shape) < _FEWEST_SLICES:
        raise InputError(
            "has too few slices for a volume",
            path=path,
            field="dim",
            found=" x ".join(map(str, shape)),
            remedy="give the whole stack of slices; a scout cannot be used",
        )
