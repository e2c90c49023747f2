"""Study > Subject > Session > Scan: what is on disk, read from a BIDS folder."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["Scan", "Session", "Study", "Subject", "open_study"]


@dataclass(frozen=True)
class Scan:
    """One image or spectrum file with its sidecar.

    Parameters
    ----------
    path : path
        The NIfTI file.
    datatype : str
        BIDS data type: ``anat``, ``dwi``, ``swi`` or ``mrs``.
    contrast : str
        What the image shows, as used in output names: ``T1w``, ``T2w``, ``FLAIR``, ``ce-gadolinium_T1w``, ``ADC``,
        ``T2starw``, ``SWI`` ..; for spectra the BIDS suffix: ``svs``, ``mrsi``, ``mrsref``.
    entities : mapping
        BIDS entities in their short form, for example ``{"sub": "01", "ses": "02", "acq": "short"}``.
    sidecar : mapping
        The JSON sidecar (inherited fields included); empty if there is none.
    """

    path: Path
    datatype: str
    contrast: str
    entities: Mapping[str, str]
    sidecar: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Session:
    """One visit of one subject.

    Parameters
    ----------
    subject, label : str
        Labels without ``sub-`` and ``ses-``; `label` is ``01`` where the study has no session folders.
    date : date, optional
        Day of the visit, from ``sessions.tsv`` (``acq_time``).
    age_years : float, optional
        Age at the visit in years.
    images, spectra, water_references : tuple of Scan
        What was acquired, in a fixed order.
    problems : tuple of str
        What is wrong with this session, in sentences; such a session still goes on as far as it can.
    covariates : mapping
        Further columns of ``sessions.tsv`` (scanner, anaesthesia, treatment ..) as text.
    """

    subject: str
    label: str
    date: dt.date | None
    age_years: float | None
    images: tuple[Scan, ...]
    spectra: tuple[Scan, ...]
    water_references: tuple[Scan, ...]
    problems: tuple[str, ...] = ()
    covariates: Mapping[str, str] = field(default_factory=dict)

    def image(self, contrast: str) -> Scan | None:
        """Return the scan of that contrast, or None."""
        return next((scan for scan in self.images if scan.contrast == contrast), None)


@dataclass(frozen=True)
class Subject:
    """One patient with all sessions, in order of date (of label where dates are missing)."""

    label: str
    sex: str | None
    sessions: tuple[Session, ...]
    problems: tuple[str, ...] = ()
    covariates: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Study:
    """A BIDS study folder."""

    root: Path
    name: str
    subjects: tuple[Subject, ...]

    def subject(self, label: str) -> Subject | None:
        """Return the subject of that label (without ``sub-``), or None."""
        return next((subject for subject in self.subjects if subject.label == label), None)


def open_study(root: str | Path) -> Study:
    """Index a BIDS study folder.

    Raises
    ------
    StudyError
        If the folder does not exist, is empty or holds no subject.
    """
    raise NotImplementedError
