from __future__ import annotations

import numpy as np
import pytest

from hlhneuro.settings import SpectraSettings
from hlhneuro.spectroscopy.transients import align_transients, average_transients, find_spoilt

from . import made, raw

SETTINGS = SpectraSettings()
METABOLITES = (SETTINGS.fit_low_ppm, SETTINGS.fit_high_ppm)
AXES = made.from_fid(raw.clean_fid())


def kept_signal(fid):
    """Part of the clean signal that is left in a mean, whatever its place and phase."""
    clean = raw.clean_fid()
    turns = np.exp(-2j * np.pi * np.outer(np.linspace(-6, 6, 121), raw.TIME))
    return float(np.abs((turns * fid) @ clean.conj()).max() / np.vdot(clean, clean).real)


@pytest.mark.parametrize("kind", ["slow", "breathing", "jump", "cycled"])
@pytest.mark.parametrize(("snr", "hz", "kept"), [(3, 0.9, 0.975), (10, 0.3, 0.99)])
def test_a_drift_is_followed_at_low_signal(kind, snr, hz, kept):
    course = raw.drift(32, kind, seed=1)
    shots = raw.transients(snr, course, seed=1)
    found = align_transients(shots, AXES, METABOLITES, SETTINGS)
    error = found.shifts_hz - (course.shifts_hz - course.shifts_hz.mean())
    assert np.sqrt(np.mean(error**2)) < hz
    pure = found.undo(raw.transients(1e9, course, seed=1), made.DWELL_S)
    assert kept_signal(pure.mean(axis=1)) > kept


def test_transients_that_do_not_move_are_left_alone_where_there_is_little_signal():
    shots = raw.transients(2, raw.drift(32, "none"), seed=3)
    found = align_transients(shots, AXES, METABOLITES, SETTINGS)
    # The bound of a single transient at this signal-to-noise ratio is near 1 Hz: the shifts must not follow its noise.
    assert np.std(found.shifts_hz) < 0.7
    pure = found.undo(raw.transients(1e9, raw.drift(32, "none")), made.DWELL_S)
    assert kept_signal(pure.mean(axis=1)) > 0.98


def test_noise_alone_moves_nothing_far():
    shots = raw.white((made.POINTS, 16), np.random.default_rng(0))
    found = align_transients(shots, AXES, METABOLITES, SETTINGS)
    reach = SETTINGS.longest_start_shift_ppm * made.FREQUENCY_MHZ
    assert np.isfinite(found.shifts_hz).all()
    assert np.abs(found.shifts_hz).max() <= 2 * reach


def test_the_stated_uncertainty_of_shifts_is_true():
    pulls = []
    for seed in range(4):
        course = raw.drift(24, "breathing", seed)
        found = align_transients(raw.transients(5, course, seed), AXES, METABOLITES, SETTINGS)
        error = found.shifts_hz - (course.shifts_hz - course.shifts_hz.mean())
        pulls.append(error / found.shifts_sd_hz)
    assert 0.6 < np.percentile(np.abs(np.concatenate(pulls)), 68) < 1.6


def test_residual_water_with_a_life_of_its_own_does_not_lead_the_metabolites():
    course = raw.drift(16, "slow")
    rng = np.random.default_rng(0)
    water = np.stack([raw.NAA_HEIGHT * made.line(4.6, 6.0) * np.exp(1j * p) for p in rng.uniform(-2, 2, 16)], axis=1)
    shots = raw.transients(10, course, 0) + water
    found = align_transients(shots, AXES, METABOLITES, SETTINGS)
    assert np.abs(found.shifts_hz - (course.shifts_hz - course.shifts_hz.mean())).max() < 0.6


def test_spoilt_transients_are_left_out_and_the_reason_says_how_much_was_left():
    course = raw.drift(32, "breathing", 2)
    course = raw.Drift(course.shifts_hz, course.phases_rad, spoilt=(4, 5, 20))
    found = average_transients(raw.transients(15, course, 2), AXES, METABOLITES, SETTINGS)
    assert list(found.rejected) == [4, 5, 20]
    assert "SD from the others" in found.rejected[4]
    assert found.weights[[4, 5, 20]].tolist() == [0, 0, 0]
    assert found.weights.sum() == pytest.approx(1.0)
    assert kept_signal(found.fid) == pytest.approx(1.0, abs=0.03)


def test_a_transient_without_any_signal_is_left_out():
    shots = raw.transients(20, raw.drift(8, "none"))
    shots[:, 3] = 0.0
    found = average_transients(shots, AXES, METABOLITES, SETTINGS)
    assert found.rejected == {3: "holds no signal"}
    assert kept_signal(found.fid) == pytest.approx(1.0, abs=0.03)


@pytest.mark.parametrize("count", [8, 32, 128])
def test_good_transients_are_kept(count):
    for snr in (2, 20):
        shots = raw.transients(snr, raw.drift(count, "none"), seed=count)
        assert find_spoilt(shots, AXES, METABOLITES, SETTINGS) == {}


def test_one_transient_has_no_course():
    found = average_transients(raw.transients(20, raw.drift(1, "none")), AXES, METABOLITES, SETTINGS)
    assert found.course.shifts_hz.tolist() == [0.0]
    assert found.weights.tolist() == [1.0]
