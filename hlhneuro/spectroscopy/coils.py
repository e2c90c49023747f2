"""One FID from many receive coils: weights that add signals in phase with the greatest signal-to-noise ratio."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh

from hlhneuro.errors import InputError
from hlhneuro.settings import SpectraSettings
from hlhneuro.spectroscopy.spectra import REFERENCE_PPM, Spectrum

__all__ = ["CoilWeights", "as_coils", "coil_weights", "noise_covariance"]

_Complex = NDArray[np.complex128]


@dataclass(frozen=True)
class CoilWeights:
    """What each coil is multiplied by before all are added.

    Parameters
    ----------
    weights : complex array, shape (coils,)
        Zero for a coil without signal. Signals keep the size of the root of the sum of their squares.
    dead : tuple of int
        Coils that hold nothing.
    noise_correlation : float
        Largest correlation of the noise of two coils.
    """

    weights: _Complex
    dead: tuple[int, ...]
    noise_correlation: float

    def combine(self, data: _Complex) -> _Complex:
        """Return shape (points, transients) from (points, coils, transients)."""
        return np.asarray(np.einsum("pct,c->pt", data, self.weights))


def as_coils(spectrum: Spectrum) -> _Complex:
    """Return the FIDs as (points, coils, transients).

    Raises
    ------
    InputError
        If an axis is neither coils nor repetitions.
    """
    names = list(spectrum.dimensions)
    unknown = [name for name in names if name not in ("DIM_COIL", "DIM_DYN", "DIM_MEAS")]
    if unknown:
        raise InputError(
            "this axis of the data is not supported",
            field="dim",
            found=", ".join(unknown),
            remedy="give plain single-voxel data: coils and transients, not edited or multi-condition series",
        )
    fid = spectrum.fid
    fid = np.moveaxis(fid, 1 + names.index("DIM_COIL"), 1) if "DIM_COIL" in names else fid[:, None]
    return fid.reshape(fid.shape[0], fid.shape[1], -1)


def noise_covariance(data: _Complex, spectrum: Spectrum, settings: SpectraSettings) -> _Complex:
    """Return the covariance of the coils' noise, shape (coils, coils).

    It is taken from the late half of the FID, and there from frequencies at which nothing resonates, so that slowly
    decaying water does not count as noise. Few samples are shrunk towards coils whose noise is independent.

    Parameters
    ----------
    data : complex array, shape (points, coils, transients)
    spectrum : Spectrum
        For the axes.

    References
    ----------
    Chen Y et al. Shrinkage algorithms for MMSE covariance estimation. IEEE Trans Signal Process 2010;58:5016.
    """
    late = np.fft.fft(data[data.shape[0] // 2 :], axis=0)
    ppm = np.fft.fftfreq(late.shape[0], spectrum.dwell_time_s) / spectrum.spectrometer_frequency_mhz
    empty = np.abs(ppm) > settings.noise_beyond_ppm
    noise = late[empty if empty.sum() >= 32 else slice(None)]
    noise = np.moveaxis(noise, 1, 0).reshape(data.shape[1], -1) / np.sqrt(late.shape[0])
    covariance = noise @ noise.conj().T / noise.shape[1]
    sd = np.sqrt(np.clip(np.diag(covariance).real, 1e-300, None))
    correlation = covariance / np.outer(sd, sd)
    size, samples = data.shape[1], noise.shape[1]
    squares = float(np.sum(np.abs(correlation) ** 2))
    shrink = min(1.0, squares / max((samples + 1.0) * (squares - size), 1e-300)) if size > 1 else 0.0
    return np.asarray(((1.0 - shrink) * correlation + shrink * np.eye(size)) * np.outer(sd, sd))


def coil_weights(data: _Complex, guide: _Complex, spectrum: Spectrum, settings: SpectraSettings) -> CoilWeights:
    """Return the weights that whiten the noise and follow the strongest common signal.

    Parameters
    ----------
    data : complex array, shape (points, coils, transients)
        Metabolite data, for the noise.
    guide : complex array, shape (points, coils, transients)
        Water reference, or the metabolite data themselves where there is none.
    spectrum : Spectrum
        For the axes.

    References
    ----------
    Rodgers CT, Robson MD. Receive array magnetic resonance spectroscopy: whitened singular value decomposition (WSVD)
    gives optimal Bayesian solution. Magn Reson Med 2010;63:881.
    """
    power = np.sum(np.abs(data) ** 2, axis=(0, 2)) * np.sum(np.abs(guide) ** 2, axis=(0, 2))
    alive = power > 0
    if not alive.any():
        raise InputError(
            "no coil received both spectrum and water reference",
            field="data",
            found="no signal",
            remedy="convert the raw data again",
        )
    covariance = noise_covariance(data[:, alive], spectrum, settings)
    values, vectors = eigh(covariance)
    whiten = vectors / np.sqrt(np.clip(values, values[-1] * 1e-9 + 1e-300, None))
    signal = _in_band(guide[: settings.coil_points, alive], spectrum)
    white = np.moveaxis(signal, 1, 2) @ whiten.conj()
    strongest = _strongest(white.reshape(-1, white.shape[2]))
    # Seen through these, transients show their phases against each other; added in phase, coils stand out more.
    turns = _strongest(white @ strongest)
    strongest = _strongest(np.einsum("ptc,t->pc", white, turns))
    weights = whiten.conj() @ strongest
    in_phase = np.einsum("pct,t->pc", guide[: settings.coil_points, alive], turns)
    weights = weights * _unit_gain(in_phase, weights)
    out = np.zeros(data.shape[1], dtype=np.complex128)
    out[alive] = weights
    sd = np.sqrt(np.diag(covariance).real)
    correlation = np.abs(covariance / np.outer(sd, sd) - np.eye(sd.size)).max()
    return CoilWeights(out, tuple(int(i) for i in np.flatnonzero(~alive)), float(correlation))


def _strongest(rows: _Complex) -> _Complex:
    """Return the unit vector along which rows are largest: the first right singular vector, conjugated."""
    return np.asarray(eigh(rows.conj().T @ rows)[1][:, -1])


def _in_band(fids: _Complex, spectrum: Spectrum) -> _Complex:
    """Keep the frequencies at which tissue resonates: the rest is noise."""
    ppm = np.fft.fftfreq(fids.shape[0], spectrum.dwell_time_s) / spectrum.spectrometer_frequency_mhz
    inside = np.abs(ppm) < REFERENCE_PPM
    return np.asarray(np.fft.fft(fids, axis=0)[inside])


def _unit_gain(signal: _Complex, weights: _Complex) -> complex:
    """Return the factor that keeps the size of the summed squares and puts the first point on the real axis."""
    response = signal @ weights
    size = float(np.linalg.norm(signal)) / max(float(np.linalg.norm(response)), 1e-300)
    return complex(size * np.exp(-1j * np.angle(response[0])))
