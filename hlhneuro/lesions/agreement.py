"""Which differences between sessions are lesions that came or went, how far they reach, and masks that say the same."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from hlhneuro.imaging.alignment import BoolImage
from hlhneuro.imaging.volumes import FloatImage, Grid
from hlhneuro.lesions.candidates import Candidates, NullHeights, candidates, highest_chance, touching
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
    calm: BoolImage,
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
    calm : bool array
        Tissue away from fluid, where what is darker than normal shows how chance makes things brighter.
    blur : tuple of float
        How far along each axis the more blurred of the two images is (SD), in voxels.
    reach : tuple of int
        How far along each axis a border may be blurred, in voxels.
    """
    sides = (_Side(1, *evidence, allowed[1]), _Side(-1, *evidence[::-1], allowed[0]))
    came, went = (
        _extent(difference, side, *core, blur, reach, grid, settings)
        for side, core in zip(sides, _cores(difference, sides, calm, settings), strict=True)
    )
    return came.astype(np.int8) - went.astype(np.int8)


@dataclass(frozen=True)
class _Side:
    """One direction of change: its sign, how unlike normal the darker and the brighter session are, where it may be."""

    sign: int
    darker: FloatImage
    brighter: FloatImage
    allowed: BoolImage

    def lesion(self, settings: LesionSettings) -> BoolImage:
        """Return where the brighter session looks like lesion and the darker one is nearer to normal tissue."""
        like = self.allowed & (self.brighter > settings.changed_evidence_sd)
        nearer: BoolImage = self.darker < np.float32(settings.boundary_share) * self.brighter
        return like & nearer

    def candidates(self, score: FloatImage, settings: LesionSettings) -> Candidates:
        """Return where the difference lies beyond noise, and how high it and the look of the brighter session rise.

        The two are added (Stouffer); both hold the brighter session's noise, so they correlate by the root of one half.
        The look counts no more than the difference, or the edge of an old lesion would come for being bright.
        """
        size = np.float32(self.sign) * score
        height = (size + np.minimum(self.brighter, size)) / np.float32(math.sqrt(2 + math.sqrt(2)))
        return candidates((size > settings.candidate_sd) & self.lesion(settings), height)

    def mirrored(self, calm: BoolImage, settings: LesionSettings) -> _Side:
        """Return the same with dark for bright, where there is no lesion whose absence would be dark."""
        return _Side(
            -self.sign, -self.darker, -self.brighter, self.allowed & calm & (self.darker < settings.suspect_sd)
        )


def _cores(
    difference: Difference, sides: tuple[_Side, _Side], calm: BoolImage, settings: LesionSettings
) -> list[tuple[BoolImage, BoolImage]]:
    """Return for each direction the candidates of all scales that are more than chance, and their tops.

    Chance is what the same images show with dark for bright: what noise, registration and scanners do has no sign,
    lesions have. Candidates of both directions are judged together, so that exchanging the sessions changes nothing.
    """
    found, tails = [], []
    for score in difference.scores:
        null = np.concatenate([s.mirrored(calm, settings).candidates(score, settings).heights for s in sides])
        tails.append(NullHeights.of(null, settings.candidate_sd, settings))
        found.append([side.candidates(score, settings) for side in sides])
    chances = [tail.chance(c.heights) for pair, tail in zip(found, tails, strict=True) for c in pair]
    limit = highest_chance(chances, settings.false_discovery)
    cores = []
    for direction in zip(*found, strict=True):
        tops = [c.tops(tail.height(limit)) for c, tail in zip(direction, tails, strict=True)]
        whole = [touching(c.where, top) for c, top in zip(direction, tops, strict=True)]
        cores.append((np.logical_or.reduce(whole), np.logical_or.reduce(tops)))
    return cores


def _extent(
    difference: Difference,
    side: _Side,
    core: BoolImage,
    tops: BoolImage,
    blur: tuple[float, ...],
    reach: tuple[int, ...],
    grid: Grid,
    settings: LesionSettings,
) -> BoolImage:
    if not core.any():
        return core
    amount = np.maximum(np.float32(side.sign) * difference.amount, np.float32(0))
    share = share_of_core(amount, core, blur, reach, settings, curved=True)
    half = side.lesion(settings) & (share >= settings.boundary_share)
    inner = Border(core, np.zeros_like(amount), reach).mask(settings.boundary_share)
    return _large(touching(half | inner, tops), grid, settings)


def _large(mask: BoolImage, grid: Grid, settings: LesionSettings) -> BoolImage:
    """Leave out the pieces that are smaller than the smallest lesion."""
    labels, count = ndimage.label(mask, structure=CUBE)
    keep = np.bincount(labels.ravel(), minlength=count + 1) * grid.voxel_volume_ml >= settings.minimum_lesion_ml
    keep[0] = False
    kept: BoolImage = keep[labels]
    return kept


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
    grown = touching(changed | (brighter & ~darker), changed)
    labels, count = ndimage.label(grown, structure=CUBE)
    size, shown = (np.bincount(labels[image], minlength=count + 1) for image in (grown, grown & brighter))
    old = np.bincount(labels[ndimage.binary_dilation(darker, CUBE)], minlength=count + 1) > 0
    bordered = old & (2 * shown >= size)
    bordered[0] = False
    return grown & (brighter | ~bordered[labels])


def _mean_where(images: Sequence[FloatImage], where: Sequence[BoolImage]) -> FloatImage:
    total = order_free_sum([np.where(here, image, np.float32(0)) for image, here in zip(images, where, strict=True)])
    return np.asarray(total / np.maximum(np.sum(where, axis=0), 1), np.float32)
