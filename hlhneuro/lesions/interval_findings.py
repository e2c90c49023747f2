"""Findings between two sessions: what became of the lesions, volumes first and numbers second."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from itertools import pairwise

import pandas as pd

from hlhneuro.answers import Answer, Finding
from hlhneuro.lesions.change import IntervalChange, LesionChange
from hlhneuro.lesions.series import LesionSeries

__all__ = ["INTERVAL_QUESTIONS", "incomparable", "interval_findings", "interval_gaps", "lesions_compared"]

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
NOT_COMPARABLE = "not comparable"
CHANGES = ("change_ml", "change_sd_ml", "smallest_real_change_ml")
SEEN_OR_NOT = ("new", "reappeared", "resolved")  # a lesion that is at one of the two sessions only


def interval_findings(change: LesionChange, lesions: LesionSeries) -> Iterator[Finding]:
    """Answer every question about the intervals between consecutive sessions, then about the whole course.

    Parameters
    ----------
    change : LesionChange
    lesions : LesionSeries
        Whose doubts about a session are passed on.
    """
    for interval in change.intervals:
        why = incomparable(lesions, interval.before, interval.after)
        if why:
            yield from _not_comparable(interval, why, INTERVAL_QUESTIONS)
            continue
        doubt = _doubt(interval, lesions)
        rows = change.lesions[change.lesions["session"] == interval.after]
        for status in STATUSES:
            yield _lesions_that(status, rows[rows["status"] == status], interval, doubt)
        yield _load(interval, doubt)
    whole = change.first_to_last
    if whole is not None and len(change.intervals) > 1:
        why = incomparable(lesions, whole.before, whole.after)
        if why:
            yield from _not_comparable(whole, why, {"lesion_load_change": LOAD_QUESTION})
        else:
            yield _load(whole, _doubt(whole, lesions))


def incomparable(lesions: LesionSeries, before: str, after: str) -> str:
    """Return why the lesions of two sessions cannot be compared, and what would supply it; empty if they can.

    Where two sessions share no contrast on which lesions are bright, nothing shows that their lesions differ, and
    nothing shows that they do not.
    """
    pair = lesions.session(before), lesions.session(after)
    if any(session is None or session.supplied for session in pair):
        return ""
    used = [set(session.contrasts) & {"FLAIR", "T2w"} for session in pair if session is not None]
    if used[0] & used[1]:
        return ""
    names = [" and ".join(sorted(own)) or "no FLAIR or T2w" for own in used]
    return (
        f"ses-{before} has {names[0]}, ses-{after} has {names[1]}: no contrast that shows lesions at both; needs "
        "the same one (FLAIR or T2w) at both sessions"
    )


def lesions_compared(change: LesionChange, lesions: LesionSeries) -> pd.DataFrame:
    """Return the lesion table without changes against a session that cannot be compared."""
    table = change.lesions.copy()
    for interval in change.intervals:
        if incomparable(lesions, interval.before, interval.after):
            here = table["session"] == interval.after
            table.loc[here, "status"] = NOT_COMPARABLE
            table.loc[here, [name for name in CHANGES if name in table]] = math.nan
    return table


def _not_comparable(interval: IntervalChange, why: str, questions: Mapping[str, str]) -> Iterator[Finding]:
    for code, question in questions.items():
        yield Finding(code, question, Answer.NOT_ASSESSABLE, why, "interval", (interval.before, interval.after))


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
    return "".join(f"; ses-{s.label}: {s.reason.replace(f'{s.label} ', '')}" for s in told)


def _lesions_that(status: str, rows: pd.DataFrame, interval: IntervalChange, doubt: str) -> Finding:
    """Answer one question; the value is the change of volume of the lesions it is about."""
    question, words = STATUSES[status]
    change_ml, sd_ml = float(rows["change_ml"].sum()), math.sqrt(float((rows["change_sd_ml"] ** 2).sum()))
    count = "1 lesion" if len(rows) == 1 else f"{len(rows)} lesions"
    reason = f"{change_ml:+.2f} ml {words}; {count}: {_places(rows)}" if len(rows) else "none found"
    if len(rows) and rows["parts"].max() > 1:
        reason += "; confluent lesions count as one, so the volume says more than the number"
    answer = Answer.PRESENT if len(rows) else Answer.ABSENT
    if status in SEEN_OR_NOT and len(rows) and _all_within_error(rows):
        answer = Answer.NOT_ASSESSABLE
        reason += "; all of it within the error of its volume: thinner slices, or a further session, would tell"
    return Finding(
        f"{status}_lesions",
        question,
        answer,
        reason + doubt,
        "interval",
        (interval.before, interval.after),
        value=change_ml,
        standard_uncertainty=sd_ml if len(rows) else None,
        unit="ml",
    )


def _all_within_error(rows: pd.DataFrame) -> bool:
    """Say whether no lesion changed beyond its error, nor all of them together."""
    change_ml, limit_ml = rows["change_ml"], rows["smallest_real_change_ml"]
    return bool((change_ml.abs() <= limit_ml).all()) and abs(change_ml.sum()) <= math.sqrt(float((limit_ml**2).sum()))


def _places(rows: pd.DataFrame) -> str:
    """Name the territories, those with the largest change first."""
    places = (rows["side"] + " " + rows["territory"]).str.strip()
    sizes = rows["change_ml"].abs().groupby(places, sort=True).sum().sort_values(ascending=False, kind="stable")
    return ", ".join(map(str, sizes.index))


def _load(interval: IntervalChange, doubt: str) -> Finding:
    beyond = abs(interval.net_ml) > interval.smallest_real_change_ml
    factor = f"{interval.smallest_real_change_ml / interval.net_sd_ml:.3g} " if interval.net_sd_ml else ""
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
        threshold_source=f"{factor}standard uncertainties of the difference of the two volumes",
    )
