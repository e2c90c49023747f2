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
    # Lines and fields are found on every few voxels, and what they come to is put on the whole image at the end: the
    # image times a smooth field, plus another.
    step = max(1, round(settings.fit_spacing_mm / voxel_size_mm))
    every = (slice(None, None, step),) * 3
    few, here = [np.ascontiguousarray(image[every]) for image in scaled], common[every]
    lattice = _Lattice(here.shape, max(1, round(settings.ratio_block_mm / (voxel_size_mm * step))))
    times = [np.ones(lattice.blocks) for _ in scaled]
    plus = [np.zeros(lattice.blocks) for _ in scaled]
    for _ in range(settings.normalisation_rounds):
        mean = _mean(few)
        fits = [_line(image[here], mean[here], settings.trim_sd) for image in few]
        # The mean itself must neither shrink nor drift: the lines are made one on average.
        level = np.exp(np.mean([np.log(slope) for slope, _ in fits]))
        shift = float(np.mean([intercept for _, intercept in fits]))
        lines = [(slope / level, intercept - shift) for slope, intercept in fits]
        few = [(image * a + b).astype(np.float32) for image, (a, b) in zip(few, lines, strict=True)]
        mean = _mean(few)
        ratios = [_smooth_ratio(image, mean, here, voxel_size_mm * step, lattice, settings) for image in few]
        middle = np.mean(ratios, axis=0)
        for n, (a, b) in enumerate(lines):
            field = np.exp(ratios[n] - middle)
            few[n] = (few[n] / lattice.spread(field, here.shape, 1)).astype(np.float32)
            times[n], plus[n] = times[n] * a / field, (plus[n] * a + b) / field
            records[n] = records[n] | {
                "slope": records[n]["slope"] * a,
                "intercept": records[n]["intercept"] * a + b,
            }
    for n, image in enumerate(scaled):
        scaled[n] = image * lattice.spread(times[n], image.shape, step) + lattice.spread(plus[n], image.shape, step)
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


class _Lattice:
    """Blocks of voxels: smooth fields are held with one value a block, and spread over voxels when needed.

    Parameters
    ----------
    shape : tuple of int
        Of the image that the blocks part.
    step : int
        Voxels along the edge of a block.
    """

    def __init__(self, shape: tuple[int, ...], step: int) -> None:
        self.step = step
        self.blocks = tuple(-(-n // step) for n in shape)

    def sum(self, image: FloatImage) -> FloatImage:
        """Return the sum over each block."""
        blocks = np.pad(image, [(0, -n % self.step) for n in image.shape])
        x, y, z = self.blocks
        summed: FloatImage = blocks.reshape(x, self.step, y, self.step, z, self.step).sum(axis=(1, 3, 5))
        return summed

    def spread(self, field: NDArray[np.floating], shape: tuple[int, ...], finer: int) -> FloatImage:
        """Return the values between the centres of blocks, linearly, on an image `finer` times as fine; flat beyond."""
        out = np.asarray(field, dtype=np.float32)
        for axis, n in enumerate(shape):
            at = np.clip((np.arange(n) / finer + 0.5) / self.step - 0.5, 0, self.blocks[axis] - 1)
            low = np.minimum(at.astype(int), max(self.blocks[axis] - 2, 0))
            weights = np.zeros((n, self.blocks[axis]), dtype=np.float32)
            weights[np.arange(n), low] += (1 - (at - low)).astype(np.float32)
            weights[np.arange(n), np.minimum(low + 1, self.blocks[axis] - 1)] += (at - low).astype(np.float32)
            out = np.moveaxis(np.tensordot(weights, out, axes=(1, axis)), 0, axis)
        return np.ascontiguousarray(out)


def _smooth_ratio(
    image: FloatImage,
    mean: FloatImage,
    mask: BoolImage,
    voxel_size_mm: float,
    lattice: _Lattice,
    settings: AlignSettings,
) -> NDArray[np.float64]:
    """Return the smooth part of log(image / mean) over unchanged tissue, one value a block."""
    usable = mask & (mean > settings.ratio_floor) & (image > settings.ratio_floor)
    if not usable.any():
        return np.zeros(lattice.blocks)
    ratio = np.zeros_like(image)
    ratio[usable] = np.log(image[usable] / mean[usable])
    values = ratio[usable]
    keep = np.abs(values - np.median(values)) <= settings.trim_sd * _spread(values)
    weight = np.zeros_like(image)
    weight[usable] = keep
    sigma = settings.ratio_sigma_mm / (voxel_size_mm * lattice.step)
    top = ndi.gaussian_filter(lattice.sum(ratio * weight).astype(np.float64), sigma, mode="constant")
    below = ndi.gaussian_filter(lattice.sum(weight).astype(np.float64), sigma, mode="constant")
    field: NDArray[np.float64] = top / np.maximum(below, 1e-3 * float(below.max()))
    return field


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
