"""Findings of the MR images: every question has one of the three answers, and what it rests on."""

from __future__ import annotations

from collections.abc import Iterator

from hlhneuro.answers import Answer, Finding
from hlhneuro.imaging.alignment import AlignedSeries
from hlhneuro.lesions.change import LesionChange
from hlhneuro.lesions.interval_findings import interval_findings, interval_gaps
from hlhneuro.lesions.place_findings import PLACE_QUESTIONS, place_findings
from hlhneuro.lesions.series import LesionSeries, SessionLesions
from hlhneuro.lesions.signs import QUESTIONS, LesionSigns, sign_findings
from hlhneuro.lesions.volume_findings import volume_findings
from hlhneuro.lesions.volumes import VolumeChange
from hlhneuro.settings import LesionSettings

__all__ = ["lesion_findings"]

SHORT = "needs a FLAIR or T2w image of the whole brain"
SESSION_QUESTIONS = {"lesion_present": "Are there lesions?", **PLACE_QUESTIONS, **QUESTIONS}


def lesion_findings(
    series: AlignedSeries,
    lesions: LesionSeries,
    change: LesionChange,
    signs: LesionSigns | None = None,
    volumes: VolumeChange | None = None,
    settings: LesionSettings | None = None,
) -> tuple[Finding, ...]:
    """Answer every question about lesions: per session, then per interval, then for the subject.

    Parameters
    ----------
    series : AlignedSeries
    lesions : LesionSeries
        From `segment_lesions`.
    change : LesionChange
        From `measure_change`.
    signs : LesionSigns, optional
        From `measure_signs`; without it the questions about signs are not assessable.
    volumes : VolumeChange, optional
        From `measure_volumes`; without it those about brain and ventricles are not assessable.
    settings : LesionSettings, optional
        Those that the lesions were segmented with: they say of which size the sensitivity is told.

    Returns
    -------
    tuple of Finding
        In a fixed order; a question that cannot be answered says why.
    """
    size_mm = (settings or LesionSettings()).reference_diameter_mm
    found: list[Finding] = []
    for aligned in series.sessions:
        session = lesions.session(aligned.label)
        if session is None:
            why = lesions.not_assessable.get(aligned.label, f"lesions were not segmented; {SHORT}")
            found += _unanswered(aligned.label, why)
            continue
        found.append(_presence(session, size_mm))
        found += place_findings(session, lesions, change, _doubt(session))
        found += sign_findings(signs, session.label)
    found += interval_findings(change, lesions)
    found += interval_gaps([session.label for session in series.sessions], lesions, SHORT)
    found += volume_findings(volumes, tuple(session.label for session in series.sessions))
    return tuple(found)


def _doubt(session: SessionLesions) -> str:
    return f"; confidence reduced: {session.reason}" if session.confidence == "reduced" else f"; {session.reason}"


def _unanswered(label: str, why: str) -> Iterator[Finding]:
    for code, question in SESSION_QUESTIONS.items():
        yield Finding(code, question, Answer.NOT_ASSESSABLE, why, "session", (label,))


def _presence(session: SessionLesions, size_mm: float) -> Finding:
    present = bool(session.mask.any())
    text = f"{session.volume_ml:.2f} ml (SD {session.volume_sd_ml:.2f})" if present else "no lesion found"
    return Finding(
        "lesion_present",
        SESSION_QUESTIONS["lesion_present"],
        Answer.PRESENT if present else Answer.ABSENT,
        text + _sensitivity(session, size_mm) + _doubt(session),
        "session",
        (session.label,),
        value=session.volume_ml,
        standard_uncertainty=session.volume_sd_ml,
        unit="ml",
    )


def _sensitivity(session: SessionLesions, size_mm: float) -> str:
    """Say what would have been found: absent means absent above this, and a load leaves out what is below it."""
    if session.supplied:
        return "" if session.mask.any() else ": the mask is empty"
    least = session.detectable_contrast
    if least is None:
        return "; faint or small lesions may be missed, from which contrast on is not known"
    return (
        f"; half of the lesions {size_mm:g} mm across would have been found at a contrast of +{least:.2f} of white "
        f"matter ({session.contrasts[0]}), brighter and larger ones more often"
    )
