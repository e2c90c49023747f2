"""DICOM images and spectra of any scanner into a BIDS study: all of it or nothing, and nobody's name."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hlhneuro.errors import InputError, StudyError
from hlhneuro.study._additions import Additions, additions_to
from hlhneuro.study._dicom import DicomSeries, read_series
from hlhneuro.study._import_images import import_images
from hlhneuro.study._import_names import ImportRow, checked_label
from hlhneuro.study._import_spectra import SpectrumOptions, import_spectra
from hlhneuro.study._sidecars import read_json
from hlhneuro.study.vendor_spectra import SPECTRUM_SUFFIXES, is_nifti

__all__ = ["ImportOptions", "ImportOutcome", "ImportRow", "SpectrumOptions", "import_data"]

_BIDS_VERSION = "1.10.0"
_SECOND_OF_PAIR = {".spar": ".sdat", ".list": ".data"}
_EXACT_AGE_UNTIL_YEARS = 2.0  # the brain of an infant changes by the month


@dataclass(frozen=True)
class ImportOptions:
    """What the user says of the source.

    Parameters
    ----------
    contrasts : mapping
        Number or description of a series to contrast (``FLAIR`` ..), or ``skip``.
    spectra : SpectrumOptions
    overwrite : bool
        Replace files that are there with other content.
    """

    contrasts: Mapping[str, str] = field(default_factory=dict)
    spectra: SpectrumOptions = field(default_factory=SpectrumOptions)
    overwrite: bool = False


@dataclass(frozen=True)
class ImportOutcome:
    """What became of everything in the source, and which files were written or there already, as study paths."""

    rows: tuple[ImportRow, ...]
    written: tuple[str, ...] = ()
    unchanged: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether everything was told and read."""
        return not any(row.state in ("unknown", "failed") for row in self.rows)


def import_data(
    source: str | Path,
    study: str | Path,
    subject: str,
    session: str,
    options: ImportOptions | None = None,
    *,
    method: str = "hlhneuro",
    check: Callable[[Any], None] = lambda image: None,
) -> ImportOutcome:
    """Convert what a scanner wrote into one session of a study.

    Images are recognised by their name and timing, water references by their header or name; what cannot be told is not
    imported but listed, with the option that tells it. Names, birth dates, identifiers, institutions and times of day
    are left out; the day of acquisition, age and sex go into the tables of the study, where cells are still empty.

    Parameters
    ----------
    source : path
        A folder (DICOM, searched with all folders in it, and spectra), or the file of one spectrum.
    study : path
        The BIDS folder; made if needed.
    subject, session : str
        Labels.
    options : ImportOptions, optional
    method : str
        Program and version, for the headers.
    check : callable, optional
        Takes each spectrum as NIfTI-MRS image and raises `InputError` if it cannot be used.

    Raises
    ------
    StudyError
        If source or study cannot be used, the source is of several patients or days, or a file would be replaced.
        The study is then as it was before.
    InputError
        If the source is one spectrum and cannot be read.
    """
    options = options or ImportOptions()
    source, root = Path(source).expanduser().absolute(), Path(study).expanduser().absolute()
    labels = checked_label(subject, "sub"), checked_label(session, "ses")
    for entity, label in (("acq", options.spectra.acq), ("voi", options.spectra.voi)):
        checked_label(label, entity) if label is not None else None
    _check_folders(source, root)
    series, files, strangers = _contents(source)
    _check_one_visit(source, series)
    _check_contrasts(series, options.contrasts)
    images = [one for one in series if one.kind == "image"]
    spectra: list[Path | DicomSeries] = [*files, *(one for one in series if one.kind == "spectrum")]
    rows = [
        ImportRow(one.title, "left out", why="neither MR image nor MR spectrum")
        for one in series
        if one.kind == "other"
    ]
    rows += [ImportRow(path.name, "left out", why="no DICOM and no spectrum") for path in strangers]
    with additions_to(root) as additions, tempfile.TemporaryDirectory(prefix="hlhneuro-") as work:
        place, acq = Path(work), options.spectra.acq
        rows += import_images(images, options.contrasts, additions, place, labels, acq)
        rows += import_spectra(spectra, options.spectra, additions, place, labels, method, check)
        _check_result(source, rows)
        if not additions.names:
            return ImportOutcome(tuple(rows))
        _add_tables(root, labels, series, additions, method)
        written, unchanged = additions.commit(overwrite=options.overwrite)
    return ImportOutcome(tuple(rows), written, unchanged)


def _check_folders(source: Path, root: Path) -> None:
    if not source.exists():
        raise StudyError("there is nothing to import", path=source, remedy="check the path")
    if root.exists() and not root.is_dir():
        raise StudyError("the study is not a folder", path=root, remedy="name a folder")
    if source.is_dir() and (root == source or source in root.parents):
        raise StudyError(
            "the study lies inside the folder that is imported", path=root, remedy="name a folder elsewhere"
        )
    description = root / "dataset_description.json"
    if description.is_file() and read_json(description).get("DatasetType") == "derivative":
        raise StudyError("this is an output folder, not a study", path=root, remedy="name the study, or a new folder")


