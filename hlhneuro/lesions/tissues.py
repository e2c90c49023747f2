"""Tissue model: what grey matter, white matter and fluid look like in this subject, lesions left out as outliers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.special import logsumexp
from scipy.stats import chi2

from hlhneuro.imaging.volumes import FloatImage
from hlhneuro.settings import LesionSettings

__all__ = ["TISSUES", "TissueModel", "TissueSample", "blurred_priors", "fit_tissues", "order_free_sum"]

TISSUES = ("gm", "wm", "csf")
FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class TissueSample:
    """Brain voxels of one session.

    Parameters
    ----------
    contrasts : tuple of str
    intensities : float array, shape (voxels, contrasts)
    priors : float array, shape (voxels, 3)
        Prior probability of each of `TISSUES`; rows sum to one.
    noise_sd : float array, shape (contrasts,)
    """

    contrasts: tuple[str, ...]
    intensities: FloatArray
    priors: FloatArray
    noise_sd: FloatArray


@dataclass(frozen=True)
class TissueModel:
    """One Gaussian per tissue, the same at every session; a session adds its own noise.

    Parameters
    ----------
    contrasts : tuple of str
    means : array, shape (3, contrasts)
        Normalised intensity, in the order of `TISSUES`.
    spread : array, shape (3, contrasts, contrasts)
        Covariance of the tissue itself, measurement noise taken off.
    """

    contrasts: tuple[str, ...]
    means: FloatArray
    spread: FloatArray

    def mean(self, tissue: str, contrast: str) -> float:
        """Mean normalised intensity of that tissue."""
        return float(self.means[TISSUES.index(tissue), self.contrasts.index(contrast)])

    def log_densities(
        self, intensities: FloatArray, contrasts: Sequence[str], noise_sd: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Log density and squared Mahalanobis distance of each voxel in each tissue, both of shape (voxels, 3)."""
        columns = [self.contrasts.index(contrast) for contrast in contrasts]
        density = np.empty((len(intensities), len(TISSUES)))
        distance = np.empty_like(density)
        for k in range(len(TISSUES)):
            covariance = self.spread[k][np.ix_(columns, columns)] + np.diag(noise_sd**2)
            factor = np.linalg.inv(np.linalg.cholesky(covariance))
            white = (intensities - self.means[k, columns]) @ factor.T
            distance[:, k] = np.einsum("ij,ij->i", white, white)
            log_determinant = -2 * np.log(np.diag(factor)).sum()
            density[:, k] = -0.5 * (distance[:, k] + log_determinant + len(columns) * math.log(2 * math.pi))
        return density, distance


def blurred_priors(template_maps: Mapping[str, FloatImage], blur_voxels: float, floor: float) -> list[FloatImage]:
    """Return the priors of `TISSUES`, blurred by what the template registration may be off; they sum to one."""
    maps = [ndimage.gaussian_filter(np.asarray(template_maps[t], np.float32), blur_voxels) + floor for t in TISSUES]
    total = maps[0] + maps[1] + maps[2]
    return [np.asarray(m / total, np.float32) for m in maps]


