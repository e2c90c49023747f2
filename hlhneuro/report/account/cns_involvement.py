"""Involvement of the nervous system in three parts that are kept apart: symptoms, cerebrospinal fluid, images."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from hlhneuro.answers import Answer, Finding
from hlhneuro.report.words import plural, quantity
from hlhneuro.study import (
    CSF_ABNORMAL_BY,
    SYMPTOMS,
    Amount,
    ClinicalRecord,
    ObservedColumn,
    Session,
    Subject,
    age_on,
    observed_columns,
)

__all__ = ["CNS_QUESTIONS", "SUPPLY", "amount_text", "cns_findings"]

CNS_QUESTIONS = {
    "neurological_symptoms": "Were there neurological symptoms near the session?",
    "csf_cells_raised": "Are cells in the cerebrospinal fluid raised?",
    "csf_protein_raised": "Is protein in the cerebrospinal fluid raised?",
    "csf_neopterin_raised": "Is neopterin in the cerebrospinal fluid raised?",
    "csf_abnormal": "Is the cerebrospinal fluid abnormal (cells or protein)?",
    "imaging_abnormal": "Do the images show lesions or meningeal enhancement?",
    "horne_group": "Are there symptoms or abnormal fluid (groups of Horne 2008)?",
}
FLUID = {
    "csf_cells_per_ul": "csf_cells_raised",
    "csf_protein_mg_per_l": "csf_protein_raised",
    "csf_neopterin_nmol_per_l": "csf_neopterin_raised",
}
HORNE = {
    (False, False): (1, "no neurological symptoms and normal fluid"),
    (True, False): (2, "neurological symptoms only"),
    (False, True): (3, "abnormal fluid only"),
    (True, True): (4, "neurological symptoms and abnormal fluid"),
}
HORNE_SOURCE = "Horne 2008, Br J Haematol: four groups of 193 children at diagnosis; images are no part of them"
IMAGE_CODES = ("lesion_present", "leptomeningeal_enhancement")
SUPPLY = "; add a row near the session to phenotype/clinical.tsv"


def cns_findings(
    subject: Subject, session: Session, record: ClinicalRecord, answers: Mapping[str, Answer], within_days: int
) -> Iterator[Finding]:
    """Answer `CNS_QUESTIONS` for one session.

    Parameters
    ----------
    subject : Subject
        Its ages decide which limits hold.
    session : Session
    record : ClinicalRecord
    answers : mapping of code to Answer
        What the images of the session show.
    within_days : int
        How near to the session an observation has to be.
    """
    symptoms = _symptoms(session, record, within_days)
    fluid = {
        column.name: _fluid(column, subject, session, record, within_days)
        for column in observed_columns()
        if column.name in FLUID
    }
    abnormal = _abnormal(session, [fluid[name] for name in CSF_ABNORMAL_BY])
    yield symptoms
    yield from fluid.values()
    yield abnormal
    yield _images(session, answers)
    yield _horne(session, symptoms, abnormal)


def amount_text(amount: Amount, unit: str) -> str:
    """Write a measured value with its unit, and the bound where the laboratory gave no more."""
    return f"{amount.bound}{quantity(amount.value, None, unit)}"


def _finding(session: Session, code: str, answer: Answer, reason: str, **more: float | str | None) -> Finding:
    return Finding(code, CNS_QUESTIONS[code], answer, reason, "session", (session.label,), **more)  # type: ignore[arg-type]


def _no_observation(session: Session, what: str, within_days: int) -> str:
    if session.date is None:
        return "the date of the session is not known, so that no observation stands beside it"
    return f"{what} within {within_days} days of the session{SUPPLY}"


def _when(date: object, days: int) -> str:
    if days == 0:
        return f"on {date}, the day of the session"
    return f"on {date}, {plural(abs(days), 'day')} {'before' if days > 0 else 'after'} the session"


def _symptoms(session: Session, record: ClinicalRecord, within_days: int) -> Finding:
    near = record.nearest(session, within_days, SYMPTOMS)
    if near is None:
        why = _no_observation(session, "nothing is on record of symptoms", within_days)
        return _finding(session, "neurological_symptoms", Answer.NOT_ASSESSABLE, why)
    observation, days = near
    answer = Answer.PRESENT if observation.neurological_symptoms else Answer.ABSENT
    note = f" ({observation.note})" if observation.note else ""
    return _finding(session, "neurological_symptoms", answer, f"{answer} {_when(observation.date, days)}{note}")


def _fluid(
    column: ObservedColumn, subject: Subject, session: Session, record: ClinicalRecord, within_days: int
) -> Finding:
    """Compare one amount near the session with the limit that holds at that age."""
    code = FLUID[column.name]
    near = record.nearest(session, within_days, column.name)
    if near is None:
        why = _no_observation(session, f"no {column.label} on record", within_days)
        return _finding(session, code, Answer.NOT_ASSESSABLE, why)
    observation, days = near
    amount, age = observation.amounts[column.name], age_on(subject, observation.date)
    verdict, limit = column.verdict(amount, age)
    sources = "; ".join(one.source for one in ((limit,) if limit else column.limits_at(age)))
    told = f"{column.label} {amount_text(amount, column.unit)} {_when(observation.date, days)}"
    if limit is not None:
        told += f"; limit {quantity(limit.beyond, None, column.unit)}"
    if verdict == "unclear":
        told += ": whether that is beyond the limit at this age cannot be said"
        told += "" if age is not None else " (the age is not known)"
    answer = {"beyond": Answer.PRESENT, "usual": Answer.ABSENT, "unclear": Answer.NOT_ASSESSABLE}[verdict]
    return _finding(
        session,
        code,
        answer,
        told,
        value=None if amount.bound else amount.value,
        unit="" if amount.bound else column.unit,
        threshold=None if limit is None else limit.beyond,
        threshold_source=sources,
    )


def _abnormal(session: Session, parts: list[Finding]) -> Finding:
    """Abnormal if either is raised, normal if neither is; one that is not known leaves it open."""
    told = "; ".join(part.reason.removesuffix(SUPPLY) for part in parts)
    told += SUPPLY if any(part.reason.endswith(SUPPLY) for part in parts) else ""
    answers = [part.answer for part in parts]
    if Answer.PRESENT in answers:
        raised = [part for part in parts if part.answer is Answer.PRESENT]
        return _finding(session, "csf_abnormal", Answer.PRESENT, "; ".join(part.reason for part in raised))
    answer = Answer.NOT_ASSESSABLE if Answer.NOT_ASSESSABLE in answers else Answer.ABSENT
    return _finding(session, "csf_abnormal", answer, told)


def _images(session: Session, answers: Mapping[str, Answer]) -> Finding:
    """Abnormal if there are lesions or the meninges enhance; without lesions it is not, whatever contrast was given."""
    known = {code: answers.get(code, Answer.NOT_ASSESSABLE) for code in IMAGE_CODES}
    lesions = known["lesion_present"]
    answer = Answer.PRESENT if Answer.PRESENT in known.values() else lesions
    told = f"lesions: {lesions}; leptomeningeal enhancement: {known['leptomeningeal_enhancement']}"
    return _finding(session, "imaging_abnormal", answer, told)


def _horne(session: Session, symptoms: Finding, abnormal: Finding) -> Finding:
    parts = {"symptoms": symptoms, "cerebrospinal fluid": abnormal}
    unknown = [name for name, part in parts.items() if part.answer is Answer.NOT_ASSESSABLE]
    if unknown:
        why = f"needs both; not assessable: {' and '.join(unknown)}"
        return _finding(session, "horne_group", Answer.NOT_ASSESSABLE, why, threshold_source=HORNE_SOURCE)
    group, words = HORNE[symptoms.answer is Answer.PRESENT, abnormal.answer is Answer.PRESENT]
    return _finding(
        session,
        "horne_group",
        Answer.ABSENT if group == 1 else Answer.PRESENT,
        f"as in group {group} of Horne 2008 ({words}); a description, no prognosis follows",
        value=float(group),
        threshold_source=HORNE_SOURCE,
    )
