"""The course of one patient as plain numbers: what the picture of the time line draws and the account keeps."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd

from hlhneuro.lesions.change import IntervalChange
from hlhneuro.lesions.interval_findings import incomparable
from hlhneuro.report.results import SubjectResults
from hlhneuro.report.words import days_between
from hlhneuro.spectroscopy.results import SpectrumResult
from hlhneuro.study import (
    CSF_ABNORMAL_BY,
    Observation,
    Subject,
    TreatmentEvent,
    age_on,
    kind_of,
    observed_columns,
)

__all__ = ["COVERAGE", "FOLLOWED", "time_line"]

Row = dict[str, Any]
INTERVAL_PERCENT, COVERAGE = 95, 1.96  # what every interval of the page spans, and in standard uncertainties
# The ratios that are followed, with what they are called where a fit gives no sum.
FOLLOWED = {"tNAA": ("tNAA", "NAA"), "tCho": ("tCho", "Cho"), "mI": ("mI", "Ins"), "Lac": ("Lac",), "lipid": ("Lip13",)}


def time_line(results: SubjectResults) -> Row:
    """Return sessions, loads, changes, ratios, events and observations of one patient, each with its day."""
    first = min((session.date for session in results.subject.sessions if session.date), default=None)
    lanes, unplaced = _lanes(results.clinical.events, first)
    return {
        "interval_percent": INTERVAL_PERCENT,
        "coverage_factor": COVERAGE,
        "sessions": [
            {
                "label": session.label,
                "date": session.date.isoformat() if session.date else None,
                "day": days_between(first, session.date),
                "age_years": session.age_years,
            }
            for session in results.subject.sessions
        ],
        "loads": _loads(results),
        "changes": _changes(results),
        "brain": _brain(results),
        "spectra": _spectra(results.spectra),
        "lanes": lanes,
        "unplaced": unplaced,
        "observations": [_observation(one, results.subject, first) for one in results.clinical.observations],
    }


def _loads(results: SubjectResults) -> list[Row]:
    known = results.lesions.sessions if results.lesions else ()
    return [
        {
            "label": session.label,
            "load_ml": session.volume_ml,
            "load_sd_ml": session.volume_sd_ml,
            "confidence": session.confidence,
        }
        for session in known
    ]


def _changes(results: SubjectResults) -> list[Row]:
    return [_change(results, interval) for interval in (results.change.intervals if results.change else ())]


def _change(results: SubjectResults, interval: IntervalChange) -> Row:
    why = incomparable(results.lesions, interval.before, interval.after) if results.lesions else ""
    names = ("new_ml", "enlarged_ml", "shrunk_ml", "resolved_ml", "net_ml", "net_sd_ml")
    row: Row = {"before": interval.before, "after": interval.after, "reason": why}
    return row | {name: None if why else float(getattr(interval, name)) for name in names}


def _brain(results: SubjectResults) -> list[Row]:
    """Return the change of brain volume from session to session, where it was measured."""
    rows: list[Row] = []
    for interval in results.volumes.intervals if results.volumes else ():
        change = interval.change("brain")
        if interval.whole or change is None:
            continue
        row: Row = {"before": interval.before, "after": interval.after, "steroids": bool(interval.steroids)}
        # For so small a change a per cent of the logarithm is a per cent of the volume.
        rows.append(row | {"change_percent": change.change_percent, "change_sd_percent": 100 * change.log_change_sd})
    return rows


def _spectra(spectra: Sequence[SpectrumResult]) -> list[Row]:
    """Return the ratios of each voxel at each echo time, session by session."""
    usable = [one for one in spectra if one.fit is not None and one.fit.quality.get("verdict") != "not usable"]
    usable.sort(key=lambda one: (one.place, one.echo_time_s is None, one.echo_time_s or 0.0))
    groups: dict[tuple[str, float | None], list[SpectrumResult]] = {}
    for one in usable:
        groups.setdefault((one.place, one.echo_time_s), []).append(one)
    return [
        {
            "voxel": place,
            "echo_time_ms": None if echo_time_s is None else 1e3 * echo_time_s,
            "points": [
                {"label": one.session, "name": one.name, "ratios": ratios}
                for one in members
                if one.fit is not None and (ratios := _ratios(one.fit.concentrations))
            ],
        }
        for (place, echo_time_s), members in groups.items()
    ]


def _ratios(table: pd.DataFrame) -> dict[str, Row]:
    found: dict[str, Row] = {}
    for title, names in FOLLOWED.items():
        rows = table[table["metabolite"].isin(names) & table["ratio_to_tcr"].notna()]
        if len(rows):
            row = min(rows.to_dict(orient="records"), key=lambda one: names.index(one["metabolite"]))
            sd = row["ratio_sd"]
            found[title] = {
                "ratio_to_tcr": float(row["ratio_to_tcr"]),
                "ratio_sd": float(sd) if pd.notna(sd) else None,
                "detected": bool(row["detected"]),
            }
    return found


def _lanes(events: Iterable[TreatmentEvent], first: dt.date | None) -> tuple[list[Row], list[str]]:
    """Return one lane per event name, in order of their first day, and what has no place on the axis of time."""
    lanes: dict[str, Row] = {}
    unplaced: list[str] = []
    for event in events:
        if event.start is None or first is None:
            unplaced.append(event.event)
            continue
        kind = kind_of(event.event, event.detail)
        lane = lanes.setdefault(
            " ".join(event.event.lower().split()),
            {"name": " ".join(event.event.split()), "group": kind.group if kind else "other", "spans": []},
        )
        lane["spans"].append(
            {
                "start": event.start.isoformat(),
                "end": event.end.isoformat() if event.end else None,
                "start_day": (event.start - first).days,
                "end_day": (event.end - first).days if event.end else None,
                "goes_on": bool(event.end is None and kind and kind.goes_on),
            }
        )
    return list(lanes.values()), list(dict.fromkeys(unplaced))


def _observation(observation: Observation, subject: Subject, first: dt.date | None) -> Row:
    chimerism = observation.amounts.get("donor_chimerism_percent")
    return {
        "date": observation.date.isoformat() if observation.date else None,
        "day": days_between(first, observation.date),
        "neurological_symptoms": observation.neurological_symptoms,
        "fluid": _fluid(observation, subject),
        "donor_chimerism_percent": chimerism.value if chimerism else None,
    }


def _fluid(observation: Observation, subject: Subject) -> str | None:
    """Return whether the cerebrospinal fluid of one day was abnormal, normal or not decided; None if none was taken."""
    age = age_on(subject, observation.date)
    columns = [column for column in observed_columns() if column.name in CSF_ABNORMAL_BY]
    found = [
        column.verdict(observation.amounts[column.name], age)[0]
        for column in columns
        if column.name in observation.amounts
    ]
    if not found:
        return None
    if "beyond" in found:
        return "abnormal"
    return "normal" if len(found) == len(columns) and set(found) == {"usual"} else "not decided"
