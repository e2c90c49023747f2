"""What else on the time line may look like the disease, session by session: on record, not on record, or no record."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files

from hlhneuro.answers import Answer, Finding
from hlhneuro.report.words import plural
from hlhneuro.study import ClinicalRecord, EventKind, Exposure, Session, denied, event_kind, exposures

__all__ = ["Mimic", "mimic_findings", "mimics", "with_mimics"]

NAMED = 3  # exposures that a sentence names


@dataclass(frozen=True)
class Mimic:
    """One question about the time line; ``mimics.toml`` holds them all.

    Parameters
    ----------
    code, name, question : str
    kinds : tuple of EventKind
    from_days, to_days : int
        It counts if it was so many days before the session; negative days are after it.
    means, source : str
    phases : tuple of int
        Days that divide the time since.
    beside : str
        Code of the finding of the images that is to be read together with it.
    """

    code: str
    name: str
    question: str
    kinds: tuple[EventKind, ...]
    from_days: int
    to_days: int
    means: str
    source: str
    phases: tuple[int, ...] = ()
    beside: str = ""


@cache
def mimics() -> tuple[Mimic, ...]:
    """Return all questions, in the order of the data file."""
    text = files("hlhneuro.report.account").joinpath("mimics.toml").read_text(encoding="utf-8")
    return tuple(
        Mimic(**{**one, "kinds": tuple(map(event_kind, one["kinds"])), "phases": tuple(one.get("phases", ()))})
        for one in tomllib.loads(text)["mimics"]
    )


def mimic_findings(session: Session, record: ClinicalRecord, answers: Mapping[str, Answer]) -> Iterator[Finding]:
    """Answer every question of `mimics` for one session.

    Parameters
    ----------
    session : Session
    record : ClinicalRecord
    answers : mapping of code to Answer
        What the images of the session show.
    """
    for mimic in mimics():
        answer, reason, days = _judge(mimic, session, record)
        if answer is Answer.PRESENT and mimic.beside in answers:
            reason += f"; {mimic.beside.replace('_', ' ')} at this session: {answers[mimic.beside]}"
        yield Finding(
            mimic.code,
            mimic.question,
            answer,
            reason,
            "session",
            (session.label,),
            value=None if days is None else float(abs(days)),
            unit="" if days is None else "days before" if days >= 0 else "days after",
            threshold_source=mimic.source,
        )


def with_mimics(
    findings: Sequence[Finding], sessions: Sequence[Session], record: ClinicalRecord
) -> tuple[Finding, ...]:
    """Return findings of the images, those that are present with what on the time line has to be read beside them."""
    by_label = {session.label: session for session in sessions}
    found = []
    for finding in findings:
        session = by_label.get(finding.sessions[0]) if finding.scope == "session" and finding.sessions else None
        beside = [mimic for mimic in mimics() if mimic.beside == finding.code]
        if session is not None and finding.answer is Answer.PRESENT:
            told = "".join(f"; {_since(mimic, session, record)}" for mimic in beside)
            finding = replace(finding, reason=finding.reason + told)
        found.append(finding)
    return tuple(found)


def _judge(mimic: Mimic, session: Session, record: ClinicalRecord) -> tuple[Answer, str, int | None]:
    """Return the answer, what it rests on, and how many days before the session it was."""
    found = _exposures(mimic, session, record)
    dated = [(one, one.days_before) for one in found if one.days_before is not None]
    within = [(one, days) for one, days in dated if mimic.from_days <= days <= mimic.to_days]
    if within:
        days = within[0][1]
        phase = f", {_phase(days, mimic.phases)}" if mimic.phases else ""
        return Answer.PRESENT, f"{_named([one for one, _ in within])}{phase}: {mimic.means}", days
    if len(dated) < len(found):
        undated = [one for one in found if one.days_before is None]
        why = "the date of the session is not known" if session.date is None else "write its day into the table"
        return Answer.NOT_ASSESSABLE, f"{_named(undated)}: {why}", None
    if dated:
        return Answer.ABSENT, f"not at these days: {_named(_nearest(dated))}", None
    for kind in mimic.kinds:
        if said := denied(session, kind):
            return Answer.ABSENT, f"sessions.tsv, {said}", None
    if record.events:
        return Answer.ABSENT, f"not among the {plural(len(record.events), 'event')} on record", None
    return Answer.NOT_ASSESSABLE, "no treatment and no event is on record; write phenotype/treatment.tsv", None


def _since(mimic: Mimic, session: Session, record: ClinicalRecord) -> str:
    """Say how long ago it was, whether that is near or not."""
    answer, reason, _ = _judge(mimic, session, record)
    if answer is Answer.PRESENT:
        return f"{reason} ({mimic.source})"
    if answer is Answer.ABSENT:
        found = _exposures(mimic, session, record)
        earlier = [one for one in found if one.days_before is not None and one.days_before >= 0]
        return f"last {earlier[0].in_words()}" if earlier else f"no {mimic.name} on record before it"
    return f"{mimic.name}: {reason}"


def _exposures(mimic: Mimic, session: Session, record: ClinicalRecord) -> list[Exposure]:
    found = [one for kind in mimic.kinds for one in exposures(session, record.events, kind)]
    return sorted(dict.fromkeys(found), key=lambda one: (one.days_before is None, abs(one.days_before or 0)))


def _nearest(dated: Sequence[tuple[Exposure, int]]) -> list[Exposure]:
    """Return the last one before and the first one after a session."""
    before = [one for one, days in dated if days >= 0][:1]
    return before + [one for one, days in dated if days < 0][:1]


def _named(found: Sequence[Exposure]) -> str:
    named = "; ".join(one.in_words() for one in found[:NAMED])
    return named + (f" and {len(found) - NAMED} more" if len(found) > NAMED else "")


def _phase(days: int, phases: Sequence[int]) -> str:
    first, last = phases[0], phases[-1]
    if days < first:
        return f"less than {first} days"
    return f"{first} to {last} days" if days <= last else f"more than {last} days"
