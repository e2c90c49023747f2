"""Lesion volume by territory and side: how many are affected, where they lie, and how their load changed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import pandas as pd

from hlhneuro.lesions.interval_findings import incomparable
from hlhneuro.lesions.place_findings import LITERATURE_REGIONS, REGIONS_SOURCE
from hlhneuro.report import figures
from hlhneuro.report.account.findings import Findings
from hlhneuro.report.gallery import Gallery, Shown
from hlhneuro.report.results import SubjectResults
from hlhneuro.report.sections.section import Pictures, Row
from hlhneuro.report.tables.build import territories_of
from hlhneuro.report.words import join_words, percent, session_of

__all__ = ["facts", "layout", "pictures"]

NOTHING: Row = dict.fromkeys(("load_ml", "load_sd_ml", "load_percent", "lesions", "change_ml", "change_sd_ml"))


def facts(results: SubjectResults) -> Row:
    """Return the count of affected territories of each session, and load and change of each territory and side."""
    table = territories_of(results)
    known = set(table["session"].astype(str)) if len(table) else set()
    labels = [session.label for session in results.subject.sessions if session.label in known]
    not_compared = _not_compared(results, labels)
    rows = [
        _territory(own, labels, not_compared)
        for _, own in (table.groupby(["territory", "side"], sort=False) if len(table) else ())
    ]
    return {
        "affected_from_ml": results.settings.change.affected_ml,
        "territories": len(rows),
        "literature": {"cut_off_regions": LITERATURE_REGIONS, "source": REGIONS_SOURCE},
        "sessions": [_session(results, table, label) for label in labels],
        "not_compared": [{"after": label, "reason": reason} for label, reason in not_compared.items()],
        "rows": [row for row in rows if any(cell["load_ml"] for cell in row["cells"])],
        "spared": [f"{row['territory']} {row['side']}" for row in rows if not any(c["load_ml"] for c in row["cells"])],
    }


def _session(results: SubjectResults, table: pd.DataFrame, label: str) -> Row:
    session = session_of(results, label)
    own = table[table["session"].astype(str) == label]
    return {
        "label": label,
        "date": session.date.isoformat() if session and session.date else None,
        "age_years": session.age_years if session else None,
        "affected": int(own["affected"].astype(bool).sum()),
    }


def _not_compared(results: SubjectResults, labels: list[str]) -> dict[str, str]:
    """Return why a session is not compared with the one before, by its label."""
    if results.lesions is None:
        return {}
    told = {after: incomparable(results.lesions, before, after) for before, after in pairwise(labels)}
    return {label: reason for label, reason in told.items() if reason}


def _territory(own: pd.DataFrame, labels: list[str], not_compared: Mapping[str, str]) -> Row:
    found = {str(row["session"]): row for row in own.to_dict(orient="records")}
    cells, before = [], None
    for label in labels:
        row = found.get(label)
        cell = NOTHING | {"affected": False}
        if row is not None:
            cell |= {name: row[name] for name in ("load_ml", "load_sd_ml", "lesions")}
            cell |= {"load_percent": 100 * float(row["load_fraction"]), "affected": bool(row["affected"])}
            if before is not None and label not in not_compared:
                cell["change_ml"] = float(row["load_ml"]) - float(before["load_ml"])
                cell["change_sd_ml"] = math.hypot(float(row["load_sd_ml"]), float(before["load_sd_ml"]))
        cells.append(cell)
        before = row
    first = own.iloc[0]
    return {
        "territory": str(first["territory"]),
        "side": str(first["side"]),
        "territory_ml": float(first["territory_ml"]),
        "cells": cells,
    }


def layout(findings: Findings) -> Row:
    """Return the uncertainty of each session's count, which its finding holds."""
    return {
        "counts": {
            finding.sessions[0]: finding.standard_uncertainty
            for finding in findings.findings
            if finding.code == "affected_territory_count" and finding.sessions
        }
    }


def pictures(results: SubjectResults, facts: Mapping[str, Any], gallery: Gallery) -> Pictures:
    """Draw the territories on the patient's brain and as a table."""
    return {
        "maps": _maps(results, facts, gallery) if any(session["affected"] for session in facts["sessions"]) else [],
        "load": gallery.image(
            lambda: figures.territory_load(results),
            "Lesion volume by territory, side and session. Left and right are the patient's own. A cell without a "
            "colour does not count as affected; a dot stands for no lesion.",
            "Table of lesion volumes by territory, side and session, coloured by the part of the territory that is "
            "lesion; the table below holds the same numbers.",
        ),
    }


def _maps(results: SubjectResults, facts: Mapping[str, Any], gallery: Gallery) -> list[Shown]:
    per = max(results.settings.report.sessions_per_figure, 1)
    groups = [facts["sessions"][i : i + per] for i in range(0, len(facts["sessions"]), per)]
    return [
        gallery.image(
            lambda group=group: figures.territory_map(  # type: ignore[misc]
                results, [session["label"] for session in group]
            ),
            "The patient's own territories, coloured by the part of them that is lesion where they count as affected; "
            "black lines are the lesions. The same slices at every session: those that show most of what is affected.",
            f"Axial and coronal slices with affected territories in colour. {_told(group, facts)}",
        )
        for group in groups
    ]


def _told(group: list[Row], facts: Mapping[str, Any]) -> str:
    """Tell in words what the map shows: every affected territory with the part of it that is lesion."""
    places = {session["label"]: place for place, session in enumerate(facts["sessions"])}
    sentences = []
    for session in group:
        cells = [(row, row["cells"][places[session["label"]]]) for row in facts["rows"]]
        parts = [
            f"{row['territory']} {row['side']} {percent(cell['load_percent'], 1)}"
            for row, cell in cells
            if cell["affected"]
        ]
        sentences.append(f"ses-{session['label']}: {join_words(parts) or 'none'}.")
    return " ".join(sentences)
