"""Spectra with known concentrations, added up from simulated basis signals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from nifti_mrs.create_nmrs import gen_nifti_mrs_hdr_ext
from nifti_mrs.hdr_ext import Hdr_Ext
from numpy.typing import NDArray

from hlhneuro.spectroscopy.basis import Basis, add_broad_signals, simulate_basis

__all__ = [
    "PROFILES",
    "Spectrum",
    "SpectrumPlan",
    "VoxelPlan",
    "VoxelWater",
    "attenuation",
    "content_of",
    "make_spectrum",
    "to_nifti_mrs",
]

_Complex = NDArray[np.complex128]

# Concentrations in mmol per kg of tissue water. Healthy deep grey matter of a child: order of magnitude after Pouwels
# 1999 (Pediatr Res 46:474) and Kreis 1993 (MRM 30:424), rounded; the diseased profiles are expert-set.
_HEALTHY = {
    "NAA": 8.5, "NAAG": 0.8, "Cr": 4.2, "PCr": 3.6, "GPC": 1.0, "PCho": 0.7, "mI": 4.0, "sIns": 0.2, "Glu": 8.5,
    "Gln": 2.6, "Lac": 0.4, "Tau": 1.2, "GSH": 1.1, "Asp": 1.4, "GABA": 1.2, "Glc": 1.0, "Ala": 0.2,
}  # fmt: skip

# What one unit of lipid or macromolecule is made of: the ratios that LCModel expects (Provencher, LCModel manual); the
# split of the 1.3 ppm lipid into a broad and a narrow line and MM30 are expert-set.
_LIPID = {"Lip13a": 0.5, "Lip13b": 0.5, "Lip09": 0.267, "Lip20": 0.15}
_MACROMOLECULE = {"MM09": 1.0, "MM12": 0.3, "MM14": 0.75, "MM17": 0.375, "MM20": 1.5, "MM30": 1.0}

# Relaxation (T1, T2 in seconds) of metabolites: Gasparovic 2006 (MRM 55:1219) and the 3 T values in use with it; of
# broad signals: expert-set, short.
METABOLITE_RELAXATION_S = {1.5: (1.153, 0.347), 3.0: (1.317, 0.207)}
BROAD_RELAXATION_S = {"lipid": (0.35, 0.080), "macromolecule": (0.25, 0.030)}

# Millimoles of water in a kilogram of water.
WATER_MMOL_PER_KG = 55510.0

# Acquisition, expert-set: dwell time, points, and frequency of a clinical scanner; natural line broadening beyond T2.
DWELL_TIME_S = {1.5: 0.0008, 3.0: 0.0005}
POINTS = {1.5: 1024, 3.0: 2048}
FREQUENCY_MHZ = {1.5: 63.68, 3.0: 123.25}
LORENTZIAN_HZ = {1.5: 1.5, 3.0: 2.0}
GAUSSIAN_HZ = {1.5: 3.0, 3.0: 4.0}
# First echo of PRESS; the shortest that a 12 ms first half allows.
FIRST_ECHO_S = 0.012
WATER_PPM = 4.65
# Water left after suppression, relative to the whole.
RESIDUAL_WATER = 2e-4
# Noise (real and imaginary part each) of the averaged FID, as a part of the first point of 8 mmol/kg of a methyl group
# without relaxation. Expert-set to look like 128 averages of a clinical scanner.
NOISE = 0.035
METHYL_AT_8_MMOL = 24.0
# Between stored transients: drift over the whole scan, random shift and phase; one of them is spoilt by motion.
DRIFT_HZ, JITTER_HZ, JITTER_DEG = 2.5, 0.4, 6.0
SPOILT_AMPLITUDE, SPOILT_SHIFT_HZ, SPOILT_BROADENING_HZ = 0.5, 6.0, 8.0
# Eddy current: field shift at the first point and its decay.
EDDY_HZ, EDDY_DECAY_S = 6.0, 0.080


@dataclass(frozen=True)
class VoxelPlan:
    """Where a spectroscopy voxel is planned.

    Parameters
    ----------
    centre_mm : tuple of float
        MNI152 position of the centre.
    size_mm, rotation_deg : tuple of float
        Edges, and rotation against the scanner's axes.
    """

    centre_mm: tuple[float, float, float]
    size_mm: tuple[float, float, float]
    rotation_deg: tuple[float, float, float]


@dataclass(frozen=True)
class SpectrumPlan:
    """One spectrum to be acquired with PRESS.

    Parameters
    ----------
    name : str
        The ``acq`` entity of its file name.
    echo_time_s, repetition_time_s : float
    profile : mapping of metabolite to float
        Concentrations in mmol per kg of tissue water, basis functions' names; ``lipid`` and ``macromolecule`` stand for
        their groups of broad signals.
    voxel : VoxelPlan
    coils, transients : int
        Stored separately if more than one.
    water_reference : bool
    eddy_current : bool
        Adds the phase of a decaying field shift, to the water reference as well.
    """

    name: str
    echo_time_s: float
    repetition_time_s: float
    profile: Mapping[str, float]
    voxel: VoxelPlan
    coils: int = 1
    transients: int = 1
    water_reference: bool = True
    eddy_current: bool = False


@dataclass(frozen=True)
class VoxelWater:
    """The water of a spectroscopy voxel.

    Parameters
    ----------
    fractions : mapping of tissue to float
        Part of the voxel's water that is in each tissue or lesion state; they sum to one.
    relaxation_s : mapping of tissue to (T1, T2)
        In seconds.
    """

    fractions: Mapping[str, float]
    relaxation_s: Mapping[str, tuple[float, float]]

    def visible(self, echo_time_s: float, repetition_time_s: float) -> float:
        """Return the part of the water signal that is left at this echo and repetition time."""
        return sum(
            share * attenuation(*self.relaxation_s[name], echo_time_s, repetition_time_s)
            for name, share in self.fractions.items()
        )


@dataclass(frozen=True)
class Spectrum:
    """One made spectrum: what would come from the scanner, and what went in.

    Parameters
    ----------
    fid : complex array, shape (points, coils, transients)
    water : complex array, shape (points, coils), optional
    dwell_time_s, frequency_mhz : float
    concentrations : mapping of basis function to float
        In mmol per kg of tissue water (fluid excluded).
    record : mapping
        Further truth: linewidths, phase, shift, spoilt transient.
    """

    fid: _Complex
    water: _Complex | None
    dwell_time_s: float
    frequency_mhz: float
    concentrations: Mapping[str, float]
    record: Mapping[str, object] = field(default_factory=dict)


def _profile(lipid: float, macromolecule: float, **factors: float) -> dict[str, float]:
    metabolites = {name: round(value * factors.get(name, 1.0), 3) for name, value in _HEALTHY.items()}
    return metabolites | {"lipid": lipid, "macromolecule": macromolecule}


PROFILES: dict[str, dict[str, float]] = {
    "recovered": _profile(0.0, 8.0),
    "inflammatory": _profile(0.0, 9.0, NAA=0.75, NAAG=0.75, GPC=1.6, PCho=1.6, Glu=1.15, Gln=1.7, mI=1.2, Lac=7.5),
    "recovering": _profile(0.0, 8.5, NAA=0.87, NAAG=0.87, GPC=1.25, PCho=1.25, Gln=1.3, Lac=3.0),
    "necrotic": _profile(
        30.0, 9.0, NAA=0.28, NAAG=0.28, Cr=0.40, PCr=0.40, GPC=0.45, PCho=0.45, Glu=0.45, Gln=0.8, mI=0.5, Asp=0.4,
        Tau=0.5, GSH=0.5, GABA=0.4, Lac=20.0,
    ),
}  # fmt: skip


def attenuation(t1_s: float, t2_s: float, echo_time_s: float, repetition_time_s: float) -> float:
    """Return what relaxation leaves of a spin echo's signal."""
    return float(np.exp(-echo_time_s / t2_s) * (1.0 - np.exp(-repetition_time_s / t1_s)))


