"""What sets the scales of several sessions apart, found on tissue that did not change."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi

from hlhneuro.imaging.volumes import FloatImage
from hlhneuro.settings import AlignSettings

__all__ = ["CommonScale", "mean_where", "robust_sd"]

BoolImage = NDArray[np.bool_]
Blocks = NDArray[np.float64]
_MAD_TO_SD = 1.4826


class CommonScale:
    """The lines and smooth fields that carry images of one contrast onto their common mean.

    All is found on blocks of voxels, whose means hold little noise. An image is taken for field x (slope x mean +
    intercept). Fields and lines take turns: first fields of second order over the whole brain, which a large lesion
    cannot bend much, then local ones. A block that is unlike its counterpart in any session has no say. At first
    "unlike" is measured in the spread of voxels, so that fields do not count as change; at the end in the spread of
    blocks, so that what a lesion had left in the fields is expelled again. Two sessions exchanged give the same, bit
    for bit.

    Parameters
    ----------
    images : sequence of array, shape (X, Y, Z)
        Normal white matter is about 1.
    masks : sequence of bool array
        Where each has brain and data.
    voxel_size_mm : float
    settings : AlignSettings
    """

    def __init__(
        self, images: Sequence[FloatImage], masks: Sequence[BoolImage], voxel_size_mm: float, settings: AlignSettings
    ) -> None:
        self._settings = settings
        self._step = max(1, math.ceil(settings.fit_spacing_mm / voxel_size_mm))
        self._sigma = settings.ratio_sigma_mm / (voxel_size_mm * self._step)
        self._here = [_block_means(mask.astype(np.float32), self._step) == 1 for mask in masks]
        self._both = [here & (np.sum(self._here, axis=0) > 1) for here in self._here]
        # Where a session has no data its field goes on as it was at the nearest place that has.
        self._nearest = [
            tuple(ndi.distance_transform_edt(~here, return_distances=False, return_indices=True)) for here in self._both
        ]
        self._means = [_block_means(image, self._step).astype(np.float64) for image in images]
        self._voxels = [_one_of_each(image, self._step).astype(np.float64) for image in images]
        self._times = [np.ones(here.shape) for here in self._here]
        self._plus = [np.zeros(here.shape) for here in self._here]
        self.lines = [(1.0, 0.0) for _ in images]
        terms = _second_order(self._here[0].shape)
        for samples, wide in ((self._voxels, True), (self._means, False)):
            for _ in range(settings.normalisation_rounds):
                self._level_fields(samples, terms if wide else None)
                self._level_lines(samples)

    def apply(self, image: FloatImage, n: int) -> FloatImage:
        """Return image `n`, or another on its grid, on the common scale."""
        times, plus = (_spread_over(field[n], image.shape, self._step) for field in (self._times, self._plus))
        return image * times + plus

    def unchanged(self, shape: tuple[int, ...]) -> BoolImage:
        """Return where no session is unlike the mean of all, voxel by voxel."""
        blocks = self._alike(self._means)
        for axis in range(3):
            blocks = np.repeat(blocks, self._step, axis=axis)
        return blocks[: shape[0], : shape[1], : shape[2]]

    def _alike(self, samples: Sequence[Blocks]) -> BoolImage:
        mean, centre = mean_where(self._means, self._here), mean_where(samples, self._here)
        keep = np.ones(mean.shape, dtype=bool)
        for image, sample, both in zip(self._means, samples, self._both, strict=True):
            if both.any():
                rest = image - mean
                limit = self._settings.trim_sd * robust_sd((sample - centre)[both])
                keep &= ~both | (np.abs(rest - np.median(rest[both])) <= limit)
        return keep

    def _level_fields(self, samples: Sequence[Blocks], terms: Blocks | None) -> None:
        mean, keep = mean_where(self._means, self._here), self._alike(samples)
        logs = []
        for image, both, nearest in zip(self._means, self._both, self._nearest, strict=True):
            use = both & keep
            gain = _local_gain(image, mean, use, self._sigma) if terms is None else _wide_gain(image, mean, use, terms)
            largest = self._settings.largest_gain
            logs.append(np.log(np.clip(gain, 1 / largest, largest)))
            if both.any():
                logs[-1] = logs[-1][nearest]
        # The mean itself must not drift: the gains are made one on average.
        middle = np.mean(logs, axis=0)
        for n, gain in enumerate(logs):
            self._change(n, np.exp(middle - gain), 0.0)

    def _level_lines(self, samples: Sequence[Blocks]) -> None:
        mean, keep = mean_where(self._means, self._here), self._alike(samples)
        largest = self._settings.largest_gain
        fits = []
        for image, both in zip(self._means, self._both, strict=True):
            slope, intercept = _line(mean[both & keep], image[both & keep])
            slope = float(np.clip(slope, 1 / largest, largest))
            fits.append((1 / slope, -intercept / slope))
        level = float(np.exp(np.mean([np.log(slope) for slope, _ in fits])))
        shift = float(np.mean([intercept for _, intercept in fits]))
        for n, (slope, intercept) in enumerate(fits):
            a, b = slope / level, intercept - shift
            self._change(n, a, b)
            self.lines[n] = (self.lines[n][0] * a, self.lines[n][1] * a + b)

    def _change(self, n: int, times: Blocks | float, plus: float) -> None:
        for images in (self._means, self._voxels, self._plus):
            images[n] = images[n] * times + plus
        self._times[n] = self._times[n] * times


def mean_where(images: Sequence[NDArray[np.floating]], masks: Sequence[BoolImage]) -> Blocks:
    """Return the mean over those images that have data in a voxel; zero where none has."""
    total = np.zeros(images[0].shape)
    for image, mask in zip(images, masks, strict=True):
        total += np.where(mask, image, 0)
    mean: Blocks = total / np.maximum(np.sum(masks, axis=0), 1)
    return mean


def robust_sd(values: NDArray[np.floating]) -> float:
    """Return the standard deviation that the median absolute deviation stands for."""
    return float(_MAD_TO_SD * np.median(np.abs(values - np.median(values))))


def _second_order(shape: tuple[int, ...]) -> Blocks:
    """Return 1, x, y, z, and their products, each over the blocks; coordinates run from -1 to 1."""
    x, y, z = np.meshgrid(*[np.linspace(-1, 1, n) for n in shape], indexing="ij")
    return np.stack([np.ones(shape), x, y, z, x * x, y * y, z * z, x * y, x * z, y * z], axis=-1)


def _wide_gain(image: Blocks, mean: Blocks, use: BoolImage, terms: Blocks) -> Blocks:
    """Return the second-order field that best makes the mean into the image.

    One block's worth of weight holds each coefficient to no field: it matters only where there is hardly any data.
    """
    design = terms[use] * mean[use][:, None]
    normal = design.T @ design + np.eye(terms.shape[-1])
    gain: Blocks = 1 + terms @ np.linalg.solve(normal, design.T @ (image - mean)[use])
    return gain


def _local_gain(image: Blocks, mean: Blocks, use: BoolImage, sigma: float) -> Blocks:
    """Return the locally constant gain (Gaussian window) that best makes the mean into the image."""
    rest, power = (
        ndi.gaussian_filter(np.where(use, values * mean, 0.0), sigma, mode="constant")
        for values in (image - mean, mean)
    )
    # Far from any tissue that has a say the field goes to none.
    gain: Blocks = 1 + rest / np.maximum(power, 1e-3 * max(float(power.max()), 1e-12))
    return gain


def _line(x: Blocks, y: Blocks) -> tuple[float, float]:
    """Fit y = slope x + intercept; slope 1 where there is nothing to go by."""
    if not x.size:
        return 1.0, 0.0
    about = x - x.mean()
    slope = float((np.sum(about * y) + 1e-6) / (np.sum(about * about) + 1e-6))
    return slope, float(y.mean() - slope * x.mean())


def _padded(image: FloatImage, step: int) -> FloatImage:
    return np.pad(image, [(0, -n % step) for n in image.shape])


def _block_means(image: FloatImage, step: int) -> FloatImage:
    image = _padded(image, step)
    x, y, z = (n // step for n in image.shape)
    means: FloatImage = image.reshape(x, step, y, step, z, step).mean(axis=(1, 3, 5))
    return means


def _one_of_each(image: FloatImage, step: int) -> FloatImage:
    """Return the middle voxel of each block."""
    middle: FloatImage = _padded(image, step)[(slice(step // 2, None, step),) * 3]
    return middle


def _spread_over(field: Blocks, shape: tuple[int, ...], step: int) -> FloatImage:
    """Return the values between the centres of blocks, linearly, for each voxel; flat beyond."""
    out = np.asarray(field, dtype=np.float32)
    for axis, n in enumerate(shape):
        last = field.shape[axis] - 1
        at = np.clip((np.arange(n) + 0.5) / step - 0.5, 0, last)
        low = np.minimum(at.astype(int), max(last - 1, 0))
        weights = np.zeros((n, last + 1), dtype=np.float32)
        weights[np.arange(n), low] += (1 - (at - low)).astype(np.float32)
        weights[np.arange(n), np.minimum(low + 1, last)] += (at - low).astype(np.float32)
        out = np.moveaxis(np.tensordot(weights, out, axes=(1, axis)), 0, axis)
    return np.ascontiguousarray(out)
