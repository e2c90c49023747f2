"""From fitted amplitudes to concentrations: water reference, tissue water, and how far to trust the scale."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from hlhneuro.settings import SpectraSettings
from hlhneuro.spectroscopy.relaxation import (
    Relaxation,
    Timing,
    TissueFractions,
    metabolite_groups,
    relaxation_at,
    water_parameters,
)
from hlhneuro.spectroscopy.spectra import Spectrum

__all__ = ["TissueFractions", "WaterScale", "scale_table", "water_amplitude", "water_scale"]

_WATER_MMOL_PER_KG = 1e6 / 18.015  # molality of pure water


@dataclass(frozen=True)
class WaterScale:
    """By what to multiply amplitudes per proton.

    Parameters
    ----------
    factor : float
        For a metabolite without relaxation times of its own.
    unit : str
    notes : tuple of str
        What it rests on, or why it is missing.
    relative_sd : float, optional
        Standard uncertainty of `factor` as a part of it; None without a water reference.
    groups : mapping of str to (float, float)
        By basis function or sum: its own factor and that one's relative uncertainty.
    """

    factor: float
    unit: str
    notes: tuple[str, ...]
    relative_sd: float | None = None
    groups: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    def of(self, name: str) -> tuple[float, float | None]:
        """Return the factor of one function or sum, and its relative uncertainty."""
        return self.groups.get(name, (self.factor, self.relative_sd))


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
    age_years: float | None = None,
    refused: str = "",
) -> WaterScale:
    """Return the factor from amplitude per proton to concentration, and how uncertain it is.

    The uncertainty is that of tissue fractions, water contents and relaxation times, carried through the formula one
    by one. Where lesion water decays for a long time before the echo, it is large; where it is larger than
    `SpectraSettings.worst_scale_sd`, there is no water-referenced concentration.

    Parameters
    ----------
    spectrum, water : Spectrum
        Averaged metabolite spectrum and water reference, with the same coil weights.
    tissue : TissueFractions, optional
    relaxation : Relaxation, optional
        Constants; those of the field by default.
    age_years : float, optional
        Under `SpectraSettings.immature_years` the constants of adults do not hold: said, and added to the uncertainty.
    refused : str
        Why there is no `water` although one was given (`Prepared.refused`).

    Returns
    -------
    WaterScale
        Unit ``mmol/kg`` (of tissue water) or ``mM`` (of tissue; `SpectraSettings.concentration_unit`) where tissue is
        known, ``i.u.`` where the water reference stands on assumed tissue (all metabolites then share one relaxation,
        so that their ratios stay those of the spectrum), ``a.u.`` (factor one) where it cannot be used.

    References
    ----------
    Gasparovic C et al. Use of tissue water as a concentration reference for proton spectroscopic imaging. Magn Reson
    Med 2006;55:1219. Near J et al. NMR Biomed 2021;34:e4257.
    """
    why, echo_time_s, repetition_time_s, constants = _needed(spectrum, water, settings, relaxation)
    if refused:
        why = refused
    if water is None or constants is None or why:
        return WaterScale(1.0, "a.u.", (f"{why}: only ratios can be compared",))
    notes = [f"water content and relaxation times of adults: {constants.source}"]
    unit, alike = settings.concentration_unit, metabolite_groups()
    if tissue is None:
        alike = {}
        tissue, unit = TissueFractions(0.5, 0.5, 0.0, 0.0, *settings.assumed_tissue_sd), "i.u."
        notes.append("tissue in the voxel not known: equal parts of grey and white matter taken")
    if tissue.csf > settings.most_csf:
        why = f"{tissue.csf:.0%} of the voxel is CSF, in which there are no metabolites to speak of"
        return WaterScale(1.0, "a.u.", (f"{why}: only ratios can be compared",))
    values, sds = water_parameters(tissue, constants, settings.tissue_sd)
    timing = Timing(echo_time_s, repetition_time_s, molar=unit == "mM")
    spread = timing.spread(values, sds)
    notes += _flags(tissue, age_years, settings)
    if age_years is not None and age_years < settings.immature_years:
        spread["age"] = settings.immature_scale_sd
    water_sd = float(np.sqrt(sum(part**2 for part in spread.values())))
    leading = max(spread, key=lambda name: spread[name], default="")
    uncertain = f"the water reference is uncertain by {water_sd:.0%}" + (f", mostly for {leading}" if leading else "")
    if water_sd > settings.worst_scale_sd:
        why = f"{uncertain}: more than {settings.worst_scale_sd:.0%}, only ratios can be compared"
        return WaterScale(1.0, "a.u.", (*notes, why))
    per_signal = timing.visible_water(values) * _WATER_MMOL_PER_KG / (water_amplitude(water, settings) / 2.0)

    def of(group: str) -> tuple[float, float]:
        left, left_sd = timing.metabolite(constants.metabolite(group))
        return per_signal / left, float(np.hypot(water_sd, left_sd))

    groups = {member: of(group) for group, members in alike.items() for member in members}
    factor, relative_sd = of("metabolite")
    return WaterScale(factor, unit, (*notes, uncertain), relative_sd, groups)


def _flags(tissue: TissueFractions, age_years: float | None, settings: SpectraSettings) -> list[str]:
    """Return what about the voxel and the patient the constants of healthy adults do not hold for."""
    found = []
    if age_years is not None and age_years < settings.immature_years:
        found.append(
            f"age {age_years:.1f} years: brains under {settings.immature_years:g} years hold more water, which relaxes "
            "more slowly, than the adults' values that were used"
        )
    if tissue.lesion > settings.lesion_fraction_note:
        found.append(f"{tissue.lesion:.0%} of the voxel is lesion, for whose water typical values were taken")
    return found


def scale_table(
    table: pd.DataFrame, scale: WaterScale, settings: SpectraSettings
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Put a table of amplitudes on the scale of concentrations.

    Ratios to creatine stay as they are in the spectrum, without relaxation correction, so that they can be compared
    with those of spectra without water reference and with published ones.

    Parameters
    ----------
    table : DataFrame
        See `hlhneuro.spectroscopy.fitting.SpectrumFit.concentrations`; amplitudes per proton.
    scale : WaterScale

    Returns
    -------
    table : DataFrame
        With ``scale_sd``, the part of ``sd`` that comes from the scale (missing without a water reference);
        ``crlb_percent`` is that of the fit alone.
    notes : tuple of str
        What the scale rests on, and what in the spectrum speaks against it.
    """
    factors = [scale.of(str(name)) for name in table["metabolite"]]
    factor = np.array([one for one, _ in factors])
    scaled = table.assign(concentration=table["concentration"] * factor, unit=scale.unit)
    scale_sd = np.array([np.nan if part is None else part for _, part in factors]) * scaled["concentration"].abs()
    scaled["sd"] = np.hypot(table["sd"] * factor, scale_sd.fillna(0.0))
    scaled["scale_sd"] = scale_sd
    notes = scale.notes
    lipid = table[table["metabolite"].isin(["Lip13"]) & table["detected"].astype(bool)]
    if scale.relative_sd is not None and (lipid["ratio_to_tcr"] > settings.lipid_ratio_note).any():
        notes = (*notes, "lipid at 1.3 ppm is present: in necrotic tissue water and metabolites relax like in no table")
    if scale.relative_sd is not None:
        notes = (*notes, *_doubtful(scaled, settings))
    return scaled, notes


