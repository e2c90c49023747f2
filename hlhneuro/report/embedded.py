"""What a page carries along for its viewer: volumes as small NIfTI files, and niivue as nilearn ships it."""

from __future__ import annotations

import base64
import gzip
from functools import cache
from importlib.resources import files

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from hlhneuro.imaging.volumes import Grid
from hlhneuro.report.figures.style import GREYS

__all__ = ["embedded_bytes", "niivue", "packed_labels", "packed_text", "packed_volume"]

# nilearn ships it for its surface views (niivue authors, BSD 2-Clause licence).
_NIIVUE = "_assets/js/niivue.umd.js"
# Numbers of the NIfTI-1 standard.
_HEADER_BYTES, _FIRST_VALUE, _UINT8, _MM, _ALIGNED, _LABELS = 348, 352, 2, 2, 2, 1002
# Measured on brains of two phantoms and two patients at 1.5 and 2 mm: 0.5 to 0.7 byte for a voxel of 64 greys; almost
# nothing for what is empty or a label.
_BYTES_PER_VOXEL, _BYTES_PER_EMPTY_VOXEL, _BYTES_PER_LABEL = 0.65, 0.005, 0.02
_BASE64 = 4 / 3


@cache
def niivue() -> str:
    """Return the source of niivue; empty if this nilearn does not ship it."""
    try:
        return files("nilearn").joinpath(_NIIVUE).read_text(encoding="utf-8")
    except OSError:
        return ""


def packed_volume(
    values: NDArray[np.floating], inside: NDArray[np.bool_], grid: Grid, window: tuple[float, float]
) -> str:
    """Return an image as compressed NIfTI in base64: 8 bits of which the greys of a picture are used, 0 outside.

    Parameters
    ----------
    values : array, shape of `grid`
    inside : bool array, shape of `grid`
        What may be shown; nothing else is in the file.
    grid : Grid
    window : (float, float)
        Intensities that become the darkest and the brightest value.
    """
    dark, bright = window
    step = (bright - dark) / (GREYS - 1)
    scaled = 1 + np.clip((values - dark) / step, 0, GREYS - 1)
    return _packed(np.where(inside, np.rint(scaled), 0).astype(np.uint8), grid, (step, dark - step))


def packed_labels(labels: NDArray[np.integer], grid: Grid) -> str:
    """Return a map of labels (0 to 255) as compressed NIfTI in base64."""
    return _packed(labels.astype(np.uint8), grid, (1.0, 0.0), _LABELS)


@cache
def packed_text(text: str) -> str:
    """Return text compressed, in base64."""
    return base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode("ascii")


def embedded_bytes(inside: int, grid: Grid, volumes: int, labels: int) -> int:
    """Return about how many bytes of a page volumes and label maps take.

    Parameters
    ----------
    inside : int
        Voxels of a volume that are not empty.
    grid : Grid
    volumes, labels : int
        How many of each.
    """
    empty = float(np.prod(grid.shape)) * _BYTES_PER_EMPTY_VOXEL + _FIRST_VALUE
    filled = volumes * _BYTES_PER_VOXEL + labels * _BYTES_PER_LABEL
    return round(_BASE64 * (inside * filled + (volumes + labels) * empty))


def _packed(values: NDArray[np.uint8], grid: Grid, scaling: tuple[float, float], intent: int = 0) -> str:
    # The header by hand: nibabel's writer drops the scaling of values that are 8 bits already.
    header = np.zeros((), nib.nifti1.header_dtype.newbyteorder("<"))
    header["sizeof_hdr"], header["magic"], header["vox_offset"] = _HEADER_BYTES, b"n+1", _FIRST_VALUE
    header["dim"], header["pixdim"] = (3, *values.shape, 1, 1, 1, 1), (1, *grid.voxel_size_mm, 0, 0, 0, 0)
    header["datatype"], header["bitpix"] = _UINT8, values.itemsize * 8
    header["scl_slope"], header["scl_inter"] = scaling
    header["xyzt_units"], header["intent_code"], header["sform_code"] = _MM, intent, _ALIGNED
    header["srow_x"], header["srow_y"], header["srow_z"] = grid.affine[:3]
    gap = b"\0" * (_FIRST_VALUE - _HEADER_BYTES)
    return base64.b64encode(gzip.compress(header.tobytes() + gap + values.tobytes("F"), 6, mtime=0)).decode("ascii")
