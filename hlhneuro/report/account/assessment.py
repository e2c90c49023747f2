"""Every question asked of the results of one patient."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

from hlhneuro.answers import Answer, Finding
from hlhneuro.report.account.alignment import alignment_findings, is_told
from hlhneuro.report.account.clinical import clinical_findings, table_findings
from hlhneuro.report.account.findings import Findings, IntervalFacts, SessionFacts
from hlhneuro.report.account.mimics import with_mimics
from hlhneuro.report.account.summary import summary
from hlhneuro.report.results import SubjectResults
from hlhneuro.report.sections import with_sections
from hlhneuro.report.words import days_between, place_in_time, plural

__all__ = ["TROUBLE", "assess"]

TROUBLE = ("failed", "not assessable")
# What each stage would have told, as a question.
STAGE_QUESTIONS = {
    "read": "Can the file be read?",
    "clinical": "Can the clinical tables be used?",
    "prepare": "Can the images of the session be used?",
    "align": "Can the sessions be compared in one space?",
    "native": "Can results be carried back to the scanner's images?",
    "lesions": "Are there lesions?",
    "change": "Did lesions change between sessions?",
    "volumes": "Did brain and ventricles change in volume?",
    "spectra": "Can the spectrum be read?",
    "findings": "Can the findings be put together?",
    "report": "Can the page be written?",
    "study": "Does the page show what the study tells now?",
}


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
    imaging = with_mimics(imaging_findings, results.subject.sessions, results.clinical)
    parts: dict[str, list[Finding]] = {
        "imaging": [*imaging, *missing["imaging"]],
        "spectra": [*spectral_findings, *missing["spectra"]],
        "clinical": list(clinical_findings(results, imaging_findings)),
        "study": [*_study_findings(results), *table_findings(results), *alignment_findings(results)],
    }
    told = {(f.reason, f.sessions if f.scope != "subject" else ()) for own in parts.values() for f in own}
    parts["study"] += [f for f in _failed_stages(results) if (f.reason, f.sessions) not in told]
    order = {session.label: place for place, session in enumerate(results.subject.sessions)}
    parts["imaging"].sort(key=lambda finding: _scope_order(finding, order))
    findings = tuple(finding for own in parts.values() for finding in own)
    account = Findings(
        subject=results.subject.label,
        sex=results.subject.sex,
        sessions=_sessions(results),
        intervals=_intervals(results),
        summary=summary(results, findings),
        findings=findings,
        kinds=tuple(kind for kind, own in parts.items() for _ in own),
        not_done=tuple(dict.fromkeys(status for status in results.statuses if status.state in TROUBLE)),
        settings=results.settings.to_dict(),
        version=results.version,
    )
    return with_sections(results, account)


def _scope_order(finding: Finding, order: Mapping[str, int]) -> tuple[int, tuple[int, ...]]:
    """Patient first, then intervals, sessions and single things, each in order of time."""
    scopes = ("subject", "interval", "session", "spectrum")
    place = scopes.index(finding.scope) if finding.scope in scopes else len(scopes)
    return place, place_in_time(finding.sessions, order)


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
