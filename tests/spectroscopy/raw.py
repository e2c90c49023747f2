"""Raw acquisitions of known truth: coils with correlated noise, drift, spoilt transients, eddy currents, water."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache

import numpy as np

from . import made

TIME = np.arange(made.POINTS) * made.DWELL_S
NAA_HEIGHT = 100.0  # spectra are scaled so that NAA at 2.0 ppm stands this tall over zero


@cache
def clean_fid() -> np.ndarray:
    """A healthy brain at TE 30 ms."""
    fid = made.spectrum(made.HEALTHY | made.BROAD).fid
    return fid * (NAA_HEIGHT / height(fid))


def height(fid: np.ndarray) -> float:
    """Height of NAA in the real spectrum."""
    ppm = made.from_fid(fid).ppm
    return float(np.fft.fftshift(np.fft.fft(fid)).real[np.abs(ppm - 2.01) < 0.05].max())


def fid_noise_sd(snr: float) -> float:
    """Standard deviation per channel of the FID that puts NAA `snr` spectral standard deviations above zero."""
    return float(NAA_HEIGHT / snr / np.sqrt(made.POINTS))


def white(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    return rng.standard_normal(shape) + 1j * rng.standard_normal(shape)


def eddy_phase(hz: float = 8.0, decay_s: float = 0.05) -> np.ndarray:
    """Phase (rad) of a field shift that decays exponentially."""
    return 2 * np.pi * hz * decay_s * (1 - np.exp(-TIME / decay_s))


@dataclass(frozen=True)
class Drift:
    """What happened to each transient: frequency (Hz), phase (rad), and the spoilt ones."""

    shifts_hz: np.ndarray
    phases_rad: np.ndarray
    spoilt: tuple[int, ...] = field(default=())


def drift(count: int, kind: str, seed: int = 0) -> Drift:
    rng = np.random.default_rng(seed)
    part = np.linspace(-1, 1, count)
    if kind == "none":
        return Drift(np.zeros(count), np.zeros(count))
    if kind == "slow":
        return Drift(4.0 * part, 0.4 * part)
    if kind == "breathing":
        return Drift(3.0 * part + rng.normal(0, 0.7, count), rng.normal(0, 0.2, count))
    if kind == "jump":
        return Drift(np.where(part > 0.2, 5.0, -1.0), np.where(part > 0.2, 0.8, 0.0))
    if kind == "cycled":
        return Drift(2.0 * part, np.pi * (np.arange(count) % 2))
    raise ValueError(kind)


def transients(snr: float, course: Drift, seed: int = 0, water: float = 0.0) -> np.ndarray:
    """Shape (points, transients); NAA of each stands `snr` over its noise, residual water `water` times over NAA."""
    rng = np.random.default_rng(seed)
    fid = clean_fid() + water * NAA_HEIGHT * np.exp(0.5j) * made.line(4.68, 7.0) * np.pi * 7.0 * made.DWELL_S
    shots = fid[:, None] * np.exp(1j * (2 * np.pi * TIME[:, None] * course.shifts_hz + course.phases_rad))
    for i in course.spoilt:
        shots[:, i] *= 0.5 * np.exp(-(12 * TIME) + 2j * np.pi * 6 * TIME)
    return shots + fid_noise_sd(snr) * white(shots.shape, rng)


@dataclass(frozen=True)
class Array:
    """Receive coils: complex gains, and a matrix that mixes independent noise into theirs."""

    gains: np.ndarray
    mixing: np.ndarray

    @property
    def ideal_gain(self) -> float:
        """Best signal-to-noise ratio for a unit signal."""
        covariance = self.mixing @ self.mixing.conj().T
        return float(np.sqrt((self.gains.conj() @ np.linalg.solve(covariance, self.gains)).real))


def array(coils: int, correlation: float, seed: int = 0) -> Array:
    """Neighbours share noise: correlation falls with distance; sizes of noise differ by a factor of three."""
    rng = np.random.default_rng(seed)
    gains = rng.uniform(0.1, 1.0, coils) * np.exp(2j * np.pi * rng.random(coils))
    distance = np.abs(np.subtract.outer(np.arange(coils), np.arange(coils)))
    turn = np.exp(1j * rng.uniform(-1, 1, coils))
    covariance = correlation**distance * np.outer(turn, turn.conj())
    sds = rng.uniform(0.5, 1.5, coils)
    return Array(gains, sds[:, None] * np.linalg.cholesky(covariance))
