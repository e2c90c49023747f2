from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hlhneuro.errors import InputError
from hlhneuro.settings import SpectraSettings
from hlhneuro.spectroscopy import fit_spectrum, load_spectrum, preprocess
from hlhneuro.spectroscopy.eddy_currents import correct_eddy_currents
from hlhneuro.spectroscopy.transients import align_transients
from hlhneuro.spectroscopy.water_removal import remove_water

from . import made

SETTINGS = SpectraSettings()
METABOLITES = (SETTINGS.fit_low_ppm, SETTINGS.fit_high_ppm)
TIME = np.arange(made.POINTS) * made.DWELL_S
VENDOR = Path(__file__).parents[2].parent / "shared" / "data" / "mrs_vendor" / "nifti_mrs"


def noise(shape, sd, seed=0):
    rng = np.random.default_rng(seed)
    return sd * (rng.standard_normal(shape) + 1j * rng.standard_normal(shape))


def transients(count=12):
    """Transients with known drift and phase, and their clean mean."""
    clean = made.spectrum(made.HEALTHY | made.BROAD).fid
    shifts = np.linspace(-3.0, 3.0, count)
    phases = 0.4 * np.sin(np.arange(count))
    phases -= np.angle(np.mean(np.exp(1j * phases)))
    shots = clean[:, None] * np.exp(1j * (2 * np.pi * TIME[:, None] * shifts + phases))
    return clean, shots, shifts, phases


def test_drift_and_phase_of_transients_are_found():
    clean, shots, shifts, phases = transients()
    noisy = shots + noise(shots.shape, 1.0)
    found = align_transients(noisy, made.from_fid(clean), METABOLITES, SETTINGS)
    np.testing.assert_allclose(found.shifts_hz, shifts, atol=0.15)
    np.testing.assert_allclose(found.phases_rad, phases, atol=0.08)
    aligned = found.undo(noisy, made.DWELL_S)
    error = np.linalg.norm(aligned.mean(axis=1) - clean) / np.linalg.norm(clean)
    assert error < 0.06


def test_a_transient_spoilt_by_motion_is_left_out():
    _, shots, _, _ = transients()
    shots[:, 5] *= 0.4 * np.exp(-15 * TIME)
    raw = made.from_fid(shots + noise(shots.shape, 0.5), ("DIM_DYN",))
    record = dict(preprocess(raw, None, SETTINGS).record)
    assert record["transients"]["rejected"] == [5]
    assert record["transients"]["count"] == 12


def test_good_transients_are_all_kept():
    _, shots, _, _ = transients(24)
    raw = made.from_fid(shots + noise(shots.shape, 2.0), ("DIM_DYN",))
    assert dict(preprocess(raw, None, SETTINGS).record)["transients"]["rejected"] == []


def test_coils_add_up_to_the_best_possible_signal_to_noise():
    clean = made.spectrum(made.HEALTHY | made.BROAD).fid
    gains = np.array([1.0, 0.6j, -0.3, 0.1 - 0.2j])
    sds = np.array([1.0, 0.5, 2.0, 0.7])
    water = 2e4 * made.line(4.65)
    coils = clean[:, None] * gains + noise((made.POINTS, 4), 1.0) * sds
    reference = made.from_fid(water[:, None] * gains + noise((made.POINTS, 4), 1.0, 1) * sds, ("DIM_COIL",))
    found = preprocess(made.from_fid(coils, ("DIM_COIL",)), reference, SETTINGS)
    # Independent noise: the squared ratios of the coils add up.
    best = np.sqrt(np.sum(np.abs(gains) ** 2 / sds**2))
    scale = np.abs(found.water.fid[0]) / np.abs(water[0])
    sd = np.std(found.spectrum.fid[-300:]) / np.sqrt(2) / scale
    assert 1 / sd == pytest.approx(best, rel=0.08)
    assert np.angle(found.water.fid[0]) == pytest.approx(0.0, abs=0.01)


