"""Intensities that can be compared between sessions: one scale per contrast, true change left alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi

from hlhneuro.imaging.volumes import FloatImage
from hlhneuro.settings import AlignSettings

__all__ = ["harmonise", "spatial_noise"]

BoolImage = NDArray[np.bool_]
_MAD_TO_SD = 1.4826


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

    Each image is divided by its median in white matter. Then, for more than one session, each is mapped linearly onto
    the mean of all, and the smooth ratio between the two (what is left of the receive field) is divided out. Both are
    fitted to unchanged tissue only: voxels whose difference is beyond `settings.trim_sd` robust standard deviations
    have no say, so a true change stays as it is. All sessions are treated alike.

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
        `noise_sd` is in units of normal white matter.

    References
    ----------
    Lewis EB, Fox NC. Correction of differential intensity inhomogeneity in longitudinal MR images. NeuroImage 2004;
    23: 75-83.
    """
    common = np.logical_and.reduce(list(masks))
    enough = len(images) > 1 and np.count_nonzero(common) >= settings.fewest_voxels
    if quantitative:
        alone = [spatial_noise(image, mask) for image, mask in zip(images, masks, strict=True)]
        return list(images), _temporal_noise(images, common) if enough else alone, [{} for _ in images]
    records: list[dict[str, float]] = []
    scaled: list[FloatImage] = []
    for image, mask in zip(images, masks, strict=True):
        scale = _white_level(image, mask, white, settings)
        scaled.append((image / scale).astype(np.float32))
        records.append({"divided_by": scale, "slope": 1.0, "intercept": 0.0})
    if not enough:
        return scaled, [spatial_noise(image, mask) for image, mask in zip(scaled, masks, strict=True)], records
    for _ in range(settings.normalisation_rounds):
        mean = _mean(scaled)
        fits = [_line(image[common], mean[common], settings.trim_sd) for image in scaled]
        # The mean itself must neither shrink nor drift: the lines are made one on average.
        level = np.exp(np.mean([np.log(slope) for slope, _ in fits]))
        shift = float(np.mean([intercept for _, intercept in fits]))
        for n, (slope, intercept) in enumerate(fits):
            a, b = slope / level, intercept - shift
            scaled[n] = (scaled[n] * a + b).astype(np.float32)
            records[n] = records[n] | {
                "slope": records[n]["slope"] * a,
                "intercept": records[n]["intercept"] * a + b,
            }
        mean = _mean(scaled)
        ratios = [_smooth_ratio(image, mean, common, voxel_size_mm, settings) for image in scaled]
        middle = np.mean(ratios, axis=0)
        scaled = [(image / np.exp(r - middle)).astype(np.float32) for image, r in zip(scaled, ratios, strict=True)]
    last = _white_level(_mean(scaled), common, white, settings)
    scaled = [(image / last).astype(np.float32) for image in scaled]
    for record in records:
        record["then_divided_by"] = last
    return scaled, _temporal_noise(scaled, common), records


def _mean(images: Sequence[FloatImage]) -> FloatImage:
    return np.asarray(np.mean(images, axis=0, dtype=np.float64), dtype=np.float32)


def _white_level(image: FloatImage, mask: BoolImage, white: FloatImage, settings: AlignSettings) -> float:
    """Return the median of normal white matter; a lesion is too small a part of it to move a median."""
    here = mask & (white > settings.white_probability) & (image > 0)
    if np.count_nonzero(here) < settings.fewest_voxels:
        here = mask & (image > 0)
    return float(np.median(image[here])) if here.any() else 1.0


def _line(x: FloatImage, y: FloatImage, trim_sd: float) -> tuple[float, float]:
    """Fit y = slope x + intercept with both subject to error (reduced major axis), without outliers."""
    keep = np.ones(x.size, dtype=bool)
    slope, intercept = 1.0, 0.0
    for _ in range(5):
        slope = float(np.std(y[keep]) / max(float(np.std(x[keep])), 1e-12))
        intercept = float(np.mean(y[keep]) - slope * np.mean(x[keep]))
        rest = y - slope * x - intercept
        keep = np.abs(rest - np.median(rest)) <= trim_sd * _spread(rest)
    return slope, intercept


def _smooth_ratio(
    image: FloatImage, mean: FloatImage, mask: BoolImage, voxel_size_mm: float, settings: AlignSettings
) -> FloatImage:
    """Return the smooth part of log(image / mean) over unchanged tissue."""
    usable = mask & (mean > settings.ratio_floor) & (image > settings.ratio_floor)
    if not usable.any():
        return np.zeros_like(image)
    ratio = np.zeros_like(image)
    ratio[usable] = np.log(image[usable] / mean[usable])
    values = ratio[usable]
    keep = np.abs(values - np.median(values)) <= settings.trim_sd * _spread(values)
    weight = np.zeros_like(image)
    weight[usable] = keep
    # Coarse blocks first: the field is smooth, and a wide filter at full resolution is slow.
    step = max(1, round(settings.ratio_block_mm / voxel_size_mm))
    sigma = settings.ratio_sigma_mm / (voxel_size_mm * step)
    top = ndi.gaussian_filter(_block_sum(ratio * weight, step), sigma, mode="constant")
    below = ndi.gaussian_filter(_block_sum(weight, step), sigma, mode="constant")
    coarse = top / np.maximum(below, 1e-3 * float(below.max()))
    index = [(np.arange(n) + 0.5) / step - 0.5 for n in image.shape]
    grid = np.stack(np.meshgrid(*index, indexing="ij"))
    field: FloatImage = ndi.map_coordinates(coarse, grid, order=1, mode="nearest", output=np.float32)
    return field


def _block_sum(image: FloatImage, step: int) -> FloatImage:
    pad = [(0, -n % step) for n in image.shape]
    blocks = np.pad(image, pad)
    x, y, z = (n // step for n in blocks.shape)
    summed: FloatImage = blocks.reshape(x, step, y, step, z, step).sum(axis=(1, 3, 5))
    return summed


def _temporal_noise(images: Sequence[FloatImage], mask: BoolImage) -> list[float]:
    """Return each session's noise from the differences between sessions: var(i - j) = var(i) + var(j)."""
    inner = np.asarray(ndi.binary_erosion(mask, iterations=3))
    inner = inner if inner.any() else mask
    count = len(images)
    rows, values = [], []
    for i in range(count):
        for j in range(i + 1, count):
            row = np.zeros(count)
            row[[i, j]] = 1
            rows.append(row)
            values.append(_spread(images[i][inner] - images[j][inner]) ** 2)
    # Two sessions share one difference: the shortest solution gives each half.
    variance = np.linalg.pinv(np.array(rows)) @ np.array(values)
    floor = 0.05 * float(np.mean(variance))
    return [float(np.sqrt(max(v, floor))) for v in variance]


def spatial_noise(image: FloatImage, mask: BoolImage) -> float:
    """Return the noise of one image from the second differences between neighbours inside the mask.

    References
    ----------
    Immerkaer J. Fast noise variance estimation. Comput Vis Image Underst 1996; 64: 300-302.
    """
    inner = np.asarray(ndi.binary_erosion(mask, iterations=2))
    if not inner.any():
        return float("nan")
    estimates = []
    for axis in range(3):
        curve = ndi.correlate1d(image, [1.0, -2.0, 1.0], axis=axis)
        estimates.append(_spread(curve[inner]) / np.sqrt(6.0))
    return float(max(estimates))


def _spread(values: NDArray[np.floating]) -> float:
    """Return the robust standard deviation."""
    return float(_MAD_TO_SD * np.median(np.abs(values - np.median(values))))
