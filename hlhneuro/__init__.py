"""hlhneuro: follow HLH in the brain over serial MRI and MR spectroscopy. Research software, not a diagnosis.

The public verbs, each a function that a notebook can call alone. They are imported when first used, so that
``import hlhneuro`` is quick.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from hlhneuro.imaging import align, load_volume, prepare
    from hlhneuro.lesions import measure_change, measure_volumes, segment_lesions
    from hlhneuro.pipeline import fit_file, load_results, load_subject, run
    from hlhneuro.report import assess, write_report
    from hlhneuro.settings import Settings, load_settings
    from hlhneuro.spectroscopy import fit_spectrum, load_spectrum, read_basis, simulate_basis
    from hlhneuro.study import check_study, open_study

_HOME = {
    "Settings": "settings",
    "align": "imaging",
    "assess": "report",
    "check_study": "study",
    "fit_file": "pipeline",
    "fit_spectrum": "spectroscopy",
    "load_results": "pipeline",
    "load_subject": "pipeline",
    "load_settings": "settings",
    "load_spectrum": "spectroscopy",
    "load_volume": "imaging",
    "measure_change": "lesions",
    "measure_volumes": "lesions",
    "open_study": "study",
    "prepare": "imaging",
    "read_basis": "spectroscopy",
    "run": "pipeline",
    "segment_lesions": "lesions",
    "simulate_basis": "spectroscopy",
    "write_report": "report",
}

__all__ = [
    "Settings",
    "__version__",
    "align",
    "assess",
    "check_study",
    "fit_file",
    "fit_spectrum",
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
    "run",
    "segment_lesions",
    "simulate_basis",
    "write_report",
]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(f"hlhneuro.{_HOME[name]}"), name)
    raise AttributeError(f"module 'hlhneuro' has no attribute {name!r}")
