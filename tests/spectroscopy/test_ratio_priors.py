"""Soft constraints on ratios: off by default, and what they do where they are on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hlhneuro.errors import StudyError
from hlhneuro.settings import SpectraSettings
from hlhneuro.spectroscopy import _model as nl
from hlhneuro.spectroscopy import add_broad_signals, fit_spectrum
from hlhneuro.spectroscopy._core import make_problem, solve
from hlhneuro.spectroscopy._ratio_priors import load_ratio_priors, ratio_pull

from . import made

OFF = SpectraSettings()
ON = replace(OFF, ratio_priors="healthy brain")
CONTENT = made.HEALTHY | made.BROAD


def test_the_pull_is_the_sum_of_squared_deviations():
    names = ["NAA", "Cr", "GPC", "GABA", "MM09", "MM20", "Lip09"]
    amplitudes = np.array([8.0, 8.0, 2.0, 1.0, 2.0, 2.0, 3.0])
    over = 8.0 + 8.0 + 3 * 2.0
    expected = ((1.0 - 0.04 * over) / (0.04 * over)) ** 2 + ((2.0 - 1.5 * 2.0) / (0.375 * 2.0)) ** 2
    pull = ratio_pull(names, amplitudes)
    assert amplitudes @ pull @ amplitudes == pytest.approx(expected)  # lipid over no lipid has no prior
    assert not pull[6].any()
    assert "memory" in load_ratio_priors()[1]


def test_off_is_the_default_and_changes_nothing():
    spectrum = made.spectrum(CONTENT, noise=1.0)
    problem = make_problem(add_broad_signals(made.basis()), OFF)
    fitted = solve(problem, spectrum.fid)
    assert OFF.ratio_priors == "none"
    assert fitted.model.pull is None
    nothing = replace(fitted.model, pull=np.zeros((len(problem.basis.names),) * 2))
    where = (fitted.solution.parameters, fitted.stiffness, problem.prior, 1.0)
    plain = nl.evaluate(where[0], fitted.model, *where[1:])
    pulled = nl.evaluate(where[0], nothing, *where[1:])
    np.testing.assert_array_equal(plain.linear.amplitudes, pulled.linear.amplitudes)
    assert "ratio priors" not in dict(fit_spectrum(spectrum).record)


def test_where_the_data_say_nothing_the_prior_does_and_where_they_do_it_is_hardly_felt():
    def ratios(noise, settings, content=CONTENT):
        tables = [
            fit_spectrum(made.spectrum(content, noise=noise, seed=seed), settings=settings).concentrations
            for seed in range(4)
        ]
        amounts = [t.set_index("metabolite").concentration for t in tables]
        return np.array([a[["GABA", "Tau"]] / (a["tNAA"] + a["tCr"] + 3 * a["tCho"]) for a in amounts])

    prior = np.array([0.04, 0.04])
    away = [np.abs(ratios(12.0, settings) - prior).mean() for settings in (OFF, ON)]
    assert away[1] < 0.6 * away[0]
    disease = CONTENT | {"GABA": 6.0, "Tau": 6.0}  # six times the prior's ratio, little noise
    np.testing.assert_allclose(ratios(0.1, ON, disease), ratios(0.1, OFF, disease), rtol=0.05)


def test_noise_alone_is_pulled_towards_the_prior_and_stays_not_usable():
    rng = np.random.default_rng(1)
    noise = made.from_fid(rng.standard_normal(1024) + 1j * rng.standard_normal(1024))
    told = []
    for settings in (OFF, ON):
        fit = fit_spectrum(noise, settings=settings)
        table = fit.concentrations.set_index("metabolite").concentration
        told.append(abs(table["MM20"] / table["MM09"] - 1.5))
        assert fit.quality["verdict"] == "not usable"
    assert told[1] < told[0]


def test_the_record_names_the_priors_and_the_bounds_know_them():
    spectrum = made.spectrum(CONTENT, noise=4.0)
    free, held = (fit_spectrum(spectrum, settings=settings) for settings in (OFF, ON))
    assert dict(held.record)["ratio priors"]["choice"] == "healthy brain"
    sd = [fit.concentrations.set_index("metabolite").sd["GABA"] for fit in (free, held)]
    assert sd[1] < sd[0]


def test_another_choice_is_refused():
    with pytest.raises(StudyError, match="ratio_priors"):
        fit_spectrum(made.spectrum(CONTENT), settings=replace(OFF, ratio_priors="lcmodel"))
