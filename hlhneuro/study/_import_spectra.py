"""Spectra into a study: converted, paired with their water references, named."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from hlhneuro.errors import InputError
from hlhneuro.study._additions import Additions, packed
from hlhneuro.study._dicom import DicomSeries, names_person
from hlhneuro.study._images import link_files
from hlhneuro.study._import_names import BidsName, ImportRow, told_apart
from hlhneuro.study.mrs_files import RawSpectrum, to_image
from hlhneuro.study.vendor_spectra import SpectrumFacts, convert_spectrum

__all__ = ["SpectrumOptions", "import_spectra"]

_REFERENCE_WORDS = {"ref", "wref", "waterref", "h2o", "unsuppressed", "nws"}
_EDDY_WORDS = {"ecc", "eddy"}
_SPECTRUM_WORDS = {"act", "ws", "metab", "met"}
_FOR_EDDY_CURRENTS = "ecc"  # ends the acq label of a reference that serves for eddy currents alone


@dataclass(frozen=True)
class SpectrumOptions:
    """What the user says of the spectra.

    Parameters
    ----------
    told : SpectrumFacts
        What the files do not say.
    water : mapping of str to str
        Names of files, or numbers or descriptions of series, that are water references; the value is ``ecc`` for one
        that serves for eddy currents alone, else empty.
    acq, voi : str, optional
        Labels for the names.
    """

    told: SpectrumFacts = field(default_factory=SpectrumFacts)
    water: Mapping[str, str] = field(default_factory=dict)
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
    found: list[_Found] = []
    for number, source in enumerate(sources):
        title = source.name if isinstance(source, Path) else source.title
        try:
            for raw in _convert(source, options.told, work / f"spectrum-{number}"):
                check(to_image(raw, method))
                found.append(_recognise(raw, source, options))
        except InputError as error:
            about = f"{error.field}: " if error.field else ""
            told = f" (found: {error.found})" if error.found is not None else ""
            rows.append(ImportRow(title, "failed", why=f"{about}{error.problem}{told}", remedy=error.remedy))
    named = []
    for one, name, why in _named(found, options):
        content = packed(to_image(one.raw, method))
        stem = additions.same_in_study(name.stem(*labels), content) or name.stem(*labels)
        additions.add_bytes(f"{stem}.nii.gz", content)
        rows.append(ImportRow(one.raw.name, "imported", f"{stem}.nii.gz", "; ".join([why, *one.raw.notes])))
        named.append((one, stem))
    references = {stem for one, stem in named if one.suffix == "mrsref"}
    for one, stem in named:
        reference = stem.removesuffix(one.suffix) + "mrsref"
        additions.add_sidecar(stem, _sidecar(one, reference if reference in references else None))
    return rows


@dataclass(frozen=True)
class _Found:
    """A spectrum, its BIDS suffix, how that is known, and the words that its name shares with its reference."""

    raw: RawSpectrum
    suffix: str
    why: str
    acq: str | None
    words: tuple[str, ...]


def _convert(source: Path | DicomSeries, told: SpectrumFacts, folder: Path) -> tuple[RawSpectrum, ...]:
    if isinstance(source, Path):
        return convert_spectrum(source, told)
    link_files(source.files, folder)
    try:
        return tuple(
            replace(raw, name=source.title, header=_nameless(raw.header, source))
            for raw in convert_spectrum(folder, told)
        )
    except InputError as error:
        raise error.in_file(source.files[0]) from error


def _nameless(header: Mapping[str, Any], series: DicomSeries) -> dict[str, Any]:
    return {
        name: value for name, value in header.items() if not (isinstance(value, str) and names_person(value, series))
    }


def _recognise(raw: RawSpectrum, source: Path | DicomSeries, options: SpectrumOptions) -> _Found:
    """Tell a spectrum from a water reference: as the user says, by header, or by name."""
    title = source.stem if isinstance(source, Path) else source.description
    words = [word for word in re.split(r"[^a-z0-9]+", f"{title} {raw.name.partition('(')[2]}".lower()) if word]
    own = {source.name, source.stem, str(source)} if isinstance(source, Path) else {str(source.number), title}
    own = {name.lower() for name in own}
    said = next((use for name, use in options.water.items() if name.strip().lower() in own), None)
    named = set(words) & (_REFERENCE_WORDS | _EDDY_WORDS)
    water, why = False, "spectrum; nothing says that it is a water reference (else give --water)"
    if said is not None:
        water, why = True, "water reference, as you said"
    elif raw.water is not None:
        water, why = raw.water, f"{'water reference' if raw.water else 'spectrum'}, by its format or header"
    elif named:
        water, why = True, "water reference, by its name"
    eddy = water and (said == _FOR_EDDY_CURRENTS or (not said and bool(set(words) & _EDDY_WORDS)))
    acq = options.acq or _by_echo_time(raw)
    if eddy:
        acq, why = f"{acq or ''}{_FOR_EDDY_CURRENTS}", f"{why}, for eddy currents"
    suffix = "mrsref" if water else "svs" if raw.data.shape[:3] == (1, 1, 1) else "mrsi"
    shared = tuple(word for word in words if word not in _REFERENCE_WORDS | _EDDY_WORDS | _SPECTRUM_WORDS)
    return _Found(raw, suffix, why, acq, shared)


def _named(found: Sequence[_Found], options: SpectrumOptions) -> list[tuple[_Found, BidsName, str]]:
    """Return a name for each; a water reference bears the name of its spectrum with another ending.

    Where several spectra or references could belong together, the words of their file names have to say which do;
    a reference of which nothing says it gets a number of its own, so that none is taken for another's.
    """
    spectra = [one for one in found if one.suffix != "mrsref"]
    apart = told_apart(BidsName("mrs", one.suffix, acq=one.acq, voi=options.voi) for one in spectra)
    named = [(one, name, one.why) for one, name in zip(spectra, apart, strict=True)]
    only = {name.acq for name in apart}
    taken: set[BidsName] = set()
    for one in (one for one in found if one.suffix == "mrsref"):
        acq = next(iter(only)) if one.acq is None and len(only) == 1 else one.acq
        plain = BidsName("mrs", "mrsref", acq=acq, voi=options.voi)
        rivals = [other for other in found if other.suffix == "mrsref" and other.acq == one.acq]
        partners = [(other, name) for other, name, _ in named if other.suffix != "mrsref" and name.acq == acq]
        if len(partners) > 1 or (partners and len(rivals) > 1):
            partners = [(other, name) for other, name in partners if other.words == one.words]
            certain = len(partners) == 1 and sum(other.words == one.words for other in rivals) == 1
        else:
            certain = len(rivals) == 1
        name, why = plain, one.why
        if certain and partners:
            name = replace(plain, run=partners[0][1].run)
        elif not certain:
            number = 1 + max([1, len(spectra), *(known.run or 0 for known in taken)])
            name = replace(plain, run=number)
            why += "; nothing says to which spectrum it belongs: import them apart, each pair with an --acq of its own"
        taken.add(name)
        named.append((one, name, why))
    return named


def _by_echo_time(raw: RawSpectrum) -> str | None:
    echo = raw.header.get("EchoTime")
    return f"te{round(1000 * echo)}" if isinstance(echo, int | float) else None


def _sidecar(one: _Found, reference: str | None) -> Mapping[str, Any]:
    """Return the fields that BIDS wants beside a spectrum."""
    raw, header = one.raw, one.raw.header
    names = ("EchoTime", "RepetitionTime", "InversionTime", "MixingTime", "MagneticFieldStrength", "Manufacturer")
    more = ("ManufacturersModelName", "SoftwareVersions", "SequenceName", "PulseSequenceType", "ProtocolName")
    fields = {name: header[name] for name in (*names, *more, "NumberOfTransients") if name in header}
    for name in ("ResonantNucleus", "SpectrometerFrequency"):
        value = header[name]
        fields[name] = value if isinstance(value, list) else [value]
    fields["SpectralWidth"] = round(1.0 / raw.dwell_time_s, 6)
    fields["NumberOfSpectralPoints"] = int(raw.data.shape[3])
    fields["WaterSuppression"] = one.suffix != "mrsref"
    if raw.affine is not None:
        fields["AcquisitionVoxelSize"] = [round(float(size), 4) for size in np.linalg.norm(raw.affine[:3, :3], axis=0)]
    if reference is not None and one.suffix != "mrsref":
        fields["ReferenceSignal"] = f"bids::{reference}.nii.gz"
    return fields
