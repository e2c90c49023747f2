"""Water references: whether one belongs to the spectrum, and whether it holds water."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hlhneuro.errors import InputError
from hlhneuro.settings import SpectraSettings
from hlhneuro.spectroscopy.spectra import REFERENCE_PPM, Spectrum
from hlhneuro.spectroscopy.water_removal import water_signal

__all__ = ["check_reference", "why_no_water"]


def check_reference(spectrum: Spectrum, water: Spectrum, role: str, settings: SpectraSettings) -> None:
    """Refuse a water reference that was not acquired like the spectrum.

    Both roles ask for the same: eddy currents depend on the gradients, their timing and the place, and the scale of
    concentrations on the place, the echo time and the receiver. Its length may differ.

    Parameters
    ----------
    spectrum, water : Spectrum
    role : str
        ``eddy currents`` or ``quantification``, for the message.

    Raises
    ------
    InputError
        If dwell time, frequency, echo time or voxel differ.
    """
    remedy = "give the water reference of this spectrum, or none"
    for name, own, other, tolerance in (
        ("dwell time", spectrum.dwell_time_s, water.dwell_time_s, 1e-3),
        ("SpectrometerFrequency", spectrum.spectrometer_frequency_mhz, water.spectrometer_frequency_mhz, 1e-2),
        ("EchoTime", spectrum.echo_time_s, water.echo_time_s, settings.water_echo_time_tolerance),
    ):
        if own is not None and other is not None and abs(own - other) > tolerance * abs(own):
            raise InputError(
                f"the water reference ({role}) was not acquired like the spectrum",
                field=name,
                found=f"{other:g}, the spectrum has {own:g}",
                remedy=remedy,
            )
    apart_mm, shape = _voxels_apart(spectrum, water)
    shortest_mm = float(np.linalg.norm(spectrum.affine[:3, :3], axis=0).min())
    if apart_mm > settings.water_voxel_tolerance * shortest_mm or shape > 2 * settings.water_voxel_tolerance:
        raise InputError(
            f"the water reference ({role}) is of another voxel",
            field="affine",
            found=f"centre {apart_mm:.1f} mm away, {water.volume_ml:.3g} ml instead of {spectrum.volume_ml:.3g} ml",
            remedy=remedy,
        )


def _voxels_apart(one: Spectrum, other: Spectrum) -> tuple[float, float]:
    """Return how far centres are apart (mm), and how far shapes differ whatever the order of their axes."""
    shapes = [s.affine[:3, :3] @ s.affine[:3, :3].T for s in (one, other)]
    difference = float(np.linalg.norm(shapes[0] - shapes[1]) / np.linalg.norm(shapes[0]))
    return float(np.linalg.norm(one.affine[:3, 3] - other.affine[:3, 3])), difference


def why_no_water(spectrum: Spectrum, water: Spectrum, settings: SpectraSettings) -> str:
    """Return why a water reference cannot be one of tissue water, or nothing.

    Protons of tissue water outnumber those of any metabolite by a thousand. A reference whose water is hardly taller
    than the metabolites was acquired with water suppression, is the spectrum itself, or is of fat.

    Parameters
    ----------
    spectrum, water : Spectrum
        One FID each, combined in the same way.
    """
    tall = _magnitude(water)
    at_ppm = float(water.ppm[int(np.argmax(tall))])
    if abs(at_ppm - REFERENCE_PPM) > settings.water_search_ppm:
        return f"the water reference holds no water: its tallest signal lies at {at_ppm:.2f} ppm"
    low, high = settings.fit_low_ppm, settings.water_free_ppm
    inside = (spectrum.ppm > low) & (spectrum.ppm < high)
    ratio = float(tall.max() / max(_magnitude(spectrum)[inside].max(), 1e-300))
    if ratio < settings.water_least_ratio:  # unless the tail of water that was not suppressed is what is so tall
        dry = spectrum.with_fid(spectrum.fid - water_signal(spectrum, settings))
        ratio = float(tall.max() / max(_magnitude(dry)[inside].max(), 1e-300))
    if ratio >= settings.water_least_ratio:
        return ""
    same = ": it is the signal of the spectrum itself" if _same_signal(spectrum, water) else ""
    return (
        f"the water reference holds no tissue water{same} (its tallest signal is {ratio:.2g} times the metabolites', "
        f"below {settings.water_least_ratio:g})"
    )


def _magnitude(spectrum: Spectrum) -> NDArray[np.float64]:
    return np.asarray(np.abs(np.fft.fftshift(np.fft.fft(spectrum.fid))))


def _same_signal(one: Spectrum, other: Spectrum) -> bool:
    """Tell whether two FIDs have the same magnitude at all times, whatever phase was taken from one of them."""
    count = min(one.points, other.points)
    sizes = [np.abs(each.fid[:count]) for each in (one, other)]
    return bool(np.allclose(sizes[0], sizes[1], rtol=0.0, atol=1e-3 * float(sizes[0].max())))
