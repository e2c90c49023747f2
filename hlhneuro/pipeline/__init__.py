"""The stages, in order: for one subject, for a study, for a cohort.

Loaded when asked for: a fit of one spectrum starts without what lesions and cohorts need.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hlhneuro.pipeline.basis_set import make_basis_set
    from hlhneuro.pipeline.cohort import load_results, run_group
    from hlhneuro.pipeline.runs import RunOutcome, run
    from hlhneuro.pipeline.single_fit import fit_file
    from hlhneuro.pipeline.subject import load_subject, run_subject
    from hlhneuro.pipeline.task import SubjectRun

__all__ = [
    "RunOutcome",
    "SubjectRun",
    "fit_file",
    "load_results",
    "load_subject",
    "make_basis_set",
    "run",
    "run_group",
    "run_subject",
]

_HOMES = {
    "RunOutcome": "runs",
    "SubjectRun": "task",
    "fit_file": "single_fit",
    "load_results": "cohort",
    "load_subject": "subject",
    "make_basis_set": "basis_set",
    "run": "runs",
    "run_group": "cohort",
    "run_subject": "subject",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
