"""Likelihood ratios of metabolites: their distribution without them, their power with them, and several echo times."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2, norm

from hlhneuro.settings import SpectraSettings
from hlhneuro.spectroscopy import Evidence, detect, fit_spectrum, joint_evidence, simulate_basis
from hlhneuro.spectroscopy._core import make_problem, solve
from hlhneuro.spectroscopy.basis import add_broad_signals
from tests.spectroscopy.made import BROAD, DWELL_S, FREQUENCY_MHZ, HEALTHY, POINTS, basis, from_fid, spectrum

SETTINGS = SpectraSettings()
ALONE, LOSSY, ANY = (1.0, 1.0), (0.2, 1.2), (0.0, np.inf)


def lactate(content, *, echo_time_s=0.03, **how):
    whole = add_broad_signals(basis(echo_time_s), ("lipid", "macromolecule") if echo_time_s < 0.1 else ("lipid",))
    problem = make_problem(whole, SETTINGS)
    return detect(problem, solve(problem, spectrum(content, echo_time_s=echo_time_s, **how).fid), "Lac")


def together(values, visible, widths=None):
    widths = widths or [1.0] * len(values)
    found = [Evidence("Lac", z * s, s, z) for z, s in zip(values, widths, strict=True)]
    return joint_evidence(found, visible)


# ------------------------------------------------------------------------------------------------ one spectrum


@pytest.mark.parametrize("lipid", [0.0, 20.0])
def test_without_lactate_the_evidence_is_a_normal_variate(lipid):
    fat = {"Lip13a": lipid, "Lip13b": lipid, "Lip09": 0.3 * lipid}
    found = np.array([lactate(HEALTHY | BROAD | fat, noise=1.0, seed=seed).evidence_sd for seed in range(8)])
    assert np.abs(found).max() < 3.0
    assert found.min() < 0 < found.max()


@pytest.mark.parametrize("echo_time_s", [0.03, 0.144, 0.288])
def test_lactate_is_found_with_the_phase_of_its_echo_time(echo_time_s):
    broad = BROAD if echo_time_s < 0.1 else {}
    found = lactate(HEALTHY | broad | {"Lac": 4.0}, echo_time_s=echo_time_s, noise=1.0)
    assert found.evidence_sd > 6
    assert found.amount == pytest.approx(4.0, abs=4 * found.standard_deviation)


def test_a_doublet_of_the_wrong_phase_speaks_against_lactate():
    assert lactate(HEALTHY | {"Lac": -4.0}, echo_time_s=0.144, noise=1.0).evidence_sd < -4


def test_half_the_noise_is_twice_the_evidence():
    loud, quiet = (lactate(HEALTHY | BROAD | {"Lac": 2.0}, noise=noise) for noise in (1.0, 0.5))
    assert quiet.evidence_sd == pytest.approx(2 * loud.evidence_sd, rel=0.15)
    assert loud.evidence_sd == pytest.approx(loud.amount / loud.standard_deviation)


def test_what_much_lipid_hides_counts_as_error():
    fat = {"Lip13a": 60.0, "Lip13b": 60.0}
    with_fat, without = (lactate(HEALTHY | BROAD | {"Lac": 1.0} | extra, noise=0.1) for extra in (fat, {}))
    assert with_fat.standard_deviation > 5 * without.standard_deviation


def test_the_fit_says_detected_where_the_likelihood_ratio_does():
    fit = fit_spectrum(spectrum(HEALTHY | BROAD | {"Lac": 4.0}, noise=1.0), basis())
    row = fit.concentrations.set_index("metabolite").loc["Lac"]
    found = Evidence.from_record(next(facts for step, facts in fit.record if step == "detection"))
    assert row.detected
    assert found.evidence_sd > SETTINGS.detection_sd
    assert found.amount == pytest.approx(row.concentration, rel=0.05)


def test_a_metabolite_that_the_basis_lacks_is_an_error():
    problem = make_problem(add_broad_signals(basis()), SETTINGS)
    with pytest.raises(ValueError, match="Ace"):
        detect(problem, solve(problem, spectrum(HEALTHY | BROAD, noise=1.0).fid), "Ace")


# --------------------------------------------------------------------------------------------- several spectra


@pytest.mark.parametrize("visible", [[ALONE, LOSSY], [ALONE, ANY], [ALONE, (0.9, 1.1)]])
def test_joint_evidence_without_the_metabolite_is_as_rare_as_it_says(visible):
    rng = np.random.default_rng(1)
    found = np.array([together(z, visible, [1.0, 1.3]).evidence_sd for z in rng.standard_normal((3000, 2))])
    for limit in (1.0, 1.645, 2.326):
        assert np.mean(found > limit) == pytest.approx(norm.sf(limit), abs=4 * np.sqrt(norm.sf(limit) / found.size))


def test_three_spectra_are_judged_on_the_safe_side():
    rng = np.random.default_rng(2)
    found = np.array([together(z, [ALONE, LOSSY, LOSSY]).evidence_sd for z in rng.standard_normal((1000, 3))])
    assert np.mean(found > 1.282) < 0.1


def test_a_quadrant_gives_the_known_mixture_of_chi_squares():
    rare = 0.5 * chi2.sf(25.0, 1) + 0.25 * chi2.sf(25.0, 2)
    assert together([3.0, 4.0], [ALONE, ANY]).evidence_sd == pytest.approx(norm.isf(rare))


def test_two_weak_signals_that_agree_are_stronger_than_either_and_two_that_differ_are_not():
    assert together([2.5, 2.5], [ALONE, (0.8, 1.2)]).evidence_sd > 3.3
    against = together([5.0, -5.0], [ALONE, LOSSY])
    assert against.evidence_sd < 5.0
    assert against.misfit_sd > 5.0


@given(
    st.lists(st.floats(-8, 8), min_size=2, max_size=3),
    st.floats(0.01, 100.0),
)
def test_the_unit_does_not_matter(values, unit):
    visible = [ALONE, *[LOSSY] * (len(values) - 1)]
    once, again = together(values, visible), together(values, visible, [unit] * len(values))
    assert again.evidence_sd == pytest.approx(once.evidence_sd, abs=1e-6)
    assert again.amount == pytest.approx(unit * once.amount, abs=1e-6 * unit)
    assert once.evidence_sd >= 0


# ----------------------------------------------------------------------------------------- products of bacteria


def fitted_at_136(content):
    whole = simulate_basis(
        "press", 0.136, dwell_time_s=DWELL_S, points=POINTS, spectrometer_frequency_mhz=FREQUENCY_MHZ,
        names=tuple(content),
    )  # fmt: skip
    time = np.arange(POINTS) * DWELL_S
    rng = np.random.default_rng(3)
    fid = sum(value * whole.fid(name) for name, value in content.items()) * np.exp(-np.pi * 5.0 * time)
    fid = fid + 0.6 * (rng.standard_normal(POINTS) + 1j * rng.standard_normal(POINTS))
    return fit_spectrum(from_fid(fid, echo_time_s=0.136))


def evidence_in(fit):
    return {facts["metabolite"]: facts["evidence_sd"] for step, facts in fit.record if step == "detection"}


def test_where_lactate_is_stronger_than_naa_products_of_bacteria_are_looked_for_and_found():
    abscess = {"Lac": 10.0, "NAA": 0.4, "Cr": 0.4, "Ace": 6.0, "Suc": 4.0, "Val": 4.0, "Leu": 4.0, "Ile": 4.0}
    fit = fitted_at_136(abscess)
    found = evidence_in(fit)
    assert min(found["Ace"], found["Suc"], found["AA"], found["Lac"]) > 5
    table = fit.concentrations.set_index("metabolite").concentration
    assert table["AA"] / table["Lac"] == pytest.approx(0.4, rel=0.15)


def test_necrosis_shows_none_and_a_brain_with_naa_is_not_searched():
    fit = fitted_at_136({"Lac": 10.0, "NAA": 2.0, "Cr": 2.0, "GPC": 0.5, "mI": 2.0, "Glu": 3.0})
    found = evidence_in(fit)
    assert max(found["Ace"], found["Suc"], found["AA"]) < SETTINGS.detection_sd
    assert "AA" not in set(fit.concentrations.metabolite)
    assert set(evidence_in(fitted_at_136(HEALTHY | {"Lac": 5.0}))) == {"Lac"}
