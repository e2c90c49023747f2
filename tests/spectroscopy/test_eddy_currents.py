from __future__ import annotations

import numpy as np
import pytest

from hlhneuro.errors import InputError
from hlhneuro.settings import SpectraSettings
from hlhneuro.spectroscopy import fit_spectrum, preprocess
from hlhneuro.spectroscopy.eddy_currents import correct_eddy_currents, reference_phase
from hlhneuro.spectroscopy.references import check_reference, why_no_water

from . import made, raw

SETTINGS = SpectraSettings()
PHASE = np.exp(1j * (0.7 + raw.eddy_phase(10.0, 0.04)))


def water(noise=0.0, width_hz=8.0, shift_hz=0.0, seed=0):
    fid = 5e4 * made.line(4.65, width_hz) * PHASE * np.exp(2j * np.pi * shift_hz * raw.TIME)
    return fid + noise * raw.white((made.POINTS,), np.random.default_rng(seed))


def error_of(fid):
    """Largest error of the spectrum between 0.2 and 4.2 ppm, in parts of NAA."""
    ppm = made.from_fid(fid).ppm
    inside = (ppm > 0.2) & (ppm < 4.2)
    return float(np.abs(np.fft.fftshift(np.fft.fft(fid - raw.clean_fid()))[inside]).max() / raw.NAA_HEIGHT)


@pytest.mark.parametrize("noise", [0.0, 5.0, 50.0, 250.0])  # water at 200 to infinity times its noise
def test_a_field_shift_that_decays_is_taken_away(noise):
    corrected = correct_eddy_currents(raw.clean_fid() * PHASE, water(noise), SETTINGS)
    assert error_of(raw.clean_fid() * PHASE) > 0.5
    assert error_of(corrected) < 0.04


@pytest.mark.parametrize("points", [256, 700, 4096])
def test_a_reference_may_have_another_length(points):
    reference = water()
    if points > reference.size:
        reference = np.concatenate([reference, np.zeros(points - reference.size)])
    corrected = correct_eddy_currents(raw.clean_fid() * PHASE, reference[:points], SETTINGS)
    assert corrected.size == made.POINTS
    assert error_of(corrected) < 0.03


def test_a_reference_off_resonance_goes_on_with_its_last_frequency():
    shift = 12.0
    found = reference_phase(water(noise=20.0, width_hz=15.0, shift_hz=shift), made.POINTS, SETTINGS)
    truth = 0.7 + raw.eddy_phase(10.0, 0.04) + 2 * np.pi * shift * raw.TIME
    assert np.abs(found - truth)[:400].max() < 0.5


def test_a_spectrum_keeps_its_length_and_its_water_keeps_its_own():
    long = made.from_fid(np.concatenate([water(), np.zeros(500)]))
    prepared = preprocess(made.from_fid(raw.clean_fid() * PHASE), long, SETTINGS)
    assert prepared.spectrum.points == made.POINTS
    assert prepared.water.points == made.POINTS + 500
    assert error_of(prepared.spectrum.fid) < 0.03


def test_each_reference_has_its_role_and_one_alone_serves_both():
    spectrum = made.from_fid(raw.clean_fid() * PHASE)
    flat, eddy = made.from_fid(3.0 * np.abs(water())), made.from_fid(water())
    both = preprocess(spectrum, flat, SETTINGS, eddy_reference=eddy)
    assert error_of(both.spectrum.fid) < 0.03  # the flat one would leave the eddy current in
    np.testing.assert_array_equal(both.water.fid, flat.fid)
    assert dict(both.record)["water reference"]["serves"] == "one file for each"
    alone = preprocess(spectrum, None, SETTINGS, eddy_reference=eddy)
    np.testing.assert_array_equal(alone.water.fid, eddy.fid)
    assert dict(alone.record)["water reference"]["serves"] == "both"


def moved(shift_mm=0.0, size=1.0):
    affine = np.diag([20.0, 20.0, 20.0, 1.0])
    affine[:3, :3] *= size
    affine[0, 3] = shift_mm
    return made.from_fid(water(), affine=affine)


