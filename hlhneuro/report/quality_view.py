"""What the page shows of the quality of the images: verdicts on registrations, figures to look at, and the noise."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from hlhneuro.imaging.series import AlignedSeries, RegistrationQuality
from hlhneuro.report import figures
from hlhneuro.report.gallery import Gallery
from hlhneuro.report.registrations import measures_of, verdict_text, verdicts_of
from hlhneuro.report.results import SubjectResults
from hlhneuro.report.words import quantity, session_title

__all__ = ["quality_view"]

Row = dict[str, Any]
EDGES = (
    "Yellow edges come from the image that was moved, grey values from the one it was moved to: the edges have to run "
    "along the same anatomy. In the squares, anatomy has to run on without a step."
)


def quality_view(results: SubjectResults, gallery: Gallery) -> Row:
    """Return the verdicts on all registrations, the figures that show them, and the noise of every image."""
    aligned = results.aligned
    sessions = aligned.sessions if aligned else ()
    between = aligned.quality if aligned else ()
    planes = "in axial, coronal and sagittal slices"
    return {
        "registrations": _registrations(verdicts_of(aligned) if aligned else ()),
        "sessions": gallery.image(
            lambda: figures.session_outlines(results),
            f"Each session on the one before it. {EDGES}",
            f"Edges of each later session on the one before it, and both in squares, {planes}. {_told(between)}",
        ),
        "flicker": _flicker(results, gallery),
        "contrasts": [
            gallery.image(
                lambda label=session.label: figures.contrast_outlines(results, label),  # type: ignore[misc]
                f"Contrasts of ses-{session.label} on its reference {session.reference}, to be read in the same way.",
                f"Edges of each contrast of ses-{session.label} on its reference {session.reference}, and both in "
                f"squares, {planes}. {_told(session.quality)}",
            )
            for session in sessions
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
        "noise": _noise(aligned),
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


def _flicker(results: SubjectResults, gallery: Gallery) -> list[Row]:
    """Return one picture per session, all of the same slices, to be shown in turn in one place."""
    labels = [session.label for session in results.aligned.sessions] if results.aligned else []
    if len(labels) < 2:
        return []
    return [
        {
            "label": f"ses-{label}",
            "shown": gallery.image(
                lambda label=label: figures.midspace_slices(results, label),  # type: ignore[misc]
                "",
                f"{session_title(results, label)}: axial, coronal and sagittal slice through the middle of the brain.",
            ),
        }
        for label in labels
    ]


def _noise(aligned: AlignedSeries | None) -> Row:
    """Return the noise of every contrast (rows) in every session (columns)."""
    sessions = aligned.sessions if aligned else ()
    names = list(dict.fromkeys(name for session in sessions for name in session.noise_sd))
    rows = [
        {"contrast": name, "values": [quantity(session.noise_sd.get(name)) for session in sessions]} for name in names
    ]
    return {"sessions": [f"ses-{session.label}" for session in sessions], "rows": rows}
