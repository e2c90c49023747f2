"""Residual water: a sum of damped sinusoids in a band about it, taken away."""

from __future__ import annotations

from itertools import product

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
    """Return the signal about the highest point near water, shape (points,).

    Numbers of sinusoids and their greatest widths are tried in turn until water is lower than the metabolites: a line
    that is no Lorentzian takes more and broader ones, which a clean line does not need.
    """
    whole = np.fft.fftshift(np.fft.fft(spectrum.fid))
    about_water = np.abs(spectrum.ppm - REFERENCE_PPM) <= settings.water_search_ppm
    metabolites = (spectrum.ppm > settings.fit_low_ppm) & (spectrum.ppm < settings.water_free_ppm)
    centre = int(np.argmax(np.where(about_water, np.abs(whole), 0.0)))
    per_ppm = spectrum.spectrometer_frequency_mhz * spectrum.points * spectrum.dwell_time_s
    half = min(round(settings.water_band_ppm * per_ppm), centre, spectrum.points - centre - 1)
    if half < 16:
        return np.zeros(spectrum.points, dtype=np.complex128)
    # The band is cut out of the spectrum, so that the matrix to decompose has about a hundred rows.
    band = np.fft.ifft(np.fft.ifftshift(whole[centre - half : centre + half]))
    part, carrier = band.size / spectrum.points, float(spectrum.frequency_hz[centre])
    turning = np.exp(2j * np.pi * carrier * spectrum.time_s)
    best = (np.inf, np.zeros(spectrum.points, dtype=np.complex128))
    for widest, count in product(settings.water_widest_ppm, settings.water_components):
        poles, amplitude = _damped_sinusoids(band, count, widest, float(spectrum.ppm[centre]), per_ppm, settings)
        water = turning * (np.exp(np.log(poles) * part * np.arange(spectrum.points)[:, None]) @ (amplitude * part))
        rest = np.abs(np.fft.fftshift(np.fft.fft(spectrum.fid - water)))
        left = float(rest[centre - half : centre + half].max())
        if left < best[0]:
            best = (left, water)
        if left < settings.water_worth_removing * rest[metabolites].max():
            break
    return np.asarray(best[1])


def _damped_sinusoids(
    band: _Complex, count: int, widest_ppm: float, centre_ppm: float, per_ppm: float, settings: SpectraSettings
) -> tuple[_Complex, _Complex]:
    """Return poles and amplitudes of what is water among the damped sinusoids of a band, on the points of the band.

    Amplitudes come from a fit with all poles; only those of water are returned.
    """
    use = (3 * band.size) // 4  # the sharp cut wraps the onset of the FID around to its end
    poles = _hankel_poles(band[:use], count)
    poles = poles[(np.abs(poles) < 1.02) & (np.abs(poles) > 1e-3)]
    if not poles.size:
        return poles, poles
    amplitude = np.asarray(lstsq(poles ** np.arange(use)[:, None], band[:use])[0])
    points_per_turn = band.size / (2 * np.pi)  # of the angle of a pole
    offset_ppm = -np.angle(poles) * points_per_turn / per_ppm  # higher shifts have negative frequencies
    width_ppm = -2 * np.log(np.abs(poles)) * points_per_turn / per_ppm
    wet = (np.abs(offset_ppm) <= settings.water_half_width_ppm) & (np.abs(poles) < 1.0) & (width_ppm <= widest_ppm)
    wet &= centre_ppm + offset_ppm >= min(settings.water_lowest_ppm, centre_ppm - settings.water_core_ppm)
    return poles[wet], amplitude[wet]


def _hankel_poles(signal: _Complex, rank: int) -> _Complex:
    """Return the poles of a sum of damped exponentials from the shift invariance of its signal space."""
    rows = signal.size // 2
    hankel = np.lib.stride_tricks.sliding_window_view(signal, signal.size - rows + 1)
    left = svd(hankel, full_matrices=False)[0][:, : min(rank, rows - 1)]
    return np.asarray(np.linalg.eigvals(np.linalg.lstsq(left[:-1], left[1:], rcond=None)[0]))
