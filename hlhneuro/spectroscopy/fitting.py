"""Linear-combination fit of one spectrum."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import scipy.fft
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from hlhneuro.errors import InputError
from hlhneuro.settings import SpectraSettings
from hlhneuro.spectroscopy import _model as nl
from hlhneuro.spectroscopy._linear import make_baseline, solve_amplitudes
from hlhneuro.spectroscopy._start import Start, find_start, noise_sd
from hlhneuro.spectroscopy._tables import concentration_table, full_width, verdict
from hlhneuro.spectroscopy.basis import Basis, add_broad_signals, check_basis_fits, simulate_basis
from hlhneuro.spectroscopy.preprocessing import preprocess
from hlhneuro.spectroscopy.quantification import TissueFractions, WaterScale, water_scale
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
        Columns ``metabolite, concentration, unit, sd, crlb_percent, ratio_to_tcr, ratio_sd, detected``.
    quality : mapping
        ``snr, linewidth_hz, linewidth_ppm, shift_ppm, phase0_deg, residual_ratio, fit_seconds, verdict, reasons``;
        verdict is ``good``, ``usable`` or ``not usable``.
    record : tuple of (str, mapping)
        Preprocessing steps with their parameters, in order.
    """

    ppm: NDArray[np.float64]
    data: NDArray[np.complex128]
    fit: NDArray[np.complex128]
    baseline: NDArray[np.complex128]
    components: Mapping[str, NDArray[np.complex128]]
    concentrations: pd.DataFrame
    quality: Mapping[str, object]
    record: tuple[tuple[str, Mapping[str, object]], ...] = ()


def fit_spectrum(
    spectrum: Spectrum,
    basis: Basis | None = None,
    *,
    water: Spectrum | None = None,
    settings: SpectraSettings = SpectraSettings(),  # noqa: B008  (frozen)
    sequence: str | None = None,
    tissue: TissueFractions | tuple[float, float, float] | None = None,
) -> SpectrumFit:
    """Preprocess one acquisition and fit it with a basis.

    Parameters
    ----------
    spectrum : Spectrum
        Raw or averaged; coils and transients are combined first.
    basis : Basis, optional
        Simulated for the sequence and echo time of the spectrum where none is given.
    water : Spectrum, optional
        Water reference of the same voxel: eddy currents, coil weights and the scale of concentrations.
    sequence : str, optional
        What the spectrum was acquired with; wins over its header.
    tissue : TissueFractions or (float, float, float), optional
        Grey matter, white matter and CSF in the voxel, for the water reference; what three numbers leave is lesion.

    Returns
    -------
    SpectrumFit
        Concentrations in mmol per kg of tissue water with a water reference, otherwise in arbitrary units ("a.u.").

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
        prepared = preprocess(spectrum, water, settings)
        started = time.perf_counter()
        suited, notes = _suited_basis(prepared.spectrum, basis, settings)
        fitted = _fit(prepared.spectrum, suited, settings)
        seconds = time.perf_counter() - started
        if isinstance(tissue, tuple):
            tissue = TissueFractions(*tissue, lesion=max(0.0, 1.0 - sum(tissue)))
        scale = water_scale(prepared.spectrum, prepared.water, settings, tissue=tissue)
        record = (_acquisition(prepared.spectrum), *prepared.record, *notes)
        return _report(prepared.spectrum, suited, fitted, scale, record, seconds, settings)


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
            field = "sequence" if spectrum.sequence is None else "EchoTime"
            raise InputError(
                "no basis was given, and without this none can be simulated",
                field=field,
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


@dataclass(frozen=True)
class _Fitted:
    model: nl.Model
    solution: nl.Solution
    covariance: NDArray[np.float64]
    noise_sd: float
    stiffness: float
    flexibility: float
    start: Start
    iterations: int


def _fit(spectrum: Spectrum, basis: Basis, settings: SpectraSettings) -> _Fitted:
    """Find start values, choose the baseline's stiffness, fit everything, bound the errors."""
    whole = np.fft.fftshift(np.fft.fft(spectrum.fid))
    noise = noise_sd(whole, spectrum.ppm)
    reach = (spectrum.ppm > settings.fit_low_ppm) & (spectrum.ppm < settings.fit_high_ppm)
    start = find_start(spectrum.fid, basis, reach, settings.longest_start_shift_ppm)
    model = _build_model(spectrum, basis, whole, start, settings)
    prior = _make_prior(spectrum, basis, start, settings)
    span = settings.fit_high_ppm - settings.fit_low_ppm

    parameters = prior.mean.copy()
    parameters[[nl.PHASE0, nl.SHIFT, nl.LORENTZ]] = start.phase_rad, start.shift_hz, start.width_hz / 2
    parameters[nl.GAUSS2] = (start.width_hz / 2) ** 2
    stiffness = model.baseline.stiffness_for(1.0 * span + 2)
    common = (nl.PHASE0, nl.SHIFT, nl.LORENTZ, nl.GAUSS2)
    rough, first = nl.optimise(parameters, model, stiffness, prior, noise, moving=common, iterations=10, tolerance=1e-3)
    stiffness, flexibility = _choose_stiffness(rough, model, span, settings)
    # Priors are weighed against what the model cannot explain, not against thermal noise alone.
    spread = max(noise, _spread(rough.residual))
    point, second = nl.optimise(
        rough.parameters, model, stiffness, prior, spread, iterations=settings.most_iterations, tolerance=1e-4
    )
    stiffness, flexibility = _choose_stiffness(point, model, span, settings)
    spread = max(noise, _spread(point.residual))
    point, third = nl.optimise(
        point.parameters, model, stiffness, prior, spread, iterations=settings.most_iterations, tolerance=1e-5
    )
    spread = max(noise, _spread(point.residual))
    bound = nl.covariance(point, model, stiffness, prior, spread)
    return _Fitted(model, point, bound, noise, stiffness, flexibility, start, first + second + third)


