"""How alike two registered images are, beyond what any two heads share: mutual information, and fine detail."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hlhneuro.imaging.brain import erode
from hlhneuro.imaging.refinement import Sampler, halfway_points
from hlhneuro.imaging.transforms import AffineTransform

__all__ = ["Likeness", "likeness", "mutual_information"]

Array = NDArray[np.float64]

_SHELL_MM = 4.0  # of the brain's surface, which lies alike in any two heads, is left out of the fine detail
_FEWEST = 1000  # points; with fewer, nothing is said
_SEED = 0


@dataclass(frozen=True)
class Likeness:
    """How alike two images are under a transform.

    Parameters
    ----------
    similarity : float
        Normalised mutual information in both brains, 1 (unrelated) to 2 (the same).
    null_similarity : float
        The same after the values of one image were shuffled: what chance gives.
    overlap : float
        Dice overlap of the brains where both images have data.
    detail : float
        How much better edges agree than after a shift by a few millimetres: 0 no better, 1 twice as well; NaN where
        too little is shared to say.
    """

    similarity: float
    null_similarity: float
    overlap: float
    detail: float


def likeness(
    sides: tuple[Sampler, Sampler], transform: AffineTransform, spacing_mm: float = 3.0, displacement_mm: float = 6.0
) -> Likeness:
    """Return how alike two images are, read half-way between them.

    Brains of two people overlap well and share mutual information; what they do not share is where each sulcus lies.
    The directions of edges tell, whatever the contrasts are: their agreement inside the brain is compared with
    that of the same two images displaced along each axis.

    Parameters
    ----------
    sides : (fixed, moving) Sampler
        With the brain as mask.
    transform : AffineTransform
        Rigid, points of the moving to points of the fixed image.
    spacing_mm : float
        Distance of the points at which the images are compared.
    displacement_mm : float
        Of the images that give the null: less than the width of a gyrus would leave edges on edges.

    References
    ----------
    Haber E, Modersitzki J. Intensity gradient based registration and fusion of multi-modal images. MICCAI 2006:
    726-733.
    """
    half = transform.power(0.5)
    back = half.inverse()
    points = halfway_points(sides, transform, spacing_mm)
    at = (half.map(points), back.map(points))
    brains = [side.inside(p) for side, p in zip(sides, at, strict=True)]
    seen = sides[0].within(at[0]) & sides[1].within(at[1])
    both = brains[0] & brains[1]
    total = int((brains[0] & seen).sum() + (brains[1] & seen).sum())
    values = [side.values(p[both]) for side, p in zip(sides, at, strict=True)]
    shuffled = np.random.default_rng(_SEED).permutation(values[1])
    return Likeness(
        mutual_information(values[0], values[1]),
        mutual_information(values[0], shuffled),
        2.0 * float(both.sum()) / total if total else 0.0,
        _detail(sides, half, points[both], displacement_mm),
    )


def _detail(sides: tuple[Sampler, Sampler], half: AffineTransform, points: Array, displacement_mm: float) -> float:
    back = half.inverse()
    ways = (half, back)
    inner = tuple(replace(side, mask=erode(side.mask, _SHELL_MM, side.voxel_size_mm)) for side in sides)
    points = points[inner[0].inside(half.map(points)) & inner[1].inside(back.map(points))]
    shifts = [sign * displacement_mm / 2 * axis for axis in np.eye(3) for sign in (-1, 1)]
    if len(points) < _FEWEST:
        return float("nan")

    def edges(n: int, shift: Array) -> Array:
        return sides[n].gradients(ways[n].map(points + shift)) @ ways[n].matrix[:3, :3]

    def agreement(shift: Array) -> float:
        # Each image gives way by half, so that neither is the one that moves.
        first, second = edges(0, shift), edges(1, -shift)
        strength = [(g**2).sum(axis=1) for g in (first, second)]
        floor = [float(np.median(s)) for s in strength]
        known = (strength[0] + floor[0]) * (strength[1] + floor[1])
        return float(((first * second).sum(axis=1) ** 2 / np.maximum(known, np.finfo(float).tiny)).mean())

    here, elsewhere = agreement(np.zeros(3)), float(np.mean([agreement(shift) for shift in shifts]))
    return here / elsewhere - 1 if elsewhere else float("nan")


def mutual_information(a: NDArray[np.floating], b: NDArray[np.floating], bins: int = 32) -> float:
    """Return normalised mutual information (H(a) + H(b)) / H(a, b): 1 where unrelated, 2 where one gives the other.

    The bins hold equal numbers of voxels, so that the scale of the intensities does not matter.

    References
    ----------
    Studholme C, Hill DLG, Hawkes DJ. An overlap invariant entropy measure of 3D medical image alignment.
    Pattern Recognition 1999; 32: 71-86.
    """
    if a.size < bins * bins:
        return 1.0
    edges = np.linspace(0, 1, bins + 1)[1:-1]
    codes = [np.searchsorted(np.quantile(values, edges), values) for values in (a, b)]
    joint = np.bincount(codes[0] * bins + codes[1], minlength=bins * bins).reshape(bins, bins) / a.size

    def entropy(p: NDArray[np.float64]) -> float:
        return float(-(p[p > 0] * np.log(p[p > 0])).sum())

    together = entropy(joint)
    return (entropy(joint.sum(axis=0)) + entropy(joint.sum(axis=1))) / together if together else 2.0
