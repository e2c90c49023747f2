"""From fitted amplitudes to concentrations: water reference, tissue water, relaxation."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np

from hlhneuro.settings import SpectraSettings
from hlhneuro.spectroscopy.spectra import Spectrum

__all__ = ["Relaxation", "TissueFractions", "WaterScale", "relaxation_at", "water_amplitude", "water_scale"]

_WATER_MMOL_PER_KG = 1e6 / 18.015  # molality of pure water


@dataclass(frozen=True)
class TissueFractions:
    """Volume fractions of the voxel; they sum to one. Lesion water is taken to relax like grey matter."""

    gm: float
    wm: float
    csf: float
    lesion: float = 0.0

    def __post_init__(self) -> None:
        parts = (self.gm, self.wm, self.csf, self.lesion)
        if min(parts) < 0 or not np.isclose(sum(parts), 1.0, atol=0.02):
            raise ValueError(f"tissue fractions must be positive and sum to one, these are {parts}")


@dataclass(frozen=True)
class Relaxation:
    """T1 and T2 (s) of ``gm``, ``wm``, ``csf`` and ``metabolite``, and water densities (g/ml) of the tissues."""

    t1_s: Mapping[str, float]
    t2_s: Mapping[str, float]
    density: Mapping[str, float]
    source: str

    def factor(self, what: str, echo_time_s: float, repetition_time_s: float) -> float:
        """Return the part of the equilibrium signal that is left."""
        recovered = 1.0 - np.exp(-repetition_time_s / self.t1_s[what])
        return float(np.exp(-echo_time_s / self.t2_s[what]) * recovered)


@dataclass(frozen=True)
class WaterScale:
    """By what to multiply amplitudes per proton; with unit and, in sentences, what it rests on or why it is missing."""

    factor: float
    unit: str
    notes: tuple[str, ...]


@cache
def _table() -> tuple[tuple[float, Relaxation], ...]:
    data = tomllib.loads(files("hlhneuro.spectroscopy").joinpath("relaxation.toml").read_text(encoding="utf-8"))
    density = {key: value for key, value in data["water_density"].items() if key != "source"}
    return tuple(
        (entry["field_t"], Relaxation(entry["t1_s"], entry["t2_s"], density, entry["source"]))
        for entry in data["fields"]
    )


def relaxation_at(field_t: float, tolerance: float) -> Relaxation | None:
    """Return the constants of the nearest field, or None if it is further away than `tolerance` (relative)."""
    nearest, constants = min(_table(), key=lambda entry: abs(entry[0] - field_t))
    return constants if abs(nearest - field_t) <= tolerance * nearest else None


def water_amplitude(water: Spectrum, settings: SpectraSettings) -> float:
    """Return the water signal at time zero, from the first milliseconds of its FID.

    The logarithm of a Voigt decay is a parabola in time; its value at zero does not suffer from a few bad first points.
    """
    time = water.time_s
    use = (time <= settings.water_window_s) & (np.arange(time.size) >= 1)
    magnitude = np.abs(water.fid[use])
    good = magnitude > 0.05 * magnitude.max()
    weights = magnitude[good]
    polynomial = np.polynomial.Polynomial.fit(time[use][good], np.log(magnitude[good]), 2, w=weights)
    return float(np.exp(polynomial(0.0)))


def water_scale(
    spectrum: Spectrum,
    water: Spectrum | None,
    settings: SpectraSettings,
    *,
    tissue: TissueFractions | None = None,
    relaxation: Relaxation | None = None,
) -> WaterScale:
    """Return the factor from amplitude per proton to concentration.

    Parameters
    ----------
    spectrum, water : Spectrum
        Averaged metabolite spectrum and water reference, with the same coil weights.
    tissue : TissueFractions, optional
    relaxation : Relaxation, optional
        Constants; those of the field by default.

    Returns
    -------
    WaterScale
        Unit ``mmol/kg`` (of tissue water) or ``mM`` (`SpectraSettings.concentration_unit`) where tissue is known,
        ``i.u.`` where the water reference stands on assumed tissue, ``a.u.`` (factor one) where it cannot be used.

    References
    ----------
    Gasparovic C et al. Use of tissue water as a concentration reference for proton spectroscopic imaging. Magn Reson
    Med 2006;55:1219.
    """
    if water is None:
        return WaterScale(1.0, "a.u.", ("no water reference: only ratios can be compared",))
    missing = [
        name
        for name, value in (("echo time", spectrum.echo_time_s), ("repetition time", spectrum.repetition_time_s))
        if value is None
    ]
    echo_time, repetition_time = spectrum.echo_time_s, spectrum.repetition_time_s
    if missing or echo_time is None or repetition_time is None:
        return WaterScale(1.0, "a.u.", (f"{' and '.join(missing)} not known: only ratios can be compared",))
    constants = relaxation or relaxation_at(spectrum.field_t, settings.relaxation_field_tolerance)
    if constants is None:
        return WaterScale(
            1.0, "a.u.", (f"no relaxation times for {spectrum.field_t:.2f} T: only ratios can be compared",)
        )
    notes = [f"relaxation times: {constants.source}"]
    unit = settings.concentration_unit
    if tissue is None:
        tissue, unit = TissueFractions(0.5, 0.5, 0.0), "i.u."
        notes.append("tissue in the voxel not known: equal parts of grey and white matter taken")
    if tissue.lesion > settings.lesion_fraction_note:
        notes.append(f"{tissue.lesion:.0%} of the voxel is lesion, whose water content and relaxation are not known")
    volumes = {"gm": tissue.gm + tissue.lesion, "wm": tissue.wm, "csf": tissue.csf}
    grams = {name: volume * constants.density[name] for name, volume in volumes.items()}
    visible = sum(g * constants.factor(name, echo_time, repetition_time) for name, g in grams.items())
    total = sum(grams.values())
    if unit == "mM":
        water_content = visible
    else:
        tissue_water = 1.0 - grams["csf"] / total
        if tissue_water < 0.05:
            return WaterScale(1.0, "a.u.", ("the voxel holds almost only CSF: only ratios can be compared",))
        water_content = visible / total / tissue_water
    metabolite = constants.factor("metabolite", echo_time, repetition_time)
    protons = water_amplitude(water, settings) / 2.0
    return WaterScale(water_content * _WATER_MMOL_PER_KG / metabolite / protons, unit, tuple(notes))
