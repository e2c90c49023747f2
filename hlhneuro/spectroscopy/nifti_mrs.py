"""Read NIfTI-MRS files: the data, what their axes are, and how they were acquired."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from hlhneuro.errors import InputError
from hlhneuro.study.mrs_files import header_extension

__all__ = ["DIMENSIONS", "MrsFile", "check_acquisition", "check_dimensions", "interpret", "read_nifti_mrs"]

# The dimension tags of the standard (version 0.9) and what each axis holds.
DIMENSIONS: Mapping[str, str] = {
    "DIM_COIL": "receiver coils",
    "DIM_DYN": "transients",
    "DIM_INDIRECT_0": "an indirect time axis (two-dimensional spectroscopy)",
    "DIM_INDIRECT_1": "an indirect time axis (two-dimensional spectroscopy)",
    "DIM_INDIRECT_2": "an indirect time axis (two-dimensional spectroscopy)",
    "DIM_PHASE_CYCLE": "steps of a phase cycle",
    "DIM_EDIT": "editing conditions",
    "DIM_MEAS": "repeats of the whole sequence",
    "DIM_ISIS": "ISIS steps",
    "DIM_METCYCLE": "metabolite-cycled pairs",
    "DIM_USER_0": "an axis of the user's own",
    "DIM_USER_1": "an axis of the user's own",
    "DIM_USER_2": "an axis of the user's own",
}
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
_PROTON_MHZ_PER_T = 42.577478518
_ROUNDING = 0.02  # by which two statements of one number may differ
# Wide on purpose: they catch a wrong unit, not an unusual protocol. Last: units that are often taken by mistake.
_RANGES: Mapping[str, tuple[float, float, str, tuple[tuple[str, float], ...]]] = {
    "pixdim[4] (dwell time)": (5e-6, 5e-3, "s", (("milliseconds", 1e-3), ("microseconds", 1e-6))),
    "SpectrometerFrequency": (20.0, 1000.0, "MHz", (("hertz", 1e-6),)),
    "EchoTime": (0.0, 2.0, "s", (("milliseconds", 1e-3), ("microseconds", 1e-6))),
    "RepetitionTime": (0.05, 60.0, "s", (("milliseconds", 1e-3), ("microseconds", 1e-6))),
}


@dataclass(frozen=True)
class MrsFile:
    """What one NIfTI-MRS file holds, single voxel or grid, before anything is computed from it.

    Parameters
    ----------
    data : complex array, shape (x, y, z, points) or (x, y, z, points, dim 5, dim 6 ..)
        As stored; NIfTI-MRS sign convention. Axes of length one after the fourth are left out.
    dimensions : tuple of str
        Tags of the axes after the fourth: ``DIM_COIL``, ``DIM_DYN`` ..
    affine : array, shape (4, 4)
        Voxel index to RAS+ scanner millimetres.
    dwell_time_s, spectrometer_frequency_mhz : float
    nucleus : str
    echo_time_s, repetition_time_s : float, optional
        None where the file does not say; never a default.
    sequence : str, optional
        ``press``, ``steam``, ``slaser`` ..; None where unknown.
    header : mapping
        The header extension and the sidecar, names of persons left out.
    """

    data: NDArray[Any]
    dimensions: tuple[str, ...]
    affine: NDArray[np.float64]
    dwell_time_s: float
    spectrometer_frequency_mhz: float
    nucleus: str
    echo_time_s: float | None
    repetition_time_s: float | None
    sequence: str | None
    header: Mapping[str, Any]


def read_nifti_mrs(path: str | Path, sidecar: Mapping[str, Any] | None = None) -> MrsFile:
    """Read one NIfTI-MRS file; the BIDS sidecar fills what the header extension leaves out.

    Raises
    ------
    InputError
        If the file cannot be read, is not NIfTI-MRS, is not 1H, or a value is outside its physical range.

    References
    ----------
    Clarke WT et al. NIfTI-MRS: a standard data format for magnetic resonance spectroscopy. Magn Reson Med 2022;88:2358.
    """
    path = Path(path)
    try:
        return interpret(nib.load(path), sidecar)
    except InputError as error:
        raise error.in_file(path) from error
    except (OSError, ValueError, EOFError, nib.filebasedimages.ImageFileError) as error:
        raise InputError(
            f"the spectrum could not be read: {error}",
            path=path,
            remedy="give a NIfTI-MRS file; `hlhneuro import` makes one of what scanners write",
        ) from error


def interpret(image: Any, sidecar: Mapping[str, Any] | None = None) -> MrsFile:
    """Return what a NIfTI-MRS image of nibabel holds; the sidecar fills what its header extension leaves out.

    Raises
    ------
    InputError
        If it is not NIfTI-MRS, is not 1H, or a value is outside its physical range.
    """
    data, header = np.asarray(image.dataobj), _merged(header_extension(image), sidecar or {})
    if data.ndim < 4 or not np.iscomplexobj(data):
        raise InputError(
            "a spectrum needs complex data with time as fourth axis",
            field="dim",
            found=f"{data.dtype}, shape {data.shape}",
            remedy="give a NIfTI-MRS file, as spec2nii writes it",
        )
    kept = [axis for axis in range(4, data.ndim) if data.shape[axis] > 1]
    dimensions = tuple(str(header.get(f"dim_{axis + 1}", "")) for axis in kept)
    check_dimensions(dimensions, [f"dim_{axis + 1}" for axis in kept])
    facts: dict[str, Any] = {
        "nucleus": _nucleus(header),
        "dwell_time_s": float(image.header["pixdim"][4]) * _time_unit(image),
        "spectrometer_frequency_mhz": _needed(header, "SpectrometerFrequency", "MHz"),
        "echo_time_s": _optional(header, "EchoTime", "s"),
        "repetition_time_s": _optional(header, "RepetitionTime", "s"),
    }
    check_acquisition(**facts, field_t=_optional(header, "MagneticFieldStrength", "T"))
    return MrsFile(
        data=data.reshape(*data.shape[:4], *(data.shape[axis] for axis in kept)),
        dimensions=dimensions,
        affine=np.asarray(image.affine, dtype=np.float64),
        sequence=_sequence(header),
        header={key: value for key, value in header.items() if key not in _PERSONAL},
        **facts,
    )


def _merged(extension: Mapping[str, Any], sidecar: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of both; the sidecar fills gaps and corrects a value that cannot be, such as a wrong unit."""
    header = {**sidecar, **extension}
    for name in ("EchoTime", "RepetitionTime", "SpectrometerFrequency"):
        low, high, unit, _ = _RANGES[name]
        own, said = _optional(extension, name, unit), _optional(sidecar, name, unit)
        if own is None or said is None or abs(own - said) <= _ROUNDING * abs(own):
            continue
        if not low <= own <= high and low <= said <= high:
            header[name] = said
            continue
        raise InputError(
            "the file and its sidecar (or what you said) contradict each other",
            field=name,
            found=f"{own:g} and {said:g} {unit}",
            remedy="correct the one that is wrong: the JSON sidecar, or the file by converting it again",
        )
    return header


