"""Treatment, events and clinical observations of the invented patients, as rows of their tables."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Literal

import numpy as np

from hlhneuro.study import SYMPTOMS, observed_columns

__all__ = ["EVENT_COLUMNS", "OBSERVATION_COLUMNS", "Rows", "improving_record", "progressing_record", "random_record"]

Rows = tuple[dict[str, object], ...]

EVENT_COLUMNS = {
    "participant_id": "Patient",
    "event": "Drug, procedure or event; all are invented",
    "start_date": "First or only day",
    "end_date": "Last day; missing for a single day and for a course that goes on",
    "detail": "Dose and the like",
}
OBSERVATION_COLUMNS = {
    "participant_id": "Patient",
    "date": "Day of the observation; all are invented",
    SYMPTOMS: "present or absent",
    **{column.name: f"{column.label} ({column.unit})" for column in observed_columns()},
    "note": "What else was seen",
}
_Event = tuple[str, str, str | None, str]
_Observation = tuple[str, Literal["present", "absent"], Sequence[object], str]


def _events(*rows: _Event) -> Rows:
    return tuple(dict(zip(("event", "start_date", "end_date", "detail"), row, strict=True)) for row in rows)


def _observations(names: Sequence[str], *rows: _Observation) -> Rows:
    """Amounts follow in the order of the given columns; None was not measured."""
    return tuple(
        {"date": date, SYMPTOMS: symptoms, **dict(zip(names, amounts, strict=True)), "note": note}
        for date, symptoms, amounts, note in rows
    )


_FLUID = ("csf_cells_per_ul", "csf_protein_mg_per_l", "csf_neopterin_nmol_per_l")
_BLOOD = ("ferritin_ug_per_l", "scd25_u_per_ml")


def progressing_record() -> tuple[Rows, Rows]:
    """Return events and observations of the boy who gets worse: treated, with seizure and high blood pressure."""
    events = _events(
        ("dexamethasone", "2021-02-18", None, "10 mg/m2, from 2021-03-04 5 mg/m2"),
        ("etoposide", "2021-02-18", None, "150 mg/m2, twice weekly, then weekly"),
        ("rituximab", "2021-02-24", None, "375 mg/m2"),
        ("rituximab", "2021-03-03", None, "375 mg/m2"),
        ("ciclosporin", "2021-03-15", None, "trough 200 µg/l"),
        ("intrathecal methotrexate", "2021-03-17", None, "12 mg, with prednisolone"),
        ("intrathecal methotrexate", "2021-03-24", None, "12 mg, with prednisolone"),
        ("hypertension", "2021-03-27", "2021-03-31", "up to 150/100 mmHg"),
        ("generalised seizure", "2021-03-30", None, "three minutes"),
    )
    observations = _observations(
        (*_FLUID, *_BLOOD, "ebv_copies_per_ml"),
        ("2021-02-19", "absent", (None, None, None, 8800, 14200, 240000), "fever, large spleen"),
        ("2021-02-27", "absent", (14, 410, 95, 6300, 11900, 182000), "irritable, no focal sign"),
        ("2021-03-17", "present", (31, 640, 170, 5200, 9400, 88000), "unsteady gait"),
        ("2021-03-31", "present", (46, 890, 260, 15800, 21400, 61000), "ataxia, drowsy after the seizure"),
    )
    return events, observations


def improving_record() -> tuple[Rows, Rows]:
    """Return events and observations of the girl who improves, is transplanted and stays well."""
    doses = ("2022-01-20", "2022-01-27", "2022-02-03", "2022-02-10")
    events = _events(
        ("dexamethasone", "2022-01-05", "2022-05-10", "10 mg/m2, reduced every two weeks, then pulses"),
        ("etoposide", "2022-01-05", "2022-05-03", "150 mg/m2, twice weekly, then weekly"),
        ("generalised seizure", "2022-01-06", None, "two minutes"),
        ("ciclosporin", "2022-01-19", "2022-06-07", ""),
        *(("intrathecal methotrexate", day, None, "12 mg, with prednisolone") for day in doses),
        ("conditioning", "2022-06-07", "2022-06-13", "treosulfan, fludarabine, alemtuzumab"),
        ("HSCT", "2022-06-14", None, "matched unrelated donor"),
    )
    observations = _observations(
        (*_FLUID, *_BLOOD, "donor_chimerism_percent"),
        ("2022-01-07", "present", (28, 620, 180, 12400, 18300, None), "seizure, sixth nerve palsy"),
        ("2022-02-10", "present", (9, 480, 74, 2100, 5200, None), "palsy less"),
        ("2022-04-14", "absent", (3, 290, 35, 640, 1900, None), ""),
        ("2022-07-14", "absent", (None, None, None, 910, 1500, 100), "day 30 after HSCT"),
        ("2022-10-20", "absent", (1, 260, 18, 140, 620, 96), "back at school"),
    )
    return events, observations


def random_record(dates: Sequence[dt.date], rng: np.random.Generator, *, worsening: bool) -> tuple[Rows, Rows]:
    """Return an invented record around the given visits: drugs before the first, fluid and blood before each."""
    start = dates[0] - dt.timedelta(days=int(rng.integers(3, 15)))
    doses = [start + dt.timedelta(days=14 + 7 * number) for number in range(int(rng.integers(0, 5)))]
    events = _events(
        ("dexamethasone", start.isoformat(), None if worsening else dates[-1].isoformat(), "10 mg/m2, then less"),
        ("etoposide", start.isoformat(), None if worsening else dates[-1].isoformat(), "150 mg/m2"),
        *(("intrathecal methotrexate", day.isoformat(), None, "12 mg") for day in doses),
    )
    rows: list[_Observation] = []
    for number, date in enumerate(dates):
        part = number / max(len(dates) - 1, 1)
        level = float(0.5 + 0.5 * part if worsening else 1 - part) * float(rng.uniform(0.8, 1.2))
        amounts = (2 + round(30 * level), 250 + round(400 * level), 20 + round(150 * level), 200 + round(9000 * level),
                   700 + round(15000 * level))  # fmt: skip
        day = date - dt.timedelta(days=int(rng.integers(0, 6)))
        rows.append((day.isoformat(), "present" if level > 0.4 else "absent", amounts, ""))
    return events, _observations((*_FLUID, *_BLOOD), *rows)
