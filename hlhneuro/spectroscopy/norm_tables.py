"""Tables of healthy controls: the published values that come with the package, and the user's own."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

import numpy as np

from hlhneuro.errors import InputError

__all__ = ["NormEntry", "published_values", "read_controls"]

_TEXT = ("metabolite", "region", "sequence", "source")
_RANGES = {  # what a number of the table can be; outside of it the unit is wrong
    "mean": (0.0, 50.0),
    "sd": (1e-6, 50.0),
    "n": (2, 1e6),
    "age_years": (0.0, 120.0),
    "field_t": (0.2, 15.0),
    "echo_time_s": (0.001, 1.0),
}


@dataclass(frozen=True)
class NormEntry:
    """One group of healthy people: mean and standard deviation of a ratio to total creatine, and how it was acquired.

    Parameters
    ----------
    metabolite : str
        ``tNAA`` ..: amount over that of total creatine as a linear-combination fit gives it, without relaxation
        correction (not a ratio of peak heights or areas).
    mean, sd : float
    n : int
    age_years : float
        Mean age of the group.
    region : str
    field_t, echo_time_s : float
    sequence : str
    source : str
    """

    metabolite: str
    mean: float
    sd: float
    n: int
    age_years: float
    region: str
    field_t: float
    echo_time_s: float
    sequence: str
    source: str


def read_controls(path: str | Path) -> tuple[NormEntry, ...]:
    """Read a table of healthy controls, in the form of ``norms.tsv`` (see ``docs/norms.md``).

    Raises
    ------
    InputError
        If it cannot be read, a column is missing, or a value is outside its physical range.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"the table of controls cannot be read: {error}",
            path=path,
            remedy="give a tab-separated UTF-8 file, or leave norm_controls empty",
        ) from None
    return _entries(text, Path(path))


@cache
def published_values() -> tuple[NormEntry, ...]:
    """Return the published values of ``norms.tsv``."""
    name = "norms.tsv"
    return _entries(files("hlhneuro.spectroscopy").joinpath(name).read_text(encoding="utf-8"), Path(name))


def _entries(text: str, path: Path) -> tuple[NormEntry, ...]:
    reader = csv.DictReader(io.StringIO(text), delimiter="\t", quoting=csv.QUOTE_NONE)
    columns = (*_TEXT, *_RANGES)
    missing = [name for name in columns if name not in (reader.fieldnames or ())]
    if missing:
        raise InputError(
            "the table of controls lacks columns",
            path=path,
            field=", ".join(missing),
            remedy=f"give it the columns {', '.join(columns)}, separated by tabs",
        )
    return tuple(_entry(row, line, path) for line, row in enumerate(reader, start=2))


def _entry(row: Mapping[str, str | None], line: int, path: Path) -> NormEntry:
    words = {name: (row[name] or "").strip() for name in _TEXT}
    numbers = {name: _number(name, row[name], line, path) for name in _RANGES}
    empty = [name for name, word in words.items() if not word]
    if empty:
        raise InputError(f"row {line} says nothing", path=path, field=", ".join(empty), remedy="fill it in")
    return NormEntry(
        words["metabolite"],
        numbers["mean"],
        numbers["sd"],
        int(numbers["n"]),
        numbers["age_years"],
        words["region"].lower(),
        numbers["field_t"],
        numbers["echo_time_s"],
        words["sequence"].lower(),
        words["source"],
    )


def _number(name: str, text: str | None, line: int, path: Path) -> float:
    low, high = _RANGES[name]
    try:
        value = float(text or "")
    except ValueError:
        value = np.nan
    if not low <= value <= high:
        raise InputError(
            f"row {line} needs a number from {low:g} to {high:g}",
            path=path,
            field=name,
            found=text,
            remedy="give years, tesla and seconds (an echo time of 0.030)",
        )
    return value
