"""Treatment and events of a patient: their table, and when volume loss may come from steroids."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass

from hlhneuro.study._clinical_tables import Remark, TableRow, read_rows
from hlhneuro.study.event_kinds import event_kind
from hlhneuro.study.layout import Session, Study

__all__ = [
    "STEROID_EFFECT_DAYS",
    "STEROID_EFFECT_SOURCE",
    "TreatmentEvent",
    "read_events",
    "read_treatment",
    "steroid_confounded",
]

# Brain volume falls under steroids and recovers over months after them.
STEROID_EFFECT_DAYS = 90
STEROID_EFFECT_SOURCE = (
    "expert-set: volume loss under steroids recovers over weeks to months (Okuno 1981: visible at 2 weeks, "
    "less after withdrawal; Merke 2005: cerebrum larger one year after cure of Cushing syndrome); no data in HLH"
)
_NEEDED, _OPTIONAL = ("event", "start_date"), ("end_date", "detail")


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
        return event_kind("steroid").covers(self.event)


def read_treatment(study: Study) -> tuple[tuple[TreatmentEvent, ...], tuple[str, ...]]:
    """Return the treatment events of a study, in order of subject and time, and what is wrong with their tables.

    Read are ``phenotype/treatment.tsv`` (columns participant_id, event, start_date, end_date, detail) and each
    subject's ``sub-X/sub-X_events.tsv`` (the same without participant_id). Neither needs to be there.
    """
    events, remarks = read_events(study)
    return events, tuple(remark.text for remark in remarks)


def read_events(study: Study) -> tuple[tuple[TreatmentEvent, ...], tuple[Remark, ...]]:
    """Return what `read_treatment` does, its remarks with whom they concern."""
    rows, remarks = read_rows(study, "treatment", "events", _NEEDED, _OPTIONAL)
    events = [event for row in rows if (event := _event(row, remarks)) is not None]
    events.sort(key=lambda event: (event.subject, event.start or dt.date.max, event.event, event.detail))
    return tuple(events), tuple(remarks)


def _event(row: TableRow, remarks: list[Remark]) -> TreatmentEvent | None:
    if "event" not in row.cells:
        remarks.append(row.remark("event is missing; the row is left out; write what was given or happened"))
        return None
    start, end = row.date("start_date", remarks), row.date("end_date", remarks)
    if start and end and end < start:
        remarks.append(row.remark(f"end_date {end} lies before start_date {start}; the end is left out; correct it"))
        end = None
    return TreatmentEvent(row.subject, row.cells["event"], start, end, row.cells.get("detail", ""))


def steroid_confounded(session: Session, events: Iterable[TreatmentEvent] = ()) -> tuple[bool | None, str]:
    """Return whether volume change at this session may come from steroids, and why; None if it cannot be said.

    True if a steroid is named in the session's covariates, or was given on or up to `STEROID_EFFECT_DAYS` days before
    the session. A steroid without an end is taken to go on.
    """
    for name, text in session.covariates.items():
        if event_kind("steroid").in_covariate(name, text):
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
