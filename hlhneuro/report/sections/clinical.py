"""What is known of the patient beside images and spectra: treatment, events, clinical observations."""

from __future__ import annotations

from hlhneuro.report.results import SubjectResults
from hlhneuro.report.sections.section import Row

__all__ = ["facts"]


def facts(results: SubjectResults) -> Row | None:
    """Return the events in order of time; without a record there is no section."""
    events = results.clinical.events
    if not events:
        return None
    return {
        "events": [
            {
                "event": event.event,
                "start": event.start.isoformat() if event.start else None,
                "end": event.end.isoformat() if event.end else None,
                "detail": event.detail,
            }
            for event in events
        ]
    }
