"""Findings of one session about where its lesions are: posterior fossa, striatum, territories, symmetry."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import norm

from hlhneuro.answers import Answer, Finding
from hlhneuro.lesions.change import LesionChange
from hlhneuro.lesions.series import LesionSeries, SessionLesions
from hlhneuro.lesions.territories import Territory, asymmetry_index, territories

__all__ = ["LITERATURE_REGIONS", "PLACE_QUESTIONS", "REGIONS_SOURCE", "place_findings", "territory_sds_ml"]

PLACE_QUESTIONS = {
    "posterior_fossa_involvement": "Are there lesions in brain stem or cerebellum?",
    "striatal_involvement": "Are there lesions in caudate or putamen?",
    "affected_territory_count": "How many territories hold lesions?",
    "symmetric_involvement": "Is the lesion load symmetric between left and right?",
}
GROUPS = {"posterior_fossa_involvement": "posterior fossa", "striatal_involvement": "striatum"}
LITERATURE_REGIONS = 4.5
REGIONS_SOURCE = (
    "Eur Radiol 2024;34:873: cut-off 4.5 affected regions in 114 children with CNS-HLH; its region list differs from "
    "the territories counted here, so the two cannot be compared one to one and no prognosis follows"
)
LARGEST_INDEX = 1 / 3


class _Loads:
    """Standard uncertainty of the load of any set of territories, from those of the lesions that reach into it."""

    def __init__(self, session: SessionLesions, lesions: LesionSeries, change: LesionChange) -> None:
        image = change.identities[session.label]
        inside = image > 0
        size = max(t.label for t in territories()) + 1
        voxels = np.zeros((int(image.max(initial=0)) + 1, size))
        np.add.at(voxels, (image[inside], lesions.territories[inside]), 1)
        self._shares = voxels / np.maximum(voxels.sum(axis=1, keepdims=True), 1)
        table = change.lesions[change.lesions["session"] == session.label]
        self._sds_ml = np.zeros(len(voxels))
        kept = table["lesion"] < len(voxels)
        self._sds_ml[table.loc[kept, "lesion"]] = table.loc[kept, "volume_sd_ml"]

    def sd_ml(self, chosen: Iterable[Territory]) -> float:
        """Count each lesion's error by the part of it that lies in those territories."""
        labels = [t.label for t in chosen]
        parts: NDArray[np.float64] = self._shares[:, labels].sum(axis=1) * self._sds_ml
        return float(np.sqrt((parts**2).sum()))


def territory_sds_ml(
    session: SessionLesions, lesions: LesionSeries, change: LesionChange
) -> dict[tuple[str, str], float]:
    """Return the standard uncertainty of the load of every territory, by name and side."""
    loads = _Loads(session, lesions, change)
    return {(t.name, t.side): loads.sd_ml([t]) for t in territories()}


def place_findings(
    session: SessionLesions, lesions: LesionSeries, change: LesionChange, doubt: str
) -> Iterator[Finding]:
    """Answer `PLACE_QUESTIONS` of one session.

    Parameters
    ----------
    session : SessionLesions
    lesions : LesionSeries
    change : LesionChange
    doubt : str
        What is added to every reason.
    """
    table = change.territories[change.territories["session"] == session.label]
    loads = _Loads(session, lesions, change)
    for code, group in GROUPS.items():
        yield _group(code, group, session.label, table, loads, doubt)
    yield _territory_count(session.label, table, loads, doubt)
    yield _symmetry(session.label, table, loads, doubt)


def _group(code: str, group: str, label: str, table: pd.DataFrame, loads: _Loads, doubt: str) -> Finding:
    names = {t.name for t in territories() if t.group == group}
    rows = table[table["territory"].isin(names)]
    hit = rows[rows["affected"]]
    where = ", ".join(f"{side} {name} {ml:.2f} ml" for name, side, ml in _rows(hit))
    return Finding(
        code,
        PLACE_QUESTIONS[code],
        Answer.PRESENT if len(hit) else Answer.ABSENT,
        (where or f"no territory of the {group} reaches the load that counts") + doubt,
        "session",
        (label,),
        value=float(rows["load_ml"].sum()),
        standard_uncertainty=loads.sd_ml(t for t in territories() if t.group == group),
        unit="ml",
    )


def _rows(table: pd.DataFrame) -> Iterator[tuple[str, str, float]]:
    yield from zip(table["territory"], table["side"], table["load_ml"], strict=True)


def _territory_count(label: str, table: pd.DataFrame, loads: _Loads, doubt: str) -> Finding:
    affected = table[table["affected"]]
    where = ", ".join(f"{side} {name}" for name, side, _ in _rows(affected)) or "none"
    named = {(t.name, t.side): t for t in territories()}
    chances = [norm.cdf(ml / loads.sd_ml([named[name, side]])) for name, side, ml in _rows(table) if ml]
    return Finding(
        "affected_territory_count",
        PLACE_QUESTIONS["affected_territory_count"],
        Answer.PRESENT if len(affected) else Answer.ABSENT,
        f"{len(affected)} of {len(table)} territories (left and right apart): {where}. Not a prognosis" + doubt,
        "session",
        (label,),
        value=float(len(affected)),
        standard_uncertainty=math.sqrt(sum(p * (1 - p) for p in chances)),  # each holds lesion or not
        threshold=LITERATURE_REGIONS,
        threshold_source=REGIONS_SOURCE,
    )


def _symmetry(label: str, table: pd.DataFrame, loads: _Loads, doubt: str) -> Finding:
    code = "symmetric_involvement"
    left, right = (float(table.loc[table["side"] == side, "load_ml"].sum()) for side in ("left", "right"))
    index = asymmetry_index(left, right)
    if np.isnan(index):
        why = "there is no lesion load in any territory, so there is nothing to compare"
        return Finding(code, PLACE_QUESTIONS[code], Answer.NOT_ASSESSABLE, why, "session", (label,))
    errors = [loads.sd_ml(t for t in territories() if t.side == side) for side in ("left", "right")]
    both = bool((table.groupby("side")["affected"].any()).all())
    return Finding(
        code,
        PLACE_QUESTIONS[code],
        Answer.PRESENT if both and abs(index) <= LARGEST_INDEX else Answer.ABSENT,
        f"left {left:.2f} ml, right {right:.2f} ml; index (left - right) / (left + right)" + doubt,
        "session",
        (label,),
        value=index,
        standard_uncertainty=2 * math.hypot(right * errors[0], left * errors[1]) / (left + right) ** 2,
        threshold=LARGEST_INDEX,
        threshold_source="expert-set: one side holds at most twice the load of the other",
    )
