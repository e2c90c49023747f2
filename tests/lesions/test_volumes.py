"""Volume change: antisymmetry, known shifts, gates, growth, steroids, the three answers."""

import dataclasses
import datetime as dt
import math
from pathlib import Path

import numpy as np
import pytest

from hlhneuro.answers import Answer
from hlhneuro.imaging.alignment import AlignedSeries, AlignedSession
from hlhneuro.imaging.transforms import AffineTransform
from hlhneuro.imaging.volumes import Grid, Step, Volume
from hlhneuro.lesions.growth import expected_growth
from hlhneuro.lesions.series import LesionSeries, SessionLesions
from hlhneuro.lesions.visits import Visit, visit_of
from hlhneuro.lesions.volume_findings import volume_findings
from hlhneuro.lesions.volumes import measure_volumes
from hlhneuro.pipeline.stores.volumes import keep_volumes, recall_volumes
from hlhneuro.settings import VolumeSettings
from hlhneuro.study import Scan, Session, TreatmentEvent

SETTINGS = VolumeSettings()
GRID = Grid((84, 84, 84), np.diag([1.0, 1.0, 1.0, 1.0]))
EYE = AffineTransform.identity()
SIEMENS = {"Manufacturer": "Siemens", "MagneticFieldStrength": 3.0, "DeviceSerialNumber": "7", "EchoTime": 0.003}
RADIUS, CORE = 34.0, 12.0
DISTANCE = np.linalg.norm(GRID.points_mm() - 41.7, axis=-1).astype(np.float32)


def head(radius=RADIUS, core=CORE, seed=0, gain=1.0):
    """Make a ball of white matter in a shell of grey, a ball of fluid in it, fluid around it."""
    rng = np.random.default_rng(seed)

    def inside(edge):
        return np.clip(edge - DISTANCE + 0.5, 0, 1)

    image = 0.25 * inside(40.0) + 0.45 * inside(radius) + 0.3 * inside(radius - 4) - 0.75 * inside(core)
    return (gain * (image + rng.normal(0, 0.02, GRID.shape))).astype(np.float32)


def session(label, image, grid=GRID, contrast="T1w", steps=()):
    brain = DISTANCE < 38
    everywhere = np.ones(GRID.shape, bool)
    volume = Volume(image, GRID.affine, contrast, steps)
    return AlignedSession(
        label, contrast, {contrast: volume}, brain, {contrast: everywhere}, {contrast: EYE}, {contrast: grid},
        {contrast: 0.02},
    )  # fmt: skip


def series(*sessions):
    empty = np.zeros(GRID.shape, np.float32)
    return AlignedSeries(GRID, sessions, DISTANCE < 38, EYE, dict.fromkeys(("gm", "wm", "csf"), empty))


def visit(age=None, **facts):
    return Visit(age_years=age, facts=SIEMENS | facts)


@pytest.fixture(scope="module")
def shrunk():
    """The surface 0.2 mm further in, the ventricle 0.3 mm wider."""
    return series(session("01", head()), session("02", head(RADIUS - 0.2, CORE + 0.3, seed=1, gain=1.03)))


@pytest.fixture(scope="module")
def measured(shrunk):
    return measure_volumes(shrunk, None, SETTINGS, {"01": visit(20.0), "02": visit(21.0)})


def test_a_known_shift_is_recovered(measured):
    brain, ventricles = measured.intervals[0].changes
    volume = [radius**3 - core**3 for radius, core in ((RADIUS, CORE), (RADIUS - 0.2, CORE + 0.3))]
    assert brain.log_change == pytest.approx(math.log(volume[1] / volume[0]), rel=0.1)
    assert ventricles.log_change == pytest.approx(3 * math.log((CORE + 0.3) / CORE), rel=0.1)
    assert ventricles.change_percent > 0 > brain.change_percent


def test_exchanged_sessions_change_the_sign_bit_for_bit(shrunk, measured):
    visits = {"01": visit(20.0), "02": visit(21.0)}
    turned = measure_volumes(series(*reversed(shrunk.sessions)), None, SETTINGS, visits)
    for one, other in zip(measured.intervals[0].changes, turned.intervals[0].changes, strict=True):
        assert one.log_change == -other.log_change
        assert one.change_ml == -other.change_ml
        assert one.log_change_sd == other.log_change_sd
        assert one.expected_log_change == -other.expected_log_change


def test_no_change_is_within_error_and_lesions_do_not_count():
    dark = head(seed=3)
    spot = np.linalg.norm(GRID.points_mm() - np.array([41.7, 41.7, 67.0]), axis=-1) < 6
    dark[spot] *= 0.5  # a lesion turned dark beside the surface
    both = series(session("01", head(seed=2)), session("02", dark))
    lesion = [SessionLesions(label, spot, spot, 1.0, 0.1, ("T1w",), "full", "") for label in ("01", "02")]
    lesions = LesionSeries(GRID, tuple(lesion), {}, np.zeros(GRID.shape, np.int16), {})
    brain = measure_volumes(both, lesions, SETTINGS).intervals[0].change("brain")
    assert abs(brain.log_change) < 1.96 * brain.log_change_sd


def test_first_to_last_is_close_to_the_sum_of_the_steps():
    course = [session(f"0{n}", head(RADIUS - 0.1 * n, seed=n)) for n in range(3)]
    found = measure_volumes(series(*course), None, SETTINGS)
    assert [(i.before, i.after, i.whole) for i in found.intervals] == [
        ("00", "01", False), ("01", "02", False), ("00", "02", True),
    ]  # fmt: skip
    assert abs(found.closing_log_change["brain"]) < 0.001
    assert recall_volumes(keep_volumes(found).payload) == found


