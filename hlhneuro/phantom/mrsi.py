"""Spectroscopic grids with known metabolite maps: signals of the tissues in every voxel, added up.

The field varies over the head, lines are broader where it varies most, fat of the scalp reaches into the brain, and one
region holds lactate; outside the head there is noise, or nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from nifti_mrs.create_nmrs import gen_nifti_mrs_hdr_ext
from nifti_mrs.hdr_ext import Hdr_Ext
from numpy.typing import NDArray
from scipy import ndimage

from hlhneuro.phantom._files import write_image
from hlhneuro.phantom.physics import tissue
from hlhneuro.phantom.placement import voxel_water
from hlhneuro.phantom.spectra import (
    BROAD_RELAXATION_S,
    FIRST_ECHO_S,
    FREQUENCY_MHZ,
    GAUSSIAN_HZ,
    LORENTZIAN_HZ,
    METABOLITE_RELAXATION_S,
    METHYL_AT_8_MMOL,
    NOISE,
    PROFILES,
    RESIDUAL_WATER,
    WATER_MMOL_PER_KG,
    attenuation,
    content_of,
)
from hlhneuro.spectroscopy.basis import Basis, add_broad_signals, simulate_basis

__all__ = ["GridPlan", "MadeGrid", "flat_head", "make_grid", "save_grid"]

_Complex = NDArray[np.complex128]
_Float = NDArray[np.float64]

FIELD_T = 3.0
DWELL_TIME_S, POINTS = 0.0005, 1024
# Against the grey matter of the healthy profile; directions after Pouwels 1999 (Pediatr Res 46:474), expert-set sizes.
_WHITE = {"NAA": 0.95, "NAAG": 1.8, "Cr": 0.75, "PCr": 0.75, "GPC": 1.25, "PCho": 1.25, "Glu": 0.7, "Gln": 0.7}
# Triglycerides of the scalp that saturation bands left, in the unit of the profiles; expert-set.
SCALP_LIPID = 120.0
# The field over the head, from its centre to its edge; expert-set: what a good shim leaves at 3 T.
GRADIENT_HZ, BOWL_HZ, BROADENING_HZ = 15.0, 5.0, 4.0


@dataclass(frozen=True)
class GridPlan:
    """One spectroscopic grid, acquired with PRESS at 3 T.

    Parameters
    ----------
    shape : tuple of int
        Voxels along x, y, z.
    affine : array, shape (4, 4)
        Voxel index to RAS+ scanner millimetres.
    echo_time_s, repetition_time_s : float
    water_reference : bool
    coils : int
    noise : float
        Relative to that of a single voxel of 8 ml and 128 averages.
    lesion_profile : str
        Name in `PROFILES` of what lesions hold.
    """

    shape: tuple[int, int, int]
    affine: _Float
    echo_time_s: float
    repetition_time_s: float
    water_reference: bool = False
    coils: int = 1
    noise: float = 1.0
    lesion_profile: str = "inflammatory"


@dataclass(frozen=True)
class MadeGrid:
    """What would come from the scanner, and what went in.

    Parameters
    ----------
    fids, water : complex array, shape (x, y, z, points, coils)
        Water is None without a reference.
    concentrations : mapping of basis function to array, shape (x, y, z)
        In mmol per kg of tissue water; zero where there is none.
    shift_hz, lorentz_hz : array, shape (x, y, z)
        Offset towards higher ppm; width of the lines beyond the basis, a Gauss width of `GAUSSIAN_HZ` comes on top.
    volumes : mapping of tissue to array, shape (x, y, z)
        Volume fractions.
    """

    plan: GridPlan
    fids: _Complex
    water: _Complex | None
    concentrations: Mapping[str, _Float]
    shift_hz: _Float
    lorentz_hz: _Float
    volumes: Mapping[str, _Float]

    def total(self, *names: str) -> _Float:
        """Return the map of a sum of basis functions."""
        return np.asarray(sum(self.concentrations[name] for name in names), dtype=np.float64)


def flat_head(shape: tuple[int, int, int], samples: int = 5) -> dict[str, _Float]:
    """Return volume fractions of an invented head that fills a grid: scalp, cortex, white matter, ventricles, a lesion.

    Returns
    -------
    dict
        ``gm, wm, csf, inflamed, scalp`` of shape `shape`; what they leave is bone or air.
    """
    fine = [(np.arange(count * samples) + 0.5) / (count * samples) * 2 - 1 for count in shape]
    x, y, z = np.meshgrid(*fine, indexing="ij")
    radius = np.sqrt((x / 0.86) ** 2 + (y / 0.92) ** 2 + 0.1 * z**2)
    ventricle = (np.abs(np.abs(x) - 0.12) < 0.06) & (np.abs(y) < 0.28)
    lesion = (x + 0.38) ** 2 + (y - 0.18) ** 2 < 0.17**2
    inside = radius < 0.85
    white = radius < 0.68
    named = {
        "gm": inside & ~white & ~lesion,
        "wm": white & ~ventricle & ~lesion,
        "csf": inside & ventricle & ~lesion,
        "inflamed": inside & lesion,
        "scalp": (radius > 0.93) & (radius < 1.0),
    }
    blocks = tuple(n for count in shape for n in (count, samples))
    return {name: mask.reshape(blocks).mean(axis=(1, 3, 5)) for name, mask in named.items()}


def make_grid(plan: GridPlan, volumes: Mapping[str, _Float], seed: int) -> MadeGrid:
    """Make one grid of known content; units and relaxation are those of `hlhneuro.phantom.spectra.make_spectrum`.

    A slice of phase-encoded voxels sees some of its neighbours: the *content* is smeared with the point spread of a
    Hamming-weighted acquisition before signals are made, so that the truth of every voxel stays known exactly.

    Parameters
    ----------
    plan : GridPlan
    volumes : mapping of tissue to array
        ``gm, wm, csf``, lesion states, and ``scalp``: volume fractions, shape of the grid.
    seed : int
        Seeds phases, coils and noise.
    """
    rng = np.random.Generator(np.random.PCG64(seed))
    seen = {name: _smeared(part) for name, part in volumes.items()}
    amounts, water_in, fluid, visible = _content_of_voxels(plan, seen)
    shift, lorentz = _field(plan.shape)
    time = np.arange(POINTS) * DWELL_TIME_S
    basis = _functions(plan.echo_time_s, tuple(amounts))
    left = np.array([_left(kind, plan) for kind in basis.kinds])
    weights = np.stack([amounts[name] for name in basis.names], axis=-1) * left
    clean = weights @ basis.fids
    whole_water = 2 * WATER_MMOL_PER_KG * visible
    residual = np.exp(1j * rng.uniform(-np.pi, np.pi)) * RESIDUAL_WATER * whole_water
    clean = clean + residual[..., None] * np.exp(-np.pi * 5.0 * time)
    decay = np.pi * lorentz[..., None] * time + (np.pi * GAUSSIAN_HZ[FIELD_T] * time) ** 2 / (4 * np.log(2))
    phase = np.deg2rad(rng.uniform(-40, 40)) + 0.3 * shift / GRADIENT_HZ
    common = np.exp(-decay - 2j * np.pi * shift[..., None] * time + 1j * phase[..., None])
    coils = _sensitivities(plan.coils, rng)
    noise = plan.noise * NOISE * METHYL_AT_8_MMOL

    def received(signal: _Complex) -> _Complex:
        shape = (*signal.shape, plan.coils)
        return signal[..., None] * coils + noise * (rng.standard_normal(shape) + 1j * rng.standard_normal(shape))

    fids = received(clean * common)
    water = received(whole_water[..., None] * common) if plan.water_reference else None
    tissue = np.where(water_in - fluid > 0.02, water_in - fluid, np.inf)
    truth = {name: amount / tissue for name, amount in amounts.items()}
    return MadeGrid(plan, fids, water, truth, shift, lorentz, seen)


def _content_of_voxels(
    plan: GridPlan, volumes: Mapping[str, _Float]
) -> tuple[dict[str, _Float], _Float, _Float, _Float]:
    """Return amounts of every basis function, the water of the voxel, that of fluid in it, and what of it is visible.

    Water is relative to a voxel full of pure water.
    """
    healthy = PROFILES["recovered"]
    profiles = {"gm": healthy, "wm": {name: value * _WHITE.get(name, 1.0) for name, value in healthy.items()}}
    profiles |= {name: PROFILES[plan.lesion_profile] for name in volumes if name not in ("gm", "wm", "csf", "scalp")}
    profiles["scalp"] = {"lipid": SCALP_LIPID}
    contents = {name: content_of(profile) for name, profile in profiles.items()}
    amounts = {name: np.zeros(plan.shape) for name in content_of(healthy)}
    water_in, fluid, visible = (np.zeros(plan.shape) for _ in range(3))
    for part, volume in volumes.items():
        density = 1.0
        if part != "scalp":
            density, left = _water_of(part, plan)
            water_in += density * volume
            visible += density * left * volume
            fluid += density * volume * (part == "csf")
        for name, amount in contents.get(part, {}).items():
            amounts[name] += amount * density * volume
    return amounts, water_in, fluid, visible


def _water_of(name: str, plan: GridPlan) -> tuple[float, float]:
    """Return the water content of a tissue and what relaxation leaves of its signal."""
    water = voxel_water({name: 1.0}, FIELD_T)
    return tissue(name, FIELD_T).water, water.visible(plan.echo_time_s, plan.repetition_time_s)


def _left(kind: str, plan: GridPlan) -> float:
    times = METABOLITE_RELAXATION_S[FIELD_T] if kind == "metabolite" else BROAD_RELAXATION_S[kind]
    return attenuation(*times, plan.echo_time_s, plan.repetition_time_s)


def _functions(echo_time_s: float, names: tuple[str, ...]) -> Basis:
    """Return the basis whose every function has an amount."""
    metabolites = [name for name in names if not name.startswith(("Lip", "MM"))]
    simulated = simulate_basis(
        "press",
        echo_time_s,
        dwell_time_s=DWELL_TIME_S,
        points=POINTS,
        spectrometer_frequency_mhz=FREQUENCY_MHZ[FIELD_T],
        first_echo_s=FIRST_ECHO_S,
        names=metabolites,
    )
    return add_broad_signals(simulated)


def _smeared(part: _Float) -> _Float:
    """Weight the encoding steps with a Hamming window: in space, three neighbours with a quarter, a half, a quarter."""
    for axis, count in enumerate(part.shape):
        if count > 2:
            part = ndimage.convolve1d(part, (0.23, 0.54, 0.23), axis=axis, mode="constant")
    return part


def _field(shape: tuple[int, int, int]) -> tuple[_Float, _Float]:
    """Return offset and Lorentz width of every voxel: a slope and a bowl; broader in front, as near a sinus."""
    places = [(np.arange(count) + 0.5) / count * 2 - 1 for count in shape]
    x, y, z = np.meshgrid(*places, indexing="ij")
    shift = GRADIENT_HZ * (0.4 * x + 0.9 * y) + BOWL_HZ * (x**2 + y**2 + 0.3 * z - 0.7)
    return shift, LORENTZIAN_HZ[FIELD_T] + BROADENING_HZ * np.clip(y, 0.0, None) ** 2


def _sensitivities(count: int, rng: np.random.Generator) -> _Complex:
    """Return complex sensitivities whose squares sum to one."""
    if count == 1:
        return np.ones(1, dtype=np.complex128)
    raw = rng.uniform(0.4, 1.2, count) * np.exp(2j * np.pi * rng.random(count))
    return np.asarray(raw / np.linalg.norm(raw))


def save_grid(path: Path, made: MadeGrid, *, water: bool = False) -> None:
    """Write the spectra of a grid, or its water reference, as NIfTI-MRS.

    Raises
    ------
    ValueError
        If there is no water reference.
    """
    data = made.water if water else made.fids
    if data is None:
        raise ValueError("this grid was made without a water reference")
    kept = (data if made.plan.coils > 1 else data[..., 0]).astype(np.complex64)
    header = Hdr_Ext(FREQUENCY_MHZ[FIELD_T], "1H", dimensions=kept.ndim)
    if made.plan.coils > 1:
        header.set_dim_info(0, "DIM_COIL")
    facts = {"EchoTime": made.plan.echo_time_s, "RepetitionTime": made.plan.repetition_time_s, "SequenceName": "press"}
    for name, value in {**facts, "WaterSuppressed": not water}.items():
        header.set_standard_def(name, value)
    image = gen_nifti_mrs_hdr_ext(kept, DWELL_TIME_S, header, affine=made.plan.affine, no_conj=True)
    write_image(path, image.image.nibImage)
