"""Which differences between sessions are lesions that came or went, how far they reach, and masks that say the same."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from hlhneuro.imaging.alignment import BoolImage
from hlhneuro.imaging.volumes import FloatImage, Grid
from hlhneuro.lesions.differences import Difference
from hlhneuro.lesions.extent import Border, share_of_core
from hlhneuro.lesions.tissues import order_free_sum
from hlhneuro.settings import LesionSettings

__all__ = ["Changes", "accepted", "follow_changes"]

Changes = Mapping[tuple[int, int], NDArray[np.int8]]  # (later, earlier) in the list of sessions: 1 came, -1 went
CUBE = np.ones((3, 3, 3), bool)


def accepted(
    difference: Difference,
    evidence: tuple[FloatImage, FloatImage],
    allowed: tuple[BoolImage, BoolImage],
    blur: tuple[float, ...],
    reach: tuple[int, ...],
    grid: Grid,
    settings: LesionSettings,
) -> NDArray[np.int8]:
    """Return 1 where a lesion came, -1 where one went, 0 elsewhere.

    A difference is one of lesions if the brighter session looks like lesion there and the darker one is nearer to
    normal tissue than to it (a lesion that only fades stays a lesion). Its border lies where half of its own core's
    difference is left, which may be farther out than what is beyond noise by itself.

    Parameters
    ----------
    evidence : pair of array
        How unlike normal tissue the first and the second session are.
    allowed : pair of bool array
        Where a lesion of the first and of the second session may lie; the brighter one's counts.
    blur : tuple of float
        How far along each axis the more blurred of the two images is (SD), in voxels.
    reach : tuple of int
        How far along each axis a border may be blurred, in voxels.
    """
    came = _extent(difference, 1, evidence, allowed, blur, reach, grid, settings)
    went = _extent(difference, -1, evidence[::-1], allowed[::-1], blur, reach, grid, settings)
    return came.astype(np.int8) - went.astype(np.int8)


def _extent(
    difference: Difference,
    sign: int,
    evidence: tuple[FloatImage, FloatImage],
    allowed: tuple[BoolImage, BoolImage],
    blur: tuple[float, ...],
    reach: tuple[int, ...],
    grid: Grid,
    settings: LesionSettings,
) -> BoolImage:
    darker, brighter = evidence
    lesion = allowed[1] & (brighter > settings.changed_evidence_sd)
    lesion &= darker < np.float32(settings.boundary_share) * brighter
    core = _core(difference, sign, brighter, lesion)
    if not core.any():
        return core
    amount = np.maximum(np.float32(sign) * difference.amount, np.float32(0))
    half = lesion & (share_of_core(amount, core, blur, reach, settings) >= settings.boundary_share)
    inner = Border(core, np.zeros_like(amount), reach).mask(settings.boundary_share)
    return _large(_touching(half | inner, core), grid, settings)


def _touching(mask: BoolImage, seed: BoolImage) -> BoolImage:
    """Leave the pieces that hold some of the seed."""
    labels, count = ndimage.label(mask, structure=CUBE)
    held = np.bincount(labels[seed], minlength=count + 1) > 0
    held[0] = False
    kept: BoolImage = held[labels]
    return kept


def _large(mask: BoolImage, grid: Grid, settings: LesionSettings) -> BoolImage:
    """Leave out the pieces that are smaller than the smallest lesion."""
    labels, count = ndimage.label(mask, structure=CUBE)
    keep = np.bincount(labels.ravel(), minlength=count + 1) * grid.voxel_volume_ml >= settings.minimum_lesion_ml
    keep[0] = False
    kept: BoolImage = keep[labels]
    return kept


def _core(difference: Difference, sign: int, brighter: FloatImage, lesion: BoolImage) -> BoolImage:
    """Return the regions beyond the null in which the difference and the look of the brighter session have a seed.

    The two are added (Stouffer); both hold the brighter session's noise, so they correlate by the root of one half. One
    seed holds for all scales: what registration leaves at edges does not fall with the scale as noise does.
    """
    core = np.zeros(lesion.shape, bool)
    seed = np.float32(max(null.seed for _, null in difference.scores) * math.sqrt(2 + math.sqrt(2)))
    for score, null in difference.scores:
        size = np.float32(sign) * score
        core |= _touching((size > null.threshold) & lesion, size + brighter > seed)
    return core


def follow_changes(
    masks: Sequence[BoolImage],
    changes: Changes,
    evidence: Sequence[FloatImage],
    inside: Sequence[BoolImage],
    grid: Grid,
    settings: LesionSettings,
) -> list[BoolImage]:
    """Return masks that differ between sessions where a lesion came or went, and nowhere else.

    Where there was a change a session that is brighter than another and darker than none has a lesion, and the other
    way round; a session between the two has one if it is nearer to the bright ones. Elsewhere a lesion is what all
    sessions find, if it is large enough to be one by itself. Where a session shows nothing (outside its field of view,
    or fluid without FLAIR) it is taken to be as the others are, since nothing says that it is not.
    """
    count = len(masks)
    changes = {
        (i, j): _with_own_borders(sign > 0, masks[i], masks[j]).astype(np.int8)
        - _with_own_borders(sign < 0, masks[j], masks[i])
        for (i, j), sign in changes.items()
    }
    empty = np.zeros(masks[0].shape, bool)
    above, below = [empty.copy() for _ in masks], [empty.copy() for _ in masks]
    for (i, j), sign in changes.items():
        above[i] |= sign > 0
        below[j] |= sign > 0
        above[j] |= sign < 0
        below[i] |= sign < 0
    anywhere = np.logical_or.reduce(above)
    bright = [a & ~b for a, b in zip(above, below, strict=True)]
    dark = [b & ~a for a, b in zip(above, below, strict=True)]
    middle = (_mean_where(evidence, bright) + _mean_where(evidence, dark)) / np.float32(2)
    common = np.logical_and.reduce([mask | ~here for mask, here in zip(masks, inside, strict=True)])
    common &= np.logical_or.reduce(inside) & ~anywhere
    common = _large(common, grid, settings)
    followed = []
    for i in range(count):
        between = anywhere & ~bright[i] & ~dark[i] & (evidence[i] >= middle)
        followed.append(np.where(anywhere, inside[i] & (bright[i] | between), common))
    seen = np.logical_or.reduce(followed)
    return [np.where(here, mask, seen) for mask, here in zip(followed, inside, strict=True)]


def _with_own_borders(changed: BoolImage, brighter: BoolImage, darker: BoolImage) -> BoolImage:
    """Return where a lesion came, between two sessions of which one is brighter there.

    What grew lies between the two borders of the lesion, each found in its own image, because an old lesion may also
    have become brighter as a whole. A lesion that is new, or that the brighter session alone hardly shows, ends where
    its own difference does.
    """
    grown = _touching(changed | (brighter & ~darker), changed)
    labels, count = ndimage.label(grown, structure=CUBE)
    size, shown = (np.bincount(labels[image], minlength=count + 1) for image in (grown, grown & brighter))
    old = np.bincount(labels[ndimage.binary_dilation(darker, CUBE)], minlength=count + 1) > 0
    bordered = old & (2 * shown >= size)
    bordered[0] = False
    return grown & (brighter | ~bordered[labels])


def _mean_where(images: Sequence[FloatImage], where: Sequence[BoolImage]) -> FloatImage:
    total = order_free_sum([np.where(here, image, np.float32(0)) for image, here in zip(images, where, strict=True)])
    return np.asarray(total / np.maximum(np.sum(where, axis=0), 1), np.float32)
