"""Spectra of known content for the tests of this room."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from hlhneuro.spectroscopy import Basis, Spectrum, add_broad_signals, simulate_basis

FREQUENCY_MHZ, DWELL_S, POINTS = 123.2, 5e-4, 1024
HEALTHY = {"NAA": 8.0, "NAAG": 1.0, "Cr": 4.0, "PCr": 4.0, "GPC": 1.0, "PCho": 0.5, "mI": 5.0, "Glu": 8.0, "Gln": 2.5}
BROAD = {"MM09": 1.5, "MM12": 1.0, "MM14": 1.5, "MM17": 1.0, "MM20": 2.5, "MM30": 2.0}


def basis(echo_time_s: float = 0.03, sequence: str = "press") -> Basis:
    return simulate_basis(
        sequence, echo_time_s, dwell_time_s=DWELL_S, points=POINTS, spectrometer_frequency_mhz=FREQUENCY_MHZ
    )


def spectrum(
    content: Mapping[str, float],
    *,
    noise: float = 0.0,
    shift_ppm: float = 0.0,
    phase_deg: float = 0.0,
    lorentz_hz: float = 3.0,
    gauss_hz: float = 4.0,
    echo_time_s: float = 0.03,
    seed: int = 0,
) -> Spectrum:
    """Add up basis functions; `noise` is the standard deviation per channel of the FID."""
    functions = add_broad_signals(basis(echo_time_s))
    fid = sum((value * functions.fid(name) for name, value in content.items()), np.zeros(POINTS, dtype=complex))
    time = np.arange(POINTS) * DWELL_S
    decay = np.pi * lorentz_hz * time + (np.pi * gauss_hz * time) ** 2 / (4 * np.log(2))
    fid = fid * np.exp(-decay - 2j * np.pi * shift_ppm * FREQUENCY_MHZ * time + 1j * np.deg2rad(phase_deg))
    rng = np.random.default_rng(seed)
    fid = fid + noise * (rng.standard_normal(POINTS) + 1j * rng.standard_normal(POINTS))
    return from_fid(fid, echo_time_s=echo_time_s)


def from_fid(fid: np.ndarray, dimensions: tuple[str, ...] = (), **changes: object) -> Spectrum:
    facts: dict[str, object] = {
        "dwell_time_s": DWELL_S,
        "spectrometer_frequency_mhz": FREQUENCY_MHZ,
        "nucleus": "1H",
        "affine": np.diag([20.0, 20.0, 20.0, 1.0]),
        "echo_time_s": 0.03,
        "repetition_time_s": 2.0,
        "sequence": "press",
    }
    return Spectrum(fid=fid, dimensions=dimensions, **(facts | changes))  # type: ignore[arg-type]


def line(ppm: float, lorentz_hz: float = 4.0, points: int = POINTS) -> np.ndarray:
    """One Lorentzian line in the NIfTI-MRS convention: above the reference it turns clockwise."""
    time = np.arange(points) * DWELL_S
    return np.exp(-2j * np.pi * (ppm - 4.65) * FREQUENCY_MHZ * time - np.pi * lorentz_hz * time)
