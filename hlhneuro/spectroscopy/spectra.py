"""Spectrum: a validated NIfTI-MRS acquisition; its axes and units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Spectrum", "load_spectrum"]


@dataclass(frozen=True)
class Spectrum:
    """Time-domain MRS data that cannot exist in an invalid state.

    Parameters
    ----------
    fid : complex array, shape (points,) or (points, dim 5, dim 6 ..)
        NIfTI-MRS sign convention (a frequency above the reference turns clockwise).
    dimensions : tuple of str
        Names of the axes after the first: ``DIM_COIL``, ``DIM_DYN`` ..
    dwell_time_s : float
    spectrometer_frequency_mhz : float
    nucleus : str
    affine : array, shape (4, 4)
        Voxel (a unit cube around index 0,0,0) to RAS+ scanner millimetres.
    echo_time_s, repetition_time_s : float, optional
        None where the file does not say; never a default.
    sequence : str, optional
        ``press``, ``steam``, ``slaser`` ..; None where unknown.
    header : mapping
        The whole NIfTI-MRS header extension, names of persons left out.
    """

    fid: NDArray[np.complex128]
    dimensions: tuple[str, ...]
    dwell_time_s: float
    spectrometer_frequency_mhz: float
    nucleus: str
    affine: NDArray[np.float64]
    echo_time_s: float | None
    repetition_time_s: float | None
    sequence: str | None
    header: Mapping[str, Any] = field(default_factory=dict)


def load_spectrum(path: str | Path, sidecar: Mapping[str, Any] | None = None) -> Spectrum:
    """Read one NIfTI-MRS file; the BIDS sidecar fills what the header extension leaves out.

    Raises
    ------
    InputError
        If the file cannot be read, is not 1H, or a value is outside its physical range (an echo time of 30 s).
    """
    raise NotImplementedError
