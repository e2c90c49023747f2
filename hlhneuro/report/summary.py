"""The account in a few plain sentences."""

from __future__ import annotations

from collections.abc import Sequence

from hlhneuro.answers import Answer, Finding
from hlhneuro.report.alignment_findings import ALIGNMENT
from hlhneuro.report.results import SubjectResults
from hlhneuro.report.words import (
    age_text,
    days_between,
    join_words,
    number,
    plural,
    quantity,
    sentence,
    sessions_text,
    sex_text,
)

__all__ = ["summary", "value_text"]

# Answered "present" when all is well: nothing that a summary of the patient should name.
NOT_CLINICAL = ("follow_up", "spectrum_quality", *ALIGNMENT)


def summary(results: SubjectResults, findings: Sequence[Finding]) -> tuple[str, ...]:
    """Write the account in a few sentences: who and when, how many answers, what is present, what is unknown."""
    sentences = [_who_and_when(results)]
    counts = {answer: sum(finding.answer is answer for finding in findings) for answer in Answer}
    sentences.append(
        f"Of {plural(len(findings), 'question')}, {counts[Answer.PRESENT]} are answered present, "
        f"{counts[Answer.ABSENT]} absent and {counts[Answer.NOT_ASSESSABLE]} not assessable."
    )
    # What could not be aligned comes first: every number that follows lacks it.
    failed = (f.reason for f in findings if f.code in ALIGNMENT and f.answer is Answer.ABSENT)
    sentences += [sentence(reason) for reason in dict.fromkeys(failed)]
    limit = results.settings.report.summary_findings
    present: dict[tuple[str, str], list[Finding]] = {}
    for finding in findings:
        if finding.answer is Answer.PRESENT and finding.code not in NOT_CLINICAL:
            present.setdefault((finding.label, finding.subject_of), []).append(finding)
    # A named spectral pattern says more than any single sign: it comes first.
    told = sorted(present.values(), key=lambda same: not same[0].code.startswith("pattern_"))
    sentences += [_in_words(same) for same in told[:limit]]
    if len(present) > limit:
        sentences.append(f"{plural(len(present) - limit, 'further present finding')} in the table below.")
    unknown = list(dict.fromkeys(f.label.rstrip("?") for f in findings if f.answer is Answer.NOT_ASSESSABLE))
    if unknown:
        more = [f"{len(unknown) - limit} more"] if len(unknown) > limit else []
        sentences.append(sentence(f"Not assessable: {'; '.join([*unknown[:limit], *more])}"))
    return tuple(sentences)


def _who_and_when(results: SubjectResults) -> str:
    sessions = results.subject.sessions
    sex = sex_text(results.subject.sex)
    who = f", {sex}," if sex in ("male", "female") else ""
    if not sessions:
        return f"Patient {results.subject.label}{who} has no session."
    spans = [f"{s.date.isoformat() if s.date else 'unknown date'} ({age_text(s.age_years)})" for s in sessions]
    if len(sessions) == 1:
        return f"Patient {results.subject.label}{who} was examined once: {spans[0]}."
    days = days_between(sessions[0].date, sessions[-1].date)
    over = f", {plural(days, 'day')} apart" if days is not None else ""
    return (
        f"Patient {results.subject.label}{who} was examined {len(sessions)} times, "
        f"from {spans[0]} to {spans[-1]}{over}."
    )


def _in_words(same: Sequence[Finding]) -> str:
    """Write findings that answer the same question of the same thing as one sentence."""
    first = same[0]
    of = f" ({first.subject_of})" if first.subject_of else ""
    asks = "" if first.label.startswith("How") else " Yes:"
    head = f"{first.label.rstrip('?.')}{of}?{asks}" if first.label.endswith("?") else f"Present: {first.label}{of}:"
    places = []
    for finding in same:
        value = value_text(finding)
        where = sessions_text(finding.sessions, finding.scope) if finding.scope != "subject" else ""
        places.append(f"{value} ({where})" if value and where else value or where)
    places = [place for place in places if place]
    return f"{head} {join_words(places)}." if places else f"{head.rstrip(':')}."


def value_text(finding: Finding) -> str:
    """Write the value of a finding, a change with its sign; empty if it has none."""
    if finding.value is None:
        return ""
    if finding.code == "affected_territory_count":  # a count has no decimals; its error goes to the tables
        return number(finding.value, 0)
    signed = finding.scope == "interval" and finding.standard_uncertainty is not None
    return quantity(finding.value, finding.standard_uncertainty, finding.unit, signed=signed)
