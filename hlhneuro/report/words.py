"""Numbers and sessions in words: every number keeps its unit and shows no more digits than its error allows."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable, Mapping, Sequence

from hlhneuro.answers import Finding
from hlhneuro.report.results import SubjectResults
from hlhneuro.study.layout import Session

__all__ = [
    "age_text",
    "days_between",
    "join_words",
    "number",
    "percent",
    "place_in_time",
    "plural",
    "quantity",
    "sentence",
    "session_of",
    "session_title",
    "sessions_text",
    "sex_text",
    "value_text",
]

COUNTS = ("affected_territory_count", "lesion_count")
_SPACE = "\u00a0"  # no-break: a number never parts from its unit
_MINUS = "−"
_PLUS_MINUS = "±"


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def number(value: float, decimals: int, *, signed: bool = False) -> str:
    """Write a number with a true minus sign and, if asked, its plus sign; a rounded zero has no sign."""
    text = f"{abs(value):.{decimals}f}"
    if float(text) == 0:
        return text
    return (_MINUS if value < 0 else "+" if signed else "") + text


def quantity(value: float | None, sd: float | None = None, unit: str = "", *, signed: bool = False) -> str:
    """Write a measured value with its standard uncertainty and unit.

    With an uncertainty, two of its digits decide the decimals of both; without, three significant digits are shown.

    Returns
    -------
    str
        For example ``12.3 ± 0.8 ml``; ``n/a`` where there is no finite value.
    """
    if value is None or not _is_number(float(value)):
        return "n/a"
    value = float(value)
    if sd is None and value.is_integer() and abs(value) < 1e6:
        text = number(value, 0, signed=signed)  # a count, or a limit that was set
        return f"{text}{_SPACE}{unit}" if unit else text
    has_sd = sd is not None and _is_number(float(sd)) and float(sd) > 0
    scale = float(sd) if has_sd and sd is not None else abs(value) / 10
    decimals = 0 if scale == 0 else min(max(1 - math.floor(math.log10(scale)), 0), 4)
    text = number(value, decimals, signed=signed)
    if has_sd and sd is not None:
        text += f"{_SPACE}{_PLUS_MINUS}{_SPACE}{float(sd):.{decimals}f}"
    return f"{text}{_SPACE}{unit}" if unit else text


def percent(value_percent: float, decimals: int = 0, *, signed: bool = False) -> str:
    """Write a value that is in per cent already."""
    return f"{number(value_percent, decimals, signed=signed)}{_SPACE}%"


def sex_text(sex: str | None) -> str:
    """Write the sex that a study gives as ``M``, ``male`` ..; other words as they stand."""
    return {"m": "male", "male": "male", "f": "female", "female": "female"}.get((sex or "").lower(), sex or "")


def age_text(age_years: float | None) -> str:
    """Write an age: months under two years, years above."""
    if age_years is None:
        return "age unknown"
    if age_years < 2:
        return f"{age_years * 12:.0f}{_SPACE}months"
    return f"{age_years:.1f}{_SPACE}years"


def session_title(results: SubjectResults, label: str) -> str:
    """Return label, date and age of a session, for the head of a picture or table."""
    session = session_of(results, label)
    date = session.date.isoformat() if session and session.date else "date unknown"
    return f"ses-{label} · {date} · {age_text(session.age_years if session else None)}"


def session_of(results: SubjectResults, label: str) -> Session | None:
    """Return the session of that label, or None."""
    return next((session for session in results.subject.sessions if session.label == label), None)


def days_between(first: dt.date | None, second: dt.date | None) -> int | None:
    """Return the days from one date to another, or None where a date is unknown."""
    return (second - first).days if first and second else None


def join_words(words: Iterable[str]) -> str:
    """Join words as prose does: ``a, b and c``."""
    items = list(words)
    return " and ".join(items) if len(items) < 3 else f"{', '.join(items[:-1])} and {items[-1]}"


def plural(count: int, noun: str) -> str:
    """Return the count with its noun, the noun in its plural where the count asks for it."""
    if count != 1:
        noun = f"{noun[:-1]}ies" if noun.endswith("ry") else f"{noun}s"
    return f"{count}{_SPACE}{noun}"


def sentence(text: str) -> str:
    """Return the text with a capital at its start (unless it starts with a name like tNAA) and a full stop."""
    text = text.strip()
    word = text.split()[0].rstrip(",:;") if text else ""
    if word.isalpha() and word.islower():
        text = text[:1].upper() + text[1:]
    return text if not text or text.endswith((".", "?", "!")) else f"{text}."


def sessions_text(labels: Sequence[str], scope: str) -> str:
    """Write which sessions are meant: an interval runs from one to the other, all else lies in each of them."""
    names = [f"ses-{label}" for label in labels]
    return " to ".join((names[0], names[-1])) if scope == "interval" and len(names) > 1 else join_words(names)


def place_in_time(labels: Sequence[str], order: Mapping[str, int]) -> tuple[int, ...]:
    """Return what sessions and intervals are sorted by: in order of time, the whole course after its steps."""
    places = tuple(order.get(label, len(order)) for label in labels)
    return (int(len(places) > 1 and places[-1] - places[0] > 1), *places)


def value_text(finding: Finding) -> str:
    """Write the value of a finding, a change with its sign; empty if it has none."""
    if finding.value is None:
        return ""
    if finding.code in COUNTS:  # a count has no decimals; its error goes to the tables
        return number(finding.value, 0)
    signed = finding.scope == "interval" and finding.standard_uncertainty is not None
    return quantity(finding.value, finding.standard_uncertainty, finding.unit, signed=signed)
