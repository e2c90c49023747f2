"""Start values for all voxels of a grid at once: an offset that is smooth over neighbours, and each one's phase."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from hlhneuro.spectroscopy._core import Problem

__all__ = ["StartField", "find_start_field"]

_Float = NDArray[np.float64]
_Complex = NDArray[np.complex128]

# Amplitudes of the lines that every brain spectrum shows (expert-set: about mmol/kg in adults); only their proportions
# matter, and little, as they serve to find the offset.
_SINGLETS = {"NAA": 8.0, "Cr": 4.0, "PCr": 4.0, "GPC": 1.0, "PCho": 0.5}
_WIDTH_PPM = 0.05  # between a well shimmed and a barely usable voxel
_STEP_PPM = 0.004  # a fifth of the narrowest line


@dataclass(frozen=True)
class StartField:
    """Where the fits of a grid start.

    Parameters
    ----------
    shift_hz : array, shape (x, y, z)
        Offset towards higher ppm.
    phase_rad : array, shape (x, y, z)
    explained : array, shape (x, y, z)
        Part of the energy that the singlets explain there.
    """

    shift_hz: _Float
    phase_rad: _Float
    explained: _Float


def find_start_field(fids: _Complex, chosen: NDArray[np.bool_], problem: Problem, reach_voxels: float) -> StartField:
    """Search the offset of every voxel with the evidence of its neighbours, and its phase with its own.

    For every offset, one template (singlets, made orthogonal to lipid, macromolecules and a slow background) is laid on
    every spectrum. What it explains is averaged over neighbours *before* the best offset is taken: a voxel without
    clear lines follows the field around it, and none depends on the order of the voxels.

    Parameters
    ----------
    fids : complex array, shape (chosen voxels, points)
    chosen : bool array, shape (x, y, z)
        Which voxels of the grid these are.
    problem : Problem
    reach_voxels : float
        Standard deviation of the neighbourhood.
    """
    hz = problem.basis.spectrometer_frequency_mhz
    steps = round(problem.settings.longest_start_shift_ppm / _STEP_PPM)
    shifts_hz: _Float = np.arange(-steps, steps + 1, dtype=np.float64) * (_STEP_PPM * hz)
    spectra = np.fft.fftshift(np.fft.fft(fids, axis=-1), axes=-1)
    # The range moves with the offset: it is cut wide enough for all of them.
    margin = round(problem.settings.longest_start_shift_ppm * hz * fids.shape[-1] * problem.basis.dwell_time_s)
    wide = slice(max(problem.fitted.start - margin, 0), min(problem.fitted.stop + margin, fids.shape[-1]))
    along = spectra[:, wide] @ _templates(problem, shifts_hz, wide).conj().T
    energy = np.sum(np.abs(spectra[:, wide]) ** 2, axis=1)
    evidence = np.zeros((*chosen.shape, shifts_hz.size))
    evidence[chosen] = np.abs(along) ** 2 / energy[:, None]
    sigma = [reach_voxels if count > 1 else 0.0 for count in chosen.shape]
    pooled = ndimage.gaussian_filter(evidence, [*sigma, 0.0], mode="constant")[chosen]
    best = np.argmax(pooled, axis=1)
    rows = np.arange(best.size)
    found = StartField(*(np.zeros(chosen.shape) for _ in range(3)))
    found.shift_hz[chosen] = shifts_hz[best]
    found.phase_rad[chosen] = np.angle(along[rows, best])
    found.explained[chosen] = evidence[chosen][rows, best]
    return found


def _templates(problem: Problem, shifts_hz: _Float, wide: slice) -> _Complex:
    """Return one unit template for every offset, shape (offsets, points): the singlets, all else projected out."""
    basis = problem.basis
    lines = [i for i, name in enumerate(basis.names) if name in _SINGLETS]
    weights = np.array([_SINGLETS[basis.names[i]] for i in lines])
    if not lines:
        lines = [i for i, kind in enumerate(basis.kinds) if kind == "metabolite"]
        weights = np.ones(len(lines))
    broad = [i for i, kind in enumerate(basis.kinds) if kind != "metabolite"]
    fids = np.concatenate([(weights @ basis.fids[lines])[None], basis.fids[broad]])
    fids = fids * np.exp(-np.pi * _WIDTH_PPM * basis.spectrometer_frequency_mhz * problem.time_s)
    slow = np.vander(np.linspace(-1, 1, wide.stop - wide.start), 4)
    made = []
    for shift_hz in shifts_hz:
        turned = fids * np.exp(-2j * np.pi * shift_hz * problem.time_s)
        spectra = np.fft.fftshift(np.fft.fft(turned, axis=-1), axes=-1)[:, wide]
        others, _ = np.linalg.qr(np.concatenate([spectra[1:].T, slow], axis=1))
        alone = spectra[0] - others @ (others.conj().T @ spectra[0])
        made.append(alone / np.linalg.norm(alone))
    return np.asarray(made)
