"""Lesion probability and mask per session, jointly over the sessions of a subject."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.special import logsumexp
from scipy.stats import norm

from hlhneuro.imaging.alignment import AlignedSeries, AlignedSession, BoolImage
from hlhneuro.imaging.volumes import FloatImage, Grid
from hlhneuro.lesions.anatomy import false_positive_places
from hlhneuro.lesions.differences import changed_voxels
from hlhneuro.lesions.evidence import Null, empirical_null, grow, local_fdr, smoothed
from hlhneuro.lesions.extent import Border, lesion_share, reach_voxels
from hlhneuro.lesions.territories import territory_labels
from hlhneuro.lesions.tissues import (
    TISSUES,
    TissueModel,
    TissueSample,
    blurred_priors,
    fit_tissues,
    order_free_sum,
)
from hlhneuro.lesions.uncertainty import volume_sd_ml
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
    border_sd_ml : float
        The part of `volume_sd_ml` that comes from where the border is set, alike at every session.
    """

    label: str
    probability: FloatImage
    mask: BoolImage
    volume_ml: float
    volume_sd_ml: float
    contrasts: tuple[str, ...]
    confidence: str
    reason: str
    border_sd_ml: float = 0.0

    @property
    def repeat_sd_ml(self) -> float:
        """Standard uncertainty without the part that every session shares."""
        return math.sqrt(max(self.volume_sd_ml**2 - self.border_sd_ml**2, 0.0))


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

    Returns
    -------
    LesionSeries
        Sessions that hold neither FLAIR nor T2w are in `not_assessable`.

    Notes
    -----
    A voxel is compared with the tissues that the template allows at that place (tail of their mixture); the smoothed
    z map is judged against its own empirical null (Efron 2004), so the operating point comes from the image and not
    from training cases. Where two sessions do not differ beyond noise their evidence is pooled, so that masks differ
    only where the images do. A lesion found that way reaches down to a small share of lesion in a voxel; its border is
    then set where half of the voxel is lesion. `volume_sd_ml` says how well the volume repeats and how far its border
    may fairly be moved, not how it agrees with a reader.
    """
    parts = {session.label: _usable(series, session, settings) for session in series.sessions}
    not_assessable = {label: part for label, part in parts.items() if isinstance(part, str)}
    sessions = [s for s in series.sessions if s.label not in not_assessable]
    territories = territory_labels(series)
    if not sessions:
        return LesionSeries(series.grid, (), dict(series.template_maps), territories, not_assessable)
    contrasts = {label: part for label, part in parts.items() if not isinstance(part, str)}
    inside = {s.label: _inside(series, s, contrasts[s.label]) for s in sessions}
    priors = blurred_priors(series.template_maps, settings.prior_blur_mm / _voxel_mm(series.grid), settings.prior_floor)
    model = fit_tissues([_sample(s, contrasts[s.label], inside[s.label], priors, settings) for s in sessions], settings)
    tissue = _pooled_tissue(series, sessions, contrasts, inside, model, priors)
    inside = {s.label: _judged(inside[s.label], contrasts[s.label], priors, settings) for s in sessions}
    evidence = [
        _evidence(s, contrasts[s.label], inside[s.label], model, priors, series.grid, settings) for s in sessions
    ]
    same, brighter = _compare(series, sessions, [inside[s.label] for s in sessions], tissue, settings)
    pooled = [_pooled(i, evidence, same) for i in range(len(sessions))]
    fluid = np.where(np.max(evidence, axis=0) > 1, np.float32(0), tissue[2])  # fluid is never brighter than tissue
    excluded = false_positive_places(series.grid, series.brain_mask, fluid, priors, settings)
    allowed = [inside[s.label] & ~excluded for s in sessions]
    null, found, probabilities = _judge(series.grid, pooled, brighter, allowed, settings)
    witnesses = [contrasts[s.label][0] for s in sessions]
    borders = _borders(sessions, witnesses, model, priors, found, same, series.grid, settings)
    masks = _large_enough(series.grid, [border.mask(settings.boundary_share) for border in borders], settings)
    union = np.logical_or.reduce(masks)
    tissue_maps = {name: np.where(union, np.float32(0), image) for name, image in zip(TISSUES, tissue, strict=True)}
    results = []
    for i, (session, mask, probability) in enumerate(zip(sessions, masks, probabilities, strict=True)):
        doubt = "" if series.template_valid else series.template_reason
        age = ages_years.get(session.label)
        confidence, reason = _confidence(contrasts[session.label], age, session, settings, doubt)
        sd_ml, border_sd_ml = volume_sd_ml(
            mask, (pooled[i], null.threshold), borders[i], session, series.grid, settings
        )
        results.append(
            SessionLesions(
                label=session.label,
                probability=probability,
                mask=mask,
                volume_ml=float(mask.sum() * series.grid.voxel_volume_ml),
                volume_sd_ml=sd_ml,
                border_sd_ml=border_sd_ml,
                contrasts=contrasts[session.label],
                confidence=confidence,
                reason=reason,
            )
        )
    return LesionSeries(series.grid, tuple(results), tissue_maps, territories, not_assessable)


def _voxel_mm(grid: Grid) -> float:
    return float(np.mean(grid.voxel_size_mm))


def _usable(series: AlignedSeries, session: AlignedSession, settings: LesionSettings) -> tuple[str, ...] | str:
    """Return the contrasts to segment on (the brightest witness first), or why there are none."""
    brain = series.brain_mask
    covered = {
        contrast: float(session.coverage[contrast][brain].mean()) if contrast in session.coverage else 1.0
        for contrast in ("FLAIR", "T2w", "T1w")
        if contrast in session.volumes
    }
    usable = tuple(c for c, share in covered.items() if share >= settings.minimum_coverage)
    if usable[:1] in (("FLAIR",), ("T2w",)):
        return usable
    if not covered:
        return "no FLAIR, T2w or T1w image of this session is usable; acquire a FLAIR"
    thin = ", ".join(f"{c} covers {share:.0%} of the brain" for c, share in covered.items() if c not in usable)
    if thin:
        return f"{thin}: too little to segment lesions; a FLAIR or T2w of the whole brain would supply it"
    return "T1w alone does not show most lesions (they are isointense or faintly dark); a FLAIR or T2w would supply it"


def _inside(series: AlignedSeries, session: AlignedSession, contrasts: tuple[str, ...]) -> BoolImage:
    inside = series.brain_mask.copy()
    for contrast in contrasts:
        if contrast in session.coverage:
            inside &= session.coverage[contrast]
    return inside


def _judged(
    inside: BoolImage, contrasts: tuple[str, ...], priors: list[FloatImage], settings: LesionSettings
) -> BoolImage:
    """Leave out, where there is no FLAIR, the places that may hold fluid: on T2w it is as bright as a lesion."""
    return inside if contrasts[0] == "FLAIR" else inside & (priors[TISSUES.index("csf")] < settings.fluid_prior)


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
    sessions: list[AlignedSession],
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


def _evidence(
    session: AlignedSession,
    contrasts: tuple[str, ...],
    inside: BoolImage,
    model: TissueModel,
    priors: list[FloatImage],
    grid: Grid,
    settings: LesionSettings,
) -> FloatImage:
    """Standardised z: how much brighter than every tissue that may be here (FLAIR; T2w where there is no FLAIR)."""
    expected = TISSUES if contrasts[0] == "FLAIR" else ("gm", "wm")  # without FLAIR, fluid is kept out by place
    z = _upper_tail(session, contrasts[0], inside, model, priors, expected)
    if contrasts[:2] == ("FLAIR", "T2w"):  # a lesion is bright on both: flow and fat are not
        z = np.minimum(z, _upper_tail(session, "T2w", inside, model, priors, TISSUES) + settings.fluid_gate_sd)
    full = np.zeros(grid.shape, np.float32)
    full[inside] = z
    full = smoothed(full, inside, settings.context_mm / _voxel_mm(grid))
    centre, scale = empirical_null(full[inside])
    return np.asarray(np.where(inside, (full - np.float32(centre)) / np.float32(scale), 0), np.float32)


def _upper_tail(
    session: AlignedSession,
    contrast: str,
    inside: BoolImage,
    model: TissueModel,
    priors: list[FloatImage],
    expected: tuple[str, ...],
) -> NDArray[np.float64]:
    """Return the normal score of each intensity in the mixture of the tissues the prior allows at that voxel."""
    values = session.volumes[contrast].data[inside].astype(np.float64)
    column = model.contrasts.index(contrast)
    tail, total = np.zeros_like(values), np.zeros_like(values)
    for k in [TISSUES.index(tissue) for tissue in expected]:
        sd = np.sqrt(model.spread[k, column, column] + session.noise_sd[contrast] ** 2)
        tail += priors[k][inside] * norm.sf(values, model.means[k, column], sd)
        total += priors[k][inside]
    score: NDArray[np.float64] = norm.isf(np.clip(tail / total, 1e-12, 1 - 1e-12))
    return score


def _compare(
    series: AlignedSeries,
    sessions: list[AlignedSession],
    inside: list[BoolImage],
    tissue: list[FloatImage],
    settings: LesionSettings,
) -> tuple[dict[tuple[int, int], BoolImage], list[BoolImage]]:
    """Mark where two sessions do not differ beyond noise, and where one outshines another."""
    kind = np.argmax(np.stack(tissue), axis=0).astype(np.uint8)
    same = {(i, i): inside[i] for i in range(len(sessions))}
    brighter = [np.zeros(series.grid.shape, bool) for _ in sessions]
    for i in range(len(sessions)):
        for j in range(i):
            both = inside[i] & inside[j]
            z, changed = changed_voxels(sessions[j], sessions[i], both, kind, series.grid, settings)
            same[i, j] = same[j, i] = both & ~changed
            brighter[i] |= changed & (z > 0)
            brighter[j] |= changed & (z < 0)
    return same, brighter


def _pooled(i: int, images: list[FloatImage], same: Mapping[tuple[int, int], BoolImage]) -> FloatImage:
    """Return the mean of the images of session `i` and of those that do not differ from it at a voxel."""
    terms = [np.where(same[i, j], image, np.float32(0)) for j, image in enumerate(images)]
    count = np.sum([same[i, j] for j in range(len(images))], axis=0)
    return np.asarray(order_free_sum(terms) / np.maximum(count, 1), np.float32)


def _judge(
    grid: Grid,
    pooled: list[FloatImage],
    brighter: list[BoolImage],
    allowed: list[BoolImage],
    settings: LesionSettings,
) -> tuple[Null, list[BoolImage], list[FloatImage]]:
    """Judge all sessions with one operating point, and voxels that have changed with their own.

    Where a voxel is brighter than at another session a lesion is far more likely than elsewhere, so those voxels are
    a class of their own with its own false discovery rate (Efron, Ann Appl Stat 2008;2:197).
    """
    values = np.concatenate([z[a] for z, a in zip(pooled, allowed, strict=True)])
    changed = np.concatenate([z[a & b] for z, a, b in zip(pooled, allowed, brighter, strict=True)])
    resel = (2 * np.sqrt(np.pi) * settings.context_mm / _voxel_mm(grid)) ** 3
    rates = (settings.local_fdr, settings.family_wise_error)
    null = local_fdr(values, resel, *rates, two_sided=False)
    null_changed = local_fdr(changed, resel, *rates, two_sided=False)
    masks, probabilities = [], []
    for z, a, b in zip(pooled, allowed, brighter, strict=True):
        mask = grow(np.where(a, z, np.float32(0)), null)
        mask |= grow(np.where(a & b, z, np.float32(0)), null_changed)
        probability = np.where(b, np.maximum(null.probability(z), null_changed.probability(z)), null.probability(z))
        probability = np.where(mask, np.maximum(probability, 0.5), probability)
        masks.append(mask)
        probabilities.append(np.asarray(np.where(a, probability, 0), np.float32))
    return null, masks, probabilities


def _borders(
    sessions: list[AlignedSession],
    witnesses: list[str],
    model: TissueModel,
    priors: list[FloatImage],
    found: list[BoolImage],
    same: Mapping[tuple[int, int], BoolImage],
    grid: Grid,
    settings: LesionSettings,
) -> list[Border]:
    """Say for each session how much of each voxel is lesion, pooled where sessions do not differ."""
    reach = reach_voxels(sessions, witnesses, grid, settings)
    anywhere = np.logical_or.reduce(found)
    shares = [
        lesion_share(session, witness, model, priors, anywhere, reach, settings)
        for session, witness in zip(sessions, witnesses, strict=True)
    ]
    return [Border(mask, _pooled(i, shares, same), reach) for i, mask in enumerate(found)]


def _large_enough(grid: Grid, masks: list[BoolImage], settings: LesionSettings) -> list[BoolImage]:
    """Leave out lesions that are below the smallest volume at every session."""
    labels, count = ndimage.label(np.logical_or.reduce(masks), structure=np.ones((3, 3, 3)))
    smallest = settings.minimum_lesion_ml / grid.voxel_volume_ml
    sizes = np.max([np.bincount(labels[m], minlength=count + 1) for m in masks], axis=0)
    keep = sizes >= smallest
    keep[0] = False
    return [m & keep[labels] for m in masks]


def _confidence(
    contrasts: tuple[str, ...],
    age_years: float | None,
    session: AlignedSession,
    settings: LesionSettings,
    template_doubt: str = "",
) -> tuple[str, str]:
    doubts = [template_doubt] if template_doubt else []
    if contrasts[0] != "FLAIR":
        doubts.append(
            "no FLAIR: beside fluid, and in most of the cortex, a lesion cannot be told from it and is not looked for"
        )
    if age_years is None:
        doubts.append("age unknown: below 24 months immature myelin looks like a lesion")
    elif age_years < settings.young_years:
        doubts.append(f"age {age_years:.1f} years: immature myelin is bright on T2w and FLAIR before 24 months")
    if contrasts == ("FLAIR",):
        doubts.append("FLAIR alone: no second contrast confirms a bright spot")
    if session.problems:
        doubts.append("; ".join(session.problems))
    if doubts:
        return "reduced", "; ".join(doubts)
    return "full", f"rests on {', '.join(contrasts)}"
