"""Every finding: questions by sessions, why some are not assessable, and what each rests on."""

from __future__ import annotations

from collections.abc import Sequence

from hlhneuro.answers import Answer, Finding
from hlhneuro.report.account.findings import Findings
from hlhneuro.report.sections.section import Row
from hlhneuro.report.words import place_in_time, quantity, sessions_text, value_text

__all__ = ["layout"]

KINDS = (
    ("imaging", "Imaging"),
    ("spectra", "Spectra"),
    ("clinical", "Clinical record"),
    ("study", "Study and processing"),
)
SCOPES = (
    (("subject",), "Whole course"),
    (("interval",), "Between sessions"),
    (("session", "spectrum"), "By session"),
)
ANSWER_ORDER = list(Answer)


def layout(findings: Findings) -> Row:
    """Return each kind of finding as tables, and how many answers of each kind there are."""
    return {"groups": _groups(findings), "counts": findings.counts}


def _groups(findings: Findings) -> list[Row]:
    """Return each kind of finding as questions by sessions, with why some are not assessable and every detail."""
    groups = []
    for kind, title in KINDS:
        own = findings.of_kind(kind)
        why: dict[str, dict[str, None]] = {}
        for finding in own:
            if finding.answer is Answer.NOT_ASSESSABLE:
                why.setdefault(finding.reason, {})[finding.label] = None
        ordered = sorted(own, key=lambda finding: ANSWER_ORDER.index(finding.answer))
        groups.append(
            {
                "key": kind,
                "title": title,
                "matrices": [matrix for scopes, name in SCOPES if (matrix := _matrix(findings, own, scopes, name))],
                "why": [{"reason": reason, "questions": list(labels)} for reason, labels in why.items()],
                "rows": [_finding(finding) for finding in ordered],
            }
        )
    return groups


def _matrix(findings: Findings, own: Sequence[Finding], scopes: Sequence[str], name: str) -> Row | None:
    """Return one row per question and one column per session or interval."""
    found = [finding for finding in own if finding.scope in scopes]
    if not found:
        return None
    if scopes == ("subject",):
        columns = ["answer"]
    else:
        order = {session.label: place for place, session in enumerate(findings.sessions)}
        groups = {finding.sessions: finding.scope for finding in found}
        ordered = sorted(groups, key=lambda labels: place_in_time(labels, order))
        columns = [sessions_text(labels, groups[labels]) for labels in ordered]
    rows: dict[tuple[str, str], Row] = {}
    for finding in found:
        column = columns[0] if scopes == ("subject",) else sessions_text(finding.sessions, finding.scope)
        row = rows.setdefault(
            (finding.label, finding.subject_of),
            {"label": finding.label, "of": finding.subject_of, "cells": {label: [] for label in columns}},
        )
        row["cells"][column].append({"answer": finding.answer.value, "value": value_text(finding)})
    return {"name": name, "columns": columns, "rows": list(rows.values())}


def _finding(finding: Finding) -> Row:
    where = [finding.subject_of] if finding.subject_of else []
    where += [sessions_text(finding.sessions, finding.scope)] if finding.scope != "subject" else []
    # The cut-off of the literature is quoted with its source; nothing was compared with it.
    compared = finding.threshold is not None and finding.code != "affected_territory_count"
    return {
        "answer": finding.answer.value,
        "key": finding.answer.value.replace(" ", "-"),
        "label": finding.label,
        "where": ", ".join(filter(None, where)) or "whole course",
        "value": value_text(finding),
        "limit": f"compared with {quantity(finding.threshold, None, finding.unit)}" if compared else "",
        "source": finding.threshold_source,
        "reason": finding.reason,
    }
