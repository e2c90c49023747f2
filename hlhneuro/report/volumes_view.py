"""Change of brain and ventricle volume as a page shows it: a figure and one row per interval and structure."""

from __future__ import annotations

from typing import Any

from hlhneuro.lesions.volumes import STRUCTURES, StructureChange, VolumeInterval
from hlhneuro.report import figures
from hlhneuro.report.gallery import Gallery
from hlhneuro.report.results import SubjectResults
from hlhneuro.report.words import quantity

__all__ = ["volumes_view"]

Row = dict[str, Any]


def volumes_view(results: SubjectResults, gallery: Gallery) -> Row:
    """Return figure and rows; without a measurement the reasons why, each once."""
    volumes = results.volumes
    intervals = volumes.intervals if volumes else ()
    if volumes is None or not volumes.measured:
        reasons = list(dict.fromkeys(interval.reason for interval in intervals if interval.reason))
        return {"figure": None, "rows": [], "reasons": reasons or ["it needs a 3-D T1w at two sessions"]}
    rows = [row for interval in intervals for row in _rows(interval, volumes.coverage_factor)]
    figure = gallery.vector(
        lambda: figures.volume_course(results),
        "Bars are 95 % intervals. The line adds up the changes from session to session.",
        "Change of brain and ventricle volume over time: "
        + "; ".join(f"{row['structure']}, {row['name']}: {row['measured']}" for row in rows)
        + ".",
    )
    return {"figure": figure, "rows": rows, "reasons": []}


def _rows(interval: VolumeInterval, coverage: float) -> list[Row]:
    name = f"ses-{interval.before} to ses-{interval.after}" + (", whole course" if interval.whole else "")
    steroids = "steroids may have moved it" if interval.steroids else ""
    remark = "; ".join(filter(None, (steroids, interval.doubt)))
    rows = []
    for structure in STRUCTURES:
        change = interval.change(structure)
        row: Row = {"name": name, "structure": structure, "remark": remark}
        if change is None:
            why = interval.reason or "too small to be measured"
            row |= dict.fromkeys(("measured", "ml", "expected", "excess"), "–") | {"verdict": "not assessable"}
            rows.append(row | {"remark": why})
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
