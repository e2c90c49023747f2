"""Tidy tables of one patient, every column with its unit and meaning."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pandas as pd

from hlhneuro.lesions.interval_findings import incomparable, lesions_compared
from hlhneuro.lesions.place_findings import territory_sds_ml
from hlhneuro.report.account.findings import Findings
from hlhneuro.report.registrations import verdicts_of
from hlhneuro.report.results import SubjectResults
from hlhneuro.report.tables.columns import COLUMNS
from hlhneuro.report.tables.grid_rows import grid_rows
from hlhneuro.report.tables.visits import visits_of
from hlhneuro.report.words import days_between, session_of

__all__ = ["findings_table", "lesions_of", "tables_of", "territories_of"]


def tables_of(results: SubjectResults, findings: Findings) -> dict[str, pd.DataFrame]:
    """Return the tables of one patient; `columns_of` gives every column's unit and meaning.

    Returns
    -------
    dict of str to DataFrame
        ``visits, lesions, signs, intervals, territories, volumes, volume_change, spectra, mrsi, registrations, noise,
        findings``; a table without rows has its columns. After its own columns, ``visits`` has one for every covariate
        of the study.
    """
    makers: dict[str, Callable[[], list[dict[str, Any]]]] = {
        "lesions": lambda: _per_session(results, lesions_of(results)),
        "signs": lambda: _per_session(results, results.signs.table() if results.signs else None),
        "intervals": lambda: _intervals(results),
        "territories": lambda: _per_session(results, territories_of(results)),
        "volumes": lambda: _volumes(results),
        "volume_change": lambda: _volume_change(results),
        "spectra": lambda: _spectra(results),
        "mrsi": lambda: [_head(results, row["session"]) | row for row in grid_rows(results.grids)],
        "registrations": lambda: _registrations(results),
        "noise": lambda: _noise(results),
    }
    tables = {name: pd.DataFrame(make(), columns=list(COLUMNS[name])) for name, make in makers.items()}
    return {"visits": visits_of(results, list(COLUMNS["visits"])), **tables, "findings": findings_table(findings)}


def _head(results: SubjectResults, label: str) -> dict[str, Any]:
    """Return the columns that say whose and when."""
    session = session_of(results, label)
    return {
        "subject": results.subject.label,
        "session": label,
        "date": session.date.isoformat() if session and session.date else None,
        "age_years": session.age_years if session else None,
    }


def _per_session(results: SubjectResults, frame: pd.DataFrame | None) -> list[dict[str, Any]]:
    rows = frame.to_dict(orient="records") if frame is not None else []
    return [_head(results, str(row["session"])) | {str(name): value for name, value in row.items()} for row in rows]


def lesions_of(results: SubjectResults) -> pd.DataFrame:
    """Return one row per lesion and session, without changes between sessions that cannot be compared."""
    if results.change is None or results.lesions is None:
        return pd.DataFrame()
    return lesions_compared(results.change, results.lesions)


def territories_of(results: SubjectResults) -> pd.DataFrame:
    """Return one row per territory, side and session, the load with its standard uncertainty."""
    if results.change is None or results.lesions is None:
        return pd.DataFrame()
    frames = []
    for label, own in results.change.territories.groupby("session", sort=False):
        session = results.lesions.session(str(label))
        sds_ml = territory_sds_ml(session, results.lesions, results.change) if session else {}
        places = zip(own["territory"], own["side"], strict=True)
        frames.append(own.assign(load_sd_ml=[sds_ml.get(place, math.nan) for place in places]))
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def _intervals(results: SubjectResults) -> list[dict[str, Any]]:
    rows = []
    for interval in results.change.compared if results.change else ():
        before, after = (session_of(results, label) for label in (interval.before, interval.after))
        dates = [session.date if session else None for session in (before, after)]
        why = incomparable(results.lesions, interval.before, interval.after) if results.lesions else ""
        measured = {name: getattr(interval, name) for name in COLUMNS["intervals"] if hasattr(interval, name)}
        measured |= {"within_error": abs(interval.net_ml) <= interval.smallest_real_change_ml}
        if why:
            measured = {name: getattr(interval, name) for name in ("before", "after")}
        rows.append(
            {
                "subject": results.subject.label,
                "span": "course" if results.change and interval is results.change.first_to_last else "interval",
                "date_before": dates[0].isoformat() if dates[0] else None,
                "date_after": dates[1].isoformat() if dates[1] else None,
                "days": days_between(dates[0], dates[1]),
                **measured,
                "reason": why,
            }
        )
    return rows


def _volumes(results: SubjectResults) -> list[dict[str, Any]]:
    """Return the lesion load and the brain of every session, and the tissues of the subject's common space."""
    rows: list[dict[str, Any]] = []
    for session in results.subject.sessions:
        rows += [
            _head(results, session.label) | volume
            for volume in (_load(results, session.label), _brain(results, session.label))
        ]
    for name, image in results.lesions.tissue.items() if results.lesions else ():
        volume = float(image.sum(dtype="float64")) * results.lesions.grid.voxel_volume_ml if results.lesions else None
        reason = "one tissue map for all sessions, without lesions; no test-retest error is known yet"
        whole = {"subject": results.subject.label, "structure": name, "volume_ml": volume, "reason": reason}
        rows.append(whole)
    return rows


