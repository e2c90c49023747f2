from __future__ import annotations

import numpy as np
import pytest

from hlhneuro.errors import InputError
from hlhneuro.settings import SpectraSettings
from hlhneuro.spectroscopy import preprocess
from hlhneuro.spectroscopy.coils import coil_weights, noise_covariance

from . import made, raw

SETTINGS = SpectraSettings()


def acquired(array, snr, transients, seed, water=0.0):
    """Transients of all coils; `snr` is that of one transient, combined as well as can be."""
    rng = np.random.default_rng(seed)
    sd = raw.fid_noise_sd(snr) * array.ideal_gain
    shots = raw.transients(1e9, raw.drift(transients, "breathing", seed), water=water)
    noise = np.einsum("cd,pdt->pct", array.mixing, raw.white((made.POINTS, array.gains.size, transients), rng))
    return shots[:, None, :] * array.gains[:, None] + sd * noise, sd


def reached(array, weights):
    """Signal-to-noise ratio with these weights over the best there is."""
    noise = np.linalg.norm(array.mixing.T @ weights)
    return float(np.abs(array.gains @ weights) / noise / array.ideal_gain)


@pytest.mark.parametrize(("coils", "snr", "transients"), [(4, 5, 8), (8, 3, 16), (32, 2, 32)])
@pytest.mark.parametrize("with_water", [True, False])
def test_coils_with_correlated_noise_reach_the_ideal_combination(coils, snr, transients, with_water):
    array = raw.array(coils, 0.6, seed=coils)
    data, sd = acquired(array, snr, transients, seed=1, water=3.0)
    guide = data
    if with_water:
        rng = np.random.default_rng(9)
        water = 1e4 * raw.fid_noise_sd(1) * made.line(4.65, 8.0)
        noise = np.einsum("cd,pdt->pct", array.mixing, raw.white((made.POINTS, coils, 1), rng))
        guide = water[:, None, None] * array.gains[:, None] + sd * noise
    found = coil_weights(data, guide, made.from_fid(data, ("DIM_COIL", "DIM_DYN")), SETTINGS)
    assert reached(array, found.weights) > 0.97


def test_coils_keep_the_size_of_the_signal_when_its_phase_is_cycled():
    array = raw.array(6, 0.4, seed=2)
    shots = raw.transients(1e9, raw.drift(8, "cycled"))
    data = shots[:, None, :] * array.gains[:, None]
    data = data + 1e-3 * raw.white(data.shape, np.random.default_rng(0))
    found = coil_weights(data, data, made.from_fid(data, ("DIM_COIL", "DIM_DYN")), SETTINGS)
    size = np.linalg.norm(found.combine(data)[:, 0]) / np.linalg.norm(shots[:, 0])
    assert size == pytest.approx(np.linalg.norm(array.gains), rel=0.01)


def test_noise_of_coils_is_measured_beside_water_that_has_not_decayed():
    array = raw.array(4, 0.7, seed=3)
    rng = np.random.default_rng(0)
    noise = np.einsum("cd,pdt->pct", array.mixing, raw.white((made.POINTS, 4, 32), rng))
    data = noise + 50 * made.line(4.65, 0.5)[:, None, None] * array.gains[:, None]
    found = noise_covariance(data, made.from_fid(data, ("DIM_COIL", "DIM_DYN")), SETTINGS)
    truth = 2 * array.mixing @ array.mixing.conj().T
    assert np.abs(found - truth).max() < 0.1 * np.abs(truth).max()


def test_a_dead_coil_is_left_out_and_named():
    array = raw.array(4, 0.3, seed=1)
    data, _ = acquired(array, 10, 8, seed=0)
    data[:, 2] = 0.0
    prepared = preprocess(made.from_fid(data, ("DIM_COIL", "DIM_DYN")), None, SETTINGS)
    assert dict(prepared.record)["coil combination"]["without_signal"] == [2]
    assert np.isfinite(prepared.spectrum.fid).all()


def test_water_that_no_coil_of_the_spectrum_received_is_refused():
    data, _ = acquired(raw.array(2, 0.0), 10, 1, seed=0)
    guide = data.copy()
    data[:, 0], guide[:, 1] = 0.0, 0.0
    with pytest.raises(InputError, match="no coil"):
        coil_weights(data, guide, made.from_fid(data[:, :, 0], ("DIM_COIL",)), SETTINGS)
