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
    learnt_on : mapping of session label to bool array
        Where it was learnt what is normal: the brain, or the healthier side of it.
    one_sided : mapping of session label to str
        Sessions whose white matter is so bright on one side that only the other tells what is normal, and why.
    """

    model: TissueModel
    priors: list[FloatImage]
    maps: list[FloatImage]
    learnt_on: Mapping[str, BoolImage]
    one_sided: Mapping[str, str]


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
    judged = {
        s.label: _healthier_side(series, s, contrasts[s.label], inside[s.label], priors, settings) for s in sessions
    }
    samples = [_sample(s, contrasts[s.label], judged[s.label][0], priors, settings) for s in sessions]
    model = fit_tissues(samples, settings)
    maps = _pooled_tissue(series, sessions, contrasts, inside, model, priors)
    learnt_on = {label: where for label, (where, _) in judged.items()}
    return NormalTissue(model, priors, maps, learnt_on, {label: why for label, (_, why) in judged.items() if why})


def _healthier_side(
    series: AlignedSeries,
    session: AlignedSession,
    contrasts: tuple[str, ...],
    inside: BoolImage,
    priors: list[FloatImage],
    settings: LesionSettings,
) -> tuple[BoolImage, str]:
    """Return where tissue is normal enough to learn from: not the side whose white matter is far brighter.

    A lesion that fills a hemisphere is no outlier to a mixture of the whole brain; it is to the other hemisphere's.
    """
    white = inside & (priors[TISSUES.index("wm")] > 0.5)
    at = np.argwhere(white)
    if not len(at):
        return inside, ""
    x_mm = series.to_template.map(at @ series.grid.affine[:3, :3].T + series.grid.affine[:3, 3])[:, 0]
    values = session.volumes[contrasts[0]].data[white]
    left, right = (values[side] for side in (x_mm < 0, x_mm > 0))
    if min(len(left), len(right)) < settings.prior_bin_voxels:
        return inside, ""
    gap = float(np.median(left) - np.median(right))
    if abs(gap) < settings.side_gap:
        return inside, ""
    index = np.argwhere(inside)
    every_x_mm = series.to_template.map(index @ series.grid.affine[:3, :3].T + series.grid.affine[:3, 3])[:, 0]
    half = inside.copy()
    half[inside] = every_x_mm * np.sign(gap) > 0  # left is where x is negative
    ill, well = ("left", "right") if gap > 0 else ("right", "left")
    return half, (
        f"white matter of the {ill} side is brighter by {abs(gap):.2f} of its usual value on {contrasts[0]}: "
        f"what is normal was learnt on the {well} side alone"
    )


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
