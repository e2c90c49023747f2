"""The sections of a cohort's page, in order."""

from __future__ import annotations

from typing import Any

from hlhneuro.report.account.findings import plain_json
from hlhneuro.report.cohort import answers, courses, groups, overview, patterns, quality, reasons, territories
from hlhneuro.report.cohort.section import Cohort, CohortSection

__all__ = ["COHORT_SECTIONS", "Cohort", "CohortSection", "cohort_account"]

COHORT_SECTIONS = (
    CohortSection("summary", "Patients", overview.facts),
    CohortSection("load", "Lesion load", courses.load_facts, courses.load_pictures),
    CohortSection("change", "Change between sessions", courses.change_facts, courses.change_pictures),
    CohortSection("groups", "Groups", groups.facts, groups.pictures),
    CohortSection("territories", "Affected territories", territories.facts, territories.pictures),
    CohortSection("ratios", "Spectral ratios", courses.ratio_facts, courses.ratio_pictures),
    CohortSection("patterns", "Spectral patterns", patterns.facts),
    CohortSection("answers", "Answers by question", answers.facts),
    CohortSection("quality", "Quality", quality.facts),
    CohortSection("unknown", "Who could not be assessed", reasons.unknown_facts),
    CohortSection("not_done", "What was not done", reasons.not_done_facts),
    CohortSection("tables", "Tables for statistics", overview.table_facts),
)


def cohort_account(cohort: Cohort) -> dict[str, Any]:
    """Return what every section of the page tells, by its name: every number of the page comes from here."""
    return {section.key: plain_json(section.facts(cohort)) for section in COHORT_SECTIONS}
