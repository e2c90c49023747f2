"""What a folder of DICOM files holds: series, what they are, of whom and of which day."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from hlhneuro.errors import InputError
from hlhneuro.study._values import DAYS_PER_YEAR

__all__ = ["DicomSeries", "names_person", "read_header", "read_series", "spectrum_command"]

_MR_IMAGES = {  # SOP classes: MR image, enhanced MR, legacy converted enhanced MR
    *("1.2.840.10008.5.1.4.1.1.4", "1.2.840.10008.5.1.4.1.1.4.1", "1.2.840.10008.5.1.4.1.1.4.4"),
}
_MR_SPECTRA = {"1.2.840.10008.5.1.4.1.1.4.2", "1.3.46.670589.11.0.0.12.1"}  # MR spectroscopy, and Philips' private one
_SIEMENS_NON_IMAGE = "1.3.12.2.1107.5.9.1"
_SIEMENS_DATA_TYPE = (0x0029, 0x1008)  # begins with SPEC for spectra
_YEARS_PER = {"Y": 1.0, "M": 1 / 12, "W": 7 / DAYS_PER_YEAR, "D": 1 / DAYS_PER_YEAR}
_TAGS: list[Any] = [
    *("SOPClassUID", "SeriesInstanceUID", "SeriesNumber", "SeriesDescription", "ProtocolName", "Modality"),
    *("Manufacturer", "ImageType", "ScanningSequence", "SequenceName", "ContrastBolusAgent"),
    *("ContrastBolusAgentSequence", "AcquisitionTime"),
    *("PatientID", "PatientName", "PatientBirthDate", "PatientAge", "PatientSex", "InstanceNumber"),
    *("AcquisitionDate", "SeriesDate", "StudyDate", "ContentDate", "SeriesTime"),
    _SIEMENS_DATA_TYPE,
]


@dataclass(frozen=True)
class DicomSeries:
    """One series, without anything that names the patient beyond `person`, which is never written.

    Parameters
    ----------
    number : int
    description : str
        Series description, or else the protocol's name.
    kind : {"image", "spectrum", "other"}
    manufacturer : str
    files : tuple of path
    person : tuple of str
        Identifier, name and birth date, to see whether two series are of one patient.
    date : date, optional
    time : str
        Acquisition time of the first file, for the order of series.
    age_years : float, optional
    sex : str, optional
    contrast_agent : bool
        Whether the header names an agent.
    """

    number: int
    description: str
    kind: Literal["image", "spectrum", "other"]
    manufacturer: str
    files: tuple[Path, ...]
    person: tuple[str, str, str]
    date: dt.date | None
    time: str
    age_years: float | None
    sex: str | None
    contrast_agent: bool

    @property
    def title(self) -> str:
        """What to call it in messages."""
        return f"series {self.number} {self.description}".strip()


def names_person(text: str, series: DicomSeries) -> bool:
    """Return whether a part of the patient's name or identifier stands in a free text."""
    parts = {part for secret in series.person[:2] for part in re.split(r"[\W_]+", secret.lower()) if len(part) >= 3}
    return bool(parts & set(re.split(r"[\W_]+", text.lower())))


def read_header(path: Path) -> Any:
    """Return the header of a DICOM file as a pydicom dataset; None for any other file."""
    import pydicom  # here and not above: it takes long to load, and few commands need it
    from pydicom.errors import InvalidDicomError

    try:
        return pydicom.dcmread(path, stop_before_pixels=True, specific_tags=_TAGS)
    except (InvalidDicomError, OSError, EOFError, ValueError, KeyError):
        return None


def read_series(files: Iterable[Path]) -> tuple[tuple[DicomSeries, ...], tuple[Path, ...]]:
    """Return the series in order of number and time, and the files that are not DICOM."""
    by_series: dict[str, list[tuple[Path, Any]]] = {}
    strangers: list[Path] = []
    for path in files:
        header = read_header(path)
        if header is None or "SOPClassUID" not in header:
            strangers.append(path)
        else:
            by_series.setdefault(str(header.get("SeriesInstanceUID", path.parent)), []).append((path, header))
    series = [_series(members) for members in by_series.values()]
    return tuple(sorted(series, key=lambda one: (one.number, one.time, one.description))), tuple(strangers)


