"""Findings of the MR images: every question has one of the three answers, and what it rests on."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.stats import norm

from hlhneuro.answers import Answer, Finding
from hlhneuro.imaging.alignment import AlignedSeries
from hlhneuro.lesions.change import LesionChange
from hlhneuro.lesions.interval_findings import interval_findings, interval_gaps
from hlhneuro.lesions.place_findings import PLACE_QUESTIONS, place_findings
from hlhneuro.lesions.series import LesionSeries, SessionLesions
from hlhneuro.lesions.signs import QUESTIONS, LesionSigns, sign_findings
from hlhneuro.lesions.volume_findings import volume_findings
from hlhneuro.lesions.volumes import VolumeChange
from hlhneuro.settings import LesionSettings, SignSettings

__all__ = ["lesion_findings"]

SHORT = "needs a FLAIR or T2w image of the whole brain"
SESSION_QUESTIONS = {
    "lesion_present": "Are there lesions?",
    "lesion_count": "How many separate lesions are there?",
    **PLACE_QUESTIONS,
    **QUESTIONS,
    "oedema": "Is there oedema about the lesions?",
}
# Said rather than guessed: the images that lesions are found on cannot tell the two apart.
OEDEMA = (
    "oedema is as bright as lesion on FLAIR and T2w, and the load holds both: a reader has to tell them apart; raised "
    "diffusion, mass effect and the volume of the brain, which have answers of their own, show some of what it does"
)


def lesion_findings(
    series: AlignedSeries,
    lesions: LesionSeries,
    change: LesionChange,
    signs: LesionSigns | None = None,
    volumes: VolumeChange | None = None,
    settings: LesionSettings | None = None,
    sign_settings: SignSettings | None = None,
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
    sign_settings : SignSettings, optional
        Those that the signs were measured with: they say what counts.

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
        found += [_presence(session, size_mm), _count(session, change)]
        found += place_findings(session, lesions, change, _doubt(session))
        found += sign_findings(signs, session.label, sign_settings)
        found.append(_oedema(session))
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


def _count(session: SessionLesions, change: LesionChange) -> Finding:
    """Count the lesions; the error is that of the small ones, each of which may be none."""
    table = change.lesions[(change.lesions["session"] == session.label) & (change.lesions["volume_ml"] > 0)]
    sds_ml = np.maximum(table["volume_sd_ml"].to_numpy(dtype=float), np.finfo(float).tiny)
    real = norm.cdf(table["volume_ml"].to_numpy(dtype=float) / sds_ml)
    largest = f"; the largest holds {table['volume_ml'].max():.2f} ml" if len(table) else ""
    return Finding(
        "lesion_count",
        SESSION_QUESTIONS["lesion_count"],
        Answer.PRESENT if len(table) else Answer.ABSENT,
        f"{len(table)} with a number of their own{largest}; confluent lesions count as one, so the load says more"
        + _doubt(session),
        "session",
        (session.label,),
        value=float(len(table)),
        standard_uncertainty=float(np.sqrt((real * (1 - real)).sum())),
    )


def _oedema(session: SessionLesions) -> Finding:
    if not session.mask.any():
        return Finding(
            "oedema",
            SESSION_QUESTIONS["oedema"],
            Answer.ABSENT,
            "no lesion was found, and oedema would be as bright as one; a swelling of the whole brain is another "
            "question" + _doubt(session),
            "session",
            (session.label,),
        )
    return Finding("oedema", SESSION_QUESTIONS["oedema"], Answer.NOT_ASSESSABLE, OEDEMA, "session", (session.label,))


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
