"""What a clinician knows about the time line: ages, intervals, covariates and treatment."""

from __future__ import annotations

import datetime as dt
import itertools
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from hlhneuro.errors import InputError
from hlhneuro.study._tables import read_cells
from hlhneuro.study._values import is_missing, names_a_person, parse_date
from hlhneuro.study.layout import Session, Study, Subject

__all__ = [
    "STEROID_EFFECT_DAYS",
    "STEROID_EFFECT_SOURCE",
    "ClinicalRecord",
    "TreatmentEvent",
    "age_months",
    "covariates_by_session",
    "intervals_days",
    "read_clinical",
    "read_treatment",
    "steroid_confounded",
]

# Brain volume falls under steroids and recovers over months after them.
STEROID_EFFECT_DAYS = 90
STEROID_EFFECT_SOURCE = (
    "expert-set: volume loss under steroids recovers over weeks to months (Okuno 1981: visible at 2 weeks, "
    "less after withdrawal; Merke 2005: cerebrum larger one year after cure of Cushing syndrome); no data in HLH"
)
_STEROIDS = re.compile(
    r"dexa(methason\w*)?|(methyl)?prednis(ol|olon|olone|on|one)\b|(hydro)?cortison\w*|betamethason\w*|steroids?|acth",
    re.IGNORECASE,
)
_NONE_GIVEN = re.compile(r"\b(no|without|off|stopped|ohne|never)\s+(\w+\s+)?$", re.IGNORECASE)


@dataclass(frozen=True)
class TreatmentEvent:
    """One treatment or event of one patient.

    Parameters
    ----------
    subject : str
        Label without ``sub-``.
    event : str
        For example ``dexamethasone``, ``intrathecal methotrexate``, ``HSCT``.
    start, end : date, optional
        First and last day; `end` is None for a single day or one that goes on.
    detail : str
        Dose, donor and the like.
    """

    subject: str
    event: str
    start: dt.date | None
    end: dt.date | None = None
    detail: str = ""

    @property
    def is_steroid(self) -> bool:
        """Whether the event is a systemic or intrathecal steroid."""
        return _names_steroid(self.event)


@dataclass(frozen=True)
class ClinicalRecord:
    """What is known of one patient beside images and spectra.

    Parameters
    ----------
    events : tuple of TreatmentEvent
        In order of time.
    problems : tuple of str
        What is wrong with the tables that were read.
    """

    events: tuple[TreatmentEvent, ...] = ()
    problems: tuple[str, ...] = ()


def age_months(session: Session) -> float | None:
    """Return the age in months at a session, or None."""
    return None if session.age_years is None else session.age_years * 12


def intervals_days(subject: Subject) -> tuple[int | None, ...]:
    """Return the days between each session and the next, in the order of sessions; None where a date is missing."""
    return tuple(
        (later.date - earlier.date).days if earlier.date and later.date else None
        for earlier, later in itertools.pairwise(subject.sessions)
    )


def covariates_by_session(subject: Subject) -> dict[str, Mapping[str, str]]:
    """Return each session's covariates, those of the patient included; the session's own win."""
    return {session.label: dict(subject.covariates) | dict(session.covariates) for session in subject.sessions}


def read_treatment(study: Study) -> tuple[tuple[TreatmentEvent, ...], tuple[str, ...]]:
    """Return the treatment events of a study, in order of subject and time, and what is wrong with their tables.

    Read are ``phenotype/treatment.tsv`` (columns participant_id, event, start_date, end_date, detail) and each
    subject's ``sub-X/sub-X_events.tsv`` (the same without participant_id). Neither needs to be there.
    """
    events: list[TreatmentEvent] = []
    problems: list[str] = []
    tables: list[tuple[Path, str | None]] = [(study.root / "phenotype" / "treatment.tsv", None)]
    for subject in study.subjects:
        tables.append((study.root / f"sub-{subject.label}" / f"sub-{subject.label}_events.tsv", subject.label))
    known = {subject.label for subject in study.subjects}
    for path, owner in tables:
        if path.is_file():
            found, wrong = _read_events(path, owner)
            problems += wrong
            strangers = sorted({event.subject for event in found} - known)
            problems += [f"{path.name} lists {label}, who has no folder sub-{label}" for label in strangers]
            events += [event for event in found if event.subject in known]
    events.sort(key=lambda event: (event.subject, event.start or dt.date.max, event.event, event.detail))
    return tuple(events), tuple(problems)


