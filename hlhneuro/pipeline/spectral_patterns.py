"""Patterns in the spectra of one subject, with what the time line and the norms say."""

from __future__ import annotations

from collections.abc import Sequence

from hlhneuro.answers import Finding
from hlhneuro.pipeline.ledger import Ledger
from hlhneuro.pipeline.task import SubjectRun
from hlhneuro.spectroscopy import Circumstances, Norms, SpectrumResult, assess_spectra, confounders_of
from hlhneuro.spectroscopy.norm_tables import published_values

__all__ = ["find_patterns"]


def find_patterns(task: SubjectRun, ledger: Ledger, spectra: Sequence[SpectrumResult]) -> tuple[Finding, ...]:
    """Answer the questions about all spectra; a table of controls that cannot be read is noted and left out."""
    if not spectra:
        return ()
    settings = task.settings.patterns
    circumstances = {
        session.label: Circumstances(session.age_years, confounders_of(session, task.clinical.events))
        for session in task.subject.sessions
    }
    norms = ledger.attempt("norms", lambda: Norms.load(settings)) or Norms(settings, published=published_values())
    return assess_spectra(spectra, settings, circumstances, norms)
