"""Findings: the complete, structured account of one patient, every question with one of three answers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

from hlhneuro.answers import Answer, Finding
from hlhneuro.errors import InputError
from hlhneuro.report.alignment_findings import ALIGNMENT, alignment_findings, is_told
from hlhneuro.report.results import StageStatus, SubjectResults
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

__all__ = ["SCHEMA_VERSION", "Findings", "IntervalFacts", "SessionFacts", "assess", "place_in_time", "value_text"]

SCHEMA_VERSION = "1.0"
# Answered "present" when all is well: nothing that a summary of the patient should name.
NOT_CLINICAL = ("follow_up", "spectrum_quality", *ALIGNMENT)
TROUBLE = ("failed", "not assessable")
# What each stage would have told, as a question.
STAGE_QUESTIONS = {
    "read": "Can the file be read?",
    "prepare": "Can the images of the session be used?",
    "align": "Can the sessions be compared in one space?",
    "native": "Can results be carried back to the scanner's images?",
    "lesions": "Are there lesions?",
    "change": "Did lesions change between sessions?",
    "volumes": "Did brain and ventricles change in volume?",
    "spectra": "Can the spectrum be read?",
    "findings": "Can the findings be put together?",
    "report": "Can the page be written?",
}


@dataclass(frozen=True)
class SessionFacts:
    """When a session was and what else is known of it.

    Parameters
    ----------
    label : str
    date : str, optional
        ISO 8601 day.
    age_years : float, optional
    days_since_first : int, optional
        Days since the first dated session.
    covariates : mapping of str to str
        Scanner, treatment .. as the study gives them.
    """

    label: str
    date: str | None
    age_years: float | None
    days_since_first: int | None
    covariates: Mapping[str, str]


@dataclass(frozen=True)
class IntervalFacts:
    """Two consecutive sessions and the days between them (None where a date is unknown)."""

    before: str
    after: str
    days: int | None


@dataclass(frozen=True)
class Findings:
    """The account of one patient.

    Parameters
    ----------
    subject : str
        Label without ``sub-``.
    sex : str, optional
    sessions : tuple of SessionFacts
        In order of time.
    intervals : tuple of IntervalFacts
        Between consecutive sessions.
    summary : tuple of str
        Sentences in plain words, made from the findings.
    findings : tuple of Finding
    kinds : tuple of str
        What each finding comes from: ``imaging``, ``spectra`` or ``study``.
    not_done : tuple of StageStatus
        Every stage that failed or is not assessable, and why.
    settings : mapping
        Stage to name to value.
    version : str
        Software version.
    schema_version : str
        Version of ``docs/findings.schema.json``.
    """

    subject: str
    sex: str | None
    sessions: tuple[SessionFacts, ...]
    intervals: tuple[IntervalFacts, ...]
    summary: tuple[str, ...]
    findings: tuple[Finding, ...]
    kinds: tuple[str, ...]
    not_done: tuple[StageStatus, ...]
    settings: Mapping[str, Mapping[str, Any]]
    version: str
    schema_version: str = SCHEMA_VERSION

    def of_kind(self, kind: str) -> tuple[Finding, ...]:
        """Return the findings that come from ``imaging``, ``spectra`` or the ``study``."""
        return tuple(finding for finding, own in zip(self.findings, self.kinds, strict=True) if own == kind)

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON types; ``docs/findings.schema.json`` describes them."""
        return {
            "schema_version": self.schema_version,
            "software": {"name": "hlhneuro", "version": self.version},
            "research_use_only": True,
            "subject": self.subject,
            "sex": self.sex,
            "sessions": [asdict(session) | {"covariates": dict(session.covariates)} for session in self.sessions],
            "intervals": [asdict(interval) for interval in self.intervals],
            "summary": list(self.summary),
            "findings": [
                {"kind": kind, **_plain(finding.to_dict())}
                for kind, finding in zip(self.kinds, self.findings, strict=True)
            ],
            "not_done": [asdict(status) for status in self.not_done],
            "settings": {stage: _plain(values) for stage, values in self.settings.items()},
        }

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> Findings:
        """Read back what `to_json` gave; further keys (such as ``Provenance``) are left out.

        Raises
        ------
        InputError
            If it is not such an account, or one of another schema version.
        """
        version = found.get("schema_version")
        if version != SCHEMA_VERSION:
            raise InputError(
                "not an account that this version can read",
                field="schema_version",
                found=version,
                remedy=f"use findings of schema version {SCHEMA_VERSION}, or make them again",
            )
        try:
            return cls(
                subject=found["subject"],
                sex=found["sex"],
                sessions=tuple(SessionFacts(**session) for session in found["sessions"]),
                intervals=tuple(IntervalFacts(**interval) for interval in found["intervals"]),
                summary=tuple(found["summary"]),
                findings=tuple(_finding_from(entry) for entry in found["findings"]),
                kinds=tuple(entry["kind"] for entry in found["findings"]),
                not_done=tuple(StageStatus(**status) for status in found["not_done"]),
                settings=found["settings"],
                version=found["software"]["version"],
            )
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(
                f"the account is incomplete: {error!r}", remedy="make the findings again from the results"
            ) from error


