"""What the tables of a cohort say per patient: first and last load, change over the course, ratios, groups."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from hlhneuro.report.tables.visits import PATIENT
from hlhneuro.report.words import sex_text

__all__ = [
    "RATIOS",
    "by_label",
    "group_names",
    "groups_of",
    "lesion_loads",
    "patient_courses",
    "ratio_courses",
    "spread_of",
]

Tables = Mapping[str, pd.DataFrame]
RATIOS = ("tNAA", "tCho", "Lac")


def by_label(labels: Iterable[str]) -> list[str]:
    """Return labels in order, numbers as numbers: 2 before 10."""
    return sorted(set(labels), key=lambda label: (not label.isdecimal(), int(label) if label.isdecimal() else 0, label))


def numbers(values: pd.Series[Any]) -> pd.Series[float]:
    """Return the values as numbers; what is none is missing."""
    return pd.to_numeric(values, errors="coerce").astype(float)


def lesion_loads(tables: Tables) -> pd.DataFrame:
    """Return one row per session with a known load, in order of time: its day since the patient's first session too."""
    table = tables["volumes"]
    table = table[(table["structure"] == "lesion_load") & table["volume_ml"].notna()]
    return _with_days(table, tables).sort_values(["subject", "days", "session"], kind="stable").reset_index(drop=True)


def _with_days(table: pd.DataFrame, tables: Tables) -> pd.DataFrame:
    """Add the days since the first session of the patient, whether or not anything was measured at the first."""
    visits = tables["visits"]
    first = pd.to_datetime(visits["date"], errors="coerce").groupby(visits["subject"]).min()
    start = pd.to_datetime(table["subject"].map(first.to_dict()), errors="coerce")
    days = (pd.to_datetime(table["date"], errors="coerce") - start).dt.days
    return table.assign(days=days.astype(float))


def patient_courses(tables: Tables) -> pd.DataFrame:
    """Return one row per patient with a load: at the first and last session that have one, and the change between.

    Returns
    -------
    DataFrame
        ``subject, sessions, first_ml, first_sd_ml, last_ml, last_sd_ml, net_ml, net_sd_ml, days``; the change is that
        of the whole course as it was measured, and missing where the two sessions cannot be compared.
    """
    loads, rows = lesion_loads(tables), []
    for subject, own in loads.groupby("subject", sort=False):
        first, last = own.iloc[0], own.iloc[-1]
        row = {"subject": subject, "sessions": len(own)}
        row |= {"first_ml": first["volume_ml"], "first_sd_ml": first["volume_sd_ml"]}
        row |= {"last_ml": last["volume_ml"], "last_sd_ml": last["volume_sd_ml"]}
        rows.append(row | _whole_course(tables["intervals"], str(subject)))
    columns = ["subject", "sessions", "first_ml", "first_sd_ml", "last_ml", "last_sd_ml", "net_ml", "net_sd_ml", "days"]
    return pd.DataFrame(rows, columns=columns)


def _whole_course(intervals: pd.DataFrame, subject: str) -> dict[str, Any]:
    own = intervals[intervals["subject"] == subject]
    whole = own[own["span"] == "course"]
    found = whole if len(whole) else own if len(own) == 1 else own.iloc[:0]
    names = ("net_ml", "net_sd_ml", "days")
    return {name: found[name].iloc[0] for name in names} if len(found) else dict.fromkeys(names)


def ratio_courses(tables: Tables, limits_s: Sequence[float]) -> pd.DataFrame:
    """Return the followed ratios of all usable spectra, with the class of their echo time (from 0) and their day."""
    table = tables["spectra"]
    usable = table["metabolite"].isin(RATIOS) & table["ratio_to_tcr"].notna() & (table["verdict"] != "not usable")
    table = _with_days(table[usable & table["echo_time_s"].notna()], tables)
    echo = numbers(table["echo_time_s"])
    classes = sum((echo > limit).astype(int) for limit in limits_s)
    return table.assign(echo_class=classes).sort_values(["subject", "spectrum", "days"], kind="stable")


def groups_of(tables: Tables) -> pd.DataFrame:
    """Return one row per patient with the columns that may divide the cohort: ``sex`` and those of participants.tsv."""
    visits = tables["visits"]
    names = ["sex", *(name for name in visits.columns if str(name).startswith(PATIENT))]
    groups = visits.drop_duplicates("subject").set_index("subject")[names]
    groups = groups.assign(sex=groups["sex"].map(sex_text, na_action="ignore"))
    return groups.rename(columns=lambda name: str(name).removeprefix(PATIENT))


def group_names(groups: pd.DataFrame, wanted: Sequence[str], limits: Sequence[int]) -> tuple[list[str], dict[str, str]]:
    """Return the columns that divide the cohort, and of the others why they do not.

    Parameters
    ----------
    groups : DataFrame
        From `groups_of`.
    wanted : sequence of str
        Columns that the user names; empty for all that give few groups with more than one patient in any.
    limits : sequence of int
        Fewest and most groups.
    """
    chosen, passed_over = [], {}
    for name in wanted or groups.columns:
        values = groups[name].dropna().astype(str) if name in groups else None
        if values is None:
            passed_over[name] = "there is no such column in participants.tsv"
        elif not limits[0] <= values.nunique() <= limits[1]:
            count = values.nunique()
            passed_over[name] = f"{count} group{'' if count == 1 else 's'}"
        elif not wanted and values.value_counts().max() < 2:
            passed_over[name] = "no group has more than one patient"
        else:
            chosen.append(name)
    return chosen, passed_over


def spread_of(values: Iterable[float | None]) -> dict[str, float | int | None]:
    """Return ``count, median, low, high`` of the values that are known."""
    known = numbers(pd.Series(list(values), dtype=object)).dropna()
    if known.empty:
        return {"count": 0, "median": None, "low": None, "high": None}
    return {
        "count": len(known),
        "median": float(known.median()),
        "low": float(known.min()),
        "high": float(known.max()),
    }