@pytest.mark.parametrize(
    ("changed", "facts", "why"),
    [
        ({"native_grids": {"T1w": Grid((84, 84, 21), np.diag([1.0, 1.0, 4.0, 1.0]))}}, {}, "voxel edges of up to 4 mm"),
        ({"volumes": {}}, {}, "ses-02 has no T1w"),
        ({"coverage": {"T1w": DISTANCE < 30}}, {}, "whole brain"),
        ({}, {"Manufacturer": "Philips"}, "two scanners"),
        ({}, {"DeviceSerialNumber": "8"}, "two scanners"),
        ({}, {"EchoTime": 0.006}, "acquired differently"),
    ],
)
def test_what_cannot_be_compared_says_why(changed, facts, why):
    first, second = session("01", head()), session("02", head(seed=1))
    both = series(first, dataclasses.replace(second, **changed))
    found = measure_volumes(both, None, SETTINGS, {"01": visit(20.0), "02": visit(21.0, **facts)})
    assert why in found.intervals[0].reason
    assert not found.intervals[0].changes
    assert {f.answer for f in volume_findings(found, ("01", "02"))} == {Answer.NOT_ASSESSABLE}


def test_unknown_scanner_and_age_are_doubts(shrunk):
    found = measure_volumes(shrunk, None, SETTINGS)
    assert "scanner is not known" in found.intervals[0].doubt
    brain = volume_findings(found, ("01", "02"))[0]
    assert brain.answer is Answer.NOT_ASSESSABLE  # a raw change without expected growth is no verdict
    assert brain.value < 0
    assert "growth unknown" in brain.reason


def test_growth_is_subtracted(measured, shrunk):
    adult = volume_findings(measured, ("01", "02"))
    assert [finding.answer for finding in adult] == [Answer.PRESENT, Answer.PRESENT]
    child = measure_volumes(shrunk, None, SETTINGS, {"01": visit(1.0), "02": visit(1.1)}).intervals[0].change("brain")
    assert child.expected_log_change == pytest.approx(0.014)
    assert child.excess_log_change == pytest.approx(child.log_change - 0.014)
    assert child.excess_log_change_sd > child.log_change_sd
    assert "Knickmeyer" in child.expected_source


def test_expected_growth_is_the_sum_over_ages_and_unknown_beyond():
    parts = [expected_growth("brain", a, b).log_change for a, b in ((0.1, 2.5), (2.5, 9.5))]
    assert expected_growth("brain", 0.1, 9.5).log_change == pytest.approx(sum(parts))
    assert math.exp(expected_growth("brain", 0.0, 90 / 365.25).log_change) == pytest.approx(1.64, rel=0.02)
    assert math.exp(expected_growth("brain", 0.058, 1.0).log_change) == pytest.approx(2.01, rel=0.05)
    assert expected_growth("brain", 50, 70) is None
    assert expected_growth("ventricles", 0.0, 1.0) is None
    assert expected_growth("brain", None, 1.0) is None
    assert expected_growth("brain", 3.0, 3.0).log_change == 0


def test_steroids_between_or_before_are_flagged(shrunk):
    days = dt.date(2024, 1, 1), dt.date(2024, 12, 1)
    event = TreatmentEvent("1", "dexamethasone", dt.date(2024, 3, 1), dt.date(2024, 4, 1))
    late = TreatmentEvent("1", "prednisolone", dt.date(2025, 1, 1))
    for events, expected in (((event,), True), ((late,), False), ((), None)):
        visits = {
            label: visit_of(made(label, day), events) for label, day in zip(("01", "02"), days, strict=True)
        }  # fmt: skip
        interval = measure_volumes(shrunk, None, SETTINGS, visits).intervals[0]
        assert interval.steroids is expected
    visits = {label: visit_of(made(label, day), (event,)) for label, day in zip(("01", "02"), days, strict=True)}
    found = volume_findings(measure_volumes(shrunk, None, SETTINGS, visits), ("01", "02"))
    assert all("steroid-confounded" in finding.reason for finding in found)


def made(label, day):
    scan = Scan(Path("T1w.nii.gz"), "anat", "T1w", {}, SIEMENS)
    return Session("1", label, day, 20.0, (scan,), (), ())


def test_one_session_or_nothing_measured():
    alone = measure_volumes(series(session("01", head())), None, SETTINGS)
    for volumes in (alone, None):
        found = volume_findings(volumes, ("01",))
        assert [f.code for f in found] == ["brain_volume_change", "ventricle_volume_change"]
        assert {f.answer for f in found} == {Answer.NOT_ASSESSABLE}


def test_the_additive_part_of_the_common_scale_is_undone(shrunk, measured):
    moved = []
    for one in shrunk.sessions:
        p = {"divided_by": 1.0, "slope": 1.1, "intercept": 0.02, "then_divided_by": 0.9}
        image = (one.volumes["T1w"].data * 1.1 + 0.02) / 0.9
        moved.append(session(one.label, image.astype(np.float32), steps=(Step("normalise", p),)))
    again = measure_volumes(series(*moved), None, SETTINGS).intervals[0].change("brain")
    assert again.log_change == pytest.approx(measured.intervals[0].change("brain").log_change, abs=1e-4)
