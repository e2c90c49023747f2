"""What non-negativity tells about amplitudes: moments of a normal distribution that is cut off at zero."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.lapack import dposv
from scipy.special import log_ndtr

__all__ = ["cut_at_zero"]

_Float = NDArray[np.float64]
_SWEEPS = 12
_SETTLED = 3e-4  # of a standard deviation
_FAR = 8.0  # standard deviations from zero, where the cut is not felt
_DAMPING = 0.8  # parallel updates of confused amplitudes overshoot otherwise


def cut_at_zero(mean: _Float, covariance: _Float) -> tuple[_Float, _Float]:
    """Return mean and covariance of normal amplitudes, given that none is negative.

    Parameters
    ----------
    mean : array, shape (amplitudes,)
        Without the constraint; entries may be negative.
    covariance : array, shape (amplitudes, amplitudes)

    Returns
    -------
    mean, covariance : array
        By expectation propagation: exact for one amplitude, close for several.

    References
    ----------
    Minka TP. Expectation propagation for approximate Bayesian inference. UAI 2001;17:362.
    Cunningham JP, Hennig P, Lacoste-Julien S. Gaussian probabilities and expectation propagation. arXiv:1111.6832.
    """
    scale = np.sqrt(np.clip(np.diag(covariance), 1e-300, None))
    start, first = covariance / np.outer(scale, scale), mean / scale
    near = np.flatnonzero(first < _FAR)
    rows = start[near]
    one, here, at = np.eye(near.size), start, first
    precision, pull = np.zeros(near.size), np.zeros(near.size)
    for _ in range(_SWEEPS if near.size else 0):
        variance = np.clip(here.diagonal()[near], 1e-12, None)
        rest = 1.0 / np.clip(1.0 / variance - precision, 1e-6, None)  # what the others say of each amplitude
        centre = rest * (at[near] / variance - pull)
        root = np.sqrt(rest)
        z = centre / root
        ratio = np.exp(-0.5 * z**2 - 0.5 * np.log(2 * np.pi) - log_ndtr(z))
        spread = np.clip(rest * (1.0 - ratio * (z + ratio)), 1e-9 * rest, rest)
        wanted = np.clip(1.0 / spread - 1.0 / rest, 0.0, None)
        precision = precision + _DAMPING * (wanted - precision)
        pull = pull + _DAMPING * ((centre + root * ratio) / spread - centre / rest - pull)
        # The update of Rasmussen and Williams 2006, eq. 3.68: no inverse of a covariance that is nearly singular.
        soft = np.sqrt(precision)
        side = soft[:, None] * rows
        inner = one + side[:, near] * soft
        here = start - side.T @ dposv(inner, side)[1]  # its eigenvalues are at least one
        before, at = at, first + here[:, near] @ (pull - precision * first[near])
        if np.abs(at - before).max() < _SETTLED:
            break
    return at * scale, here * np.outer(scale, scale)
