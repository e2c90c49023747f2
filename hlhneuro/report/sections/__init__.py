"""The sections of a patient's page, in order."""

from __future__ import annotations

from dataclasses import replace

from hlhneuro.report.account.findings import Findings, plain_json
from hlhneuro.report.results import SubjectResults
from hlhneuro.report.sections import (
    answers,
    clinical,
    course,
    images,
    lesions,
    methods,
    mrsi,
    not_done,
    quality,
    settings,
    spectra,
    summary,
    territories,
    viewer,
    volumes,
)
from hlhneuro.report.sections.section import Pictures, Row, Section

__all__ = ["SECTIONS", "Pictures", "Row", "Section", "with_sections"]

SECTIONS = (
    Section("summary", "Summary", summary.facts),
    Section("timeline", "Course over time", course.facts, course.pictures),
    Section("images", "Images", images.facts, images.pictures),
    Section("viewer", "Volume viewer", viewer.facts, viewer.pictures),
    Section("lesions", "Lesions", lesions.facts),
    Section("territories", "Territories", territories.facts, territories.pictures, territories.layout),
    Section("volumes", "Brain and ventricles", volumes.facts, volumes.pictures),
    Section("spectra", "Spectra", spectra.facts, spectra.pictures, spectra.layout),
    Section("mrsi", "Spectroscopic maps", mrsi.facts, mrsi.pictures),
    Section("clinical", "Clinical record", clinical.facts, layout=clinical.layout),
    Section("findings", "All findings", layout=answers.layout),
    Section("quality", "Quality", quality.facts, quality.pictures),
    Section("not_done", "What was not done", not_done.facts),
    Section("methods", "Methods", methods.facts),
    Section("settings", "Settings", settings.facts),
)


def with_sections(results: SubjectResults, findings: Findings) -> Findings:
    """Return the account with what each section of its page tells."""
    told = {section.key: section.facts(results) for section in SECTIONS}
    return replace(findings, sections={key: plain_json(facts) for key, facts in told.items() if facts is not None})
