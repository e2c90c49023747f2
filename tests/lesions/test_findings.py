import numpy as np
import pytest

from hlhneuro.answers import Answer
from hlhneuro.lesions import lesion_findings, measure_change, measure_signs, segment_lesions
from hlhneuro.lesions.change import IntervalChange
from hlhneuro.lesions.findings import SESSION_QUESTIONS
from hlhneuro.lesions.interval_findings import INTERVAL_QUESTIONS, _load
from hlhneuro.settings import ChangeSettings, LesionSettings, SignSettings
from tests.lesions.synthetic import SPHERES, series, session, template, truth

LEFT, RIGHT, PONS = SPHERES["left"], SPHERES["right"], SPHERES["pons"]


def findings(*sessions):
    aligned = series(*sessions)
    ages = {s.label: 6.0 for s in sessions}
    lesions = segment_lesions(aligned, LesionSettings(), ages)
    change = measure_change(aligned, lesions, ChangeSettings())
    signs = measure_signs(aligned, lesions, change, SignSettings(), ages)
    found = lesion_findings(aligned, lesions, change, signs)
    return {(f.code, f.sessions): f for f in found}


def adc(spheres, factor):
    grid, brain, maps = template()
    noise = np.random.default_rng(5).normal(0, 0.04e-3, grid.shape)
    values = 0.8e-3 * (maps["gm"] + maps["wm"]) + 3e-3 * maps["csf"] + noise
    return np.where(truth(spheres), values * factor, values) * brain


@pytest.fixture(scope="module")
def two():
    first = session("01", (LEFT,), 1, extra={"ADC": adc((LEFT,), 1.6)})
    second = session("02", (LEFT, RIGHT, PONS), 2, extra={"ADC": adc((LEFT, RIGHT, PONS), 0.6)})
    return findings(first, second)


@pytest.mark.parametrize(
    ("code", "sessions", "answer"),
    [
        ("lesion_present", ("01",), Answer.PRESENT),
        ("posterior_fossa_involvement", ("01",), Answer.ABSENT),
        ("posterior_fossa_involvement", ("02",), Answer.PRESENT),
        ("striatal_involvement", ("01",), Answer.ABSENT),
        ("symmetric_involvement", ("01",), Answer.ABSENT),
        ("symmetric_involvement", ("02",), Answer.PRESENT),
        ("restricted_diffusion", ("01",), Answer.ABSENT),
        ("restricted_diffusion", ("02",), Answer.PRESENT),
        ("contrast_enhancement", ("01",), Answer.NOT_ASSESSABLE),
        ("susceptibility", ("01",), Answer.NOT_ASSESSABLE),
        ("new_lesions", ("01", "02"), Answer.PRESENT),
        ("resolved_lesions", ("01", "02"), Answer.ABSENT),
        ("enlarged_lesions", ("01", "02"), Answer.ABSENT),
        ("reappeared_lesions", ("01", "02"), Answer.ABSENT),
        ("lesion_load_change", ("01", "02"), Answer.PRESENT),
        ("brain_volume_change", ("01", "02"), Answer.NOT_ASSESSABLE),
    ],
)
def test_answers_of_a_known_course(two, code, sessions, answer):
    assert two[code, sessions].answer is answer


@pytest.mark.parametrize("factor", [1.96, 2.576])
def test_the_limit_of_a_change_is_told_as_it_was_set(factor):
    codes = np.zeros((1, 1, 1), dtype=np.uint8)
    interval = IntervalChange("01", "02", codes, 2.0, 0.0, 1.0, 0.0, 0.0, 2.0, 0.9, factor * 0.9)
    told = _load(interval, "")
    assert told.threshold_source.startswith(f"{factor:.3g} standard uncertainties")
    assert told.answer is (Answer.PRESENT if factor < 2 else Answer.ABSENT)


def test_volumes_come_before_numbers_and_every_value_has_an_error(two):
    new = two["new_lesions", ("01", "02")]
    assert new.unit == "ml"
    assert new.value > 1.96 * new.standard_uncertainty > 0
    assert new.reason.index("ml") < new.reason.index("2 lesions")
    for code in ("posterior_fossa_involvement", "symmetric_involvement"):
        assert two[code, ("02",)].standard_uncertainty > 0
    assert two["affected_territory_count", ("02",)].standard_uncertainty >= 0  # 0 where no territory is in doubt


def test_territory_count_quotes_the_literature_as_another_list(two):
    finding = two["affected_territory_count", ("02",)]
    assert finding.value >= 3
    assert finding.threshold == 4.5
    assert "differs" in finding.threshold_source


def test_lesions_are_counted_and_oedema_is_not_guessed(two):
    assert [two["lesion_count", (label,)].value for label in ("01", "02")] == [1, 3]
    assert two["lesion_count", ("02",)].standard_uncertainty < 0.1
    oedema = two["oedema", ("02",)]
    assert oedema.answer is Answer.NOT_ASSESSABLE
    assert "a reader" in oedema.reason


def test_signs_name_what_counts_and_its_source(two):
    restricted = two["restricted_diffusion", ("02",)]
    assert restricted.threshold is None  # its value is a volume, the limit a part of each lesion
    assert restricted.threshold_source.startswith("5 % of a lesion, and more than chance shows (expert-set")
    shift = two["mass_effect", ("02",)]
    assert (shift.threshold is None) == (shift.value is None)
    assert two["susceptibility", ("02",)].threshold_source == ""  # nothing was compared


def test_contrast_uptake_is_seen_in_the_lesion_that_takes_it_up():
    plain = session("01", (LEFT,), 1)
    t1 = plain.volumes["T1w"].data
    noise = np.random.default_rng(8).normal(0, 0.03, t1.shape)
    post = np.where(truth((LEFT,)), t1 * 1.6, t1 * 1.05) + noise * (t1 > 0)
    found = findings(session("01", (LEFT,), 1, extra={"ce-gadolinium_T1w": post}))
    assert found["contrast_enhancement", ("01",)].answer is Answer.PRESENT
    found = findings(session("01", (LEFT,), 1, extra={"ce-gadolinium_T1w": t1 * 1.05 + noise * (t1 > 0)}))
    assert found["contrast_enhancement", ("01",)].answer is Answer.ABSENT


def test_a_session_without_flair_or_t2_answers_every_question_with_why():
    found = findings(session("01", (LEFT,), 1), session("02", (LEFT,), 2, ("T1w",)))
    unanswered = [f for (_, sessions), f in found.items() if sessions[-1] == "02" and f.scope != "subject"]
    assert {f.code for f in unanswered} == {*SESSION_QUESTIONS, *INTERVAL_QUESTIONS}
    assert all(f.answer is Answer.NOT_ASSESSABLE and "FLAIR" in f.reason for f in unanswered)


def test_no_lesion_leaves_nothing_to_measure_diffusion_in():
    found = findings(session("01", (), 1, extra={"ADC": adc((LEFT,), 1.0)}))
    assert found["lesion_present", ("01",)].answer is Answer.ABSENT
    assert found["restricted_diffusion", ("01",)].answer is Answer.NOT_ASSESSABLE
    assert found["symmetric_involvement", ("01",)].answer is Answer.NOT_ASSESSABLE
