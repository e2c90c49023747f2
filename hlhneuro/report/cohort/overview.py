"""Who is in the cohort: how many, how old, for how long, from which scanners; and which tables hold the numbers."""

from __future__ import annotations

from typing import Any

import pandas as pd

from hlhneuro.answers import Answer
from hlhneuro.report.account.assessment import TROUBLE
from hlhneuro.report.cohort.section import Cohort, Row
from hlhneuro.report.tables.per_patient import spread_of
from hlhneuro.report.words import sex_text

__all__ = ["facts", "table_facts"]


def facts(cohort: Cohort) -> Row:
    """Return the counts of the head, what is known of scanners and settings, and a row per patient."""
    visits = cohort.tables["visits"]
    sessions = visits[visits["session"].notna()]
    first = visits.drop_duplicates("subject")
    courses = cohort.courses.set_index("subject")
    dates = sorted(sessions["date"].dropna())
    rows = [_patient(cohort, subject, courses) for subject in cohort.subjects]
    return {
        "patients": len(cohort.subjects),
        "sessions": len(sessions),
        "spectra": sum(row["spectra"] for row in rows),
        "first_date": dates[0] if dates else None,
        "last_date": dates[-1] if dates else None,
        "assessable": _assessable(cohort, len(sessions)),
        "age_years_at_first": spread_of(first["age_years"]),
        "days_followed": spread_of(row["days"] for row in rows if row["sessions"] > 1),
        "sexes": _counts(first["sex"].map(sex_text, na_action="ignore"), "patients"),
        "scanners": _counts(sessions["scanner"], "sessions"),
        "made_with": _counts(_made_with(first), "patients"),
        "unreadable": _unreadable(cohort),
        "folded": len(rows) > cohort.settings.reasons_listed,
        "rows": rows,
    }


def _unreadable(cohort: Cohort) -> list[str]:
    """Return the patients of whom the group step could not read every file."""
    failed = cohort.status[(cohort.status["stage"] == "group") & cohort.status["state"].isin(TROUBLE)]
    return [subject for subject in cohort.subjects if subject in set(failed["subject"])]


def _made_with(visits: pd.DataFrame) -> pd.Series[Any]:
    known = visits["version"].notna()
    names = [f"{row['version']}, settings {row['settings']}" for row in visits.to_dict(orient="records")]
    return pd.Series(names, index=visits.index, dtype=object).where(known)


def _counts(values: pd.Series[Any], what: str) -> list[Row]:
    """Count each value, the most frequent first, and what is not stated."""
    found = [{"name": str(name), what: int(count)} for name, count in values.dropna().value_counts(sort=True).items()]
    missing = int(values.isna().sum())
    return found + ([{"name": "not stated", what: missing}] if missing else [])


def _assessable(cohort: Cohort, sessions: int) -> list[Row]:
    """Say of the large parts in how many of all sessions, intervals and spectra they were assessed."""
    volumes, intervals, spectra = (cohort.tables[name] for name in ("volumes", "intervals", "spectra"))
    known = volumes[volumes["volume_ml"].notna() & volumes["session"].notna()].groupby("structure").size()
    steps = intervals[intervals["span"] == "interval"]
    pairs = spectra[["subject", "session", "spectrum"]]
    fitted = pairs[spectra["metabolite"].notna()].drop_duplicates()
    parts = (
        ("Images", int(known.get("brain", 0)), sessions, "session"),
        ("Lesions", int(known.get("lesion_load", 0)), sessions, "session"),
        ("Change", int(steps["net_ml"].notna().sum()), len(steps), "interval"),
        ("Spectra", len(fitted), len(pairs.drop_duplicates()), "spectrum"),
    )
    return [
        {"part": part, "done": done, "all": of, "noun": noun, "full": done == of and of > 0}
        for part, done, of, noun in parts
    ]


def _patient(cohort: Cohort, subject: str, courses: pd.DataFrame) -> Row:
    visits, findings = cohort.of_subject("visits", subject), cohort.of_subject("findings", subject)
    spectra = cohort.of_subject("spectra", subject).dropna(subset=["metabolite"])
    answers = findings["answer"].value_counts()
    course = courses.loc[subject].to_dict() if subject in courses.index else {}
    days = visits["days_since_first"].dropna()
    return {
        "subject": subject,
        "page": cohort.pages.get(subject),
        "sex": sex_text(visits["sex"].iloc[0]) if len(visits) and isinstance(visits["sex"].iloc[0], str) else None,
        "age_years": visits["age_years"].iloc[0] if len(visits) else None,
        "sessions": int(visits["session"].notna().sum()),
        "days": int(days.max()) if len(days) else None,
        **{name: course.get(name) for name in ("first_ml", "first_sd_ml", "last_ml", "last_sd_ml")},
        "loads": int(course.get("sessions", 0)),
        "spectra": len(spectra[["session", "spectrum"]].drop_duplicates()),
        **{answer.name.lower(): int(answers.get(answer.value, 0)) for answer in Answer},
    }


def table_facts(cohort: Cohort) -> Row:
    """Return the tables beside the page, with the count of their rows."""
    return {"tables": [{"name": name, "rows": len(table)} for name, table in cohort.tables.items()]}
