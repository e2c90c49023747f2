"""Load, its change between sessions, and single lesions over time."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from typing import Any

from hlhneuro.lesions.change import IntervalChange
from hlhneuro.lesions.interval_findings import incomparable
from hlhneuro.report.results import SubjectResults
from hlhneuro.report.sections.lesion_signs import signs_by_lesion, signs_unknown
from hlhneuro.report.sections.section import Row
from hlhneuro.report.tables.build import lesions_of
from hlhneuro.report.words import days_between, session_of

__all__ = ["CHANGES", "facts", "loads_of", "volumes_of", "why_not"]

CHANGES = ("new", "enlarged", "stable", "shrunk", "resolved")


def facts(results: SubjectResults) -> Row:
    """Return loads, intervals and single lesions."""
    return {
        "coverage_factor": results.settings.change.coverage_factor,
        "loads": loads_of(results),
        "intervals": _intervals(results),
        "lesions": _lesions(results),
    }


def why_not(results: SubjectResults, interval: IntervalChange) -> str:
    """Return why the two sessions of an interval cannot be compared; empty if they can."""
    return incomparable(results.lesions, interval.before, interval.after) if results.lesions else ""


def volumes_of(interval: IntervalChange) -> Row:
    """Return the volume of each kind of change."""
    return {f"{kind}_ml": float(getattr(interval, f"{kind}_ml")) for kind in CHANGES}


def loads_of(results: SubjectResults) -> list[Row]:
    """Return the load of every session, or why there is none."""
    rows = []
    for session in results.subject.sessions:
        found = results.lesions.session(session.label) if results.lesions else None
        row: Row = {
            "label": session.label,
            "date": session.date.isoformat() if session.date else None,
            "age_years": session.age_years,
            "assessed": found is not None,
        }
        if found is not None:
            # What it rests on has a column of its own.
            doubt = found.reason.replace(f"{session.label} ", "")
            row |= {
                "load_ml": found.volume_ml,
                "load_sd_ml": found.volume_sd_ml,
                "contrasts": found.supplied or ", ".join(found.contrasts),
                "confidence": found.confidence,
                "reason": doubt if found.confidence != "full" or found.supplied else "",
            }
        else:
            why = results.lesions.not_assessable.get(session.label) if results.lesions else None
            row |= {"load_ml": None, "load_sd_ml": None, "contrasts": "", "confidence": ""}
            row["reason"] = why or "lesions could not be assessed in this session"
        rows.append(row)
    return rows


def _intervals(results: SubjectResults) -> list[Row]:
    rows = []
    whole = results.change.first_to_last if results.change else None
    for interval in results.change.compared if results.change else ():
        before, after = (session_of(results, label) for label in (interval.before, interval.after))
        row: Row = {
            "before": interval.before,
            "after": interval.after,
            "whole": interval is whole,
            "days": days_between(before.date if before else None, after.date if after else None),
            "reason": why_not(results, interval),
        }
        measured = volumes_of(interval)
        measured |= {name: getattr(interval, name) for name in ("net_ml", "net_sd_ml", "smallest_real_change_ml")}
        if row["reason"]:
            row |= dict.fromkeys(measured) | {"verdict": "not assessable"}
        else:
            within = abs(interval.net_ml) <= interval.smallest_real_change_ml
            verdict = "within error" if within else "increase" if interval.net_ml > 0 else "decrease"
            row |= measured | {"verdict": verdict}
        rows.append(row)
    return rows


def _lesions(results: SubjectResults) -> Row:
    """Return lesions by sessions, the largest first; the page lists as many as can be read."""
    table = lesions_of(results)
    limit = results.settings.report.lesions_listed
    if table.empty:
        return {"sessions": [], "count": 0, "listed": 0, "rows": [], "unknown": []}
    seen = set(table["session"].astype(str))
    labels = [session.label for session in results.subject.sessions if session.label in seen]
    signs = signs_by_lesion(results.signs)
    rows: list[Row] = []
    for _, own in table.groupby("lesion", sort=True):
        number = int(own["lesion"].iloc[0])
        by_session = {str(row["session"]): row for row in own.to_dict(orient="records")}
        # It is named where it is largest.
        largest = max(by_session.values(), key=lambda row: float(row["volume_ml"]))
        place = " ".join(str(largest[part]) for part in ("side", "territory") if isinstance(largest[part], str))
        cells = [
            _cell(by_session.get(label)) | {"session": label, "signs": signs.get((label, number), [])}
            for label in labels
        ]
        row = {"lesion": number, "place": place, "largest_ml": float(largest["volume_ml"]), "cells": cells}
        rows.append(row | {f"{axis}_mm": float(largest[f"{axis}_mm"]) for axis in "xyz"})
    rows.sort(key=lambda row: -float(row["largest_ml"]))
    unknown = signs_unknown(results.signs, labels)
    return {"sessions": labels, "count": len(rows), "listed": min(limit, len(rows)), "rows": rows, "unknown": unknown}


def _cell(row: Mapping[Hashable, Any] | None) -> Row:
    """Say what became of a lesion, by how much where that is beyond the error, and of how many pieces it is."""
    if row is None:
        return {"volume_ml": None, "volume_sd_ml": None, "status": "", "change_ml": None, "pieces": None}
    change_ml, limit_ml = (float(row.get(name, math.nan)) for name in ("change_ml", "smallest_real_change_ml"))
    beyond = row["status"] not in ("new", "reappeared", "resolved") and abs(change_ml) > limit_ml
    pieces = int(row.get("parts", 1))
    return {
        "volume_ml": float(row["volume_ml"]),
        "volume_sd_ml": float(row["volume_sd_ml"]),
        "status": str(row["status"]),
        "change_ml": change_ml if beyond else None,
        "pieces": pieces if pieces > 1 else None,
    }
