"""What a patient was given or met near a session, and how many days before the session it was."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from hlhneuro.study.event_kinds import EventKind
from hlhneuro.study.layout import Session
from hlhneuro.study.treatment import TreatmentEvent

__all__ = ["Exposure", "denied", "exposures"]


@dataclass(frozen=True)
class Exposure:
    """Something of one kind on record near a session.

    Parameters
    ----------
    what : str
        As the table has it.
    days_before : int or None
        Whole days from its last day to the session: 0 on the day or still going on, negative if it came after the
        session, None if its day or that of the session is not known.
    since : str
        First day of a course whose end is not on record; empty for all else.
    """

    what: str
    days_before: int | None
    since: str = ""

    def in_words(self) -> str:
        """Return what it was and when, for example ``seizure, 2 days before``."""
        if self.days_before is None:
            return f"{self.what}, day not known"
        if self.since:
            return f"{self.what}, since {self.since}, no end known"
        if self.days_before == 0:
            return f"{self.what}, on the day"
        days = abs(self.days_before)
        return f"{self.what}, {days} day{'s' if days > 1 else ''} {'before' if self.days_before > 0 else 'after'}"


def exposures(session: Session, events: Iterable[TreatmentEvent], kind: EventKind) -> tuple[Exposure, ...]:
    """Return everything of one kind that is on record before, at and after a session; the nearest first.

    Parameters
    ----------
    session : Session
        Its covariates count for its own day.
    events : iterable of TreatmentEvent
        Those of other patients are left out.
    kind : EventKind
    """
    found = [
        Exposure(what, 0) for column, cell in session.covariates.items() for what in kind.in_covariate(column, cell)
    ]
    for event in events:
        if event.subject == session.subject and kind.covers(event.event, event.detail):
            found.append(_seen_from(session, event, goes_on=kind.goes_on))
    return tuple(sorted(found, key=lambda one: (one.days_before is None, abs(one.days_before or 0))))


def denied(session: Session, kind: EventKind) -> str:
    """Return the covariate of a session that says there was none of the kind; empty if nothing says so."""
    told = (f"{c}: {cell.strip()}" for c, cell in session.covariates.items() if kind.denied_in_covariate(c, cell))
    return next(told, "")


def _seen_from(session: Session, event: TreatmentEvent, *, goes_on: bool) -> Exposure:
    if session.date is None or event.start is None:
        return Exposure(event.event, None)
    if event.start > session.date:
        return Exposure(event.event, (session.date - event.start).days)
    if event.end is None and goes_on:
        return Exposure(event.event, 0, event.start.isoformat())
    last = min(event.end or event.start, session.date)
    return Exposure(event.event, (session.date - last).days)
