"""Sessions judged together: where they differ, what they say where they do not, and which voxels are lesion."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from hlhneuro.imaging.alignment import AlignedSeries, AlignedSession, BoolImage
from hlhneuro.imaging.volumes import FloatImage, Grid
from hlhneuro.lesions.agreement import Changes, accepted
from hlhneuro.lesions.differences import compare_pair
from hlhneuro.lesions.evidence import Null, grow, local_fdr
from hlhneuro.lesions.extent import Border, blur_voxels, lesion_share, reach_voxels, widened
from hlhneuro.lesions.normal_tissue import NormalTissue
from hlhneuro.lesions.tissues import order_free_sum
from hlhneuro.settings import LesionSettings

__all__ = ["borders_of", "compare", "judge", "large_enough", "pooled", "unchanged"]


def compare(
    series: AlignedSeries,
    sessions: list[AlignedSession],
    inside: list[BoolImage],
    allowed: list[BoolImage],
    tissue: list[FloatImage],
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
            blur = tuple(float(x) for x in np.max(both, axis=0))
            well = _well_covered(pair, reach)
            places = (allowed[j] & well, allowed[i] & well)
            changes[i, j] = accepted(difference, (evidence[j], evidence[i]), places, blur, reach, series.grid, settings)
    return changes


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


def judge(
    grid: Grid,
    evidence: list[FloatImage],
    changes: Changes,
    allowed: list[BoolImage],
    settings: LesionSettings,
) -> tuple[Null, list[BoolImage], list[FloatImage]]:
    """Judge all sessions with one operating point, and voxels that have changed with their own.

    Where a voxel is brighter than at another session a lesion is far more likely than elsewhere, so those voxels are
    a class of their own with its own false discovery rate (Efron, Ann Appl Stat 2008;2:197).
    """
    brighter = brighter_than_another(changes, len(evidence)) or [np.zeros(grid.shape, bool)]
    values = np.concatenate([z[a] for z, a in zip(evidence, allowed, strict=True)])
    changed = np.concatenate([z[a & b] for z, a, b in zip(evidence, allowed, brighter, strict=True)])
    resel = (2 * np.sqrt(np.pi) * settings.context_mm / grid.mean_edge_mm) ** 3
    rates = (settings.local_fdr, settings.family_wise_error)
    null = local_fdr(values, resel, *rates, two_sided=False)
    null_changed = local_fdr(changed, resel, *rates, two_sided=False)
    masks, probabilities = [], []
    for z, a, b in zip(evidence, allowed, brighter, strict=True):
        mask = grow(np.where(a, z, np.float32(0)), null)
        mask |= grow(np.where(a & b, z, np.float32(0)), null_changed)
        probability = np.where(b, np.maximum(null.probability(z), null_changed.probability(z)), null.probability(z))
        probability = np.where(mask, np.maximum(probability, 0.5), probability)
        masks.append(mask)
        probabilities.append(np.asarray(np.where(a, probability, 0), np.float32))
    return null, masks, probabilities


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
