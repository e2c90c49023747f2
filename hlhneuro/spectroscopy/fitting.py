"""Linear-combination fit of one spectrum."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from hlhneuro.errors import InputError
from hlhneuro.settings import SpectraSettings
from hlhneuro.spectroscopy import _model as nl
from hlhneuro.spectroscopy._bacteria import look_for_bacteria
from hlhneuro.spectroscopy._core import Fitted, make_problem, spread
from hlhneuro.spectroscopy._lineshape import solve_prepared
from hlhneuro.spectroscopy._ratio_priors import NO_PRIORS, load_ratio_priors
from hlhneuro.spectroscopy._tables import concentration_table, correlations_of, full_width, verdict
from hlhneuro.spectroscopy.basis import Basis, add_broad_signals, check_basis_fits, simulate_basis
from hlhneuro.spectroscopy.detection import Evidence, detect_listed
from hlhneuro.spectroscopy.preprocessing import Prepared, Stage, preprocess
from hlhneuro.spectroscopy.quantification import TissueFractions, WaterScale, scale_table, water_scale
from hlhneuro.spectroscopy.spectra import Spectrum

__all__ = ["SpectrumFit", "fit_spectrum"]


@dataclass(frozen=True)
class SpectrumFit:
    """A fitted spectrum.

    Parameters
    ----------
    ppm : array, shape (points,)
        Chemical shift axis of the fitted range, descending as drawn.
    data, fit, baseline : complex arrays, shape (points,)
        Phased and shifted like the data that were fitted; ``residual = data - fit``; `fit` holds the baseline.
    components : mapping of name to complex array
        Contribution of each basis function with its fitted amplitude, without baseline.
    concentrations : DataFrame
        Columns ``metabolite, concentration, unit, sd, crlb_percent, ratio_to_tcr, ratio_sd, detected, scale_sd``.
    quality : mapping
        ``snr, linewidth_hz, linewidth_ppm, shift_ppm, phase0_deg, residual_ratio, fit_seconds, verdict, reasons,
        rejected_transients``;
        verdict is ``good``, ``usable`` or ``not usable``.
    record : tuple of (str, mapping)
        Preprocessing steps with their parameters, in order.
    stages : tuple of Stage
        The spectrum before and after each of these steps.
    correlations : array, shape (components, components)
        Of the errors of the amplitudes, in the order of `components`, to three digits: near -1, only the sum of the
        two is known.
    """

    ppm: NDArray[np.float64]
    data: NDArray[np.complex128]
    fit: NDArray[np.complex128]
    baseline: NDArray[np.complex128]
    components: Mapping[str, NDArray[np.complex128]]
    concentrations: pd.DataFrame
    quality: Mapping[str, object]
    record: tuple[tuple[str, Mapping[str, object]], ...] = ()
    stages: tuple[Stage, ...] = ()
    correlations: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 0)))


def fit_spectrum(
    spectrum: Spectrum,
    basis: Basis | None = None,
    *,
    water: Spectrum | None = None,
    eddy_reference: Spectrum | None = None,
    settings: SpectraSettings = SpectraSettings(),  # noqa: B008  (frozen)
    sequence: str | None = None,
    tissue: TissueFractions | tuple[float, float, float] | None = None,
    age_years: float | None = None,
) -> SpectrumFit:
    """Preprocess one acquisition and fit it with a basis.

    Parameters
    ----------
    spectrum : Spectrum
        Raw or averaged; coils and transients are combined first.
    basis : Basis, optional
        Simulated for the sequence and echo time of the spectrum where none is given.
    water : Spectrum, optional
        Water reference of the same voxel, for the scale of concentrations; for eddy currents and coil weights as well
        where there is no `eddy_reference`.
    eddy_reference : Spectrum, optional
        Water reference of the same voxel for eddy currents, where it is another one.
    sequence : str, optional
        What the spectrum was acquired with; wins over its header.
    tissue : TissueFractions or (float, float, float), optional
        Grey matter, white matter and CSF in the voxel, for the water reference; what three numbers leave is lesion.
    age_years : float, optional
        For the water reference: the tissue of infants is not that of adults.

    Returns
    -------
    SpectrumFit
        Concentrations in mmol per kg of tissue water with a water reference, otherwise in arbitrary units ("a.u.").
        Each is what is expected given the data and that none is negative; `sd` is its error, and `components` and `fit`
        are drawn with it.

    Raises
    ------
    InputError
        If sequence or echo time is needed and unknown, the basis does not suit, or the data are conjugated.

    References
    ----------
    Provencher SW. Magn Reson Med 1993;30:672. Wilson M. Magn Reson Med 2021;85:13 (baseline).
    """
    with threadpool_limits(limits=1):  # the matrices are small: threads cost more than they give, and change sums
        if sequence is not None:
            spectrum = replace(spectrum, sequence=sequence.strip().lower())
        prepared = preprocess(spectrum, water, settings, eddy_reference=eddy_reference)
        settings = _clear_of_water(prepared.water_ppm, settings)
        started = time.perf_counter()
        suited, notes = _suited_basis(prepared.spectrum, basis, settings)
        problem = make_problem(suited, settings)
        prepared, fitted = solve_prepared(problem, prepared)
        seconds = time.perf_counter() - started
        evidence = detect_listed(problem, fitted)
        problem, fitted, evidence, more = look_for_bacteria(problem, fitted, evidence, prepared.spectrum)
        if isinstance(tissue, tuple):
            tissue = TissueFractions(*tissue, lesion=max(0.0, 1.0 - sum(tissue)))
        scale = water_scale(
            *(prepared.spectrum, prepared.water, settings),
            tissue=tissue,
            age_years=age_years,
            refused=prepared.refused,
        )
        record = (_acquisition(prepared.spectrum), *prepared.record, *notes, *more)
        made = _report(prepared, problem.basis, fitted, evidence, scale, record, seconds, settings)
        quality = dict(made.quality) | {"rejected_transients": prepared.rejected_transients}
        return replace(made, stages=prepared.stages, quality=quality)


def _clear_of_water(water_ppm: float | None, settings: SpectraSettings) -> SpectraSettings:
    """Return settings with a fitted range that ends where removed water may have taken metabolites with it."""
    if water_ppm is None or water_ppm >= settings.water_clear_ppm:
        return settings
    return replace(settings, fit_high_ppm=min(settings.fit_high_ppm, settings.fit_high_beside_water_ppm))


def _acquisition(spectrum: Spectrum) -> tuple[str, Mapping[str, object]]:
    facts = {
        "field_t": round(spectrum.field_t, 4),
        "echo_time_s": spectrum.echo_time_s,
        "repetition_time_s": spectrum.repetition_time_s,
        "sequence": spectrum.sequence,
        "points": spectrum.points,
        "dwell_time_s": spectrum.dwell_time_s,
    }
    return "acquisition", facts


def _suited_basis(
    spectrum: Spectrum, basis: Basis | None, settings: SpectraSettings
) -> tuple[Basis, tuple[tuple[str, Mapping[str, object]], ...]]:
    if basis is None:
        if spectrum.sequence is None or spectrum.echo_time_s is None:
            missing = "sequence" if spectrum.sequence is None else "EchoTime"
            raise InputError(
                "no basis was given, and without this none can be simulated",
                field=missing,
                remedy="give sequence and echo time (in the JSON sidecar or as arguments), or a basis file",
            )
        basis = simulate_basis(
            spectrum.sequence,
            spectrum.echo_time_s,
            dwell_time_s=spectrum.dwell_time_s,
            points=spectrum.points,
            spectrometer_frequency_mhz=spectrum.spectrometer_frequency_mhz,
            settings=settings,
        )
    suited, remarks = check_basis_fits(basis, spectrum, settings)
    echo_time = spectrum.echo_time_s if spectrum.echo_time_s is not None else basis.echo_time_s
    kinds = ["lipid", "macromolecule"]
    if echo_time is not None and echo_time > settings.macromolecules_until_echo_time_s:
        kinds = ["lipid"]
        remarks = (*remarks, f"macromolecules left out: they have decayed at TE {echo_time * 1e3:g} ms")
    suited = add_broad_signals(suited, kinds)
    return suited, (("basis", {"source": basis.source, "functions": suited.names, "notes": remarks}),)


def _report(
    prepared: Prepared,
    basis: Basis,
    fitted: Fitted,
    evidence: tuple[Evidence, ...],
    scale: WaterScale,
    record: tuple[tuple[str, Mapping[str, object]], ...],
    seconds: float,
    settings: SpectraSettings,
) -> SpectrumFit:
    point, model, spectrum = fitted.solution, fitted.model, prepared.spectrum
    amplitudes = concentration_table(
        basis.names, basis.kinds, point.linear.amplitudes, fitted.covariance, "a.u.", settings
    )
    table, remarks = scale_table(amplitudes, scale, settings)
    scaled = [found.scaled(scale.of(found.metabolite)[0]) for found in evidence]
    for found in scaled:  # the likelihood knows better than the bound
        table.loc[table["metabolite"] == found.metabolite, "detected"] = found.evidence_sd >= settings.detection_sd
    hz = spectrum.spectrometer_frequency_mhz
    shift_ppm = fitted.shift_hz / hz
    baseline = fitted.baseline
    components = point.functions * point.linear.amplitudes
    notes: tuple[tuple[str, Mapping[str, object]], ...] = (
        ("start values", {"shift_hz": fitted.start.shift_hz, "explained": round(fitted.start.explained, 4)}),
        ("baseline", {"effective_dimensions_per_ppm": fitted.flexibility}),
        (
            "fit",
            {
                "iterations": fitted.iterations,
                "noise_sd": fitted.noise_sd,
                "range_ppm": [settings.fit_low_ppm, settings.fit_high_ppm],
            },
        ),
        *_ratio_priors_note(settings),
        ("quantification", {"unit": scale.unit, "notes": remarks}),
        *(("detection", found.to_record()) for found in scaled),
    )
    return SpectrumFit(
        ppm=model.offset_ppm + (settings.fit_low_ppm + settings.fit_high_ppm) / 2 - point.parameters[nl.SHIFT] / hz,
        data=point.data,
        fit=point.data - point.residual,
        baseline=baseline,
        components={name: components[:, i] for i, name in enumerate(basis.names)},
        concentrations=table,
        quality=_quality(fitted, basis, components, table, shift_ppm, hz, seconds, settings, prepared.water_ppm),
        record=(*record, *notes),
        correlations=correlations_of(fitted.covariance),
    )


def _ratio_priors_note(settings: SpectraSettings) -> tuple[tuple[str, Mapping[str, object]], ...]:
    if settings.ratio_priors == NO_PRIORS:
        return ()
    priors, source = load_ratio_priors()
    told = {"choice": settings.ratio_priors, "of": [prior.name for prior in priors], "source": source}
    return (("ratio priors", told),)


def _quality(
    fitted: Fitted,
    basis: Basis,
    components: NDArray[np.complex128],
    table: pd.DataFrame,
    shift_ppm: float,
    hz: float,
    seconds: float,
    settings: SpectraSettings,
    water_ppm: float | None,
) -> dict[str, object]:
    point, model = fitted.solution, fitted.model
    narrow = ~model.gaussian
    peak = float(np.max(components[:, narrow].real.sum(axis=1), initial=0.0))
    residual_ratio = spread(point.residual) / fitted.noise_sd
    linewidth = _linewidth_hz(fitted, basis)
    snr = peak / (2 * fitted.noise_sd)
    seen = table[table.metabolite.isin([n for n, k in zip(basis.names, basis.kinds, strict=True) if k == "metabolite"])]
    word, reasons = verdict(snr, linewidth / hz, fitted.unexplained, bool(seen.detected.any()), settings, water_ppm)
    phase = float(np.rad2deg(np.angle(np.exp(1j * point.parameters[nl.PHASE0]))))
    return {
        "snr": snr,
        "linewidth_hz": linewidth,
        "linewidth_ppm": linewidth / hz,
        "shift_ppm": shift_ppm,
        "phase0_deg": phase,
        "residual_ratio": residual_ratio,
        "fit_seconds": seconds,
        "verdict": word,
        "reasons": reasons,
    }


def _linewidth_hz(fitted: Fitted, basis: Basis) -> float:
    """Return the width of the strongest fitted singlet (of all common ones if none was found)."""
    model, point = fitted.model, fitted.solution
    singlets = [i for i, name in enumerate(basis.names) if name in ("NAA", "Cr", "PCr", "GPC", "PCho", "Cho")]
    if not singlets:
        singlets = [int(np.argmax(point.linear.amplitudes * ~model.gaussian))]
    heights = [float(np.abs(point.functions[:, i]).max() * point.linear.amplitudes[i]) for i in singlets]
    chosen = singlets[int(np.argmax(heights))]
    fid = point.damped[chosen]
    late = model.time_s < 0  # the last points stand for times just before zero
    padded = np.zeros(8 * fid.size, dtype=np.complex128)
    padded[: int((~late).sum())] = fid[~late]
    padded[-int(late.sum()) :] = fid[late]
    spectrum = np.fft.fftshift(np.fft.fft(padded))
    top = int(np.argmax(np.abs(spectrum)))
    turned = np.real(spectrum * np.exp(-1j * np.angle(spectrum[top])))
    step = abs(float(model.time_s[1] - model.time_s[0]))
    return full_width(turned, 1.0 / (padded.size * step))
