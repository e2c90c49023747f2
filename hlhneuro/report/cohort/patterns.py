"""Which spectral patterns which patient shows."""

from __future__ import annotations

import pandas as pd

from hlhneuro.answers import Answer
from hlhneuro.report.cohort.section import Cohort, Row

__all__ = ["facts"]

PREFIX = "pattern_"


def facts(cohort: Cohort) -> Row:
    """Return a table of patients by patterns; a patient has the strongest answer of any session."""
    findings = cohort.tables["findings"]
    found = findings[findings["code"].astype(str).str.startswith(PREFIX)]
    columns: list[Row] = [
        {"code": code, "name": _name(str(code)), "question": label}
        for code, label in found.drop_duplicates("code")[["code", "label"]].itertuples(index=False)
    ]
    rows: list[Row] = []
    for subject in cohort.subjects:
        own = found[found["subject"] == subject]
        if len(own):
            rows.append({"subject": subject, "cells": [_cell(own[own["code"] == c["code"]]) for c in columns]})
    for number, column in enumerate(columns):
        answers = [row["cells"][number]["answer"] for row in rows]
        column |= {answer.name.lower(): answers.count(answer.value) for answer in Answer}
    asked = {row["subject"] for row in rows}
    return {"columns": columns, "rows": rows, "without": [s for s in cohort.subjects if s not in asked]}


def _name(code: str) -> str:
    return code.removeprefix(PREFIX).replace("_", " ").replace("naa", "NAA")


def _cell(own: pd.DataFrame) -> Row:
    """Return the strongest answer of one patient, how often it was given, and where a pattern was present."""
    answers = list(own["answer"])
    strongest = next((answer.value for answer in Answer if answer.value in answers), "not asked")
    present = own.loc[own["answer"] == Answer.PRESENT.value, "session"].dropna()
    return {
        "answer": strongest,
        "times": answers.count(strongest),
        "asked": len(answers),
        "sessions": list(dict.fromkeys(label for text in present for label in str(text).split(","))),
    }
