"""Any scanner's spectrum, as a file or a folder of DICOM, to NIfTI-MRS in memory."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from hlhneuro.errors import InputError
from hlhneuro.study._dicom import spectrum_command
from hlhneuro.study._philips import partner_of, read_philips
from hlhneuro.study._spec2nii import run_spec2nii
from hlhneuro.study._text_spectra import read_lcmodel, read_text
from hlhneuro.study.mrs_files import SIGN_NOTE, RawSpectrum, read_raw

__all__ = ["SPECTRUM_SUFFIXES", "SpectrumFacts", "convert_spectrum", "is_nifti"]

# What tells a spectrum by its file name; DICOM files are told by their content.
SPECTRUM_SUFFIXES = (
    *(".rda", ".dat", ".sdat", ".spar", ".7", ".raw", ".h2o", ".txt", ".mrui", ".nii", ".nii.gz"),
    *(".data", ".list"),
)
_MIRRORED_ENERGY = 4.0  # as SpectraSettings.conjugate_energy_ratio
_TOLERATED = 0.02  # a told value may correct the rounding of a file's (0.000083 for 8.33e-05), not contradict it


@dataclass(frozen=True)
class SpectrumFacts:
    """What the user says of a spectrum because its file does not; None: nothing is said, and nothing is assumed.

    Parameters
    ----------
    echo_time_s, repetition_time_s, dwell_time_s, spectrometer_frequency_mhz : float, optional
    nucleus : str, optional
        ``1H``.
    sequence : str, optional
        ``press``, ``steam``, ``slaser`` ..
    conjugate : bool
        Turn the sign of frequency.
    """

    echo_time_s: float | None = None
    repetition_time_s: float | None = None
    dwell_time_s: float | None = None
    spectrometer_frequency_mhz: float | None = None
    nucleus: str | None = None
    sequence: str | None = None
    conjugate: bool = False


def is_nifti(path: Path) -> bool:
    """Return whether the name is that of a NIfTI file."""
    return path.name.lower().endswith((".nii", ".nii.gz"))


def convert_spectrum(source: str | Path, told: SpectrumFacts | None = None) -> tuple[RawSpectrum, ...]:
    """Read a spectrum in the format of any scanner or program.

    Parameters
    ----------
    source : path
        A file, or a folder with the DICOM files of one series. Siemens rda, IMA, DICOM, twix; Philips SDAT/SPAR,
        data/list, DICOM; GE P-file; UIH DICOM; Bruker and Varian through spec2nii; LCModel RAW or H2O; jMRUI text or
        mrui; two columns of text; NIfTI-MRS.
    told : SpectrumFacts, optional
        What the file does not say.

    Returns
    -------
    tuple of RawSpectrum
        Most files hold one; a P-file, say, also holds its water reference.

    Raises
    ------
    InputError
        If it cannot be read, or a needed fact is missing; the remedy names the option.
    """
    path, told = Path(source), told or SpectrumFacts()
    if not path.exists():
        raise InputError("there is no such file", path=path, remedy="check the path")
    return tuple(_complete(raw, told, path) for raw in _read(path))


def _read(path: Path) -> list[RawSpectrum]:
    suffix = path.suffix.lower()
    if is_nifti(path):
        return [read_raw(path)]
    if suffix in (".sdat", ".spar"):
        return [read_philips(path)]
    if suffix in (".raw", ".h2o"):
        return [read_lcmodel(path)]
    if suffix == ".txt":
        return [read_text(path)]
    if suffix == ".rda":
        return run_spec2nii(["rda", str(path)], path)
    if suffix == ".dat":
        return run_spec2nii(["twix", str(path), "-e", "image", "-q"], path)
    if suffix == ".7":
        return run_spec2nii(["ge", str(path)], path)
    if suffix == ".mrui":
        return [replace(raw, notes=(*raw.notes, SIGN_NOTE)) for raw in run_spec2nii(["jmrui", str(path)], path)]
    if suffix in (".data", ".list"):
        return run_spec2nii(["philips_dl", *(str(partner_of(path, end)) for end in (".data", ".list", ".spar"))], path)
    if suffix == ".fid" and path.is_dir():
        return run_spec2nii(["varian", str(path)], path)
    if path.name.lower() in ("fid", "2dseq", "rawdata.job0"):
        mode = {"fid": "FID", "2dseq": "2DSEQ"}.get(path.name.lower(), "RAWDATA")
        return run_spec2nii(["bruker", str(path), "-m", mode], path)
    return run_spec2nii([*spectrum_command(path), str(path)], path)


def _complete(raw: RawSpectrum, told: SpectrumFacts, path: Path) -> RawSpectrum:
    """Add what the user says; ask for what nobody says."""
    header = dict(raw.header)
    in_file = None if math.isnan(raw.dwell_time_s) or raw.dwell_time_s <= 0 else raw.dwell_time_s
    dwell = _agreed("dwell time", "--dwell-time-s", in_file, told.dwell_time_s, path)
    for field, option, said in (
        ("SpectrometerFrequency", "--spectrometer-frequency-mhz", told.spectrometer_frequency_mhz),
        ("EchoTime", "--echo-time-s", told.echo_time_s),
        ("RepetitionTime", "--repetition-time-s", told.repetition_time_s),
    ):
        value = _agreed(field, option, _scalar(header.get(field)), said, path)
        if value is not None:
            header[field] = value
    if told.nucleus and "ResonantNucleus" not in header:
        header["ResonantNucleus"] = told.nucleus
    if told.sequence:
        header["PulseSequenceType"] = told.sequence
    for missing, option in (
        ("dwell time" if dwell is None else "", "--dwell-time-s (seconds between two samples)"),
        ("SpectrometerFrequency", "--spectrometer-frequency-mhz"),
        ("ResonantNucleus", "--nucleus 1H, if it is protons"),
    ):
        if missing and missing not in header:
            raise InputError("the file does not say this", path=path, field=missing, remedy=f"give {option}")
    complete = replace(raw, header=header, dwell_time_s=float(dwell or 0.0))
    if told.conjugate:
        turned = "conjugated, as asked for"
        return replace(complete, data=complete.data.conj(), notes=(*_other(raw.notes), turned))
    return _settle_sign(complete) if SIGN_NOTE in raw.notes else complete


def _scalar(value: Any) -> float | None:
    value = value[0] if isinstance(value, list) and value else value
    return float(value) if isinstance(value, int | float) else None


def _agreed(field: str, option: str, found: float | None, said: float | None, path: Path) -> float | None:
    if found is None or said is None:
        return said if found is None else found
    if abs(found - said) > _TOLERATED * abs(found):
        raise InputError(
            f"the file contradicts {option}", path=path, field=field, found=f"{found:g} and {said:g}",
            remedy=f"leave {option} out, or correct the file",
        )  # fmt: skip
    return said


def _settle_sign(raw: RawSpectrum) -> RawSpectrum:
    """Turn the sign of frequency where the metabolites plainly lie on the wrong side of water."""
    fid = raw.data.reshape(*raw.data.shape[:4], -1)[0, 0, 0, :, 0]
    energy = np.abs(np.fft.fftshift(np.fft.fft(fid))) ** 2
    mhz = _scalar(raw.header["SpectrometerFrequency"]) or math.nan
    below_water_ppm = np.fft.fftshift(np.fft.fftfreq(fid.size, raw.dwell_time_s)) / mhz
    energy = np.clip(energy - np.median(energy), 0.0, None)
    right, wrong = (
        float(np.sum(energy[(side * below_water_ppm > 0.45) & (side * below_water_ppm < 4.45)])) for side in (1, -1)
    )
    if wrong > _MIRRORED_ENERGY * right:
        note = f"{SIGN_NOTE}; it was turned, because the metabolites lay on the wrong side of water"
        return replace(raw, data=raw.data.conj(), notes=(*_other(raw.notes), note))
    if right > _MIRRORED_ENERGY * wrong:
        note = f"{SIGN_NOTE}; it was kept, because the metabolites lie on the right side of water"
    else:
        note = f"{SIGN_NOTE}, and the signal does not tell; if metabolites come out mirrored, give --conjugate"
    return replace(raw, notes=(*_other(raw.notes), note))


def _other(notes: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(note for note in notes if note != SIGN_NOTE)
