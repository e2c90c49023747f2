"""The rules against invented fits of plainly known meaning."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hlhneuro.answers import Answer
from hlhneuro.settings import PatternSettings
from hlhneuro.spectroscopy import SpectrumFit, SpectrumResult, VoxelComposition, assess_spectra
from hlhneuro.spectroscopy.patterns import _apply, _rules, spectrum_findings

SETTINGS = PatternSettings()
NORMAL = {"tNAA": 9.0, "tCr": 8.0, "tCho": 1.6, "Glx": 10.0, "Lac": 0.2, "Lip13": 0.1}
NECROTIC = {"tNAA": 2.5, "tCr": 3.0, "tCho": 0.7, "Glx": 6.0, "Lac": 12.0, "Lip13": 25.0}
INFLAMED = {"tNAA": 6.5, "tCr": 7.8, "tCho": 2.4, "Glx": 14.0, "Lac": 4.0, "Lip13": 0.1}


def result(
    levels,
    session="01",
    name="acq-short",
    *,
    te=0.03,
    unit="mmol/kg",
    relative_sd=0.03,
    field_t=3.0,
    verdict="good",
    lesion=0.0,
):
    rows = [
        {
            "metabolite": key,
            "concentration": value,
            "unit": unit,
            "sd": sd,
            "crlb_percent": 100 * sd / value,
            "ratio_to_tcr": value / levels["tCr"],
            "ratio_sd": sd / levels["tCr"],
            "detected": value > 3 * sd,
        }
        for key, value in levels.items()
        for sd in (relative_sd * (value + 1.0),)
    ]
    none = np.zeros(2)
    fit = SpectrumFit(
        none,
        none,
        none,
        none,
        {},
        pd.DataFrame(rows),
        {"verdict": verdict, "reasons": ("linewidth",) if verdict != "good" else (), "snr": 30.0},
        (("acquisition", {"field_t": field_t}),),
    )
    voxel = VoxelComposition(np.ones((1, 1, 1), bool), 8.0, 1.0, 0.5, 0.5 - lesion, 0.0, lesion)
    return SpectrumResult(session, name, te, "press", True, fit, voxel, ())


def answers(findings, session="01"):
    return {(f.code, f.subject_of): f.answer for f in findings if f.sessions == (session,)}


def codes(findings, session="01"):
    return {code: answer for (code, _), answer in answers(findings, session).items()}


def test_everything_lost_with_lipid_and_lactate_is_the_necrotic_pattern_and_no_diagnosis():
    found = assess_spectra([result(NORMAL), result(NECROTIC, "02")], SETTINGS)
    assert codes(found, "02")["pattern_inflammatory_necrotic"] is Answer.PRESENT
    finding = next(f for f in found if f.code == "pattern_inflammatory_necrotic" and f.sessions == ("02",))
    assert "pattern consistent with" in finding.reason
    assert "strong" in finding.reason
    assert "not validated in HLH" in finding.threshold_source
    assert codes(found, "02")["pattern_inflammatory"] is Answer.ABSENT


def test_preserved_creatine_with_glutamate_and_lactate_is_the_inflammatory_pattern():
    found = codes(assess_spectra([result(NORMAL), result(INFLAMED, "02")], SETTINGS), "02")
    assert found["pattern_inflammatory"] is Answer.PRESENT
    assert found["pattern_inflammatory_necrotic"] is Answer.ABSENT
    assert found["tcho_raised"] is Answer.PRESENT


@pytest.mark.parametrize("change", [{"Lac": 5.0}, {"Lip13": 20.0}, {"tNAA": 4.0}])
def test_one_sign_alone_is_never_necrosis(change):
    found = codes(assess_spectra([result(NORMAL), result(NORMAL | change, "02")], SETTINGS), "02")
    assert found["pattern_inflammatory_necrotic"] is Answer.ABSENT
    assert found["pattern_normal"] is Answer.ABSENT


def test_unchanged_is_normal():
    found = codes(assess_spectra([result(NORMAL), result(NORMAL, "02")], SETTINGS), "02")
    assert found["pattern_normal"] is Answer.PRESENT
    assert {found[c] for c in ("lactate", "lipid", "naa_reduced", "all_low")} == {Answer.ABSENT}


def test_without_water_reference_loss_of_creatine_cannot_be_judged():
    found = assess_spectra([result(NORMAL, unit="a.u."), result(NECROTIC, "02", unit="a.u.")], SETTINGS)
    assert codes(found, "02")["all_low"] is Answer.NOT_ASSESSABLE
    assert codes(found, "02")["pattern_inflammatory_necrotic"] is Answer.NOT_ASSESSABLE
    reason = next(f.reason for f in found if f.code == "all_low" and f.sessions == ("02",))
    assert "water reference" in reason


def test_the_first_session_without_mirror_has_no_norm():
    found = assess_spectra([result(NECROTIC)], SETTINGS)
    assert codes(found)["naa_reduced"] is Answer.NOT_ASSESSABLE
    assert codes(found)["lactate"] is Answer.PRESENT
    assert any("no norm" in f.reason for f in found)


def test_the_mirror_voxel_comes_before_the_own_baseline():
    results = [
        result(NECROTIC, "01", "voi-thalamus"),
        result(NECROTIC, "02", "voi-thalamus"),
        result(NORMAL, "02", "voi-thalamusmirror"),
    ]
    found = assess_spectra(results, SETTINGS)
    assert answers(found, "02")[("pattern_inflammatory_necrotic", "voi-thalamus")] is Answer.PRESENT
    assert ("lactate", "voi-thalamusmirror") not in answers(found, "02")


def test_a_mirror_voxel_with_lesion_is_not_used():
    results = [result(NECROTIC, name="voi-a"), result(NORMAL, name="voi-amirror", lesion=0.2)]
    found = spectrum_findings(results, None, SETTINGS)
    reduced = next(f for f in found if f.code == "naa_reduced")
    assert reduced.answer is Answer.NOT_ASSESSABLE
    assert "20% of the mirror voxel is lesion" in reduced.reason


@pytest.mark.parametrize(("field_t", "expected"), [(3.0, Answer.NOT_ASSESSABLE), (1.5, Answer.ABSENT)])
def test_missing_lactate_at_144_ms_is_not_excluded_with_press_at_3_t(field_t, expected):
    found = assess_spectra([result(NORMAL, name="acq-long", te=0.144, field_t=field_t)], SETTINGS)
    assert codes(found)["lactate"] is expected


def test_lactate_is_verified_by_a_second_echo_time_and_doubted_without():
    base = [result(NORMAL), result(NORMAL, name="acq-long", te=0.288)]
    both = [
        result(NORMAL | {"Lac": 5.0}, "02"),
        result(NORMAL | {"Lac": 5.0}, "02", "acq-long", te=0.288),
    ]
    one = [result(NORMAL | {"Lac": 5.0}, "02"), result(NORMAL, "02", "acq-long", te=0.288)]

    def pattern(results):
        found = assess_spectra([*base, *results], SETTINGS)
        return next(f for f in found if f.code == "pattern_lactate_only" and f.sessions == ("02",))

    assert pattern(both).answer is Answer.PRESENT
    assert "short and long" in pattern(both).reason
    assert pattern(one).answer is Answer.NOT_ASSESSABLE


def test_an_unusable_spectrum_answers_nothing_and_says_why():
    found = assess_spectra([result(NORMAL, verdict="not usable")], SETTINGS)
    assert codes(found)["spectrum_quality"] is Answer.ABSENT
    assert codes(found)["lactate"] is Answer.NOT_ASSESSABLE
    empty = SpectrumResult("01", "svs", None, None, False, None, None, (), "the FID is zero")
    assert all("the FID is zero" in f.reason for f in assess_spectra([empty], SETTINGS))


def test_too_uncertain_is_not_absent():
    noisy = [result(NORMAL, session, relative_sd=1.0) for session in ("01", "02")]
    found = codes(assess_spectra(noisy, SETTINGS), "02")
    assert found["lactate"] is Answer.NOT_ASSESSABLE


def test_what_is_not_assessable_decides_nothing():
    rule = next(r for r in _rules() if r.code == "pattern_inflammatory_necrotic")
    unknown = Answer.NOT_ASSESSABLE
    given = {"all_low": unknown, "lipid": Answer.PRESENT, "lactate": unknown}
    assert _apply(rule, given)[0] is unknown
    assert _apply(rule, given | {"all_low": Answer.ABSENT})[0] is Answer.ABSENT
    assert _apply(rule, given | {"all_low": Answer.PRESENT})[0] is Answer.PRESENT
