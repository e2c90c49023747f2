"""Change of brain and ventricle volume: a figure and one row per interval and structure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from hlhneuro.lesions.volumes import STRUCTURES, StructureChange, VolumeInterval
from hlhneuro.report import figures
from hlhneuro.report.gallery import Gallery
from hlhneuro.report.results import SubjectResults
from hlhneuro.report.sections.section import Pictures, Row
from hlhneuro.report.words import number, quantity

__all__ = ["facts", "pictures"]

MEASURED = ("measured_percent", "measured_sd_percent", "change_ml", "change_sd_ml")
BEYOND_GROWTH = ("expected_percent", "expected_sd_percent", "excess_percent", "excess_sd_percent")


def facts(results: SubjectResults) -> Row:
    """Return rows and remarks; without a measurement the reasons why, each once."""
    volumes = results.volumes
    intervals = volumes.intervals if volumes else ()
    if volumes is None or not volumes.measured:
        reasons = list(dict.fromkeys(interval.reason for interval in intervals if interval.reason))
        return {"rows": [], "remarks": [], "reasons": reasons or ["it needs a 3-D T1w at two sessions"]}
    return {
        "coverage_factor": volumes.coverage_factor,
        "coverage_percent": 100 * math.erf(volumes.coverage_factor / math.sqrt(2)),
        "rows": [row for interval in intervals for row in _rows(interval, volumes.coverage_factor)],
        "remarks": _remarks(intervals),
        "reasons": [],
    }


def pictures(results: SubjectResults, facts: Mapping[str, Any], gallery: Gallery) -> Pictures:
    """Draw the course of the volumes."""
    if not facts["rows"]:
        return {}
    told = "; ".join(
        f"{row['structure']}, ses-{row['before']} to ses-{row['after']}: "
        f"{quantity(row['measured_percent'], row['measured_sd_percent'], '%', signed=True)}"
        for row in facts["rows"]
    )
    return {
        "course": gallery.vector(
            lambda: figures.volume_course(results),
            f"Bars are {number(facts['coverage_percent'], 0)} % intervals. The line adds up the changes from session "
            "to session.",
            f"Change of brain and ventricle volume over time: {told}.",
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
    rows = []
    for structure in STRUCTURES:
        change = interval.change(structure)
        row: Row = {
            "before": interval.before,
            "after": interval.after,
            "whole": interval.whole,
            "structure": structure,
            "steroids": interval.steroids,
        }
        if change is None:
            row |= dict.fromkeys((*MEASURED, *BEYOND_GROWTH))
            rows.append(row | {"verdict": "not assessable" if interval.reason else "too small"})
        else:
            rows.append(row | _numbers(change, coverage))
    return rows


def _numbers(change: StructureChange, coverage: float) -> Row:
    """Put a change in per cent; the logarithm of so small a change is its part of the volume."""
    found: Row = {
        "measured_percent": 100 * change.log_change,
        "measured_sd_percent": 100 * change.log_change_sd,
        "change_ml": change.change_ml,
        "change_sd_ml": change.change_sd_ml,
    }
    expected, excess, sd = change.expected_log_change, change.excess_log_change, change.excess_log_change_sd
    if expected is None or excess is None or sd is None:
        return found | dict.fromkeys(BEYOND_GROWTH) | {"verdict": "not assessable"}
    return found | {
        "expected_percent": 100 * expected,
        "expected_sd_percent": 100 * (change.expected_log_change_sd or 0),
        "excess_percent": 100 * excess,
        "excess_sd_percent": 100 * sd,
        "verdict": "within error" if abs(excess) <= coverage * sd else "increase" if excess > 0 else "decrease",
    }
