"""What is normal in this subject: the tissue model, its priors, and the tissue of every voxel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from hlhneuro.imaging.alignment import AlignedSeries, AlignedSession, BoolImage
from hlhneuro.imaging.volumes import FloatImage
from hlhneuro.lesions.tissues import (
    TISSUES,
    TissueModel,
    TissueSample,
    blurred_priors,
    fit_tissues,
    order_free_sum,
)
from hlhneuro.settings import LesionSettings

__all__ = ["NormalTissue", "covered_brain", "normal_tissue"]


@dataclass(frozen=True)
class NormalTissue:
    """Tissue of one subject, the same at every session.

    Parameters
    ----------
    model : TissueModel
    priors : list of float32 array
        What the template expects of `TISSUES` in every voxel; they sum to one.
    maps : list of float32 array
        Probability of `TISSUES` in every brain voxel, template and images together.
    """

    model: TissueModel
    priors: list[FloatImage]
    maps: list[FloatImage]


def normal_tissue(
    series: AlignedSeries,
    sessions: Sequence[AlignedSession],
    contrasts: Mapping[str, tuple[str, ...]],
    settings: LesionSettings,
) -> NormalTissue:
    """Fit the tissue model to all sessions, and say which tissue lies where.

    Parameters
    ----------
    series : AlignedSeries
    sessions : sequence of AlignedSession
        Those of the series that take part.
    contrasts : mapping of session label to contrasts
        What of each session is used.
    settings : LesionSettings
    """
    blur = settings.prior_blur_mm / series.grid.mean_edge_mm
    priors = blurred_priors(series.template_maps, blur, settings.prior_floor)
    inside = {s.label: covered_brain(series, s, contrasts[s.label]) for s in sessions}
    model = fit_tissues([_sample(s, contrasts[s.label], inside[s.label], priors, settings) for s in sessions], settings)
    return NormalTissue(model, priors, _pooled_tissue(series, sessions, contrasts, inside, model, priors))


def covered_brain(series: AlignedSeries, session: AlignedSession, contrasts: tuple[str, ...]) -> BoolImage:
    """Return the brain that all of these contrasts of a session cover."""
    inside = series.brain_mask.copy()
    for contrast in contrasts:
        if contrast in session.coverage:
            inside &= session.coverage[contrast]
    return inside


def _intensities(session: AlignedSession, contrasts: tuple[str, ...], inside: BoolImage) -> NDArray[np.float64]:
    return np.stack([session.volumes[c].data[inside] for c in contrasts], axis=1).astype(np.float64)


def _noise(session: AlignedSession, contrasts: tuple[str, ...]) -> NDArray[np.float64]:
    return np.array([max(session.noise_sd[c], 1e-4) for c in contrasts])


def _sample(
    session: AlignedSession,
    contrasts: tuple[str, ...],
    inside: BoolImage,
    priors: list[FloatImage],
    settings: LesionSettings,
) -> TissueSample:
    every = slice(None, None, -(-int(inside.sum()) // settings.em_voxels))
    prior = np.stack([p[inside][every] for p in priors], axis=1).astype(np.float64)
    values = _intensities(session, contrasts, inside)[every]
    return TissueSample(contrasts, values, prior, _noise(session, contrasts))


def _pooled_tissue(
    series: AlignedSeries,
    sessions: Sequence[AlignedSession],
    contrasts: Mapping[str, tuple[str, ...]],
    inside: Mapping[str, BoolImage],
    model: TissueModel,
    priors: list[FloatImage],
) -> list[FloatImage]:
    """Tissue probability from the prior and the mean log density over sessions: anatomy is the same at every visit."""
    terms, counts = [], np.zeros(series.grid.shape, np.float32)
    for session in sessions:
        here = inside[session.label]
        names = contrasts[session.label]
        density, _ = model.log_densities(_intensities(session, names, here), names, _noise(session, names))
        full = np.zeros((*series.grid.shape, len(TISSUES)), np.float32)
        full[here] = density - logsumexp(density, axis=1, keepdims=True)
        terms.append(full)
        counts += here
    joint = order_free_sum(terms) / np.maximum(counts, 1)[..., None] + np.log(np.stack(priors, axis=-1))
    joint = np.exp(joint - joint.max(axis=-1, keepdims=True))
    joint /= joint.sum(axis=-1, keepdims=True)
    return [np.asarray(np.where(series.brain_mask, joint[..., k], 0), np.float32) for k in range(len(TISSUES))]
