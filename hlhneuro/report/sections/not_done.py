"""What failed or could not be assessed, and remarks on the data."""

from __future__ import annotations

from hlhneuro.report.results import SubjectResults
from hlhneuro.report.sections.section import Row

__all__ = ["facts"]


def facts(results: SubjectResults) -> Row:
    """Return the remarks; the stages that failed stand in the account itself."""
    return {"remarks": _remarks(results)}


def _remarks(results: SubjectResults) -> list[Row]:
    """Collect what reading and alignment complained of, whether or not it stopped anything."""
    rows = [{"where": "subject", "text": text} for text in results.subject.problems]
    for session in results.subject.sessions:
        rows += [{"where": f"ses-{session.label}", "text": text} for text in session.problems]
    if results.aligned is not None:
        rows += [{"where": "alignment", "text": text} for text in results.aligned.problems]
        for aligned in results.aligned.sessions:
            rows += [{"where": f"ses-{aligned.label}", "text": text} for text in aligned.problems]
    return rows
