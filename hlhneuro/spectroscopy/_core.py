"""From a prepared spectrum and a basis that suits it to a fitted solution.

What spectra of one acquisition share (`Problem`) is made once and kept; `solve` then needs the FID alone, and starts
from the solution of a like spectrum (a neighbour in a grid) where one is given.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from hlhneuro.settings import SpectraSettings
from hlhneuro.spectroscopy import _model as nl
from hlhneuro.spectroscopy._linear import left_by, make_baseline
from hlhneuro.spectroscopy._ratio_priors import NO_PRIORS, check_choice, ratio_pull
from hlhneuro.spectroscopy._start import Start, Templates, find_start, make_templates, noise_sd
from hlhneuro.spectroscopy._truncation import cut_at_zero
from hlhneuro.spectroscopy.basis import Basis

__all__ = ["Fitted", "Problem", "make_problem", "solve", "spread"]


@dataclass(frozen=True)
class Problem:
    """What all spectra of one acquisition share.

    Parameters
    ----------
    basis : Basis
        With lipid and macromolecule functions, on the time axis of the spectra.
    time_s, ppm : array, shape (points,)
        Of the acquired FID and of its ``fftshift(fft)``.
    fitted : slice
        The fitted range of that spectrum.
    model : Model
        Basis functions cut to the band that is used; holds no data.
    prior : Prior
    templates : Templates
        For the search of start values.
    settings : SpectraSettings
    """

    basis: Basis
    time_s: NDArray[np.float64]
    ppm: NDArray[np.float64]
    fitted: slice
    model: nl.Model
    prior: nl.Prior
    templates: Templates
    settings: SpectraSettings

    def whole_bins(self, shift_hz: float) -> float:
        """Return the nearest offset by which spectra can be moved without interpolation."""
        duration_s = self.templates.duration_s
        return round(shift_hz * duration_s) / duration_s

    def moved_back(self, spectrum: NDArray[np.complex128], shift_hz: float) -> NDArray[np.complex128]:
        """Return the fitted range of ``fftshift(fft)`` moved back by an offset of whole bins.

        One model then serves every spectrum. Fractions of a bin stay with the model: cut at another place in the noise,
        a spectrum has another fit.
        """
        bins = round(shift_hz * self.templates.duration_s)
        return np.take(spectrum, np.arange(self.fitted.start, self.fitted.stop) - bins, mode="wrap")


@dataclass(frozen=True)
class Fitted:
    """One solved spectrum.

    Parameters
    ----------
    model : Model
        With the data of this spectrum, moved back by ``start.shift_hz``.
    solution : Solution
        With the amplitudes that are expected, given that none is negative.
    covariance : array, shape (functions, functions)
        Of these amplitudes.
    noise_sd : float
        Per channel of the spectrum, where no proton resonates.
    stiffness, flexibility : float
        Penalty of the baseline; effective dimensions per ppm that it leaves.
    start : Start
    iterations : int
    """

    model: nl.Model
    solution: nl.Solution
    covariance: NDArray[np.float64]
    noise_sd: float
    stiffness: float
    flexibility: float
    start: Start
    iterations: int

    @property
    def shift_hz(self) -> float:
        """Offset of the data towards higher ppm."""
        return self.start.shift_hz + float(self.solution.parameters[nl.SHIFT])

    @property
    def baseline(self) -> NDArray[np.complex128]:
        """The baseline, on the points of the data."""
        return np.asarray(self.model.baseline.vectors @ self.solution.linear.baseline)

    @property
    def unexplained(self) -> float:
        """Part of the signal (root mean square, noise and baseline taken off) that the fit leaves."""
        left, signal = spread(self.solution.residual), spread(self.solution.data - self.baseline)
        return float(np.sqrt(max(left**2 - self.noise_sd**2, 0.0)) / max(signal, 1e-300))


def make_problem(basis: Basis, settings: SpectraSettings) -> Problem:
    """Prepare what the spectra of one acquisition share; kept for the next spectrum of the same basis.

    The band that is kept is twice the fitted range: the model's FIDs then have few points, and the fit is fast.

    Parameters
    ----------
    basis : Basis
        With lipid and macromolecule functions, on the time axis of the spectra.
    """
    check_choice(settings.ratio_priors)
    return replace(_made_problem(_Content(basis), settings), basis=basis)


class _Content:
    """A basis as a key: equal to one of the same functions, wherever both came from."""

    def __init__(self, basis: Basis) -> None:
        self.basis = replace(basis, fids=basis.fids.copy())  # the key must not change with the caller's array
        axis = (basis.dwell_time_s, basis.spectrometer_frequency_mhz, basis.reference_ppm)
        self.facts = (basis.names, basis.kinds, basis.fids.shape, axis)

    def __hash__(self) -> int:
        return hash(self.facts)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, _Content):
            return NotImplemented
        return self.facts == other.facts and np.array_equal(self.basis.fids, other.basis.fids)


@lru_cache(maxsize=4)
def _made_problem(content: _Content, settings: SpectraSettings) -> Problem:
    basis = content.basis
    ppm = np.asarray(np.fft.fftshift(basis.ppm), dtype=np.float64)
    time = np.arange(basis.points) * basis.dwell_time_s
    index = np.flatnonzero((ppm > settings.fit_low_ppm) & (ppm < settings.fit_high_ppm))
    first, last = int(index[0]), int(index[-1]) + 1
    size = min(basis.points, scipy.fft.next_fast_len(2 * (last - first)))
    band_start = min(max(0, (first + last - size) // 2), basis.points - size)
    duration = basis.points * basis.dwell_time_s
    # Damped to a thousandth at their end, FIDs do not wrap around when the band is cut; the fit takes it off again.
    damped_hz = float(np.log(1000.0) / (np.pi * duration))
    prior = _make_prior(basis, settings)
    # Sharpened by what a line may be narrower than usual, broad FIDs only ever decay: growth would raise what leaks.
    sharpened = prior.mean[nl.COMMON + len(basis.names) :] * np.array([kind != "metabolite" for kind in basis.kinds])
    damping = np.exp(np.multiply.outer(nl.GAUSS * sharpened, time**2) - np.pi * damped_hz * time)
    spectra = np.fft.fftshift(np.fft.fft(basis.fids * damping, axis=-1), axes=-1)[:, band_start : band_start + size]
    fids = np.fft.ifft(np.fft.ifftshift(spectra, axes=-1), axis=-1)
    # Cutting the band smears the sharp onset of a FID to slightly negative times, which sit at the end of the axis.
    place = np.arange(size)
    before_zero = size // 16
    place = np.where(place >= size - before_zero, place - size, place)
    # The band's centre is frequency zero of its FIDs: turned back, the fitted range comes first.
    turn = np.exp(-2j * np.pi * place * (first - band_start - size // 2) / size)
    splines = round(settings.baseline_splines_per_ppm * (settings.fit_high_ppm - settings.fit_low_ppm))
    model = nl.Model(
        time_s=np.asarray(place * (duration / size), dtype=np.float64),
        fids=np.asarray(fids * turn),
        data=np.zeros(last - first, dtype=np.complex128),
        offset_ppm=ppm[first:last] - (settings.fit_low_ppm + settings.fit_high_ppm) / 2,
        gaussian=np.array([kind != "metabolite" for kind in basis.kinds]),
        baseline=make_baseline(size, first - band_start, last - band_start, splines),
        damped_hz=damped_hz,
        before_zero=before_zero,
    )
    fitted, band = slice(first, last), slice(band_start, band_start + size)
    templates = make_templates(basis, fitted, band, settings.longest_start_shift_ppm)
    return Problem(basis, np.asarray(time, dtype=np.float64), ppm, fitted, model, prior, templates, settings)


def solve(problem: Problem, fid: NDArray[np.complex128], start: Fitted | None = None) -> Fitted:
    """Find start values, choose the baseline's stiffness, fit everything, bound the errors.

    Parameters
    ----------
    fid : complex array, shape (points,)
        Averaged and without residual water.
    start : Fitted, optional
        Solution of a like spectrum of the same problem, to start from instead of a search.
    """
    settings, prior, most = problem.settings, problem.prior, problem.settings.most_iterations
    whole = np.fft.fftshift(np.fft.fft(fid))
    noise = noise_sd(whole, problem.ppm)
    if start is None:
        found = find_start(whole, problem.templates)
        parameters = prior.mean.copy()
        parameters[[nl.PHASE0, nl.LORENTZ]] = found.phase_rad, found.width_hz / 2
        parameters[nl.GAUSS2] = (found.width_hz / 2) ** 2
        parameters[nl.SHIFT] = found.shift_hz - problem.whole_bins(found.shift_hz)
        found = replace(found, shift_hz=problem.whole_bins(found.shift_hz))
    else:
        found, parameters = start.start, start.solution.parameters.copy()
    model = replace(problem.model, data=problem.moved_back(whole, found.shift_hz))
    span = settings.fit_high_ppm - settings.fit_low_ppm
    # Where each stage ends was chosen on made spectra: of all amplitudes 95 in 100 come within .04 of their bound of a
    # fit that goes on until nothing changes. The first two stages only lead to the last.
    if start is None:
        stiffness = model.baseline.stiffness_for(1.0 * span + 2)
        common = (nl.PHASE0, nl.SHIFT, nl.LORENTZ, nl.GAUSS2)
        point, first = nl.optimise(
            parameters, model, stiffness, prior, noise, moving=common, iterations=10, tolerance=1e-3, last_gain=1e-2
        )
    else:
        point, first = nl.evaluate(parameters, model, start.stiffness, prior, noise), 0
    stiffness, flexibility = _choose_stiffness(point, model, span, settings)
    # Priors are weighed against what the model cannot explain, not against thermal noise alone.
    left = max(noise, spread(point.residual))
    point, second = nl.optimise(point, model, stiffness, prior, left, iterations=most, tolerance=1e-2, last_gain=2e-1)
    # Now the offset is known to a part of a bin: wherever the search ended, the same points are fitted.
    offset_hz = found.shift_hz + float(point.parameters[nl.SHIFT])
    if problem.whole_bins(offset_hz) != found.shift_hz:
        found = replace(found, shift_hz=problem.whole_bins(offset_hz))
        model = replace(model, data=problem.moved_back(whole, found.shift_hz))
        parameters = point.parameters.copy()
        parameters[nl.SHIFT] = offset_hz - found.shift_hz
        point = nl.evaluate(parameters, model, stiffness, prior, left, point.linear.free)
    stiffness, flexibility = _choose_stiffness(point, model, span, settings)
    left = max(noise, spread(point.residual))
    if settings.ratio_priors != NO_PRIORS:
        model = replace(model, pull=left**2 * ratio_pull(problem.basis.names, point.linear.amplitudes))
        point = nl.evaluate(point.parameters, model, stiffness, prior, left, point.linear.free)
    point, third = nl.optimise(point, model, stiffness, prior, left, iterations=most, tolerance=2e-5, last_gain=5e-4)
    left = max(noise, spread(point.residual))
    point, bound = _expected(point, model, *nl.bounds(point, model, stiffness, prior, left))
    return Fitted(model, point, bound, noise, stiffness, flexibility, found, first + second + third)


def _expected(
    point: nl.Solution, model: nl.Model, bound: NDArray[np.float64], step: NDArray[np.float64]
) -> tuple[nl.Solution, NDArray[np.float64]]:
    """Return the solution with amplitudes that are expected, instead of likeliest, and their covariance.

    The likeliest amplitude of a weak metabolite is often zero, and that of two like ones all or nothing. The mean of
    what the data allow errs less, and its covariance knows that nothing is negative, which a Cramer-Rao bound does not.
    """
    linear = point.linear
    amplitudes, covariance = cut_at_zero(linear.amplitudes + step, bound)
    offered = linear.products.along - linear.products.cross @ amplitudes
    baseline = linear.keep * offered
    residual = point.data - point.functions @ amplitudes - model.baseline.vectors @ baseline
    linear = replace(linear, amplitudes=amplitudes, baseline=baseline)
    return replace(point, linear=linear, residual=residual), covariance


def spread(residual: NDArray[np.complex128]) -> float:
    """Return the standard deviation per channel."""
    return float(np.sqrt(np.mean(np.abs(residual) ** 2) / 2))


def _make_prior(basis: Basis, settings: SpectraSettings) -> nl.Prior:
    hz = basis.spectrometer_frequency_mhz
    count = len(basis.names)
    size = nl.COMMON + 2 * count
    mean, sd = np.zeros(size), np.full(size, np.inf)
    lower, upper = np.full(size, -np.inf), np.full(size, np.inf)
    sd[nl.PHASE1] = np.deg2rad(settings.phase1_sd_deg_per_ppm)
    lower[nl.LORENTZ], upper[nl.LORENTZ] = 0.0, 0.3 * hz
    lower[nl.GAUSS2], upper[nl.GAUSS2] = 0.0, (0.3 * hz) ** 2
    lower[nl.SHIFT], upper[nl.SHIFT] = -0.1 * hz, 0.1 * hz
    broad = 2 * 0.14 * settings.broad_width_sd_ppm * hz**2  # d(w**2) = 2 w dw at the width of lipid lines
    for i, (name, kind) in enumerate(zip(basis.names, basis.kinds, strict=True)):
        shift, width = nl.COMMON + i, nl.COMMON + count + i
        if kind == "metabolite":
            sd[shift], sd[width] = settings.shift_sd_ppm * hz, settings.lorentz_sd_hz
            lower[width], upper[width] = -3 * sd[width], 3 * sd[width]
        else:  # a lipid line may lose half its squared width, a measured background cannot be sharpened
            measured = kind == "macromolecule" and not name.startswith("MM")
            sd[shift] = hz * (settings.measured_mm_shift_sd_ppm if measured else settings.broad_shift_sd_ppm)
            sd[width], upper[width] = broad, 4 * broad
            lower[width], mean[width] = 0.0, 0.0 if measured else 0.5 * (0.089 * hz) ** 2
        lower[shift], upper[shift] = -3 * sd[shift], 3 * sd[shift]
    return nl.Prior(mean, sd, lower, upper)


def _choose_stiffness(
    point: nl.Solution, model: nl.Model, span_ppm: float, settings: SpectraSettings
) -> tuple[float, float]:
    """Return the penalty and its effective dimensions per ppm that a penalised likelihood prefers."""
    offered = settings.baseline_flexibility_per_ppm
    penalties = model.baseline.stiffnesses_for(tuple(each * span_ppm + 2 for each in offered))
    keeps = model.baseline.shrinkage(penalties[:, None])
    left = left_by(point.linear.products, keeps, point.linear.free)
    samples = 2 * model.data.size
    best = int(np.argmin(np.log(left) + 2 * settings.baseline_aic_factor * keeps.sum(axis=1) / samples))
    return float(penalties[best]), offered[best]
