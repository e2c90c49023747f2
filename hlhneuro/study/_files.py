"""Is a NIfTI file sound? Header, size, and the end of the compressed stream."""

from __future__ import annotations

import gzip
import hashlib
import math
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, cast

import nibabel as nib
import numpy as np

from hlhneuro.errors import InputError
from hlhneuro.study.mrs_files import header_extension

__all__ = ["FileFacts", "inspect_file"]

_BLOCK_BYTES = 1 << 20
_LARGEST_VOXEL_MM = 30.0


@dataclass(frozen=True)
class FileFacts:
    """What a sound file says of itself.

    Parameters
    ----------
    shape : tuple of int
        Trailing axes of length one are left out, beyond the third.
    voxel_size_mm : tuple of float
    oriented : bool
        Whether the header says where left and right are.
    content_sha256 : str
        Checksum of the stored samples alone: equal for copies under another name, header or compression.
    mrs_header : mapping
        The NIfTI-MRS header extension; empty for an image.
    """

    shape: tuple[int, ...]
    voxel_size_mm: tuple[float, float, float]
    oriented: bool
    content_sha256: str
    mrs_header: Mapping[str, Any] = field(default_factory=dict)


def inspect_file(path: Path) -> FileFacts:
    """Read a NIfTI file through once, without keeping it, and return its facts.

    Raises
    ------
    InputError
        If it is no NIfTI file, ends early, or is damaged.
    """
    again = "copy or convert it again from the scanner's data"
    trouble: Exception | None = None
    start = expected = 0
    try:
        image: Any = nib.load(path)
        header = image.header
        shape = tuple(int(length) for length in header.get_data_shape())
        expected = math.prod(shape) * header.get_data_dtype().itemsize
        start = int(image.dataobj.offset)
        affine = np.asarray(image.affine, dtype=float)
        zooms = tuple(float(size) for size in header.get_zooms()[:3])
        oriented = bool(header["qform_code"] > 0 or header["sform_code"] > 0)
        extension = header_extension(image)
    except Exception as error:  # nibabel lets through whatever a damaged header provokes
        trouble = error
    try:
        checksum, stored = _read_through(path, start)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError("the file is damaged or ends early", remedy=again, path=path, found=error) from None
    if trouble is not None:
        raise InputError("it is not a readable NIfTI file", remedy=again, path=path, found=trouble)
    if stored < expected:
        raise InputError(
            f"the file ends early: {expected} bytes of samples announced", remedy=again, path=path, found=stored
        )
    _check_geometry(path, shape, zooms, affine)
    while len(shape) > 3 and shape[-1] == 1:
        shape = shape[:-1]
    return FileFacts(shape, cast("tuple[float, float, float]", zooms), oriented, checksum, extension)


def _read_through(path: Path, start: int) -> tuple[str, int]:
    """Return the sha256 and the length of what follows the header; gzip checks itself at its end."""
    digest, length = hashlib.sha256(), 0
    # By content and not by name: nibabel does the same.
    with path.open("rb") as probe:
        packed = probe.read(2) == b"\x1f\x8b"
    with cast("BinaryIO", gzip.open(path, "rb")) if packed else path.open("rb") as stream:
        stream.read(start)
        while block := stream.read(_BLOCK_BYTES):
            digest.update(block)
            length += len(block)
    return digest.hexdigest(), length


def _check_geometry(path: Path, shape: tuple[int, ...], zooms: tuple[float, ...], affine: np.ndarray[Any, Any]) -> None:
    if len(shape) < 3 or min(shape) < 1:
        raise InputError("it has no three axes", remedy="convert the whole series again", path=path, found=shape)
    singular = not np.isfinite(affine).all() or abs(np.linalg.det(affine[:3, :3])) < 1e-9
    if singular or not all(math.isfinite(size) and size > 0 for size in zooms):
        raise InputError(
            "its header gives no usable position in space",
            remedy="convert it again from the scanner's data",
            path=path,
            found=f"voxel size {zooms}",
        )


def voxel_problem(facts: FileFacts) -> str:
    """Return what is implausible about an image's grid; empty if nothing."""
    if len(facts.shape) > 3:
        return f"it has {facts.shape[3]} volumes, one is expected"
    if min(facts.shape) < 2:
        return f"it is a single slice {facts.shape}"
    if max(facts.voxel_size_mm) > _LARGEST_VOXEL_MM:
        size = " x ".join(f"{length:g}" for length in facts.voxel_size_mm)
        return f"its voxels of {size} mm are larger than any brain image has; the unit may be wrong"
    return ""
