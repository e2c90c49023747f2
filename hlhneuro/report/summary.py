"""The account in a few plain sentences, as one would tell it: when, what there is, what changed, what is open."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hlhneuro.answers import Answer, Finding
from hlhneuro.report._said import Asked, Said
from hlhneuro.report._summary_images import MISSING, SIGNS, said_of_change, said_of_images, said_of_volumes
from hlhneuro.report._summary_spectra import said_of_spectra
from hlhneuro.report.alignment_findings import ALIGNMENT
from hlhneuro.report.results import SubjectResults
from hlhneuro.report.words import age_text, days_between, join_words, plural, sentence, sex_text

__all__ = ["summary", "summary_said"]


def summary(results: SubjectResults, findings: Sequence[Finding]) -> tuple[str, ...]:
    """Write the account in a few sentences.

    Parameters
    ----------
    results : SubjectResults
        Who was seen when.
    findings : sequence of Finding
        Where every number and every verdict comes from.
    """
    return tuple(said.text for said in summary_said(results, findings))


def summary_said(results: SubjectResults, findings: Sequence[Finding]) -> tuple[Said, ...]:
    """Return the sentences of the summary, each with the codes of the findings it rests on."""
    asked = Asked(findings)
    said = [Said(_who_and_when(results), ("follow_up",))]
    # What could not be aligned comes first: every number that follows lacks it.
    failed = {one.reason: one.code for one in findings if one.code in ALIGNMENT and one.answer is Answer.ABSENT}
    said += [Said(sentence(reason), (code,)) for reason, code in failed.items()]
    for part in (said_of_images, said_of_change, said_of_volumes, said_of_spectra, _said_of_gaps):
        said += part(results, asked)
    return tuple(said)


def _who_and_when(results: SubjectResults) -> str:
    sessions = results.subject.sessions
    sex = sex_text(results.subject.sex)
    who = f"Patient {results.subject.label}" + (f", {sex}," if sex in ("male", "female") else "")
    if not sessions:
        return f"{who} has no session."
    spans = [f"{s.date.isoformat() if s.date else 'unknown date'} ({age_text(s.age_years)})" for s in sessions]
    if len(sessions) == 1:
        return f"{who} was examined once: {spans[0]}."
    days = days_between(sessions[0].date, sessions[-1].date)
    times = "twice" if len(sessions) == 2 else f"{len(sessions)} times"
    over = f", {plural(days, 'day')} apart" if days is not None else ""
    return f"{who} was examined {times}, from {spans[0]} to {spans[-1]}{over}."


def _said_of_gaps(results: SubjectResults, asked: Asked) -> Iterator[Said]:
    """Say what the images of the last visit could not tell, and what would supply it: each reason once."""
    sessions = results.subject.sessions
    if not sessions or asked.of(MISSING, answer=Answer.NOT_ASSESSABLE):
        return
    last = sessions[-1].label
    load = asked.about("lesion_present", last)
    if load is None or load.answer is Answer.NOT_ASSESSABLE:  # that has been said
        return
    gaps: dict[str, list[Finding]] = {}
    for one in asked.of(SIGNS, last, answer=Answer.NOT_ASSESSABLE):
        gaps.setdefault(one.reason, []).append(one)
    told = [f"{join_words(SIGNS[one.code] for one in same)} ({reason})" for reason, same in gaps.items()]
    limit = results.settings.report.summary_findings
    if told:
        more = ["more under the findings"] if len(told) > limit else []
        codes = tuple(one.code for same in gaps.values() for one in same)
        yield Said(f"Not assessable at ses-{last}: {'; '.join([*told[:limit], *more])}.", codes)
