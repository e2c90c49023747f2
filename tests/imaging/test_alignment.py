from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy import ndimage as ndi

from hlhneuro.errors import InputError
from hlhneuro.imaging import align, prepare, resample_mask
from hlhneuro.imaging.registration import Match
from hlhneuro.imaging.transforms import AffineTransform
from hlhneuro.settings import AlignSettings, PrepareSettings
from tests.imaging.conftest import EDGE, LESION_CENTRE_MM, rigid

# Coarse, so that the tests are fast; what they ask for is in parts of this voxel.
PREPARE = PrepareSettings(working_voxel_mm=EDGE, n4_voxel_size_mm=6.0, n4_iterations=(20, 20))
ALIGN = AlignSettings(working_voxel_mm=EDGE, voxel_size_mm=EDGE, deformable_voxel_mm=6.0, deformable_iterations="20x10")
MOTIONS = {"01": rigid((3, -2, 4), (4, -3, 2)), "02": rigid((-4, 1, -3), (-2, 5, -4))}
T1_MOTION = rigid((1, 1, 0), (2, -1, 1))


@pytest.fixture(scope="module")
def sessions(head):
    raw = {
        label: {
            "FLAIR": head("FLAIR", motion, seed=int(label), lesion_mm=(0, 0, 10)[int(label)], gain=int(label)),
            "T1w": head("T1w", T1_MOTION.after(motion), seed=10 + int(label)),
        }
        for label, motion in MOTIONS.items()
    }
    adc = head("T2w", MOTIONS["02"], seed=30)
    raw["02"]["ADC"] = dataclasses.replace(adc, data=(adc.data * 1e-3).astype(np.float32), contrast="ADC")
    return {label: prepare(label, volumes, PREPARE) for label, volumes in raw.items()}


@pytest.fixture(scope="module")
def series(sessions):
    return align(list(sessions.values()), ALIGN)


def points_of(series):
    return AffineTransform(series.grid.affine).map(np.argwhere(series.brain_mask)[::40])


def test_contrasts_of_a_session_come_into_register(sessions, anatomy):
    points = anatomy[0].points_mm()[anatomy[1]["brain"] > 0.5][::50]
    for label, session in sessions.items():
        assert session.reference == "FLAIR"
        found = session.to_reference["T1w"].map(T1_MOTION.after(MOTIONS[label]).map(points))
        assert np.linalg.norm(found - MOTIONS[label].map(points), axis=1).mean() < 0.15 * EDGE
        assert session.problems == ()
        assert not session.already_extracted


def test_sessions_come_into_register(series):
    first, second = (series.session(label).to_subject["FLAIR"] for label in ("01", "02"))
    points = first.inverse().map(points_of(series))
    truth = MOTIONS["02"].after(MOTIONS["01"].inverse())
    gap = second.inverse().after(first).map(points) - truth.map(points)
    assert np.linalg.norm(gap, axis=1).mean() < 0.15 * EDGE


def test_subject_space_has_the_axes_of_the_template_and_prefers_no_session(series):
    # The anatomy is the template's own, so its points must come home.
    for label, motion in MOTIONS.items():
        home = series.session(label).to_subject["FLAIR"].after(motion)
        assert np.abs(home.matrix[:3, :3] - np.eye(3)).max() < 0.06
    centre = np.array([[0.0, -20, 15]])
    mapped = series.to_template.map(series.session("01").to_subject["FLAIR"].after(MOTIONS["01"]).map(centre))
    assert np.linalg.norm(mapped - centre) < 1.5 * EDGE


def test_the_lesion_is_the_only_change(series):
    first, second = (series.session(label).volumes["FLAIR"].data for label in ("01", "02"))
    difference = second - first
    where = series.session("02").to_subject["FLAIR"].after(MOTIONS["02"]).map(LESION_CENTRE_MM)
    away = np.linalg.norm(series.grid.points_mm() - where.astype(np.float32), axis=-1)
    inner = ndi.binary_erosion(series.brain_mask, iterations=2)
    quiet = inner & (away > 20)
    assert np.median(difference[away < 4]) == pytest.approx((560 - 300) / 300, rel=0.25)
    assert np.abs(np.median(difference[quiet])) < 0.02
    assert np.percentile(np.abs(difference[quiet]), 99) < 0.3
    for session in series.sessions:
        assert 0.005 < session.noise_sd["FLAIR"] < 0.1


def test_the_brain_is_one_for_all_sessions_and_goes_back_to_each(series, sessions, anatomy):
    truth = anatomy[1]["brain"] > 0.5
    for label, motion in MOTIONS.items():
        session = series.session(label)
        native = sessions[label].volumes["FLAIR"].grid
        back = resample_mask(session.brain_mask, series.grid, native, session.to_subject["FLAIR"])
        want = resample_mask(truth, anatomy[0], native, motion.inverse())
        assert 2 * (back & want).sum() / (back.sum() + want.sum()) > 0.92
        assert session.coverage["FLAIR"].shape == series.grid.shape
        assert session.native_grids["FLAIR"] == native


def test_a_quantitative_map_keeps_its_values(series, sessions):
    volume = series.session("02").volumes["ADC"]
    assert {"n4", "normalise"}.isdisjoint(step.name for step in volume.steps)
    inside = volume.data[ndi.binary_erosion(series.brain_mask, iterations=2)]
    native = sessions["02"].volumes["ADC"].data[sessions["02"].brain_masks["ADC"]]
    assert np.median(inside) == pytest.approx(np.median(native), rel=0.1)


