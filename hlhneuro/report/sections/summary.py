"""Who was seen when, and which large parts of the account there are."""

from __future__ import annotations

from hlhneuro.report.results import SubjectResults
from hlhneuro.report.sections.lesions import why_not
from hlhneuro.report.sections.section import Row
from hlhneuro.report.words import days_between, sex_text

__all__ = ["facts"]


def facts(results: SubjectResults) -> Row:
    """Return who was seen when, and what could be assessed."""
    sessions = results.subject.sessions
    first = min((session.date for session in sessions if session.date), default=None)
    return {
        "sex": sex_text(results.subject.sex) or "sex unknown",
        "session_count": len(sessions),
        "assessable": _assessable(results),
        "sessions": [
            {
                "label": session.label,
                "date": session.date.isoformat() if session.date else None,
                "days": days_between(first, session.date),
                "age_years": session.age_years,
                "images": [scan.contrast for scan in session.images],
                "spectra": len(session.spectra),
                "covariates": dict(session.covariates),
            }
            for session in sessions
        ],
    }


def _assessable(results: SubjectResults) -> list[Row]:
    """Say in one line each which large parts of the account there are."""
    sessions = len(results.subject.sessions)
    aligned = len(results.aligned.sessions) if results.aligned else 0
    segmented = len(results.lesions.sessions) if results.lesions else 0
    intervals = sum(not why_not(results, interval) for interval in results.change.intervals) if results.change else 0
    fitted = sum(spectrum.fit is not None for spectrum in results.spectra)
    parts = (
        ("Images", aligned, sessions, ("session", "sessions")),
        ("Lesions", segmented, sessions, ("session", "sessions")),
        ("Change", intervals, max(sessions - 1, 0), ("interval", "intervals")),
        ("Spectra", fitted, len(results.spectra), ("spectrum", "spectra")),
    )
    return [
        {"part": part, "done": done, "total": total, "noun": nouns[total != 1]} for part, done, total, nouns in parts
    ]
