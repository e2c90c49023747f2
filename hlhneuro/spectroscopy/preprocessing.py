"""From raw coils and transients to one clean FID, in the order of the consensus; each step leaves a record.

References
----------
Near J et al. Preprocessing, analysis and quantification in single-voxel magnetic resonance spectroscopy: experts'
consensus recommendations. NMR Biomed 2021;34:e4257.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hlhneuro.errors import InputError
from hlhneuro.settings import SpectraSettings
from hlhneuro.spectroscopy.coils import CoilWeights, as_coils, coil_weights
from hlhneuro.spectroscopy.eddy_currents import correct_eddy_currents, reference_phase
from hlhneuro.spectroscopy.references import check_reference, why_no_water
from hlhneuro.spectroscopy.spectra import REFERENCE_PPM, Spectrum, check_not_clipped, looks_conjugated
from hlhneuro.spectroscopy.transients import Averaged, average_transients
from hlhneuro.spectroscopy.water_removal import remove_water

__all__ = ["Prepared", "Stage", "make_stage", "preprocess"]

_Complex = NDArray[np.complex128]
_Float = NDArray[np.float64]
Record = tuple[str, Mapping[str, object]]


@dataclass(frozen=True)
class Stage:
    """What one step did to the spectrum, for a figure.

    Parameters
    ----------
    name : str
        That of the step's record.
    ppm : array, shape (points,)
        From 0 to 5.5 ppm, descending.
    before, after : arrays, shape (points,)
        Real spectrum, each with its own phase, over the tallest signal of `after` from 1.8 to 3.6 ppm, to four digits
        behind the point: they are kept with the results.
    courses : mapping of str to array, shape (transients,)
        Of transients only: ``shifts_hz``, ``shifts_sd_hz``, ``phases_deg``, ``phases_sd_deg``, ``weights``.
    """

    name: str
    ppm: _Float
    before: _Float
    after: _Float
    courses: Mapping[str, _Float] = field(default_factory=dict)


@dataclass(frozen=True)
class Prepared:
    """One averaged spectrum, its averaged water reference (if there is one) and the steps that made them.

    Parameters
    ----------
    spectrum : Spectrum
    water : Spectrum, optional
        For the scale of concentrations.
    record : tuple of (str, mapping)
    stages : tuple of Stage
    refused : str
        Why the water reference that was given is not used for concentrations; empty where it is, or none was given.
    """

    spectrum: Spectrum
    water: Spectrum | None
    record: tuple[Record, ...]
    stages: tuple[Stage, ...] = ()
    refused: str = ""

    @property
    def rejected_transients(self) -> int | None:
        """How many transients were left out; None where the data came averaged."""
        rejected = dict(self.record).get("transients", {}).get("rejected")
        return len(rejected) if isinstance(rejected, list) else None

    @property
    def eddy_corrected(self) -> bool:
        """Whether a water reference has taken the phase of eddy currents away."""
        return "eddy-current correction" in dict(self.record)

    @property
    def water_ppm(self) -> float | None:
        """Where the residual water lay that was removed; None where there was none."""
        place = dict(self.record).get("residual water removal", {}).get("place_ppm")
        return place if isinstance(place, float) else None


def preprocess(
    spectrum: Spectrum, water: Spectrum | None, settings: SpectraSettings, *, eddy_reference: Spectrum | None = None
) -> Prepared:
    """Combine coils, align and average transients, correct eddy currents, remove residual water.

    Parameters
    ----------
    spectrum : Spectrum
        Raw or averaged.
    water : Spectrum, optional
        Water reference for quantification.
    settings : SpectraSettings
    eddy_reference : Spectrum, optional
        Water reference for eddy currents. Where only one of both is given it serves for both, and the record says so.

    Raises
    ------
    InputError
        If spectrum and water reference do not belong together, an axis is unknown, or the data are clipped or
        conjugated.
    """
    references = {
        "quantification": water if water is not None else eddy_reference,
        "eddy currents": eddy_reference if eddy_reference is not None else water,
    }
    for role, reference in references.items():
        if reference is not None:
            check_reference(spectrum, reference, role, settings)
    record: list[Record] = []
    served: dict[str, object] = {}
    if water is not None or eddy_reference is not None:
        shared = water is None or eddy_reference is None
        served |= {"serves": "both" if shared else "one file for each", "roles": [*references]}
        record.append(("water reference", served))
    stages: list[Stage] = []
    single, waters = _one_fid(spectrum, references, settings, record, stages)
    for acquired in (spectrum, water, eddy_reference):
        if acquired is not None:
            check_not_clipped(acquired, settings.clipped_samples)
    refused = {role: why for role, one in waters.items() if (why := why_no_water(single, one, settings))}
    if refused:
        served["refused"] = refused
        waters = {role: one for role, one in waters.items() if role not in refused}
    eddy = waters.get("eddy currents")
    if eddy is not None:
        single = _without_eddy_currents(single, eddy, settings, record, stages)
    cleaned, removed = remove_water(single, settings)
    told: dict[str, object] = {"method": "HSVD in a narrow band", "removed": removed}
    record.append(("residual water removal", told))
    if removed:
        water_spectrum = np.abs(np.fft.fftshift(np.fft.fft(single.fid - cleaned)))
        told["place_ppm"] = round(float(single.ppm[int(np.argmax(water_spectrum))]), 3)  # far off, it hides metabolites
        stages.append(make_stage("residual water removal", single, single.fid, cleaned))
    single = single.with_fid(cleaned)
    if looks_conjugated(single, settings.conjugate_energy_ratio):
        raise InputError(
            "the metabolites lie on the wrong side of water: the data are conjugated",
            field="data",
            found="more signal at 5.1 to 9.1 ppm than at 0.2 to 4.2 ppm",
            remedy="convert the raw data again, or give --conjugate to `hlhneuro fit` or `hlhneuro import`",
        )
    not_used = refused.get("quantification", "")
    return Prepared(single, waters.get("quantification"), tuple(record), tuple(stages), not_used)


def _one_fid(
    spectrum: Spectrum,
    references: Mapping[str, Spectrum | None],
    settings: SpectraSettings,
    record: list[Record],
    stages: list[Stage],
) -> tuple[Spectrum, dict[str, Spectrum]]:
    """Combine coils and transients of the spectrum and of each reference."""
    data = as_coils(spectrum)
    waters = {role: (water, as_coils(water)) for role, water in references.items() if water is not None}
    for _, raw in waters.values():
        if raw.shape[1] != data.shape[1]:
            raise InputError(
                "spectrum and water reference were received with different coils",
                field="DIM_COIL",
                found=f"{raw.shape[1]} and {data.shape[1]} coils",
                remedy="give the water reference of this spectrum, combined in the same way",
            )
    weights = CoilWeights(np.ones(1, dtype=np.complex128), (), 0.0)
    if data.shape[1] > 1:
        guide = waters["eddy currents"][1] if waters else data
        weights = coil_weights(data, guide, spectrum, settings)
        told: dict[str, object] = {
            "method": "singular value decomposition of whitened signals",
            "coils": int(data.shape[1]),
            "weights_from": "water reference" if waters else "spectrum",
            "largest_noise_correlation": round(weights.noise_correlation, 3),
        }
        if weights.dead:
            told["without_signal"] = list(weights.dead)
        record.append(("coil combination", told))
        stages.append(_coil_stage(spectrum, data, weights))
    metabolites = (settings.fit_low_ppm, settings.fit_high_ppm)
    single = _averaged(spectrum, weights.combine(data), metabolites, settings, record, stages)
    about_water = (REFERENCE_PPM - settings.water_band_ppm, REFERENCE_PPM + settings.water_band_ppm)
    made: dict[str, Spectrum] = {}
    for role, (water, raw) in waters.items():
        same = next((made[other] for other in made if references[other] is water), None)
        made[role] = same or _averaged(water, weights.combine(raw), about_water, settings, record, None)
    return single, made


def _averaged(
    spectrum: Spectrum,
    fids: _Complex,
    range_ppm: tuple[float, float],
    settings: SpectraSettings,
    record: list[Record],
    stages: list[Stage] | None,
) -> Spectrum:
    """Average transients; the spectrum's own (`stages` given) may be left out, those of a water reference are not."""
    if fids.shape[1] == 1:
        return spectrum.with_fid(fids[:, 0])
    found = average_transients(fids, spectrum, range_ppm, settings, reject=stages is not None)
    record.append(
        (
            "transients" if stages is not None else "transients of the water reference",
            {
                "method": "spectral registration over all transients (Near 2015, Mikkelsen 2020)",
                "count": int(fids.shape[1]),
                "rejected": list(found.rejected),
                "reasons": [f"{number}: {why}" for number, why in found.rejected.items()],
                "drift_hz": round(float(np.ptp(found.course.shifts_hz)), 3),
                "drift_sd_hz": round(float(np.median(found.course.shifts_sd_hz)), 3),
                "phase_range_deg": round(float(np.rad2deg(np.ptp(found.course.phases_rad))), 2),
            },
        )
    )
    if stages is not None:
        stages.append(make_stage("transients", spectrum, fids.mean(axis=1), found.fid, _courses(found)))
    return spectrum.with_fid(found.fid)


