"""Lesion volume by territory and side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hlhneuro.report import figures
from hlhneuro.report.gallery import Gallery
from hlhneuro.report.results import SubjectResults
from hlhneuro.report.sections.section import Pictures, Row
from hlhneuro.report.words import join_words

__all__ = ["facts", "pictures"]


def facts(results: SubjectResults) -> Row:
    """Return the load of each territory, as the table file has it."""
    territories = results.change.territories if results.change else None
    return {"rows": [] if territories is None else territories.to_dict(orient="records")}


def pictures(results: SubjectResults, facts: Mapping[str, Any], gallery: Gallery) -> Pictures:
    """Draw lesion volume by territory, side and session."""
    affected = list(
        dict.fromkeys(f"{row['territory']} {row['side']}".strip() for row in facts["rows"] if row["affected"])
    )
    return {
        "load": gallery.image(
            lambda: figures.territory_load(results),
            "Lesion volume by territory, side and session. Columns name the patient's own left and right.",
            f"Lesion volumes in {len(affected)} affected territories: {join_words(affected) or 'none'}.",
        )
    }
