"""What on the time line changes spectra too (anaesthesia, seizures, drugs): listed beside a pattern, not subtracted."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from hlhneuro.study import Session, TreatmentEvent

__all__ = ["confounders_of"]

_NONE = re.compile(r"^\s*(no|none|without|off|0|false|n/a)?\s*$", re.IGNORECASE)


@dataclass(frozen=True)
class _Confounder:
    name: str
    words: re.Pattern[str]
    days: int
    goes_on: bool
    changes: str
    source: str


@cache
def _known() -> tuple[_Confounder, ...]:
    text = files("hlhneuro.spectroscopy").joinpath("confounders.toml").read_text(encoding="utf-8")
    return tuple(
        _Confounder(
            c["name"],
            re.compile(rf"\b(?:{c['words']})", re.IGNORECASE),
            *(c["days"], c.get("goes_on", False), c["changes"], c["source"]),
        )
        for c in tomllib.loads(text)["confounders"]
    )


def confounders_of(session: Session, events: Iterable[TreatmentEvent]) -> tuple[str, ...]:
    """Return, in words, what may have changed the spectra of a session beside the disease.

    Parameters
    ----------
    session : Session
        Its covariates count for its own day.
    events : iterable of TreatmentEvent
        Of the same patient; one without a day is listed as of unknown day.

    Returns
    -------
    tuple of str
        For example ``"anaesthesia (sevoflurane, on the day): raises lactate and glucose (Jacob 2012 ..)"``.
    """
    events = tuple(events)
    found = []
    for confounder in _known():
        named = [f"{what}, on the day" for what in _named(session.covariates, confounder)]
        for event in events:
            if event.subject == session.subject and confounder.words.search(f"{event.event} {event.detail}"):
                when = _when(session, event, confounder)
                named += [f"{event.event}, {when}"] if when else []
        if named:
            found.append(f"{confounder.name} ({'; '.join(named)}): {confounder.changes} ({confounder.source})")
    return tuple(found)


def _named(covariates: Mapping[str, str], confounder: _Confounder) -> list[str]:
    """Return what a session's columns say of it: its name in a cell, or as a column whose cell does not deny it."""
    found = []
    for column, cell in covariates.items():
        if confounder.words.search(cell) and not re.match(r"\s*(no|without)\b", cell, re.IGNORECASE):
            found.append(cell.strip())
        elif confounder.words.search(column.replace("_", " ")) and not _NONE.match(cell):
            found.append(f"{column}: {cell.strip()}")
    return found


def _when(session: Session, event: TreatmentEvent, confounder: _Confounder) -> str | None:
    """Return when an event was, as seen from the session; None where it was too long ago or later."""
    if session.date is None or event.start is None:
        return "day not known"
    if event.start > session.date:
        return None
    if event.end is None and confounder.goes_on:
        return f"since {event.start}, no end known"
    last = min(event.end or event.start, session.date)
    ago = (session.date - last).days
    if ago > confounder.days:
        return None
    return "on the day" if ago == 0 else f"{ago} day{'s' if ago > 1 else ''} before"