def make_spectrum(plan: SpectrumPlan, field_t: float, water: VoxelWater, seed: tuple[int, ...]) -> Spectrum:
    """Make one acquisition of known content.

    With ``c`` the concentration in mmol per kg of tissue water, ``f`` the water fractions of the voxel and ``R`` what
    relaxation leaves, a proton of the metabolite gives ``c (1 - f_csf) R`` and the water reference
    ``2 * 55510 sum(f R)``, both at time zero: the definition of Gasparovic et al.

    Parameters
    ----------
    plan : SpectrumPlan
    field_t : float
        1.5 or 3 tesla.
    water : VoxelWater
        What the voxel holds.
    seed : tuple of int
        Seeds phase, shift, coils and noise.

    Returns
    -------
    Spectrum

    References
    ----------
    Gasparovic C et al. Magn Reson Med 2006;55:1219-1226.
    """
    rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed)))
    dwell, points = DWELL_TIME_S[field_t], POINTS[field_t]
    time = np.arange(points, dtype=np.float64) * dwell
    content = content_of(plan.profile)
    tissue_part = 1.0 - water.fractions.get("csf", 0.0)
    basis = _basis(plan.echo_time_s, field_t, tuple(content))
    clean = np.zeros(points, dtype=np.complex128)
    for name, kind in zip(basis.names, basis.kinds, strict=True):
        times = METABOLITE_RELAXATION_S[field_t] if kind == "metabolite" else BROAD_RELAXATION_S[kind]
        left = attenuation(*times, plan.echo_time_s, plan.repetition_time_s)
        clean += content[name] * tissue_part * left * basis.fid(name)
    whole_water = 2 * WATER_MMOL_PER_KG * water.visible(plan.echo_time_s, plan.repetition_time_s)
    clean += RESIDUAL_WATER * whole_water * _line(time, WATER_PPM + rng.normal(0, 0.01), field_t, rng.uniform(-2, 2))
    broadening = np.exp(-np.pi * LORENTZIAN_HZ[field_t] * time - _gaussian(GAUSSIAN_HZ[field_t], time))
    phase, shift_hz = np.deg2rad(rng.uniform(-40, 40)), rng.uniform(-3, 3)
    common = broadening * np.exp(1j * (phase - 2 * np.pi * shift_hz * time))
    if plan.eddy_current:
        common = common * np.exp(2j * np.pi * EDDY_HZ * EDDY_DECAY_S * (1 - np.exp(-time / EDDY_DECAY_S)))
    coils = _coils(plan.coils, rng)
    shots, spoilt = _transients(clean * common, time, plan.transients, rng)
    noise = NOISE * METHYL_AT_8_MMOL * np.sqrt(plan.transients)
    fid = shots[:, None, :] * coils[None, :, None]
    fid = fid + noise * _complex_noise(fid.shape, rng)
    reference = None
    if plan.water_reference:
        reference = (whole_water * common)[:, None] * coils[None, :]
        reference = reference + noise * _complex_noise(reference.shape, rng)
    record: dict[str, object] = {
        "Phase0Deg": float(np.rad2deg(phase)),
        "ShiftHz": float(shift_hz),
        "LorentzianHz": LORENTZIAN_HZ[field_t],
        "GaussianHz": GAUSSIAN_HZ[field_t],
        "SpoiltTransient": spoilt,
        "WaterFractions": dict(water.fractions),
        "WaterVisible": water.visible(plan.echo_time_s, plan.repetition_time_s),
    }
    return Spectrum(fid, reference, dwell, FREQUENCY_MHZ[field_t], content, record)


