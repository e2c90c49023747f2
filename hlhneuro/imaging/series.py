"""What preparing and aligning give: PreparedSession, AlignedSession, AlignedSeries, and how well each match is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hlhneuro.imaging.transforms import AffineTransform, Transform
from hlhneuro.imaging.volumes import FloatImage, Grid, Volume

__all__ = ["AlignedSeries", "AlignedSession", "PreparedSession", "RegistrationQuality"]

BoolImage = NDArray[np.bool_]


@dataclass(frozen=True)
class RegistrationQuality:
    """How well one image was aligned.

    Parameters
    ----------
    moving, fixed : str
        Names of the two images, for example ``ses-02 T2w`` and ``ses-02 FLAIR``.
    similarity : float
        Normalised mutual information inside the brain after alignment.
    brain_overlap : float
        Dice overlap of the two brain masks after alignment.
    inverse_consistency_mm : float
        Mean gap over the brain between the coarse searches in the two directions; NaN where only one was made. The
        transform that came of them is the same from either side.
    accepted : bool
    reason : str
        Why it was accepted or not.
    null_similarity : float
        The similarity after the values of one image were shuffled; NaN where it was not measured.
    detail : float
        How much better edges inside the brain agree than after a shift by a few millimetres: 0 no better, 1 twice as
        well; NaN where it was not measured.
    """

    moving: str
    fixed: str
    similarity: float
    brain_overlap: float
    inverse_consistency_mm: float
    accepted: bool
    reason: str
    null_similarity: float = float("nan")
    detail: float = float("nan")


@dataclass(frozen=True)
class PreparedSession:
    """One session in its own scanner space: bias-corrected contrasts, brain masks, in register with its reference.

    Parameters
    ----------
    label : str
        Session label.
    reference : str
        Contrast that the others were aligned to.
    volumes : mapping of contrast to Volume
        Native grids, bias-corrected (quantitative maps such as ADC are left as they are).
    brain_masks : mapping of contrast to bool array
        Brain mask on each native grid.
    to_reference : mapping of contrast to AffineTransform
        Rigid transform of points, from that contrast's scanner space to the reference's; identity for the reference.
    already_extracted : bool
        The input came brain-extracted (zero background).
    quality : tuple of RegistrationQuality
    problems : tuple of str
        Contrasts that could not be used, and why, in sentences; first the notes.
    notes : tuple of str
        Those of the problems after which the session is still complete: what has to be known to read it.
    """

    label: str
    reference: str
    volumes: Mapping[str, Volume]
    brain_masks: Mapping[str, BoolImage]
    to_reference: Mapping[str, AffineTransform]
    already_extracted: bool
    quality: tuple[RegistrationQuality, ...] = ()
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class AlignedSession:
    """One session in subject space.

    Parameters
    ----------
    label, reference : str
        Session label and the contrast the session's other contrasts were aligned to.
    volumes : mapping of contrast to Volume
        On the subject grid; intensities normalised across sessions (see `noise_sd`); quantitative maps unchanged.
    brain_mask : bool array
        Brain on the subject grid.
    coverage : mapping of contrast to bool array
        Where that contrast's field of view covers the subject grid.
    to_subject : mapping of contrast to AffineTransform
        Rigid transform of points, from that contrast's scanner space to subject space.
    native_grids : mapping of contrast to Grid
        Where the raw images lay.
    noise_sd : mapping of contrast to float
        Noise of the normalised intensities in normal-appearing tissue.
    quality : tuple of RegistrationQuality
    problems : tuple of str
    """

    label: str
    reference: str
    volumes: Mapping[str, Volume]
    brain_mask: BoolImage
    coverage: Mapping[str, BoolImage]
    to_subject: Mapping[str, AffineTransform]
    native_grids: Mapping[str, Grid]
    noise_sd: Mapping[str, float]
    quality: tuple[RegistrationQuality, ...] = ()
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class AlignedSeries:
    """All sessions of a subject on one grid.

    Parameters
    ----------
    grid : Grid
        The subject grid (isotropic, RAS+).
    sessions : tuple of AlignedSession
        In order of time.
    brain_mask : bool array
        Brain common to all sessions, on the subject grid.
    to_template : Transform
        Maps points from subject space to MNI152 (nonlinear, symmetric, 2009a) millimetres.
    template_maps : mapping
        Tissue of the template on the subject grid: ``gm``, ``wm``, ``csf`` (probabilities in 0..1).
    quality : tuple of RegistrationQuality
        Session to session and subject to template.
    problems : tuple of str
        Sessions that could not be aligned, and why, in sentences.
    template : str
        Name of the template that the maps come from.
    template_valid : bool
        Whether it tells the tissue of a brain of that age; if not, tissue priors and intensity scale are doubtful.
    template_reason : str
    """

    grid: Grid
    sessions: tuple[AlignedSession, ...]
    brain_mask: BoolImage
    to_template: Transform
    template_maps: Mapping[str, FloatImage]
    quality: tuple[RegistrationQuality, ...] = ()
    problems: tuple[str, ...] = ()
    template: str = "MNI152"
    template_valid: bool = True
    template_reason: str = ""

    def session(self, label: str) -> AlignedSession | None:
        """Return the session of that label, or None."""
        return next((session for session in self.sessions if session.label == label), None)
