"""What is known beside images and spectra: observations, treatment, and what of it stands beside each session."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hlhneuro.answers import Answer, Finding
from hlhneuro.report.account.cns_involvement import SUPPLY
from hlhneuro.report.account.findings import Findings
from hlhneuro.report.account.mimics import mimics
from hlhneuro.report.results import SubjectResults
from hlhneuro.report.sections.section import Row
from hlhneuro.report.words import days_between
from hlhneuro.spectroscopy import confounders_of
from hlhneuro.study import Observation, ObservedColumn, Subject, age_on, observed_columns

__all__ = ["facts", "layout"]

SIDE_BY_SIDE = 4  # sessions in one table: more are too narrow on A4
# The three parts of involvement, each with what it rests on, and what is said of two of them together.
PARTS = (
    ("Symptoms", ("neurological_symptoms",)),
    ("Cerebrospinal fluid", ("csf_abnormal", "csf_cells_raised", "csf_protein_raised", "csf_neopterin_raised")),
    ("Images", ("imaging_abnormal",)),
    ("Horne 2008", ("horne_group",)),
)


def facts(results: SubjectResults) -> Row:
    """Return observations, events, confounders of spectra and what is wrong with the tables."""
    record, subject = results.clinical, results.subject
    first = min((session.date for session in subject.sessions if session.date), default=None)
    used = [c for c in observed_columns() if any(c.name in one.amounts for one in record.observations)]
    return {
        "window_days": results.settings.report.clinical_window_days,
        "columns": [_column(column, record.observations, subject) for column in used],
        "observations": [
            {
                "date": one.date.isoformat() if one.date else None,
                "day": days_between(first, one.date),
                "symptoms": {True: "present", False: "absent", None: ""}[one.neurological_symptoms],
                "amounts": [_amount(column, one, subject) for column in used],
                "note": one.note,
            }
            for one in record.observations
        ],
        "events": [
            {
                "event": event.event,
                "start": event.start.isoformat() if event.start else None,
                "end": event.end.isoformat() if event.end else None,
                "start_day": days_between(first, event.start),
                "detail": event.detail,
            }
            for event in record.events
        ],
        "confounders": [
            {"label": session.label, "told": list(confounders_of(session, record.events))}
            for session in subject.sessions
            if any(spectrum.session == session.label for spectrum in results.spectra)
        ],
        "problems": list(record.problems),
        "remarks": list(record.remarks),
    }


def _column(column: ObservedColumn, observations: Sequence[Observation], subject: Subject) -> Row:
    """Return a column with the limits that its values were compared with."""
    ages = [age_on(subject, one.date) for one in observations if column.name in one.amounts]
    limits = dict.fromkeys(limit for age in ages for limit in column.limits_at(age))
    return {
        "name": column.name,
        "label": column.label,
        "unit": column.unit,
        "limits": [
            {"beyond": limit.beyond, "usual_to": limit.usual_to, "side": limit.side, "source": limit.source}
            for limit in limits
        ],
    }


def _amount(column: ObservedColumn, observation: Observation, subject: Subject) -> Row | None:
    amount = observation.amounts.get(column.name)
    if amount is None:
        return None
    verdict, _ = column.verdict(amount, age_on(subject, observation.date))
    side = column.limits[0].side if column.limits else ""
    return {"value": amount.value, "bound": amount.bound, "unit": column.unit, "verdict": verdict, "side": side}


def layout(findings: Findings) -> Row:
    """Return the findings of the record by session: the parts of involvement, and what may look like the disease."""
    by_session: dict[str, dict[str, Finding]] = {session.label: {} for session in findings.sessions}
    for finding in findings.of_kind("clinical"):
        by_session[finding.sessions[0]][finding.code] = finding
    sessions: list[Row] = [
        {
            "label": session.label,
            "date": session.date,
            "parts": [_part(by_session[session.label], codes) for _, codes in PARTS],
            "mimics": [_told(by_session[session.label].get(mimic.code), mimic.means) for mimic in mimics()],
        }
        for session in findings.sessions
    ]
    return {
        "titles": [title for title, _ in PARTS],
        "mimics": [
            {"name": mimic.name, "question": mimic.question, "means": mimic.means, "source": mimic.source}
            for mimic in mimics()
        ],
        "sessions": sessions,
        "unknown": _one_reason([told for session in sessions for told in session["mimics"]]),
        "side_by_side": SIDE_BY_SIDE,
    }


def _one_reason(told: Sequence[Row]) -> str:
    """Return why none of these answers could be given, if it is the same for all; else nothing."""
    said = {(one["answer"], one["reason"]) for one in told}
    answer, reason = said.pop() if len(said) == 1 else ("", "")
    return str(reason) if answer == Answer.NOT_ASSESSABLE.value else ""


def _part(found: Mapping[str, Finding], codes: Sequence[str]) -> Row:
    """Return an answer with the single ones it rests on; where none of these is on record, once why not."""
    whole, *parts = [_told(found.get(code)) for code in codes]
    missing = [one for code in codes[1:] if (one := found.get(code)) is None or one.reason.endswith(SUPPLY)]
    if parts and len(missing) == len(parts):
        return whole | {"reason": "nothing on record near the session", "parts": []}
    return whole | {"parts": parts}


def _told(finding: Finding | None, told_elsewhere: str = "") -> Row:
    """Return answer and reason; what the reason shares with other sessions stands elsewhere."""
    if finding is None:
        return {"answer": "not assessable", "reason": ""}
    reason = finding.reason.replace(f": {told_elsewhere}", "") if told_elsewhere else finding.reason
    return {"answer": finding.answer.value, "reason": reason.removesuffix(SUPPLY)}
