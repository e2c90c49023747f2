"""Findings between two sessions: what became of the lesions, volumes first and numbers second."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise

import pandas as pd

from hlhneuro.answers import Answer, Finding
from hlhneuro.lesions.change import IntervalChange, LesionChange
from hlhneuro.lesions.series import LesionSeries

__all__ = ["INTERVAL_QUESTIONS", "interval_findings", "interval_gaps"]

# What became of a lesion: the question, and in words what its volumes say.
STATUSES = {
    "new": ("Are there new lesions?", "of new lesion"),
    "reappeared": ("Have lesions come back that had resolved?", "of lesion that had been gone"),
    "enlarged": ("Have lesions grown?", "in lesions that were there"),
    "shrunk": ("Have lesions shrunk?", "in lesions that are still there"),
    "resolved": ("Have lesions resolved?", "of lesion that is gone"),
    "merged": ("Have lesions flowed together?", "in lesions that flowed together"),
    "split": ("Have lesions fallen apart?", "in lesions that fell apart"),
}
LOAD_QUESTION = "Has the lesion load changed?"
INTERVAL_QUESTIONS = {**{f"{s}_lesions": q for s, (q, _) in STATUSES.items()}, "lesion_load_change": LOAD_QUESTION}
LIMIT_SOURCE = "1.96 standard uncertainties of the difference of the two volumes"


def interval_findings(change: LesionChange, lesions: LesionSeries) -> Iterator[Finding]:
    """Answer every question about the intervals between consecutive sessions, then about the whole course.

    Parameters
    ----------
    change : LesionChange
    lesions : LesionSeries
        Whose doubts about a session are passed on.
    """
    for interval in change.intervals:
        doubt = _doubt(interval, lesions)
        rows = change.lesions[change.lesions["session"] == interval.after]
        for status in STATUSES:
            yield _lesions_that(status, rows[rows["status"] == status], interval, doubt)
        yield _load(interval, doubt)
    if change.first_to_last is not None and len(change.intervals) > 1:
        yield _load(change.first_to_last, _doubt(change.first_to_last, lesions))


def interval_gaps(labels: list[str], lesions: LesionSeries, why: str) -> Iterator[Finding]:
    """Say of intervals that touch a session without lesions measured why nothing can be said.

    Parameters
    ----------
    labels : list of str
        Sessions in order of time.
    lesions : LesionSeries
    why : str
        Reason where the series gives none.
    """
    for pair in pairwise(labels):
        missing = [label for label in pair if lesions.session(label) is None]
        if missing:
            reason = "; ".join(f"ses-{label}: {lesions.not_assessable.get(label, why)}" for label in missing)
            for code, question in INTERVAL_QUESTIONS.items():
                yield Finding(code, question, Answer.NOT_ASSESSABLE, reason, "interval", pair)


def _doubt(interval: IntervalChange, lesions: LesionSeries) -> str:
    sides = [lesions.session(label) for label in (interval.before, interval.after)]
    told = [s for s in sides if s is not None and (s.confidence == "reduced" or s.supplied)]
    return "".join(f"; {s.label}: {s.reason}" for s in told)


def _lesions_that(status: str, rows: pd.DataFrame, interval: IntervalChange, doubt: str) -> Finding:
    """Answer one question; the value is the change of volume of the lesions it is about."""
    question, words = STATUSES[status]
    change_ml, sd_ml = float(rows["change_ml"].sum()), math.sqrt(float((rows["change_sd_ml"] ** 2).sum()))
    count = "1 lesion" if len(rows) == 1 else f"{len(rows)} lesions"
    reason = f"{change_ml:+.2f} ml {words}; {count}: {_places(rows)}" if len(rows) else f"none {status} beyond error"
    if len(rows) and rows["parts"].max() > 1:
        reason += "; confluent lesions count as one, so the volume says more than the number"
    return Finding(
        f"{status}_lesions",
        question,
        Answer.PRESENT if len(rows) else Answer.ABSENT,
        reason + doubt,
        "interval",
        (interval.before, interval.after),
        value=change_ml,
        standard_uncertainty=sd_ml if len(rows) else None,
        unit="ml",
    )


def _places(rows: pd.DataFrame) -> str:
    """Name the territories, those with the largest change first."""
    places = (rows["side"] + " " + rows["territory"]).str.strip()
    sizes = rows["change_ml"].abs().groupby(places, sort=True).sum().sort_values(ascending=False, kind="stable")
    return ", ".join(map(str, sizes.index))


def _load(interval: IntervalChange, doubt: str) -> Finding:
    beyond = abs(interval.net_ml) > interval.smallest_real_change_ml
    verdict = ("more than before" if interval.net_ml > 0 else "less than before") if beyond else "within error"
    return Finding(
        "lesion_load_change",
        LOAD_QUESTION,
        Answer.PRESENT if beyond else Answer.ABSENT,
        f"{interval.net_ml:+.2f} ml, {verdict}; new {interval.new_ml:.2f}, enlarged {interval.enlarged_ml:.2f}, "
        f"shrunk {interval.shrunk_ml:.2f}, resolved {interval.resolved_ml:.2f} ml" + doubt,
        "interval",
        (interval.before, interval.after),
        value=interval.net_ml,
        standard_uncertainty=interval.net_sd_ml,
        unit="ml",
        threshold=interval.smallest_real_change_ml,
        threshold_source=LIMIT_SOURCE,
    )