def _volume_change(results: SubjectResults) -> list[dict[str, Any]]:
    """Return one row per interval and structure, and one row without numbers where nothing could be measured."""
    rows: list[dict[str, Any]] = []
    for interval in results.volumes.intervals if results.volumes else ():
        head = {
            "subject": results.subject.label,
            "before": interval.before,
            "after": interval.after,
            "span": "course" if interval.whole else "interval",
            "steroids": interval.steroids,
            "reason": "; ".join(filter(None, (interval.reason, interval.doubt))),
        }
        if not interval.changes:
            rows.append(head)
        for change in interval.changes:
            names = [name for name in COLUMNS["volume_change"] if hasattr(change, name)]
            rows.append(head | {name: getattr(change, name) for name in names})
    return rows


def _load(results: SubjectResults, label: str) -> dict[str, Any]:
    lesions, row = results.lesions, {"structure": "lesion_load"}
    session = lesions.session(label) if lesions else None
    if lesions is None or session is None:
        why = lesions.not_assessable.get(label) if lesions else None
        return row | {"reason": why or "lesions could not be assessed"}
    return row | {
        "volume_ml": session.volume_ml,
        "volume_sd_ml": session.volume_sd_ml,
        "confidence": "supplied" if session.supplied else session.confidence,
        "reason": session.reason if session.confidence != "full" or session.supplied else "",
    }


def _brain(results: SubjectResults, label: str) -> dict[str, Any]:
    aligned, row = results.aligned, {"structure": "brain"}
    session = aligned.session(label) if aligned else None
    if aligned is None or session is None:
        return row | {"reason": "the session could not be aligned"}
    volume = float(session.brain_mask.sum()) * aligned.grid.voxel_volume_ml
    return row | {"volume_ml": volume, "reason": "volume of the brain mask; no test-retest error is known yet"}


def _spectra(results: SubjectResults) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for spectrum in results.spectra:
        voxel, fit = spectrum.voxel, spectrum.fit
        common = _head(results, spectrum.session) | {
            "spectrum": spectrum.name,
            "echo_time_s": spectrum.echo_time_s,
            "sequence": spectrum.sequence,
            "water_reference": spectrum.water_reference,
            **{f"voxel_{part}": getattr(voxel, part) if voxel else None for part in ("gm", "wm", "csf", "lesion")},
            "reason": spectrum.reason or (voxel.reason if voxel else "the voxel could not be placed on the anatomy"),
        }
        if fit is None:
            rows.append(common)
            continue
        quality = {name: fit.quality.get(name) for name in ("snr", "linewidth_hz", "linewidth_ppm", "verdict")}
        for row in fit.concentrations.to_dict(orient="records"):
            rows.append(common | quality | {str(name): value for name, value in row.items()})
    return rows


def _registrations(results: SubjectResults) -> list[dict[str, Any]]:
    verdicts = verdicts_of(results.aligned) if results.aligned else ()
    return [{"subject": results.subject.label, **vars(quality)} for quality in verdicts]


def _noise(results: SubjectResults) -> list[dict[str, Any]]:
    return [
        _head(results, session.label) | {"contrast": contrast, "noise_sd": noise_sd}
        for session in (results.aligned.sessions if results.aligned else ())
        for contrast, noise_sd in session.noise_sd.items()
    ]


def findings_table(findings: Findings) -> pd.DataFrame:
    """Return one row per finding of a patient."""
    rows = [
        {
            "subject": findings.subject,
            **finding.to_dict(),
            "session": ",".join(finding.sessions),
            "kind": kind,
        }
        for kind, finding in zip(findings.kinds, findings.findings, strict=True)
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS["findings"]))
