"""Courses of load, change and spectral ratios of all patients."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hlhneuro.report import figures
from hlhneuro.report.cohort.section import Cohort, Pictures, Row
from hlhneuro.report.figures.cohort import INTERVALS_SHOWN
from hlhneuro.report.gallery import Gallery
from hlhneuro.report.tables.per_patient import RATIOS, lesion_loads, ratio_courses, spread_of
from hlhneuro.report.words import plural, quantity

__all__ = ["change_facts", "change_pictures", "load_facts", "load_pictures", "ratio_facts", "ratio_pictures"]


def spread_text(spread: Mapping[str, Any], unit: str) -> str:
    """Write median and range of what is known."""
    if not spread["count"]:
        return "not known"
    middle, low, high = (quantity(spread[name], None, unit) for name in ("median", "low", "high"))
    return f"median {middle}, {low} to {high}, n = {spread['count']}"


def load_facts(cohort: Cohort) -> Row:
    """Return how many loads there are, and what they are at the first and last session."""
    loads, courses = lesion_loads(cohort.tables), cohort.courses
    return {
        "patients": len(courses),
        "sessions": len(loads),
        "undated": int(loads["days"].isna().sum()),
        "of_unknown_age": int(loads["age_years"].isna().sum()),
        "reduced": int((loads["confidence"] == "reduced").sum()),
        "first_ml": spread_of(courses["first_ml"]),
        "last_ml": spread_of(courses.loc[courses["sessions"] > 1, "last_ml"]),
    }


def load_pictures(cohort: Cohort, facts: Mapping[str, Any], gallery: Gallery) -> Pictures:
    """Draw load over time and age."""
    return {
        "load": gallery.vector(
            lambda: figures.load_trajectories(cohort.tables),
            "Each line is a patient; error bars are one standard uncertainty. Lines join measurements and say nothing "
            "of the time between.",
            f"Lesion load of {plural(facts['patients'], 'patient')} at {plural(facts['sessions'], 'session')}, over "
            f"time and over age. At the first session: {spread_text(facts['first_ml'], 'ml')}. At the last: "
            f"{spread_text(facts['last_ml'], 'ml')}. The table of volumes holds the same numbers.",
        )
    }


def change_facts(cohort: Cohort) -> Row:
    """Return how many intervals went which way, and how many could not be measured."""
    steps = cohort.tables["intervals"]
    steps = steps[steps["span"] == "interval"]
    known = steps[steps["net_ml"].notna()]
    within = known["net_ml"].abs() <= known["smallest_real_change_ml"]
    return {
        "intervals": len(steps),
        "measured": len(known),
        "more": int((~within & (known["net_ml"] > 0)).sum()),
        "less": int((~within & (known["net_ml"] < 0)).sum()),
        "within_error": int(within.sum()),
        "not_assessable": len(steps) - len(known),
        "shown": min(len(known), INTERVALS_SHOWN),
        "net_ml": spread_of(known["net_ml"]),
        "days": spread_of(known["days"]),
    }


def change_pictures(cohort: Cohort, facts: Mapping[str, Any], gallery: Gallery) -> Pictures:
    """Draw the change of every interval."""
    largest = f" Shown are the {facts['shown']} largest." if facts["shown"] < facts["measured"] else ""
    return {
        "change": gallery.vector(
            lambda: figures.interval_changes(cohort.tables),
            f"The grey bar spans what is within the measurement error of that interval.{largest}",
            f"Change of the load in {plural(facts['measured'], 'interval')} with its error: {facts['more']} more, "
            f"{facts['less']} less, {facts['within_error']} within error; {spread_text(facts['net_ml'], 'ml')}. The "
            "table of intervals holds the same numbers.",
        )
    }


def ratio_facts(cohort: Cohort) -> Row:
    """Return how many ratios are followed at which class of echo time, and what was left out."""
    limits = cohort.settings.echo_classes_s
    table, spectra = ratio_courses(cohort.tables, limits), cohort.tables["spectra"]
    names = ["subject", "session", "spectrum"]
    every = spectra[names].drop_duplicates()
    rows = []
    for number in sorted(set(table["echo_class"])):
        own = table[table["echo_class"] == number]
        rows.append(
            {
                "echo_times_ms": sorted({round(1000 * float(time_s), 3) for time_s in own["echo_time_s"]}),
                "patients": int(own["subject"].nunique()),
                "spectra": len(own[names].drop_duplicates()),
                "ratios": [
                    {"name": name, **spread_of(own.loc[own["metabolite"] == name, "ratio_to_tcr"])} for name in RATIOS
                ],
            }
        )
    followed = table[names].drop_duplicates()
    return {"rows": rows, "spectra": len(every), "followed": len(followed), "left_out": len(every) - len(followed)}


def ratio_pictures(cohort: Cohort, facts: Mapping[str, Any], gallery: Gallery) -> Pictures:
    """Draw the ratios over time."""
    told = "; ".join(
        f"{ratio['name']}/tCr at echo times of {_times(row)}: {spread_text(ratio, '')}"
        for row in facts["rows"]
        for ratio in row["ratios"]
    )
    return {
        "ratios": gallery.vector(
            lambda: figures.ratio_trajectories(cohort.tables, cohort.settings),
            "Each line is a spectrum of a patient, error bars are one standard uncertainty; a hollow marker was not "
            "told from noise. Echo times have rows of their own: ratios of different ones do not compare.",
            f"Ratios over time. {told}. The table of spectra holds the same numbers.",
        )
    }


def _times(row: Mapping[str, Any]) -> str:
    return ", ".join(quantity(time_ms, None, "ms") for time_ms in row["echo_times_ms"])
