"""Who was seen when: one row per session with everything that a statistic has to know beside the measurements."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any

import pandas as pd

from hlhneuro.errors import InputError
from hlhneuro.report.results import SubjectResults
from hlhneuro.report.words import days_between
from hlhneuro.study import steroid_confounded
from hlhneuro.study.layout import Scan, Session
from hlhneuro.study.metadata import Acquisition, read_acquisition

__all__ = ["PATIENT", "VISIT", "VISIT_COLUMNS", "covariate_columns", "visits_of"]

Column = tuple[str, str]

# What the study's own columns are called here: so that none of them can take the place of one of ours.
PATIENT, VISIT = "patient_", "session_"

VISIT_COLUMNS: dict[str, Column] = {
    "days_since_first": ("d", "Days since the first dated session of the patient"),
    "sex": ("", "F, M or O, as participants.tsv gives it"),
    "scanner": ("", "Make, model and field strength of the scanners of the session's images"),
    "field_strength_t": ("T", "Field strength; empty where images do not say it, or say more than one"),
    "contrasts": ("", "Contrasts of the images that were acquired"),
    "spectra": ("", "Count of files with spectra"),
    "steroids": ("", "Whether steroids were given at or shortly before the session; empty if that cannot be said"),
    "version": ("", "Version of the program that wrote the patient's results"),
    "settings": ("", "Checksum of all settings: results with the same one were made with the same settings"),
}
_CODE_LETTERS = 8  # of a checksum: enough to tell settings apart


def covariate_columns(names: Iterable[str]) -> dict[str, Column]:
    """Return what the columns mean that come from the tables of the study."""
    files = {PATIENT: "participants.tsv", VISIT: "sessions.tsv"}
    return {
        name: ("", f"Column {name.removeprefix(start)!r} of {file} of the study, as it stands there")
        for name in names
        for start, file in files.items()
        if name.startswith(start)
    }


def visits_of(results: SubjectResults, columns: list[str]) -> pd.DataFrame:
    """Return one row per session (one without a session where there is none), covariates after the given columns.

    Covariates of the patient begin with ``patient_``, those of the session with ``session_``.
    """
    subject = results.subject
    text = json.dumps(results.settings.to_dict(), sort_keys=True, default=str)
    patient = {
        "subject": subject.label,
        "sex": subject.sex,
        "version": results.version,
        "settings": hashlib.sha256(text.encode()).hexdigest()[:_CODE_LETTERS],
        **{f"{PATIENT}{name}": value for name, value in subject.covariates.items()},
    }
    rows = [patient | _visit(results, session) for session in subject.sessions] or [patient]
    found = dict.fromkeys(name for row in rows for name in row if name not in columns)
    covariates = sorted(found, key=lambda name: not name.startswith(PATIENT))
    return pd.DataFrame(rows, columns=[*columns, *covariates])


def _visit(results: SubjectResults, session: Session) -> dict[str, Any]:
    first = min((s.date for s in results.subject.sessions if s.date), default=None)
    told = [_acquisition(scan) for scan in session.images]
    fields_t = {one.field_strength_t for one in told if one.field_strength_t is not None}
    return {
        "session": session.label,
        "date": session.date.isoformat() if session.date else None,
        "age_years": session.age_years,
        "days_since_first": days_between(first, session.date),
        "scanner": "; ".join(dict.fromkeys(one.scanner for one in told if one.scanner)) or None,
        "field_strength_t": fields_t.pop() if len(fields_t) == 1 else None,
        "contrasts": ", ".join(scan.contrast for scan in session.images) or None,
        "spectra": len(session.spectra),
        "steroids": steroid_confounded(session, results.clinical.events)[0],
        **{f"{VISIT}{name}": value for name, value in session.covariates.items()},
    }


def _acquisition(scan: Scan) -> Acquisition:
    """Return what an image's sidecar says; a sidecar that is wrong says nothing here and is told of elsewhere."""
    try:
        return read_acquisition(scan)
    except InputError:
        return Acquisition()
