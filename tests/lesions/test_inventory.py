import math
from dataclasses import replace

import numpy as np
import pytest

from hlhneuro.answers import Answer
from hlhneuro.lesions import lesion_findings, measure_change
from hlhneuro.settings import ChangeSettings, LesionSettings
from tests.lesions.made import box, made

LEFT = ((3, 5, 5), (9, 11, 11))
BRIDGE = ((9, 7, 7), (13, 9, 9))
MIDDLE = ((13, 5, 5), (19, 11, 11))
FAR = ((23, 14, 12), (28, 19, 17))
COURSE = (box(LEFT, MIDDLE, FAR), box(LEFT, BRIDGE, MIDDLE), box(LEFT, MIDDLE, FAR))


def change_of(*masks, **how):
    series, lesions = made(*masks, **how)
    return series, lesions, measure_change(series, lesions, ChangeSettings(), LesionSettings())


@pytest.fixture(scope="module")
def course():
    return change_of(*COURSE)


def test_merging_splitting_vanishing_and_coming_back_are_named(course):
    _, _, change = course
    by_lesion = {n: list(own["status"]) for n, own in change.lesions.groupby("lesion")}
    assert by_lesion == {1: ["first", "merged", "split"], 2: ["first", "resolved", "reappeared"]}
    assert list(change.lesions.loc[change.lesions["lesion"] == 1, "parts"]) == [2, 1, 2]


def test_a_change_and_its_error_stand_beside_every_volume(course):
    _, _, change = course
    table = change.lesions
    first = table["session"] == "01"
    assert table.loc[first, ["change_ml", "change_sd_ml", "smallest_real_change_ml"]].isna().all(axis=None)
    later = table[~first]
    assert (later["change_sd_ml"] > 0).all()
    assert np.allclose(later["smallest_real_change_ml"], 1.96 * later["change_sd_ml"])
    bridge_ml = box(BRIDGE).sum() / 1000
    assert later.loc[later["status"] == "merged", "change_ml"].item() == pytest.approx(bridge_ml)
    resolved = later[later["status"] == "resolved"].iloc[0]
    assert resolved["volume_ml"] == 0
    assert resolved["change_ml"] == pytest.approx(-box(FAR).sum() / 1000)


def test_volumes_of_lesions_add_up_to_the_load(course):
    _, lesions, change = course
    for session in lesions.sessions:
        own = change.lesions[change.lesions["session"] == session.label]
        assert own["volume_ml"].sum() == pytest.approx(session.volume_ml)


def test_a_small_difference_is_called_stable_and_a_large_one_not():
    grown = ((3, 5, 5), (10, 11, 11))
    *_, change = change_of(box(LEFT), box(grown), contrast=0.1, slice_mm=4.0)
    assert change.lesions["status"].iloc[-1] == "stable"
    *_, change = change_of(box(LEFT), box(((3, 5, 5), (14, 14, 14))))
    assert change.lesions["status"].iloc[-1] == "enlarged"


def test_the_same_masks_change_by_nothing_but_the_scan(course):
    *_, change = change_of(box(LEFT), box(LEFT))
    (interval,) = change.intervals
    last = change.lesions.iloc[-1]
    assert interval.net_ml == last["change_ml"] == 0
    assert 0 < interval.net_sd_ml < last["volume_sd_ml"]
    assert interval.net_sd_ml == pytest.approx(last["change_sd_ml"])


@pytest.mark.parametrize(
    ("code", "sessions", "answer"),
    [
        ("merged_lesions", ("01", "02"), Answer.PRESENT),
        ("merged_lesions", ("02", "03"), Answer.ABSENT),
        ("split_lesions", ("02", "03"), Answer.PRESENT),
        ("resolved_lesions", ("01", "02"), Answer.PRESENT),
        ("reappeared_lesions", ("02", "03"), Answer.PRESENT),
        ("new_lesions", ("02", "03"), Answer.ABSENT),
    ],
)
def test_findings_of_a_known_course(course, code, sessions, answer):
    series, lesions, change = course
    found = {(f.code, f.sessions): f for f in lesion_findings(series, lesions, change)}
    assert found[code, sessions].answer is answer
    merged = found["merged_lesions", ("01", "02")]
    assert merged.value == pytest.approx(box(BRIDGE).sum() / 1000)
    assert "1 lesion:" in merged.reason
    assert "the volume says more than the number" in found["split_lesions", ("02", "03")].reason


def test_the_whole_course_is_answered_beside_its_intervals(course):
    series, lesions, change = course
    found = {(f.code, f.sessions): f for f in lesion_findings(series, lesions, change)}
    whole = found["lesion_load_change", ("01", "03")]
    assert whole.answer is Answer.ABSENT
    assert whole.value == pytest.approx(0)
    assert whole.standard_uncertainty > 0


def test_absence_says_what_it_cannot_know():
    series, lesions, change = change_of(box())
    finding = next(f for f in lesion_findings(series, lesions, change) if f.code == "lesion_present")
    assert finding.answer is Answer.ABSENT
    assert finding.reason.startswith("no lesion found; ")
    assert math.isclose(finding.value, 0)
    known = replace(lesions, sessions=(replace(lesions.sessions[0], detectable_contrast=0.163),))
    finding = next(f for f in lesion_findings(series, known, change) if f.code == "lesion_present")
    assert "6 mm across would have been found at a contrast of +0.16 of white matter (FLAIR)" in finding.reason
