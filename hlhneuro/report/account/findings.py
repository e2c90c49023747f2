"""Findings: the complete, structured account of one patient, every question with one of three answers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from hlhneuro.answers import Answer, Finding
from hlhneuro.errors import InputError
from hlhneuro.report.account._stages import stages_of
from hlhneuro.report.results import StageStatus

__all__ = ["SCHEMA_VERSION", "Findings", "IntervalFacts", "SessionFacts", "plain_json"]

SCHEMA_VERSION = "2.0"


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
        What each finding comes from: ``imaging``, ``spectra``, ``clinical`` or ``study``.
    not_done : tuple of StageStatus
        Every stage that failed or is not assessable, and why.
    settings : mapping
        Stage to name to value.
    version : str
        Software version.
    sections : mapping
        What each section of the page tells, by its name: plain JSON, numbers in the unit that their name ends with.
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
    sections: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    schema_version: str = SCHEMA_VERSION

    def of_kind(self, kind: str) -> tuple[Finding, ...]:
        """Return the findings that come from ``imaging``, ``spectra``, the ``clinical`` record or the ``study``."""
        return tuple(finding for finding, own in zip(self.findings, self.kinds, strict=True) if own == kind)

    @property
    def counts(self) -> dict[str, int]:
        """How many questions have each of the three answers."""
        return {answer.value: sum(finding.answer is answer for finding in self.findings) for answer in Answer}

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
            "counts": self.counts,
            "findings": [
                {
                    "kind": kind,
                    **plain_json(finding.to_dict()),
                    "stages": list(stages_of(finding, kind, self.findings)),
                }
                for kind, finding in zip(self.kinds, self.findings, strict=True)
            ],
            "not_done": [asdict(status) for status in self.not_done],
            "settings": {stage: plain_json(values) for stage, values in self.settings.items()},
            "sections": plain_json(self.sections),
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
                sections=found["sections"],
            )
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(
                f"the account is incomplete: {error!r}", remedy="make the findings again from the results"
            ) from error


def plain_json(values: Any) -> Any:
    """Return the same in types that JSON has; what is not a finite number becomes null."""
    if isinstance(values, Mapping):
        return {str(name): plain_json(value) for name, value in values.items()}
    if isinstance(values, list | tuple):
        return [plain_json(value) for value in values]
    return None if isinstance(values, float) and not math.isfinite(values) else values  # JSON has no NaN


def _finding_from(entry: Mapping[str, Any]) -> Finding:
    entry = {name: value for name, value in entry.items() if name not in ("kind", "stages")}
    return Finding(**{**entry, "answer": Answer(entry["answer"]), "sessions": tuple(entry["sessions"])})