def _plain(values: Any) -> Any:
    if isinstance(values, Mapping):
        return {str(name): _plain(value) for name, value in values.items()}
    if isinstance(values, list | tuple):
        return [_plain(value) for value in values]
    return None if isinstance(values, float) and not math.isfinite(values) else values  # JSON has no NaN


def _finding_from(entry: Mapping[str, Any]) -> Finding:
    entry = {name: value for name, value in entry.items() if name != "kind"}
    return Finding(**{**entry, "answer": Answer(entry["answer"]), "sessions": tuple(entry["sessions"])})


def assess(
    results: SubjectResults, imaging_findings: Sequence[Finding] = (), spectral_findings: Sequence[Finding] = ()
) -> Findings:
    """Put the account of one patient together.

    What no stage could answer is answered *not assessable*, with the reason, so that nothing is passed over in silence.

    Parameters
    ----------
    results : SubjectResults
    imaging_findings, spectral_findings : sequence of Finding
        Answers of the lesion and of the spectroscopy stages, in the order in which they are shown.
    """
    missing = _missing_parts(results)
    parts: dict[str, list[Finding]] = {
        "imaging": [*imaging_findings, *missing["imaging"]],
        "spectra": [*spectral_findings, *missing["spectra"]],
        "study": [*_study_findings(results), *alignment_findings(results)],
    }
    told = {(f.reason, f.sessions if f.scope != "subject" else ()) for own in parts.values() for f in own}
    parts["study"] += [f for f in _failed_stages(results) if (f.reason, f.sessions) not in told]
    order = {session.label: place for place, session in enumerate(results.subject.sessions)}
    parts["imaging"].sort(key=lambda finding: _scope_order(finding, order))
    findings = tuple(finding for own in parts.values() for finding in own)
    return Findings(
        subject=results.subject.label,
        sex=results.subject.sex,
        sessions=_sessions(results),
        intervals=_intervals(results),
        summary=_summary(results, findings),
        findings=findings,
        kinds=tuple(kind for kind, own in parts.items() for _ in own),
        not_done=tuple(dict.fromkeys(status for status in results.statuses if status.state in TROUBLE)),
        settings=results.settings.to_dict(),
        version=results.version,
    )


def _scope_order(finding: Finding, order: Mapping[str, int]) -> tuple[int, tuple[int, ...]]:
    """Patient first, then intervals, sessions and single things, each in order of time."""
    scopes = ("subject", "interval", "session", "spectrum")
    place = scopes.index(finding.scope) if finding.scope in scopes else len(scopes)
    return place, place_in_time(finding.sessions, order)


def place_in_time(labels: Sequence[str], order: Mapping[str, int]) -> tuple[int, ...]:
    """Return what sessions and intervals are sorted by: in order of time, the whole course after its steps."""
    places = tuple(order.get(label, len(order)) for label in labels)
    return (int(len(places) > 1 and places[-1] - places[0] > 1), *places)


def _sessions(results: SubjectResults) -> tuple[SessionFacts, ...]:
    sessions = results.subject.sessions
    first = min((session.date for session in sessions if session.date), default=None)
    return tuple(
        SessionFacts(
            label=session.label,
            date=session.date.isoformat() if session.date else None,
            age_years=session.age_years,
            days_since_first=days_between(first, session.date),
            covariates=dict(session.covariates),
        )
        for session in sessions
    )


