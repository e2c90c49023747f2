"""Who was seen when, and which large parts of the account there are."""

from __future__ import annotations

from hlhneuro.report.results import SubjectResults
from hlhneuro.report.sections.lesions import why_not
from hlhneuro.report.sections.section import Row
from hlhneuro.report.words import age_text, days_between, plural, sex_text

__all__ = ["facts"]


def facts(results: SubjectResults) -> Row:
    """Return who was seen when, and what could be assessed."""
    return {
        "sex": sex_text(results.subject.sex) or "sex unknown",
        "assessable": _assessable(results),
        "sessions": _sessions(results),
    }


def _assessable(results: SubjectResults) -> list[Row]:
    """Say in one line each which large parts of the account there are."""
    sessions = results.subject.sessions
    aligned = len(results.aligned.sessions) if results.aligned else 0
    segmented = len(results.lesions.sessions) if results.lesions else 0
    intervals = sum(not why_not(results, interval) for interval in results.change.intervals) if results.change else 0
    fitted = sum(spectrum.fit is not None for spectrum in results.spectra)
    parts = (
        ("Images", aligned, len(sessions), "session"),
        ("Lesions", segmented, len(sessions), "session"),
        ("Change", intervals, max(len(sessions) - 1, 0), "interval"),
        ("Spectra", fitted, len(results.spectra), "spectrum"),
    )
    return [
        {"part": part, "done": done, "of": f"of {of} {_plural_word(noun, of)}", "full": done == of and of > 0}
        for part, done, of, noun in parts
    ]


def _plural_word(noun: str, count: int) -> str:
    return noun if count == 1 else {"spectrum": "spectra"}.get(noun, f"{noun}s")


def _sessions(results: SubjectResults) -> list[Row]:
    rows, first = [], results.subject.sessions[0] if results.subject.sessions else None
    for session in results.subject.sessions:
        days = days_between(first.date, session.date) if first else None
        rows.append(
            {
                "label": session.label,
                "date": session.date.isoformat() if session.date else "unknown",
                "days": "n/a" if days is None else f"{days}\u00a0d",
                "age": age_text(session.age_years),
                "images": ", ".join(scan.contrast for scan in session.images) or "none",
                "spectra": plural(len(session.spectra), "file") if session.spectra else "none",
                "more": "; ".join(f"{name}: {value}" for name, value in session.covariates.items()),
            }
        )
    return rows