def _doubtful(scaled: pd.DataFrame, settings: SpectraSettings) -> list[str]:
    """Return what of creatine no brain has: where it is neither lost nor gathered, the water reference is at fault."""
    creatine = scaled[scaled["metabolite"] == "tCr"]
    least, most = settings.creatine_plausible
    found = []
    for value, sd, unit in zip(creatine["concentration"], creatine["sd"], creatine["unit"], strict=True):
        if value - 2 * sd > most:
            found.append(
                f"tCr of {value:.0f} {unit} is in no brain (at most {most:g}): the water reference is too weak"
            )
        elif value + 2 * sd < least:
            found.append(
                f"tCr of {value:.1f} {unit} is below {least:g}: creatine is lost, or the water reference is too strong"
            )
    return found


def _needed(
    spectrum: Spectrum, water: Spectrum | None, settings: SpectraSettings, relaxation: Relaxation | None
) -> tuple[str, float, float, Relaxation | None]:
    """Return why there is no scale (or nothing), the times that it needs, and the constants of the field."""
    echo_time_s, repetition_time_s = spectrum.echo_time_s, spectrum.repetition_time_s
    if water is None:
        return "no water reference", 0.0, 0.0, None
    if echo_time_s is None or repetition_time_s is None:
        times = (("echo time", echo_time_s), ("repetition time", repetition_time_s))
        return f"{' and '.join(name for name, value in times if value is None)} not known", 0.0, 0.0, None
    constants = relaxation or relaxation_at(spectrum.field_t, settings.relaxation_field_tolerance)
    if constants is None:
        return f"no relaxation times for {spectrum.field_t:.2f} T", 0.0, 0.0, None
    return "", echo_time_s, repetition_time_s, constants