def _intervals(results: SubjectResults) -> tuple[IntervalFacts, ...]:
    sessions = results.subject.sessions
    return tuple(
        IntervalFacts(before.label, after.label, days_between(before.date, after.date))
        for before, after in pairwise(sessions)
    )


def _study_findings(results: SubjectResults) -> list[Finding]:
    """Answer what dates and ages allow: is there a follow-up, in which order, at which age."""
    sessions = results.subject.sessions
    labels = tuple(session.label for session in sessions)
    undated = [session.label for session in sessions if session.date is None]
    question = "Was the patient seen more than once on known dates?"
    days: int | None = None
    if len(sessions) < 2:
        answer, reason = Answer.ABSENT, "one session only: nothing can be followed over time"
    elif undated:
        answer = Answer.NOT_ASSESSABLE
        reason = f"no date for ses-{', ses-'.join(undated)}; add acq_time to sessions.tsv (order is that of the labels)"
    else:
        answer, days = Answer.PRESENT, days_between(sessions[0].date, sessions[-1].date)
        reason = f"{plural(len(sessions), 'session')} from {sessions[0].date} to {sessions[-1].date}"
    found = [Finding("follow_up", question, answer, reason, "subject", labels, value=days, unit="days" if days else "")]
    for session in sessions:
        if session.age_years is None:
            why = "no age in sessions.tsv and no date of birth; age-dependent limits cannot be applied"
            found.append(
                Finding("age_known", "Is the age known?", Answer.NOT_ASSESSABLE, why, "session", (session.label,))
            )
        for problem in session.problems:
            question = "Is the session complete and free of contradictions?"
            found.append(Finding("session_problem", question, Answer.ABSENT, problem, "session", (session.label,)))
    return found


def _missing_parts(results: SubjectResults) -> dict[str, list[Finding]]:
    """Say of every large part of the account that is missing why it is."""
    labels = tuple(session.label for session in results.subject.sessions)
    told = {status.stage: status.reason for status in results.statuses if status.state in TROUBLE and status.reason}

    def missing(code: str, question: str, reason: str) -> Finding:
        return Finding(code, question, Answer.NOT_ASSESSABLE, reason, "subject", labels)

    found: dict[str, list[Finding]] = {"imaging": [], "spectra": []}
    before = told.get("prepare") or told.get("read") or "no image could be used"
    if results.aligned is None:
        reason = told.get("align") or before
        found["imaging"].append(missing("alignment", "Can the sessions be compared in one space?", reason))
    if results.lesions is None:
        reason = told.get("lesions") or ("the images could not be aligned" if results.aligned is None else "not run")
        found["imaging"].append(missing("lesions", "Are there lesions in the brain?", reason))
    if results.change is None or not results.change.intervals:
        if len(labels) < 2:
            reason = "one session only; a second one would show change"
        else:
            reason = told.get("change") or "lesions could be assessed in fewer than two sessions"
        found["imaging"].append(missing("lesion_change", "Did the lesions change between sessions?", reason))
    if not any(spectrum.fit is not None for spectrum in results.spectra):
        reason = (
            "no spectrum could be fitted: " + "; ".join(dict.fromkeys(s.reason for s in results.spectra if s.reason))
            if results.spectra
            else told.get("spectra") or "no spectrum was acquired"
        )
        found["spectra"].append(missing("spectra", "Is the metabolism of the tissue abnormal?", reason))
    return found


def _failed_stages(results: SubjectResults) -> list[Finding]:
    found = []
    for status in dict.fromkeys(status for status in results.statuses if status.state in TROUBLE):
        if is_told(results, status.reason):
            continue
        question = STAGE_QUESTIONS.get(status.stage, f"Can the stage {status.stage!r} be done?")
        reason = status.reason or f"the stage {status.stage!r} {status.state}, no reason given"
        scope, sessions = ("session", (status.session,)) if status.session else ("subject", ())
        found.append(Finding(f"stage_{status.stage}", question, Answer.NOT_ASSESSABLE, reason, scope, sessions))
    return found


def _summary(results: SubjectResults, findings: Sequence[Finding]) -> tuple[str, ...]:
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