def order_free_sum(terms: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """Sum that is the same, bit for bit, in whatever order the sessions come."""
    total: NDArray[Any] = np.sort(np.stack(list(terms)), axis=0).sum(axis=0)
    return total


def fit_tissues(samples: Sequence[TissueSample], settings: LesionSettings) -> TissueModel:
    """Fit one Gaussian per tissue to all sessions together, by expectation maximisation with trimming.

    Voxels beyond the trimming quantile of every tissue (lesions, vessels, artefact) take no part; the covariance is
    corrected for what trimming cuts off a Gaussian. A contrast that a session lacks is left out of that session.

    References
    ----------
    Neykov et al., Comput Stat Data Anal 2007;52:299 (trimmed likelihood mixtures).
    Garcia-Lorenzo et al., IEEE Trans Med Imaging 2011;30:1455 (trimmed tissue mixtures, lesions as outliers).
    """
    contrasts = tuple(sorted({c for sample in samples for c in sample.contrasts}))
    columns = [[contrasts.index(c) for c in sample.contrasts] for sample in samples]
    model = TissueModel(contrasts, *_moments(samples, columns, len(contrasts), [_confident(s) for s in samples], 1.0))
    for _ in range(settings.em_iterations):
        weights = []
        for sample in samples:
            density, distance = model.log_densities(sample.intensities, sample.contrasts, sample.noise_sd)
            joint = density + np.log(sample.priors)
            posterior = np.exp(joint - logsumexp(joint, axis=1, keepdims=True))
            limit = chi2.ppf(settings.trim_quantile, len(sample.contrasts))
            weights.append(posterior * (distance < limit))
        moments = _moments(samples, columns, len(contrasts), weights, settings.trim_quantile)
        step = np.abs(moments[0] - model.means).max()
        model = TissueModel(contrasts, *moments)
        if step < settings.em_tolerance:
            break
    return model


def _confident(sample: TissueSample) -> FloatArray:
    """Start where the template is sure and the intensity lies in the middle half of what is found there."""
    weights = np.zeros_like(sample.priors)
    for k in range(len(TISSUES)):
        sure = sample.priors[:, k] >= min(0.8, float(np.quantile(sample.priors[:, k], 0.98)))
        low, high = np.quantile(sample.intensities[sure], (0.25, 0.75), axis=0)
        inside = ((sample.intensities >= low) & (sample.intensities <= high)).all(axis=1)
        chosen = sure & inside if (sure & inside).sum() > 10 * len(sample.contrasts) else sure
        weights[chosen, k] = 1.0
    return weights


def _moments(
    samples: Sequence[TissueSample],
    columns: Sequence[list[int]],
    count: int,
    weights: Sequence[FloatArray],
    trim_quantile: float,
) -> tuple[FloatArray, FloatArray]:
    """Weighted means and noise-free covariances, pooled over sessions; the order of sessions does not matter."""
    means = np.empty((len(TISSUES), count))
    spread = np.empty((len(TISSUES), count, count))
    for k in range(len(TISSUES)):
        mass, first = [np.zeros(count)], [np.zeros(count)]
        for sample, column, weight in zip(samples, columns, weights, strict=True):
            mass.append(_placed(np.full(len(column), weight[:, k].sum()), column, count))
            first.append(_placed(weight[:, k] @ sample.intensities, column, count))
        means[k] = order_free_sum(first) / np.maximum(order_free_sum(mass), 1e-9)
        pairs, second = [np.zeros((count, count))], [np.zeros((count, count))]
        for sample, column, weight in zip(samples, columns, weights, strict=True):
            centred = sample.intensities - means[k, column]
            size = len(column)
            keep = trim_quantile / chi2.cdf(chi2.ppf(trim_quantile, size), size + 2) if trim_quantile < 1 else 1.0
            total = float(weight[:, k].sum())
            moment = (centred * weight[:, k : k + 1]).T @ centred * keep - np.diag(sample.noise_sd**2) * total
            second.append(_placed2(moment, column, count))
            pairs.append(_placed2(np.full((size, size), total), column, count))
        covariance = order_free_sum(second) / np.maximum(order_free_sum(pairs), 1e-9)
        spread[k] = _nearest_positive(covariance)
    return means, spread


def _placed(values: FloatArray, column: list[int], count: int) -> FloatArray:
    full = np.zeros(count)
    full[column] = values
    return full


def _placed2(values: FloatArray, column: list[int], count: int) -> FloatArray:
    full = np.zeros((count, count))
    full[np.ix_(column, column)] = values
    return full


def _nearest_positive(covariance: FloatArray) -> FloatArray:
    """Symmetric and with no negative eigenvalue (noise may be larger than the spread that was seen)."""
    value, vector = np.linalg.eigh((covariance + covariance.T) / 2)
    fixed: FloatArray = (vector * np.maximum(value, 1e-6)) @ vector.T
    return fixed
