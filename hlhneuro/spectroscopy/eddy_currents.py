"""Eddy currents: the phase of a water reference taken away from the spectrum."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hlhneuro.settings import SpectraSettings

__all__ = ["correct_eddy_currents", "reference_phase"]

_Complex = NDArray[np.complex128]
_Float = NDArray[np.float64]


def correct_eddy_currents(fid: _Complex, water: _Complex, settings: SpectraSettings) -> _Complex:
    """Take the phase of the water FID away from the spectrum's FID.

    Parameters
    ----------
    fid : complex array, shape (points,)
    water : complex array, shape (other points,)
        With the same dwell time; longer, shorter or with a tail of noise.

    References
    ----------
    Klose U. In vivo proton spectroscopy in presence of eddy currents. Magn Reson Med 1990;14:26.
    """
    return np.asarray(fid * np.exp(-1j * reference_phase(water, fid.size, settings)))


def reference_phase(water: _Complex, points: int, settings: SpectraSettings) -> _Float:
    """Return the phase (rad) of a water FID at `points` samples.

    Where the signal has sunk into its noise, or ends, the phase goes on with the last reliable frequency: that of the
    last third of what is reliable, by when eddy currents have decayed.
    """
    size = np.abs(water)
    late = water[-max(16, water.size // 4) :]
    # Second differences see noise, and not a signal that has not decayed yet.
    noise = float(np.sqrt(np.mean(np.abs(np.diff(late, n=2)) ** 2) / 6.0))
    lowest = max(settings.eddy_noise_sd * noise, settings.eddy_lowest_part * float(size.max()))
    weak = np.flatnonzero(size < lowest)
    weak = weak[weak > int(np.argmax(size))]  # a slow start is no end
    end = int(weak[0]) if weak.size else water.size
    phase = np.unwrap(np.angle(water[:end]))
    if points <= end:
        return np.asarray(phase[:points])
    out = np.empty(points)
    out[:end] = phase
    index = np.arange(2 * end // 3, end)
    slope = 0.0
    if index.size >= 8:
        line = np.polynomial.Polynomial.fit(index, phase[index], 1).convert().coef
        slope = float(line[1]) if line.size > 1 else 0.0
    out[end:] = phase[-1] + slope * np.arange(1, points - end + 1)
    return out
