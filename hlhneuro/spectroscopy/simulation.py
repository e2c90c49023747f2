"""Density-matrix simulation of single-voxel sequences with ideal pulses, as lists of spectral lines.

The free Hamiltonian conserves the number of spins that point down, so it is diagonalised in blocks of that number, and
a coherence of order one is a set of small rectangular blocks between neighbouring numbers. An ideal refocusing pulse
exchanges up and down; seen from the frame that follows it, it only reverses all chemical shifts. No pulse matrix is
needed for echo sequences; STEAM, whose pulses mix orders, uses full matrices.

A selective refocusing pulse of finite bandwidth misses some spins of a molecule in parts of the voxel. Seen from the
same frame, it exchanges up and down of just those, and its crushers leave what then still is of order one. As every
slice direction has its own pulses and evolution is linear, the voxel is averaged direction by direction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from hlhneuro.spectroscopy._slices import Region, slice_regions
from hlhneuro.spectroscopy.sequences import SequenceTiming
from hlhneuro.spectroscopy.spin_systems import SpinGroup

__all__ = ["Lines", "lines_to_fid", "simulate_group"]

_Float = NDArray[np.float64]
_Complex = NDArray[np.complex128]


@dataclass(frozen=True)
class Lines:
    """Spectral lines: frequency relative to the reference in Hz and complex amplitude (protons at full signal)."""

    frequencies_hz: _Float
    amplitudes: _Complex


@dataclass(frozen=True)
class _Blocks:
    """Eigenvalues (Hz) and eigenvectors of the free Hamiltonian for 0, 1 .. n spins down."""

    energies: tuple[_Float, ...]
    vectors: tuple[_Float, ...]

    def shifts_reversed(self) -> _Blocks:
        """Return the same for the Hamiltonian with every chemical shift negated: up and down exchange roles."""
        return _Blocks(self.energies[::-1], tuple(v[::-1] for v in self.vectors[::-1]))


@lru_cache(maxsize=16)
def _states(spins: int) -> tuple[NDArray[np.int64], ...]:
    """Product states by number of spins down; bit i of a state says that spin i points down."""
    everything = np.arange(2**spins, dtype=np.int64)
    down = np.bitwise_count(everything)
    return tuple(everything[down == k] for k in range(spins + 1))


@lru_cache(maxsize=16)
def _raising(spins: int) -> tuple[_Float, ...]:
    """Blocks <k-1 down| F+ |k down> of the total raising operator, for k = 1 .. n."""
    levels = _states(spins)
    return tuple(
        (np.bitwise_count(upper[:, None] ^ lower[None, :]) == 1).astype(np.float64) for upper, lower in pairwise(levels)
    )


def _diagonalise(frequencies_hz: _Float, couplings_hz: Sequence[tuple[int, int, float]]) -> _Blocks:
    spins = frequencies_hz.size
    energies, vectors = [], []
    for states in _states(spins):
        iz = 0.5 - ((states[:, None] >> np.arange(spins)) & 1)
        diagonal = iz @ frequencies_hz
        hamiltonian = np.zeros((states.size, states.size))
        for a, b, j in couplings_hz:
            diagonal += j * iz[:, a] * iz[:, b]
            # The flip-flop part joins states that differ only in that spins a and b exchanged their directions.
            mask = (1 << a) | (1 << b)
            differ = np.flatnonzero(iz[:, a] != iz[:, b])
            hamiltonian[differ, np.searchsorted(states, states[differ] ^ mask)] += j / 2
        hamiltonian[np.diag_indices_from(hamiltonian)] = diagonal
        e, v = np.linalg.eigh(hamiltonian)
        energies.append(e)
        vectors.append(v)
    return _Blocks(tuple(energies), tuple(vectors))


def simulate_group(group: SpinGroup, timing: SequenceTiming, frequency_mhz: float, reference_ppm: float) -> Lines:
    """Simulate one spin group.

    Parameters
    ----------
    group : SpinGroup
    timing : SequenceTiming
    frequency_mhz : float
        Proton frequency of the field.
    reference_ppm : float
        Shift whose frequency is zero.

    Returns
    -------
    Lines
        Scaled so that an uncoupled proton has amplitude one after any of the sequences (relaxation not included).

    References
    ----------
    Ernst RR, Bodenhausen G, Wokaun A. Principles of Nuclear Magnetic Resonance in One and Two Dimensions, 1987, ch. 2.
    Displaced slices: Lange T, Dydak U, Roberts TPL, et al. AJNR Am J Neuroradiol 2006;27:895-901, and the papers in
    `hlhneuro.spectroscopy._slices`.
    """
    shifts_hz = (np.asarray(group.shifts_ppm) - reference_ppm) * frequency_mhz
    regions = slice_regions(shifts_hz, timing.pulse_bandwidth_hz)
    frequencies, amplitudes = [], []
    for offsets in group.offsets_hz:
        blocks = _diagonalise(shifts_hz + np.asarray(offsets) if offsets else shifts_hz, group.couplings_hz)
        evolved = _steam(blocks, timing) if timing.name == "steam" else _echo(blocks, timing, regions)
        spins = shifts_hz.size
        scale = group.weight / (len(group.offsets_hz) * 2.0 ** (spins - 1))
        for k, raising in enumerate(_raising(spins), start=1):
            detect = blocks.vectors[k - 1].T @ raising @ blocks.vectors[k]
            frequencies.append((blocks.energies[k - 1][:, None] - blocks.energies[k][None, :]).ravel())
            amplitudes.append((scale * evolved[k - 1] * detect).ravel())
    return _merge(np.concatenate(frequencies), np.concatenate(amplitudes))


def _echo(blocks: _Blocks, timing: SequenceTiming, regions: Sequence[Region]) -> list[_Complex]:
    """Return the order-one coherence (eigenbasis blocks) after excitation, delays and refocusing pulses.

    `regions` say which spins a pulse misses in which part of its slice direction.
    """
    frames = (blocks, blocks.shifts_reversed())
    delays = timing.delays_s

    def evolve(coherence: list[_Complex], interval: int) -> list[_Complex]:
        # The last delay is in the frame of the receiver, every earlier refocusing pulse has reversed it once.
        return _evolve(coherence, frames[(len(delays) - 1 - interval) % 2], delays[interval])

    coherence = [r.astype(np.complex128) for r in _raising(len(blocks.energies) - 1)]
    interval = 0
    if delays:
        coherence = evolve(coherence, interval)
    for pulses in timing.pulses_per_slice:
        total = [np.zeros_like(c) for c in coherence]
        for missed, part in regions:
            here = _missing(coherence, missed)
            for pulse in range(1, pulses):
                here = _missing(evolve(here, interval + pulse), missed)
            total = [t + part * c for t, c in zip(total, here, strict=True)]
        interval += pulses
        coherence = evolve(total, interval)
    return [blocks.vectors[k].T @ c @ blocks.vectors[k + 1] for k, c in enumerate(coherence)]


def _evolve(coherence: list[_Complex], frame: _Blocks, delay_s: float) -> list[_Complex]:
    evolved = []
    for k, block in enumerate(coherence, start=1):
        upper, lower = frame.vectors[k - 1], frame.vectors[k]
        phase = np.exp(-2j * np.pi * delay_s * (frame.energies[k - 1][:, None] - frame.energies[k][None, :]))
        evolved.append(upper @ (phase * (upper.T @ block @ lower)) @ lower.T)
    return evolved


def _missing(coherence: list[_Complex], missed: int) -> list[_Complex]:
    """Exchange up and down of the spins in the bit mask `missed`; crushers keep what is still of order one."""
    if not missed:
        return coherence
    levels = _states(len(coherence))
    whole = np.zeros((2 ** len(coherence),) * 2, dtype=np.complex128)
    for block, (upper, lower) in zip(coherence, pairwise(levels), strict=True):
        whole[np.ix_(upper, lower)] = block
    return [whole[np.ix_(upper ^ missed, lower ^ missed)] for upper, lower in pairwise(levels)]


def _steam(blocks: _Blocks, timing: SequenceTiming) -> list[_Complex]:
    """Return the same for three ideal 90 degree pulses, of which the crushers keep the orders -1, 0, +1."""
    levels = _states(len(blocks.energies) - 1)
    rho = np.zeros((2 ** (len(levels) - 1),) * 2, dtype=np.complex128)
    for upper, lower, raising in zip(levels, levels[1:], _raising(len(levels) - 1), strict=False):
        rho[np.ix_(lower, upper)] = raising.T
    half_echo = timing.echo_time_s / 2
    rho = _evolve_order(rho, blocks, -1, half_echo)
    rho = _evolve_order(_quarter_turn(rho), blocks, 0, timing.mixing_time_s or 0.0)
    rho = _evolve_order(_quarter_turn(rho), blocks, 1, half_echo)
    # An uncoupled proton keeps half of its signal on this pathway; water does as well, so the half is divided out.
    return [
        2.0 * blocks.vectors[k].T @ rho[np.ix_(upper, lower)] @ blocks.vectors[k + 1]
        for k, (upper, lower) in enumerate(pairwise(levels))
    ]


def _evolve_order(rho: _Complex, blocks: _Blocks, order: int, duration_s: float) -> _Complex:
    """Return what a density matrix of product states holds of one coherence order, after free evolution."""
    levels = _states(len(blocks.energies) - 1)
    evolved = np.zeros_like(rho)
    for k in range(max(0, -order), len(levels) - max(0, order)):
        place = np.ix_(levels[k], levels[k + order])
        left, right = blocks.vectors[k], blocks.vectors[k + order]
        phase = np.exp(-2j * np.pi * duration_s * (blocks.energies[k][:, None] - blocks.energies[k + order][None, :]))
        evolved[place] = left @ (phase * (left.T @ rho[place] @ right)) @ right.T
    return evolved


def _quarter_turn(rho: _Complex) -> _Complex:
    """Turn every spin of a density matrix of product states by 90 degrees about x, one spin and side at a time."""
    size = rho.shape[0]
    for side, sign in ((0, -1j), (1, 1j)):
        for spin in range(size.bit_length() - 1):
            shape = (-1, 2, 2**spin, size) if side == 0 else (size, -1, 2, 2**spin)
            up, down = np.moveaxis(rho.reshape(shape), 1 + side, 0)
            rho = np.stack([up + sign * down, sign * up + down], axis=1 + side).reshape(size, size) / np.sqrt(2)
    return rho


def _merge(frequencies: _Float, amplitudes: _Complex, tolerance_hz: float = 1e-6) -> Lines:
    """Add up lines of the same frequency and drop those without amplitude."""
    keep = np.abs(amplitudes) > 1e-9
    frequencies, amplitudes = frequencies[keep], amplitudes[keep]
    order = np.argsort(frequencies, kind="stable")
    frequencies, amplitudes = frequencies[order], amplitudes[order]
    if not frequencies.size:
        return Lines(np.zeros(0), np.zeros(0, dtype=np.complex128))
    starts = np.flatnonzero(np.concatenate([[True], np.diff(frequencies) > tolerance_hz]))
    return Lines(frequencies[starts], np.add.reduceat(amplitudes, starts))


def lines_to_fid(lines: Lines, dwell_time_s: float, points: int) -> _Complex:
    """Return the undamped FID of a line list; a line above the reference turns clockwise (NIfTI-MRS).

    Time is written as block start plus place in the block, which turns the sum over lines into a matrix product.
    """
    inner = max(1, int(np.sqrt(points)))
    outer = -(-points // inner)
    turn = -2j * np.pi * dwell_time_s * lines.frequencies_hz
    coarse = np.exp(np.outer(np.arange(outer) * inner, turn)) * lines.amplitudes
    fine = np.exp(np.outer(turn, np.arange(inner)))
    fid: _Complex = (coarse @ fine).ravel()[:points]
    return fid
