"""``hlhneuro import``: scanner data into a study, every spectrum validated before anything is written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import hlhneuro
from hlhneuro.spectroscopy.nifti_mrs import interpret
from hlhneuro.spectroscopy.spectra import spectrum_from_image
from hlhneuro.study.importing import ImportOptions, ImportOutcome, import_data

__all__ = ["import_into_study"]


def import_into_study(
    source: str | Path, study: str | Path, subject: str, session: str, options: ImportOptions | None = None
) -> ImportOutcome:
    """Convert DICOM images and spectra of any scanner into one session of a BIDS study.

    Parameters
    ----------
    source, study : path
    subject, session : str
        Labels, with or without ``sub-`` and ``ses-``.
    options : ImportOptions, optional
        What the files do not say, and whether files may be replaced.

    Raises
    ------
    StudyError, InputError
        As `hlhneuro.study.importing.import_data`; the study is then as it was before.
    """
    method = f"hlhneuro {hlhneuro.__version__}"
    return import_data(source, study, subject, session, options, method=method, check=_check)


def _check(image: Any) -> None:
    """Raise what reading the written file would raise."""
    if image.shape[:3] == (1, 1, 1):
        spectrum_from_image(image)
    else:
        interpret(image)
