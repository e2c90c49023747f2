from .basis_set import make_basis_set
from .cohort import load_results, run_group
from .recovery import Recovery, recover
from .runs import RunOutcome, run
from .saved import load_findings, load_subject
from .session_spectra import fit_spectra
from .single_fit import fit_file
from .subject import run_subject
from .task import SubjectRun

__all__ = [
    "Recovery",
    "RunOutcome",
    "SubjectRun",
    "fit_file",
    "fit_spectra",
    "load_findings",
    "load_results",
    "load_subject",
    "make_basis_set",
    "recover",
    "run",
    "run_group",
    "run_subject",
]