def _courses(found: Averaged) -> dict[str, _Float]:
    course = found.course
    courses = {
        "shifts_hz": course.shifts_hz,
        "shifts_sd_hz": course.shifts_sd_hz,
        "phases_deg": np.rad2deg(course.phases_rad),
        "phases_sd_deg": np.rad2deg(course.phases_sd_rad),
        "weights": found.weights,
    }
    return {name: np.round(values, 4) for name, values in courses.items()}


def _without_eddy_currents(
    spectrum: Spectrum, water: Spectrum, settings: SpectraSettings, record: list[Record], stages: list[Stage]
) -> Spectrum:
    corrected = correct_eddy_currents(spectrum.fid, water.fid, settings)
    phase = reference_phase(water.fid, spectrum.points, settings)
    late = slice(spectrum.points // 2, None)
    shift_hz = float(np.mean(np.diff(phase[late]))) / (2 * np.pi * spectrum.dwell_time_s)
    record.append(
        (
            "eddy-current correction",
            {
                "method": "phase of the water reference (Klose 1990)",
                "phase_deg": round(float(np.rad2deg(phase[0])), 2),
                "shift_hz": round(shift_hz, 3),
                "reference_points": water.points,
            },
        )
    )
    stages.append(make_stage("eddy-current correction", spectrum, spectrum.fid, corrected))
    return spectrum.with_fid(corrected)


# -------------------------------------------------------------------------------------------- before and after


def _coil_stage(spectrum: Spectrum, data: _Complex, weights: CoilWeights) -> Stage:
    """Show the best single coil against all, both scaled to the noise of their own FIDs."""
    alone = data.mean(axis=2)
    noise = np.sqrt(np.mean(np.abs(alone[-max(32, data.shape[0] // 5) :]) ** 2, axis=0))
    strength = np.abs(alone[:16]).mean(axis=0) / np.where(noise > 0, noise, np.inf)
    best = int(np.argmax(strength))
    together = weights.combine(data).mean(axis=1)
    own = np.sqrt(np.mean(np.abs(together[-max(32, data.shape[0] // 5) :]) ** 2))
    return make_stage("coil combination", spectrum, alone[:, best] / noise[best], together / max(float(own), 1e-300))


def make_stage(
    name: str, spectrum: Spectrum, before: _Complex, after: _Complex, courses: Mapping[str, _Float] | None = None
) -> Stage:
    """Return what a step did to a FID; `spectrum` gives the axes."""
    shown = (spectrum.ppm > 0.0) & (spectrum.ppm < 5.5)
    signals = (spectrum.ppm > 1.8) & (spectrum.ppm < 3.6)
    curves = []
    for fid in (before, after):
        whole = np.fft.fftshift(np.fft.fft(fid))
        turn = np.exp(-1j * np.angle(np.sum(whole[signals])))
        curves.append((whole * turn).real)
    tallest = max(float(np.abs(curves[1][signals]).max(initial=0.0)), 1e-300)
    first, last = (np.round(curve[shown] / tallest, 4) for curve in curves)
    return Stage(name, np.round(spectrum.ppm[shown], 4), first, last, courses or {})