def test_template_tissue_lies_where_the_tissue_is(series):
    white = series.template_maps["wm"] > 0.8
    fluid = series.template_maps["csf"] > 0.8
    flair = series.session("01").volumes["FLAIR"].data
    assert set(series.template_maps) == {"gm", "wm", "csf"}
    assert np.median(flair[white]) == pytest.approx(1.0, abs=0.1)
    assert np.median(flair[fluid & series.brain_mask]) < 0.6


def test_each_image_was_interpolated_once(series):
    for session in series.sessions:
        for volume in session.volumes.values():
            assert [step.name for step in volume.steps].count("resample") == 1


def test_order_and_workers_do_not_matter(sessions, series):
    again = align(list(sessions.values())[::-1], ALIGN, workers=3)
    assert [session.label for session in again.sessions] == ["02", "01"]
    for session in series.sessions:
        other = again.session(session.label)
        for name, transform in session.to_subject.items():
            np.testing.assert_allclose(other.to_subject[name].matrix, transform.matrix, atol=1e-6)
            np.testing.assert_array_equal(other.volumes[name].data, session.volumes[name].data)


def test_one_session_alone(sessions):
    series = align([sessions["01"]], ALIGN)
    assert len(series.sessions) == 1
    assert series.sessions[0].noise_sd["FLAIR"] > 0
    assert series.brain_mask.any()


def test_sessions_that_share_no_contrast_are_matched_across(sessions):
    only = {"01": "FLAIR", "02": "T1w"}
    thin = [
        dataclasses.replace(
            session,
            reference=only[label],
            volumes={only[label]: session.volumes[only[label]]},
            brain_masks={only[label]: session.brain_masks[only[label]]},
            to_reference={only[label]: AffineTransform.identity()},
        )
        for label, session in sessions.items()
    ]
    series = align(thin, ALIGN)
    first, second = series.session("01").to_subject["FLAIR"], series.session("02").to_subject["T1w"]
    points = first.inverse().map(points_of(series))
    truth = T1_MOTION.after(MOTIONS["02"]).after(MOTIONS["01"].inverse())
    gap = second.inverse().after(first).map(points) - truth.map(points)
    assert np.linalg.norm(gap, axis=1).mean() < 0.3 * EDGE


def noise_like(volume, seed=0):
    rng = np.random.default_rng(seed)
    return dataclasses.replace(volume, data=rng.uniform(0, 100, volume.data.shape).astype(np.float32))


# What is refused, and that it is, is tested with real searches in test_matching and test_realdata; they take long.
REFUSED = Match(AffineTransform.identity(), 7.0, 1.001, 0.3, 1.0, 0.1)


def test_a_contrast_without_a_brain_is_left_out_and_named(head, monkeypatch):
    monkeypatch.setattr("hlhneuro.imaging.preparation.match_brains", lambda *_: REFUSED)
    flair = head("FLAIR")
    session = prepare("01", {"FLAIR": flair, "T1w": noise_like(flair)}, PREPARE)
    assert set(session.volumes) == {"FLAIR"}
    (problem,) = session.problems
    assert "session 01 T1w could not be aligned to 01 FLAIR: the images share too little" in problem


def test_a_session_of_another_thing_is_left_out_and_named(sessions, monkeypatch):
    monkeypatch.setattr("hlhneuro.imaging.alignment.match_brains", lambda *_: REFUSED)
    series = align(list(sessions.values()), ALIGN)
    # Of two that do not fit, the one with more images stays.
    assert [session.label for session in series.sessions] == ["02"]
    (problem,) = series.problems
    assert "session 01 could not be aligned to the other sessions and was left out" in problem
    assert "two different people" in problem
    assert [verdict.accepted for verdict in series.quality[:1]] == [False]


def test_one_strange_session_of_three_is_left_out_and_named(sessions, monkeypatch):
    strange = dataclasses.replace(sessions["02"], label="03")
    fine = Match(AffineTransform.identity(), 0.1, 1.2, 0.95, 1.0, 1.0)
    asked = []

    def match(fixed, moving, *_):
        asked.append((fixed, moving))
        return REFUSED if "strange" in {fixed.steps[-1].name, moving.steps[-1].name} else fine

    marked = {name: volume.stepped(volume.data + 1, "strange") for name, volume in strange.volumes.items()}
    monkeypatch.setattr("hlhneuro.imaging.alignment.match_brains", match)
    series = align([*sessions.values(), dataclasses.replace(strange, volumes=marked)], ALIGN)
    assert [session.label for session in series.sessions] == ["01", "02"]
    (problem,) = series.problems
    assert problem.startswith("session 03 could not be aligned to the other sessions and was left out")
    # One pair at once, two pairs on both contrasts that were tried.
    assert len(asked) == 1 + 2 * 2


def test_a_session_without_any_brain_is_an_input_error(head):
    with pytest.raises(InputError, match="no image in which a brain was found"):
        prepare("07", {"FLAIR": noise_like(head("FLAIR"))}, PREPARE)
    with pytest.raises(InputError, match="no session"):
        align([], ALIGN)
