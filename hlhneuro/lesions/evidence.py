"""How unlike normal tissue a voxel is, and how much two sessions differ there: z maps judged against their own null."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.stats import norm

from hlhneuro.imaging.alignment import BoolImage
from hlhneuro.imaging.volumes import FloatImage

__all__ = ["Null", "empirical_null", "local_fdr", "smoothed", "symmetric_null"]

FloatArray = NDArray[np.float64]
Reals = NDArray[np.floating]
EDGES = np.arange(0.0, 40.01, 0.2)  # of standardised z; the last bin takes everything beyond


@dataclass(frozen=True)
class Null:
    """How likely a voxel of a z map is normal tissue.

    Parameters
    ----------
    fdr : array
        Local false discovery rate in each bin of standardised z from 0 upwards, falling.
    """

    fdr: FloatArray

    def probability(self, z: Reals) -> NDArray[np.float32]:
        """Return one minus the local false discovery rate of each standardised z."""
        middle = (EDGES[:-1] + EDGES[1:]) / 2
        return np.asarray(1 - np.interp(z, middle, self.fdr), np.float32)

    def threshold(self, rate: float) -> float:
        """Return the standardised z from which the local false discovery rate stays below a rate."""
        below = np.flatnonzero(self.fdr < rate)
        return float(EDGES[below[0]] if len(below) else EDGES[-1])


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


def local_fdr(z: Reals) -> Null:
    """Judge standardised z values (null: mean 0, SD 1) against how often each occurs.

    References
    ----------
    Efron, Ann Appl Stat 2008;2:197.
    """
    seen = np.histogram(np.clip(z, None, EDGES[-1] - 1e-6), EDGES)[0].astype(float)
    expected = np.diff(norm.cdf(EDGES)) * len(z)
    fdr = np.clip((expected + 1e-6) / np.maximum(seen, 1e-3), 0.0, 1.0)
    fdr[: int(1 / 0.2)] = 1.0  # the null was fitted there
    return Null(np.minimum.accumulate(fdr))
