"""The account in a few plain sentences, as one would tell it: when, what there is, what changed, what is open."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hlhneuro.answers import Answer, Finding
from hlhneuro.report.account._said import Asked, Said, and_no
from hlhneuro.report.account._summary_images import MISSING, SIGNS, said_of_change, said_of_images, said_of_volumes
from hlhneuro.report.account._summary_spectra import said_of_spectra
from hlhneuro.report.account.alignment import ALIGNMENT
from hlhneuro.report.results import SubjectResults
from hlhneuro.report.words import age_text, days_between, join_words, plural, sentence, sex_text

__all__ = ["summary", "summary_said"]


VOLUMES = {"brain_volume_change": "change of brain volume", "ventricle_volume_change": "change of ventricle volume"}
# What is on record of a visit, and what there may look like the disease or move the numbers.
RECORD = {"neurological_symptoms": "neurological symptoms", "csf_abnormal": "abnormal findings in cerebrospinal fluid"}
MIMICS = {
    "pres_recorded": "PRES",
    "recent_intrathecal_methotrexate": "recent intrathecal methotrexate",
    "hsct_recorded": "stem-cell transplantation",
    "seizure_recorded": "a seizure",
    "anaesthesia_recorded": "anaesthesia",
    "steroids_recorded": "steroids",
}


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
    for part in (said_of_images, said_of_change, said_of_volumes, said_of_spectra, _said_of_record, _said_of_gaps):
        said += part(results, asked)
    return tuple(said)


def _who_and_when(results: SubjectResults) -> str:
    sessions = results.subject.sessions
    sex = sex_text(results.subject.sex)
    who = f"Patient {results.subject.label}" + (f", {sex}," if sex in ("male", "female") else "")
    if not sessions:
        return f"{who} has no session."
    spans = [f"{s.date.isoformat() if s.date else 'an unknown date'} ({age_text(s.age_years)})" for s in sessions]
    if len(sessions) == 1:
        return f"{who} was examined once, on {spans[0]}."
    days = days_between(sessions[0].date, sessions[-1].date)
    times = "twice" if len(sessions) == 2 else f"{len(sessions)} times"
    over = f", {plural(days, 'day')} apart" if days is not None else ""
    return f"{who} was examined {times}, from {spans[0]} to {spans[-1]}{over}."


def _said_of_record(results: SubjectResults, asked: Asked) -> Iterator[Said]:
    """Say what the clinical record of the last visit tells: beside the images, never mixed with them."""
    sessions = results.subject.sessions
    last = sessions[-1].label if sessions else ""
    known, mimics = asked.of(RECORD, last), asked.of(MIMICS, last, answer=Answer.PRESENT)
    words: dict[Answer, list[str]] = {answer: [] for answer in Answer}
    for one in known:
        words[one.answer].append(RECORD[one.code])
    told = [f"tells of {join_words(words[Answer.PRESENT])}"] if words[Answer.PRESENT] else []
    told += [f"says that there were {and_no(words[Answer.ABSENT])}"] if words[Answer.ABSENT] else []
    open_ = words[Answer.NOT_ASSESSABLE]
    if told:
        told += [f"leaves {join_words(open_)} open"] if open_ else []
    if mimics:
        told.append(
            f"names {join_words(MIMICS[one.code] for one in mimics)}, which bear on what images and spectra mean"
        )
    if told:
        yield Said(f"The record of ses-{last} {join_words(told)}.", tuple(one.code for one in [*known, *mimics]))


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
    open_ = asked.of(SIGNS, last, answer=Answer.NOT_ASSESSABLE)
    if len(sessions) > 1:
        open_ += asked.of(VOLUMES, sessions[-2].label, last, answer=Answer.NOT_ASSESSABLE)
    for one in open_:
        gaps.setdefault(one.reason, []).append(one)
    words = SIGNS | VOLUMES
    told = [f"{join_words(words[one.code] for one in same)} ({reason})" for reason, same in gaps.items()]
    limit = results.settings.report.summary_findings
    if told:
        more = ["more under the findings"] if len(told) > limit else []
        codes = tuple(one.code for same in gaps.values() for one in same)
        yield Said(f"Not assessable at ses-{last}: {'; '.join([*told[:limit], *more])}.", codes)
