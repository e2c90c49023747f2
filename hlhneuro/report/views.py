"""What a page shows, section by section, as rows of text and figures; the templates only lay it out."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

from hlhneuro.answers import Answer, Finding
from hlhneuro.lesions.change import IntervalChange
from hlhneuro.lesions.interval_findings import incomparable
from hlhneuro.report import figures
from hlhneuro.report.assessment import place_in_time
from hlhneuro.report.findings import Findings
from hlhneuro.report.gallery import Gallery, Shown
from hlhneuro.report.methods import methods_of
from hlhneuro.report.mrsi_view import grid_view
from hlhneuro.report.quality_view import quality_view
from hlhneuro.report.results import SubjectResults
from hlhneuro.report.signs_view import signs_text, signs_unknown
from hlhneuro.report.spectrum_view import spectrum_view
from hlhneuro.report.summary import value_text
from hlhneuro.report.tables import lesions_of
from hlhneuro.report.volumes_view import volumes_view
from hlhneuro.report.words import (
    age_text,
    days_between,
    join_words,
    number,
    plural,
    quantity,
    session_of,
    sessions_text,
    sex_text,
)

__all__ = ["subject_view"]

Row = dict[str, Any]
KINDS = (("imaging", "Imaging"), ("spectra", "Spectra"), ("study", "Study and processing"))
SCOPES = (
    (("subject",), "Whole course"),
    (("interval",), "Between sessions"),
    (("session", "spectrum"), "By session"),
)
ANSWER_ORDER = list(Answer)


def subject_view(results: SubjectResults, findings: Findings, gallery: Gallery) -> Row:
    """Return everything the page of one patient shows."""
    return {
        "subject": results.subject.label,
        "sex": sex_text(results.subject.sex) or "sex unknown",
        "version": results.version,
        "summary": findings.summary,
        "assessable": _assessable(results),
        "sessions": _sessions(results),
        "findings": _findings(findings),
        "counts": {answer.value: sum(f.answer is answer for f in findings.findings) for answer in Answer},
        "timeline": gallery.vector(
            lambda: figures.timeline(results),
            "Error bars are one standard uncertainty. Lines join measurements and say nothing of the time between.",
            _timeline_alt(results),
        ),
        "loads": _loads(results),
        "intervals": _intervals(results),
        "lesions": _lesions(results),
        "panels": _panels(results, gallery),
        "changes": _changes(results, gallery),
        "volumes": volumes_view(results, gallery),
        "territories": gallery.image(
            lambda: figures.territory_load(results),
            "Lesion volume by territory, side and session. Columns name the patient's own left and right.",
            "Table of lesion volumes by territory and session; the same numbers are in the territories table file.",
        ),
        "spectra": [spectrum_view(results, spectrum, gallery) for spectrum in results.spectra],
        "grids": [grid_view(results, grid, gallery) for grid in results.grids],
        "quality": quality_view(results, gallery),
        "problems": _problems(results),
        "not_done": findings.not_done,
        "methods": methods_of(results),
        "settings": _settings(results),
    }


def _assessable(results: SubjectResults) -> list[Row]:
    """Say in one line each which large parts of the account there are."""
    sessions = results.subject.sessions
    aligned = len(results.aligned.sessions) if results.aligned else 0
    segmented = len(results.lesions.sessions) if results.lesions else 0
    intervals = sum(not _why_not(results, interval) for interval in results.change.intervals) if results.change else 0
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


def _findings(findings: Findings) -> list[Row]:
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
    limit = "" if finding.threshold is None else f"compared with {quantity(finding.threshold, None, finding.unit)}"
    return {
        "answer": finding.answer.value,
        "key": finding.answer.value.replace(" ", "-"),
        "label": finding.label,
        "where": ", ".join(filter(None, where)) or "whole course",
        "value": value_text(finding),
        "limit": ", ".join(filter(None, (limit, finding.threshold_source))),
        "reason": finding.reason,
    }


def _timeline_alt(results: SubjectResults) -> str:
    loads = [f"ses-{row['label']} {row['load']}" for row in _loads(results) if row["assessed"]]
    told = ", ".join(loads) or "not assessable"
    return f"Course over time. Lesion load: {told}. The tables below hold the same numbers."


def _loads(results: SubjectResults) -> list[Row]:
    rows = []
    for session in results.subject.sessions:
        found = results.lesions.session(session.label) if results.lesions else None
        row: Row = {"label": session.label, "date": session.date.isoformat() if session.date else "unknown"}
        row |= {"age": age_text(session.age_years), "assessed": found is not None}
        if found is not None:
            row["load"] = quantity(found.volume_ml, found.volume_sd_ml, "ml")
            row |= {
                "contrasts": found.supplied or ", ".join(found.contrasts),
                "confidence": found.confidence,
                # What it rests on has a column of its own.
                "reason": found.reason.replace(f"{session.label} ", "")
                if found.confidence != "full" or found.supplied
                else "",
            }
        else:
            why = results.lesions.not_assessable.get(session.label) if results.lesions else None
            row |= {"load": "not assessable", "contrasts": "", "confidence": ""}
            row["reason"] = why or "lesions could not be assessed in this session"
        rows.append(row)
    return rows


def _intervals(results: SubjectResults) -> list[Row]:
    rows = []
    whole = results.change.first_to_last if results.change else None
    for interval in results.change.compared if results.change else ():
        before, after = (session_of(results, label) for label in (interval.before, interval.after))
        days = days_between(before.date if before else None, after.date if after else None)
        within = abs(interval.net_ml) <= interval.smallest_real_change_ml
        row: Row = {name: f"{getattr(interval, f'{name}_ml'):.1f}" for name in change_kinds()}
        row |= {
            "name": f"ses-{interval.before} to ses-{interval.after}",
            "whole": interval is whole,
            "days": "n/a" if days is None else f"{days}",
            "net": quantity(interval.net_ml, interval.net_sd_ml, "ml", signed=True),
            "limit": quantity(interval.smallest_real_change_ml, None, "ml"),
            "verdict": "within error" if within else "increase" if interval.net_ml > 0 else "decrease",
            "reason": _why_not(results, interval),
        }
        if row["reason"]:
            row |= dict.fromkeys((*change_kinds(), "net", "limit"), "–") | {"verdict": "not assessable"}
        rows.append(row)
    return rows


def _why_not(results: SubjectResults, interval: IntervalChange) -> str:
    return incomparable(results.lesions, interval.before, interval.after) if results.lesions else ""


def change_kinds() -> tuple[str, ...]:
    """Return the kinds of change in the order in which tables show them."""
    return ("new", "enlarged", "stable", "shrunk", "resolved")


def _lesions(results: SubjectResults) -> Row:
    """Return lesions by sessions, the largest first."""
    table = lesions_of(results)
    if table.empty:
        return {"sessions": [], "rows": [], "left_out": 0, "unknown": []}
    labels = [s.label for s in results.subject.sessions if s.label in set(table["session"].astype(str))]
    largest = table.groupby("lesion")["volume_ml"].max().sort_values(ascending=False, kind="stable")
    limit = results.settings.report.lesions_listed
    rows = []
    for lesion in largest.index[:limit]:
        own = table[table["lesion"] == lesion]
        by_session = {str(row["session"]): row for row in own.to_dict(orient="records")}
        first = own.iloc[int(own["volume_ml"].to_numpy().argmax())]
        cells = [
            {
                "volume": quantity(by_session[label]["volume_ml"], by_session[label]["volume_sd_ml"], "ml"),
                "status": _fate(by_session[label]),
                "signs": signs_text(results.signs, label, int(lesion)),
            }
            if label in by_session
            else {"volume": "–", "status": "", "signs": ""}
            for label in labels
        ]
        place = " ".join(str(first[name]) for name in ("side", "territory") if str(first[name]) not in ("nan", "None"))
        centre = ", ".join(number(float(first[f"{axis}_mm"]), 0, signed=True) for axis in "xyz")
        rows.append({"lesion": lesion, "place": place, "centre": centre, "cells": cells})
    unknown = signs_unknown(results.signs, labels)
    return {"sessions": labels, "rows": rows, "left_out": max(len(largest) - limit, 0), "unknown": unknown}


def _fate(row: Mapping[Hashable, Any]) -> str:
    """Say what became of a lesion, by how much where that is beyond the error, and of how many pieces it is."""
    words = [str(row["status"])]
    change_ml, limit_ml = (float(row.get(name, math.nan)) for name in ("change_ml", "smallest_real_change_ml"))
    if row["status"] not in ("new", "reappeared", "resolved") and abs(change_ml) > limit_ml:
        words.append(quantity(change_ml, None, "ml", signed=True))
    if row.get("parts", 1) > 1:
        words.append(f"{row['parts']} pieces")
    return ", ".join(words)


def _panels(results: SubjectResults, gallery: Gallery) -> list[Shown]:
    labels = [session.label for session in results.aligned.sessions] if results.aligned else []
    per = max(results.settings.report.sessions_per_figure, 1)
    groups = [labels[i : i + per] for i in range(0, len(labels), per)] or [[]]
    return [
        gallery.image(
            lambda group=group: figures.session_panels(results, group),  # type: ignore[misc]
            "The same slices at every session, each contrast in one grey window. Positions are in the subject's common "
            "space.",
            f"Axial and coronal slices of {join_words(f'ses-{label}' for label in group)} side by side, "
            "with the outlines of the brain and of the lesions.",
        )
        for group in groups
    ]


def _changes(results: SubjectResults, gallery: Gallery) -> list[Shown]:
    return [
        Shown(f"Change from ses-{interval.before} to ses-{interval.after}.", "", reason=why)
        if (why := _why_not(results, interval))
        else gallery.image(
            lambda interval=interval: figures.change_panels(results, interval),  # type: ignore[misc]
            f"Change from ses-{interval.before} to ses-{interval.after}.",
            f"Change map from ses-{interval.before} to ses-{interval.after}: "
            + ", ".join(f"{kind} {getattr(interval, f'{kind}_ml'):.1f} ml" for kind in change_kinds())
            + ".",
        )
        for interval in (results.change.intervals if results.change else ())
    ]


def _problems(results: SubjectResults) -> list[Row]:
    """Collect what reading and alignment complained of, whether or not it stopped anything."""
    rows = [{"where": "subject", "text": text} for text in results.subject.problems]
    for session in results.subject.sessions:
        rows += [{"where": f"ses-{session.label}", "text": text} for text in session.problems]
    if results.aligned is not None:
        rows += [{"where": "alignment", "text": text} for text in results.aligned.problems]
        for aligned in results.aligned.sessions:
            rows += [{"where": f"ses-{aligned.label}", "text": text} for text in aligned.problems]
    return rows


def _settings(results: SubjectResults) -> list[Row]:
    rows = []
    for stage in dataclasses.fields(results.settings):
        values = getattr(results.settings, stage.name)
        for setting in dataclasses.fields(values):
            value = getattr(values, setting.name)
            text = ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
            unit = setting.metadata.get("unit", "")
            rows.append(
                {
                    "name": f"{stage.name}.{setting.name}",
                    "value": f"{text}\u00a0{unit}" if unit else text,
                    "source": setting.metadata.get("source", ""),
                    "changed": value != setting.default,
                }
            )
    return rows
