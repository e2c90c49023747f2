"""Sessions judged together: where they differ, what they say where they do not, and which voxels are lesion."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.stats import norm

from hlhneuro.imaging.alignment import AlignedSeries, AlignedSession, BoolImage
from hlhneuro.imaging.volumes import FloatImage, Grid
from hlhneuro.lesions.agreement import Changes, accepted
from hlhneuro.lesions.candidates import NullHeights, candidates, highest_chance, touching
from hlhneuro.lesions.differences import compare_pair
from hlhneuro.lesions.evidence import local_fdr
from hlhneuro.lesions.extent import Border, blur_voxels, lesion_share, reach_voxels, widened
from hlhneuro.lesions.normal_tissue import NormalTissue
from hlhneuro.lesions.tissues import order_free_sum
from hlhneuro.settings import LesionSettings

__all__ = ["away_from_fluid", "borders_of", "compare", "judge", "large_enough", "pooled", "unchanged"]


def compare(
    series: AlignedSeries,
    sessions: list[AlignedSession],
    inside: list[BoolImage],
    allowed: list[BoolImage],
    tissue: list[FloatImage],
    calm: BoolImage,
    evidence: list[FloatImage],
    settings: LesionSettings,
) -> Changes:
    """Say for each pair of sessions where a lesion came or went.

    Parameters
    ----------
    inside, allowed : list of bool array
        Where each session can be judged, and where lesions are looked for in it.
    tissue : list of array
        Tissue probabilities, the same for all sessions.
    calm : bool array
        Tissue away from fluid.
    evidence : list of array
        How unlike normal tissue each session is.
    """
    kind = np.argmax(np.stack(tissue), axis=0).astype(np.uint8)
    changes: dict[tuple[int, int], NDArray[np.int8]] = {}
    for i in range(len(sessions)):
        for j in range(i):
            pair = sessions[j], sessions[i]
            shared = [c for c in ("FLAIR", "T2w", "T1w") if all(c in s.volumes for s in pair)]
            if not shared:  # nothing to compare them by: nothing says that they differ
                changes[i, j] = np.zeros(series.grid.shape, np.int8)
                continue
            difference = compare_pair(*pair, inside[i] & inside[j], kind, series.grid, settings)
            leading = shared[:1] * 2
            reach = reach_voxels(pair, leading, series.grid, settings)
            both = [blur_voxels(s, c, series.grid, settings) for s, c in zip(pair, leading, strict=True)]
            smoothing = min(settings.change_scales_mm) / series.grid.mean_edge_mm
            blur = tuple(float(x) for x in np.hypot(np.max(both, axis=0), smoothing))
            well = _well_covered(pair, reach)
            places = (allowed[j] & well, allowed[i] & well)
            looks = evidence[j], evidence[i]
            changes[i, j] = accepted(difference, looks, places, calm, blur, reach, series.grid, settings)
    return changes


def away_from_fluid(grid: Grid, fluid: FloatImage, settings: LesionSettings) -> BoolImage:
    """Return where no fluid is near enough to make tissue look dark."""
    near = ndimage.gaussian_filter(fluid, settings.prior_blur_mm / grid.mean_edge_mm)
    calm: BoolImage = near < settings.fluid_prior
    return calm


def _well_covered(pair: tuple[AlignedSession, AlignedSession], reach: tuple[int, ...]) -> BoolImage | bool:
    """Leave out the outermost slice of a field of view: another position of the head does not see it whole."""
    size = tuple(2 * r + 1 for r in reach)
    covers = [image for session in pair for c, image in session.coverage.items() if c in ("FLAIR", "T2w")]
    return bool(not covers) or ndimage.minimum_filter(np.logical_and.reduce(covers), size=size, mode="nearest")


def unchanged(
    changes: Changes, inside: list[BoolImage], grid: Grid, settings: LesionSettings
) -> dict[tuple[int, int], BoolImage]:
    """Return for each ordered pair of sessions where both can be judged and no lesion came or went near by.

    A lesion fades into what lies around it: were that pooled, it would lend a rim to the session without it.
    """
    size = 2 * round(settings.soft_edge_mm / grid.mean_edge_mm) + 1
    same = {(i, i): here for i, here in enumerate(inside)}
    for (i, j), sign in changes.items():
        same[i, j] = same[j, i] = inside[i] & inside[j] & ~ndimage.maximum_filter(sign != 0, size=size)
    return same


def brighter_than_another(changes: Changes, count: int) -> list[BoolImage]:
    """Return for each session where it has a lesion that another session has not."""
    found = [np.zeros(next(iter(changes.values())).shape, bool) for _ in range(count)] if changes else []
    for (i, j), sign in changes.items():
        found[i] |= sign > 0
        found[j] |= sign < 0
    return found


def pooled(i: int, images: list[FloatImage], same: Mapping[tuple[int, int], BoolImage]) -> FloatImage:
    """Return the mean of the images of session `i` and of those that do not differ from it at a voxel."""
    terms = [np.where(same[i, j], image, np.float32(0)) for j, image in enumerate(images)]
    count = np.sum([same[i, j] for j in range(len(images))], axis=0)
    return np.asarray(order_free_sum(terms) / np.maximum(count, 1), np.float32)


@dataclass(frozen=True)
class Judgement:
    """Lesions found in each session.

    Parameters
    ----------
    height : float
        Standardised z that starts a lesion.
    found : list of bool array
        Regions that are lesion, down to where a voxel is as likely normal as not.
    seeds : list of bool array
        Their tops: a piece that is left of a region without one says nothing by itself.
    missed : list of float32 array
        How likely each voxel outside of them is lesion.
    """

    height: float
    found: list[BoolImage]
    seeds: list[BoolImage]
    missed: list[FloatImage]


def judge(
    grid: Grid,
    evidence: list[FloatImage],
    changes: Changes,
    allowed: list[BoolImage],
    calm: BoolImage,
    settings: LesionSettings,
) -> Judgement:
    """Say where lesions are found in each session, how high one has to rise, and how likely one was missed.

    Regions brighter than normal tissue are held against what the same sessions show with dark for bright, away from
    fluid; all sessions are judged together. Where a lesion came or went the region that it lies in is one. It reaches
    down to where a voxel is as likely normal as not.
    """
    least = np.float32(settings.suspect_sd)
    found = [candidates(here & (z > least), z) for z, here in zip(evidence, allowed, strict=True)]
    mirrored = [candidates(here & calm & (z < -least), -z) for z, here in zip(evidence, allowed, strict=True)]
    tail = NullHeights.of(np.concatenate([c.heights for c in mirrored]), settings.suspect_sd, settings)
    limit = highest_chance([tail.chance(c.heights) for c in found], settings.false_discovery)
    null = local_fdr(np.concatenate([z[a] for z, a in zip(evidence, allowed, strict=True)]))
    resel = (2 * np.sqrt(np.pi) * settings.context_mm / grid.mean_edge_mm) ** 3
    places = max(sum(int(here.sum()) for here in allowed) / resel, 1.0)
    # Dark lesions spoil the mirror: no more is asked for than what Gaussian noise nowhere reaches
    height = min(tail.height(limit), float(norm.isf(settings.false_discovery / places)))
    level = min(null.threshold(settings.local_fdr), height)
    brighter = brighter_than_another(changes, len(evidence)) or [np.zeros(grid.shape, bool)]
    masks, seeds = [], []
    for region, changed in zip(found, brighter, strict=True):
        where = region.tops(level)
        seed = region.tops(height) | (where & changed)
        masks.append(touching(where, seed))
        seeds.append(seed)
    left = [here & ~mask for here, mask in zip(allowed, masks, strict=True)]
    null = local_fdr(np.concatenate([z[a] for z, a in zip(evidence, left, strict=True)]))
    missed = [np.where(a, null.probability(z), np.float32(0)) for z, a in zip(evidence, left, strict=True)]
    return Judgement(height, masks, seeds, missed)


def borders_of(
    sessions: list[AlignedSession],
    witnesses: list[str],
    normal: NormalTissue,
    found: list[BoolImage],
    rims: list[BoolImage],
    same: Mapping[tuple[int, int], BoolImage],
    grid: Grid,
    settings: LesionSettings,
) -> list[Border]:
    """Say for each session how much of each voxel is lesion, pooled where sessions do not differ.

    Parameters
    ----------
    found, rims : list of bool array
        Where a lesion was found in each session, and where the rim of one may lie.
    """
    reach = reach_voxels(sessions, witnesses, grid, settings)
    anywhere = np.logical_or.reduce(found)
    shares = [
        lesion_share(session, witness, normal.model, normal.priors, anywhere, reach, settings)
        for session, witness in zip(sessions, witnesses, strict=True)
    ]
    joint = [pooled(i, shares, same) for i in range(len(sessions))]
    return [
        Border(widened(mask, rim & (share >= settings.boundary_share), reach), share, reach)
        for mask, rim, share in zip(found, rims, joint, strict=True)
    ]


def large_enough(grid: Grid, masks: list[BoolImage], settings: LesionSettings) -> list[BoolImage]:
    """Leave out lesions that are below the smallest volume at every session."""
    labels, count = ndimage.label(np.logical_or.reduce(masks), structure=np.ones((3, 3, 3)))
    smallest = settings.minimum_lesion_ml / grid.voxel_volume_ml
    sizes = np.max([np.bincount(labels[m], minlength=count + 1) for m in masks], axis=0)
    keep = sizes >= smallest
    keep[0] = False
    return [m & keep[labels] for m in masks]
