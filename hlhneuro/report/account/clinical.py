"""Findings of the clinical record: what stands beside the images of each session, and what is wrong with its tables."""

from __future__ import annotations

from collections.abc import Sequence

from hlhneuro.answers import Answer, Finding
from hlhneuro.report.account.cns_involvement import cns_findings
from hlhneuro.report.account.mimics import mimic_findings
from hlhneuro.report.results import SubjectResults

__all__ = ["clinical_findings", "table_findings"]


def clinical_findings(results: SubjectResults, imaging_findings: Sequence[Finding] = ()) -> tuple[Finding, ...]:
    """Answer, session by session, what the clinical record says beside the images.

    First whether symptoms, cerebrospinal fluid and images are abnormal, each by itself; then what on the time line may
    look like the disease. Without a record every answer is *not assessable*.

    Parameters
    ----------
    results : SubjectResults
    imaging_findings : sequence of Finding
        Of the lesion stages; those of a session are read beside the record.
    """
    days = results.settings.report.clinical_window_days
    found: list[Finding] = []
    for session in results.subject.sessions:
        own = [f for f in imaging_findings if f.scope == "session" and f.sessions == (session.label,)]
        answers = {finding.code: finding.answer for finding in own if not finding.subject_of}
        found += cns_findings(results.subject, session, results.clinical, answers, days)
        found += mimic_findings(session, results.clinical, answers)
    return tuple(found)


def table_findings(results: SubjectResults) -> list[Finding]:
    """Say what of the clinical tables could not be used."""
    question = "Are the clinical tables complete and free of contradictions?"
    return [
        Finding("clinical_table_problem", question, Answer.ABSENT, problem, "subject")
        for problem in results.clinical.problems
    ]
