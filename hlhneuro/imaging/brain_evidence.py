"""The brain of a session once its contrasts are in register: what the images look like, and where the template lies."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi

from hlhneuro.imaging.brain import close, dilate, erode, largest_piece, signed_distance_mm
from hlhneuro.imaging.template import TemplateMatch, match_template
from hlhneuro.imaging.volumes import FloatImage, Volume
from hlhneuro.settings import PrepareSettings

__all__ = ["refine_brain"]

BoolImage = NDArray[np.bool_]
# More bins or contrasts would leave too few voxels in each cell of the joint histogram.
_BINS = 16
_MOST_CONTRASTS = 3
_ROUNDS = 3
_TO_LOGIT = 1.7  # a logistic curve this steep is a normal distribution's to 0.01
_FARTHEST_MM = 30.0


def refine_brain(
    images: Mapping[str, FloatImage], rough: BoolImage, work: Volume, settings: PrepareSettings
) -> tuple[BoolImage, TemplateMatch | None]:
    """Return the brain on a working image, and the match with the template (None where the template did not fit).

    Three things speak for brain at a voxel: the rough mask, the template's brain after an affine registration, each as
    a distance with an error, and how much more often the voxel's intensities in all contrasts together occur inside
    than outside, learned from the same images. Fat, muscle and the eyes look unlike brain in at least one contrast.

    Parameters
    ----------
    images : mapping of contrast to array
        Bias-corrected, in register, on the grid of `work`.
    rough : bool array
        Rough brain mask on that grid (`rough_brain`, agreed between contrasts).
    work : Volume
        Isotropic working image that the template is registered to.
    settings : PrepareSettings

    References
    ----------
    Ashburner J, Friston KJ. Unified segmentation. NeuroImage 2005; 26: 839-851 (intensities and a registered prior).
    """
    match = match_template(work, rough, settings.registration_margin_mm)
    if match.overlap < settings.lowest_overlap:
        return rough, None
    brain = _classify(images, rough, match, work, settings)
    # A rough mask with much of the neck or the scalp in it pulls the template along: then fit it to what is left.
    if abs(brain.sum() / rough.sum() - 1) > settings.brain_refit_part:
        match = match_template(work, brain, settings.registration_margin_mm)
        brain = _classify(images, brain, match, work, settings)
    return brain, match


def _classify(
    images: Mapping[str, FloatImage], rough: BoolImage, match: TemplateMatch, work: Volume, settings: PrepareSettings
) -> BoolImage:
    edge = work.grid.voxel_size_mm[0]
    from_rough = signed_distance_mm(rough, edge, _FARTHEST_MM)
    near = from_rough > -settings.brain_search_mm
    from_template = signed_distance_mm(match.brain, edge, _FARTHEST_MM)[near]
    trust = settings.rough_trust_logit
    prior = np.clip(_TO_LOGIT * from_rough[near] / settings.rough_sd_mm, -trust, trust)
    prior += _TO_LOGIT * from_template / settings.template_sd_mm
    cells, shape = _cells(images, near, settings)
    logit, evidence = prior, np.zeros(rough.shape, dtype=np.float32)
    for _ in range(_ROUNDS):
        evidence[near] = _log_ratio(cells, shape, 1 / (1 + np.exp(-logit)), settings)[cells]
        # A voxel is judged with its neighbours: noise and thin vessels do not decide alone.
        logit = prior + ndi.gaussian_filter(evidence, settings.evidence_sigma_mm / edge)[near]
    brain = np.zeros(rough.shape, dtype=bool)
    brain[near] = logit > 0
    core = largest_piece(erode(brain, settings.brain_thread_mm, edge))
    whole = dilate(core, settings.brain_thread_mm, edge) & brain
    return close(whole, settings.brain_closing_mm, edge)


def _cells(
    images: Mapping[str, FloatImage], near: BoolImage, settings: PrepareSettings
) -> tuple[NDArray[np.int64], tuple[int, ...]]:
    """Return each voxel's cell of the joint histogram, and its shape; each contrast is binned by its quantiles."""
    known = [name for name in settings.reference_order if name in images]
    names = [*known, *sorted(set(images) - set(known))][:_MOST_CONTRASTS]
    cells = np.zeros(int(np.count_nonzero(near)), dtype=np.int64)
    for name in names:
        values = images[name][near]
        edges = np.quantile(values, np.linspace(0, 1, _BINS + 1)[1:-1])
        cells = cells * _BINS + np.searchsorted(edges, values)
    return cells, (_BINS,) * len(names)


def _log_ratio(
    cells: NDArray[np.int64], shape: tuple[int, ...], inside: NDArray[np.floating], settings: PrepareSettings
) -> FloatImage:
    """Return for each cell of the histogram how much more often it occurs inside than outside, as a logarithm."""
    shares = []
    for weight in (inside, 1 - inside):
        counts = np.bincount(cells, weight, minlength=int(np.prod(shape))).reshape(shape)
        smooth = ndi.gaussian_filter(counts, 1.0, mode="nearest").ravel() + 0.5
        shares.append(smooth / smooth.sum())
    most = settings.evidence_most_logit
    ratio: FloatImage = np.clip(np.log(shares[0] / shares[1]), -most, most).astype(np.float32)
    return ratio