def read_clinical(study: Study, subject: Subject) -> ClinicalRecord:
    """Return what the tables of a study tell of one patient; none of them needs to be there."""
    events, problems = read_treatment(study)
    return ClinicalRecord(tuple(event for event in events if event.subject == subject.label), problems)


def _read_events(path: Path, owner: str | None) -> tuple[list[TreatmentEvent], list[str]]:
    try:
        header, rows = read_cells(path, strip=True)
    except InputError as error:
        return [], [str(error)]
    needed = {"event", "start_date"} | ({"participant_id"} if owner is None else set())
    if missing := sorted(needed - set(header)):
        return [], [
            f"{path.name}: the columns {', '.join(missing)} are missing, so that no treatment is known; add them"
        ]
    events: list[TreatmentEvent] = []
    problems: list[str] = []
    if personal := [name for name in header if names_a_person(name)]:
        problems.append(f"{path.name}: the columns {', '.join(personal)} name the patient; remove them from the study")
    for number, row in enumerate(rows, start=2):
        cells = {name: cell for name, cell in zip(header, row, strict=True) if not is_missing(cell)}
        subject = owner or cells.get("participant_id", "").removeprefix("sub-")
        if not subject or "event" not in cells:
            problems.append(f"{path.name}, row {number}: participant_id or event is missing; the row is left out")
            continue
        days: dict[str, dt.date | None] = {"start_date": None, "end_date": None}
        for column in days:
            try:
                days[column] = parse_date(cells[column]) if column in cells else None
            except ValueError:
                problems.append(f"{path.name}, row {number}: {column} {cells[column]!r} is no date such as 2020-01-31")
        start, end = days["start_date"], days["end_date"]
        if start and end and end < start:
            problems.append(f"{path.name}, row {number}: it ends on {end}, before it starts on {start}; end left out")
            end = None
        events.append(TreatmentEvent(subject, cells["event"], start, end, cells.get("detail", "")))
    return events, problems


def steroid_confounded(session: Session, events: Iterable[TreatmentEvent] = ()) -> tuple[bool | None, str]:
    """Return whether volume change at this session may come from steroids, and why; None if it cannot be said.

    True if a steroid is named in the session's covariates, or was given on or up to `STEROID_EFFECT_DAYS` days before
    the session. A steroid without an end is taken to go on.
    """
    for name, text in session.covariates.items():
        if _names_steroid(text) or (_names_steroid(name) and text.lower() in {"yes", "true", "1", "y"}):
            return True, f"sessions.tsv, {name}: {text}"
    steroids = [event for event in events if event.subject == session.subject and event.is_steroid]
    if not steroids:
        return None, "no steroid treatment is on record; whether none was given is not known"
    if session.date is None:
        return None, "steroids are on record, but the date of the session is not"
    undated = [event for event in steroids if event.start is None]
    for event in steroids:
        if event.start is None or event.start > session.date:
            continue
        if event.end is None:
            return True, f"{event.event} since {event.start}, no end on record"
        days = (session.date - event.end).days
        if days <= STEROID_EFFECT_DAYS:
            return True, f"{event.event} until {event.end}" + (f", {days} days before" if days > 0 else "")
    if undated:
        return None, f"{undated[0].event} is on record without a start date"
    return False, f"no steroid on or within {STEROID_EFFECT_DAYS} days before the session"


def _names_steroid(text: str) -> bool:
    match = _STEROIDS.search(text)
    return match is not None and _NONE_GIVEN.search(text[: match.start()]) is None
