"""Why something could not be assessed or done: each reason once, with its patients."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Mapping
from typing import Any

import pandas as pd

from hlhneuro.answers import Answer
from hlhneuro.report.account.assessment import TROUBLE
from hlhneuro.report.cohort.section import Cohort, Row
from hlhneuro.report.tables.per_patient import by_label

__all__ = ["not_done_facts", "unknown_facts"]

NO_REASON = "no reason given"


def unknown_facts(cohort: Cohort) -> Row:
    """Return the reasons for answers that are not assessable, with their questions and patients."""
    findings = cohort.tables["findings"]
    unknown = findings[findings["answer"] == Answer.NOT_ASSESSABLE.value]
    return _listed(_grouped(unknown.to_dict(orient="records"), "label", _sessions(cohort)), cohort)


def not_done_facts(cohort: Cohort) -> Row:
    """Return the reasons for stages that failed or could not be done, with their stages and patients."""
    trouble = cohort.status[cohort.status["state"].isin(TROUBLE)]
    steps = [row | {"step": f"{row['stage']}: {row['state']}"} for row in trouble.to_dict(orient="records")]
    return _listed(_grouped(steps, "step", _sessions(cohort)), cohort)


def _sessions(cohort: Cohort) -> dict[str, set[str]]:
    visits = cohort.tables["visits"].dropna(subset=["session"])
    return {str(subject): set(own["session"]) for subject, own in visits.groupby("subject")}


def _listed(rows: list[Row], cohort: Cohort) -> Row:
    patients = {name["subject"] for row in rows for name in row["patients"]}
    limit = cohort.settings.reasons_listed
    return {
        "rows": rows,
        "reasons": len(rows),
        "listed": min(len(rows), limit),
        "folded": max(len(rows) - limit, 0),
        "patients": len(patients),
        "all_patients": len(cohort.subjects),
    }


def _grouped(rows: Iterable[Mapping[Hashable, Any]], asked: str, visits: Mapping[str, set[str]]) -> list[Row]:
    """Gather rows whose reasons differ in nothing but their numbers; the reason of the most patients comes first.

    Sessions are named where they are not all of the patient's.
    """
    found: dict[str, Row] = {}
    for row in rows:
        reason, session, subject = (_text(row.get(name)) for name in ("reason", "session", "subject"))
        reason = _without_session(reason, session) or NO_REASON
        same = found.setdefault(_pattern(reason), {"reason": reason, "reasons": set(), "of": [], "sessions": {}})
        same["reasons"].add(reason)
        same["of"] = list(dict.fromkeys([*same["of"], _text(row[asked])]))
        same["sessions"].setdefault(subject, {}).update(dict.fromkeys(session.split(",") if session else ()))
    told = [
        {
            "reason": one["reason"],
            "example": len(one["reasons"]) > 1,
            "of": one["of"],
            "count": len(one["sessions"]),
            "patients": [
                {"subject": subject or "all", "sessions": sorted(named) if named != visits.get(subject) else []}
                for subject in by_label(one["sessions"])
                for named in [set(one["sessions"][subject])]
            ],
        }
        for one in found.values()
    ]
    return sorted(told, key=lambda one: -one["count"])


def _text(value: object) -> str:
    return "" if value is None or (isinstance(value, float) and pd.isna(value)) else str(value)


def _without_session(reason: str, session: str) -> str:
    """Leave out the label of the session that a reason begins with: it stands beside the patient."""
    return re.sub(rf"^(ses-)?{re.escape(session)} (?=\S)", "", reason) if session else reason


def _pattern(reason: str) -> str:
    """Return the reason with its numbers, and lists of numbers, left out."""
    return re.sub(r"(#(, | and )?)+", "#", re.sub(r"\d+(\.\d+)?", "#", reason))
