"""The stages, in order: for one subject, for a study, for a cohort."""

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
