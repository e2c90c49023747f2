"""What the page of a cohort shows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from hlhneuro.answers import Answer
from hlhneuro.report import figures
from hlhneuro.report.assessment import TROUBLE
from hlhneuro.report.gallery import Gallery
from hlhneuro.report.words import quantity

__all__ = ["cohort_view"]

Row = dict[str, Any]


def cohort_view(tables: Mapping[str, pd.DataFrame], gallery: Gallery) -> Row:
    """Return everything the page of a cohort shows."""
    findings = tables["findings"]
    subjects = sorted(
        {str(label) for table in tables.values() if "subject" in table for label in table["subject"].dropna()}
    )
    unknown = findings[findings["answer"] == Answer.NOT_ASSESSABLE.value]
    status = tables.get("status", pd.DataFrame())
    trouble = status[status["state"].isin(TROUBLE)] if "state" in status else pd.DataFrame()
    return {
        "subjects": [_cohort_subject(tables, subject) for subject in subjects],
        "load": gallery.vector(
            lambda: figures.load_trajectories(tables),
            "Error bars are one standard uncertainty.",
            "Lesion load of every patient over time; the table of volumes holds the same numbers.",
        ),
        "change": gallery.vector(
            lambda: figures.interval_changes(tables),
            "The grey band spans what is within the measurement error of that interval.",
            "Change of the load in every interval with its error; the table of intervals holds the same numbers.",
        ),
        "territories": gallery.vector(
            lambda: figures.territory_frequency(tables),
            "A territory counts once per patient and side, at whichever session it was affected.",
            "Count of patients with a lesion in each territory; the table of territories holds the same numbers.",
        ),
        "answers": _cohort_answers(findings),
        "unknown": [
            {name: _text(row[name]) for name in ("subject", "session", "label", "reason")}
            for row in unknown.to_dict(orient="records")
        ],
        "trouble": [
            {name: _text(row.get(name)) for name in ("subject", "session", "stage", "state", "reason")}
            for row in trouble.to_dict(orient="records")
        ],
    }


def _text(value: object) -> str:
    return "" if value is None or (isinstance(value, float) and pd.isna(value)) else str(value)


def _cohort_subject(tables: Mapping[str, pd.DataFrame], subject: str) -> Row:
    own = {name: table[table["subject"].astype(str) == subject] for name, table in tables.items() if "subject" in table}
    volumes = own["volumes"]
    loads = volumes[(volumes["structure"] == "lesion_load") & volumes["volume_ml"].notna()]
    ends = [loads.iloc[i] for i in (0, -1)] if len(loads) else []
    answers = own["findings"]["answer"].value_counts()
    return {
        "subject": subject,
        "sessions": volumes["session"].dropna().nunique(),
        "first": quantity(ends[0]["volume_ml"], ends[0]["volume_sd_ml"], "ml") if ends else "not assessable",
        "last": quantity(ends[1]["volume_ml"], ends[1]["volume_sd_ml"], "ml") if len(loads) > 1 else "not assessable",
        "spectra": len(own["spectra"].dropna(subset=["metabolite"])[["session", "spectrum"]].drop_duplicates()),
        "answers": [int(answers.get(answer.value, 0)) for answer in Answer],
    }


def _cohort_answers(findings: pd.DataFrame) -> list[Row]:
    """Count patients by question and answer; a patient counts once per answer."""
    rows = []
    for (code, label), own in findings.groupby(["code", "label"], sort=False):
        counts = own.groupby("answer")["subject"].nunique()
        rows.append({"code": code, "label": label, "counts": [int(counts.get(answer.value, 0)) for answer in Answer]})
    return rows
