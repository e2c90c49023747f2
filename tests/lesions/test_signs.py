"""Signs of lesions on series whose signs are known."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from hlhneuro.answers import Answer
from hlhneuro.imaging.transforms import AffineTransform
from hlhneuro.lesions import LesionSeries, LesionSigns, SessionLesions, measure_change, measure_signs
from hlhneuro.lesions.signs import QUESTIONS, sign_findings
from hlhneuro.lesions.signs.chance import adjusted
from hlhneuro.lesions.signs.diffusion import adc_unit
from hlhneuro.lesions.signs.enhancement import form_of
from hlhneuro.lesions.signs.fluid import fluid_of
from hlhneuro.lesions.signs.mass_effect import midline_shift_mm
from hlhneuro.lesions.signs.mirror import mirror_of
from hlhneuro.lesions.signs.reference import reference_of
from hlhneuro.pipeline.stores.signs import keep_signs, recall_signs
from hlhneuro.settings import ChangeSettings, SignSettings
from tests.lesions.synthetic import series, session, sphere, template, truth

A = ((-28.0, -12.0, 30.0), 9.0)
B = ((28.0, 6.0, 28.0), 8.0)
C = ((-26.0, -34.0, 30.0), 6.0)
D = ((26.0, -44.0, 26.0), 5.0)
SPHERES = (A, B, C, D)
SETTINGS = SignSettings()


def known(*sessions, ages=6.0, spheres=(SPHERES,)):
    """Measure the signs with the lesions as they were drawn."""
    aligned = series(*sessions)
    grid, _, maps = template()
    drawn = [truth(own) if own else np.zeros(grid.shape, bool) for own in (spheres * len(sessions))[: len(sessions)]]
    union = np.logical_or.reduce(drawn)
    found = tuple(
        SessionLesions(s.label, mask.astype(np.float32), mask, 1.0, 0.1, ("FLAIR",), "full", "known")
        for s, mask in zip(sessions, drawn, strict=True)
    )
    tissue = {name: np.where(union, 0, image).astype(np.float32) for name, image in maps.items()}
    lesions = LesionSeries(grid, found, tissue, np.zeros(grid.shape, np.int16), {})
    change = measure_change(aligned, lesions, ChangeSettings())
    signs = measure_signs(aligned, lesions, change, SETTINGS, {s.label: ages for s in sessions})
    return signs, {tuple(c): int(change.identities["01"][at(c)]) for c, _ in SPHERES}, aligned, lesions


def at(point):
    return tuple(np.rint(np.linalg.solve(template()[0].affine, (*point, 1.0))[:3]).astype(int))


def noise(seed, sd):
    return np.random.default_rng(seed).normal(0, sd, template()[0].shape)


def adc_map(changed=((A, 0.6), (B, 1.7)), scale=1e-3):
    _, brain, maps = template()
    values = 0.75 * maps["wm"] + 0.88 * maps["gm"] + 3.0 * maps["csf"] + noise(5, 0.05)
    for one, factor in changed:
        values = np.where(truth((one,)), values * factor, values)
    return values * brain * scale


def taking_up(t1, *parts):
    """Brighten each part, after a change of scale and a slow field as another scan has them."""
    x = np.linspace(-1, 1, t1.shape[0])[:, None, None]
    post = 1.7 * t1 * (1 + 0.05 * x)
    for part in parts:
        post = post * (1 + 0.6 * part)
    return (post + noise(8, 0.04)) * (t1 > 0)


@pytest.fixture(scope="module")
def rich():
    """All contrasts: A a ring, B diffuse, C nodular, D nothing."""
    grid, brain, maps = template()
    t1 = session("01", SPHERES, 1).volumes["T1w"].data
    ring = np.clip(sphere(grid, *A) - sphere(grid, A[0], 5.0), 0, 1)
    whole, nodule = sphere(grid, *B), sphere(grid, C[0], 4.0)
    dark = np.where(truth(((A[0], 4.0),)), 0.4, 1.0)
    swi = (1.0 * maps["wm"] + 1.05 * maps["gm"] + 1.2 * maps["csf"] + noise(9, 0.05)) * dark * brain
    extra = {"ADC": adc_map(), "ce-gadolinium_T1w": taking_up(t1, ring, whole, nodule), "SWI": swi}
    return known(session("01", SPHERES, 1, extra=extra))


@pytest.mark.parametrize(
    ("sign", "answers"),
    [
        ("contrast_enhancement", ("present", "present", "present", "absent")),
        ("restricted_diffusion", ("present", "absent", "absent", "absent")),
        ("raised_diffusion", ("absent", "present", "absent", "absent")),
        ("susceptibility", ("present", "absent", "absent", "absent")),
        ("t1_hypointensity", ("present", "present", "present", "present")),
    ],
)
def test_signs_are_found_in_the_lesions_that_have_them_and_in_no_other(rich, sign, answers):
    signs, number, *_ = rich
    found = tuple(signs.of("01", sign, number[c])[0].answer.value for c, _ in SPHERES)
    assert found == answers


def test_the_form_of_enhancement_is_named(rich):
    signs, number, *_ = rich
    kinds = [signs.of("01", "contrast_enhancement", number[c])[0].kind for c, _ in SPHERES]
    assert kinds == ["ring", "diffuse", "nodular", ""]


def test_enhancing_volume_agrees_with_what_was_drawn(rich):
    signs, number, *_ = rich
    measured = signs.of("01", "contrast_enhancement", number[B[0]])[0].measure("enhancing_ml")
    drawn_ml = truth((B,)).sum() * template()[0].voxel_volume_ml
    assert abs(measured.value - drawn_ml) < 0.35 * drawn_ml
    assert measured.sd > 0


def test_adc_is_given_with_unit_mirror_and_error(rich):
    signs, number, *_ = rich
    sign = signs.of("01", "restricted_diffusion", number[A[0]])[0]
    assert sign.measure("adc").value == pytest.approx(0.6 * 0.78, abs=0.05)
    assert sign.measure("adc").unit == "1e-3 mm2/s"
    assert "read in mm2/s" in sign.reason
    assert sign.measure("adc_mirror_ratio").value == pytest.approx(
        0.6, abs=3 * sign.measure("adc_mirror_ratio").sd + 0.05
    )


@pytest.mark.parametrize(
    ("tissue", "fluid", "unit"),
    [
        (0.8e-3, 3e-3, "mm2/s"),
        (0.8, 3.0, "1e-3 mm2/s"),
        (1640.0, 3000.0, "1e-6 mm2/s"),
        (80.0, 300.0, ""),
        (0.8, 0.5, ""),  # fluid slower than tissue: no ADC
        (0.8, float("nan"), "1e-3 mm2/s"),
    ],
)
def test_the_unit_of_an_adc_map_is_told_or_it_is_said_that_it_cannot_be(tissue, fluid, unit):
    assert adc_unit(tissue, fluid, SETTINGS) == unit


def test_missing_contrasts_make_signs_not_assessable_with_what_would_supply_them():
    signs, *_ = known(session("01", SPHERES, 1, ("FLAIR",)))
    for code in (
        "contrast_enhancement",
        "restricted_diffusion",
        "raised_diffusion",
        "t1_hypointensity",
        "susceptibility",
    ):
        found = signs.of("01", code)
        assert len(found) == 4
        assert all(
            one.answer is Answer.NOT_ASSESSABLE and ("supply" in one.reason or "show" in one.reason) for one in found
        )
    post_only = session(
        "01", SPHERES, 1, ("FLAIR",), extra={"ce-gadolinium_T1w": taking_up(np.ones(template()[0].shape))}
    )
    assert "no T1w" in known(post_only)[0].of("01", "contrast_enhancement")[0].reason


@pytest.mark.parametrize(("age", "answer"), [(1.0, "not assessable"), (3.0, "present"), (None, "present")])
def test_t1_hypointensity_waits_for_mature_myelin(age, answer):
    signs, number, *_ = known(session("01", SPHERES, 1, ("FLAIR", "T1w")), ages=age)
    assert signs.of("01", "t1_hypointensity", number[A[0]])[0].answer.value == answer


def test_fluid_in_the_place_of_a_resolved_lesion_is_loss_of_volume():
    after = session("02", (B, C), 3)
    flair, t1 = (after.volumes[name] for name in ("FLAIR", "T1w"))
    cavity = sphere(template()[0], A[0], 6.0)
    hollow = {
        name: replace(volume, data=(volume.data * (1 - cavity) + level * cavity).astype(np.float32))
        for name, volume, level in (("FLAIR", flair, 0.4), ("T1w", t1, 0.35))
    }
    after = replace(after, volumes={**after.volumes, **hollow})
    signs, number, *_ = known(session("01", SPHERES, 1), after, spheres=(SPHERES, (B, C)))
    found = {one.lesion: one for one in signs.of("02", "volume_loss")}
    assert found[number[A[0]]].answer is Answer.PRESENT
    assert found[number[D[0]]].answer is Answer.ABSENT
    drawn_ml = truth(((A[0], 6.0),)).sum() * template()[0].voxel_volume_ml
    assert found[number[A[0]]].measure("fluid_gain_ml").value == pytest.approx(drawn_ml, rel=0.3)


@pytest.mark.parametrize("shift_mm", [0.0, 6.0])
def test_a_shift_of_the_midline_is_measured_beyond_its_error(shift_mm):
    grid, *_ = template()
    plain = session("01", (), 1)
    index = np.indices(grid.shape).astype(float)
    mm = np.moveaxis(AffineTransform(grid.affine).map(np.moveaxis(index, 0, -1)), -1, 0)
    weight = np.exp(-0.5 * ((mm[0] / 25) ** 2 + ((mm[1] + 10) / 30) ** 2 + (mm[2] / 25) ** 2))
    index[0] -= shift_mm / grid.affine[0, 0] * weight
    pushed = {
        name: replace(v, data=ndimage.map_coordinates(v.data, index, order=1).astype(np.float32))
        for name, v in plain.volumes.items()
    }
    _, _, aligned, lesions = known(replace(plain, volumes=pushed), spheres=((),))
    reference = reference_of(aligned, lesions, SETTINGS)
    measured, sd = midline_shift_mm(aligned, *fluid_of(aligned.sessions[0], reference, SETTINGS), SETTINGS)
    assert measured == pytest.approx(shift_mm, abs=1.5)
    assert 0 < sd < 2


def test_the_mirror_of_a_mirror_is_the_place_itself():
    aligned = series(session("01", (), 1))
    mirror = mirror_of(aligned)
    mark = sphere(template()[0], *A)
    there = mirror.image(mark)
    centre = AffineTransform(template()[0].affine).map(np.average(np.argwhere(there > 0.5), axis=0))
    np.testing.assert_allclose(centre, (28.0, -12.0, 30.0), atol=1.0)
    assert np.abs(mirror.image(there) - mark)[template()[1]].mean() < 0.01


def test_a_solid_ball_is_no_ring_and_an_open_shell_is_one(rich):
    reference = reference_of(rich[2], rich[3], SETTINGS)
    grid = template()[0]
    ball, core = sphere(grid, *A) > 0.5, sphere(grid, A[0], 5.0) > 0.5
    box = tuple(slice(at(A[0])[i] - 9, at(A[0])[i] + 10) for i in range(3))
    shell = ball & ~core
    opened = shell.copy()
    opened[at(A[0])[0], at(A[0])[1] :, at(A[0])[2]] = False  # a gap of one voxel
    forms = [form_of(one[box], reference, SETTINGS) for one in (ball, shell, opened)]
    assert forms[0] != "ring"
    assert forms[1:] == ["ring", "ring"]


def test_answers_do_not_depend_on_the_order_of_sessions():
    one = session("01", SPHERES, 1, ("FLAIR",), extra={"ADC": adc_map()})
    two = session("02", SPHERES, 2, ("FLAIR",), extra={"ADC": adc_map(((A, 1.7),))})
    forward, backward = known(one, two)[0], known(two, one)[0]
    for label in ("01", "02"):
        mine = [s for s in forward.of(label) if s.sign != "volume_loss"]
        assert mine == [s for s in backward.of(label) if s.sign != "volume_loss"]


def test_signs_survive_being_kept(rich):
    assert recall_signs(keep_signs(rich[0]).payload) == rich[0]


def test_every_question_is_answered_for_a_session_with_and_without_lesions(rich):
    for signs, label in ((rich[0], "01"), (known(session("01", (), 1), spheres=((),))[0], "01"), (None, "01")):
        found = list(sign_findings(signs, label))
        assert [one.code for one in found] == list(QUESTIONS)
    present = {one.code: one for one in sign_findings(rich[0], "01")}
    assert present["contrast_enhancement"].answer is Answer.PRESENT
    assert "3 of 4 lesions" in present["contrast_enhancement"].reason
    assert present["contrast_enhancement"].unit == "ml"


def test_the_table_has_one_row_per_measure(rich):
    table = rich[0].table()
    assert not table.duplicated(["session", "lesion", "sign", "measure"]).any()
    assert len(LesionSigns().table()) == 0


def test_p_values_are_adjusted_for_their_number():
    assert adjusted([0.01, 0.04, 0.03, 0.5]) == pytest.approx([0.04, 0.16 / 3, 0.16 / 3, 0.5])
    assert adjusted([]) == []