def content_of(profile: Mapping[str, float]) -> dict[str, float]:
    """Return the amount of every basis function, groups of broad signals taken apart."""
    content = {name: value for name, value in profile.items() if name not in ("lipid", "macromolecule")}
    for group, parts in (("lipid", _LIPID), ("macromolecule", _MACROMOLECULE)):
        content |= {name: share * profile.get(group, 0.0) for name, share in parts.items()}
    return content


def _basis(echo_time_s: float, field_t: float, names: tuple[str, ...]) -> Basis:
    metabolites = [name for name in names if name not in _LIPID and name not in _MACROMOLECULE]
    simulated = simulate_basis(
        "press",
        echo_time_s,
        dwell_time_s=DWELL_TIME_S[field_t],
        points=POINTS[field_t],
        spectrometer_frequency_mhz=FREQUENCY_MHZ[field_t],
        first_echo_s=FIRST_ECHO_S,
        names=metabolites,
    )
    return add_broad_signals(simulated)


def _gaussian(width_hz: float, time: NDArray[np.float64]) -> NDArray[np.float64]:
    exponent: NDArray[np.float64] = (np.pi * width_hz * time) ** 2 / (4 * np.log(2))
    return exponent


def _line(time: NDArray[np.float64], shift_ppm: float, field_t: float, phase: float) -> _Complex:
    """Return a line in the NIfTI-MRS convention (a higher frequency turns clockwise), zero at the water reference."""
    hz = (shift_ppm - WATER_PPM) * FREQUENCY_MHZ[field_t]
    line: _Complex = np.exp(1j * phase - 2j * np.pi * hz * time)
    return line


