"""Clinical observations over time: symptoms, cerebrospinal fluid, blood; each with unit, range and limit."""

from __future__ import annotations

import datetime as dt
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Literal

from hlhneuro.study._clinical_tables import Remark, TableRow, read_rows
from hlhneuro.study.layout import Study

__all__ = [
    "CSF_ABNORMAL_BY",
    "SYMPTOMS",
    "Amount",
    "Limit",
    "Observation",
    "ObservedColumn",
    "Verdict",
    "observed_columns",
    "read_observations",
]

Verdict = Literal["beyond", "usual", "unclear"]
SYMPTOMS = "neurological_symptoms"
# What makes cerebrospinal fluid abnormal: cells or protein, as in the groups of Horne 2008.
CSF_ABNORMAL_BY = ("csf_cells_per_ul", "csf_protein_mg_per_l")
_NEEDED = ("date",)
_ANSWERS = {"present": True, "yes": True, "absent": False, "no": False}
_NUMBER = re.compile(r"([<>]?)\s*(\d+(?:\.\d+)?(?:e[+-]?\d+)?)", re.IGNORECASE)


@dataclass(frozen=True)
class Amount:
    """A measured value; `bound` is ``<`` or ``>`` where the laboratory gave a bound only."""

    value: float
    bound: Literal["", "<", ">"] = ""


@dataclass(frozen=True)
class Limit:
    """From which value on an amount stands out, at an age.

    Parameters
    ----------
    from_years, until_years : float
        Ages it holds for; the second is not included.
    usual_to, beyond : float
        Up to the first an amount is usual, past the second it is beyond the limit; between them it cannot be said.
    side : {"above", "below"}
        Where beyond lies.
    source : str
    reached : bool
        Whether the limit itself already counts as beyond.
    """

    from_years: float
    until_years: float
    usual_to: float
    beyond: float
    side: Literal["above", "below"]
    source: str
    reached: bool = False

    def verdict(self, amount: Amount) -> Verdict:
        """Say where an amount lies."""
        value, usual_to, beyond = amount.value, self.usual_to, self.beyond
        bound: str = amount.bound
        if self.side == "below":
            value, usual_to, beyond = -value, -usual_to, -beyond
            bound = {"<": ">", ">": "<", "": ""}[bound]
        past = value > beyond or (value == beyond and (self.reached or bound == ">"))
        short = value < usual_to or (value == usual_to and (bound == "<" or not self.reached))
        if past and bound != "<":
            return "beyond"
        if short and bound != ">":
            return "usual"
        return "unclear"


@dataclass(frozen=True)
class ObservedColumn:
    """One column of amounts, as ``observations.toml`` describes it."""

    name: str
    label: str
    unit: str
    lowest: float
    highest: float
    range_source: str
    limits: tuple[Limit, ...] = ()

    def limits_at(self, age_years: float | None) -> tuple[Limit, ...]:
        """Return the limits that hold at an age; all of them where it is not known."""
        if age_years is None:
            return self.limits
        return tuple(limit for limit in self.limits if limit.from_years <= age_years < limit.until_years)

    def verdict(self, amount: Amount, age_years: float | None) -> tuple[Verdict, Limit | None]:
        """Say where an amount lies at an age, and by which limit; unclear where limits of possible ages disagree."""
        limits = self.limits_at(age_years)
        found = {limit.verdict(amount) for limit in limits}
        if len(found) != 1:
            return "unclear", None
        return found.pop(), limits[0] if len(limits) == 1 else None


@dataclass(frozen=True)
class Observation:
    """What was seen or measured in one patient on one day.

    Parameters
    ----------
    subject : str
        Label without ``sub-``.
    date : date, optional
    neurological_symptoms : bool, optional
        None if nothing is said of them.
    amounts : mapping of column to Amount
        By the names of `observed_columns`; what was not measured is not in it.
    note : str
    """

    subject: str
    date: dt.date | None
    neurological_symptoms: bool | None = None
    amounts: Mapping[str, Amount] = field(default_factory=dict)
    note: str = ""

    def has(self, name: str) -> bool:
        """Return whether it says something of a column."""
        return self.neurological_symptoms is not None if name == SYMPTOMS else name in self.amounts


@cache
def observed_columns() -> tuple[ObservedColumn, ...]:
    """Return the columns of amounts, in the order of the data file."""
    text = files("hlhneuro.study").joinpath("observations.toml").read_text(encoding="utf-8")
    return tuple(
        ObservedColumn(**{**column, "limits": tuple(Limit(**limit) for limit in column["limits"])})
        for column in tomllib.loads(text)["columns"]
    )


def read_observations(study: Study) -> tuple[tuple[Observation, ...], tuple[Remark, ...]]:
    """Return the observations of a study, in order of subject and time, and what is to be said of their tables.

    Read are ``phenotype/clinical.tsv`` (participant_id, date, neurological_symptoms, the columns of `observed_columns`,
    note) and each subject's ``sub-X/sub-X_clinical.tsv`` (the same without participant_id). Neither needs to be there,
    nor any column but date. A cell that cannot be used is left out with a remark; the rest of its row stays.
    """
    columns = observed_columns()
    optional = (SYMPTOMS, *(column.name for column in columns), "note")
    rows, remarks = read_rows(study, "clinical", "clinical", _NEEDED, optional)
    found = [_observation(row, remarks) for row in rows]
    found.sort(key=lambda one: (one.subject, one.date or dt.date.max))
    return tuple(found), tuple(remarks)


def _observation(row: TableRow, remarks: list[Remark]) -> Observation:
    date = row.date("date", remarks)
    if "date" not in row.cells:
        remarks.append(row.remark("date is missing, so that it stands beside no session; write its day"))
    symptoms = None
    if (cell := row.cells.get(SYMPTOMS)) is not None:
        symptoms = _ANSWERS.get(cell.lower())
        if symptoms is None:
            remarks.append(
                row.remark(f"{SYMPTOMS} {cell!r} is neither present nor absent; it is left out; write one of them")
            )
    amounts = {}
    for column in observed_columns():
        cell = row.cells.get(column.name)
        amount = _amount(row, column, cell, remarks) if cell is not None else None
        if amount is not None:
            amounts[column.name] = amount
    return Observation(row.subject, date, symptoms, amounts, row.cells.get("note", ""))


def _amount(row: TableRow, column: ObservedColumn, cell: str, remarks: list[Remark]) -> Amount | None:
    number = _NUMBER.fullmatch(cell)
    if number is None:
        remedy = "write it with a decimal point and without separators; a bound as <100 or >100000"
        remarks.append(row.remark(f"{column.name} {cell!r} is no plain number; it is left out; {remedy}"))
        return None
    value = float(number[2])
    if not column.lowest <= value <= column.highest:
        text = f"{column.name} {cell} lies outside {column.lowest:g} to {column.highest:g} {column.unit}"
        remarks.append(row.remark(f"{text}; it is left out; check digits and unit"))
        return None
    bound = number[1]
    return Amount(value, "<" if bound == "<" else ">" if bound == ">" else "")
