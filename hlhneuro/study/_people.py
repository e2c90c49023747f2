"""participants.tsv, sessions.tsv and scans.tsv: dates, ages, sex and covariates."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hlhneuro.errors import InputError
from hlhneuro.study._sidecars import read_json
from hlhneuro.study._tables import read_cells
from hlhneuro.study._values import is_missing, names_a_person, parse_age_years, parse_date

__all__ = ["Row", "Table", "read_sex", "read_table_of"]

_DATE_COLUMNS = ("acq_time", "date", "session_date", "scan_date", "acq_date", "acquisition_date")
_SEXES = {"f": "F", "female": "F", "m": "M", "male": "M", "o": "O", "other": "O"}


@dataclass(frozen=True)
class Row:
    """One participant or session: what is known, as text, missing cells left out."""

    cells: Mapping[str, str] = field(default_factory=dict)
    where: str = ""
    age_units: str = "year"

    def age_years(self) -> tuple[float | None, list[str]]:
        """Return the age, or None, and what is wrong with it."""
        cell = self.cells.get("age")
        if cell is None:
            return None, []
        try:
            age = parse_age_years(cell, self.age_units)
        except ValueError as error:
            return None, [f"{self.where}: age {error}; write a number of years, or n/a"]
        if cell.strip().endswith("+"):
            return age, [f"{self.where}: age {cell} is only known as {age:g} years or more"]
        return age, []

    def date(self) -> tuple[dt.date | None, list[str]]:
        """Return the day, or None, and what is wrong with it."""
        column = next((name for name in _DATE_COLUMNS if name in self.cells), None)
        if column is None:
            return None, []
        try:
            return parse_date(self.cells[column]), []
        except ValueError:
            return None, [
                f"{self.where}: {column} {self.cells[column]!r} cannot be read as a date; write it as 2020-01-31"
            ]

    def covariates(self) -> dict[str, str]:
        """Return all further columns."""
        own = {"participant_id", "session_id", "age", "sex", *_DATE_COLUMNS}
        return {name: cell for name, cell in self.cells.items() if name not in own}


@dataclass(frozen=True)
class Table:
    """Rows by label, without ``sub-`` or ``ses-``; `present` is False where there is no readable file."""

    rows: Mapping[str, Row] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    present: bool = False


def read_table_of(path: Path, key: str, *explanations: Path) -> Table:
    """Return the rows of a BIDS table by their label; a missing or unusable table is empty.

    Parameters
    ----------
    path : path
        The TSV file.
    key : str
        Column of the labels: ``participant_id``, ``session_id`` or ``filename``.
    *explanations : path
        JSON files that may tell the unit of ``age``; the last one wins.
    """
    if not path.is_file():
        return Table()
    try:
        header, body = read_cells(path, strip=True)
    except InputError as error:
        return Table(problems=(str(error),))
    known = {key, "age", "sex", *_DATE_COLUMNS}
    header = [name.lower() if name.lower() in known else name for name in header]
    if key not in header:
        return Table(
            problems=(
                f"{path.name}: the column {key} is missing, so that nothing can be taken from it; add the column",
            )
        )
    units, problems = _age_units(explanations)
    personal = [name for name in header if names_a_person(name)]
    if personal:
        problems.append(
            f"{path.name}: the columns {', '.join(personal)} name the patient; they are not kept. "
            "Remove them from the study"
        )
    rows: dict[str, Row] = {}
    for cells in body:
        kept = {
            name: cell
            for name, cell in zip(header, cells, strict=True)
            if name not in personal and (name == key or not is_missing(cell))
        }
        label = kept[key].removeprefix("sub-").removeprefix("ses-")
        if is_missing(label):
            problems.append(f"{path.name}: a row without {key} is left out")
        elif label in rows:
            problems.append(f"{path.name}: {kept[key]} is listed twice; the first row is used")
        else:
            rows[label] = Row(kept, f"{path.name}, {kept[key]}", units)
    return Table(rows, tuple(problems), True)


def _age_units(explanations: tuple[Path, ...]) -> tuple[str, list[str]]:
    units, problems = "year", []
    for path in explanations:
        if path.is_file():
            try:
                told = read_json(path).get("age")
            except InputError as error:
                problems.append(str(error))
                continue
            if isinstance(told, dict) and isinstance(told.get("Units"), str):
                units = told["Units"]
    return units, problems


def read_sex(row: Row) -> tuple[str | None, list[str]]:
    """Return ``F``, ``M`` or ``O``, or None, and what is wrong with the cell."""
    cell = row.cells.get("sex")
    if cell is None:
        return None, []
    sex = _SEXES.get(cell.strip().lower())
    return sex, [] if sex else [f"{row.where}: sex {cell!r} is not F, M, O or n/a"]
