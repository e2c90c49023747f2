"""What on the time line changes spectra too (anaesthesia, seizures, drugs): listed beside a pattern, not subtracted."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from hlhneuro.study import EventKind, Session, TreatmentEvent, event_kind, exposures

__all__ = ["confounders_of"]


@dataclass(frozen=True)
class _Confounder:
    kind: EventKind
    days: int
    changes: str
    source: str


@cache
def _known() -> tuple[_Confounder, ...]:
    text = files("hlhneuro.spectroscopy").joinpath("confounders.toml").read_text(encoding="utf-8")
    return tuple(
        _Confounder(event_kind(c["kind"]), c["days"], c["changes"], c["source"])
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
        named = [
            one.in_words()
            for one in exposures(session, events, confounder.kind)
            if one.days_before is None or 0 <= one.days_before <= confounder.days
        ]
        if named:
            found.append(f"{confounder.kind.name} ({'; '.join(named)}): {confounder.changes} ({confounder.source})")
    return tuple(found)