def spectrum_command(path: Path) -> list[str]:
    """Return the subcommand of spec2nii that reads this DICOM file, or this folder of them.

    Raises
    ------
    InputError
        If it holds no spectrum in DICOM, or more than one series.
    """
    files = sorted(one for one in path.rglob("*") if one.is_file()) if path.is_dir() else [path]
    series, _ = read_series(files)
    spectra = [one for one in series if one.kind == "spectrum"]
    if len(spectra) != 1 or len(series) != 1:
        raise InputError(
            "it is no format of spectra that can be read, and no DICOM" if not series else "not one DICOM spectrum",
            path=path,
            found=", ".join(f"{one.title} ({one.kind})" for one in series) or path.suffix or "folder",
            remedy="give one spectrum: rda, IMA, DICOM, dat, SDAT, P-file, RAW, txt, NIfTI-MRS",
        )
    maker = spectra[0].manufacturer.lower()
    if "siemens" in maker:
        return ["dicom"]
    if "philips" in maker:
        return ["philips_dcm"]
    if "uih" in maker or "united imaging" in maker:
        return ["uih"]
    raise InputError(
        "spectra in DICOM of this maker cannot be converted",
        path=path,
        field="Manufacturer",
        found=spectra[0].manufacturer or "nothing",
        remedy="export the raw data (P-file for GE) and import them",
    )


def _series(members: list[tuple[Path, Any]]) -> DicomSeries:
    first = members[0][1]
    date = next((day for name in _DATES if (day := _date(first.get(name))) is not None), None)
    sex = str(first.get("PatientSex") or "").upper()
    return DicomSeries(
        number=_whole(first.get("SeriesNumber")),
        description=str(first.get("SeriesDescription") or first.get("ProtocolName") or "").strip(),
        kind=_kind(first),
        manufacturer=str(first.get("Manufacturer") or ""),
        files=tuple(sorted(path for path, _ in members)),
        person=tuple(str(first.get(name) or "") for name in ("PatientID", "PatientName", "PatientBirthDate")),  # type: ignore[arg-type]
        date=date,
        time=min(str(header.get("AcquisitionTime") or header.get("SeriesTime") or "") for _, header in members),
        age_years=_age_years(first, date),
        sex=sex if sex in ("F", "M", "O") else None,
        contrast_agent=any(_names_agent(header) for _, header in members),
    )


# The day on which the examination began comes first: one that goes on past midnight is one visit.
_DATES = ("StudyDate", "SeriesDate", "AcquisitionDate", "ContentDate")


def _kind(header: Any) -> Literal["image", "spectrum", "other"]:
    stored = str(header.get("SOPClassUID", ""))
    element = header.get(_SIEMENS_DATA_TYPE)
    siemens_type = str(element.value if element is not None else "")
    if stored in _MR_SPECTRA or (stored == _SIEMENS_NON_IMAGE and siemens_type.startswith("SPEC")):
        return "spectrum"
    return "image" if stored in _MR_IMAGES else "other"


def _names_agent(header: Any) -> bool:
    """Return whether a contrast agent is named; enhanced DICOM keeps it in a sequence."""
    return bool(header.get("ContrastBolusAgentSequence")) or str(
        header.get("ContrastBolusAgent") or ""
    ).strip().lower() not in ("", "no", "none", "0", "n/a", "without")


def _date(value: Any) -> dt.date | None:
    try:
        return dt.datetime.strptime(str(value or "").replace(".", "")[:8], "%Y%m%d").date()
    except ValueError:
        return None


def _whole(value: Any) -> int:
    try:
        return int(value)
    except (TypeError, ValueError):
        return 0


def _age_years(header: Any, date: dt.date | None) -> float | None:
    """Return the age by birth date, which is the more exact, or else as stated."""
    born = _date(header.get("PatientBirthDate"))
    if born is not None and date is not None and born < date:
        return (date - born).days / DAYS_PER_YEAR
    stated = str(header.get("PatientAge") or "").strip().upper()
    if len(stated) > 1 and stated[:-1].isdigit() and stated[-1] in _YEARS_PER:
        return int(stated[:-1]) * _YEARS_PER[stated[-1]]
    return None
