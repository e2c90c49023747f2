from __future__ import annotations

import numpy as np
import pytest

from hlhneuro.settings import SpectraSettings
from hlhneuro.spectroscopy import fit_spectrum
from hlhneuro.spectroscopy.water_removal import remove_water, water_stands_out

from . import made, raw

SETTINGS = SpectraSettings()


def residual(times, ppm=4.65, kind="line", seed=0):
    """Water `times` as tall as NAA."""
    phase = np.exp(1j * np.random.default_rng(seed).uniform(-3, 3))
    tall = times * raw.NAA_HEIGHT * np.pi * 7.0 * made.DWELL_S * phase
    if kind == "line":
        return tall * made.line(ppm, 7.0)
    if kind == "several":
        return tall * (made.line(ppm, 7.0) + 0.5j * made.line(ppm + 0.04, 12.0) - 0.4 * made.line(ppm - 0.05, 5.0))
    if kind == "gaussian":
        return tall * made.line(ppm, 1.0) * np.exp(-((np.pi * 7 * raw.TIME) ** 2) / (4 * np.log(2)))
    return tall * made.line(ppm, 7.0) * np.exp(1j * raw.eddy_phase(5.0, 0.04))


def left_over(times, ppm, kind):
    """Largest error at creatine's upper line (3.8 to 4.05 ppm) and below, in parts of NAA; median of five draws."""
    clean = made.from_fid(raw.clean_fid())
    errors = []
    for seed in range(5):
        noise = raw.fid_noise_sd(60) * raw.white((made.POINTS,), np.random.default_rng(seed))
        fid = raw.clean_fid() + residual(times, ppm, kind, seed) + noise
        cleaned, removed = remove_water(clean.with_fid(fid), SETTINGS)
        assert removed > 0.3
        whole = np.abs(np.fft.fftshift(np.fft.fft(cleaned - raw.clean_fid() - noise))) / raw.NAA_HEIGHT
        errors.append([whole[(clean.ppm > low) & (clean.ppm < high)].max() for low, high in ((3.8, 4.05), (0.2, 3.8))])
    return np.median(errors, axis=0)


@pytest.mark.parametrize("times", [5, 20, 100])
@pytest.mark.parametrize("ppm", [4.45, 4.65, 4.85])
def test_water_of_one_line_leaves_creatine_at_its_upper_line(times, ppm):
    upper, below = left_over(times, ppm, "line")
    assert upper < 0.05
    assert below < 0.04


@pytest.mark.parametrize(("kind", "times", "most"), [("several", 100, 0.05), ("gaussian", 20, 0.08), ("eddy", 20, 0.1)])
def test_water_of_odd_shape_goes_too(kind, times, most):
    upper, below = left_over(times, 4.65, kind)
    assert upper < most
    assert below < most


def test_water_far_below_its_place_does_not_take_creatine_with_it():
    # Half a ppm off, water lies on inositol; creatine at 3.92 must stay whatever is done.
    clean = made.from_fid(raw.clean_fid())
    cleaned, _ = remove_water(clean.with_fid(raw.clean_fid() + residual(10, 4.25)), SETTINGS)
    inside = (clean.ppm > 3.85) & (clean.ppm < 3.98)
    truth, found = (np.fft.fftshift(np.fft.fft(fid)).real[inside] for fid in (raw.clean_fid(), cleaned))
    assert found.max() == pytest.approx(truth.max(), rel=0.25)


@pytest.mark.parametrize(
    ("ppm", "kind", "most"), [(4.4, "line", 0.1), (4.3, "several", 0.15), (4.2, "line", 0.15), (4.2, "gaussian", 0.25)]
)
def test_inositol_survives_water_that_lies_beside_it_and_the_verdict_says_so(ppm, kind, most):
    errors = []
    for seed in range(3):
        noise = raw.fid_noise_sd(60) * raw.white((made.POINTS,), np.random.default_rng(seed))
        dry, wet = (
            fit_spectrum(made.from_fid(raw.clean_fid() + noise + water))
            for water in (0.0, residual(10, ppm, kind, seed))
        )
        inositol = [fit.concentrations.set_index("metabolite").concentration["mI"] for fit in (dry, wet)]
        errors.append(abs(inositol[1] / inositol[0] - 1))
        assert dry.quality["verdict"] == "good"
        assert wet.quality["verdict"] == "usable"
        assert f"residual water lay at {ppm:.1f}" in " ".join(wet.quality["reasons"])
        assert dict(wet.record)["fit"]["range_ppm"] == [0.2, 4.0]
    assert np.mean(errors) < most


def test_energy_never_grows():
    clean = made.from_fid(raw.clean_fid())
    for seed in range(6):
        noise = raw.fid_noise_sd(20) * raw.white((made.POINTS,), np.random.default_rng(seed))
        broad = residual(30, 4.2, "gaussian", seed) * np.exp(-((np.pi * 18 * raw.TIME) ** 2) / (4 * np.log(2)))
        fid = raw.clean_fid() + broad + noise
        cleaned, removed = remove_water(clean.with_fid(fid), SETTINGS)
        assert np.linalg.norm(cleaned) < np.linalg.norm(fid)
        assert removed > 0


def test_water_of_many_transients_stands_out_whatever_their_phases():
    course = raw.drift(8, "cycled")
    wet = made.from_fid(raw.transients(10, course, water=20.0), ("DIM_DYN",))
    dry = made.from_fid(raw.transients(10, course), ("DIM_DYN",))
    assert water_stands_out(wet, SETTINGS)
    assert not water_stands_out(dry, SETTINGS)