def test_spectrum_and_water_of_other_coils_are_refused():
    two = made.from_fid(np.ones((128, 2), dtype=complex), ("DIM_COIL",))
    three = made.from_fid(np.ones((128, 3), dtype=complex), ("DIM_COIL",))
    with pytest.raises(InputError, match="DIM_COIL"):
        preprocess(two, three, SETTINGS)


def test_water_of_another_echo_time_and_edited_data_are_refused():
    one = made.from_fid(made.line(2.0))
    with pytest.raises(InputError, match="EchoTime"):
        preprocess(one, made.from_fid(made.line(4.65), echo_time_s=0.144), SETTINGS)
    with pytest.raises(InputError, match="DIM_EDIT"):
        preprocess(made.from_fid(np.ones((128, 2), dtype=complex), ("DIM_EDIT",)), None, SETTINGS)


def test_an_eddy_current_is_taken_away():
    clean = made.spectrum(made.HEALTHY).fid
    phase = np.exp(1j * (0.7 + 2.0 * (1 - np.exp(-TIME / 0.05))))
    water = 1e4 * made.line(4.65, 8.0) * phase + noise(made.POINTS, 1.0)
    corrected = correct_eddy_currents(clean * phase, water, SETTINGS)
    assert np.linalg.norm(corrected - clean) / np.linalg.norm(clean) < 0.02


@pytest.mark.parametrize(("ppm", "left"), [(4.65, 0.05), (4.72, 0.05), (4.3, 0.08)])
def test_residual_water_goes_and_metabolites_stay(ppm, left):
    clean = made.spectrum(made.HEALTHY | made.BROAD)
    water = 300 * np.exp(0.9j) * made.line(ppm, 7.0) + 80j * made.line(ppm + 0.03, 12.0)
    cleaned, removed = remove_water(clean.with_fid(clean.fid + water + noise(made.POINTS, 0.2)), SETTINGS)
    inside = (clean.ppm > 0.2) & (clean.ppm < 3.9)
    error = np.fft.fftshift(np.fft.fft(cleaned - clean.fid))[inside]
    truth = np.fft.fftshift(np.fft.fft(clean.fid))[inside]
    assert np.abs(error).max() < left * np.abs(truth).max()
    assert removed > 0.5


def test_nothing_is_removed_where_there_is_no_water():
    clean = made.spectrum(made.HEALTHY | made.BROAD)
    cleaned, removed = remove_water(clean, SETTINGS)
    assert removed == 0.0
    np.testing.assert_array_equal(cleaned, clean.fid)


@pytest.mark.realdata
@pytest.mark.skipif(not VENDOR.is_dir(), reason="vendor data not here")
def test_raw_data_of_a_7_t_scanner_go_all_the_way():
    # STEAM TE 11 ms, 4 coils, 16 transients, healthy brain: NAA and creatine dominate, no lactate, narrow lines.
    fit = fit_spectrum(load_spectrum(VENDOR / "metab_raw.nii.gz"), water=load_spectrum(VENDOR / "wref_raw.nii.gz"))
    table = fit.concentrations.set_index("metabolite")
    assert 1.0 < table.ratio_to_tcr["tNAA"] < 2.2
    assert 0.15 < table.ratio_to_tcr["tCho"] < 0.45
    assert not table.detected["Lac"]
    assert fit.quality["linewidth_ppm"] < 0.05
    assert [name for name, _ in fit.record][1:5] == [
        "water reference",
        "coil combination",
        "transients",
        "transients of the water reference",
    ]


def test_the_record_says_where_residual_water_lay():
    fid = made.spectrum(made.HEALTHY | made.BROAD).fid + 300 * made.line(4.4, 7.0)
    record = dict(preprocess(made.from_fid(fid), None, SETTINGS).record)
    assert record["residual water removal"]["place_ppm"] == pytest.approx(4.4, abs=0.01)
