"""Where two sessions differ beyond noise and registration error, and by how much."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.stats import norm

from hlhneuro.imaging.alignment import AlignedSession, BoolImage
from hlhneuro.imaging.volumes import FloatImage, Grid
from hlhneuro.lesions.evidence import smoothed, symmetric_null
from hlhneuro.settings import LesionSettings

__all__ = ["Difference", "compare_pair"]

BLOCKS_PER_SIGMA = 5  # finer than the mean changes
TAIL = 0.99  # of the null; farther out there are too few voxels to tell
CONFIRMING = ("FLAIR", "T2w")  # a lesion that comes or goes does so on both


@dataclass(frozen=True)
class Difference:
    """How the second of two sessions differs from the first; exchanging the two changes signs and nothing else.

    Parameters
    ----------
    amount : float32 array
        What came (positive) or went, in units of normal white matter on the leading contrast; all contrasts weighed by
        what they know.
    scores : tuple of float32 array
        At each scale: the difference over its spread in normal tissue.
    """

    amount: FloatImage
    scores: tuple[FloatImage, ...]


def compare_pair(
    before: AlignedSession,
    after: AlignedSession,
    inside: BoolImage,
    tissue: NDArray[np.uint8],
    grid: Grid,
    settings: LesionSettings,
) -> Difference:
    """Compare two sessions on the contrasts that both have.

    Lesions come in two kinds, small and strong or large and faint, so the differences are judged at more than one
    scale.

    Parameters
    ----------
    inside : bool array
        Brain in which lesions can be judged at both sessions.
    tissue : uint8 array
        Most likely tissue per voxel, the same for both sessions.

    References
    ----------
    Schmidt et al., NeuroImage Clin 2019;23:101849 (change against the difference distribution of normal tissue).
    """
    voxel_mm = grid.mean_edge_mm
    effects = {"FLAIR": 1.0, "T2w": settings.t2w_effect, "T1w": -settings.t1w_effect}
    shared = {c: effect for c, effect in effects.items() if c in before.volumes and c in after.volumes}
    pairs = {c: (before.volumes[c].data, after.volumes[c].data) for c in shared}
    steep = {c: _texture(pair, settings.texture_mm / voxel_mm)[inside] for c, pair in pairs.items()}
    bins = {c: _bins(tissue[inside], values, settings.texture_bins) for c, values in steep.items()}
    raw = {c: _centred(pair, inside, tissue, voxel_mm, settings) for c, pair in pairs.items()}
    amount = np.zeros(grid.shape, np.float32)
    judged = []
    for scale_mm in settings.change_scales_mm:
        at_scale = {c: smoothed(d, inside, scale_mm / voxel_mm)[inside] for c, d in raw.items()}
        spreads = {c: _spread(d, bins[c]) for c, d in at_scale.items()}
        scores = {c: at_scale[c] / spreads[c] * np.float32(np.sign(effect)) for c, effect in shared.items()}
        z, found = _weighed(scores, spreads, shared)
        if scale_mm == min(settings.change_scales_mm):
            amount[inside] = found
        z /= _spread(z, bins[next(iter(shared))])
        z = _confirmed(z, scores, settings.fluid_gate_sd)
        full = np.zeros(grid.shape, np.float32)
        full[inside] = z
        judged.append(full)
    return Difference(amount, tuple(judged))


def _texture(pair: tuple[FloatImage, FloatImage], sigma_voxels: float) -> FloatImage:
    """Return the lesser of the two local spreads: edges of tissue are in both images, those of a new lesion in one."""
    spreads = []
    for image in pair:
        mean = ndimage.gaussian_filter(image, sigma_voxels, truncate=3.0)
        square = ndimage.gaussian_filter(image**2, sigma_voxels, truncate=3.0)
        spreads.append(np.sqrt(np.maximum(square - mean**2, np.float32(0))))
    return np.asarray(np.minimum(*spreads), np.float32)


def _centred(
    pair: tuple[FloatImage, FloatImage],
    inside: BoolImage,
    tissue: NDArray[np.uint8],
    voxel_mm: float,
    settings: LesionSettings,
) -> FloatImage:
    """Second image minus first, without what scanner and coil add: class means and a smooth field."""
    difference = np.where(inside, pair[1] - pair[0], np.float32(0))
    for k in np.unique(tissue[inside]):
        here = inside & (tissue == k)
        difference[here] -= np.median(difference[here])
    limit = np.float32(2.5 * symmetric_null(difference[inside]))
    clipped = np.clip(difference, -limit, limit)
    difference -= _smooth_field(clipped, inside, settings.bias_change_mm / voxel_mm)
    return difference


def _smooth_field(values: FloatImage, inside: BoolImage, sigma_voxels: float) -> FloatImage:
    """Return a wide Gaussian mean over the voxels inside, found on blocks of voxels (a tenth of the time)."""
    size = max(1, int(sigma_voxels / BLOCKS_PER_SIGMA))
    shape = tuple(-(-n // size) for n in values.shape)

    def blocks(image: FloatImage) -> FloatImage:
        padded = np.pad(image, [(0, size * m - n) for n, m in zip(image.shape, shape, strict=True)])
        split = padded.reshape([k for m in shape for k in (m, size)])
        return np.asarray(split.mean(axis=(1, 3, 5), dtype=np.float32), np.float32)

    weight = ndimage.gaussian_filter(blocks(inside.astype(np.float32)), sigma_voxels / size, truncate=3.0)
    total = ndimage.gaussian_filter(blocks(np.where(inside, values, np.float32(0))), sigma_voxels / size, truncate=3.0)
    field = ndimage.zoom(total / np.maximum(weight, np.float32(1e-3)), size, order=1, grid_mode=True, mode="nearest")
    return np.asarray(np.where(inside, field[tuple(map(slice, values.shape))], 0), np.float32)


def _bins(tissue: NDArray[np.uint8], steepness: FloatImage, count: int) -> list[list[NDArray[np.int64]]]:
    """Return for each tissue its voxels in equal parts of rising steepness."""
    parts = []
    for k in np.unique(tissue):
        here = np.flatnonzero(tissue == k)
        parts.append(np.array_split(here[np.argsort(steepness[here], kind="stable")], count))
    return parts


def _spread(values: FloatImage, bins: list[list[NDArray[np.int64]]]) -> FloatImage:
    """Return the spread that voxels of like tissue and steepness show; it does not fall with steepness.

    Flat places give the noise of that tissue (fluid moves, its noise is the largest), steep ones what registration and
    reslicing leave.
    """
    spread = np.ones(len(values), np.float32)
    for parts in bins:
        seen = [_null_scale(values[part]) for part in parts]
        for part, value in zip(parts, np.maximum.accumulate(seen), strict=True):
            spread[part] = value
    return spread


def _null_scale(values: FloatImage) -> float:
    """Return the scale of a null with heavy tails: from its middle or, if larger, from the lighter of its two tails.

    Where much has changed it has mostly changed one way, so the lighter tail still is the null's.
    """
    if not len(values):
        return 1e-6
    low, high = np.quantile(values, (1 - TAIL, TAIL))
    return max(symmetric_null(values), min(float(high), float(-low)) / float(norm.ppf(TAIL)))


def _weighed(
    scores: dict[str, FloatImage], spreads: dict[str, FloatImage], effects: dict[str, float]
) -> tuple[FloatImage, FloatImage]:
    """Return the best weighed sum of all contrasts: its score, and the change it stands for (in units of effect 1).

    What a contrast knows is its expected effect over its spread (the matched filter for independent errors).
    """
    weights = {c: np.float32(abs(effect)) / spreads[c] for c, effect in effects.items()}
    total = sum(weights[c] * scores[c] for c in effects)
    known = sum(weights[c] ** 2 for c in effects)
    return np.asarray(total / np.sqrt(known), np.float32), np.asarray(total / known, np.float32)


def _confirmed(z: FloatImage, scores: dict[str, FloatImage], tolerance_sd: float) -> FloatImage:
    """Lower the score to where each of FLAIR and T2w agrees with it but for a tolerance: flow and fat do not."""
    size = np.abs(z)
    for c in CONFIRMING:
        if c in scores:
            size = np.minimum(size, np.sign(z) * scores[c] + np.float32(tolerance_sd))
    return np.asarray(np.sign(z) * np.maximum(size, np.float32(0)), np.float32)
