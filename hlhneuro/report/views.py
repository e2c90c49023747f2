"""What a page shows, section by section, as rows of text and figures; the templates only lay it out."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import pandas as pd

from hlhneuro.answers import Answer, Finding
from hlhneuro.report import figures
from hlhneuro.report.findings import TROUBLE, Findings
from hlhneuro.report.gallery import Gallery, Shown
from hlhneuro.report.methods import methods_of
from hlhneuro.report.results import SubjectResults
from hlhneuro.report.words import age_text, days_between, join_words, number, plural, quantity, session_of
from hlhneuro.spectroscopy.results import SpectrumResult

__all__ = ["cohort_view", "subject_view"]

Row = dict[str, Any]
KINDS = (("imaging", "Imaging"), ("spectra", "Spectra"), ("study", "Study and processing"))
ANSWER_ORDER = list(Answer)
MAIN_METABOLITES = ("tNAA", "tCr", "tCho", "mI", "Glx", "Lac")


def subject_view(results: SubjectResults, findings: Findings, gallery: Gallery) -> Row:
    """Return everything the page of one patient shows."""
    return {
        "subject": results.subject.label,
        "sex": results.subject.sex or "sex unknown",
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
        "territories": gallery.image(
            lambda: figures.territory_load(results),
            "Lesion volume by territory, side and session. Columns name the patient's own left and right.",
            "Table of lesion volumes by territory and session; the same numbers are in the territories table file.",
        ),
        "spectra": [_spectrum(results, spectrum, gallery) for spectrum in results.spectra],
        "registration": _registration(results, gallery),
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
    intervals = len(results.change.intervals) if results.change else 0
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
    groups = []
    for kind, title in KINDS:
        own = sorted(findings.of_kind(kind), key=lambda finding: ANSWER_ORDER.index(finding.answer))
        groups.append({"title": title, "rows": [_finding(finding) for finding in own]})
    return groups


def _finding(finding: Finding) -> Row:
    where = [finding.subject_of] if finding.subject_of else []
    where += [join_words(f"ses-{label}" for label in finding.sessions)] if finding.scope != "subject" else []
    value = "" if finding.value is None else quantity(finding.value, finding.standard_uncertainty, finding.unit)
    limit = "" if finding.threshold is None else f"compared with {quantity(finding.threshold, None, finding.unit)}"
    return {
        "answer": finding.answer.value,
        "key": finding.answer.value.replace(" ", "-"),
        "label": finding.label,
        "where": ", ".join(filter(None, where)) or "whole course",
        "value": value,
        "limit": ", ".join(filter(None, (limit, finding.threshold_source))),
        "reason": finding.reason,
    }


def _timeline_alt(results: SubjectResults) -> str:
    loads = [f"ses-{row['label']} {row['load']}" for row in _loads(results) if row["assessed"]]
    return f"Course over time. Lesion load: {', '.join(loads) or 'not assessable'}. The tables below hold the same numbers."


def _loads(results: SubjectResults) -> list[Row]:
    rows = []
    for session in results.subject.sessions:
        found = results.lesions.session(session.label) if results.lesions else None
        row: Row = {"label": session.label, "date": session.date.isoformat() if session.date else "unknown"}
        row |= {"age": age_text(session.age_years), "assessed": found is not None}
        if found is not None:
            row["load"] = quantity(found.volume_ml, found.volume_sd_ml, "ml")
            row |= {"contrasts": ", ".join(found.contrasts), "confidence": found.confidence, "reason": found.reason}
        else:
            why = results.lesions.not_assessable.get(session.label) if results.lesions else None
            row |= {"load": "not assessable", "contrasts": "", "confidence": ""}
            row["reason"] = why or "lesions could not be assessed in this session"
        rows.append(row)
    return rows


def _intervals(results: SubjectResults) -> list[Row]:
    rows = []
    for interval in results.change.intervals if results.change else ():
        before, after = (session_of(results, label) for label in (interval.before, interval.after))
        days = days_between(before.date if before else None, after.date if after else None)
        within = abs(interval.net_ml) <= interval.smallest_real_change_ml
        row: Row = {name: f"{getattr(interval, f'{name}_ml'):.1f}" for name in figures_kinds()}
        row |= {
            "name": f"ses-{interval.before} to ses-{interval.after}",
            "days": "n/a" if days is None else f"{days}",
            "net": quantity(interval.net_ml, interval.net_sd_ml, "ml", signed=True),
            "limit": quantity(interval.smallest_real_change_ml, None, "ml"),
            "verdict": "within error" if within else "increase" if interval.net_ml > 0 else "decrease",
        }
        rows.append(row)
    return rows


def figures_kinds() -> tuple[str, ...]:
    """Return the kinds of change in the order in which tables show them."""
    return ("new", "enlarged", "stable", "shrunk", "resolved")


def _lesions(results: SubjectResults) -> Row:
    """Return lesions by sessions, the largest first."""
    table = results.change.lesions if results.change else pd.DataFrame()
    if table.empty:
        return {"sessions": [], "rows": [], "left_out": 0}
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
                "status": by_session[label]["status"],
            }
            if label in by_session
            else {"volume": "–", "status": ""}
            for label in labels
        ]
        place = " ".join(str(first[name]) for name in ("side", "territory") if str(first[name]) not in ("nan", "None"))
        centre = ", ".join(number(float(first[f"{axis}_mm"]), 0, signed=True) for axis in "xyz")
        rows.append({"lesion": lesion, "place": place, "centre": centre, "cells": cells})
    return {"sessions": labels, "rows": rows, "left_out": max(len(largest) - limit, 0)}


def _panels(results: SubjectResults, gallery: Gallery) -> list[Shown]:
    labels = [session.label for session in results.aligned.sessions] if results.aligned else []
    per = max(results.settings.report.sessions_per_figure, 1)
    groups = [labels[i : i + per] for i in range(0, len(labels), per)] or [[]]
    return [
        gallery.image(
            lambda group=group: figures.session_panels(results, group),  # type: ignore[misc]
            "The same slices at every session, in one grey window. Positions are in the subject's common space.",
            f"Axial and coronal slices of {join_words(f'ses-{label}' for label in group)} side by side, "
            "with the outlines of the brain and of the lesions.",
        )
        for group in groups
    ]


def _changes(results: SubjectResults, gallery: Gallery) -> list[Shown]:
    return [
        gallery.image(
            lambda interval=interval: figures.change_panels(results, interval),  # type: ignore[misc]
            f"Change from ses-{interval.before} to ses-{interval.after}.",
            f"Change map from ses-{interval.before} to ses-{interval.after}: "
            + ", ".join(f"{kind} {getattr(interval, f'{kind}_ml'):.1f} ml" for kind in figures_kinds())
            + ".",
        )
        for interval in (results.change.intervals if results.change else ())
    ]


def _spectrum(results: SubjectResults, spectrum: SpectrumResult, gallery: Gallery) -> Row:
    title = f"ses-{spectrum.session}, {spectrum.name}"
    echo = f"TE {spectrum.echo_time_s * 1000:.0f}\u00a0ms" if spectrum.echo_time_s is not None else "echo time unknown"
    water = "with water reference" if spectrum.water_reference else "no water reference"
    head = ", ".join((spectrum.sequence.upper() if spectrum.sequence else "sequence unknown", echo, water))
    row: Row = {"title": title, "head": head, "reason": spectrum.reason, "figure": None, "main": [], "more": []}
    row |= {"quality": [], "verdict": "", "voxel": _voxel(spectrum), "location": None}
    if spectrum.voxel is not None:
        row["location"] = gallery.image(
            lambda: figures.voxel_location(results, spectrum),
            "Voxel on the anatomy of its session.",
            f"Three planes through the centre of the voxel of {title}. {_voxel(spectrum)}",
        )
    if spectrum.fit is None:
        return row
    fit = spectrum.fit
    table = [_metabolite(found) for found in fit.concentrations.to_dict(orient="records")]
    row["main"] = [found for found in table if found["name"] in MAIN_METABOLITES]
    row["more"] = [found for found in table if found["name"] not in MAIN_METABOLITES]
    row["verdict"] = str(fit.quality.get("verdict", "not judged"))
    row["quality"] = _quality(fit.quality)
    ratios = ", ".join(f"{found['name']}/tCr {found['ratio']}" for found in row["main"] if found["name"] != "tCr")
    row["figure"] = gallery.vector(
        lambda: figures.spectrum_fit(fit, f"{title} · {head}"),
        "From top: residual; data with fit and baseline; the largest components.",
        f"Spectrum of {title} with its fit. {ratios}. Fit judged {row['verdict']}.",
    )
    return row


def _metabolite(found: Mapping[Any, Any]) -> Row:
    detected = found.get("detected")
    crlb = found.get("crlb_percent")
    return {
        "name": str(found["metabolite"]),
        "concentration": quantity(found["concentration"], found["sd"], str(found["unit"] or "")),
        "crlb": f"{crlb:.0f}\u00a0%" if crlb is not None and pd.notna(crlb) and crlb < 1000 else "over 999\u00a0%",
        "ratio": quantity(found["ratio_to_tcr"], found["ratio_sd"]),
        "detected": "n/a" if detected is None or pd.isna(detected) else "yes" if detected else "no",
    }


def _quality(quality: Mapping[str, object]) -> list[str]:
    parts = (("SNR", "snr", ""), ("linewidth", "linewidth_hz", "Hz"), ("linewidth", "linewidth_ppm", "ppm"))
    parts += (("shift", "shift_ppm", "ppm"), ("residual over noise", "residual_ratio", ""))
    texts = []
    for name, key, unit in parts:
        value = quality.get(key)
        if isinstance(value, int | float):
            texts.append(f"{name} {quantity(float(value), None, unit)}")
    reasons = quality.get("reasons")
    if reasons:
        texts.append("; ".join(map(str, reasons)) if isinstance(reasons, list | tuple) else str(reasons))
    return texts


def _voxel(spectrum: SpectrumResult) -> str:
    voxel = spectrum.voxel
    if voxel is None:
        return "The voxel could not be placed on the anatomy."
    text = f"Voxel of {quantity(voxel.volume_ml, None, 'ml')}, {100 * voxel.inside_fraction:.0f}\u00a0% inside the images."
    names = (("grey matter", voxel.gm), ("white matter", voxel.wm), ("CSF", voxel.csf), ("lesion", voxel.lesion))
    known = [f"{name} {100 * part:.0f}\u00a0%" for name, part in names if part is not None]
    if known:
        text += f" It holds {join_words(known)}."
    missing = [name for name, part in names if part is None]
    if missing:
        text += f" Not assessable: {join_words(missing)}{f' ({voxel.reason})' if voxel.reason else ''}."
    return text


def _registration(results: SubjectResults, gallery: Gallery) -> Row:
    aligned = results.aligned
    found = [*aligned.quality, *(q for s in aligned.sessions for q in s.quality)] if aligned else []
    rows = [
        {
            "moving": quality.moving,
            "fixed": quality.fixed,
            "similarity": quantity(quality.similarity),
            "overlap": quantity(quality.brain_overlap),
            "gap": quantity(quality.inverse_consistency_mm, None, "mm"),
            "accepted": "accepted" if quality.accepted else "rejected",
            "reason": quality.reason,
        }
        for quality in found
    ]
    shown = gallery.image(
        lambda: figures.registration_check(results),
        "Anatomy has to run on without a step at the edges of the squares, and the edge of the first session's brain has "
        "to lie on the later one's.",
        "Checkerboard of the first and each later session, and the first session's brain edge on the later session.",
    )
    return {"rows": rows, "figure": shown}


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


def cohort_view(tables: Mapping[str, pd.DataFrame], gallery: Gallery) -> Row:
    """Return everything the page of a cohort shows."""
    findings = tables["findings"]
    subjects = sorted({str(label) for table in tables.values() if "subject" in table for label in table["subject"].dropna()})
    unknown = findings[findings["answer"] == Answer.NOT_ASSESSABLE.value]
    status = tables.get("status", pd.DataFrame())
    trouble = status[status["state"].isin(TROUBLE)] if "state" in status else pd.DataFrame()
    return {
        "subjects": [_cohort_subject(tables, subject) for subject in subjects],
        "load": gallery.vector(
            lambda: figures.load_trajectories(tables),
            "Error bars are one standard uncertainty.",
            "Lesion load of every patient over time; the table of volumes holds the same numbers.",
        ),
        "change": gallery.vector(
            lambda: figures.interval_changes(tables),
            "The grey band spans what is within the measurement error of that interval.",
            "Change of the lesion load in every interval with its error; the table of intervals holds the same numbers.",
        ),
        "territories": gallery.vector(
            lambda: figures.territory_frequency(tables),
            "A territory counts once per patient and side, at whichever session it was affected.",
            "Count of patients with a lesion in each territory; the table of territories holds the same numbers.",
        ),
        "answers": _cohort_answers(findings),
        "unknown": [
            {name: _text(row[name]) for name in ("subject", "session", "label", "reason")}
            for row in unknown.to_dict(orient="records")
        ],
        "trouble": [
            {name: _text(row.get(name)) for name in ("subject", "session", "stage", "state", "reason")}
            for row in trouble.to_dict(orient="records")
        ],
    }


def _text(value: object) -> str:
    return "" if value is None or (isinstance(value, float) and pd.isna(value)) else str(value)


def _cohort_subject(tables: Mapping[str, pd.DataFrame], subject: str) -> Row:
    own = {name: table[table["subject"].astype(str) == subject] for name, table in tables.items() if "subject" in table}
    volumes = own["volumes"]
    loads = volumes[(volumes["structure"] == "lesion_load") & volumes["volume_ml"].notna()]
    ends = [loads.iloc[i] for i in (0, -1)] if len(loads) else []
    answers = own["findings"]["answer"].value_counts()
    return {
        "subject": subject,
        "sessions": volumes["session"].dropna().nunique(),
        "first": quantity(ends[0]["volume_ml"], ends[0]["volume_sd_ml"], "ml") if ends else "not assessable",
        "last": quantity(ends[1]["volume_ml"], ends[1]["volume_sd_ml"], "ml") if len(loads) > 1 else "not assessable",
        "spectra": len(own["spectra"].dropna(subset=["metabolite"])[["session", "spectrum"]].drop_duplicates()),
        "answers": [int(answers.get(answer.value, 0)) for answer in Answer],
    }


def _cohort_answers(findings: pd.DataFrame) -> list[Row]:
    """Count patients by question and answer; a patient counts once per answer."""
    rows = []
    for (code, label), own in findings.groupby(["code", "label"], sort=False):
        counts = own.groupby("answer")["subject"].nunique()
        rows.append({"code": code, "label": label, "counts": [int(counts.get(answer.value, 0)) for answer in Answer]})
    return rows
