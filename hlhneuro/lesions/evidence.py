"""How unlike normal tissue a voxel is, and how much two sessions differ there: z maps judged against their own null."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.stats import norm

from hlhneuro.imaging.alignment import BoolImage
from hlhneuro.imaging.volumes import FloatImage

__all__ = ["Null", "empirical_null", "grow", "local_fdr", "smoothed", "symmetric_null"]

FloatArray = NDArray[np.float64]
Reals = NDArray[np.floating]
EDGES = np.arange(0.0, 40.01, 0.2)  # of standardised z; the last bin takes everything beyond


@dataclass(frozen=True)
class Null:
    """What normal tissue does in a z map, and what that says of every value of z.

    Parameters
    ----------
    centre, scale : float
        Of the normal part of the z map.
    fdr : array
        Local false discovery rate in each bin of standardised z from 0 upwards, falling.
    threshold : float
        Standardised z from which `fdr` stays below the chosen rate.
    seed : float
        Standardised z that normal tissue exceeds anywhere with the chosen family-wise chance.
    """

    centre: float
    scale: float
    fdr: FloatArray
    threshold: float
    seed: float

    def probability(self, z: Reals) -> NDArray[np.float32]:
        """Return one minus the local false discovery rate of each standardised z."""
        middle = (EDGES[:-1] + EDGES[1:]) / 2
        return np.asarray(1 - np.interp(z, middle, self.fdr), np.float32)


def smoothed(values: FloatImage, inside: BoolImage, sigma_voxels: float) -> FloatImage:
    """Gaussian mean over the voxels inside (normalised convolution); zero outside."""
    weight = ndimage.gaussian_filter(inside.astype(np.float32), sigma_voxels, truncate=3.0)
    total = ndimage.gaussian_filter(np.where(inside, values, np.float32(0)), sigma_voxels, truncate=3.0)
    return np.asarray(np.where(inside, total / np.maximum(weight, 1e-3), 0), np.float32)


def empirical_null(z: Reals) -> tuple[float, float]:
    """Centre and scale of the normal part: median, and the distance to the 84th percentile.

    The upper side is used because the lower one holds fluid partial volume; lesions are too few to move it.

    References
    ----------
    Efron, J Am Stat Assoc 2004;99:96.
    """
    middle, upper = np.quantile(z, (0.5, norm.cdf(1.0)))
    return float(middle), float(max(upper - middle, 1e-6))


def symmetric_null(z: Reals) -> float:
    """Scale of a null that is centred on zero, from the absolute values (so that the sign does not matter)."""
    return float(max(np.quantile(np.abs(z), norm.cdf(1.0) - norm.cdf(-1.0)), 1e-6))


def local_fdr(z: Reals, resel_voxels: float, rate: float, family_wise_error: float, *, two_sided: bool) -> Null:
    """Judge standardised z values (null: mean 0, SD 1) against how often each occurs.

    Parameters
    ----------
    z : array
        Standardised z of every voxel; absolute values when `two_sided`.
    resel_voxels : float
        Voxels per independent element, from the smoothing.
    rate, family_wise_error : float
        Operating point of `threshold` and of `seed`.
    """
    seen = np.histogram(np.clip(z, None, EDGES[-1] - 1e-6), EDGES)[0].astype(float)
    expected = np.diff(norm.cdf(EDGES)) * len(z) * (2 if two_sided else 1)
    fdr = np.clip((expected + 1e-6) / np.maximum(seen, 1e-3), 0.0, 1.0)
    fdr[: int(1 / 0.2)] = 1.0  # the null was fitted there
    fdr = np.minimum.accumulate(fdr)
    below = np.flatnonzero(fdr < rate)
    threshold = float(EDGES[below[0]]) if len(below) else float(EDGES[-1])
    independent = max(len(z) / resel_voxels, 1.0) * (2 if two_sided else 1)
    seed = max(float(norm.isf(family_wise_error / independent)), threshold)
    return Null(0.0, 1.0, fdr, threshold, seed)


def grow(z: FloatImage, null: Null) -> BoolImage:
    """Return the connected regions above the threshold that hold a seed (hysteresis)."""
    labels, count = ndimage.label(z > null.threshold, structure=np.ones((3, 3, 3)))
    if not count:
        return np.zeros(z.shape, bool)
    seeded = np.zeros(count + 1, bool)
    seeded[np.unique(labels[z > null.seed])] = True
    seeded[0] = False
    kept: BoolImage = seeded[labels]
    return kept
