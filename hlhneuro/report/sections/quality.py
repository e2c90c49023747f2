"""The quality of the images: verdicts on registrations, figures to look at, and the noise."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from hlhneuro.imaging.series import AlignedSeries, RegistrationQuality
from hlhneuro.report import figures
from hlhneuro.report.gallery import Gallery
from hlhneuro.report.registrations import measures_of, verdict_text, verdicts_of
from hlhneuro.report.results import SubjectResults
from hlhneuro.report.sections.section import Pictures, Row
from hlhneuro.report.words import quantity, session_title

__all__ = ["facts", "pictures"]

EDGES = (
    "Yellow edges come from the image that was moved, grey values from the one it was moved to: the edges have to run "
    "along the same anatomy. In the squares, anatomy has to run on without a step."
)


def facts(results: SubjectResults) -> Row:
    """Return the verdicts on all registrations and the noise of every image."""
    aligned = results.aligned
    return {
        "registrations": _registrations(verdicts_of(aligned) if aligned else ()),
        "between": _told(aligned.quality if aligned else ()),
        "sessions": [
            {
                "label": session.label,
                "title": session_title(results, session.label),
                "reference": session.reference,
                "told": _told(session.quality),
            }
            for session in (aligned.sessions if aligned else ())
        ],
        "noise": _noise(aligned),
    }


def pictures(results: SubjectResults, facts: Mapping[str, Any], gallery: Gallery) -> Pictures:
    """Draw what shows how well images lie on each other, and the brain mask."""
    planes = "in axial, coronal and sagittal slices"
    return {
        "sessions": gallery.image(
            lambda: figures.session_outlines(results),
            f"Each session on the one before it. {EDGES}",
            f"Edges of each later session on the one before it, and both in squares, {planes}. {facts['between']}",
        ),
        "flicker": _flicker(results, facts, gallery),
        "contrasts": [
            gallery.image(
                lambda label=session["label"]: figures.contrast_outlines(results, label),  # type: ignore[misc]
                f"Contrasts of ses-{session['label']} on its reference {session['reference']}, to be read in the same "
                "way.",
                f"Edges of each contrast of ses-{session['label']} on its reference {session['reference']}, and both "
                f"in squares, {planes}. {session['told']}",
            )
            for session in facts["sessions"]
        ],
        "brain": gallery.image(
            lambda: figures.brain_outlines(results),
            "The brain mask on the reference of every session, low, middle and high in the brain. The line has to "
            "follow the outer edge of the brain.",
            f"Edge of the brain mask on every session, {planes}.",
        ),
        "template": gallery.image(
            lambda: figures.template_outlines(results),
            "The template carried to the patient, on the mean image. Away from lesions its white matter has to follow "
            "the patient's, but only coarsely: it names territories and guides the tissue model.",
            f"Edges of the template's white matter and brain on the mean image of the patient, {planes}.",
        ),
    }


def _told(verdicts: Sequence[RegistrationQuality]) -> str:
    return "".join(f"{quality.moving} to {quality.fixed}: {verdict_text(quality)}. " for quality in verdicts).strip()


def _registrations(verdicts: Sequence[RegistrationQuality]) -> Row:
    """Return one row per registration, one column per measure that any of them has, and what is a good value."""
    measures = {
        name: measure
        for quality in verdicts
        for name, (measure, value) in measures_of(quality).items()
        if math.isfinite(value)
    }
    rows = []
    for quality in verdicts:
        values = {name: measure.text(value) for name, (measure, value) in measures_of(quality).items()}
        verdict = "accepted" if quality.accepted else "rejected"
        row = {
            "moving": quality.moving,
            "fixed": quality.fixed,
            "values": [values.get(name, "n/a") for name in measures],
        }
        rows.append(row | {"verdict": verdict, "reason": "" if quality.accepted else quality.reason})
    titles = [measure.title for measure in measures.values()]
    good = [(measure.title, measure.good) for measure in measures.values() if measure.good]
    return {"rows": rows, "titles": titles, "good": good}


def _flicker(results: SubjectResults, facts: Mapping[str, Any], gallery: Gallery) -> list[Row]:
    """Return one picture per session, all of the same slices, to be shown in turn in one place."""
    if len(facts["sessions"]) < 2:
        return []
    return [
        {
            "label": f"ses-{session['label']}",
            "shown": gallery.image(
                lambda label=session["label"]: figures.midspace_slices(results, label),  # type: ignore[misc]
                "",
                f"{session['title']}: axial, coronal and sagittal slice through the middle of the brain.",
            ),
        }
        for session in facts["sessions"]
    ]


def _noise(aligned: AlignedSeries | None) -> Row:
    """Return the noise of every contrast (rows) in every session (columns)."""
    sessions = aligned.sessions if aligned else ()
    names = list(dict.fromkeys(name for session in sessions for name in session.noise_sd))
    rows = [
        {"contrast": name, "values": [quantity(session.noise_sd.get(name)) for session in sessions]} for name in names
    ]
    return {"sessions": [f"ses-{session.label}" for session in sessions], "rows": rows}
