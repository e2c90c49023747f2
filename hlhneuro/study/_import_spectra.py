"""Spectra into a study: converted, paired with their water references, named."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from hlhneuro.errors import HlhneuroError, InputError
from hlhneuro.study._additions import Additions
from hlhneuro.study._dicom import DicomSeries
from hlhneuro.study._images import link_files
from hlhneuro.study._import_names import BidsName, ImportRow, told_apart
from hlhneuro.study.mrs_files import RawSpectrum, to_image
from hlhneuro.study.vendor_spectra import SpectrumFacts, convert_spectrum

__all__ = ["SpectrumOptions", "import_spectra"]

_REFERENCE_WORDS = {"ref", "wref", "waterref", "h2o", "unsuppressed", "nws"}


@dataclass(frozen=True)
class SpectrumOptions:
    """What the user says of the spectra.

    Parameters
    ----------
    told : SpectrumFacts
        What the files do not say.
    water : tuple of str
        Names of files, or numbers or descriptions of series, that are water references.
    acq, voi : str, optional
        Labels for the names.
    """

    told: SpectrumFacts = field(default_factory=SpectrumFacts)
    water: tuple[str, ...] = ()
    acq: str | None = None
    voi: str | None = None


def import_spectra(
    sources: Sequence[Path | DicomSeries],
    options: SpectrumOptions,
    additions: Additions,
    work: Path,
    labels: tuple[str, str],
    method: str,
    check: Callable[[Any], None],
) -> list[ImportRow]:
    """Add all spectra; return what became of each.

    Parameters
    ----------
    sources : sequence of path or DicomSeries
    options : SpectrumOptions
    additions : Additions
    work : path
        Folder for files in between.
    labels : tuple of str
        Subject and session.
    method : str
        Program and version, for the header.
    check : callable
        Takes the NIfTI-MRS image and raises `InputError` if it cannot be used.
    """
    rows: list[ImportRow] = []
    found: list[tuple[RawSpectrum, str]] = []
    for number, source in enumerate(sources):
        title = source.name if isinstance(source, Path) else f"series {source.number} {source.description}".strip()
        try:
            for raw in _convert(source, options.told, work / f"spectrum-{number}"):
                role, why = _role(raw, source, options.water)
                raw = replace(raw, water=role == "mrsref")
                check(to_image(raw, method))
                found.append((raw, why))
        except InputError as error:
            about = f"{error.field}: " if error.field else ""
            told = f" (found: {error.found})" if error.found is not None else ""
            rows.append(ImportRow(title, "failed", why=f"{about}{error.problem}{told}", remedy=error.remedy))
    names = _names([raw for raw, _ in found], options)
    taken = {name.stem(*labels) for name in names}
    for (raw, why), name in zip(found, names, strict=True):
        stem = name.stem(*labels)
        additions.add_image(f"{stem}.nii.gz", to_image(raw, method))
        reference = stem.rpartition("_")[0] + "_mrsref"
        additions.add_json(f"{stem}.json", _sidecar(raw, reference if reference in taken - {stem} else None))
        rows.append(ImportRow(raw.name, "imported", f"{stem}.nii.gz", "; ".join([why, *raw.notes])))
    return rows


def _convert(source: Path | DicomSeries, told: SpectrumFacts, folder: Path) -> tuple[RawSpectrum, ...]:
    if isinstance(source, Path):
        return convert_spectrum(source, told)
    link_files(source.files, folder)
    name = f"series {source.number} {source.description}".strip()
    try:
        return tuple(replace(raw, name=name) for raw in convert_spectrum(folder, told))
    except HlhneuroError as error:
        raise InputError(
            error.problem, path=source.files[0], field=error.field, found=error.found, remedy=error.remedy
        ) from error


def _role(raw: RawSpectrum, source: Path | DicomSeries, water: Sequence[str]) -> tuple[str, str]:
    """Return the BIDS suffix, and how it is known."""
    if isinstance(source, Path):
        names = {source.name.lower(), source.stem.lower(), str(source).lower()}
        words = set(re.split(r"[^a-z0-9]+", source.stem.lower()))
    else:
        names = {str(source.number), source.description.lower()}
        words = set(re.split(r"[^a-z0-9]+", source.description.lower()))
    suffix = "svs" if raw.data.shape[:3] == (1, 1, 1) else "mrsi"
    if names & {name.strip().lower() for name in water}:
        return "mrsref", "water reference, as you said"
    if raw.water is not None:
        return (
            ("mrsref", "water reference, by its format or header") if raw.water else (suffix, "spectrum, by its header")
        )
    if words & _REFERENCE_WORDS:
        return "mrsref", "water reference, by its name"
    return suffix, "spectrum; nothing says that it is a water reference (else give --water)"


def _names(found: Sequence[RawSpectrum], options: SpectrumOptions) -> list[BidsName]:
    """Return a name for each: a water reference bears that of its spectrum, with another ending."""
    acquisitions = [options.acq or _by_echo_time(raw) for raw in found]
    spectra = {acq for raw, acq in zip(found, acquisitions, strict=True) if not raw.water}
    names = []
    for raw, acq in zip(found, acquisitions, strict=True):
        if raw.water and acq is None and len(spectra) == 1:
            (acq,) = spectra
        suffix = "mrsref" if raw.water else "svs" if raw.data.shape[:3] == (1, 1, 1) else "mrsi"
        names.append(BidsName("mrs", suffix, acq=acq, voi=options.voi))
    return told_apart(names)


def _by_echo_time(raw: RawSpectrum) -> str | None:
    echo = raw.header.get("EchoTime")
    return f"te{round(1000 * echo)}" if isinstance(echo, int | float) else None


def _sidecar(raw: RawSpectrum, reference: str | None) -> Mapping[str, Any]:
    """Return the fields that BIDS wants beside a spectrum."""
    header = raw.header
    names = ("EchoTime", "RepetitionTime", "InversionTime", "MixingTime", "MagneticFieldStrength", "Manufacturer")
    more = ("ManufacturersModelName", "SoftwareVersions", "SequenceName", "PulseSequenceType", "ProtocolName")
    fields = {name: header[name] for name in (*names, *more, "NumberOfTransients") if name in header}
    for name in ("ResonantNucleus", "SpectrometerFrequency"):
        value = header[name]
        fields[name] = value if isinstance(value, list) else [value]
    fields["SpectralWidth"] = round(1.0 / raw.dwell_time_s, 6)
    fields["NumberOfSpectralPoints"] = int(raw.data.shape[3])
    fields["WaterSuppression"] = not raw.water
    if raw.affine is not None:
        fields["AcquisitionVoxelSize"] = [round(float(size), 4) for size in np.linalg.norm(raw.affine[:3, :3], axis=0)]
    if reference is not None:
        fields["ReferenceSignal"] = f"bids::{reference}.nii.gz"
    return fields
