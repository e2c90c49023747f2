"""What the course of one voxel says: recovery of NAA and creatine speaks against necrosis, further loss for it."""

from __future__ import annotations

from hlhneuro.answers import Answer, Finding
from hlhneuro.settings import PatternSettings
from hlhneuro.spectroscopy._lactate import lipid_sign
from hlhneuro.spectroscopy._signs import EXPERT, Reference, relative
from hlhneuro.spectroscopy.comparison import comparable
from hlhneuro.spectroscopy.results import SpectrumResult

__all__ = ["course_finding"]

_SOURCE = f"{EXPERT}; after Bizzi 2001 (low NAA of ADEM recovers) and Kamada 1997 (all lost in necrosis)"


def course_finding(before: SpectrumResult, now: SpectrumResult, settings: PatternSettings) -> Finding:
    """Answer whether the course between two sessions speaks for necrosis.

    Parameters
    ----------
    before, now : SpectrumResult
        Usable spectra of one name, in order of time.

    Returns
    -------
    Finding
        *present*: NAA and creatine both fell further while lipid is there; *absent*: both recovered; otherwise *not
        assessable*, with the numbers.
    """
    answer, reason = _judge(before, now, settings)
    return Finding(
        code="necrosis_course",
        label="Does the course of the spectrum speak for necrosis?",
        answer=answer,
        reason=reason,
        scope="interval",
        sessions=(before.session, now.session),
        subject_of=now.name,
        threshold=settings.course_change,
        threshold_source=_SOURCE,
    )


def _judge(before: SpectrumResult, now: SpectrumResult, settings: PatternSettings) -> tuple[Answer, str]:
    may, why = comparable(before, now, settings)
    if not may:
        return Answer.NOT_ASSESSABLE, "; ".join(why)
    against = Reference(f"session {before.session}", before)
    parts = {name: relative(now, against, name, settings) for name in ("tNAA", "tCr")}
    for part in parts.values():
        if isinstance(part, str):
            return Answer.NOT_ASSESSABLE, part
        if part[2] != "water-referenced":
            return (
                Answer.NOT_ASSESSABLE,
                "the course of creatine cannot be seen in ratios: a water reference would tell",
            )
    known = {name: part for name, part in parts.items() if not isinstance(part, str)}
    words = ", ".join(f"{name} {part:.2f} ± {sd:.2f}" for name, (part, sd, _) in known.items())
    words = f"{words} of session {before.session} (water-referenced; {why[0]})"
    step = settings.course_change
    if all(part >= 1 + step and part - 1 > 2 * sd for part, sd, _ in known.values()):
        return Answer.ABSENT, f"NAA and creatine recover, which speaks against necrosis: {words}"
    fell = all(part <= 1 - step and 1 - part > 2 * sd for part, sd, _ in known.values())
    if not fell:
        return Answer.NOT_ASSESSABLE, f"NAA and creatine neither both recover nor both fall further: {words}"
    lipid = lipid_sign(now, settings)
    if lipid.answer is Answer.PRESENT:
        return Answer.PRESENT, f"NAA and creatine fall further with lipid, which speaks for necrosis: {words}"
    return Answer.NOT_ASSESSABLE, f"NAA and creatine fall further, lipid: {lipid.answer} ({lipid.reason}); {words}"
