"""Where a slice-selective pulse of finite bandwidth acts on which spins: chemical-shift displacement."""

from __future__ import annotations

from itertools import pairwise
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["Region", "slice_regions"]

Region: TypeAlias = tuple[int, float]  # spins that the pulse misses (bit i is spin i), part of a slice's thickness


def slice_regions(offsets_hz: NDArray[np.float64], bandwidth_hz: float | None) -> tuple[Region, ...]:
    """Divide a slice direction into regions by the spins that a rectangular selective pulse misses there.

    The slice of a spin at offset f lies f / bandwidth slice thicknesses from that of the carrier. Regions that no
    spin's slice covers are left out, so that every spin is covered by parts that add up to one.

    Parameters
    ----------
    offsets_hz : array, shape (spins,)
        Offset of each spin from any common frequency.
    bandwidth_hz : float or None
        Bandwidth of the pulse; None for a pulse that reaches every spin alike.

    References
    ----------
    Yablonskiy DA, Neil JJ, Raichle ME, Ackerman JJH. Magn Reson Med 1998;39:169-178.
    Kelley DAC, Wald LL, Star-Lack JM. Magn Reson Med 1999;42:245-251.
    """
    if bandwidth_hz is None:
        return ((0, 1.0),)
    centres = np.asarray(offsets_hz) / bandwidth_hz
    edges = np.unique(np.concatenate([centres - 0.5, centres + 0.5]))
    regions = []
    for low, high in pairwise(edges):
        missed = np.abs((low + high) / 2 - centres) >= 0.5
        if not missed.all():
            mask = sum(1 << int(spin) for spin in np.flatnonzero(missed))
            regions.append((mask, float(high - low)))
    return tuple(regions)
