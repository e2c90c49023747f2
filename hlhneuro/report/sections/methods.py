"""The methods text of what ran on this patient."""

from __future__ import annotations

from dataclasses import asdict

from hlhneuro.report.methods import methods_of
from hlhneuro.report.results import SubjectResults
from hlhneuro.report.sections.section import Row

__all__ = ["facts"]


def facts(results: SubjectResults) -> Row:
    """Return paragraphs and references."""
    return asdict(methods_of(results))
