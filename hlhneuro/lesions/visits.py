"""What has to be known of two scans before their volumes may be compared: age, scanner, protocol, steroids."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from hlhneuro.study.layout import Session
from hlhneuro.study.treatment import STEROID_EFFECT_DAYS, TreatmentEvent, steroid_confounded

__all__ = ["Visit", "comparable", "steroids_between", "visit_of"]

CONTRAST = "T1w"
_SCANNER = ("MagneticFieldStrength", "Manufacturer", "ManufacturersModelName", "DeviceSerialNumber", "StationName")
_PROTOCOL = ("RepetitionTime", "EchoTime", "InversionTime", "FlipAngle")
SUPPLY = "needs both scans from one scanner"


@dataclass(frozen=True)
class Visit:
    """What is known of one session beside its images.

    Parameters
    ----------
    age_years : float, optional
    date : date, optional
    facts : mapping
        Of the T1w's sidecar: what names the scanner, and the times and angles of the protocol.
    steroids : bool, optional
        Whether volumes of this session may be changed by steroids; None if it cannot be said.
    steroid_reason : str
    steroid_spans : tuple of (first day, last day or None)
        Dated steroid treatments of the patient.
    """

    age_years: float | None = None
    date: dt.date | None = None
    facts: Mapping[str, object] = field(default_factory=dict)
    steroids: bool | None = None
    steroid_reason: str = "no steroid treatment is on record; whether none was given is not known"
    steroid_spans: tuple[tuple[dt.date, dt.date | None], ...] = ()


def visit_of(session: Session, events: Iterable[TreatmentEvent] = ()) -> Visit:
    """Return what a session's tables and the sidecar of its T1w say."""
    events = tuple(events)
    sidecar = next((scan.sidecar for scan in session.images if scan.contrast == CONTRAST), {})
    steroids, reason = steroid_confounded(session, events)
    spans = tuple(
        (event.start, event.end)
        for event in events
        if event.subject == session.subject and event.is_steroid and event.start is not None
    )
    known = {name: sidecar[name] for name in (*_SCANNER, *_PROTOCOL) if sidecar.get(name) not in (None, "")}
    return Visit(session.age_years, session.date, known, steroids, reason, spans)


def comparable(first: Visit, second: Visit, tolerance: float) -> tuple[str, str]:
    """Return why two scans may not be compared, and what stays in doubt if they may; both empty if all is known."""
    unlike = [name for name in _SCANNER[:4] if _differ(first, second, name, 0.01)]
    if unlike:
        names = ", ".join(f"{name} {first.facts[name]} and {second.facts[name]}" for name in unlike)
        why = "between scanners the smallest detectable change is 4.8 to 29 % (PMC10497452)"
        return f"two scanners ({names}): {why}; {SUPPLY}", ""
    unlike = [name for name in _PROTOCOL if _differ(first, second, name, tolerance)]
    if unlike:
        names = ", ".join(f"{name} {first.facts[name]} and {second.facts[name]}" for name in unlike)
        return f"the two T1w were acquired differently ({names}); needs the same protocol at both sessions", ""
    both = set(first.facts) & set(second.facts)
    if "DeviceSerialNumber" in both:
        return "", ""
    if not both & set(_SCANNER):
        return "", "the scanner is not known: across scanners the change would mean nothing"
    return "", "same make and field, but whether it is the same scanner is not on record"


def _differ(first: Visit, second: Visit, name: str, tolerance: float) -> bool:
    here, there = first.facts.get(name), second.facts.get(name)
    if here is None or there is None:
        return False
    if isinstance(here, int | float) and isinstance(there, int | float):
        return abs(here - there) > tolerance * max(abs(here), abs(there))
    return str(here).strip().lower() != str(there).strip().lower()


def steroids_between(first: Visit, second: Visit) -> tuple[bool | None, str]:
    """Return whether steroids may have moved the volumes between two sessions, and why; None if it cannot be said.

    True if either session is confounded by itself, or a steroid was given at any time between the two.
    """
    for visit in (first, second):
        if visit.steroids:
            return True, visit.steroid_reason
    if first.date and second.date:
        start, end = sorted((first.date, second.date))
        early = start - dt.timedelta(days=STEROID_EFFECT_DAYS)
        for begin, last in first.steroid_spans:
            if begin <= end and (last is None or last >= early):
                return True, f"steroid from {begin} to {last or 'an unknown day'}"
    for visit in (first, second):
        if visit.steroids is None:
            return None, visit.steroid_reason
    return False, f"no steroid between the sessions or within {STEROID_EFFECT_DAYS} days before"
