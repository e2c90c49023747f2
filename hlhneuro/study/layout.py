"""Study > Subject > Session > Scan: what is on disk, read from a BIDS folder."""

from __future__ import annotations

import datetime as dt
import itertools
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hlhneuro.errors import InputError, StudyError
from hlhneuro.study._people import Row, Table, read_sex, read_table_of
from hlhneuro.study._scans import FoundScan, acquisition_of, choose_images, find_scans
from hlhneuro.study._sidecars import Sidecars, read_json
from hlhneuro.study._values import DAYS_PER_YEAR, natural_key

__all__ = ["Scan", "Session", "Study", "Subject", "open_study"]


@dataclass(frozen=True)
class Scan:
    """One image or spectrum file with its sidecar.

    Parameters
    ----------
    path : path
        The NIfTI file.
    datatype : str
        BIDS data type: ``anat``, ``dwi``, ``swi`` or ``mrs``.
    contrast : str
        What the image shows, as used in output names: ``T1w``, ``T2w``, ``FLAIR``, ``ce-gadolinium_T1w``, ``ADC``,
        ``T2starw``, ``SWI`` ..; for spectra the BIDS suffix: ``svs``, ``mrsi``, ``mrsref``.
    entities : mapping
        BIDS entities in their short form, for example ``{"sub": "01", "ses": "02", "acq": "short"}``.
    sidecar : mapping
        The JSON sidecar (inherited fields included); empty if there is none.
    """

    path: Path
    datatype: str
    contrast: str
    entities: Mapping[str, str]
    sidecar: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Session:
    """One visit of one subject.

    Parameters
    ----------
    subject, label : str
        Labels without ``sub-`` and ``ses-``; `label` is ``01`` where the study has no session folders.
    date : date, optional
        Day of the visit, from ``sessions.tsv`` (``acq_time``).
    age_years : float, optional
        Age at the visit in years.
    images, spectra, water_references : tuple of Scan
        What was acquired, in a fixed order.
    problems : tuple of str
        What is wrong with this session, in sentences; such a session still goes on as far as it can.
    covariates : mapping
        Further columns of ``sessions.tsv`` (scanner, anaesthesia, treatment ..) as text.
    """

    subject: str
    label: str
    date: dt.date | None
    age_years: float | None
    images: tuple[Scan, ...]
    spectra: tuple[Scan, ...]
    water_references: tuple[Scan, ...]
    problems: tuple[str, ...] = ()
    covariates: Mapping[str, str] = field(default_factory=dict)

    def image(self, contrast: str) -> Scan | None:
        """Return the scan of that contrast, or None."""
        return next((scan for scan in self.images if scan.contrast == contrast), None)


@dataclass(frozen=True)
class Subject:
    """One patient with all sessions, in order of date (of label where dates are missing)."""

    label: str
    sex: str | None
    sessions: tuple[Session, ...]
    problems: tuple[str, ...] = ()
    covariates: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Study:
    """A BIDS study folder; `problems` are those of the study as a whole."""

    root: Path
    name: str
    subjects: tuple[Subject, ...]
    problems: tuple[str, ...] = ()

    def subject(self, label: str) -> Subject | None:
        """Return the subject of that label (without ``sub-``), or None."""
        return next((subject for subject in self.subjects if subject.label == label), None)


# Ages may be given in whole years: two of them can be off by one year against the days between the visits.
_AGE_ROUNDING_YEARS = 1.01
_ONLY_SESSION = "01"


def open_study(root: str | Path) -> Study:
    """Index a BIDS study folder.

    Only what concerns the study as a whole raises. What is wrong with a subject, a session or a file becomes a sentence
    in its `problems`, and the rest goes on.

    Raises
    ------
    StudyError
        If the folder does not exist, is empty, holds no subject, or is an output folder of this program.
    """
    # absolute, not resolved: the study keeps the name by which the user called it
    root = Path(root).expanduser().absolute()
    folders, problems = _subject_folders(root)
    name, wrong = _study_name(root)
    people = read_table_of(root / "participants.tsv", "participant_id", root / "participants.json")
    problems += wrong + list(people.problems)
    if not people.present:
        problems.append(
            "there is no usable participants.tsv, so that sex and age are unknown; "
            "write it with the columns participant_id, age, sex"
        )
    sidecars = Sidecars(root)
    subjects = tuple(_read_subject(root, folder, people, sidecars) for folder in folders)
    known = {subject.label for subject in subjects}
    problems += [
        f"participants.tsv lists {label}, who has no folder sub-{label}" for label in people.rows.keys() - known
    ]
    return Study(root, name, subjects, tuple(sorted(problems)))


