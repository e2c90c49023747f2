"""Lesion probability and mask per session, jointly over the sessions of a subject."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hlhneuro.imaging.alignment import AlignedSeries, BoolImage
from hlhneuro.imaging.volumes import FloatImage, Grid
from hlhneuro.settings import LesionSettings

__all__ = ["LesionSeries", "SessionLesions", "segment_lesions"]


@dataclass(frozen=True)
class SessionLesions:
    """Lesions of one session on the subject grid.

    Parameters
    ----------
    label : str
        Session label.
    probability : float32 array in 0..1
    mask : bool array
    volume_ml, volume_sd_ml : float
        Lesion load and its standard uncertainty.
    contrasts : tuple of str
        What the segmentation rests on.
    confidence : str
        ``full`` or ``reduced`` (with the reason in `reason`).
    reason : str
    """

    label: str
    probability: FloatImage
    mask: BoolImage
    volume_ml: float
    volume_sd_ml: float
    contrasts: tuple[str, ...]
    confidence: str
    reason: str


@dataclass(frozen=True)
class LesionSeries:
    """Lesions of all sessions in which they could be assessed.

    Parameters
    ----------
    grid : Grid
    sessions : tuple of SessionLesions
        In order of time; a session that cannot be segmented is in `not_assessable` instead.
    tissue : mapping
        ``gm``, ``wm``, ``csf``: tissue probability maps on the subject grid, lesion excluded.
    territories : int16 array
        Territory label per voxel, 0 outside (see `hlhneuro.lesions.territories`).
    not_assessable : mapping of session label to str
        Why.
    """

    grid: Grid
    sessions: tuple[SessionLesions, ...]
    tissue: Mapping[str, FloatImage]
    territories: NDArray[np.int16]
    not_assessable: Mapping[str, str]

    def session(self, label: str) -> SessionLesions | None:
        """Return the session of that label, or None."""
        return next((session for session in self.sessions if session.label == label), None)


def segment_lesions(
    series: AlignedSeries, settings: LesionSettings, ages_years: Mapping[str, float | None]
) -> LesionSeries:
    """Segment lesions in every session of an aligned series.

    Parameters
    ----------
    ages_years : mapping of session label to age
        Under 24 months the confidence is reduced; an unknown age is said in the reason.
    """
    raise NotImplementedError
