"""How many patients have which answer to each question."""

from __future__ import annotations

import pandas as pd

from hlhneuro.answers import Answer
from hlhneuro.report.cohort.section import Cohort, Row

__all__ = ["facts"]

KINDS = {"imaging": "Images", "spectra": "Spectra", "study": "Study"}


def facts(cohort: Cohort) -> Row:
    """Count patients by question and answer; a patient counts once per answer."""
    findings = cohort.tables["findings"]
    kinds = []
    for kind, title in KINDS.items():
        rows = _rows(findings[findings["kind"] == kind])
        kinds.append({"key": kind, "title": title, "count": len(rows), "rows": rows})
    return {"kinds": kinds}


def _rows(findings: pd.DataFrame) -> list[Row]:
    rows = []
    for (code, label), own in findings.groupby(["code", "label"], sort=False):
        counts = own.groupby("answer")["subject"].nunique()
        rows.append(
            {
                "code": code,
                "label": label,
                **{answer.name.lower(): int(counts.get(answer.value, 0)) for answer in Answer},
            }
        )
    return rows