def _subject_folders(root: Path) -> tuple[list[Path], list[str]]:
    if not root.exists():
        raise StudyError("the study folder does not exist", remedy="check the path", path=root)
    if not root.is_dir():
        raise StudyError("the study is not a folder", remedy="give the folder that holds sub-..", path=root)
    try:
        entries = sorted((path for path in root.iterdir() if not path.name.startswith(".")), key=lambda path: path.name)
    except OSError as error:
        raise StudyError(
            "the study folder cannot be read", remedy="check its permissions", path=root, found=error.strerror
        ) from error
    if not entries:
        raise StudyError(
            "the study folder is empty",
            remedy="fill it with `hlhneuro import`, or write a sample with `hlhneuro phantom`",
            path=root,
        )
    named = [path for path in entries if path.name.startswith("sub-") and path.is_dir()]
    good = [path for path in named if re.fullmatch(r"sub-[A-Za-z0-9]+", path.name)]
    problems = [
        f"{path.name}/ is not read: a subject's label may only hold the letters A-Z, a-z and digits; "
        "rename folder and files"
        for path in named
        if path not in good
    ]
    if not good:
        raise StudyError("the study holds no folder sub-<label>", remedy=_where_else(root, entries), path=root)
    return sorted(good, key=lambda path: natural_key(path.name)), problems


def _where_else(root: Path, entries: Sequence[Path]) -> str:
    if re.match(r"(sub|ses)-", root.name):
        return "this looks like one subject or session; give the study folder above it"
    nested = [path.name for path in entries if path.is_dir() and next(path.glob("sub-*/"), None) is not None]
    if nested:
        return f"give the folder {nested[0]} inside it, which holds subjects"
    return "arrange the images as BIDS (sub-01/ses-01/anat/sub-01_ses-01_FLAIR.nii.gz), or use `hlhneuro import`"


def _study_name(root: Path) -> tuple[str, list[str]]:
    path = root / "dataset_description.json"
    if not path.is_file():
        return root.name, [
            'dataset_description.json is missing; write one with {"Name": .., "BIDSVersion": "1.10.0"}, '
            "so that other BIDS programs take the folder"
        ]
    try:
        content = read_json(path)
    except InputError as error:
        return root.name, [str(error)]
    makers = content.get("GeneratedBy")
    makers = makers if isinstance(makers, list) else []
    ours = any(isinstance(maker, dict) and maker.get("Name") == "hlhneuro" for maker in makers)
    if ours and content.get("DatasetType") == "derivative":
        raise StudyError("this is an output folder, not a study", remedy="give the study it was made from", path=root)
    name = content.get("Name")
    return (name, []) if isinstance(name, str) and name.strip() else (root.name, [])


def _read_subject(root: Path, folder: Path, people: Table, sidecars: Sidecars) -> Subject:
    label = folder.name.removeprefix("sub-")
    row, problems = people.rows.get(label), []
    if row is None and people.present:
        problems.append(f"sub-{label} is not listed in participants.tsv, so that sex and age are unknown; add a row")
    row = row or Row()
    sex, wrong = read_sex(row)
    problems += wrong
    visits = read_table_of(
        folder / f"sub-{label}_sessions.tsv",
        "session_id",
        root / "sessions.json",
        folder / f"sub-{label}_sessions.json",
    )
    problems += visits.problems
    try:
        found, wrong = _find_sessions(folder, label)
    except OSError as error:
        found, wrong = {}, [f"sub-{label}: the folder cannot be read ({error}); check its permissions"]
    problems += wrong
    if len(found) > 1 and not visits.present:
        problems.append(
            f"there is no usable sub-{label}_sessions.tsv; dates and ages of the sessions come from it "
            "(columns session_id, acq_time, age)"
        )
    common: Counter[tuple[object, ...]] = Counter()
    for _, scans, _ in found.values():
        common.update({(scan.contrast, acquisition_of(scan)) for scan in scans})
    sessions = []
    for session, (place, scans, remarks) in found.items():
        visit = visits.rows.get(session)
        if visit is None and session == _ONLY_SESSION and place == folder and len(visits.rows) == 1:
            visit = next(iter(visits.rows.values()))
        remarks = list(remarks)
        if visit is None and visits.present:
            remarks.append(f"ses-{session} is not listed in sub-{label}_sessions.tsv; add a row with acq_time and age")
        alone = row if len(found) == 1 else None
        sessions.append(_read_session(label, session, place, scans, remarks, visit or Row(), alone, common, sidecars))
    if not (len(found) == 1 and next(iter(found.values()))[0] == folder):
        problems += [
            f"sub-{label}_sessions.tsv lists {session}, which has no folder ses-{session}"
            for session in sorted(visits.rows.keys() - found.keys(), key=natural_key)
        ]
    ordered, wrong = _in_order(sessions)
    return Subject(label, sex, ordered, tuple(problems + wrong + _age_contradictions(ordered)), row.covariates())


_Found = dict[str, tuple[Path, list[FoundScan], list[str]]]