def check_dimensions(dimensions: tuple[str, ...], fields: list[str] | None = None) -> None:
    """Raise unless every axis bears a tag of the standard, each at most once.

    Raises
    ------
    InputError
        If a tag is missing, unknown or given twice.
    """
    for position, tag in enumerate(dimensions):
        if tag not in DIMENSIONS or tag in dimensions[:position]:
            raise InputError(
                "an axis of the data has no known meaning" if tag not in DIMENSIONS else "two axes have one meaning",
                field=fields[position] if fields else "dim",
                found=tag or "nothing",
                remedy=f"name it in the JSON sidecar (one of {', '.join(list(DIMENSIONS)[:2])}, DIM_EDIT, DIM_MEAS, "
                "DIM_PHASE_CYCLE ..), or convert the raw data again",
            )


def check_acquisition(
    *,
    nucleus: str,
    dwell_time_s: float,
    spectrometer_frequency_mhz: float,
    echo_time_s: float | None,
    repetition_time_s: float | None,
    field_t: float | None = None,
) -> None:
    """Raise unless these are facts of a proton acquisition, in the stated units.

    Raises
    ------
    InputError
        If the nucleus is not 1H or a value is outside its physical range; the remedy says which unit it looks like.
    """
    if nucleus.strip().upper() != "1H":
        raise InputError(
            "only proton spectra can be fitted",
            field="ResonantNucleus",
            found=nucleus,
            remedy="leave this file out of the study",
        )
    for name, value in (
        ("pixdim[4] (dwell time)", dwell_time_s),
        ("SpectrometerFrequency", spectrometer_frequency_mhz),
        ("EchoTime", echo_time_s),
        ("RepetitionTime", repetition_time_s),
    ):
        low, high, unit, mistakes = _RANGES[name]
        if value is None or low <= value <= high:
            continue
        likely = next(((word, value * factor) for word, factor in mistakes if low < value * factor <= high), None)
        raise InputError(
            f"outside the physical range {low:g} to {high:g} {unit}",
            field=name,
            found=f"{value:g}",
            remedy=f"this looks like {likely[0]}: give {likely[1]:g} {unit}" if likely else f"give it in {unit}",
        )
    if field_t is not None and not 0.9 < spectrometer_frequency_mhz / (_PROTON_MHZ_PER_T * field_t) < 1.1:
        raise InputError(
            f"not the frequency of protons at {field_t:g} T",
            field="SpectrometerFrequency",
            found=f"{spectrometer_frequency_mhz:g} MHz",
            remedy=f"correct it (1H: {_PROTON_MHZ_PER_T * field_t:.1f} MHz) or MagneticFieldStrength; "
            "leave spectra of other nuclei out of the study",
        )


def _time_unit(image: Any) -> float:
    return {"msec": 1e-3, "usec": 1e-6}.get(str(image.header.get_xyzt_units()[1]), 1.0)


def _first(value: Any) -> Any:
    return value[0] if isinstance(value, list | tuple) and value else value


def _optional(header: Mapping[str, Any], name: str, unit: str) -> float | None:
    value = _first(header.get(name))
    if isinstance(value, Mapping):
        value = value.get("Value")
    if value is None:
        return None
    try:
        return float(value)
    except (TypeError, ValueError):
        raise InputError("not a number", field=name, found=value, remedy=f"give a number in {unit}") from None


def _needed(header: Mapping[str, Any], name: str, unit: str) -> float:
    value = _optional(header, name, unit)
    if value is None:
        raise InputError(
            "the file does not say this",
            field=name,
            remedy=f"give it in the JSON sidecar ({unit}), or convert the data again",
        )
    return value


def _nucleus(header: Mapping[str, Any]) -> str:
    value = _first(header.get("ResonantNucleus"))
    if not isinstance(value, str) or not value.strip():
        raise InputError(
            "the file does not say this",
            field="ResonantNucleus",
            found=value,
            remedy='write {"ResonantNucleus": ["1H"]} into the JSON sidecar, or convert the data again',
        )
    return value.strip()


def _sequence(header: Mapping[str, Any]) -> str | None:
    for name in ("PulseSequenceType", "SequenceName", "ScanningSequence", "ProtocolName"):
        text = str(header.get(name) or "").lower()
        for part, sequence in _SEQUENCES:
            if part in text:
                return sequence
    return None
