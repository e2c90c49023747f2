"""The nonlinear part of the fit: shifts, widths and phases, found by variable projection with an analytic Jacobian.

Each basis function is multiplied in time by ``exp(-2 pi i s t - pi l t - k q t**2)``: a shift s (Hz, towards higher
ppm), a Lorentz width l (Hz) and a squared Gauss width q (Hz squared). All enter the exponent linearly, so derivatives
are the same products weighted with t or t squared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from hlhneuro.spectroscopy._linear import (
    Baseline,
    LinearFit,
    gram,
    inverse_columns,
    solve_amplitudes,
    solve_positive,
    solve_products,
)

__all__ = ["GAUSS", "Model", "Prior", "Solution", "bounds", "evaluate", "evaluate_again", "optimise"]

_Float = NDArray[np.float64]
_Complex = NDArray[np.complex128]
GAUSS = np.pi**2 / (4 * np.log(2))  # exp(-GAUSS q t**2) has a Gaussian line of FWHM sqrt(q) Hz

# The first five parameters are common to all functions; then come a shift and a width for each function.
PHASE0, PHASE1, SHIFT, LORENTZ, GAUSS2 = range(5)
COMMON = 5


@dataclass(frozen=True)
class Model:
    """What is fitted, on the band of the spectrum that is used.

    Parameters
    ----------
    time_s : array, shape (band,)
        Time axis of the decimated FIDs; the last `before_zero` samples stand for times just before zero.
    fids : complex array, shape (functions, band)
        Damped already by `damped_hz`, and turned so that their ``fft`` begins with the fitted range.
    data : complex array, shape (points,)
        Spectrum of the fitted range.
    offset_ppm : array, shape (points,)
        Distance from the pivot of the first-order phase.
    gaussian : bool array, shape (functions,)
        Whose own width is Gaussian (broad signals); the others' is Lorentzian.
    baseline : Baseline
    damped_hz : float
        Lorentz width that the FIDs have on top of their own.
    before_zero : int
    """

    time_s: _Float
    fids: _Complex
    data: _Complex
    offset_ppm: _Float
    gaussian: NDArray[np.bool_]
    baseline: Baseline
    damped_hz: float
    before_zero: int

    @property
    def parameters(self) -> int:
        """Number of nonlinear parameters."""
        return COMMON + 2 * int(self.fids.shape[0])


@dataclass(frozen=True)
class Prior:
    """Gaussian prior of each nonlinear parameter (infinite sd: none) and its lower bound."""

    mean: _Float
    sd: _Float
    lower: _Float
    upper: _Float


@dataclass(frozen=True)
class Solution:
    """A point of the fit: parameters, functions at them (points, functions), linear part, phased data, residual."""

    parameters: _Float
    functions: _Complex
    damped: _Complex
    linear: LinearFit
    data: _Complex
    residual: _Complex
    cost: float


def _growth(rate: _Complex, model: Model) -> _Complex:
    """Return ``exp(rate * time)``, shape (functions, band), in the order of ``time_s``.

    The time axis is a grid of blocks: few exponentials and one product do the work of many exponentials.
    """
    step, size, late = model.time_s[1] - model.time_s[0], model.time_s.size, model.before_zero
    block = int(np.ceil(np.sqrt(size)))
    fine = np.exp(np.multiply.outer(rate, step * np.arange(block)))
    coarse = np.exp(np.multiply.outer(rate, step * (block * np.arange(-(-size // block)) - late)))
    rising = (coarse[:, :, None] * fine[:, None, :]).reshape(rate.size, -1)
    return np.concatenate([rising[:, late:size], rising[:, :late]], axis=1)


def _spectra(fids: _Complex, model: Model) -> _Complex:
    return np.ascontiguousarray(scipy.fft.fft(fids, axis=-1)[..., : model.data.size])


def evaluate(
    parameters: _Float,
    model: Model,
    stiffness: float,
    prior: Prior,
    noise_sd: float,
    free: NDArray[np.bool_] | None = None,
) -> Solution:
    """Return the best linear fit at given nonlinear parameters and the cost with the priors in it."""
    count = model.fids.shape[0]
    shift = parameters[COMMON : COMMON + count] + parameters[SHIFT]
    width = parameters[COMMON + count :]
    lorentz = parameters[LORENTZ] - model.damped_hz + np.where(model.gaussian, 0.0, width)
    damped = _growth(-(2j * np.pi * shift + np.pi * lorentz), model)
    damped *= model.fids
    squared = GAUSS * model.time_s**2
    damped *= np.exp(-parameters[GAUSS2] * squared)
    damped[model.gaussian] *= np.exp(np.multiply.outer(-width[model.gaussian], squared))
    functions = _spectra(damped, model).T
    data = model.data * np.exp(-1j * (parameters[PHASE0] + parameters[PHASE1] * model.offset_ppm))
    linear = solve_amplitudes(data, functions, model.baseline, stiffness, free)
    return _solution(parameters, functions, damped, linear, data, model, prior, noise_sd)


def evaluate_again(point: Solution, model: Model, stiffness: float, prior: Prior, noise_sd: float) -> Solution:
    """Return what `evaluate` gives at the same parameters with another stiffness or noise; functions are kept."""
    linear = solve_products(point.linear.products, model.baseline.shrinkage(stiffness), point.linear.free)
    return _solution(point.parameters, point.functions, point.damped, linear, point.data, model, prior, noise_sd)


def _solution(
    parameters: _Float,
    functions: _Complex,
    damped: _Complex,
    linear: LinearFit,
    data: _Complex,
    model: Model,
    prior: Prior,
    noise_sd: float,
) -> Solution:
    residual = data - functions @ linear.amplitudes - model.baseline.vectors @ linear.baseline
    penalty = noise_sd**2 * float(np.sum(((parameters - prior.mean) / prior.sd) ** 2))
    return Solution(parameters, functions, damped, linear, data, residual, linear.cost + penalty)


def _jacobian(point: Solution, model: Model, common_only: bool = False) -> _Complex:
    """Return d(model)/d(parameter), shape (points, parameters); columns of functions without amplitude are zero.

    With `common_only`, the columns of the parameters that each function has of its own are left out.
    """
    count = model.fids.shape[0]
    t = model.time_s
    rows = np.zeros((COMMON if common_only else model.parameters, model.data.size), dtype=np.complex128)
    rows[PHASE0] = 1j * point.data
    rows[PHASE1] = rows[PHASE0] * model.offset_ppm
    active = np.flatnonzero(point.linear.free)
    if common_only:
        summed = (point.linear.amplitudes[active] @ point.damped[active]) * t
        total, curved = _spectra(np.stack([summed, summed * t]), model)
        rows[SHIFT], rows[LORENTZ], rows[GAUSS2] = -2j * np.pi * total, -np.pi * total, -GAUSS * curved
        return rows.T
    scaled = point.damped[active] * np.multiply.outer(point.linear.amplitudes[active], t)
    by_time = _spectra(scaled, model)
    rows[COMMON + active] = -2j * np.pi * by_time
    broad = model.gaussian[active]
    rows[COMMON + count + active[~broad]] = -np.pi * by_time[~broad]
    if broad.any():
        rows[COMMON + count + active[broad]] = -GAUSS * _spectra(scaled[broad] * t, model)
    total = by_time.sum(axis=0)
    rows[SHIFT] = -2j * np.pi * total
    rows[LORENTZ] = -np.pi * total
    rows[GAUSS2] = -GAUSS * _spectra(scaled.sum(axis=0) * t, model)
    return rows.T


def optimise(
    start: _Float | Solution,
    model: Model,
    stiffness: float,
    prior: Prior,
    noise_sd: float,
    *,
    moving: Sequence[int] | None = None,
    iterations: int = 30,
    tolerance: float = 1e-5,
    last_gain: float | None = None,
) -> tuple[Solution, int]:
    """Minimise over the nonlinear parameters by Levenberg-Marquardt steps on the reduced problem.

    Parameters
    ----------
    start : array, shape (parameters,), or Solution
        Where to begin; a solution may have been found with another stiffness or noise.
    moving : sequence of int, optional
        Parameters that may change; all by default.
    tolerance : float
        Part of the cost that is not worth a step.
    last_gain : float, optional
        Part of the cost; a step that gains less is the last, as near the minimum the next would gain a tenth of it or
        less. `tolerance` by default.

    Returns
    -------
    Solution, int
        The minimum and the number of iterations.

    References
    ----------
    Golub GH, Pereyra V. Separable nonlinear least squares. Inverse Problems 2003;19:R1 (Kaufman's approximation).
    """
    chosen = np.arange(model.parameters) if moving is None else np.asarray(moving)
    if isinstance(start, Solution):
        point = evaluate_again(start, model, stiffness, prior, noise_sd)
    else:
        point = evaluate(np.clip(start, prior.lower, prior.upper), model, stiffness, prior, noise_sd)
    damping = 1e-3
    weight = (noise_sd / prior.sd) ** 2
    for iteration in range(1, iterations + 1):
        curvature, slope = _normal_equations(point, model, stiffness, chosen)
        here = point.parameters
        slope = slope - (weight * (here - prior.mean))[chosen]
        curvature.flat[:: chosen.size + 1] += weight[chosen]
        blocked = ((here[chosen] <= prior.lower[chosen]) & (slope < 0)) | (
            (here[chosen] >= prior.upper[chosen]) & (slope > 0)
        )
        improved = False
        for _ in range(8):
            step = _step(curvature, slope, ~blocked, damping)
            trial = here.copy()
            trial[chosen] += step
            trial = np.clip(trial, prior.lower, prior.upper)
            moved = (trial - here)[chosen]
            if 2 * slope @ moved - moved @ curvature @ moved < tolerance * point.cost:
                return point, iteration  # not worth a step
            candidate = evaluate(trial, model, stiffness, prior, noise_sd, point.linear.free)
            if candidate.cost < point.cost:
                improved = True
                break
            damping = min(damping * 10, 1e6)
        if not improved:
            return point, iteration
        gain = (point.cost - candidate.cost) / point.cost
        point, damping = candidate, max(damping / 10, 1e-9)
        if gain < (tolerance if last_gain is None else last_gain):
            return point, iteration
    return point, iterations


def _normal_equations(
    point: Solution, model: Model, stiffness: float, chosen: NDArray[np.int64]
) -> tuple[_Float, _Float]:
    """Return curvature and downhill direction with amplitudes and baseline eliminated."""
    keep = model.baseline.shrinkage(stiffness)
    common_only = bool(chosen.size and chosen.max() < COMMON)
    jacobian = np.ascontiguousarray(_jacobian(point, model, common_only).T[chosen]).T
    free = point.linear.free
    known = point.linear.products
    across = gram(model.baseline.vectors, jacobian)
    cross = known.cross[:, free]
    slope = gram(jacobian, point.residual[:, None])[:, 0]
    curvature = gram(jacobian, jacobian) - across.T @ (keep[:, None] * across)
    inner = known.functions[np.ix_(free, free)] - cross.T @ (keep[:, None] * cross)
    if inner.size:
        mixed = gram(np.ascontiguousarray(point.functions.T[free]).T, jacobian) - cross.T @ (keep[:, None] * across)
        inner.flat[:: inner.shape[0] + 1] += 1e-10 * np.trace(inner) / inner.shape[0]
        curvature -= mixed.T @ solve_positive(inner, mixed)
    return curvature, slope


def _step(curvature: _Float, slope: _Float, open_: NDArray[np.bool_], damping: float) -> _Float:
    step = np.zeros(slope.size)
    index = np.flatnonzero(open_ & (curvature.diagonal() > 0))
    if not index.size:
        return step
    matrix = curvature[np.ix_(index, index)].copy()
    scale = np.sqrt(matrix.diagonal())
    matrix /= np.outer(scale, scale)
    matrix.flat[:: index.size + 1] += damping + 1e-12
    step[index] = solve_positive(matrix, slope[index] / scale) / scale
    return step


def bounds(point: Solution, model: Model, stiffness: float, prior: Prior, noise_sd: float) -> tuple[_Float, _Float]:
    """Return the Cramer-Rao bound of all amplitudes as a covariance, and how far they are from the likeliest ones.

    Nonlinear parameters and baseline are unknown as well. The distance is that of one more Gauss-Newton step in all
    of them, for which the bound has everything; amplitudes that are held at zero may fall below it.

    Returns
    -------
    covariance : array, shape (functions, functions)
    step : array, shape (functions,)

    References
    ----------
    Cavassila S et al. Cramer-Rao bounds: an evaluation tool for quantitation. NMR Biomed 2001;14:278.
    """
    keep = model.baseline.shrinkage(stiffness)
    both = np.concatenate([point.functions.T, _jacobian(point, model).T]).T
    cross = gram(model.baseline.vectors, both)
    information = (gram(both, both) - cross.T @ (keep[:, None] * cross)) / noise_sd**2
    slope = gram(both, point.residual[:, None])[:, 0] / noise_sd**2
    count, here = point.functions.shape[1], point.parameters
    slope[:count][point.linear.free] = 0.0  # they are at their best already
    index = np.arange(count, information.shape[0])
    information[index, index] += 1.0 / prior.sd**2
    pull = slope[count:] - (here - prior.mean) / prior.sd**2
    blocked = ((here <= prior.lower) & (pull < 0)) | ((here >= prior.upper) & (pull > 0))
    slope[count:] = np.where(blocked, 0.0, pull)
    columns = inverse_columns(information, count)
    return columns[:count], slope @ columns
