"""Many transients to one FID: frequency and phase of each, which of them are spoilt, and their weighted mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from hlhneuro.settings import SpectraSettings
from hlhneuro.spectroscopy._course import Places, follow
from hlhneuro.spectroscopy.coils import noise_covariance
from hlhneuro.spectroscopy.spectra import REFERENCE_PPM, Spectrum
from hlhneuro.spectroscopy.water_removal import water_signal, water_stands_out

__all__ = ["Averaged", "Course", "align_transients", "average_transients", "find_spoilt"]

_Complex = NDArray[np.complex128]
_Float = NDArray[np.float64]
_FREQUENCIES, _PHASES = 41, 24  # places that are looked at for each transient in one round
_ROUNDS = 4  # each on a finer grid, with a better reference
_WITHIN_SD = 4.0  # how far a round looks about the place of the one before
_BIN_S = 0.002  # products with the reference change slowly: 25 Hz turn by a twentieth within it


@dataclass(frozen=True)
class Course:
    """Frequency and phase of each transient against their mean, with standard uncertainties; shape (transients,)."""

    shifts_hz: _Float
    shifts_sd_hz: _Float
    phases_rad: _Float
    phases_sd_rad: _Float

    def undo(self, fids: _Complex, dwell_time_s: float) -> _Complex:
        """Return transients without their shifts and phases."""
        time = np.arange(fids.shape[0])[:, None] * dwell_time_s
        return np.asarray(fids * np.exp(-1j * (2 * np.pi * time * self.shifts_hz + self.phases_rad)))

    def placed(self, where: NDArray[np.int_], count: int, elsewhere: Course | None = None) -> Course:
        """Return a course of `count` transients, of which these are some; the others are from another course."""
        arrays = []
        for item in fields(self):
            values = np.zeros(count) if elsewhere is None else getattr(elsewhere, item.name).copy()
            values[where] = getattr(self, item.name)
            arrays.append(values)
        return Course(*arrays)


def align_transients(
    fids: _Complex, spectrum: Spectrum, range_ppm: tuple[float, float], settings: SpectraSettings
) -> Course:
    """Find frequency and phase of each transient by what it shares with the mean of all others.

    Spectral registration: a transient's shift and phase are those at which it adds up with the reference. Its
    likelihood is kept whole instead of its highest point, and read together with its neighbours', so that transients
    below their noise follow the course of the scan and not the noise.

    Parameters
    ----------
    fids : complex array, shape (points, transients)
    spectrum : Spectrum
        For the axes.
    range_ppm : tuple of float
        Signals to follow.

    References
    ----------
    Near J et al. Frequency and phase drift correction of magnetic resonance spectroscopy data by spectral registration
    in the time domain. Magn Reson Med 2015;73:44. Mikkelsen M et al. NMR Biomed 2020;33:e4368 (limited range, robust
    reference).
    """
    count = fids.shape[1]
    if count < 2:
        return Course(*(np.zeros(count) for _ in range(4)))
    if range_ppm[1] < REFERENCE_PPM and water_stands_out(spectrum.with_fid(fids, ("DIM_DYN",)), settings):
        # Residual water changes with each suppression, and its wings reach into the range.
        fids = np.stack([fid - water_signal(spectrum.with_fid(fid), settings) for fid in fids.T], axis=1)
    inside = np.fft.ifftshift((spectrum.ppm > range_ppm[0]) & (spectrum.ppm < range_ppm[1]))
    variance = float(noise_covariance(fids[:, None], spectrum, settings)[0, 0].real) / 2
    variance = max(variance, 1e-12 * float(np.mean(np.abs(fids[:16]) ** 2))) * (1 + 1 / (count - 1))
    reach = settings.longest_start_shift_ppm * spectrum.spectrometer_frequency_mhz
    course = Course(np.zeros(count), np.full(count, reach / _WITHIN_SD), np.zeros(count), np.full(count, np.pi))
    for step in range(_ROUNDS):
        aligned = _filter(course.undo(fids, spectrum.dwell_time_s), inside)
        reference = _common(aligned) if step == 0 else (aligned.sum(axis=1, keepdims=True) - aligned) / (count - 1)
        course = _look_closer(course, fids, reference, spectrum.dwell_time_s, variance, settings)
    mean_shift = float(np.mean(course.shifts_hz))
    mean_phase = float(np.angle(np.mean(np.exp(1j * course.phases_rad))))
    phases = np.angle(np.exp(1j * (course.phases_rad - mean_phase)))
    # The mean correction is zero, so that averaging moves nothing.
    return Course(course.shifts_hz - mean_shift, course.shifts_sd_hz, phases, course.phases_sd_rad)


def _filter(fids: _Complex, inside: NDArray[np.bool_]) -> _Complex:
    return np.asarray(np.fft.ifft(np.fft.fft(fids, axis=0) * inside[:, None], axis=0))


def _common(fids: _Complex) -> _Complex:
    """Return what transients of any phase have in common, shape (points, 1): their first singular vector."""
    strongest = np.linalg.eigh(fids.conj().T @ fids)[1][:, -1:]
    common = fids @ strongest / np.sqrt(fids.shape[1])
    return np.asarray(common)


def _look_closer(
    course: Course,
    fids: _Complex,
    reference: _Complex,
    dwell_time_s: float,
    variance: float,
    settings: SpectraSettings,
) -> Course:
    """Return the course, seen on a grid about where it was."""
    use = max(16, min(fids.shape[0], round(settings.registration_window_s / dwell_time_s)))
    per_bin = max(1, round(_BIN_S / dwell_time_s))
    bins = use // per_bin
    product = (np.conj(reference) * course.undo(fids, dwell_time_s))[: bins * per_bin]
    product = product.reshape(bins, per_bin, -1).sum(axis=1)
    time = (np.arange(bins) * per_bin + (per_bin - 1) / 2) * dwell_time_s
    offsets = course.shifts_sd_hz[:, None] * np.linspace(-_WITHIN_SD, _WITHIN_SD, _FREQUENCIES)
    overlap = np.einsum("ikt,ti->ik", np.exp(-2j * np.pi * offsets[:, :, None] * time), product, optimize=True)
    width = np.minimum(_WITHIN_SD * course.phases_sd_rad, np.pi * (1 - 1 / _PHASES))
    turns = width[:, None] * np.linspace(-1, 1, _PHASES)
    likelihood = np.real(overlap[:, :, None] * np.exp(-1j * turns[:, None, :])) / variance
    places = Places(course.shifts_hz[:, None] + offsets, course.phases_rad[:, None] + turns)
    shift, shift_sd, phase, phase_sd = follow(places, likelihood)
    # No narrower than the grid that was looked at: what is lost outside of it would not be found again.
    shift_sd = np.maximum(shift_sd, 0.5 * (offsets[:, 1] - offsets[:, 0]))
    phase_sd = np.maximum(phase_sd, 0.5 * (turns[:, 1] - turns[:, 0]))
    return Course(shift, shift_sd, phase, phase_sd)


@dataclass(frozen=True)
class Averaged:
    """The mean of transients and how it came about.

    Parameters
    ----------
    fid : complex array, shape (points,)
    course : Course
        Of all transients, those left out too.
    weights : array, shape (transients,)
        Share of each in the mean; zero for those left out.
    rejected : mapping of int to str
        Which were left out, and why.
    """

    fid: _Complex
    course: Course
    weights: _Float
    rejected: Mapping[int, str]


def average_transients(
    fids: _Complex,
    spectrum: Spectrum,
    range_ppm: tuple[float, float],
    settings: SpectraSettings,
    *,
    reject: bool = True,
) -> Averaged:
    """Align transients, leave spoilt ones out and average the rest.

    The mean's signal has the size of one transient. A transient that differs more from the others than their median
    does counts less, in proportion to the energy of the difference.

    Parameters
    ----------
    fids : complex array, shape (points, transients)
    spectrum : Spectrum
        For the axes.
    range_ppm : tuple of float
        Signals to follow and to compare.
    reject : bool
        Whether spoilt transients are left out.

    References
    ----------
    Near J et al. NMR Biomed 2021;34:e4257 (rejection). Mikkelsen M et al. NMR Biomed 2020;33:e4368 (weights).
    """
    count = fids.shape[1]
    silent = ~np.abs(fids).any(axis=0)
    rejected = {int(i): "holds no signal" for i in np.flatnonzero(silent)}
    kept = np.flatnonzero(~silent)
    found = align_transients(fids[:, kept], spectrum, range_ppm, settings)
    course = found.placed(kept, count)
    aligned = found.undo(fids[:, kept], spectrum.dwell_time_s)
    if reject:
        spoilt = find_spoilt(aligned, spectrum, range_ppm, settings)
        if spoilt:  # they stood in the reference of the others
            rejected |= {int(kept[i]): reason for i, reason in spoilt.items()}
            kept = np.array([i for i in kept if int(i) not in rejected])
            found = align_transients(fids[:, kept], spectrum, range_ppm, settings)
            course = found.placed(kept, count, elsewhere=course)
            aligned = found.undo(fids[:, kept], spectrum.dwell_time_s)
    energy = _Difference.of(aligned, spectrum, range_ppm, settings).energy
    share = np.median(energy) / np.maximum(energy, max(float(np.median(energy)), 1e-300))
    share = share / share.sum() if share.sum() > 0 else np.full(kept.size, 1 / kept.size)
    weights = np.zeros(count)
    weights[kept] = share
    return Averaged(np.asarray(aligned @ share), course, weights, dict(sorted(rejected.items())))


@dataclass(frozen=True)
class _Difference:
    """How much each transient differs from the mean of the others.

    Parameters
    ----------
    energy : array, shape (transients,)
        Of the difference, over what noise alone would give.
    spread : float
        Standard deviation of the root of that energy under noise alone.
    part : array, shape (transients,)
        Size of the difference beyond noise, over the size of the signal.
    amplitude : array, shape (transients,)
        Signal in phase with the others, over theirs.
    """

    energy: _Float
    spread: float
    part: _Float
    amplitude: _Float

    @classmethod
    def of(
        cls, aligned: _Complex, spectrum: Spectrum, range_ppm: tuple[float, float], settings: SpectraSettings
    ) -> _Difference:
        count = aligned.shape[1]
        if count < 2:
            return cls(np.ones(count), 0.0, np.zeros(count), np.ones(count))
        inside = np.fft.ifftshift((spectrum.ppm > range_ppm[0]) & (spectrum.ppm < range_ppm[1]))
        seen = np.fft.fft(aligned, axis=0)[inside] / np.sqrt(aligned.shape[0])
        variance = float(noise_covariance(aligned[:, None], spectrum, settings)[0, 0].real)
        variance = max(variance, 1e-12 * float(np.mean(np.abs(seen) ** 2)), 1e-300)
        others = (seen.sum(axis=1, keepdims=True) - seen) / (count - 1)
        signal = np.sum(np.abs(others) ** 2, axis=0)
        expected = variance * (1 + 1 / (count - 1)) * seen.shape[0]
        energy = np.sum(np.abs(seen - others) ** 2, axis=0)
        signal = np.maximum(signal - expected / count, 0.01 * signal) + 1e-300
        part = np.sqrt(np.maximum(energy - expected, 0.0) / signal)
        amplitude = np.sum(np.conj(others) * seen, axis=0).real / signal
        return cls(energy / expected, 0.5 / np.sqrt(seen.shape[0]), part, amplitude)


def find_spoilt(
    aligned: _Complex, spectrum: Spectrum, range_ppm: tuple[float, float], settings: SpectraSettings
) -> dict[int, str]:
    """Return which transients are not like the others, and in what.

    A transient is spoilt if it lies far outside the spread of all (median and median absolute deviation, and no less
    than noise alone gives), and if the difference is a sizeable part of the signal. Where more than half would be,
    none is: then there is no telling which are right.
    """
    if aligned.shape[1] < settings.outlier_fewest:
        return {}
    found = _Difference.of(aligned, spectrum, range_ppm, settings)
    distance = np.sqrt(found.energy)
    middle = float(np.median(distance))
    spread = max(1.4826 * float(np.median(np.abs(distance - middle))), found.spread * max(middle, 1.0))
    beyond = (distance - middle) / spread
    far = np.flatnonzero((beyond > settings.outlier_sd) & (found.part > settings.outlier_part))
    if far.size > aligned.shape[1] // 2:
        return {}
    return {
        int(i): f"{beyond[i]:.0f} SD from the others, {100 * found.amplitude[i]:.0f} % of their signal in phase"
        for i in far
    }
