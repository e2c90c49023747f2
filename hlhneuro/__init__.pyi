from .imaging import align, load_volume, prepare
from .lesions import measure_change, measure_volumes, segment_lesions
from .pipeline import fit_file, fit_spectra, load_findings, load_results, load_subject, recover, run
from .report import assess, write_report
from .settings import Settings, load_settings
from .spectroscopy import fit_mrsi, fit_spectrum, load_mrsi, load_spectrum, read_basis, simulate_basis
from .study import check_study, open_study

__version__: str

__all__ = [
    "Settings",
    "__version__",
    "align",
    "assess",
    "check_study",
    "fit_file",
    "fit_mrsi",
    "fit_spectra",
    "fit_spectrum",
    "load_findings",
    "load_mrsi",
    "load_results",
    "load_settings",
    "load_spectrum",
    "load_subject",
    "load_volume",
    "measure_change",
    "measure_volumes",
    "open_study",
    "prepare",
    "read_basis",
    "recover",
    "run",
    "segment_lesions",
    "simulate_basis",
    "write_report",
]
