"""Input that is not as it should be: the lesion stage answers, trusts itself less, or says what it cannot assess."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from hlhneuro.answers import Answer
from hlhneuro.lesions import lesion_findings, measure_change, segment_lesions
from hlhneuro.lesions.change import LesionChange
from hlhneuro.lesions.series import LesionSeries
from hlhneuro.settings import ChangeSettings, LesionSettings
from tests.lesions import synthetic
from tests.lesions.synthetic import LESION, SPHERES, series, template

LEFT, RIGHT = SPHERES["left"], SPHERES["right"]
EDGE_MM = 3  # coarse: what is asked here is no matter of a voxel
session = partial(synthetic.session, step_mm=EDGE_MM)
QUICK = LesionSettings(em_iterations=5, em_voxels=10_000)
STRICT = LesionSettings(em_iterations=5, em_voxels=10_000, false_discovery=1e-6)  # no lesion by chance


def run(*sessions, settings: LesionSettings = QUICK) -> tuple[LesionSeries, LesionChange, dict]:
    aligned = series(*sessions)
    lesions = segment_lesions(aligned, settings, {s.label: 6.0 for s in sessions})
    change = measure_change(aligned, lesions, ChangeSettings())
    found = lesion_findings(aligned, lesions, change)
    return lesions, change, {(f.code, f.sessions): f for f in found}


@pytest.fixture(scope="module")
def mixed() -> tuple[LesionSeries, LesionChange, dict]:
    """Every session has other contrasts; the last shows too little, and none has FLAIR and T2w both."""
    spheres = (LEFT, RIGHT)
    return run(
        session("01", spheres, 1, ("FLAIR", "T1w")),
        session("02", spheres, 2, ("T2w", "T1w")),
        session("03", spheres, 3, ("T1w",)),
    )


def test_sessions_with_different_contrasts_are_each_judged_by_their_own(mixed) -> None:
    lesions, change, _ = mixed
    assert [s.contrasts for s in lesions.sessions] == [("FLAIR", "T1w"), ("T2w", "T1w")]
    assert [(i.before, i.after) for i in change.intervals] == [("01", "02")]
    assert "T1w alone" in lesions.not_assessable["03"]


def test_without_flair_the_confidence_is_reduced_and_the_reason_says_why(mixed) -> None:
    lesions, _, _ = mixed
    assert lesions.sessions[1].confidence == "reduced"
    assert "no FLAIR" in lesions.sessions[1].reason


def test_sessions_that_share_no_contrast_do_not_stop_the_stage() -> None:
    lesions, change, _ = run(session("01", (LEFT,), 1, ("FLAIR",)), session("02", (LEFT,), 2, ("T2w",)))
    assert [s.contrasts for s in lesions.sessions] == [("FLAIR",), ("T2w",)]
    assert all(s.confidence == "reduced" for s in lesions.sessions)
    assert len(change.intervals) == 1


def test_t1w_alone_is_not_assessable_and_says_what_would_supply_it(mixed) -> None:
    _, _, answers = mixed
    for code, sessions in (("lesion_present", ("03",)), ("lesion_load_change", ("02", "03"))):
        assert answers[code, sessions].answer is Answer.NOT_ASSESSABLE
        assert "FLAIR or T2w would supply it" in answers[code, sessions].reason


def test_no_session_that_can_be_judged_is_an_answer() -> None:
    lesions, change, answers = run(session("01", (LEFT,), 1, ("T1w",)))
    assert lesions.sessions == change.intervals == ()
    assert change.lesions.empty
    assert answers["lesion_present", ("01",)].answer is Answer.NOT_ASSESSABLE


def test_no_lesion_at_one_session_leaves_the_rest_measured() -> None:
    lesions, change, answers = run(session("01", (), 1), session("02", (LEFT,), 2), settings=STRICT)
    assert lesions.sessions[0].volume_ml == 0
    assert answers["lesion_present", ("01",)].answer is Answer.ABSENT
    assert answers["new_lesions", ("01", "02")].answer is Answer.PRESENT
    assert change.intervals[0].new_ml == pytest.approx(lesions.sessions[1].volume_ml)


def test_no_lesion_at_any_session() -> None:
    lesions, change, answers = run(
        *(session(label, (), i, ("FLAIR",)) for i, label in enumerate(("01", "02"))), settings=STRICT
    )
    assert [s.volume_ml for s in lesions.sessions] == [0, 0]
    assert change.lesions.empty
    assert answers["new_lesions", ("01", "02")].answer is Answer.ABSENT
    assert change.intervals[0].net_ml == 0


@pytest.mark.parametrize("contrasts", [("FLAIR", "T1w", "T2w"), ("FLAIR",)])
def test_a_hemisphere_full_of_lesion_is_found_and_the_other_stays_normal(contrasts: tuple[str, ...]) -> None:
    grid, brain, maps = template(EDGE_MM)
    x_mm = grid.points_mm()[..., 0]
    ill = (x_mm < -4) & (maps["gm"] + maps["wm"] > 0.7)
    one = session("01", (), 1, contrasts)
    for contrast, volume in one.volumes.items():
        volume.data[ill] += np.float32(LESION[contrast])
    lesions, _, answers = run(one, settings=LesionSettings())
    (found,) = lesions.sessions
    assert answers["lesion_present", ("01",)].answer is Answer.PRESENT
    assert (found.mask & ill).sum() > 0.95 * found.mask.sum()
    assert (found.mask & (x_mm > 4)).sum() < 0.01 * (x_mm > 4)[brain].sum()
