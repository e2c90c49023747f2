"""Every setting of the run, with where its default comes from."""

from __future__ import annotations

import dataclasses

from hlhneuro.report.results import SubjectResults
from hlhneuro.report.sections.section import Row

__all__ = ["facts"]


def facts(results: SubjectResults) -> Row:
    """Return one row per setting."""
    return {"rows": _rows(results)}


def _rows(results: SubjectResults) -> list[Row]:
    rows = []
    for stage in dataclasses.fields(results.settings):
        values = getattr(results.settings, stage.name)
        for setting in dataclasses.fields(values):
            value = getattr(values, setting.name)
            rows.append(
                {
                    "name": f"{stage.name}.{setting.name}",
                    "value": list(value) if isinstance(value, tuple) else value,
                    "unit": setting.metadata.get("unit", ""),
                    "source": setting.metadata.get("source", ""),
                    "changed": value != setting.default,
                }
            )
    return rows