def _coils(count: int, rng: np.random.Generator) -> _Complex:
    """Complex sensitivities whose squares sum to one: combined optimally, the signal has its true size."""
    if count == 1:
        return np.ones(1, dtype=np.complex128)
    raw = rng.uniform(0.4, 1.2, count) * np.exp(2j * np.pi * rng.random(count))
    normed: _Complex = raw / np.linalg.norm(raw)
    return normed


def _transients(
    fid: _Complex, time: NDArray[np.float64], count: int, rng: np.random.Generator
) -> tuple[_Complex, int | None]:
    """Repeat the signal with drift and jitter; the fifth of eight or more is spoilt by motion."""
    if count == 1:
        return fid[:, None], None
    shift = np.linspace(0, DRIFT_HZ, count) + rng.normal(0, JITTER_HZ, count)
    phase = np.deg2rad(rng.normal(0, JITTER_DEG, count))
    shots = fid[:, None] * np.exp(1j * phase - 2j * np.pi * time[:, None] * shift)
    spoilt = 4 if count >= 8 else None
    if spoilt is not None:
        damage = -2j * np.pi * SPOILT_SHIFT_HZ * time - np.pi * SPOILT_BROADENING_HZ * time
        shots[:, spoilt] *= SPOILT_AMPLITUDE * np.exp(damage)
    return shots, spoilt


def _complex_noise(shape: tuple[int, ...], rng: np.random.Generator) -> _Complex:
    noise: _Complex = rng.standard_normal(shape) + 1j * rng.standard_normal(shape)
    return noise


def to_nifti_mrs(data: _Complex, spectrum: Spectrum, affine: NDArray[np.float64], facts: Mapping[str, object]) -> Any:
    """Return a NIfTI-MRS image of nibabel; axes of length one after the time axis are dropped.

    Parameters
    ----------
    data : complex array, shape (points, coils) or (points, coils, transients)
    spectrum : Spectrum
        For dwell time and frequency.
    affine : array, shape (4, 4)
    facts : mapping
        Standard NIfTI-MRS header fields: ``EchoTime``, ``RepetitionTime``, ``SequenceName`` ..
    """
    tags = [tag for tag, size in zip(("DIM_COIL", "DIM_DYN"), data.shape[1:], strict=False) if size > 1]
    sizes = [size for size in data.shape[1:] if size > 1]
    kept = data.reshape(1, 1, 1, data.shape[0], *sizes).astype(np.complex64)
    header = Hdr_Ext(spectrum.frequency_mhz, "1H", dimensions=kept.ndim)
    for axis, tag in enumerate(tags):
        header.set_dim_info(axis, tag)
    for name, value in facts.items():
        header.set_standard_def(name, value)
    made = gen_nifti_mrs_hdr_ext(kept, spectrum.dwell_time_s, header, affine=affine, no_conj=True)
    return made.image.nibImage
