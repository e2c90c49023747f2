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
    when : str
        The same in words.
    """

    what: str
    days_before: int | None
    when: str

    def in_words(self) -> str:
        """Return what it was and when, for example ``seizure, 2 days before``."""
        return f"{self.what}, {self.when}"


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
        _seen_from(session, event, goes_on=kind.goes_on)
        for event in events
        if event.subject == session.subject and kind.covers(event.event, event.detail)
    ]
    going_on = tuple(one.what.lower() for one in found if one.days_before == 0)
    for column, cell in session.covariates.items():
        told = (what for what in kind.in_covariate(column, cell) if not what.lower().startswith(going_on))
        when = (0, "on the day") if kind.of_day else (None, "day not known")
        found += [Exposure(what, *when) for what in told]
    return tuple(sorted(found, key=lambda one: (one.days_before is None, abs(one.days_before or 0))))


def denied(session: Session, kind: EventKind) -> str:
    """Return the covariate of a session that says there was none of the kind; empty if nothing says so."""
    told = (f"{c}: {cell.strip()}" for c, cell in session.covariates.items() if kind.denied_in_covariate(c, cell))
    return next(told, "")


def _seen_from(session: Session, event: TreatmentEvent, *, goes_on: bool) -> Exposure:
    if session.date is None or event.start is None:
        return Exposure(event.event, None, "day not known")
    if event.start > session.date:
        days = (session.date - event.start).days
        return Exposure(event.event, days, f"{_days(-days)} after")
    if event.end is None and goes_on:
        return Exposure(event.event, 0, f"since {event.start}, no end known")
    if event.end is not None and event.start < session.date <= event.end:
        return Exposure(event.event, 0, f"since {event.start}")
    days = (session.date - (event.end or event.start)).days
    return Exposure(event.event, days, f"{_days(days)} before" if days else "on the day")


def _days(count: int) -> str:
    return f"{count} day{'' if count == 1 else 's'}"
