"""Load, its change between sessions, and single lesions over time."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from typing import Any

from hlhneuro.lesions.change import IntervalChange
from hlhneuro.lesions.interval_findings import incomparable
from hlhneuro.report.results import SubjectResults
from hlhneuro.report.sections.lesion_signs import signs_text, signs_unknown
from hlhneuro.report.sections.section import Row
from hlhneuro.report.tables import lesions_of
from hlhneuro.report.words import age_text, days_between, number, quantity, session_of

__all__ = ["CHANGES", "facts", "loads_of", "why_not"]

CHANGES = ("new", "enlarged", "stable", "shrunk", "resolved")


def facts(results: SubjectResults) -> Row:
    """Return loads, intervals and single lesions."""
    return {"loads": loads_of(results), "intervals": _intervals(results), "lesions": _lesions(results)}


def why_not(results: SubjectResults, interval: IntervalChange) -> str:
    """Return why the two sessions of an interval cannot be compared; empty if they can."""
    return incomparable(results.lesions, interval.before, interval.after) if results.lesions else ""


def loads_of(results: SubjectResults) -> list[Row]:
    """Return the load of every session, or why there is none."""
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
        row: Row = {name: f"{getattr(interval, f'{name}_ml'):.1f}" for name in CHANGES}
        row |= {
            "name": f"ses-{interval.before} to ses-{interval.after}",
            "whole": interval is whole,
            "days": "n/a" if days is None else f"{days}",
            "net": quantity(interval.net_ml, interval.net_sd_ml, "ml", signed=True),
            "limit": quantity(interval.smallest_real_change_ml, None, "ml"),
            "verdict": "within error" if within else "increase" if interval.net_ml > 0 else "decrease",
            "reason": why_not(results, interval),
        }
        if row["reason"]:
            row |= dict.fromkeys((*CHANGES, "net", "limit"), "–") | {"verdict": "not assessable"}
        rows.append(row)
    return rows


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
