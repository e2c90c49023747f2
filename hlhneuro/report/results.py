"""Everything one subject's run gave, as the report takes it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hlhneuro.study.clinical import ClinicalRecord

if TYPE_CHECKING:  # these rooms are large: who asks for a status only does not load them
    from hlhneuro.imaging import AlignedSeries
    from hlhneuro.lesions import LesionChange, LesionSeries, LesionSigns, VolumeChange
    from hlhneuro.settings import Settings
    from hlhneuro.spectroscopy import GridResult, SpectrumResult
    from hlhneuro.study import Subject

__all__ = ["StageStatus", "SubjectResults"]


@dataclass(frozen=True)
class StageStatus:
    """One row of ``status.tsv``.

    Parameters
    ----------
    subject, session, stage : str
        `session` is empty for a stage of the whole subject; `stage` is ``read, prepare, align, lesions, change,
        signs, spectra, mrsi, clinical, findings`` or ``report``.
    state : str
        ``done``, ``skipped`` (already there and still valid), ``failed`` or ``not assessable``.
    reason : str
        Why, for the last two.
    """

    subject: str
    session: str
    stage: str
    state: str
    reason: str = ""


@dataclass(frozen=True)
class SubjectResults:
    """One subject's results; what could not be computed is None, and `statuses` says why."""

    subject: Subject
    aligned: AlignedSeries | None
    lesions: LesionSeries | None
    change: LesionChange | None
    spectra: tuple[SpectrumResult, ...]
    statuses: tuple[StageStatus, ...]
    settings: Settings
    version: str
    signs: LesionSigns | None = None
    volumes: VolumeChange | None = None
    grids: tuple[GridResult, ...] = ()
    clinical: ClinicalRecord = field(default_factory=ClinicalRecord)
