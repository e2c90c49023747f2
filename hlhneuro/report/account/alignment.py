"""Findings on alignment: a registration that failed is an answer of its own, not a wrong map."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import replace

from hlhneuro.answers import Answer, Finding
from hlhneuro.imaging.series import AlignedSeries, RegistrationQuality
from hlhneuro.report.registrations import measures_of, parts_of, template_verdicts, verdicts_of
from hlhneuro.report.results import SubjectResults
from hlhneuro.report.words import join_words, session_of
from hlhneuro.settings import AlignSettings, PrepareSettings

__all__ = ["ALIGNMENT", "alignment_findings", "is_told"]

# The questions, by code; all are answered "present" when all is well.
ALIGNMENT = ("contrasts_aligned", "session_aligned", "template_aligned", "template_valid")


def alignment_findings(results: SubjectResults) -> list[Finding]:
    """Answer whether the images of each session, the sessions, and the template are aligned.

    A registration that failed is answered *absent*, with the image that could not be aligned and why. Where no session
    is aligned there is nothing to say of single ones.
    """
    if results.aligned is None:
        return []
    found = []
    for session in results.subject.sessions:
        found += [make(results, results.aligned, session.label) for make in (_contrasts_aligned, _session_aligned)]
    return [*found, _template_aligned(results, results.aligned), _template_valid(results, results.aligned)]


def is_told(results: SubjectResults, problem: str) -> bool:
    """Say whether the findings on alignment already tell of a problem that a stage noted."""
    if results.aligned is None:
        return False
    rejected = any(not q.accepted and q.reason in problem for q in verdicts_of(results.aligned))
    out = (s.label for s in results.subject.sessions if results.aligned.session(s.label) is None)
    return rejected or any(f"session {label} could not be aligned" in problem for label in out)


def _contrasts_aligned(results: SubjectResults, aligned: AlignedSeries, label: str) -> Finding:
    """Answer whether all contrasts of a session are in register with its reference."""
    question = "Images of the session aligned with each other"
    own = aligned.session(label)
    if own is None:
        answer, reason = Answer.NOT_ASSESSABLE, _why_missing(results, label)
    elif failed := [quality for quality in own.quality if not quality.accepted]:
        answer = Answer.ABSENT
        reason = "; ".join(
            f"session {label} {parts_of(quality.moving)[1]} could not be aligned to {parts_of(quality.fixed)[1]} "
            f"and was left out: {quality.reason}"
            for quality in failed
        )
    elif not own.quality:
        answer = Answer.NOT_ASSESSABLE
        reason = f"{own.reference} is the only contrast; a second one would be aligned to it"
    else:
        moved = join_words(parts_of(quality.moving)[1] for quality in own.quality)
        return _aligned(
            "contrasts_aligned", question, label, own.quality, f"{moved} to {own.reference}", results.settings.prepare
        )
    return Finding("contrasts_aligned", question, answer, reason, "session", (label,))


def _session_aligned(results: SubjectResults, aligned: AlignedSeries, label: str) -> Finding:
    """Answer whether a session lies in one space with the others."""
    question = "Session aligned with the other sessions"
    verdicts = [q for q in aligned.quality if label in (parts_of(q.moving)[0], parts_of(q.fixed)[0])]
    failed = [quality for quality in verdicts if not quality.accepted]
    others = [session.label for session in aligned.sessions if session.label != label]
    if aligned.session(label) is not None and others:
        done = [quality for quality in verdicts if quality.accepted]
        what = f"in one space with {join_words(f'ses-{other}' for other in others)}"
        if failed:
            what += f", although {_failures(failed)}"
        return _aligned("session_aligned", question, label, done, what, results.settings.align)
    if failed:
        answer, reason = Answer.ABSENT, f"session {label} could not be aligned: {_failures(failed)}"
    elif aligned.session(label) is not None:
        answer, reason = Answer.NOT_ASSESSABLE, "no other session has images that can be used"
    else:
        answer, reason = Answer.NOT_ASSESSABLE, _why_missing(results, label)
    return Finding("session_aligned", question, answer, reason, "session", (label,))


def _template_aligned(results: SubjectResults, aligned: AlignedSeries) -> Finding:
    question, labels = "Brain aligned with the template", tuple(session.label for session in aligned.sessions)
    verdicts = template_verdicts(aligned)
    if not verdicts:
        reason = "no match with the template was judged"
        return Finding("template_aligned", question, Answer.NOT_ASSESSABLE, reason, "subject", labels)
    # The first is the affine match; where its deformation is refused, the affine one is used, and the reason says so.
    affine = verdicts[0]
    told = "; ".join(f"{verdict.moving} to {verdict.fixed}: {verdict.reason}" for verdict in verdicts)
    if not affine.accepted:
        told = f"the brain could not be aligned with the template, so territories are doubtful: {told}"
    return Finding(
        "template_aligned",
        question,
        Answer.PRESENT if affine.accepted else Answer.ABSENT,
        told,
        "subject",
        labels,
        value=affine.brain_overlap,
        threshold=results.settings.align.lowest_overlap,
        threshold_source=_source(results.settings.align, "lowest_overlap"),
    )


def _template_valid(results: SubjectResults, aligned: AlignedSeries) -> Finding:
    """Answer whether the template tells the tissue of a brain of that age; users answer for templates of theirs."""
    aged = any(session.age_years is not None for session in results.subject.sessions)
    answer = Answer.PRESENT if aligned.template_valid else Answer.ABSENT
    if aligned.template_valid and not aged and not results.settings.template.path:
        answer = Answer.NOT_ASSESSABLE
    return Finding(
        "template_valid",
        "Template valid for the age",
        answer,
        aligned.template_reason or f"{aligned.template}; its range of ages was not judged",
        "subject",
        tuple(session.label for session in aligned.sessions),
    )


def _aligned(
    code: str,
    question: str,
    label: str,
    verdicts: Sequence[RegistrationQuality],
    what: str,
    settings: PrepareSettings | AlignSettings,
) -> Finding:
    """Return the answer "present" with the largest disagreement of the two directions, where both were made."""
    gaps = [gap for quality in verdicts if math.isfinite(gap := measures_of(quality)["inverse_consistency_mm"][1])]
    dice = [quality.brain_overlap for quality in verdicts]
    told = [f"least brain Dice {min(dice):.2f}"] if dice else []
    told += [f"the coarse searches in both directions agree to {max(gaps):.2f} mm or better"] if gaps else []
    finding = Finding(code, question, Answer.PRESENT, ", ".join([what, *told]), "session", (label,))
    if not gaps:
        return finding
    source = _source(settings, "largest_inverse_gap_mm")
    limit = settings.largest_inverse_gap_mm
    return replace(finding, value=max(gaps), unit="mm", threshold=limit, threshold_source=source)


def _failures(failed: Sequence[RegistrationQuality]) -> str:
    return "; ".join(f"{quality.moving} to {quality.fixed}: {quality.reason}" for quality in failed)


def _why_missing(results: SubjectResults, label: str) -> str:
    """Say why no image of a session came as far as alignment."""
    told = [s.reason for s in results.statuses if s.session == label and s.stage in ("read", "prepare") and s.reason]
    if told:
        return "; ".join(dict.fromkeys(told))
    session = session_of(results, label)
    return "no image of this session could be used" if session and session.images else "no image in this session"


def _source(settings: PrepareSettings | AlignSettings, name: str) -> str:
    found = next(field for field in dataclasses.fields(settings) if field.name == name)
    return str(found.metadata["source"])