def _spread(residual: NDArray[np.complex128]) -> float:
    """Return the standard deviation per channel."""
    return float(np.sqrt(np.mean(np.abs(residual) ** 2) / 2))


def _build_model(
    spectrum: Spectrum,
    basis: Basis,
    whole: NDArray[np.complex128],
    start: Start,
    settings: SpectraSettings,
) -> nl.Model:
    """Keep a band of twice the fitted range: the model's FIDs then have few points, and the fit is fast."""
    ppm = spectrum.ppm - start.shift_hz / spectrum.spectrometer_frequency_mhz
    index = np.flatnonzero(_reach(spectrum, start, settings))
    first, last = int(index[0]), int(index[-1]) + 1
    size = min(spectrum.points, scipy.fft.next_fast_len(2 * (last - first)))
    band_start = min(max(0, (first + last - size) // 2), spectrum.points - size)
    band = slice(band_start, band_start + size)
    duration = spectrum.points * spectrum.dwell_time_s
    # Damped to a thousandth at their end, FIDs do not wrap around when the band is cut; the fit takes it off again.
    damped_hz = float(np.log(1000.0) / (np.pi * duration))
    damping = np.exp(-np.pi * damped_hz * spectrum.time_s)
    spectra = np.fft.fftshift(np.fft.fft(basis.fids * damping, axis=-1), axes=-1)[:, band]
    fids = np.fft.ifft(np.fft.ifftshift(spectra, axes=-1), axis=-1)
    # Cutting the band smears the sharp onset of a FID to slightly negative times, which sit at the end of the axis.
    place = np.arange(size)
    place = np.where(place >= size - size // 16, place - size, place)
    inside = slice(first - band_start, last - band_start)
    splines = round(settings.baseline_splines_per_ppm * (settings.fit_high_ppm - settings.fit_low_ppm))
    return nl.Model(
        time_s=np.asarray(place * (duration / size), dtype=np.float64),
        fids=np.asarray(fids),
        data=np.asarray(whole[first:last]),
        inside=inside,
        offset_ppm=ppm[first:last] - (settings.fit_low_ppm + settings.fit_high_ppm) / 2,
        gaussian=np.array([kind != "metabolite" for kind in basis.kinds]),
        baseline=make_baseline(size, inside.start, inside.stop, splines),
        damped_hz=damped_hz,
    )


def _make_prior(spectrum: Spectrum, basis: Basis, start: Start, settings: SpectraSettings) -> nl.Prior:
    hz = spectrum.spectrometer_frequency_mhz
    count = len(basis.names)
    size = nl.COMMON + 2 * count
    mean, sd = np.zeros(size), np.full(size, np.inf)
    lower, upper = np.full(size, -np.inf), np.full(size, np.inf)
    sd[nl.PHASE1] = np.deg2rad(settings.phase1_sd_deg_per_ppm)
    lower[nl.LORENTZ], upper[nl.LORENTZ] = 0.0, 0.3 * hz
    lower[nl.GAUSS2], upper[nl.GAUSS2] = 0.0, (0.3 * hz) ** 2
    lower[nl.SHIFT], upper[nl.SHIFT] = start.shift_hz - 0.1 * hz, start.shift_hz + 0.1 * hz
    broad = 2 * 0.14 * settings.broad_width_sd_ppm * hz**2  # d(w**2) = 2 w dw at the width of lipid lines
    for i, (name, kind) in enumerate(zip(basis.names, basis.kinds, strict=True)):
        shift, width = nl.COMMON + i, nl.COMMON + count + i
        if kind == "metabolite":
            sd[shift], sd[width] = settings.shift_sd_ppm * hz, settings.lorentz_sd_hz
            lower[width], upper[width] = -3 * sd[width], 3 * sd[width]
        else:
            measured = kind == "macromolecule" and not name.startswith("MM")
            sd[shift] = hz * (settings.measured_mm_shift_sd_ppm if measured else settings.broad_shift_sd_ppm)
            sd[width] = broad
            lower[width], upper[width] = -0.5 * (0.089 * hz) ** 2, 4 * broad
        lower[shift], upper[shift] = -3 * sd[shift], 3 * sd[shift]
    return nl.Prior(mean, sd, lower, upper)


def _choose_stiffness(
    point: nl.Solution, model: nl.Model, span_ppm: float, settings: SpectraSettings
) -> tuple[float, float]:
    """Return the penalty and its effective dimensions per ppm that a penalised likelihood prefers."""
    best = (np.inf, 0.0, 0.0)
    samples = 2 * model.data.size
    for flexibility in settings.baseline_flexibility_per_ppm:
        dimensions = flexibility * span_ppm + 2
        stiffness = model.baseline.stiffness_for(dimensions)
        linear = solve_amplitudes(point.data, point.functions, model.baseline, stiffness, point.linear.free)
        residual = point.data - point.functions @ linear.amplitudes - model.baseline.vectors @ linear.baseline
        criterion = np.log(np.vdot(residual, residual).real) + 2 * settings.baseline_aic_factor * dimensions / samples
        if criterion < best[0]:
            best = (float(criterion), stiffness, flexibility)
    return best[1], best[2]


def _report(
    spectrum: Spectrum,
    basis: Basis,
    fitted: _Fitted,
    scale: WaterScale,
    record: tuple[tuple[str, Mapping[str, object]], ...],
    seconds: float,
    settings: SpectraSettings,
) -> SpectrumFit:
    point, model = fitted.solution, fitted.model
    amplitudes = point.linear.amplitudes * scale.factor
    table = concentration_table(
        basis.names, basis.kinds, amplitudes, fitted.covariance * scale.factor**2, scale.unit, settings
    )
    hz = spectrum.spectrometer_frequency_mhz
    shift_ppm = float(point.parameters[nl.SHIFT] / hz)
    start = int(np.flatnonzero(_reach(spectrum, fitted.start, settings))[0])
    baseline = model.baseline.vectors @ point.linear.baseline
    components = point.functions * point.linear.amplitudes
    notes = (
        ("start values", {"shift_hz": fitted.start.shift_hz, "explained": round(fitted.start.explained, 4)}),
        ("baseline", {"effective_dimensions_per_ppm": fitted.flexibility}),
        ("fit", {"iterations": fitted.iterations, "noise_sd": fitted.noise_sd}),
        ("quantification", {"unit": scale.unit, "notes": scale.notes}),
    )
    return SpectrumFit(
        ppm=spectrum.ppm[start : start + model.data.size] - shift_ppm,
        data=point.data,
        fit=point.data - point.residual,
        baseline=baseline,
        components={name: components[:, i] for i, name in enumerate(basis.names)},
        concentrations=table,
        quality=_quality(fitted, basis, components, baseline, table, shift_ppm, hz, seconds, settings),
        record=(*record, *notes),
    )


def _quality(
    fitted: _Fitted,
    basis: Basis,
    components: NDArray[np.complex128],
    baseline: NDArray[np.complex128],
    table: pd.DataFrame,
    shift_ppm: float,
    hz: float,
    seconds: float,
    settings: SpectraSettings,
) -> dict[str, object]:
    point, model = fitted.solution, fitted.model
    narrow = ~model.gaussian
    peak = float(np.max(components[:, narrow].real.sum(axis=1), initial=0.0))
    spread = _spread(point.residual)
    residual_ratio = spread / fitted.noise_sd
    signal = _spread(point.data - baseline)
    unexplained = float(np.sqrt(max(spread**2 - fitted.noise_sd**2, 0.0)) / max(signal, 1e-300))
    linewidth = _linewidth_hz(fitted, basis)
    snr = peak / (2 * fitted.noise_sd)
    seen = table[table.metabolite.isin([n for n, k in zip(basis.names, basis.kinds, strict=True) if k == "metabolite"])]
    word, reasons = verdict(snr, linewidth / hz, unexplained, bool(seen.detected.any()), settings)
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


def _linewidth_hz(fitted: _Fitted, basis: Basis) -> float:
    """Return the width of the strongest fitted singlet (of all common ones if none was found)."""
    model, point = fitted.model, fitted.solution
    singlets = [i for i, name in enumerate(basis.names) if name in ("NAA", "Cr", "PCr", "GPC", "PCho")]
    if not singlets:
        singlets = [int(np.argmax(point.linear.amplitudes * ~model.gaussian))]
    heights = [float(np.abs(point.functions[:, i]).max() * point.linear.amplitudes[i]) for i in singlets]
    chosen = singlets[int(np.argmax(heights))]
    fid = point.damped[chosen]
    late = model.time_s < 0  # the last points stand for times just before zero
    padded = np.zeros(16 * fid.size, dtype=np.complex128)
    padded[: int((~late).sum())] = fid[~late]
    padded[-int(late.sum()) :] = fid[late]
    spectrum = np.fft.fftshift(np.fft.fft(padded))
    top = int(np.argmax(np.abs(spectrum)))
    turned = np.real(spectrum * np.exp(-1j * np.angle(spectrum[top])))
    step = abs(float(model.time_s[1] - model.time_s[0]))
    return full_width(turned, 1.0 / (padded.size * step))


def _reach(spectrum: Spectrum, start: Start, settings: SpectraSettings) -> NDArray[np.bool_]:
    """Return which points are fitted: the range keeps its place on the metabolites, not on the scanner's frequency."""
    ppm = spectrum.ppm - start.shift_hz / spectrum.spectrometer_frequency_mhz
    return np.asarray((ppm > settings.fit_low_ppm) & (ppm < settings.fit_high_ppm))
