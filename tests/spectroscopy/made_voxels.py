"""Voxels of known content whose signals are not those that are fitted, for benches of detection and of patterns.

Lipid is a mixture of Voigt lines of random width and place, macromolecules move, widen and trade amplitudes,
metabolites have T2 of their own, the baseline humps; all is drawn once for a voxel, so that its echo times share it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from hlhneuro.spectroscopy import Basis, Spectrum, simulate_basis

DWELL_S, POINTS = 5e-4, 1024
FREQUENCY_MHZ = {1.5: 63.87, 3.0: 123.2}
WATER_MMOL_PER_KG, WATER_LEFT = 55510.0, 0.6
HEALTHY = {
    "NAA": 8.5, "NAAG": 0.8, "Cr": 4.2, "PCr": 3.6, "GPC": 1.0, "PCho": 0.7, "mI": 4.0, "sIns": 0.2, "Glu": 8.5,
    "Gln": 2.6, "Tau": 1.2, "GSH": 1.1, "Asp": 1.4, "GABA": 1.2, "Glc": 1.0, "Ala": 0.2, "Asc": 1.0, "PE": 1.0,
}  # fmt: skip
MACROMOLECULES = {
    "0.9": [(0.91, 0.14, 3.0)], "1.2": [(1.21, 0.15, 0.6)], "1.4": [(1.43, 0.17, 1.5)], "1.7": [(1.67, 0.15, 0.75)],
    "2.0": [(2.08, 0.15, 2.0), (2.25, 0.20, 0.5), (1.95, 0.15, 0.5)], "3.0": [(3.00, 0.20, 0.4)],
}  # fmt: skip


@dataclass(frozen=True)
class Voxel:
    """What a voxel holds and how it is measured.

    Parameters
    ----------
    content : mapping
        Metabolites in mmol/kg.
    lipid : float
        Of the lines at 1.3 ppm over tCr of a healthy voxel (8 mmol/kg), in the unit of the fit (two protons each).
    macromolecules : float
        In mmol/kg.
    variation : float
        Of macromolecule amplitudes (logarithmic); widths and places move with it.
    hump : float
        Height of the baseline's humps over the NAA peak, at short echo times.
    linewidth_hz, snr : float
        The signal-to-noise ratio is that of healthy NAA at TE 30 ms and 5 Hz, peak over two standard deviations.
    lost_at_144 : float
        Part of lactate's doublet that the refocusing pulses cancel there.
    """

    content: Mapping[str, float]
    lipid: float = 0.0
    macromolecules: float = 8.0
    variation: float = 0.25
    hump: float = 0.0
    linewidth_hz: float = 5.0
    snr: float = 20.0
    lost_at_144: float = 0.0
    field_t: float = 3.0

    def holding(self, **changes: float) -> Voxel:
        """Return the voxel with some contents changed."""
        return replace(self, content=dict(self.content) | changes)


@cache
def basis(echo_time_s: float, field_t: float = 3.0, names: tuple[str, ...] | None = None) -> Basis:
    return simulate_basis(
        "press", echo_time_s, dwell_time_s=DWELL_S, points=POINTS, spectrometer_frequency_mhz=FREQUENCY_MHZ[field_t],
        first_echo_s=0.012, names=names,
    )  # fmt: skip


def acquire(voxel: Voxel, echo_times_s: Sequence[float], seed: Sequence[int]) -> list[tuple[Spectrum, Spectrum]]:
    """Return the spectrum and water reference of each echo time."""
    rng = np.random.default_rng(list(seed))
    time, mhz = np.arange(POINTS) * DWELL_S, FREQUENCY_MHZ[voxel.field_t]

    def line(ppm: float, width_ppm: float, lorentz_ppm: float = 0.0) -> NDArray[np.complex128]:
        decay = (np.pi * width_ppm * mhz * time) ** 2 / (4 * np.log(2)) + np.pi * lorentz_ppm * mhz * time
        return np.exp(-2j * np.pi * (ppm - 4.65) * mhz * time - decay)

    t2_s = {name: rng.uniform(0.15, 0.30) if name == "Lac" else 0.21 * rng.lognormal(0, 0.05) for name in voxel.content}
    fat = [(rng.uniform(1.26, 1.31), rng.uniform(0.07, 0.16), rng.uniform(0.0, 0.02)) for _ in range(3)]
    shares, fat_t2_s = rng.dirichlet(np.full(3, 2.0)), rng.uniform(0.05, 0.09)
    proteins = [
        (ppm + rng.normal(0, 0.03) * voxel.variation, width * (1 + rng.uniform(-0.6, 0.8) * voxel.variation),
         protons * rng.lognormal(0, voxel.variation))
        for lines in MACROMOLECULES.values() for ppm, width, protons in lines
    ]  # fmt: skip
    humps = [(rng.uniform(0.3, 4.2), rng.uniform(0.3, 1.0), rng.uniform(-1, 1)) for _ in range(4)]
    noise = _noise_for(voxel.snr, voxel.field_t)
    made = []
    for echo_time_s in echo_times_s:
        functions = basis(echo_time_s, voxel.field_t, tuple(voxel.content))
        fid = np.zeros(POINTS, dtype=np.complex128)
        for name, amount in voxel.content.items():
            kept = 1 - voxel.lost_at_144 if name == "Lac" and 0.13 <= echo_time_s <= 0.16 else 1.0
            fid += kept * amount * np.exp(-echo_time_s / t2_s[name]) * functions.fid(name)
        area = 2 * 8 * voxel.lipid * np.exp(-echo_time_s / fat_t2_s)
        for share, shape in zip(shares, fat, strict=True):
            fid += area * share * line(*shape)
        fid += area * (0.2 * line(0.89, 0.13) + 0.1 * line(2.03, 0.15))
        for ppm, width, protons in proteins:
            fid += voxel.macromolecules * np.exp(-echo_time_s / 0.03) * protons * line(ppm, width)
        fid *= np.exp(-np.pi * 0.5 * voxel.linewidth_hz * time)
        fid *= np.exp(-((np.pi * 0.5 * voxel.linewidth_hz * time) ** 2) / (4 * np.log(2)))
        if echo_time_s < 0.1:
            for ppm, width, height in humps:
                fid += voxel.hump * height * 25.5 * (width * mhz / 6.0) * line(ppm, width)
        common = np.exp(1j * np.deg2rad(rng.uniform(-40, 40)) - 2j * np.pi * rng.uniform(-3, 3) * time)
        grains = rng.standard_normal((2, POINTS)) + 1j * rng.standard_normal((2, POINTS))
        water = 2 * WATER_MMOL_PER_KG * WATER_LEFT * np.exp(-echo_time_s / 0.09 - np.pi * 6.0 * time)
        pair = (fid * common + noise * grains[0], water * common + noise * grains[1])
        facts = ((), DWELL_S, mhz, "1H", np.diag([20.0, 20.0, 20.0, 1.0]), echo_time_s, 2.0, "press")
        made.append((Spectrum(pair[0], *facts), Spectrum(pair[1], *facts)))
    return made


@cache
def _noise_for(snr: float, field_t: float) -> float:
    time = np.arange(POINTS) * DWELL_S
    naa = 8.5 * np.exp(-0.03 / 0.25 - np.pi * 5.0 * time) * basis(0.03, field_t).fid("NAA")
    return float(np.abs(np.fft.fft(naa)).max() / (2 * snr * np.sqrt(POINTS)))
