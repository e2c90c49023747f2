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
_RENEWED = 0.02  # part of the cost; after a step that gains less, the curvature is as it was


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
    pull : array, shape (functions, functions), optional
        What soft constraints add to the inner products of the functions.
    """

    time_s: _Float
    fids: _Complex
    data: _Complex
    offset_ppm: _Float
    gaussian: NDArray[np.bool_]
    baseline: Baseline
    damped_hz: float
    before_zero: int
    pull: _Float | None = None

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


def _grown(rate: _Complex, model: Model) -> _Complex:
    """Return the FIDs times ``exp(rate * time)``, shape (functions, band).

    The time axis is a grid of blocks: few exponentials and one product do the work of many exponentials.
    """
    step, size, late = model.time_s[1] - model.time_s[0], model.time_s.size, model.before_zero
    block = int(np.ceil(np.sqrt(size)))
    fine = np.exp(np.multiply.outer(rate, step * np.arange(block)))
    coarse = np.exp(np.multiply.outer(rate, step * (block * np.arange(-(-size // block)) - late)))
    rising = (coarse[:, :, None] * fine[:, None, :]).reshape(rate.size, -1)
    grown = np.empty_like(model.fids)
    np.multiply(rising[:, late:size], model.fids[:, : size - late], out=grown[:, : size - late])
    np.multiply(rising[:, :late], model.fids[:, size - late :], out=grown[:, size - late :])
    return grown


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
    damped = _grown(-(2j * np.pi * shift + np.pi * lorentz), model)
    squared = GAUSS * model.time_s**2
    damped *= np.exp(-parameters[GAUSS2] * squared)
    damped[model.gaussian] *= np.exp(np.multiply.outer(-width[model.gaussian], squared))
    functions = _spectra(damped, model).T
    data = model.data * np.exp(-1j * (parameters[PHASE0] + parameters[PHASE1] * model.offset_ppm))
    linear = solve_amplitudes(data, functions, model.baseline, stiffness, free, model.pull)
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


def _jacobian(point: Solution, model: Model, common_only: bool = False) -> tuple[_Complex, NDArray[np.int64]]:
    """Return d(model)/d(parameter) as rows, shape (parameters, points), and which parameters these are.

    Those of functions without amplitude change nothing and are left out; with `common_only`, all parameters that each
    function has of its own.
    """
    count = model.fids.shape[0]
    t = model.time_s
    active = np.flatnonzero(point.linear.free)
    own = 0 if common_only else active.size
    rows = np.empty((COMMON + 2 * own, model.data.size), dtype=np.complex128)
    np.multiply(point.data, 1j, out=rows[PHASE0])
    np.multiply(rows[PHASE0], model.offset_ppm, out=rows[PHASE1])
    if common_only:
        summed = (point.linear.amplitudes[active] @ point.damped[active]) * t
        total, curved = _spectra(np.stack([summed, summed * t]), model)
        rows[SHIFT], rows[LORENTZ], rows[GAUSS2] = -2j * np.pi * total, -np.pi * total, -GAUSS * curved
        return rows, np.arange(COMMON)
    scaled: _Complex = point.damped[active] * np.multiply.outer(point.linear.amplitudes[active], t)
    broad = np.flatnonzero(model.gaussian[active])
    bent: _Complex = np.concatenate([scaled[broad], scaled.sum(axis=0, keepdims=True)])
    curved = _spectra(np.asarray(bent * t), model)
    by_time = _spectra(scaled, model)
    total = by_time.sum(axis=0)
    rows[SHIFT], rows[LORENTZ], rows[GAUSS2] = -2j * np.pi * total, -np.pi * total, -GAUSS * curved[-1]
    np.multiply(by_time, -2j * np.pi, out=rows[COMMON : COMMON + own])
    np.multiply(by_time, -np.pi, out=rows[COMMON + own :])
    rows[COMMON + own + broad] = -GAUSS * curved[:-1]
    return rows, np.concatenate([np.arange(COMMON), COMMON + active, COMMON + count + active])


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
    damping, gain = 1e-3, np.inf
    weight = (noise_sd / prior.sd) ** 2
    for iteration in range(1, iterations + 1):
        here = point.parameters
        if gain > _RENEWED:
            curvature = _curvature(point, model, stiffness, chosen)
            curvature.flat[:: chosen.size + 1] += weight[chosen]
        slope = (_slope(point, model) - weight * (here - prior.mean))[chosen]
        blocked = ((here[chosen] <= prior.lower[chosen]) & (slope < 0)) | (
            (here[chosen] >= prior.upper[chosen]) & (slope > 0)
        )
        limits = (prior.lower - here)[chosen], (prior.upper - here)[chosen]
        improved = False
        for _ in range(8):
            moved = _step(curvature, slope, ~blocked, damping, *limits)
            trial = here.copy()
            trial[chosen] += moved
            if 2 * slope @ moved - moved @ curvature @ moved < tolerance * point.cost:
                return point, iteration  # not worth a step
            candidate = evaluate(trial, model, stiffness, prior, noise_sd, point.linear.free)
            if candidate.cost < point.cost:
                improved = True
                break
            damping = max(10 * damping, 0.1)  # confused broad signals bend the cost: little less would do
        if not improved:
            return point, iteration
        gain = (point.cost - candidate.cost) / point.cost
        point, damping = candidate, max(damping / 10, 1e-9)
        if gain < (tolerance if last_gain is None else last_gain):
            return point, iteration
    return point, iterations


def _slope(point: Solution, model: Model) -> _Float:
    """Return the inner products of the residual with the derivatives by all parameters, which need not be formed."""
    count = model.fids.shape[0]
    beyond = np.zeros(model.time_s.size, dtype=np.complex128)
    beyond[: model.data.size] = point.residual.conj()
    by_time = scipy.fft.fft(beyond) * model.time_s  # the adjoint of what makes spectra of FIDs
    turned = point.linear.amplitudes * (point.damped @ by_time)
    broad = model.gaussian
    slope = np.empty(model.parameters)
    slope[COMMON : COMMON + count] = 2 * np.pi * turned.imag
    slope[COMMON + count :] = -np.pi * turned.real
    by_time = by_time * model.time_s
    slope[COMMON + count :][broad] = -GAUSS * point.linear.amplitudes[broad] * (point.damped[broad] @ by_time).real
    turning = -(point.data * point.residual.conj()).imag
    slope[PHASE0], slope[PHASE1] = turning.sum(), turning @ model.offset_ppm
    slope[SHIFT], slope[LORENTZ] = 2 * np.pi * turned.imag.sum(), -np.pi * turned.real.sum()
    slope[GAUSS2] = -GAUSS * float(((point.linear.amplitudes @ point.damped) @ by_time).real)
    return slope


def _curvature(point: Solution, model: Model, stiffness: float, chosen: NDArray[np.int64]) -> _Float:
    """Return the curvature of the cost with amplitudes and baseline eliminated."""
    keep = model.baseline.shrinkage(stiffness)
    rows, known = _jacobian(point, model, bool(chosen.max() < COMMON))
    if chosen.size < model.parameters:
        rows, known = rows[np.isin(known, chosen)], known[np.isin(known, chosen)]
    jacobian, free, products = rows.T, point.linear.free, point.linear.products
    across = gram(model.baseline.vectors, jacobian)
    cross = products.cross[:, free]
    bend = gram(jacobian, jacobian) - across.T @ (keep[:, None] * across)
    inner = products.functions[np.ix_(free, free)] - cross.T @ (keep[:, None] * cross)
    if inner.size:
        mixed = gram(point.functions.T[free].T, jacobian) - cross.T @ (keep[:, None] * across)
        inner.flat[:: inner.shape[0] + 1] += 1e-10 * np.trace(inner) / inner.shape[0]
        bend -= mixed.T @ solve_positive(inner, mixed)
    curvature = np.zeros((chosen.size, chosen.size))
    place = np.searchsorted(chosen, known)
    curvature[np.ix_(place, place)] = bend
    return curvature


def _step(
    curvature: _Float, slope: _Float, open_: NDArray[np.bool_], damping: float, lower: _Float, upper: _Float
) -> _Float:
    """Return the damped step within its limits: what would go beyond one stays there, and the others are told."""
    step = np.zeros(slope.size)
    open_ = open_ & (curvature.diagonal() > 0)
    while open_.any():
        index = np.flatnonzero(open_)
        matrix = curvature[index[:, None], index]
        scale = np.sqrt(matrix.diagonal())
        matrix /= np.outer(scale, scale)
        matrix.flat[:: index.size + 1] += damping + 1e-12
        right = slope[index] - curvature[index] @ np.where(open_, 0.0, step)
        step[index] = solve_positive(matrix, right / scale) / scale
        beyond = (step < lower) | (step > upper)
        step = np.clip(step, lower, upper)
        if not beyond.any():
            break
        open_ &= ~beyond
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
    rows, known = _jacobian(point, model)
    both = np.concatenate([point.functions.T, rows]).T
    cross = gram(model.baseline.vectors, both)
    information = (gram(both, both) - cross.T @ (keep[:, None] * cross)) / noise_sd**2
    slope = gram(both, point.residual[:, None])[:, 0] / noise_sd**2
    count, here = point.functions.shape[1], point.parameters[known]
    if model.pull is not None:
        information[:count, :count] += model.pull / noise_sd**2
        slope[:count] -= model.pull @ point.linear.amplitudes / noise_sd**2
    slope[:count][point.linear.free] = 0.0  # they are at their best already
    index = np.arange(count, information.shape[0])
    information[index, index] += 1.0 / prior.sd[known] ** 2
    pull = slope[count:] - (here - prior.mean[known]) / prior.sd[known] ** 2
    blocked = ((here <= prior.lower[known]) & (pull < 0)) | ((here >= prior.upper[known]) & (pull > 0))
    slope[count:] = np.where(blocked, 0.0, pull)
    columns = inverse_columns(information, count)
    return columns[:count], slope @ columns
