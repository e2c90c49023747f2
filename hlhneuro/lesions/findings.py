"""Findings of the MR images: every question has one of the three answers, and what it rests on."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pandas as pd

from hlhneuro.answers import Answer, Finding
from hlhneuro.imaging.alignment import AlignedSeries
from hlhneuro.lesions.change import IntervalChange, LesionChange
from hlhneuro.lesions.series import LesionSeries, SessionLesions
from hlhneuro.lesions.signs import QUESTIONS, LesionSigns, sign_findings
from hlhneuro.lesions.territories import asymmetry_index, territories

__all__ = ["lesion_findings"]

SHORT = "needs a FLAIR or T2w image of the whole brain"
LITERATURE_REGIONS = 4.5
REGIONS_SOURCE = (
    "Eur Radiol 2024;34:873: cut-off 4.5 affected regions in 114 children with CNS-HLH; its region list differs from "
    "the territories counted here, so the two cannot be compared one to one and no prognosis follows"
)


def lesion_findings(
    series: AlignedSeries,
    lesions: LesionSeries,
    change: LesionChange,
    signs: LesionSigns | None = None,
) -> tuple[Finding, ...]:
    """Answer every question about lesions: per session, then per interval, then for the subject.

    Parameters
    ----------
    series : AlignedSeries
    lesions : LesionSeries
        From `segment_lesions`.
    change : LesionChange
        From `measure_change`.
    signs : LesionSigns, optional
        From `measure_signs`; without it the questions about signs are not assessable.

    Returns
    -------
    tuple of Finding
        In a fixed order; a question that cannot be answered says why.
    """
    found: list[Finding] = []
    for aligned in series.sessions:
        session = lesions.session(aligned.label)
        if session is None:
            why = lesions.not_assessable.get(aligned.label, f"lesions were not segmented; {SHORT}")
            found += _unanswered(aligned.label, why)
            continue
        found.append(_presence(session))
        found += _places(session, change)
        found += sign_findings(signs, session.label)
    for interval in change.intervals:
        found += _interval(interval, change, lesions)
    found += _gaps(series, lesions)
    found.append(_volumes(series))
    return tuple(found)


def _doubt(session: SessionLesions) -> str:
    return f"; confidence reduced: {session.reason}" if session.confidence == "reduced" else f"; {session.reason}"


SESSION_QUESTIONS = {
    "lesion_present": "Are there lesions?",
    "posterior_fossa_involvement": "Are there lesions in brain stem or cerebellum?",
    "striatal_involvement": "Are there lesions in caudate or putamen?",
    "affected_territory_count": "How many territories hold lesions?",
    "symmetric_involvement": "Is the lesion load symmetric between left and right?",
    **QUESTIONS,
}


def _unanswered(label: str, why: str) -> Iterator[Finding]:
    for code, question in SESSION_QUESTIONS.items():
        yield Finding(code, question, Answer.NOT_ASSESSABLE, why, "session", (label,))


def _presence(session: SessionLesions) -> Finding:
    present = bool(session.mask.any())
    text = (
        f"{session.volume_ml:.2f} ml (SD {session.volume_sd_ml:.2f})"
        if present
        else ("the mask is empty" if session.supplied else "no region beyond the image's null")
    )
    return Finding(
        "lesion_present",
        SESSION_QUESTIONS["lesion_present"],
        Answer.PRESENT if present else Answer.ABSENT,
        text + _doubt(session),
        "session",
        (session.label,),
        value=session.volume_ml,
        standard_uncertainty=session.volume_sd_ml,
        unit="ml",
    )


def _places(session: SessionLesions, change: LesionChange) -> Iterator[Finding]:
    table = change.territories[change.territories["session"] == session.label]
    for code, group in (("posterior_fossa_involvement", "posterior fossa"), ("striatal_involvement", "striatum")):
        names = {t.name for t in territories() if t.group == group}
        rows = table[table["territory"].isin(names)]
        hit = rows[rows["affected"]]
        load_ml = float(rows["load_ml"].sum())
        where = ", ".join(f"{side} {name} {ml:.2f} ml" for name, side, ml in _rows(hit))
        yield Finding(
            code,
            SESSION_QUESTIONS[code],
            Answer.PRESENT if len(hit) else Answer.ABSENT,
            (where or f"no territory of the {group} reaches the load that counts") + _doubt(session),
            "session",
            (session.label,),
            value=load_ml,
            unit="ml",
        )
    yield _territory_count(session, table)
    yield _symmetry(session, table)


def _rows(table: pd.DataFrame) -> Iterator[tuple[str, str, float]]:
    yield from zip(table["territory"], table["side"], table["load_ml"], strict=True)


def _territory_count(session: SessionLesions, table: pd.DataFrame) -> Finding:
    affected = table[table["affected"]]
    count = len(affected)
    where = ", ".join(f"{side} {name}" for name, side, _ in _rows(affected)) or "none"
    return Finding(
        "affected_territory_count",
        SESSION_QUESTIONS["affected_territory_count"],
        Answer.PRESENT if count else Answer.ABSENT,
        f"{count} of {len(table)} territories (left and right apart): {where}. Not a prognosis" + _doubt(session),
        "session",
        (session.label,),
        value=float(count),
        threshold=LITERATURE_REGIONS,
        threshold_source=REGIONS_SOURCE,
    )


def _symmetry(session: SessionLesions, table: pd.DataFrame) -> Finding:
    code = "symmetric_involvement"
    left, right = (float(table.loc[table["side"] == side, "load_ml"].sum()) for side in ("left", "right"))
    index = asymmetry_index(left, right)
    if np.isnan(index):
        why = "there is no lesion load in any territory, so there is nothing to compare"
        return Finding(code, SESSION_QUESTIONS[code], Answer.NOT_ASSESSABLE, why, "session", (session.label,))
    # Both sides share the load's error; the half that is independent gives the index's error.
    sd = session.volume_sd_ml / max(left + right, 1e-9)
    both = bool((table.groupby("side")["affected"].any()).all())
    symmetric = both and abs(index) <= 1 / 3
    return Finding(
        code,
        SESSION_QUESTIONS[code],
        Answer.PRESENT if symmetric else Answer.ABSENT,
        f"left {left:.2f} ml, right {right:.2f} ml; index (left - right) / (left + right)" + _doubt(session),
        "session",
        (session.label,),
        value=index,
        standard_uncertainty=sd,
        threshold=1 / 3,
        threshold_source="expert-set: one side holds at most twice the load of the other",
    )


def _interval(interval: IntervalChange, change: LesionChange, lesions: LesionSeries) -> Iterator[Finding]:
    pair = (interval.before, interval.after)
    sides = [session for session in (lesions.session(label) for label in pair) if session is not None]
    doubt = "".join(f"; {s.label}: {s.reason}" for s in sides if s.confidence == "reduced" or s.supplied)
    table = change.lesions[change.lesions["session"] == interval.after]
    for code, question, status, load_ml in (
        ("new_lesions", "Are there new lesions?", "new", interval.new_ml),
        ("resolved_lesions", "Have lesions resolved?", "resolved", interval.resolved_ml),
    ):
        rows = table[table["status"] == status]
        places = ", ".join(
            sorted({f"{side} {name}".strip() for name, side in zip(rows["territory"], rows["side"], strict=True)})
        )
        yield Finding(
            code,
            question,
            Answer.PRESENT if len(rows) else Answer.ABSENT,
            (f"{len(rows)} {status}, {load_ml:.2f} ml: {places}" if len(rows) else f"none {status} beyond noise")
            + doubt,
            "interval",
            pair,
            value=float(len(rows)),
        )
    beyond = abs(interval.net_ml) > interval.smallest_real_change_ml
    direction = "more" if interval.net_ml > 0 else "less"
    verdict = f"{direction} than before" if beyond else "within error"
    yield Finding(
        "lesion_load_change",
        "Has the lesion load changed?",
        Answer.PRESENT if beyond else Answer.ABSENT,
        f"{interval.net_ml:+.2f} ml, {verdict}; new {interval.new_ml:.2f}, enlarged {interval.enlarged_ml:.2f}, "
        f"shrunk {interval.shrunk_ml:.2f}, resolved {interval.resolved_ml:.2f} ml" + doubt,
        "interval",
        pair,
        value=interval.net_ml,
        standard_uncertainty=interval.net_sd_ml,
        unit="ml",
        threshold=interval.smallest_real_change_ml,
        threshold_source="1.96 standard uncertainties of the difference of the two volumes",
    )


def _gaps(series: AlignedSeries, lesions: LesionSeries) -> Iterator[Finding]:
    """Say of intervals that touch a session without lesions measured why nothing can be said."""
    labels = [session.label for session in series.sessions]
    for before, after in pairwise(labels):
        missing = [label for label in (before, after) if lesions.session(label) is None]
        if missing:
            why = "; ".join(f"ses-{label}: {lesions.not_assessable.get(label, SHORT)}" for label in missing)
            for code, question in (
                ("new_lesions", "Are there new lesions?"),
                ("resolved_lesions", "Have lesions resolved?"),
                ("lesion_load_change", "Has the lesion load changed?"),
            ):
                yield Finding(code, question, Answer.NOT_ASSESSABLE, why, "interval", (before, after))


def _volumes(series: AlignedSeries) -> Finding:
    return Finding(
        "brain_volume_change",
        "Has the brain or have the ventricles changed in volume?",
        Answer.NOT_ASSESSABLE,
        "volume change is not measured by this version; it needs its own test-retest error before it may be stated",
        "subject",
        tuple(session.label for session in series.sessions),
    )
