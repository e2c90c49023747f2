"""Cells of clinical tables: dates, ages, labels, and columns that name a person."""

from __future__ import annotations

import datetime as dt
import re

__all__ = ["is_missing", "names_a_person", "natural_key", "parse_age_years", "parse_date"]

DAYS_PER_YEAR = 365.25
_AGE_UNITS_PER_YEAR = {"year": 1.0, "month": 12.0, "week": DAYS_PER_YEAR / 7, "day": DAYS_PER_YEAR}
_OLDEST_YEARS = 120.0
_PERSONAL = re.compile(
    r"(patient|participant|subject|child|first|last|family|given|full|sur|fore|middle|maiden)?(s)?names?|initials"
    r"|(patient|birth|date|dateof|patients?birth|dayof)*birth(date|day|time|place)?|dob|patients?ids?|otherpatientids?"
    r"|mrn|medicalrecord(number|no)?|hospital(id|number|no)|accession(number|no)?|casenumber|nhs(number|no)?|ssn"
    r"|socialsecurity(number|no)?|insurance(number|no|id)?|(home|patient)?address|street|zip(code)?|post(al)?code"
    r"|(tele)?phone(number)?|mobile|e?mail(address)?|(referring|performing|requesting)?physicians?(name|ofrecord)?"
    r"|operators?name|mother(s)?(maiden|birth)?name|father(s)?name|patientaddress|patientcomments"
)


def is_missing(cell: str | None) -> bool:
    """Return whether a cell says nothing: empty, ``n/a`` and its usual spellings."""
    return cell is None or cell.strip().lower() in {"", "n/a", "na", "nan", "none", "null", "-", "."}


def names_a_person(column: str) -> bool:
    """Return whether a column of this name tells who the patient is."""
    return _PERSONAL.fullmatch(re.sub(r"[^a-z]", "", column.lower())) is not None


def natural_key(label: str) -> tuple[tuple[int, int, str], ...]:
    """Return a sort key under which 2 comes before 10, and 01 and 1 differ."""
    parts = re.findall(r"\d+|\D+", label)
    return tuple((0, int(part), part) if part.isdigit() else (1, 0, part) for part in parts)


def parse_date(cell: str) -> dt.date:
    """Return the day of an ISO 8601 date or date and time.

    Raises
    ------
    ValueError
        If the order of day and month is not certain, or it is no date.
    """
    text = cell.strip()
    if plain := re.fullmatch(r"(\d{4})-(\d{1,2})-(\d{1,2})", text):
        return dt.date(*(int(part) for part in plain.groups()))
    if not re.match(r"\d{4}-?\d{2}-?\d{2}", text):
        raise ValueError(f"{cell!r} is not a date")
    return dt.datetime.fromisoformat(text).date()


def parse_age_years(cell: str, units: str = "year") -> float:
    """Return an age in years; ``89+`` is 89, the youngest it can be.

    Parameters
    ----------
    cell : str
        A number, with a decimal point or comma.
    units : str
        ``year``, ``month``, ``week`` or ``day``, singular or plural.

    Raises
    ------
    ValueError
        If it is not a number, or no age a person can have.
    """
    text = cell.strip().removesuffix("+").replace(",", ".")
    if not re.fullmatch(r"\d+(\.\d*)?|\.\d+", text):
        raise ValueError(f"{cell!r} is not a number")
    unit = units.strip().lower().rstrip("s") or "year"
    if unit in {"y", "yr", "a"}:
        unit = "year"
    if unit not in _AGE_UNITS_PER_YEAR:
        raise ValueError(f"unit {units!r} is not year, month, week or day")
    age = float(text) / _AGE_UNITS_PER_YEAR[unit]
    if age > _OLDEST_YEARS:
        raise ValueError(f"{cell!r} {units} is beyond {_OLDEST_YEARS:g} years")
    return age
