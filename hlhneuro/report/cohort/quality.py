"""How far the results of each patient can be trusted, stage by stage, in counts and words."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from hlhneuro.answers import Answer
from hlhneuro.report.account.assessment import TROUBLE
from hlhneuro.report.cohort.section import Cohort, Row

__all__ = ["facts"]

COLUMNS = ("Sessions aligned", "Registrations", "Template", "Lesions", "Change", "Spectra", "Stages")
# What is as it should be, what has to be known when reading, and what is lost.
GOOD = {"aligned", "accepted", "valid", "full", "supplied", "measured", "good", "without trouble"}
DOUBTFUL = {"reduced", "usable", "doubtful"}


def facts(cohort: Cohort) -> Row:
    """Return a row per patient, each cell with its counts in words and how good they are."""
    rows = [{"subject": subject, "cells": [_cell(c) for c in _counts(cohort, subject)]} for subject in cohort.subjects]
    return {"columns": list(COLUMNS), "rows": rows}


def _counts(cohort: Cohort, subject: str) -> list[Mapping[str, int | None]]:
    volumes, intervals = cohort.of_subject("volumes", subject), cohort.of_subject("intervals", subject)
    brains, loads = (
        volumes[(volumes["structure"] == name) & volumes["session"].notna()] for name in ("brain", "lesion_load")
    )
    registrations = cohort.of_subject("registrations", subject)["accepted"].astype("boolean").fillna(False)
    steps = intervals[intervals["span"] == "interval"]
    known, measured = loads["volume_ml"].notna(), steps["net_ml"].notna()
    status = cohort.status[cohort.status["subject"] == subject]
    return [
        {"aligned": int(brains["volume_ml"].notna().sum()), "not aligned": int(brains["volume_ml"].isna().sum())},
        {"accepted": int(registrations.sum()), "rejected": int((~registrations).sum())},
        _template(cohort.of_subject("findings", subject)),
        {**_tally(loads.loc[known, "confidence"]), "not assessable": int((~known).sum())},
        {"measured": int(measured.sum()), "not assessable": int((~measured).sum())},
        _spectra(cohort.of_subject("spectra", subject)),
        {"without trouble": int((~status["state"].isin(TROUBLE)).sum()), **_tally(_trouble(status))},
    ]


def _trouble(status: pd.DataFrame) -> pd.Series[str]:
    return status.loc[status["state"].isin(TROUBLE), "state"]


def _tally(words: pd.Series[str]) -> dict[str, int]:
    return {str(word): int(count) for word, count in words.value_counts().items()}


def _template(findings: pd.DataFrame) -> dict[str, int | None]:
    """Put the two answers on the template in one word, which needs no count."""
    own = findings[findings["code"].isin(("template_aligned", "template_valid"))]
    if own.empty:
        return {}
    if (own["answer"] == Answer.PRESENT.value).all():
        return {"valid": None}
    aligned = own.loc[own["code"] == "template_aligned", "answer"]
    return {"doubtful" if (aligned == Answer.PRESENT.value).any() else "not aligned": None}


def _spectra(table: pd.DataFrame) -> dict[str, int]:
    every = table.drop_duplicates(["session", "spectrum"])
    verdicts = every.loc[every["metabolite"].notna(), "verdict"].dropna()
    return {**_tally(verdicts), "not fitted": int(every["metabolite"].isna().sum())}


def _cell(counts: Mapping[str, int | None]) -> Row:
    """Return the words with their counts, the best first, and the state that stands for all of them."""
    kept = {word: count for word, count in counts.items() if count != 0}
    order = sorted(kept, key=lambda word: (word not in GOOD, word not in DOUBTFUL))
    lost = [word for word in order if word not in GOOD | DOUBTFUL]
    if not kept:
        state = "nothing"
    elif len(lost) == len(order):
        state = "lost"
    elif lost or DOUBTFUL & set(order):
        state = "partly"
    else:
        state = "good"
    return {"state": state, "parts": [{"count": kept[word], "word": word} for word in order]}
