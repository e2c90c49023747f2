"""Change of brain and ventricle volume: a figure and one row per interval and structure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hlhneuro.lesions.volumes import STRUCTURES, StructureChange, VolumeInterval
from hlhneuro.report import figures
from hlhneuro.report.gallery import Gallery
from hlhneuro.report.results import SubjectResults
from hlhneuro.report.sections.section import Pictures, Row
from hlhneuro.report.words import quantity

__all__ = ["facts", "pictures"]


def facts(results: SubjectResults) -> Row:
    """Return rows and remarks; without a measurement the reasons why, each once."""
    volumes = results.volumes
    intervals = volumes.intervals if volumes else ()
    if volumes is None or not volumes.measured:
        reasons = list(dict.fromkeys(interval.reason for interval in intervals if interval.reason))
        return {"rows": [], "remarks": [], "reasons": reasons or ["it needs a 3-D T1w at two sessions"]}
    rows = [row for interval in intervals for row in _rows(interval, volumes.coverage_factor)]
    return {"rows": rows, "remarks": _remarks(intervals), "reasons": []}


def pictures(results: SubjectResults, facts: Mapping[str, Any], gallery: Gallery) -> Pictures:
    """Draw the course of the volumes."""
    if not facts["rows"]:
        return {}
    return {
        "course": gallery.vector(
            lambda: figures.volume_course(results),
            "Bars are 95 % intervals. The line adds up the changes from session to session.",
            "Change of brain and ventricle volume over time: "
            + "; ".join(f"{row['structure']}, {row['name']}: {row['measured']}" for row in facts["rows"])
            + ".",
        )
    }


def _remarks(intervals: Sequence[VolumeInterval]) -> list[Row]:
    """Say what is in doubt, or why there is no measurement: each once, with its intervals."""
    told: dict[str, list[str]] = {}
    for interval in intervals:
        for text in filter(None, (interval.reason, interval.doubt)):
            told.setdefault(text, []).append(f"ses-{interval.before} to ses-{interval.after}")
    return [{"text": text, "intervals": names} for text, names in told.items()]


def _rows(interval: VolumeInterval, coverage: float) -> list[Row]:
    name = f"ses-{interval.before} to ses-{interval.after}"
    rows = []
    for structure in STRUCTURES:
        change = interval.change(structure)
        row: Row = {"name": name, "whole": interval.whole, "structure": structure, "steroids": bool(interval.steroids)}
        if change is None:
            row |= dict.fromkeys(("measured", "ml", "expected", "excess"), "–")
            rows.append(row | {"verdict": "not assessable" if interval.reason else "too small"})
        else:
            rows.append(row | _numbers(change, coverage))
    return rows


def _numbers(change: StructureChange, coverage: float) -> Row:
    """Put a change in per cent; the logarithm of so small a change is its part of the volume."""
    found = {
        "measured": quantity(100 * change.log_change, 100 * change.log_change_sd, "%", signed=True),
        "ml": quantity(change.change_ml, change.change_sd_ml, "ml", signed=True),
    }
    expected, excess, sd = change.expected_log_change, change.excess_log_change, change.excess_log_change_sd
    if expected is None or excess is None or sd is None:
        return found | {"expected": "not known", "excess": "–", "verdict": "not assessable"}
    verdict = "within error" if abs(excess) <= coverage * sd else "increase" if excess > 0 else "decrease"
    return found | {
        "expected": quantity(100 * expected, 100 * (change.expected_log_change_sd or 0), "%", signed=True),
        "excess": quantity(100 * excess, 100 * sd, "%", signed=True),
        "verdict": verdict,
    }