def _find_sessions(folder: Path, subject: str) -> tuple[_Found, list[str]]:
    """Return folder, scans and remarks of each session by its label."""
    problems: list[str] = []
    found: _Found = {}
    for path in sorted(folder.glob("ses-*/"), key=lambda path: natural_key(path.name)):
        label = path.name.removeprefix("ses-")
        if not re.fullmatch(r"[A-Za-z0-9]+", label):
            problems.append(
                f"{path.name}/ is not read: a session's label may only hold the letters A-Z, a-z and digits; rename it"
            )
            continue
        found[label] = (path, *find_scans(path, subject, label))
    loose, remarks = find_scans(folder, subject, None)
    if not found:
        if loose or remarks:
            found[_ONLY_SESSION] = (folder, loose, remarks)
        else:
            problems.append(f"sub-{subject} holds no images and no spectra")
    else:
        problems += remarks
        problems += [f"{scan.path.name} lies outside the session folders and is not read; move it" for scan in loose]
    return found, problems


def _read_session(
    subject: str,
    label: str,
    folder: Path,
    scans: Sequence[FoundScan],
    remarks: Sequence[str],
    visit: Row,
    alone: Row | None,
    common: Counter[tuple[object, ...]],
    sidecars: Sidecars,
) -> Session:
    problems = list(remarks)
    date, wrong = visit.date()
    problems += wrong
    if date is None:
        date, wrong = _date_of_scans(folder, subject, label)
        problems += wrong
    age, wrong = visit.age_years()
    problems += wrong
    if age is None and alone is not None:
        age, wrong = alone.age_years()
        problems += wrong
    if age is None:
        where = f"sub-{subject}_sessions.tsv" + (" or participants.tsv" if alone is not None else "")
        problems.append(f"the age at ses-{label} is unknown; write it into the column age of {where}")
    chosen, wrong = choose_images([scan for scan in scans if scan.datatype != "mrs"], common)
    problems += wrong
    spectra = [scan for scan in scans if scan.datatype == "mrs"]
    if not chosen and not spectra:
        problems.append(f"ses-{label} holds no images and no spectra")
    read: dict[str, list[Scan]] = {"image": [], "spectrum": [], "water": []}
    for scan in [*chosen, *spectra]:
        sidecar, wrong = sidecars.read(scan.path)
        problems += wrong
        kind = "image" if scan.datatype != "mrs" else "water" if scan.contrast == "mrsref" else "spectrum"
        read[kind].append(Scan(scan.path, scan.datatype, scan.contrast, scan.entities, sidecar))
    return Session(
        subject,
        label,
        date,
        age,
        tuple(read["image"]),
        tuple(read["spectrum"]),
        tuple(read["water"]),
        tuple(dict.fromkeys(problems)),
        visit.covariates(),
    )


def _date_of_scans(folder: Path, subject: str, session: str) -> tuple[dt.date | None, list[str]]:
    """Return the earliest day in ``scans.tsv``."""
    names = (f"sub-{subject}_ses-{session}_scans.tsv", f"sub-{subject}_scans.tsv")
    table = next((table for name in names if (table := read_table_of(folder / name, "filename")).present), Table())
    dates, problems = [], list(table.problems)
    for row in table.rows.values():
        date, wrong = row.date()
        dates += [date] if date else []
        problems += wrong
    return min(dates, default=None), problems


def _in_order(sessions: Sequence[Session]) -> tuple[tuple[Session, ...], list[str]]:
    """Return the sessions in order of time, and how that order came about where it is not plain."""
    by_label = sorted(sessions, key=lambda session: natural_key(session.label))
    if len(by_label) < 2:
        return tuple(by_label), []
    undated = [session.label for session in by_label if session.date is None]
    if undated:
        return tuple(by_label), [
            f"the date of {', '.join('ses-' + label for label in undated)} is missing, so that sessions are ordered by "
            "label and intervals in days are not known; write acq_time into sessions.tsv"
        ]
    by_date = sorted(by_label, key=lambda session: session.date or dt.date.min)
    problems = [
        f"ses-{one.label} and ses-{other.label} bear the same date {one.date}; they are ordered by label"
        for one, other in itertools.pairwise(by_date)
        if one.date == other.date
    ]
    if by_date != by_label:
        order = ", ".join(f"ses-{session.label}" for session in by_date)
        problems.append(f"sessions are ordered by date, not label: {order}; check acq_time if that is not meant")
    return tuple(by_date), problems


def _age_contradictions(sessions: Sequence[Session]) -> list[str]:
    problems = []
    for one, other in itertools.pairwise(session for session in sessions if session.age_years is not None):
        if one.date is None or other.date is None or one.age_years is None or other.age_years is None:
            continue
        by_date = (other.date - one.date).days / DAYS_PER_YEAR
        by_age = other.age_years - one.age_years
        if abs(by_date - by_age) > _AGE_ROUNDING_YEARS:
            problems.append(
                f"ages and dates contradict each other: from ses-{one.label} to ses-{other.label} {by_age:.1f} years "
                f"by age, {by_date:.1f} years by date; correct sessions.tsv"
            )
    return problems
