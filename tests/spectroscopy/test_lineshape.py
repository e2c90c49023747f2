"""Eddy currents without a water reference: the phase that all lines share."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hlhneuro.settings import SpectraSettings
from hlhneuro.spectroscopy import add_broad_signals, fit_spectrum
from hlhneuro.spectroscopy._core import make_problem, solve
from hlhneuro.spectroscopy._lineshape import NAME, _decays, _step, straighten

from . import made, raw

SETTINGS = SpectraSettings()
NEVER = replace(SETTINGS, lineshape_gain=1e30)
CONTENT = made.HEALTHY | made.BROAD
TRUTH = {"tNAA": 9.0, "tCr": 8.0, "tCho": 1.5, "mI": 5.0}


def distorted(hz, decay_s, noise=0.5, seed=0, content=CONTENT):
    spectrum = made.spectrum(content, noise=noise, seed=seed)
    return spectrum.with_fid(spectrum.fid * np.exp(1j * raw.eddy_phase(hz, decay_s)))


def errors(fit):
    table = fit.concentrations.set_index("metabolite").concentration
    return np.array([table[name] / truth - 1 for name, truth in TRUTH.items()])


@pytest.mark.parametrize(("hz", "decay_s"), [(8.0, 0.05), (-10.0, 0.08), (15.0, 0.02)])
def test_lines_are_straightened_where_eddy_currents_remain(hz, decay_s):
    spectra = [distorted(hz, decay_s, seed=seed) for seed in range(2)]
    before, after = ([fit_spectrum(one, settings=settings) for one in spectra] for settings in (NEVER, SETTINGS))
    assert all(NAME in dict(fit.record) for fit in after)
    assert all(fit.stages[-1].name == NAME for fit in after)
    sizes = [np.abs([errors(fit) for fit in fits]).mean() for fits in (before, after)]
    assert sizes[1] < 0.06
    assert sizes[1] < 0.6 * sizes[0]
    beyond = [fits[0].quality["residual_ratio"] - 1 for fits in (before, after)]
    assert beyond[1] < 0.5 * beyond[0]


def test_the_phase_that_is_found_is_the_one_that_was_put_in():
    spectrum = distorted(8.0, 0.05, noise=0.2)
    problem = make_problem(add_broad_signals(made.basis()), SETTINGS)
    found = straighten(problem, solve(problem, spectrum.fid), spectrum.fid)
    early = slice(0, 300)  # 150 ms, where there is signal; a constant and a slope are phase and offset of the fit
    plain = np.stack([np.ones(300), raw.TIME[early]]).T
    weight = np.abs(spectrum.fid[early])[:, None] ** 0.5
    away = (found.phase_rad - raw.eddy_phase(8.0, 0.05))[early, None]
    away = away - plain @ np.linalg.lstsq(plain * weight, away * weight, rcond=None)[0]
    assert np.sqrt(np.average(away[:, 0] ** 2, weights=weight[:, 0] ** 2)) < 0.15


def test_a_clean_spectrum_is_left_as_it_is():
    for seed in range(2):
        spectrum = made.spectrum(CONTENT | {"Lip13a": 8.0}, noise=(0.2, 1.0)[seed], seed=seed)
        fit, plain = fit_spectrum(spectrum), fit_spectrum(spectrum, settings=NEVER)
        assert NAME not in dict(fit.record)
        np.testing.assert_array_equal(fit.fit, plain.fit)


def test_signals_that_the_basis_lacks_are_not_taken_for_a_phase():
    spectrum = made.spectrum(CONTENT, noise=0.5)
    fid = spectrum.fid + 8.0 * made.line(1.05) + 5.0 * made.line(2.73)
    assert NAME not in dict(fit_spectrum(spectrum.with_fid(fid)).record)


def test_with_a_water_reference_nothing_is_looked_for():
    spectrum = distorted(8.0, 0.05)
    water = made.from_fid(5e4 * made.line(4.65, 8.0))  # not the right one: what it leaves is left
    fit = fit_spectrum(spectrum, water=water)
    assert "eddy-current correction" in dict(fit.record)
    assert NAME not in dict(fit.record)


def test_the_step_goes_where_the_cost_falls():
    spectrum = distorted(5.0, 0.05, noise=0.2)
    problem = make_problem(add_broad_signals(made.basis()), SETTINGS)
    fitted = solve(problem, spectrum.fid)
    shapes = _decays(problem.time_s, np.abs(spectrum.fid), SETTINGS)
    step, promised = _step(problem, fitted, spectrum.fid, shapes, np.zeros(len(shapes)))
    costs = [
        solve(problem, spectrum.fid * np.exp(-1j * (part * step) @ shapes), fitted).solution.linear.cost
        for part in (-0.2, 0.0, 0.2)
    ]
    assert costs[2] < costs[1] < costs[0]
    assert promised > costs[1] - costs[2]  # and the whole step promises more than a fifth of it gives