def test_water_of_another_voxel_is_refused_for_both_roles():
    spectrum = made.from_fid(raw.clean_fid())
    for wrong in (moved(shift_mm=8.0), moved(size=1.3)):
        for role in ("eddy currents", "quantification"):
            with pytest.raises(InputError, match="another voxel"):
                check_reference(spectrum, wrong, role, SETTINGS)
    check_reference(spectrum, moved(shift_mm=1.0), "eddy currents", SETTINGS)


def test_axes_of_the_same_voxel_may_be_in_another_order():
    affine = np.zeros((4, 4))
    affine[0, 1], affine[1, 2], affine[2, 0], affine[3, 3] = -20.0, 20.0, 20.0, 1.0
    check_reference(made.from_fid(raw.clean_fid()), made.from_fid(water(), affine=affine), "both", SETTINGS)


def acquired(fid, seed=0):
    return made.from_fid(fid + raw.fid_noise_sd(30) * raw.white((made.POINTS,), np.random.default_rng(seed)))


def tissue_water(times=1000.0):
    """Water `times` as tall as NAA."""
    return times * raw.NAA_HEIGHT * np.pi * 9.0 * made.DWELL_S * made.line(4.65, 9.0)


_UNIT = raw.NAA_HEIGHT / raw.height(made.spectrum(made.HEALTHY | made.BROAD).fid)
LIPID = _UNIT * made.spectrum({"Lip13a": 112.0, "Lip13b": 48.0}).fid  # twenty times tCr
SPECTRUM = acquired(raw.clean_fid())


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        (SPECTRUM, "tallest signal lies at 2.0"),
        (acquired(raw.clean_fid() + tissue_water(3.0), 1), "holds no tissue water ("),  # suppressed, another scan
        (acquired(LIPID + tissue_water(3.0), 1), "tallest signal lies at 1."),
        (acquired(0 * raw.TIME, 1), "holds no"),  # noise alone
    ],
)
def test_a_reference_without_water_is_not_used_and_ratios_stay(reference, words):
    assert words in why_no_water(SPECTRUM, reference, SETTINGS)
    fit, alone = fit_spectrum(SPECTRUM, water=reference), fit_spectrum(SPECTRUM)
    assert set(fit.concentrations.unit) == {"a.u."}
    np.testing.assert_array_equal(fit.concentrations.ratio_to_tcr, alone.concentrations.ratio_to_tcr)
    record = dict(fit.record)
    assert words in record["quantification"]["notes"][0]
    assert words in record["water reference"]["refused"]["quantification"]
    assert "eddy-current correction" not in record


def test_the_spectrum_itself_is_no_reference_whatever_phase_was_taken_from_it():
    # As one scanner wrote it: both files hold the suppressed signal, one after its eddy-current correction.
    fid = raw.clean_fid() + tissue_water(2.5)
    why = why_no_water(made.from_fid(fid), made.from_fid(fid * PHASE), SETTINGS)
    assert "the signal of the spectrum itself" in why


@pytest.mark.parametrize("times", [80.0, 1000.0])
def test_tissue_water_is_accepted_beside_lipid_and_without_suppression(times):
    water_fid = tissue_water(times)
    eddy = np.exp(1j * raw.eddy_phase(15.0, 0.05))
    for fid in (raw.clean_fid(), raw.clean_fid() + water_fid):  # a spectrum without suppression is its own reference
        assert why_no_water(acquired(fid * eddy), acquired(water_fid * eddy, 1), SETTINGS) == ""
    assert why_no_water(acquired(raw.clean_fid() + LIPID), acquired(tissue_water(), 1), SETTINGS) == ""


def test_each_role_has_its_own_answer():
    found = preprocess(SPECTRUM, acquired(tissue_water(), 1), SETTINGS, eddy_reference=SPECTRUM)
    assert found.water is not None
    assert not found.refused
    assert list(dict(found.record)["water reference"]["refused"]) == ["eddy currents"]
    assert "eddy-current correction" not in dict(found.record)
