"""Water references: what each is for, and whether it belongs to the spectrum."""

from __future__ import annotations

import numpy as np

from hlhneuro.errors import InputError
from hlhneuro.settings import SpectraSettings
from hlhneuro.spectroscopy.spectra import Spectrum

__all__ = ["check_reference"]


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
