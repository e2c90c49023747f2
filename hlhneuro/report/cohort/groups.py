"""Load and change by group: counts, medians and single points; no test, because groups are small."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hlhneuro.report import figures
from hlhneuro.report.cohort.section import Cohort, Pictures, Row
from hlhneuro.report.gallery import Gallery
from hlhneuro.report.tables.per_patient import group_names, groups_of, spread_of
from hlhneuro.report.words import quantity

__all__ = ["facts", "pictures"]


def facts(cohort: Cohort) -> Row:
    """Return load and change of every group, and which columns do not divide the cohort, and why."""
    groups, courses, settings = groups_of(cohort.tables), cohort.courses, cohort.settings
    names, passed_over = group_names(groups, settings.group_columns, settings.group_limits)
    columns = []
    for name in names:
        values = groups[name].dropna().astype(str)
        rows = []
        for value in sorted(set(values)):
            own = courses[courses["subject"].isin(values.index[values == value])]
            counts = {"patients": int((values == value).sum())}
            rows.append(
                {"group": value, **counts, "first_ml": spread_of(own["first_ml"]), "net_ml": spread_of(own["net_ml"])}
            )
        columns.append({"name": name, "rows": rows, "without": len(cohort.subjects) - len(values)})
    return {
        "fewest": settings.group_limits[0],
        "most": settings.group_limits[1],
        "columns": columns,
        "passed_over": [{"name": name, "reason": reason} for name, reason in passed_over.items()],
    }


def pictures(cohort: Cohort, facts: Mapping[str, Any], gallery: Gallery) -> Pictures:
    """Draw one figure per column."""
    return {
        "columns": [
            gallery.vector(
                lambda name=column["name"]: figures.group_comparison(cohort.tables, name),  # type: ignore[misc]
                "Each point is a patient, the dark bar the median of its group. Groups are as the study names them; "
                "they may differ in age, treatment and time of follow-up as well.",
                f"Load and change by {column['name']}. "
                + " ".join(
                    f"{row['group']}: first load {_told(row['first_ml'])}, change {_told(row['net_ml'])}."
                    for row in column["rows"]
                ),
            )
            for column in facts["columns"]
        ]
    }


def _told(spread: Mapping[str, Any]) -> str:
    if not spread["count"]:
        return "not known"
    return f"median {quantity(spread['median'], None, 'ml')}, n = {spread['count']}"
