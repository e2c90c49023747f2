"""Load, change, ratios and events on one axis of time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hlhneuro.report import figures
from hlhneuro.report.gallery import Gallery
from hlhneuro.report.results import SubjectResults
from hlhneuro.report.sections.lesions import loads_of
from hlhneuro.report.sections.section import Pictures, Row
from hlhneuro.report.words import quantity

__all__ = ["facts", "pictures"]


def facts(results: SubjectResults) -> Row:
    """Return the loads that the figure shows."""
    return {"loads": [row for row in loads_of(results) if row["assessed"]]}


def pictures(results: SubjectResults, facts: Mapping[str, Any], gallery: Gallery) -> Pictures:
    """Draw the time line."""
    loads = (f"ses-{row['label']} {quantity(row['load_ml'], row['load_sd_ml'], 'ml')}" for row in facts["loads"])
    told = ", ".join(loads) or "not assessable"
    return {
        "timeline": gallery.vector(
            lambda: figures.timeline(results),
            "Error bars are one standard uncertainty. Lines join measurements and say nothing of the time between.",
            f"Course over time. Lesion load: {told}. The tables below hold the same numbers.",
        )
    }
