"""What a section of a cohort's page is, and what it is made from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import pandas as pd

from hlhneuro.report.gallery import Gallery
from hlhneuro.report.tables.columns import COLUMNS
from hlhneuro.report.tables.per_patient import by_label, patient_courses
from hlhneuro.settings import ReportSettings

__all__ = ["Cohort", "CohortSection", "Pictures", "Row"]

Row = dict[str, Any]
Pictures = dict[str, Any]


@dataclass(frozen=True)
class Cohort:
    """The tables of all patients.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        All of `hlhneuro.report.COLUMNS`; labels of patients and sessions are text.
    status : DataFrame
        ``subject, session, stage, state, reason``; empty if it is not known.
    settings : ReportSettings
    pages : mapping of str to str
        Where the page of a patient lies, seen from the cohort's, by label.
    """

    tables: Mapping[str, pd.DataFrame]
    status: pd.DataFrame
    settings: ReportSettings = field(default_factory=ReportSettings)
    pages: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        tables: Mapping[str, pd.DataFrame],
        settings: ReportSettings | None = None,
        pages: Mapping[str, str] | None = None,
    ) -> Cohort:
        """Take the tables as they were read, ``status`` among them; a table that is missing is empty."""
        empty = {name: pd.DataFrame(columns=list(columns)) for name, columns in COLUMNS.items()}
        found = {name: _labelled(tables.get(name, none)) for name, none in empty.items()}
        states = pd.DataFrame(columns=["subject", "session", "stage", "state", "reason"])
        status = _labelled(tables.get("status", states).reindex(columns=states.columns))
        return cls(found, status, settings or ReportSettings(), pages or {})

    @cached_property
    def subjects(self) -> list[str]:
        """Labels of all patients of whom anything is known, in order."""
        every = [*self.tables.values(), self.status]
        return by_label(label for table in every for label in table["subject"].dropna() if label)

    @cached_property
    def courses(self) -> pd.DataFrame:
        """First and last load and the change of every patient."""
        return patient_courses(self.tables)

    @cached_property
    def _places(self) -> dict[str, Mapping[Any, Any]]:
        return {name: table.groupby("subject", sort=False).indices for name, table in self.tables.items()}

    def of_subject(self, table: str, subject: str) -> pd.DataFrame:
        """Return the rows of one patient."""
        rows: pd.DataFrame = self.tables[table].iloc[self._places[table].get(subject, [])]
        return rows


def _labelled(table: pd.DataFrame) -> pd.DataFrame:
    names = [name for name in ("subject", "session", "before", "after") if name in table]
    return table.assign(**{name: table[name].map(str, na_action="ignore").astype(object) for name in names})


@dataclass(frozen=True)
class CohortSection:
    """One section of the page; ``templates/cohort/<key>.html.j2`` lays it out.

    Parameters
    ----------
    key, title : str
    facts : callable
        Returns what the section tells, as plain JSON: numbers in the unit their name ends with.
    pictures : callable
        Returns the figures, drawn from the tables.
    """

    key: str
    title: str
    facts: Callable[[Cohort], Row]
    pictures: Callable[[Cohort, Mapping[str, Any], Gallery], Pictures] = lambda _cohort, _facts, _gallery: {}
