"""Residual water: a sum of damped sinusoids in a band about it, taken away."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lstsq, svd

from hlhneuro.settings import SpectraSettings
from hlhneuro.spectroscopy.spectra import REFERENCE_PPM, Spectrum

__all__ = ["remove_water", "water_signal", "water_stands_out"]

_Complex = NDArray[np.complex128]


def water_stands_out(spectrum: Spectrum, settings: SpectraSettings) -> bool:
    """Tell whether residual water is taller than the metabolites; a lower one is left to the fit's baseline.

    Of several transients the mean of their magnitudes counts, so that phases do not matter.
    """
    whole = np.abs(np.fft.fftshift(np.fft.fft(spectrum.fid.reshape(spectrum.points, -1), axis=0), axes=0)).mean(axis=1)
    about_water = np.abs(spectrum.ppm - REFERENCE_PPM) <= settings.water_search_ppm
    metabolites = (spectrum.ppm > settings.fit_low_ppm) & (spectrum.ppm < settings.water_free_ppm)
    return bool(whole[about_water].max() >= settings.water_worth_removing * whole[metabolites].max())


def remove_water(spectrum: Spectrum, settings: SpectraSettings) -> tuple[_Complex, float]:
    """Remove residual water, if it is the tallest signal.

    Parameters
    ----------
    spectrum : Spectrum
        One FID.
    settings : SpectraSettings

    Returns
    -------
    fid : complex array, shape (points,)
    removed : float
        Part of the FID's energy that was taken away.

    References
    ----------
    Barkhuijsen H, de Beer R, van Ormondt D. J Magn Reson 1987;73:553. Pijnappel WWF et al. J Magn Reson 1992;97:122.
    """
    if not water_stands_out(spectrum, settings):
        return spectrum.fid, 0.0
    fid = spectrum.fid - water_signal(spectrum, settings)
    removed = 1.0 - float(np.vdot(fid, fid).real / np.vdot(spectrum.fid, spectrum.fid).real)
    return np.asarray(fid), round(removed, 4)


def water_signal(spectrum: Spectrum, settings: SpectraSettings) -> _Complex:
    """Return the signal about the highest point near water.

    The band is cut out of the spectrum, so that the matrix to decompose has about a hundred rows.
    """
    hz = spectrum.spectrometer_frequency_mhz
    whole = np.fft.fftshift(np.fft.fft(spectrum.fid))
    about_water = np.abs(spectrum.ppm - REFERENCE_PPM) <= settings.water_search_ppm
    centre = int(np.argmax(np.where(about_water, np.abs(whole), 0.0)))
    half = round(settings.water_band_ppm * hz * spectrum.points * spectrum.dwell_time_s)
    half = min(half, centre, spectrum.points - centre - 1)
    if half < 16:
        return np.zeros(spectrum.points, dtype=np.complex128)
    band = np.fft.ifft(np.fft.ifftshift(whole[centre - half : centre + half]))
    factor = spectrum.points / band.size  # one point of the band is this many of the FID
    use = (3 * band.size) // 4  # the sharp cut wraps the onset of the FID around to its end
    poles = _hankel_poles(band[:use], settings.water_components)
    size = np.abs(poles)
    poles, size = poles[(size < 1.02) & (size > 1e-3)], size[(size < 1.02) & (size > 1e-3)]
    frequency = np.angle(poles) / (2 * np.pi * factor * spectrum.dwell_time_s)
    width = -np.log(size) / (np.pi * factor * spectrum.dwell_time_s)
    wet = (np.abs(frequency) <= settings.water_half_width_ppm * hz) & (size < 1.0)
    wet &= width <= settings.water_half_width_ppm * hz  # broader components are the tails of something else
    if not wet.any():
        return np.zeros(spectrum.points, dtype=np.complex128)
    # Amplitudes come from the band with all poles present; only those of water are returned.
    amplitude = np.asarray(lstsq(poles ** np.arange(use)[:, None], band[:use])[0])[wet]
    steps = np.arange(spectrum.points) / factor
    water = np.exp(np.log(poles[wet]) * steps[:, None]) @ (amplitude / factor)
    return np.asarray(water * np.exp(2j * np.pi * float(spectrum.frequency_hz[centre]) * spectrum.time_s))


def _hankel_poles(signal: _Complex, rank: int) -> _Complex:
    """Return the poles of a sum of damped exponentials from the shift invariance of its signal space."""
    rows = signal.size // 2
    hankel = np.lib.stride_tricks.sliding_window_view(signal, signal.size - rows + 1)
    left = svd(hankel, full_matrices=False)[0][:, : min(rank, rows - 1)]
    return np.asarray(np.linalg.eigvals(np.linalg.lstsq(left[:-1], left[1:], rcond=None)[0]))
