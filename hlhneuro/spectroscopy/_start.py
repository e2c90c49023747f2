"""Start values of the fit: frequency offset and phase by exhaustive search with a few broad templates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hlhneuro.spectroscopy.basis import Basis

__all__ = ["Start", "find_start", "noise_sd"]

_TEMPLATES = (
    *(("NAA", "NAAG"), ("Cr", "PCr"), ("GPC", "PCho"), ("mI",), ("Glu", "Gln"), ("Lac",)),
    *(("Lip13a", "Lip13b", "MM12", "MM14"), ("Lip09", "MM09"), ("Lip20", "MM20", "MM17")),
)
_WIDTHS_PPM = (0.02, 0.06)  # from a well shimmed to a barely usable voxel
_SHIFT_STEP_PPM = 0.01  # half the narrowest line
_PHASES = 24


@dataclass(frozen=True)
class Start:
    """Offset of the data towards higher ppm, phase and linewidth to begin with; the part of the energy they explain."""

    shift_hz: float
    phase_rad: float
    width_hz: float
    explained: float


def noise_sd(spectrum: NDArray[np.complex128], ppm: NDArray[np.float64]) -> float:
    """Return the standard deviation per channel of a spectrum where no proton of tissue resonates.

    Parameters
    ----------
    spectrum : complex array, shape (points,)
        ``fftshift(fft(fid))``.
    ppm : array, shape (points,)
    """
    sides = []
    for low, high in ((-4.0, -1.0), (9.5, 12.5), (-1e3, -1.0), (9.5, 1e3)):
        part = spectrum[(ppm > low) & (ppm < high)]
        if part.size >= 32:
            # Differences of neighbours are blind to the tails of large signals; on white noise they lose nothing.
            second = np.diff(part, n=2)
            sides.append(float(np.sqrt(np.mean(np.abs(second) ** 2) / 12.0)))
    if not sides:
        second = np.diff(spectrum[np.abs(ppm - 4.65) > 0.8 * np.abs(ppm - 4.65).max()], n=2)
        sides.append(float(np.sqrt(np.mean(np.abs(second) ** 2) / 12.0)))
    return max(min(sides), 1e-12 * float(np.abs(spectrum).max()))


def find_start(fid: NDArray[np.complex128], basis: Basis, inside: NDArray[np.bool_], longest_shift_ppm: float) -> Start:
    """Search shifts and phases for the best non-negative mixture of templates.

    Parameters
    ----------
    fid : array, shape (points,)
    basis : Basis
        On the time axis of the FID.
    inside : bool array, shape (points,)
        The fitted range of the shifted spectrum.
    longest_shift_ppm : float
        Half the width of the search.
    """
    time = np.arange(fid.size) * basis.dwell_time_s
    frequency = basis.spectrometer_frequency_mhz
    steps = round(longest_shift_ppm / _SHIFT_STEP_PPM)
    shifts_hz = np.arange(-steps, steps + 1) * _SHIFT_STEP_PPM * frequency
    # Offset data are moved back, so that one set of templates serves every shift.
    data = _spectrum(fid * np.exp(2j * np.pi * np.outer(shifts_hz, time)), inside)
    smooth = np.linalg.qr(np.vander(np.linspace(-1, 1, int(inside.sum())), 4))[0]
    data = data - (data @ smooth) @ smooth.T
    energy = np.sum(np.abs(data) ** 2, axis=1)
    present = [
        [basis.names.index(n) for n in group if n in basis.names]
        for group in _TEMPLATES
        if any(n in basis.names for n in group)
    ] or [[i] for i in range(len(basis.names))]
    fids = np.stack([basis.fids[group].sum(axis=0) for group in present])
    phases = np.arange(_PHASES) * (2 * np.pi / _PHASES)
    best = Start(0.0, 0.0, _WIDTHS_PPM[0] * frequency, -1.0)
    for width_ppm in _WIDTHS_PPM:
        width = width_ppm * frequency
        templates = _spectrum(fids * np.exp(-np.pi * width * time), inside)
        templates = templates - (templates @ smooth) @ smooth.T
        matrix = np.real(templates.conj() @ templates.T)
        along = templates.conj() @ data.T
        right = np.real(np.exp(-1j * phases)[:, None, None] * along)
        gain = _explained(matrix, right) / energy
        phase, shift = np.unravel_index(int(np.argmax(gain)), gain.shape)
        if gain[phase, shift] > best.explained:
            best = Start(float(shifts_hz[shift]), float(phases[phase]), width, float(gain[phase, shift]))
    return best


def _spectrum(fids: NDArray[np.complex128], inside: NDArray[np.bool_]) -> NDArray[np.complex128]:
    return np.asarray(np.fft.fftshift(np.fft.fft(fids, axis=-1), axes=-1)[..., inside])


def _explained(matrix: NDArray[np.float64], right: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the energy that a non-negative fit explains, for right-hand sides of shape (phases, templates, shifts).

    Twenty sweeps of coordinate descent, all problems at once.
    """
    x = np.zeros_like(right)
    diagonal = np.clip(np.diag(matrix), 1e-300, None)
    for _ in range(20):
        for i in range(matrix.shape[0]):
            rest = right[:, i] - np.einsum("j,pjs->ps", matrix[i], x) + matrix[i, i] * x[:, i]
            x[:, i] = np.clip(rest / diagonal[i], 0.0, None)
    quadratic = np.einsum("pis,ij,pjs->ps", x, matrix, x, optimize=True)
    return np.asarray(2 * np.einsum("pis,pis->ps", x, right) - quadratic)
