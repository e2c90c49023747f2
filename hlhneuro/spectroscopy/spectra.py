"""Spectrum: a validated NIfTI-MRS acquisition; its axes and units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hlhneuro.errors import InputError
from hlhneuro.spectroscopy.nifti_mrs import MrsFile, check_acquisition, check_dimensions, interpret, read_nifti_mrs
from hlhneuro.study.mrs_files import UNLOCATED_MM

__all__ = [
    "REFERENCE_PPM",
    "Spectrum",
    "check_not_clipped",
    "clipped_samples",
    "load_spectrum",
    "looks_conjugated",
    "spectrum_from_image",
]

REFERENCE_PPM = 4.65  # NIfTI-MRS: the shift of water at 37 degrees C is at zero frequency


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

    Raises
    ------
    InputError
        If the nucleus is not 1H, the FID is empty, zero or not finite, an axis has no known meaning, or a value is
        outside its physical range.
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

    def __post_init__(self) -> None:
        if self.fid.ndim != 1 + len(self.dimensions) or self.fid.shape[0] < 64:
            raise InputError(
                "the FID does not have the stated axes, or is shorter than 64 points",
                field="dim",
                found=self.fid.shape,
                remedy="convert the raw data again, for example with spec2nii",
            )
        if not np.isfinite(self.fid).all() or not np.abs(self.fid).any():
            raise InputError(
                "the FID is zero everywhere or holds values that are not finite",
                field="data",
                found="no signal" if np.isfinite(self.fid).all() else "not finite",
                remedy="convert the raw data again, or leave this file out of the study",
            )
        check_dimensions(self.dimensions)
        check_acquisition(
            nucleus=self.nucleus,
            dwell_time_s=self.dwell_time_s,
            spectrometer_frequency_mhz=self.spectrometer_frequency_mhz,
            echo_time_s=self.echo_time_s,
            repetition_time_s=self.repetition_time_s,
        )

    @property
    def points(self) -> int:
        """Number of samples of the FID."""
        return int(self.fid.shape[0])

    @property
    def time_s(self) -> NDArray[np.float64]:
        """Time of each sample."""
        return np.arange(self.points, dtype=np.float64) * np.float64(self.dwell_time_s)

    @property
    def frequency_hz(self) -> NDArray[np.float64]:
        """Frequency of each point of ``fftshift(fft(fid))``, ascending; higher shifts have negative frequencies."""
        return _frequencies(self.points, self.dwell_time_s)

    @property
    def ppm(self) -> NDArray[np.float64]:
        """Chemical shift of each point of ``fftshift(fft(fid))``, descending."""
        return _shifts(self.points, self.dwell_time_s, self.spectrometer_frequency_mhz)

    @property
    def field_t(self) -> float:
        """Field strength in tesla."""
        return self.spectrometer_frequency_mhz / 42.577478518

    @property
    def volume_ml(self) -> float:
        """Volume of the voxel."""
        return float(abs(np.linalg.det(self.affine[:3, :3]))) / 1000.0

    @property
    def located(self) -> bool:
        """Whether the file says where the voxel lies; NIfTI-MRS gives a voxel of unknown place edges of 10 m."""
        return bool(np.linalg.norm(self.affine[:3, :3], axis=0).max() < UNLOCATED_MM)

    def with_fid(self, fid: NDArray[np.complex128], dimensions: tuple[str, ...] = ()) -> Spectrum:
        """Return a copy with other data."""
        return replace(self, fid=fid, dimensions=dimensions)


@lru_cache(maxsize=64)
def _frequencies(points: int, dwell_time_s: float) -> NDArray[np.float64]:
    hz = np.asarray(np.fft.fftshift(np.fft.fftfreq(points, dwell_time_s)), dtype=np.float64)
    hz.flags.writeable = False  # shared by all spectra with this axis
    return hz


@lru_cache(maxsize=64)
def _shifts(points: int, dwell_time_s: float, spectrometer_frequency_mhz: float) -> NDArray[np.float64]:
    ppm = np.asarray(REFERENCE_PPM - _frequencies(points, dwell_time_s) / spectrometer_frequency_mhz)
    ppm.flags.writeable = False
    return ppm


def load_spectrum(path: str | Path, sidecar: Mapping[str, Any] | None = None) -> Spectrum:
    """Read one NIfTI-MRS file of a single voxel; the BIDS sidecar fills what the header extension leaves out.

    Raises
    ------
    InputError
        If the file cannot be read, is not 1H, or a value is outside its physical range (an echo time of 30 s).

    References
    ----------
    Clarke WT et al. NIfTI-MRS: a standard data format for magnetic resonance spectroscopy. Magn Reson Med 2022;88:2358.
    """
    file = read_nifti_mrs(path, sidecar)
    try:
        return _single_voxel(file)
    except InputError as error:
        raise error.in_file(path) from error


def spectrum_from_image(image: Any, sidecar: Mapping[str, Any] | None = None) -> Spectrum:
    """Return the spectrum in a NIfTI-MRS image of nibabel, as `load_spectrum` does of a file.

    Raises
    ------
    InputError
        As `load_spectrum`, without the file's name.
    """
    return _single_voxel(interpret(image, sidecar))


def _single_voxel(file: MrsFile) -> Spectrum:
    if file.data.shape[:3] != (1, 1, 1):
        raise InputError(
            "the file holds more than one voxel",
            field="dim",
            found=file.data.shape[:3],
            remedy="extract the voxel of interest into a file of its own (mrs_tools split)",
        )
    return Spectrum(
        fid=file.data[0, 0, 0].astype(np.complex128),
        dimensions=file.dimensions,
        dwell_time_s=file.dwell_time_s,
        spectrometer_frequency_mhz=file.spectrometer_frequency_mhz,
        nucleus=file.nucleus,
        affine=file.affine,
        echo_time_s=file.echo_time_s,
        repetition_time_s=file.repetition_time_s,
        sequence=file.sequence,
        header=file.header,
    )


def looks_conjugated(spectrum: Spectrum, ratio: float) -> bool:
    """Tell whether the metabolites lie at 5.1 to 9.1 ppm, mirrored about water, instead of at 0.2 to 4.2 ppm.

    Parameters
    ----------
    spectrum : Spectrum
        One averaged, water-suppressed FID.
    ratio : float
        How many times more energy the mirrored range has to hold.
    """
    energy = np.abs(np.fft.fftshift(np.fft.fft(spectrum.fid))) ** 2
    noise = np.median(energy)
    expected = float(np.sum(np.clip(energy[(spectrum.ppm > 0.2) & (spectrum.ppm < 4.2)] - noise, 0, None)))
    mirrored = float(np.sum(np.clip(energy[(spectrum.ppm > 5.1) & (spectrum.ppm < 9.1)] - noise, 0, None)))
    return mirrored > ratio * expected


def clipped_samples(spectrum: Spectrum) -> int:
    """Return the longest run of samples that all have the greatest value of their channel, 1 where nothing is clipped.

    A receiver whose converter saturates gives out its largest number until the signal falls below it again. Each coil,
    transient and channel (real, imaginary) has its own greatest value.
    """
    longest = 1
    for channel in (spectrum.fid.real, spectrum.fid.imag):
        size = np.abs(channel.reshape(spectrum.points, -1))
        peak = size.max(axis=0)
        at_peak = (size == peak) & (peak > 0)
        for column in np.flatnonzero(at_peak.sum(axis=0) > longest):
            marks = np.flatnonzero(np.diff(np.concatenate([[0], at_peak[:, column].astype(np.int8), [0]])))
            longest = max(longest, int(np.diff(marks)[::2].max()))
    return longest


def check_not_clipped(spectrum: Spectrum, shortest_run: int) -> None:
    """Raise where the receiver was saturated: what is cut off spreads over the whole spectrum, and nothing restores it.

    Parameters
    ----------
    spectrum : Spectrum
        As acquired: coils and transients not yet combined.
    shortest_run : int
        So many samples in a row at the greatest value are no chance.

    Raises
    ------
    InputError
    """
    found = clipped_samples(spectrum)
    if found >= shortest_run:
        raise InputError(
            "the signal is clipped: the receiver was saturated",
            field="data",
            found=f"{found} samples in a row at the greatest value",
            remedy="acquire it again with a lower receiver gain; leave out a water reference that is clipped",
        )
