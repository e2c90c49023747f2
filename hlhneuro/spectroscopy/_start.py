"""Start values of the fit: frequency offset and phase by exhaustive search with a few broad templates.

The templates keep their place and the data move: their products at all offsets are one correlation in time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hlhneuro.spectroscopy.basis import Basis

__all__ = ["Start", "Templates", "find_start", "make_templates", "noise_sd"]

_TEMPLATES = (
    *(("NAA", "NAAG"), ("Cr", "PCr"), ("GPC", "PCho", "Cho"), ("mI",), ("Glu", "Gln"), ("Lac",)),
    *(("Lip13a", "Lip13b", "MM12", "MM14"), ("Lip09", "MM09"), ("Lip20", "MM20", "MM17")),
)
_WIDTHS_PPM = (0.02, 0.06)  # from a well shimmed to a barely usable voxel
_SHIFT_STEP_PPM = 0.01  # half the narrowest line
_PHASES = 16
_SWEEPS = 3  # templates hardly overlap


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


@dataclass(frozen=True)
class Templates:
    """What the search compares data with.

    Parameters
    ----------
    shifts_hz : array, shape (shifts,)
        Offsets that are tried.
    duration_s : float
        Of the FID.
    turns : complex array, shape (band, shifts)
        What moves a FID back by each of them.
    band, inside : slice
        Part of the spectrum that is used; the fitted range in it.
    smooth : complex array, shape (4, band)
        Conjugate FIDs of slow polynomials, which stand for the baseline.
    widths_hz : tuple of float
    fids : tuple of complex arrays, shape (templates, band)
        Conjugate, free of what `smooth` holds; for each width.
    products : tuple of arrays, shape (templates, templates)
    """

    shifts_hz: NDArray[np.float64]
    duration_s: float
    turns: NDArray[np.complex128]
    band: slice
    inside: slice
    smooth: NDArray[np.complex128]
    widths_hz: tuple[float, ...]
    fids: tuple[NDArray[np.complex128], ...]
    products: tuple[NDArray[np.float64], ...]


def make_templates(basis: Basis, fitted: slice, band: slice, longest_shift_ppm: float) -> Templates:
    """Prepare the search for spectra of one acquisition.

    Parameters
    ----------
    basis : Basis
        On the time axis of the spectra.
    fitted, band : slice
        The fitted range of the spectrum; the wider range that is used.
    longest_shift_ppm : float
        Half the width of the search.
    """
    frequency, size = basis.spectrometer_frequency_mhz, band.stop - band.start
    inside = slice(fitted.start - band.start, fitted.stop - band.start)
    steps = round(longest_shift_ppm / _SHIFT_STEP_PPM)
    shifts_hz = np.arange(-steps, steps + 1, dtype=np.float64) * (_SHIFT_STEP_PPM * frequency)
    time = np.arange(basis.points) * basis.dwell_time_s
    duration_s = basis.points * basis.dwell_time_s
    band_time = np.arange(size) * (duration_s / size)
    present = [
        [basis.names.index(n) for n in group if n in basis.names]
        for group in _TEMPLATES
        if any(n in basis.names for n in group)
    ] or [[i] for i in range(len(basis.names))]
    sums = np.stack([basis.fids[group].sum(axis=0) for group in present])
    smooth = np.linalg.qr(np.vander(np.linspace(-1, 1, fitted.stop - fitted.start), 4))[0].T
    fids, products = [], []
    widths = tuple(width * frequency for width in _WIDTHS_PPM)
    for width in widths:
        spectra = np.fft.fftshift(np.fft.fft(sums * np.exp(-np.pi * width * time), axis=-1), axes=-1)[:, fitted]
        spectra = spectra - (spectra @ smooth.T) @ smooth
        fids.append(_conjugate_fid(spectra, inside, size))
        products.append(np.real(spectra.conj() @ spectra.T))
    turns = np.exp(2j * np.pi * np.multiply.outer(band_time, shifts_hz))
    slow = _conjugate_fid(smooth.astype(np.complex128), inside, size)
    return Templates(shifts_hz, duration_s, turns, band, inside, slow, widths, tuple(fids), tuple(products))


def _conjugate_fid(spectra: NDArray[np.complex128], inside: slice, size: int) -> NDArray[np.complex128]:
    padded = np.zeros((spectra.shape[0], size), dtype=np.complex128)
    padded[:, inside] = spectra
    return np.asarray(size * np.fft.ifft(np.fft.ifftshift(padded, axes=-1), axis=-1).conj())


def find_start(spectrum: NDArray[np.complex128], templates: Templates) -> Start:
    """Search shifts and phases for the best non-negative mixture of templates.

    Parameters
    ----------
    spectrum : complex array, shape (points,)
        ``fftshift(fft(fid))``.
    """
    band = spectrum[templates.band]
    fid = np.fft.ifft(np.fft.ifftshift(band))
    turned = fid[:, None] * templates.turns
    bins = np.arange(band.size + 1) - 0.5
    running = np.concatenate([[0.0], np.cumsum(np.abs(band) ** 2)])
    index = -templates.shifts_hz * templates.duration_s  # higher ppm is a lower index
    energy = np.interp(templates.inside.stop - 0.5 + index, bins, running) - np.interp(
        templates.inside.start - 0.5 + index, bins, running
    )
    energy = energy - np.sum(np.abs(templates.smooth @ turned) ** 2, axis=0)
    energy = np.clip(energy, 1e-12 * energy.max() + 1e-300, None)
    phases = np.arange(_PHASES) * (2 * np.pi / _PHASES)
    best = Start(0.0, 0.0, templates.widths_hz[0], -1.0)
    for width, fids, matrix in zip(templates.widths_hz, templates.fids, templates.products, strict=True):
        along = fids @ turned
        right = np.real(along[:, None, :] * np.exp(-1j * phases)[:, None])
        gain = _explained(matrix, right.reshape(len(matrix), -1)).reshape(right.shape[1:]) / energy
        phase, shift = np.unravel_index(int(np.argmax(gain)), gain.shape)
        if gain[phase, shift] > best.explained:
            best = Start(float(templates.shifts_hz[shift]), float(phases[phase]), width, float(gain[phase, shift]))
    return best


def _explained(matrix: NDArray[np.float64], right: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the energy that a non-negative fit explains, for right-hand sides of shape (templates, problems).

    A few sweeps of coordinate descent, all problems at once.
    """
    x, rest = np.zeros_like(right), right.copy()
    diagonal = np.clip(np.diag(matrix), 1e-300, None)
    for _ in range(_SWEEPS):
        for i in range(matrix.shape[0]):
            new = np.maximum(x[i] + rest[i] / diagonal[i], 0.0)
            rest -= np.multiply.outer(matrix[:, i], new - x[i])
            x[i] = new
    return np.asarray(np.sum(x * (right + rest), axis=0))
