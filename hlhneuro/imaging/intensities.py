"""Intensities that can be compared between sessions: one scale per contrast, true change left alone."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi

from hlhneuro.imaging._scaling import CommonScale, mean_where, robust_sd
from hlhneuro.imaging.volumes import FloatImage
from hlhneuro.settings import AlignSettings

__all__ = ["harmonise", "spatial_noise"]

BoolImage = NDArray[np.bool_]
_WITHIN_ONE_SD = 0.6827  # of a normal distribution


def harmonise(
    images: Sequence[FloatImage],
    masks: Sequence[BoolImage],
    white: FloatImage,
    voxel_size_mm: float,
    settings: AlignSettings,
    *,
    quantitative: bool = False,
) -> tuple[list[FloatImage], list[float], list[dict[str, float]]]:
    """Bring images of one contrast from several sessions to one scale, on which normal white matter is 1.

    Each image is divided by its median in white matter. Then those that share enough brain with another are mapped
    linearly onto the mean of all, and the smooth ratio between the two (what is left of the receive field) is divided
    out. Both are fitted to unchanged tissue only (see `CommonScale`), so a true change stays as it is. All sessions
    are treated alike. A line cannot undo what a sequence does to a lesion that is brighter than any normal tissue.

    Parameters
    ----------
    images : sequence of array, shape (X, Y, Z)
        On the same grid.
    masks : sequence of bool array
        Where each has brain and data.
    white : array, shape (X, Y, Z)
        Probability of white matter.
    voxel_size_mm : float
    settings : AlignSettings
    quantitative : bool
        The values have units of their own: they are left as they are, and only their noise is measured.

    Returns
    -------
    images, noise_sd, scalings
        `noise_sd`, in units of normal white matter, is such that noise_sd[i]^2 + noise_sd[j]^2 is the variance of
        the difference of two sessions in unchanged tissue (from the range that holds two thirds of it): thermal noise,
        and what registration and unlike voxels leave. It is one figure for the whole brain: edges have more, flat
        tissue has less.

    References
    ----------
    Lewis EB, Fox NC. Correction of differential intensity inhomogeneity in longitudinal MR images. NeuroImage 2004;
    23: 75-83.
    """
    unchanged = np.ones(white.shape, dtype=bool)
    if quantitative:
        return list(images), _noise(images, masks, white, unchanged, voxel_size_mm, settings), [{} for _ in images]
    records: list[dict[str, float]] = []
    scaled: list[FloatImage] = []
    for image, mask in zip(images, masks, strict=True):
        scale = _white_level(image, mask, white, settings)
        scaled.append((image / scale).astype(np.float32))
        records.append({"divided_by": scale, "slope": 1.0, "intercept": 0.0})
    together = _together(masks, settings)
    if together:
        theirs = [masks[n] for n in together]
        common = CommonScale([scaled[n] for n in together], theirs, voxel_size_mm, settings)
        unchanged = common.unchanged(white.shape)
        moved = [common.apply(scaled[n], k) for k, n in enumerate(together)]
        covered = np.logical_or.reduce(theirs)
        last = _white_level(mean_where(moved, theirs), covered & unchanged, white, settings)
        for n, image, (slope, intercept) in zip(together, moved, common.lines, strict=True):
            scaled[n] = (image / last).astype(np.float32)
            records[n] |= {"slope": slope, "intercept": intercept, "then_divided_by": last}
    return scaled, _noise(scaled, masks, white, unchanged, voxel_size_mm, settings), records


def _together(masks: Sequence[BoolImage], settings: AlignSettings) -> list[int]:
    """Return the sessions that share enough brain with others."""
    shared = np.sum(masks, axis=0, dtype=np.uint16) > 1
    return [n for n, mask in enumerate(masks) if np.count_nonzero(mask & shared) >= settings.fewest_voxels]


def _white_level(image: NDArray[np.floating], mask: BoolImage, white: FloatImage, settings: AlignSettings) -> float:
    """Return the median of normal white matter; a lesion is too small a part of it to move a median far."""
    here = mask & (white > settings.white_probability) & (image > 0)
    if np.count_nonzero(here) < settings.fewest_voxels:
        here = mask & (image > 0)
    return float(np.median(image[here])) if here.any() else 1.0


def _noise(
    images: Sequence[FloatImage],
    masks: Sequence[BoolImage],
    white: FloatImage,
    unchanged: BoolImage,
    voxel_size_mm: float,
    settings: AlignSettings,
) -> list[float]:
    """Return each session's noise from the differences between sessions: var(i - j) = var(i) + var(j).

    Three sessions or more tell their noise apart. Two share one difference: each first gets what its own neighbouring
    voxels show, and the rest (registration, unlike voxels) is halved. A session alone has its own voxels only.
    """
    rim = max(1, round(settings.noise_rim_mm / voxel_size_mm))
    quiet = [np.asarray(ndi.binary_erosion(mask, iterations=rim)) & unchanged for mask in masks]
    alone = np.array(
        [
            spatial_noise(image, _preferred(inner & (white > settings.white_probability), inner, mask, settings)) ** 2
            for image, inner, mask in zip(images, quiet, masks, strict=True)
        ]
    )
    rows, values = [], []
    for i, j in combinations(range(len(images)), 2):
        overlap = masks[i] & masks[j]
        here = _preferred(quiet[i] & quiet[j], overlap, overlap, settings)
        if np.count_nonzero(here) < settings.fewest_voxels:
            continue
        rows.append(np.zeros(len(images)))
        rows[-1][[i, j]] = 1
        difference = images[i][here] - images[j][here]
        # Edges give long tails: half of the voxels (a median) would know less of them than two thirds do.
        values.append(float(np.quantile(np.abs(difference - np.median(difference)), _WITHIN_ONE_SD)) ** 2)
    if not rows:
        return [float(sd) for sd in np.sqrt(alone)]
    pairs, measured = np.array(rows), np.array(values)
    # Fine anatomy looks like noise to neighbouring voxels: the sessions' own noise cannot exceed their difference.
    known = np.nan_to_num(alone)
    own = pairs @ known
    known = known * min(1.0, float(measured @ own) / max(float(own @ own), 1e-30))
    variance = known + np.linalg.pinv(pairs) @ (measured - pairs @ known)
    floor = settings.least_noise_share * float(np.mean(variance))
    variance[np.isnan(alone)] = np.nan
    return [float(np.sqrt(max(v, floor))) for v in variance]


def _preferred(best: BoolImage, next_best: BoolImage, last: BoolImage, settings: AlignSettings) -> BoolImage:
    """Return the first mask that has enough voxels."""
    for mask in (best, next_best):
        if np.count_nonzero(mask) >= settings.fewest_voxels:
            return mask
    return last


def spatial_noise(image: FloatImage, mask: BoolImage) -> float:
    """Return the noise of one image from the second differences between neighbours, at the voxels of the mask.

    References
    ----------
    Immerkaer J. Fast noise variance estimation. Comput Vis Image Underst 1996; 64: 300-302.
    """
    if not mask.any():
        return float("nan")
    estimates = []
    for axis in range(3):
        curve = ndi.correlate1d(image, [1.0, -2.0, 1.0], axis=axis)
        estimates.append(robust_sd(curve[mask]) / np.sqrt(6.0))
    # Along the slices interpolation has taken noise away: the largest is the one nearest to the truth.
    return float(max(estimates))
