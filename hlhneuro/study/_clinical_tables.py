"""Tables of what happened to patients: one of the whole study in phenotype/, or one in the folder of each patient."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hlhneuro.errors import InputError
from hlhneuro.study._tables import read_cells
from hlhneuro.study._values import is_missing, names_a_person, parse_date
from hlhneuro.study.layout import Study

__all__ = ["Remark", "TableRow", "read_rows"]


@dataclass(frozen=True)
class Remark:
    """What is to be said of a table: a sentence with file, row, column, found value and remedy.

    Parameters
    ----------
    text : str
    subject : str
        Label of the patient whose row it is; empty if it concerns the whole table.
    fault : bool
        Whether something that was meant to be used could not be used.
    """

    text: str
    subject: str = ""
    fault: bool = True


@dataclass(frozen=True)
class TableRow:
    """One row: whose it is, its cells (missing ones left out), and where it stands."""

    subject: str
    cells: Mapping[str, str]
    where: str

    def remark(self, text: str) -> Remark:
        """Say something of this row."""
        return Remark(f"{self.where}: {text}", self.subject)

    def date(self, column: str, remarks: list[Remark]) -> dt.date | None:
        """Return the day in a column; None if it is missing, or with a remark if it is no date."""
        cell = self.cells.get(column)
        if cell is None:
            return None
        try:
            return parse_date(cell)
        except ValueError:
            remarks.append(self.remark(f"{column} {cell!r} is no date; it is left out; write it as 2020-01-31"))
            return None


def read_rows(
    study: Study, name: str, own_name: str, needed: Sequence[str], optional: Sequence[str]
) -> tuple[list[TableRow], list[Remark]]:
    """Return the rows of ``phenotype/NAME.tsv`` and of each ``sub-X/sub-X_OWN_NAME.tsv``, and what to say of them.

    Columns that are not named are left out with a remark; so are rows of patients who are not in the study.
    """
    rows: list[TableRow] = []
    remarks: list[Remark] = []
    known = {subject.label for subject in study.subjects}
    for path, owner in _tables(study, name, own_name):
        wanted = (*(("participant_id",) if owner is None else ()), *needed)
        body, wrong = _read(path, wanted, (*wanted, *optional))
        remarks += [Remark(remark.text, owner or "", remark.fault) for remark in wrong]
        strangers: dict[str, None] = {}
        for number, cells in body:
            subject = owner or cells.get("participant_id", "").removeprefix("sub-")
            row = TableRow(subject, cells, f"{path.name}, row {number}")
            if not subject:
                remarks.append(row.remark("participant_id is missing; the row is left out; write whose it is"))
            elif subject not in known:
                strangers[subject] = None
            elif set(cells) - {"participant_id"}:
                rows.append(row)
        remarks += [
            Remark(f"{path.name} lists {label}, who has no folder sub-{label}", label, fault=False)
            for label in strangers
        ]
    return rows, remarks


def _tables(study: Study, name: str, own_name: str) -> Iterator[tuple[Path, str | None]]:
    """Return the tables that are there, each with the patient whose it is (None: of the whole study)."""
    places: list[tuple[Path, str | None]] = [(study.root / "phenotype" / f"{name}.tsv", None)]
    for subject in study.subjects:
        folder = study.root / f"sub-{subject.label}"
        places.append((folder / f"sub-{subject.label}_{own_name}.tsv", subject.label))
    yield from (place for place in places if place[0].is_file())


def _read(
    path: Path, needed: Sequence[str], known: Sequence[str]
) -> tuple[list[tuple[int, dict[str, str]]], list[Remark]]:
    """Return the numbered rows with the known columns only, and what is to be said of the table as a whole."""
    try:
        header, body = read_cells(path, strip=True)
    except InputError as error:
        return [], [Remark(str(error))]
    if missing := sorted(set(needed) - set(header)):
        return [], [
            Remark(f"{path.name}: the columns {', '.join(missing)} are missing; nothing of it is used; add them")
        ]
    remarks = []
    if twice := sorted({name for name in header if name and header.count(name) > 1}):
        text = f"{path.name}: the columns {', '.join(twice)} stand twice; nothing of it is used; keep one of each"
        return [], [Remark(text)]
    personal = [name for name in header if name not in known and names_a_person(name)]
    if personal:
        remarks.append(
            Remark(f"{path.name}: the columns {', '.join(personal)} name the patient; remove them from the study")
        )
    strange = [name for name in header if name and name not in known and name not in personal]
    if strange:
        text = (
            f"{path.name}: the columns {', '.join(strange)} are not known and not shown; known are {', '.join(known)}"
        )
        remarks.append(Remark(text, fault=False))
    rows = [
        (number, {name: cell for name, cell in zip(header, row, strict=True) if name in known and not is_missing(cell)})
        for number, row in enumerate(body, start=2)
    ]
    return rows, remarks
