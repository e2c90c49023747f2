"""The fit against spectra of known content, and its parts against other algorithms."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import nnls
from scipy.stats import truncnorm

from hlhneuro.errors import InputError
from hlhneuro.settings import SpectraSettings
from hlhneuro.spectroscopy import _model as nl
from hlhneuro.spectroscopy import add_broad_signals, fit_spectrum, simulate_basis
from hlhneuro.spectroscopy._core import make_problem, solve
from hlhneuro.spectroscopy._linear import make_baseline, non_negative
from hlhneuro.spectroscopy._tables import concentration_table, full_width, verdict
from hlhneuro.spectroscopy._truncation import cut_at_zero

from . import made

SETTINGS = SpectraSettings()
CONTENT = made.HEALTHY | made.BROAD


def table_of(fit):
    return fit.concentrations.set_index("metabolite")


@pytest.mark.parametrize(
    ("shift_ppm", "phase_deg"), [(0.0, 0.0), (0.19, 120.0), (-0.19, -60.0), (0.05, 180.0), (-0.1, 35.0)]
)
def test_content_comes_back_whatever_the_offset_and_phase(shift_ppm, phase_deg):
    spectrum = made.spectrum(CONTENT, noise=0.1, shift_ppm=shift_ppm, phase_deg=phase_deg)
    fit = fit_spectrum(spectrum)
    table = table_of(fit)
    for name, truth in {"tNAA": 9.0, "tCr": 8.0, "tCho": 1.5, "mI": 5.0, "Glu": 8.0}.items():
        assert table.concentration[name] == pytest.approx(truth, rel=0.06), name
    assert table.ratio_to_tcr["tNAA"] == pytest.approx(9 / 8, rel=0.05)
    assert fit.quality["shift_ppm"] == pytest.approx(shift_ppm, abs=0.003)
    turned = np.angle(np.exp(1j * np.deg2rad(fit.quality["phase0_deg"] - phase_deg)))
    assert abs(np.rad2deg(turned)) < 6
    assert fit.quality["verdict"] == "good"


def test_errors_keep_to_their_bounds():
    # Ten noisy copies: the scatter about the truth is what the bounds say, within what ten copies can tell.
    fits = [table_of(fit_spectrum(made.spectrum(CONTENT, noise=1.0, seed=seed))) for seed in range(10)]
    for name, truth in {"tNAA": 9.0, "tCr": 8.0, "tCho": 1.5}.items():
        pull = [(t.concentration[name] - truth) / t.sd[name] for t in fits]
        assert np.sqrt(np.mean(np.square(pull))) < 2.0, name
        assert np.sqrt(np.mean(np.square(pull))) > 0.3, name


def test_what_is_not_there_is_not_detected_and_what_is_there_is():
    table = table_of(fit_spectrum(made.spectrum(CONTENT, noise=0.5)))
    assert not table.detected[["Lac", "Lip13"]].any()
    table = table_of(fit_spectrum(made.spectrum(CONTENT | {"Lac": 5.0}, noise=0.5)))
    assert table.detected["Lac"]
    assert table.concentration["Lac"] == pytest.approx(5.0, abs=3 * table.sd["Lac"])


def test_necrosis_is_fitted_where_no_singlet_leads():
    content = {"Lip13a": 40.0, "Lip09": 15.0, "Lac": 12.0, "Cr": 1.0, "GPC": 0.4, "MM09": 1.5, "MM20": 2.0}
    table = table_of(fit_spectrum(made.spectrum(content, noise=0.5, shift_ppm=0.08, phase_deg=70)))
    assert table.detected[["Lac", "tLip"]].all()
    assert table.concentration["Lac"] == pytest.approx(12.0, rel=0.3)
    assert table.concentration["tNAA"] < 1.5


def test_free_choline_of_a_phantom_counts_as_choline():
    names = ["NAA", "Cr", "Cho", "mI", "Glu", "Lac"]
    axis = {"dwell_time_s": made.DWELL_S, "points": made.POINTS, "spectrometer_frequency_mhz": made.FREQUENCY_MHZ}
    solution = simulate_basis("press", 0.03, names=names, **axis)
    content = np.array([12.5, 10.0, 3.0, 7.5, 12.5, 5.0])  # mM, the usual sphere for spectroscopy
    noise = np.random.default_rng(2).standard_normal((2, made.POINTS))
    fid = content @ solution.fids * np.exp(-2 * np.pi * np.arange(made.POINTS) * made.DWELL_S)
    table = table_of(fit_spectrum(made.from_fid(fid + 0.3 * (noise[0] + 1j * noise[1])), solution))
    assert table.ratio_to_tcr["tCho"] == pytest.approx(0.3, rel=0.03)
    assert "Cho" not in SETTINGS.basis_metabolites


def test_inverted_lactate_at_144_ms_is_lactate():
    spectrum = made.spectrum(made.HEALTHY | {"Lac": 6.0}, noise=0.3, echo_time_s=0.144)
    fit = fit_spectrum(spectrum)
    assert table_of(fit).concentration["Lac"] == pytest.approx(6.0, rel=0.15)
    at_lactate = np.argmin(np.abs(fit.ppm - 1.31))
    near = slice(at_lactate - 4, at_lactate + 5)
    assert fit.components["Lac"].real[near].min() < 0
    assert not any(name.startswith("MM") for name in fit.components)
    assert any("macromolecules left out" in str(parameters) for _, parameters in fit.record)


def test_the_same_input_gives_the_same_bits():
    spectrum = made.spectrum(CONTENT, noise=0.5)
    first, second = fit_spectrum(spectrum), fit_spectrum(spectrum)
    np.testing.assert_array_equal(first.fit, second.fit)
    assert first.concentrations.equals(second.concentrations)


@settings(max_examples=8, deadline=None)
@given(st.floats(1e-6, 1e6))
def test_the_scanners_gain_scales_amplitudes_and_nothing_else(gain):
    spectrum = made.spectrum(CONTENT, noise=0.5)
    plain, scaled = fit_spectrum(spectrum), fit_spectrum(spectrum.with_fid(spectrum.fid * gain))
    a, b = table_of(plain), table_of(scaled)
    np.testing.assert_allclose(b.concentration["tNAA"] / gain, a.concentration["tNAA"], rtol=1e-3)
    np.testing.assert_allclose(b.ratio_to_tcr["Glx"], a.ratio_to_tcr["Glx"], rtol=1e-3)


def test_the_parts_add_up_to_the_fit():
    fit = fit_spectrum(made.spectrum(CONTENT, noise=0.5))
    np.testing.assert_allclose(sum(fit.components.values()) + fit.baseline, fit.fit, atol=1e-6 * np.abs(fit.fit).max())
    assert (np.diff(fit.ppm) < 0).all()


def test_what_is_known_only_as_a_sum_is_said_by_its_correlation():
    fit = fit_spectrum(made.spectrum(CONTENT, noise=2.0))
    at = list(fit.components).index
    assert fit.correlations.shape == (len(fit.components),) * 2
    assert fit.correlations[at("Cr"), at("PCr")] < -0.8
    assert fit.correlations[at("NAA"), at("mI")] == pytest.approx(0.0, abs=0.2)


def test_noise_alone_is_not_usable():
    rng = np.random.default_rng(1)
    fit = fit_spectrum(made.from_fid(rng.standard_normal(1024) + 1j * rng.standard_normal(1024)))
    assert fit.quality["verdict"] == "not usable"


@pytest.mark.parametrize(("change", "field"), [({"sequence": None}, "sequence"), ({"echo_time_s": None}, "EchoTime")])
def test_what_is_needed_for_a_basis_is_asked_for(change, field):
    with pytest.raises(InputError, match=field):
        fit_spectrum(made.from_fid(made.spectrum(CONTENT).fid, **change))


# ------------------------------------------------------------------------------------------------------ parts


def small_model():
    spectrum = made.spectrum(CONTENT, noise=0.3)
    problem = make_problem(add_broad_signals(made.basis()), SETTINGS)
    fitted = solve(problem, spectrum.fid)
    return fitted.model, problem.prior


def test_the_jacobian_is_the_derivative():
    model, prior = small_model()
    rng = np.random.default_rng(3)
    at = np.where(
        np.isfinite(prior.sd), prior.mean + 0.5 * np.minimum(prior.sd, 1.0) * rng.standard_normal(prior.sd.size), 0.0
    )
    at[[nl.PHASE0, nl.SHIFT, nl.LORENTZ, nl.GAUSS2]] = 0.1, 0.5, 3.0, 16.0
    stiffness = model.baseline.stiffness_for(8)
    point = nl.evaluate(at, model, stiffness, prior, 1.0)
    rows, known = nl._jacobian(point, model)
    jacobian = np.zeros((model.data.size, at.size), dtype=complex)
    jacobian[:, known] = rows.T
    fixed = point.functions @ point.linear.amplitudes

    def residual_at(parameters):
        # Same amplitudes, other nonlinear parameters: phased data minus functions.
        other = nl.evaluate(parameters, model, stiffness, prior, 1.0)
        return other.data - other.functions @ point.linear.amplitudes

    assert np.isfinite(fixed).all()
    for k in [0, 1, 2, 3, 4, *range(5, at.size, 7)]:
        step = 1e-5 * max(1.0, abs(at[k]))
        up, down = at.copy(), at.copy()
        up[k] += step
        down[k] -= step
        numeric = -(residual_at(up) - residual_at(down)) / (2 * step)
        expected = jacobian[:, k]
        count = model.fids.shape[0]
        if k >= nl.COMMON and not point.linear.free[(k - nl.COMMON) % count]:
            continue
        np.testing.assert_allclose(numeric, expected, atol=2e-5 * np.abs(expected).max() + 1e-6, err_msg=str(k))


def test_the_slope_is_that_of_the_cost():
    model, prior = small_model()
    at = prior.mean.copy()
    at[[nl.PHASE0, nl.SHIFT, nl.LORENTZ, nl.GAUSS2]] = 0.1, 0.5, 3.0, 16.0
    stiffness = model.baseline.stiffness_for(8)
    point = nl.evaluate(at, model, stiffness, prior, 1.0)
    slope = nl._slope(point, model) - (at - prior.mean) / prior.sd**2
    for k in [*range(nl.COMMON), *range(nl.COMMON, at.size, 6)]:
        costs = []
        for side in (-1, 1):
            there = at.copy()
            there[k] += side * 1e-4 * max(1.0, abs(at[k]))
            costs.append(nl.evaluate(there, model, stiffness, prior, 1.0).cost)
        numeric = -(costs[1] - costs[0]) / (4e-4 * max(1.0, abs(at[k])))  # half of the derivative, downhill
        assert slope[k] == pytest.approx(numeric, rel=1e-3, abs=1e-6 * np.abs(slope).max()), k


def test_a_step_that_meets_a_limit_is_the_best_within_it():
    curvature, slope = np.array([[2.0, 1.5], [1.5, 2.0]]), np.array([2.0, 0.5])
    free = nl._step(curvature, slope, np.ones(2, bool), 0.0, np.full(2, -np.inf), np.full(2, np.inf))
    np.testing.assert_allclose(curvature @ free, slope, rtol=1e-6)
    limited = nl._step(curvature, slope, np.ones(2, bool), 0.0, np.array([-1.0, -0.2]), np.ones(2))
    grid = np.stack(np.meshgrid(np.linspace(-1, 1, 401), np.linspace(-0.2, 1, 241), indexing="ij"), axis=-1)
    cost = np.einsum("...i,ij,...j", grid, curvature, grid) - 2 * grid @ slope
    best = grid.reshape(-1, 2)[np.argmin(cost)]
    np.testing.assert_allclose(limited, best, atol=0.01)


def test_a_problem_is_made_once_for_equal_bases_and_anew_for_another():
    basis = add_broad_signals(made.basis())
    first = make_problem(basis, SETTINGS)
    assert make_problem(replace(basis, fids=basis.fids.copy()), SETTINGS).model is first.model
    changed = replace(basis, fids=basis.fids.copy())
    assert make_problem(changed, SETTINGS).model is first.model
    changed.fids[0] *= 2.0  # in place: what was kept must not change with it
    other = make_problem(changed, SETTINGS)
    assert other.model is not first.model
    np.testing.assert_allclose(other.model.fids[0], 2.0 * first.model.fids[0])
    assert make_problem(basis, replace(SETTINGS, fit_high_ppm=4.0)).model is not first.model


def test_moving_by_whole_bins_is_turning_in_time():
    spectrum = made.spectrum(CONTENT, noise=0.3, shift_ppm=0.1)
    problem = make_problem(add_broad_signals(made.basis()), SETTINGS)
    shift_hz = problem.whole_bins(0.1 * made.FREQUENCY_MHZ)
    assert shift_hz == pytest.approx(0.1 * made.FREQUENCY_MHZ, abs=0.5 / (made.POINTS * made.DWELL_S))
    turned = np.fft.fftshift(np.fft.fft(spectrum.fid * np.exp(2j * np.pi * shift_hz * problem.time_s)))
    moved = problem.moved_back(np.fft.fftshift(np.fft.fft(spectrum.fid)), shift_hz)
    np.testing.assert_allclose(moved, turned[problem.fitted], atol=1e-9 * np.abs(turned).max())


def test_where_the_search_ended_does_not_matter():
    spectrum = made.spectrum(CONTENT, noise=1.0)
    problem = make_problem(add_broad_signals(made.basis()), SETTINGS)
    alone = solve(problem, spectrum.fid)
    offset_hz = 2.0 / problem.templates.duration_s
    parameters = alone.solution.parameters.copy()
    parameters[nl.SHIFT] -= offset_hz
    away = replace(
        alone,
        start=replace(alone.start, shift_hz=alone.start.shift_hz + offset_hz),
        solution=replace(alone.solution, parameters=parameters),
    )
    again = solve(problem, spectrum.fid, away)
    apart = np.abs(again.solution.linear.amplitudes - alone.solution.linear.amplitudes)
    assert again.start.shift_hz == alone.start.shift_hz
    assert (apart < 0.1 * np.sqrt(np.diag(alone.covariance))).all()


def test_a_lipid_line_may_be_narrower_than_usual_and_stays_a_line():
    # Growing in time what was cut to a band would raise what leaks there: the line has to be the analytic one.
    basis = add_broad_signals(made.basis())
    problem = make_problem(basis, SETTINGS)
    at = problem.prior.mean.copy()
    i = basis.names.index("Lip09")
    at[nl.COMMON + len(basis.names) + i] = 0.0
    at[nl.LORENTZ] = 5.0
    point = nl.evaluate(at, problem.model, 1.0, problem.prior, 1.0)
    sharpened = problem.prior.mean[nl.COMMON + len(basis.names) + i]
    t = problem.time_s
    fid = basis.fid("Lip09") * np.exp(nl.GAUSS * sharpened * t**2 - 5.0 * np.pi * t)
    expected = np.fft.fftshift(np.fft.fft(fid))[problem.fitted]
    assert sharpened > 0
    np.testing.assert_allclose(point.functions[:, i], expected, atol=1e-3 * np.abs(expected).max())


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 12))
def test_non_negative_solution_agrees_with_lawson_and_hanson(seed, size):
    rng = np.random.default_rng(seed)
    a, b = rng.standard_normal((30, size)), rng.standard_normal(30)
    expected = nnls(a, b)[0]
    warm = rng.random(size) > 0.5
    for free in (None, warm):
        found, _ = non_negative(a.T @ a, a.T @ b, free)
        np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("centre", [-6.0, -1.0, 0.0, 0.5, 3.0])
def test_moments_of_one_amplitude_cut_at_zero_are_exact(centre):
    mean, covariance = cut_at_zero(np.array([2.0 * centre]), np.array([[4.0]]))
    expected = truncnorm(-centre, np.inf, loc=2.0 * centre, scale=2.0)
    assert mean[0] == pytest.approx(expected.mean(), rel=1e-3)
    assert covariance[0, 0] == pytest.approx(expected.var(), rel=2e-3)


def test_moments_of_confused_amplitudes_cut_at_zero_agree_with_sampling():
    centre, bound = np.array([0.5, 1.5, -0.5]), np.array([[1.0, -0.8, 0.2], [-0.8, 1.0, 0.1], [0.2, 0.1, 0.5]])
    rng = np.random.default_rng(5)
    draws = rng.multivariate_normal(centre, bound, size=200_000)
    draws = draws[(draws >= 0).all(axis=1)]
    mean, covariance = cut_at_zero(centre, bound)
    np.testing.assert_allclose(mean, draws.mean(axis=0), atol=0.06)
    np.testing.assert_allclose(np.sqrt(np.diag(covariance)), draws.std(axis=0), rtol=0.1)


def test_the_baseline_has_the_dimensions_asked_for_and_holds_a_bad_first_point():
    baseline = make_baseline(400, 100, 300, 30)
    for wanted in (4.0, 8.0, 20.0):
        assert baseline.shrinkage(baseline.stiffness_for(wanted)).sum() == pytest.approx(wanted, abs=0.01)
    constant = np.full(200, 0.3 - 0.8j)
    rest = constant - baseline.vectors @ np.real(baseline.vectors.conj().T @ constant)
    free = baseline.roughness < 1e-6 * baseline.roughness.max()
    flat = baseline.vectors[:, free]
    stiff_rest = constant - flat @ np.real(flat.conj().T @ constant)
    assert np.abs(rest).max() < 1e-6
    assert np.abs(stiff_rest).max() < 0.05


def test_sums_know_that_their_parts_are_confused():
    # Cr and PCr known only as a sum: variances cancel in tCr.
    covariance = np.array([[4.0, -3.9], [-3.9, 4.0]])
    table = concentration_table(
        ["Cr", "PCr"], ["metabolite"] * 2, np.array([4.0, 4.0]), covariance, "mM", SETTINGS
    ).set_index("metabolite")
    assert table.sd["Cr"] == pytest.approx(2.0)
    assert table.sd["tCr"] == pytest.approx(np.sqrt(0.2))
    assert not table.detected["Cr"]
    assert table.detected["tCr"]
    assert table.ratio_sd["tCr"] == pytest.approx(0.0, abs=1e-9)
    assert table.ratio_sd["Cr"] == pytest.approx(np.sqrt(4.0 + 4.0 + 2 * 3.9) / 2 / 8.0)  # d(a/(a+b)) by hand


def test_full_width_of_a_lorentzian():
    hz = np.linspace(-50, 50, 2001)
    assert full_width(1 / (1 + (hz / 3.0) ** 2), hz[1] - hz[0]) == pytest.approx(6.0, rel=1e-3)


@pytest.mark.parametrize(
    ("snr", "width", "left", "word"),
    [(50, 0.04, 0.05, "good"), (8, 0.04, 0.05, "usable"), (50, 0.2, 0.05, "not usable"), (2, 0.04, 0.05, "not usable")],
)
def test_verdicts(snr, width, left, word):
    found, reasons = verdict(snr, width, left, True, SETTINGS)
    assert found == word
    assert bool(reasons) == (word != "good")
