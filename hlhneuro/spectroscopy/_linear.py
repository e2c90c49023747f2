"""The linear part of the fit: non-negative amplitudes on a penalised spline baseline, by small normal equations."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh
from scipy.linalg.lapack import dposv

__all__ = [
    "Baseline",
    "LinearFit",
    "Products",
    "gram",
    "inverse_columns",
    "left_by",
    "make_baseline",
    "non_negative",
    "solve_amplitudes",
    "solve_positive",
    "solve_products",
]

_Float = NDArray[np.float64]
_Complex = NDArray[np.complex128]


@dataclass(frozen=True)
class Baseline:
    """A spline baseline in the basis where roughness is diagonal.

    Parameters
    ----------
    vectors : complex array, shape (points, splines)
        Orthonormal in the real inner product; each is causal, so that its imaginary part belongs to its real part.
    roughness : float array, shape (splines,)
        Integrated squared curvature of each vector, relative.
    """

    vectors: _Complex
    roughness: _Float

    def shrinkage(self, stiffness: float | _Float) -> _Float:
        """Return by what factor each coefficient is kept under a penalty, of shape (.., 1) if there are several."""
        return np.asarray(1.0 / (1.0 + stiffness * self.roughness))

    def stiffness_for(self, effective_dimensions: float) -> float:
        """Return the penalty at which the baseline has so many effective dimensions.

        References
        ----------
        Eilers PHC, Marx BD. Flexible smoothing with B-splines and penalties. Stat Sci 1996;11:89.
        """
        return float(self.stiffnesses_for((effective_dimensions,))[0])

    def stiffnesses_for(self, effective_dimensions: tuple[float, ...]) -> _Float:
        """Return `stiffness_for` of several numbers of effective dimensions."""
        return _stiffnesses_for(self.roughness.tobytes(), effective_dimensions)


@lru_cache(maxsize=256)
def _stiffnesses_for(roughness: bytes, effective_dimensions: tuple[float, ...]) -> _Float:
    values = np.frombuffer(roughness, dtype=np.float64)
    return np.array([_stiffness_for(values, each) for each in effective_dimensions])


def _stiffness_for(values: _Float, effective_dimensions: float) -> float:
    low, high = -20.0, 20.0
    for _ in range(60):
        middle = (low + high) / 2
        if np.sum(1.0 / (1.0 + 10.0**middle * values)) > effective_dimensions:
            low = middle
        else:
            high = middle
    return float(10.0 ** ((low + high) / 2))


@lru_cache(maxsize=16)
def make_baseline(all_points: int, start: int, stop: int, splines: int) -> Baseline:
    """Make a cubic spline baseline over part of a spectrum.

    Parameters
    ----------
    all_points : int
        Points of the whole spectrum.
    start, stop : int
        The fitted range in it.
    splines : int
        Number of splines over the fitted range; three more on each side carry what leaks in from beyond it.
    """
    step = (stop - 1 - start) / (splines - 3)
    count = splines + 6
    index = np.arange(all_points, dtype=np.float64)
    centres = start + step * (np.arange(count) - 4.0)
    away = np.abs(index[:, None] - centres) / step
    # The cubic B-spline on a regular grid, by its two pieces (scipy.interpolate takes long to load).
    real = np.clip(2.0 - away, 0.0, None) ** 3 / 6.0 - np.clip(1.0 - away, 0.0, None) ** 3 * (2.0 / 3.0)
    # A smooth signal is short in time: keeping the first half of the time axis makes it causal.
    time = np.fft.ifft(np.fft.ifftshift(real, axes=0), axis=0)
    time[1 : all_points // 2] *= 2
    time[all_points // 2 :] = 0
    smooth = np.fft.fftshift(np.fft.fft(time, axis=0), axes=0)[start:stop]
    # The first sample of a FID is often wrong (receiver opening, halved by convention): a complex constant is free.
    constant = np.ones((stop - start, 1), dtype=np.complex128)
    columns = np.concatenate([smooth, constant, 1j * constant], axis=1)
    curvature = np.zeros((count - 2, count + 2))
    curvature[:, :count] = np.diff(np.eye(count), n=2, axis=0)
    size, axes = eigh(gram(columns, columns))
    good = size > 1e-8 * size[-1]
    axes = axes[:, good] / np.sqrt(size[good])
    bent = curvature @ axes
    roughness, rotation = eigh(bent.T @ bent)
    return Baseline(np.ascontiguousarray((columns @ (axes @ rotation)).T).T, np.clip(roughness, 0.0, None))


def gram(left: _Complex, right: _Complex) -> _Float:
    """Return the real inner products of complex columns."""
    return np.asarray(_real_rows(left) @ _real_rows(right).T)


def _real_rows(columns: _Complex) -> _Float:
    """Return complex columns as rows of real numbers; without a copy where the columns lie one after the other."""
    return np.ascontiguousarray(columns.T).view(np.float64)


@dataclass(frozen=True)
class Products:
    """All that the linear fit has to know of functions and data: their real inner products.

    Parameters
    ----------
    functions : array, shape (functions, functions)
        With what pulls at amplitudes, where there is something.
    cross : array, shape (splines, functions)
    data : array, shape (functions,)
    along : array, shape (splines,)
        Of the baseline with the data.
    energy : float
        Of the data with themselves.
    """

    functions: _Float
    cross: _Float
    data: _Float
    along: _Float
    energy: float


@dataclass(frozen=True)
class LinearFit:
    """Amplitudes (not negative), baseline coefficients, penalised sum of squares and which amplitudes are free.

    `products` are those it was solved with, `keep` how much of each baseline coefficient was kept; `left` is the sum of
    squares without the penalty.
    """

    amplitudes: _Float
    baseline: _Float
    cost: float
    left: float
    free: NDArray[np.bool_]
    products: Products
    keep: _Float


def solve_amplitudes(
    data: _Complex,
    functions: _Complex,
    baseline: Baseline,
    stiffness: float,
    free: NDArray[np.bool_] | None = None,
    pull: _Float | None = None,
) -> LinearFit:
    """Fit non-negative amplitudes and the penalised baseline to one phased spectrum.

    Parameters
    ----------
    data : array, shape (points,)
    functions : array, shape (points, functions)
    free : bool array, optional
        Which amplitudes are likely positive: a warm start that changes the time, not the result.
    pull : array, shape (functions, functions), optional
        Added to the inner products of the functions: further rows of the fit whose data are zero.
    """
    rows, splines, one = _real_rows(functions), _real_rows(baseline.vectors), data.view(np.float64)
    inner = rows @ rows.T if pull is None else rows @ rows.T + pull
    products = Products(inner, splines @ rows.T, rows @ one, splines @ one, float(one @ one))
    return solve_products(products, baseline.shrinkage(stiffness), free)


def solve_products(products: Products, keep: _Float, free: NDArray[np.bool_] | None = None) -> LinearFit:
    """Solve the linear fit when each baseline coefficient is kept to the part `keep` (see `Baseline.shrinkage`)."""
    cross, along = products.cross, products.along
    matrix = products.functions - cross.T @ (keep[:, None] * cross)
    right = products.data - cross.T @ (keep * along)
    amplitudes, free = non_negative(matrix, right, free)
    offered = along - cross @ amplitudes
    coefficients = keep * offered
    rest = products.energy - 2 * amplitudes @ products.data + amplitudes @ products.functions @ amplitudes
    cost = float(rest - offered @ coefficients)
    left = float(rest - 2 * offered @ coefficients + coefficients @ coefficients)
    return LinearFit(amplitudes, coefficients, cost, left, free, products, keep)


def left_by(products: Products, keeps: _Float, free: NDArray[np.bool_]) -> _Float:
    """Return the sum of squares that each of several baselines leaves, with the same amplitudes free.

    Parameters
    ----------
    keeps : array, shape (choices, splines)
        How much of each baseline coefficient is kept, see `Baseline.shrinkage`.
    """
    cross, data = products.cross[:, free], products.data[free]
    functions = products.functions[np.ix_(free, free)]
    matrix = functions - (cross.T * keeps[:, None]) @ cross
    matrix += 1e-10 * np.diag(np.diag(functions))  # two equal functions share their signal instead of failing
    right = data - (keeps * products.along) @ cross
    amplitudes = np.linalg.solve(matrix, right[..., None])[..., 0]
    offered = products.along - amplitudes @ cross.T
    kept = keeps * offered
    rest = products.energy - 2 * amplitudes @ data + np.sum((amplitudes @ functions) * amplitudes, axis=1)
    return np.asarray(rest - np.sum((2 * offered - kept) * kept, axis=1))


def non_negative(
    matrix: _Float, right: _Float, free: NDArray[np.bool_] | None = None
) -> tuple[_Float, NDArray[np.bool_]]:
    """Minimise ``x' A x / 2 - b' x`` over ``x >= 0``; return x and which entries are free.

    References
    ----------
    Bro R, De Jong S. A fast non-negativity-constrained least squares algorithm. J Chemometrics 1997;11:393.
    """
    scale = np.sqrt(np.clip(np.diag(matrix), 1e-300, None))
    a = matrix / np.outer(scale, scale)
    a.flat[:: right.size + 1] += 1e-10  # two equal functions share their signal instead of failing
    b = right / scale
    tolerance = 1e-10 * (np.abs(b).max() + 1e-300)
    free = np.ones(b.size, dtype=bool) if free is None else free.copy()
    x = np.zeros(b.size)
    if free.any():
        # A warm start has to be feasible: let go of the negative ones until none is left.
        while free.any():
            x[:] = 0.0
            x[free] = _solve(a, b, free)
            if x[free].min() > 0:
                break
            free &= x > 0
        if not free.any():
            x[:] = 0.0
    for _ in range(6 * b.size):
        gradient = np.where(free, -np.inf, b - a @ x)
        entering = int(np.argmax(gradient))
        if gradient[entering] <= tolerance:
            break
        free[entering] = True
        while True:
            trial = np.zeros(b.size)
            trial[free] = _solve(a, b, free)
            if trial[free].min() > 0:
                x = trial
                break
            falling = free & (trial <= 0)
            step = np.min(x[falling] / (x[falling] - trial[falling] + 1e-300))
            x += step * (trial - x)
            leaving = falling & (x <= 1e-14 * (np.abs(x).max() + 1e-300))
            free &= ~leaving
            x[~free] = 0.0
            if not free.any():
                break
    return x / scale, free


def _solve(a: _Float, b: _Float, free: NDArray[np.bool_]) -> _Float:
    index = np.flatnonzero(free)
    return solve_positive(a[index[:, None], index], b[index])


def solve_positive(matrix: _Float, right: _Float) -> _Float:
    """Solve with a symmetric positive matrix; by least squares where it is singular."""
    _, x, failed = dposv(matrix, right)
    if failed:
        x = np.linalg.lstsq(matrix, right, rcond=1e-10)[0]
    return np.asarray(x, dtype=np.float64)


def inverse_columns(matrix: _Float, count: int) -> _Float:
    """Return the first columns of the inverse of a symmetric positive matrix; of the pseudo-inverse if singular."""
    scale = np.sqrt(np.clip(np.diag(matrix), 1e-300, None))
    scaled = matrix / np.outer(scale, scale)
    factor, columns, failed = dposv(scaled, np.eye(len(matrix), count))
    if failed or factor.diagonal().min() ** 2 < 1e-11:
        columns = np.linalg.pinv(scaled, rcond=1e-12, hermitian=True)[:, :count]
    return np.asarray(columns / np.outer(scale, scale[:count]))