def _contents(source: Path) -> tuple[Sequence[DicomSeries], list[Path], list[Path]]:
    """Return the DICOM series, the files of spectra, and all other files."""
    if source.is_file():
        if _is_spectrum(source):
            return (), [source], []
        series, strangers = read_series([source])
        return series, list(strangers), []  # a stranger alone is tried as a spectrum, whose error tells what it is
    if source.suffix.lower() == ".fid":  # a Varian spectrum is a folder
        return (), [source], []
    files = [path for path in _walk(source) if not path.name.startswith(".")]
    spectra = [path for path in files if _is_spectrum(path)]
    present = {(path.parent, path.name.lower()) for path in spectra}
    spectra = [
        path
        for path in spectra
        if (path.parent, path.stem.lower() + _SECOND_OF_PAIR.get(path.suffix.lower(), "?")) not in present
    ]
    by_content = [path for path in files if not path.name.lower().endswith(SPECTRUM_SUFFIXES)]
    series, strangers = read_series(by_content)
    named = {path for path in files if path.name.lower().endswith(SPECTRUM_SUFFIXES) and not _is_spectrum(path)}
    return series, spectra, sorted({*strangers, *named} - {path for path in files if path.name == "DICOMDIR"})


def _walk(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.is_dir() and not path.name.startswith("."):
            yield from _walk(path)
        elif path.is_file():
            yield path


def _is_spectrum(path: Path) -> bool:
    """Return whether the name says so; a text or a NIfTI may be anything and has to show it."""
    if not path.name.lower().endswith(SPECTRUM_SUFFIXES):
        return False
    if path.suffix.lower() == ".txt":
        with path.open("rb") as stream:
            return b"jmrui" in stream.read(200).lower()
    if is_nifti(path):
        import nibabel as nib
        import numpy as np

        try:
            image: Any = nib.load(path)
            return np.issubdtype(image.get_data_dtype(), np.complexfloating)
        except Exception:  # nibabel lets through whatever a damaged header provokes
            return False
    return True


def _check_one_visit(source: Path, series: Sequence[DicomSeries]) -> None:
    if len({one.person for one in series}) > 1:
        raise StudyError(
            "it holds series of more than one patient (or the same patient under different names)",
            path=source,
            found=f"{len({one.person for one in series})} patients",
            remedy="import the folder of each patient by itself",
        )
    days = sorted({one.date for one in series if one.date is not None})
    if len(days) > 1:
        raise StudyError(
            "it holds series of more than one day",
            path=source,
            found=", ".join(map(str, days)),
            remedy="import the folder of each visit by itself, as a session of its own",
        )


def _check_contrasts(series: Sequence[DicomSeries], contrasts: Mapping[str, str]) -> None:
    known = {str(one.number) for one in series} | {one.description.lower() for one in series}
    strangers = [
        name for name in contrasts if not {name.strip().lower(), name.partition(".")[0].strip().lower()} & known
    ]
    if strangers:
        listed = ", ".join(f"{one.number} ({one.description})" for one in series if one.kind == "image")
        raise StudyError(
            "no series of this number or description",
            field="--contrast",
            found=", ".join(strangers),
            remedy=f"the series are {listed}" if listed else "the source holds no images",
        )


def _check_result(source: Path, rows: Sequence[ImportRow]) -> None:
    if not rows or all(row.state == "left out" for row in rows):
        raise StudyError(
            "it holds nothing that can be imported: no MR images in DICOM and no spectra",
            path=source,
            found=f"{len(rows)} other files or series" if rows else "no files",
            remedy="give the folder that holds the DICOM files, or the file of a spectrum",
        )
    if source.is_file() and len(rows) == 1 and rows[0].state == "failed":
        raise InputError(rows[0].why, path=source, remedy=rows[0].remedy)


def _add_tables(
    root: Path, labels: tuple[str, str], series: Sequence[DicomSeries], additions: Additions, method: str
) -> None:
    """Add what makes it a study, and what is known of patient and visit."""
    subject, session = labels
    if not (root / "dataset_description.json").exists():
        name, _, version = method.partition(" ")
        additions.add_json(
            "dataset_description.json",
            {
                "Name": root.name,
                "BIDSVersion": _BIDS_VERSION,
                "DatasetType": "raw",
                "GeneratedBy": [{"Name": f"{name} import"} | ({"Version": version} if version else {})],
            },
        )
    sex = next((one.sex for one in series if one.sex), None)
    date = next((one.date for one in series if one.date), None)
    age = next((one.age_years for one in series if one.age_years is not None), None)
    additions.add_row("participants.tsv", "participant_id", f"sub-{subject}", {"sex": sex})
    cells = {"acq_time": date.isoformat() if date else None, "age": _age_cell(age)}
    additions.add_row(f"sub-{subject}/sub-{subject}_sessions.tsv", "session_id", f"ses-{session}", cells)


def _age_cell(age_years: float | None) -> str | None:
    """Return an age that does not give away the birthday, and 89+ where the age itself would name the person."""
    if age_years is None:
        return None
    if age_years >= 90.0:
        return "89+"
    return f"{age_years:.2f}" if age_years < _EXACT_AGE_UNTIL_YEARS else f"{age_years:.1f}"
