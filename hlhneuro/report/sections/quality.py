"""The quality of the images: verdicts on registrations, figures to look at, and the noise."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from hlhneuro.imaging.series import RegistrationQuality
from hlhneuro.report import figures
from hlhneuro.report.figures.sheet import MARGIN_MM
from hlhneuro.report.gallery import Gallery
from hlhneuro.report.registrations import measured, measures_of, parts_of, verdicts_of
from hlhneuro.report.results import SubjectResults
from hlhneuro.report.sections.section import Pictures, Row
from hlhneuro.report.sections.spectrum_facts import finite
from hlhneuro.report.words import session_title

__all__ = ["facts", "pictures"]

EDGES = (
    "Yellow edges come from the image that was moved, grey values from the one it was moved to: the edges have to run "
    "along the same anatomy. In the squares, anatomy has to run on without a step."
)


def facts(results: SubjectResults) -> Row:
    """Return the verdicts on all registrations and the noise of every image."""
    aligned = results.aligned
    sessions = aligned.sessions if aligned else ()
    verdicts = verdicts_of(aligned) if aligned else []
    return {
        "margin_mm": MARGIN_MM,
        "measures": _measures(verdicts),
        "registrations": [_registration(quality) for quality in verdicts],
        "sessions": [
            {
                "label": session.label,
                "title": session_title(results, session.label),
                "reference": session.reference,
                "noise_sd": {name: finite(noise) for name, noise in session.noise_sd.items()},
            }
            for session in sessions
        ],
        "contrasts": list(dict.fromkeys(name for session in sessions for name in session.noise_sd)),
    }


def pictures(results: SubjectResults, facts: Mapping[str, Any], gallery: Gallery) -> Pictures:
    """Draw what shows how well images lie on each other, and the brain mask."""
    planes = "in axial, coronal and sagittal slices"
    return {
        "sessions": gallery.image(
            lambda: figures.session_outlines(results),
            f"Each session on the one before it. {EDGES}",
            f"Edges of each later session on the one before it, and both in squares, {planes}. {_told(facts, '')}",
        ),
        "flicker": _flicker(results, facts, gallery),
        "contrasts": [
            gallery.image(
                lambda label=session["label"]: figures.contrast_outlines(results, label),  # type: ignore[misc]
                f"Contrasts of ses-{session['label']} on its reference {session['reference']}, to be read in the same "
                "way.",
                f"Edges of each contrast of ses-{session['label']} on its reference {session['reference']}, and both "
                f"in squares, {planes}. {_told(facts, session['label'])}",
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


def _told(facts: Mapping[str, Any], label: str) -> str:
    """Return the verdicts on the contrasts of a session, or without a label those between sessions, in words."""
    texts = []
    for row in facts["registrations"]:
        if row["session"] == label:
            numbers = ", ".join(
                f"{measure['short']} {measured(row['values'][measure['key']], measure['unit'])}"
                for measure in facts["measures"]
                if row["values"].get(measure["key"]) is not None
            )
            texts.append(f"{row['moving']} to {row['fixed']}: {row['verdict']} ({numbers}).")
    return " ".join(texts)


def _measures(verdicts: Sequence[RegistrationQuality]) -> list[Row]:
    """Return every number that any of the verdicts has, and what is a good value."""
    found = {
        name: {"key": name, "title": measure.title, "short": measure.short, "unit": measure.unit, "good": measure.good}
        for quality in verdicts
        for name, (measure, value) in measures_of(quality).items()
        if math.isfinite(value)
    }
    return list(found.values())


def _registration(quality: RegistrationQuality) -> Row:
    labels = {parts_of(name)[0] for name in (quality.moving, quality.fixed)}
    return {
        "session": labels.pop() if len(labels) == 1 else "",
        "moving": quality.moving,
        "fixed": quality.fixed,
        "values": {name: finite(value) for name, (_, value) in measures_of(quality).items()},
        "verdict": "accepted" if quality.accepted else "rejected",
        "reason": "" if quality.accepted else quality.reason,
    }


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
