"""Frequency and phase of noisy transients as a course in time: what each one says, and what its neighbours say.

Where a transient is clear, it is believed; where it is drowned in noise, the course between its neighbours is. How much
a course may move from one transient to the next is itself found from all of them, by the evidence for each choice.

References
----------
Rabiner LR. A tutorial on hidden Markov models. Proc IEEE 1989;77:257 (forward-backward).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Places", "follow"]

_Float = NDArray[np.float64]
# Steps from one transient to the next that are offered: frequency (Hz) and phase (rad), from none to free.
_STEPS_HZ = (0.02, 0.1, 0.4, 1.6)
_STEPS_RAD = (0.01, 0.05, 0.2, 0.8)
_JUMP = 0.02  # how often a step is of any size: a head that moved, a frequency set anew


@dataclass(frozen=True)
class Places:
    """Where each transient may be: a grid of frequencies and phases about where it was last seen.

    Parameters
    ----------
    shifts_hz : array, shape (transients, frequencies)
    phases_rad : array, shape (transients, phases)
    """

    shifts_hz: _Float
    phases_rad: _Float


def follow(places: Places, log_likelihood: _Float) -> tuple[_Float, _Float, _Float, _Float]:
    """Return the mean and standard deviation of frequency and phase of each transient, given all.

    Parameters
    ----------
    places : Places
    log_likelihood : array, shape (transients, frequencies, phases)

    Returns
    -------
    shifts_hz, shifts_sd_hz, phases_rad, phases_sd_rad : arrays, shape (transients,)
    """
    likelihood = np.exp(log_likelihood - log_likelihood.max(axis=(1, 2), keepdims=True))
    steps_hz, steps_rad = np.repeat(_STEPS_HZ, len(_STEPS_RAD)), np.tile(_STEPS_RAD, len(_STEPS_HZ))
    evidence = _forward(places, likelihood, steps_hz, steps_rad)[1]
    best = int(np.argmax(evidence))
    chosen = steps_hz[best : best + 1], steps_rad[best : best + 1]
    forward = _forward(places, likelihood, *chosen)[0][:, 0]
    backward = _backward(places, likelihood, *chosen)[:, 0]
    posterior = forward * backward
    posterior /= posterior.sum(axis=(1, 2), keepdims=True)
    shift, shift_sd = _moments(posterior.sum(axis=2), places.shifts_hz)
    by_phase = posterior.sum(axis=1)
    turn = np.sum(by_phase * np.exp(1j * places.phases_rad), axis=1)
    phase = np.angle(turn)
    spread = np.sqrt(np.clip(-2 * np.log(np.clip(np.abs(turn), 1e-12, 1.0)), 0.0, None))
    return shift, shift_sd, phase, spread


def _moments(probability: _Float, place: _Float) -> tuple[_Float, _Float]:
    mean = np.sum(probability * place, axis=1)
    variance = np.sum(probability * (place - mean[:, None]) ** 2, axis=1)
    return mean, np.sqrt(variance)


def _transitions(before: _Float, after: _Float, steps: _Float, whole: float, *, turning: bool) -> _Float:
    """Return probabilities of (steps, after, before): a normal step, seldom one to anywhere within `whole`."""
    distance = np.subtract.outer(after, before)
    if turning:
        distance = np.angle(np.exp(1j * distance))
    spacing = abs(float(after[1] - after[0]))
    # A grid coarser than the step still lets its neighbours be reached.
    width = np.maximum(steps, 0.5 * spacing)[:, None, None]
    normal = np.exp(-0.5 * (distance / width) ** 2) * (spacing / (np.sqrt(2 * np.pi) * width))
    return np.asarray((1 - _JUMP) * normal + _JUMP * spacing / whole)


def _forward(places: Places, likelihood: _Float, steps_hz: _Float, steps_rad: _Float) -> tuple[_Float, _Float]:
    count, reach = likelihood.shape[0], max(float(np.ptp(places.shifts_hz)), 1.0)
    state = np.broadcast_to(likelihood[0], (steps_hz.size, *likelihood.shape[1:]))
    states = np.empty((count, *state.shape))
    evidence = np.zeros(steps_hz.size)
    for i in range(count):
        if i:
            across = _transitions(places.shifts_hz[i - 1], places.shifts_hz[i], steps_hz, reach, turning=False)
            around = _transitions(places.phases_rad[i - 1], places.phases_rad[i], steps_rad, 2 * np.pi, turning=True)
            state = (across @ states[i - 1] @ around.transpose(0, 2, 1)) * likelihood[i]
        total = state.sum(axis=(1, 2)) + 1e-300
        evidence += np.log(total)
        states[i] = state / total[:, None, None]
    return states, evidence


def _backward(places: Places, likelihood: _Float, steps_hz: _Float, steps_rad: _Float) -> _Float:
    count, reach = likelihood.shape[0], max(float(np.ptp(places.shifts_hz)), 1.0)
    states = np.ones((count, steps_hz.size, *likelihood.shape[1:]))
    for i in range(count - 2, -1, -1):
        across = _transitions(places.shifts_hz[i], places.shifts_hz[i + 1], steps_hz, reach, turning=False)
        around = _transitions(places.phases_rad[i], places.phases_rad[i + 1], steps_rad, 2 * np.pi, turning=True)
        state = across.transpose(0, 2, 1) @ (states[i + 1] * likelihood[i + 1]) @ around
        states[i] = state / state.sum(axis=(1, 2), keepdims=True)
    return states
