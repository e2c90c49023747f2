"""Spectrum: a validated NIfTI-MRS acquisition; its axes and units."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from hlhneuro.errors import InputError

__all__ = ["REFERENCE_PPM", "Spectrum", "load_spectrum", "looks_conjugated"]

REFERENCE_PPM = 4.65  # NIfTI-MRS: the shift of water at 37 degrees C is at zero frequency
_MRS_EXTENSION = 44  # the NIfTI extension code of NIfTI-MRS
_PERSONAL = (  # header fields that may name a person or a place of treatment
    *("PatientName", "PatientID", "PatientDoB", "PatientSex", "PatientWeight", "OperatorsName", "OriginalFile"),
    *("ReferringPhysicianName", "PerformingPhysicianName", "InstitutionAddress", "DeviceSerialNumber"),
)
# What the makers call their sequences; the first text that is found in the header's name decides.
_SEQUENCES = (
    *(("mega", "mega-press"), ("hermes", "mega-press"), ("slaser", "slaser"), ("semilaser", "slaser")),
    *(("semi-laser", "slaser"), ("laser", "laser"), ("steam", "steam"), ("svs_st", "steam"), ("press", "press")),
    *(("svs_se", "press"), ("probe-p", "press"), ("probe-s", "steam")),
)


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
        If the nucleus is not 1H, the FID is empty, zero or not finite, or a value is outside its physical range.
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
        if self.nucleus.strip().upper() != "1H":
            raise InputError(
                "only proton spectra can be fitted",
                field="ResonantNucleus",
                found=self.nucleus,
                remedy="leave this file out of the study",
            )
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
        self._in_range("pixdim[4] (dwell time)", self.dwell_time_s, 5e-6, 5e-3, "give seconds (0.0005)")
        self._in_range("SpectrometerFrequency", self.spectrometer_frequency_mhz, 20.0, 1000.0, "give MHz (123.2)")
        self._in_range("EchoTime", self.echo_time_s, 0.0, 2.0, "give seconds (0.030)")
        self._in_range("RepetitionTime", self.repetition_time_s, 0.05, 60.0, "give seconds (2.0)")

    @staticmethod
    def _in_range(name: str, value: float | None, low: float, high: float, remedy: str) -> None:
        if value is not None and not low <= value <= high:
            raise InputError(
                f"outside the physical range {low:g} to {high:g}", field=name, found=f"{value:g}", remedy=remedy
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
        return np.asarray(np.fft.fftshift(np.fft.fftfreq(self.points, self.dwell_time_s)), dtype=np.float64)

    @property
    def ppm(self) -> NDArray[np.float64]:
        """Chemical shift of each point of ``fftshift(fft(fid))``, descending."""
        return np.asarray(REFERENCE_PPM - self.frequency_hz / self.spectrometer_frequency_mhz)

    @property
    def field_t(self) -> float:
        """Field strength in tesla."""
        return self.spectrometer_frequency_mhz / 42.577478518

    @property
    def volume_ml(self) -> float:
        """Volume of the voxel."""
        return float(abs(np.linalg.det(self.affine[:3, :3]))) / 1000.0

    def with_fid(self, fid: NDArray[np.complex128], dimensions: tuple[str, ...] = ()) -> Spectrum:
        """Return a copy with other data."""
        return replace(self, fid=fid, dimensions=dimensions)


def load_spectrum(path: str | Path, sidecar: Mapping[str, Any] | None = None) -> Spectrum:
    """Read one NIfTI-MRS file; the BIDS sidecar fills what the header extension leaves out.

    Raises
    ------
    InputError
        If the file cannot be read, is not 1H, or a value is outside its physical range (an echo time of 30 s).

    References
    ----------
    Clarke WT et al. NIfTI-MRS: a standard data format for magnetic resonance spectroscopy. Magn Reson Med 2022;88:2358.
    """
    path = Path(path)
    try:
        image: Any = nib.load(path)
        data = np.asarray(image.dataobj)
        extension = _extension(image)
    except (OSError, ValueError, EOFError, nib.filebasedimages.ImageFileError) as error:
        raise InputError(
            f"the spectrum could not be read: {error}",
            path=path,
            remedy="give a NIfTI-MRS file, as spec2nii writes it",
        ) from error
    try:
        return _build(image, data, {**(sidecar or {}), **extension})
    except InputError as error:
        raise InputError(error.problem, path=path, field=error.field, found=error.found, remedy=error.remedy) from error


def _extension(image: Any) -> dict[str, Any]:
    for extension in image.header.extensions:
        if extension.get_code() == _MRS_EXTENSION:
            content = extension.get_content()
            text = content.decode("utf-8") if isinstance(content, bytes) else str(content)
            header = json.loads(text.rstrip("\x00"))
            return dict(header) if isinstance(header, dict) else {}
    return {}


def _build(image: Any, data: NDArray[Any], header: dict[str, Any]) -> Spectrum:
    if data.ndim < 4 or not np.iscomplexobj(data):
        raise InputError(
            "a spectrum needs complex data with time as fourth axis",
            field="dim",
            found=f"{data.dtype}, shape {data.shape}",
            remedy="give a NIfTI-MRS file, as spec2nii writes it",
        )
    if data.shape[:3] != (1, 1, 1):
        raise InputError(
            "the file holds more than one voxel",
            field="dim",
            found=data.shape[:3],
            remedy="extract the voxel of interest into a file of its own (mrs_tools split)",
        )
    fid = data[0, 0, 0].astype(np.complex128)
    names = tuple(str(header.get(f"dim_{n}", f"DIM_{n}")) for n in range(5, 4 + fid.ndim))
    kept = tuple(axis for axis in range(1, fid.ndim) if fid.shape[axis] > 1)
    fid = fid.reshape(fid.shape[0], *(fid.shape[axis] for axis in kept))
    return Spectrum(
        fid=fid,
        dimensions=tuple(names[axis - 1] for axis in kept),
        dwell_time_s=float(image.header["pixdim"][4]) * _time_unit(image),
        spectrometer_frequency_mhz=_needed(header, "SpectrometerFrequency"),
        nucleus=str(_first(header.get("ResonantNucleus")) or "1H (not stated)").split()[0],
        affine=np.asarray(image.affine, dtype=np.float64),
        echo_time_s=_optional(header, "EchoTime"),
        repetition_time_s=_optional(header, "RepetitionTime"),
        sequence=_sequence(header),
        header={key: value for key, value in header.items() if key not in _PERSONAL},
    )


def _time_unit(image: Any) -> float:
    return {"msec": 1e-3, "usec": 1e-6}.get(str(image.header.get_xyzt_units()[1]), 1.0)


def _first(value: Any) -> Any:
    return value[0] if isinstance(value, list | tuple) and value else value


def _optional(header: Mapping[str, Any], name: str) -> float | None:
    value = _first(header.get(name))
    if isinstance(value, Mapping):
        value = value.get("Value")
    if value is None:
        return None
    try:
        return float(value)
    except (TypeError, ValueError):
        raise InputError("not a number", field=name, found=value, remedy="give a number in seconds") from None


def _needed(header: Mapping[str, Any], name: str) -> float:
    value = _optional(header, name)
    if value is None:
        raise InputError(
            "the file does not say this",
            field=name,
            remedy="give it in the JSON sidecar (MHz), or convert the data again",
        )
    return value


def _sequence(header: Mapping[str, Any]) -> str | None:
    for name in ("PulseSequenceType", "SequenceName", "ScanningSequence", "ProtocolName"):
        text = str(header.get(name) or "").lower()
        for part, sequence in _SEQUENCES:
            if part in text:
                return sequence
    return None


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
