"""A phase that all lines share, found from the metabolites themselves where no water reference tells it.

Eddy currents turn the phase of the whole FID in time. Where the fit leaves more than noise, that phase is looked for as
a sum of decays, together with all that the fit knows, and taken from the FID; noise stays as white as it was.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hlhneuro.settings import SpectraSettings
from hlhneuro.spectroscopy import _model as nl
from hlhneuro.spectroscopy._core import Fitted, Problem, solve, spread
from hlhneuro.spectroscopy._linear import gram, solve_positive
from hlhneuro.spectroscopy.preprocessing import Prepared, make_stage

__all__ = ["Straightened", "solve_prepared", "straighten"]

_Float = NDArray[np.float64]
_Complex = NDArray[np.complex128]
NAME = "phase shared by all lines"
_STEPS = 6  # Gauss-Newton steps; made spectra need two to four
_SMALL_RAD = 0.02  # a degree: a step this small ends the search
_PROMISED = 0.5  # expert-set: part of the gain that is wanted; a first step that promises less is not tried


@dataclass(frozen=True)
class Straightened:
    """A FID without the phase that its lines share, its fit, and how much better that is.

    Parameters
    ----------
    fid : complex array, shape (points,)
    fitted : Fitted
    phase_rad : array, shape (points,)
        What was taken away.
    gain : float
        Fall of the cost in units of the variance of the noise: chi-square with as many degrees of freedom as there are
        decays where there is nothing to take away.
    """

    fid: _Complex
    fitted: Fitted
    phase_rad: _Float
    gain: float


def solve_prepared(problem: Problem, prepared: Prepared, start: Fitted | None = None) -> tuple[Prepared, Fitted]:
    """Fit a prepared spectrum, without the phase that its lines share if no water reference has taken it away.

    Returns
    -------
    prepared, fitted
        The spectrum that was fitted in the end, with a record of what was taken away, and its solution.
    """
    spectrum = prepared.spectrum
    fitted = solve(problem, spectrum.fid, start)
    found = None if prepared.eddy_corrected else straighten(problem, fitted, spectrum.fid)
    if found is None:
        return prepared, fitted
    turns_hz = np.diff(found.phase_rad) / (2 * np.pi * spectrum.dwell_time_s)
    told = {
        "method": "decaying phases fitted together with the metabolites",
        "largest_phase_deg": round(float(np.rad2deg(np.abs(found.phase_rad - found.phase_rad[0]).max())), 2),
        "largest_shift_hz": round(float(np.abs(turns_hz).max()), 3),
        "chi_square": round(found.gain, 1),
    }
    stage = make_stage(NAME, spectrum, spectrum.fid, found.fid)
    done = replace(
        prepared,
        spectrum=spectrum.with_fid(found.fid),
        record=(*prepared.record, (NAME, told)),
        stages=(*prepared.stages, stage),
    )
    return done, found.fitted


def straighten(problem: Problem, fitted: Fitted, fid: _Complex) -> Straightened | None:
    """Return the spectrum without a common phase distortion; None where the fit leaves little, or gains little.

    Parameters
    ----------
    problem : Problem
    fitted : Fitted
        Solution for `fid`.
    fid : complex array, shape (points,)
    """
    settings = problem.settings
    if spread(fitted.solution.residual) < settings.lineshape_residual_ratio * fitted.noise_sd:
        return None
    # What the fit leaves beyond noise has many causes; this one has to explain a good part of it.
    beyond = (spread(fitted.solution.residual) / fitted.noise_sd) ** 2 - 1.0
    wanted = max(settings.lineshape_gain, settings.lineshape_part * beyond * 2 * fitted.model.data.size)
    shapes = _decays(problem.time_s, np.abs(fid), settings)
    amounts, best, here = np.zeros(len(shapes)), fitted, fid
    for _ in range(_STEPS):
        moved, promised = _step(problem, best, here, shapes, amounts)
        if best is fitted and promised < _PROMISED * wanted * fitted.noise_sd**2:
            return None
        turned = fid * np.exp(-1j * ((amounts + moved) @ shapes))
        again = solve(problem, turned, best)
        if again.solution.linear.cost >= best.solution.linear.cost:
            break
        amounts, best, here = amounts + moved, again, turned
        if np.abs(moved).max() < _SMALL_RAD:
            break
    if best is fitted:
        return None
    # With the phase put back, from the same start: what another baseline gains is not the phase's.
    back = solve(problem, fid, best)
    without = min(back.solution.linear.cost, fitted.solution.linear.cost)
    gain = (without - best.solution.linear.cost) / fitted.noise_sd**2
    gain -= float(np.sum((amounts / settings.lineshape_sd_rad) ** 2))
    if gain < wanted:
        return None
    return Straightened(here, best, amounts @ shapes, gain)


def _decays(time_s: _Float, weight: _Float, settings: SpectraSettings) -> _Float:
    """Return phases that grow to one with several time constants, shape (decays, points).

    What is like a constant or a slope is taken off where there is signal: phase and offset are the fit's.
    """
    grown = 1.0 - np.exp(-time_s / np.array(settings.lineshape_decays_s)[:, None])
    root = weight / weight.max()
    plain = np.stack([np.ones_like(time_s), time_s / time_s[-1]])
    fitted = np.linalg.lstsq((plain * root).T, (grown * root).T, rcond=None)[0]
    return np.asarray(grown - fitted.T @ plain)


def _step(problem: Problem, fitted: Fitted, fid: _Complex, shapes: _Float, amounts: _Float) -> tuple[_Float, float]:
    """Return the Gauss-Newton step of the decays, all else free as well, and by how much it should lower the cost."""
    point, model, settings = fitted.solution, fitted.model, problem.settings
    phase = point.parameters[nl.PHASE0] + point.parameters[nl.PHASE1] * model.offset_ppm
    spectra = np.fft.fftshift(np.fft.fft(shapes * fid, axis=-1), axes=-1)
    turned = np.stack([problem.moved_back(row, fitted.start.shift_hz) for row in spectra])
    rows, known = nl._jacobian(point, model)
    both = np.concatenate([point.functions.T[point.linear.free], rows, 1j * turned * np.exp(-1j * phase)]).T
    cross = gram(model.baseline.vectors, both)
    information = gram(both, both) - cross.T @ (point.linear.keep[:, None] * cross)
    slope = gram(both, point.residual[:, None])[:, 0]
    left = max(fitted.noise_sd, spread(point.residual))
    count, decays = int(point.linear.free.sum()), len(shapes)
    weight = np.concatenate([np.zeros(count), problem.prior.sd[known] ** -2.0, np.full(decays, 1.0)])
    weight[-decays:] = settings.lineshape_sd_rad**-2.0
    slope[count:-decays] -= left**2 * (point.parameters[known] - problem.prior.mean[known]) * weight[count:-decays]
    slope[-decays:] -= left**2 * amounts * weight[-decays:]
    information.flat[:: len(slope) + 1] += left**2 * weight
    scale = np.sqrt(np.clip(np.diag(information), 1e-300, None))
    scaled = information / np.outer(scale, scale)
    scaled.flat[:: len(slope) + 1] += 1e-9
    columns = solve_positive(scaled, np.eye(len(slope))[:, -decays:]) / (scale[:, None] * scale[-decays:])
    moved = slope @ columns
    return np.asarray(moved), float(moved @ solve_positive(columns[-decays:], moved))
