"""Load, change, ratios, observations and events on one axis of time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hlhneuro.report import figures
from hlhneuro.report.gallery import Gallery
from hlhneuro.report.results import SubjectResults
from hlhneuro.report.sections.section import Pictures, Row
from hlhneuro.report.time_line import FOLLOWED, time_line
from hlhneuro.report.words import number, quantity

__all__ = ["facts", "pictures"]


def facts(results: SubjectResults) -> Row:
    """Return what the figure shows, as numbers."""
    return time_line(results) | {"followed": list(FOLLOWED)}


def pictures(results: SubjectResults, facts: Mapping[str, Any], gallery: Gallery) -> Pictures:
    """Draw the time line."""
    told = ", ".join(
        f"ses-{row['label']} {quantity(row['load_ml'], row['load_sd_ml'], 'ml')}" for row in facts["loads"]
    )
    events = ", ".join(lane["name"] for lane in facts["lanes"])
    return {
        "timeline": gallery.vector(
            lambda: figures.timeline(results),
            f"Error bars are {facts['interval_percent']} % intervals ({number(facts['coverage_factor'], 2)} standard "
            "uncertainties). Lines join measurements and say nothing of the time between. Changes stand in the middle "
            "of the interval they were measured over. A course without an end on record is drawn pale after the last "
            "session; an arrow says that something began before, or goes on after, what is shown.",
            f"Course over time. Lesion load: {told or 'not assessable'}. Treatment and events: {events or 'none'}. "
            "The tables of this page hold the same numbers.",
        )
    }
