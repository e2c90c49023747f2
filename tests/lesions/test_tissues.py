import numpy as np
import pytest

from hlhneuro.lesions.tissues import TissueSample, fit_tissues, order_free_sum
from hlhneuro.settings import LesionSettings

MEANS = np.array([[1.15, 0.8], [1.0, 1.0], [0.4, 0.35]])
SPREAD, NOISE = 0.04, 0.03


def sample(seed, outliers=0.03, n=6000):
    rng = np.random.default_rng(seed)
    kind = rng.integers(0, 3, n)
    values = MEANS[kind] + rng.normal(0, np.hypot(SPREAD, NOISE), (n, 2))
    bad = rng.random(n) < outliers
    values[bad] = (2.5, 0.6)
    priors = np.full((n, 3), 0.1)
    priors[np.arange(n), kind] = 0.8
    return TissueSample(("FLAIR", "T1w"), values, priors, np.array([NOISE, NOISE]))


def test_means_and_spread_come_back_in_spite_of_outliers():
    model = fit_tissues([sample(1), sample(2)], LesionSettings())
    assert model.means == pytest.approx(MEANS, abs=0.01)
    diagonal = np.sqrt(np.array([np.diag(s) for s in model.spread]))
    assert diagonal == pytest.approx(np.full((3, 2), SPREAD), rel=0.25)


def test_order_of_sessions_does_not_matter_bit_for_bit():
    parts = [sample(1), sample(2), sample(3)]
    forward, backward = fit_tissues(parts, LesionSettings()), fit_tissues(parts[::-1], LesionSettings())
    assert np.array_equal(forward.means, backward.means)
    assert np.array_equal(forward.spread, backward.spread)


def test_a_contrast_that_one_session_lacks_is_fitted_from_the_other():
    full = sample(1)
    short = TissueSample(("FLAIR",), full.intensities[:, :1], full.priors, full.noise_sd[:1])
    model = fit_tissues([short, sample(2)], LesionSettings())
    assert model.mean("wm", "T1w") == pytest.approx(1.0, abs=0.01)


def test_sum_without_order():
    terms = [np.array([0.1, 1e16]), np.array([0.2, 1.0]), np.array([0.3, -1e16])]
    assert np.array_equal(order_free_sum(terms), order_free_sum(terms[::-1]))
