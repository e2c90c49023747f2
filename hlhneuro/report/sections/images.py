"""Images of all sessions in the same slices, and maps of change."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hlhneuro.report import figures
from hlhneuro.report.gallery import Gallery, Shown
from hlhneuro.report.results import SubjectResults
from hlhneuro.report.sections.lesions import CHANGES, volumes_of, why_not
from hlhneuro.report.sections.section import Pictures, Row
from hlhneuro.report.words import join_words, number

__all__ = ["facts", "pictures"]


def facts(results: SubjectResults) -> Row:
    """Return the volumes that the words under the maps tell."""
    return {
        "changes": [
            {"before": interval.before, "after": interval.after, "reason": why_not(results, interval)}
            | volumes_of(interval)
            for interval in (results.change.intervals if results.change else ())
        ]
    }


def pictures(results: SubjectResults, facts: Mapping[str, Any], gallery: Gallery) -> Pictures:
    """Draw the slices of all sessions and the maps of change."""
    return {"panels": _panels(results, gallery), "changes": _changes(results, facts, gallery)}


def _panels(results: SubjectResults, gallery: Gallery) -> list[Shown]:
    labels = [session.label for session in results.aligned.sessions] if results.aligned else []
    per = max(results.settings.report.sessions_per_figure, 1)
    groups = [labels[i : i + per] for i in range(0, len(labels), per)] or [[]]
    return [
        gallery.image(
            lambda group=group: figures.session_panels(results, group),  # type: ignore[misc]
            "The same slices at every session, each contrast in one grey window. Positions are in the subject's common "
            "space.",
            f"Axial and coronal slices of {join_words(f'ses-{label}' for label in group)} in the same places, "
            "with the outlines of the brain and of the lesions.",
        )
        for group in groups
    ]


def _changes(results: SubjectResults, facts: Mapping[str, Any], gallery: Gallery) -> list[Shown]:
    shown = []
    for interval, row in zip(results.change.intervals if results.change else (), facts["changes"], strict=True):
        course = f"from ses-{row['before']} to ses-{row['after']}"
        if row["reason"]:
            shown.append(Shown(f"Change {course}.", "", reason=row["reason"]))
            continue
        told = ", ".join(f"{kind} {number(row[f'{kind}_ml'], 1)} ml" for kind in CHANGES)
        shown.append(
            gallery.image(
                lambda interval=interval: figures.change_panels(results, interval),  # type: ignore[misc]
                f"Change {course}.",
                f"Change map {course}: {told}.",
            )
        )
    return shown
