import numpy as np
import pytest

from hlhneuro.imaging.resampling import resample_mask
from hlhneuro.imaging.transforms import AffineTransform
from hlhneuro.imaging.volumes import Grid
from hlhneuro.lesions import ChangeCode, measure_change, segment_lesions
from hlhneuro.lesions.change import carried_codes, change_codes
from hlhneuro.settings import ChangeSettings, LesionSettings
from tests.lesions.synthetic import dice, series, session, truth

STABLE, GROWING, GROWN = ((28.0, 10.0, 26.0), 6.0), ((-28.0, -10.0, 30.0), 5.0), ((-28.0, -10.0, 30.0), 9.0)
NEW, GONE = ((26.0, -50.0, 24.0), 6.0), ((-26.0, -50.0, 24.0), 6.0)


def run(*sessions):
    aligned = series(*sessions)
    lesions = segment_lesions(aligned, LesionSettings(), {s.label: 6.0 for s in sessions})
    return lesions, measure_change(aligned, lesions, ChangeSettings())


@pytest.fixture(scope="module")
def two():
    first, second = session("01", (STABLE, GROWING, GONE), 1), session("02", (STABLE, GROWN, NEW), 2)
    return run(first, second), run(second, first)


def statuses(change, label):
    table = change.lesions[change.lesions["session"] == label]
    return sorted(table["status"])


def test_what_is_new_grown_stable_and_gone_is_named_so(two):
    (_, change), _ = two
    assert statuses(change, "01") == ["first"] * 3
    assert statuses(change, "02") == ["enlarged", "new", "resolved", "stable"]


def test_changed_voxels_are_those_that_were_changed(two):
    (_, change), _ = two
    codes = change.intervals[0].codes
    assert dice(codes == ChangeCode.NEW, truth([NEW])) > 0.7
    assert dice(codes == ChangeCode.RESOLVED, truth([GONE])) > 0.7
    assert dice(codes == ChangeCode.ENLARGED, truth([GROWN]) & ~truth([GROWING])) > 0.6


def test_net_change_agrees_with_the_spheres_and_is_beyond_its_error(two):
    (_, change), _ = two
    expected_ml = 4 / 3 * np.pi * (9**3 - 5**3) / 1000
    interval = change.intervals[0]
    assert interval.net_ml == pytest.approx(expected_ml, rel=0.25)  # edge voxels count whole
    assert interval.net_ml > interval.smallest_real_change_ml == pytest.approx(1.96 * interval.net_sd_ml)


def test_masks_codes_and_tables_agree(two):
    (lesions, change), _ = two
    interval = change.intervals[0]
    before, after = (s.mask for s in lesions.sessions)
    assert np.array_equal(np.isin(interval.codes, (3, 4, 5)), before)
    assert np.array_equal(np.isin(interval.codes, (1, 2, 3)), after)
    assert interval.net_ml == pytest.approx(
        interval.new_ml + interval.enlarged_ml - interval.shrunk_ml - interval.resolved_ml
    )
    total = change.lesions.groupby("session")["volume_ml"].sum()
    assert total["02"] == pytest.approx(lesions.sessions[1].volume_ml)


def test_swapping_two_sessions_swaps_the_codes_and_nothing_else(two):
    (forward_lesions, forward), (backward_lesions, backward) = two
    swap = np.array([0, 5, 4, 3, 2, 1], np.uint8)
    assert np.array_equal(forward.intervals[0].codes, swap[backward.intervals[0].codes])
    for label in ("01", "02"):
        a, b = forward_lesions.session(label), backward_lesions.session(label)
        assert np.array_equal(a.probability, b.probability)
        assert np.array_equal(a.mask, b.mask)
        assert a.volume_sd_ml == b.volume_sd_ml
        assert np.array_equal(forward.identities[label], backward.identities[label])
    assert forward.intervals[0].net_ml == -backward.intervals[0].net_ml
    assert all(np.array_equal(forward_lesions.tissue[t], backward_lesions.tissue[t]) for t in ("gm", "wm", "csf"))


def test_fresh_noise_makes_no_change():
    spheres = (STABLE, GROWING, GONE)
    _, change = run(session("01", spheres, 11, ("FLAIR", "T2w")), session("02", spheres, 12, ("FLAIR", "T2w")))
    for interval in change.intervals:
        assert interval.new_ml == interval.resolved_ml == 0
        assert abs(interval.net_ml) <= interval.smallest_real_change_ml
    assert set(change.lesions["status"]) == {"first", "stable"}


def test_one_session_has_lesions_but_no_interval():
    lesions, change = run(session("01", (STABLE,), 1))
    assert len(lesions.sessions) == 1
    assert change.intervals == ()
    assert list(change.lesions["status"]) == ["first"]


def test_a_series_without_a_usable_session_gives_empty_tables():
    lesions, change = run(session("01", (), 1, ("T1w",)))
    assert lesions.sessions == change.intervals == ()
    assert change.lesions.empty
    assert change.territories.empty


def test_codes_of_a_row_of_voxels():
    before = np.array([[[1, 1, 0, 2, 0, 0]]], np.int32)
    after = np.array([[[1, 0, 1, 0, 0, 3]]], np.int32)
    assert change_codes(before, after).ravel().tolist() == [3, 4, 2, 5, 0, 1]


def test_a_thin_layer_of_growth_survives_thick_slices_and_agrees_with_the_masks():
    fine, thick = Grid((8, 8, 12), np.eye(4)), Grid((8, 8, 4), np.diag([1.0, 1, 3, 1]))
    codes = np.zeros(fine.shape, np.uint8)
    codes[2:6, 2:6, 3:5], codes[2:6, 2:6, 5:7] = ChangeCode.STABLE, ChangeCode.ENLARGED
    still = AffineTransform(np.eye(4))
    carried = carried_codes(codes, fine, thick, still)
    assert (carried == ChangeCode.ENLARGED).any()
    for sides in ((1, 2, 3), (3, 4, 5)):
        assert np.array_equal(np.isin(carried, sides), resample_mask(np.isin(codes, sides), fine, thick, still))


def test_the_whole_course_is_measured_like_an_interval():
    spheres = [((26.0, -50.0, 24.0), 5.0), ((26.0, -50.0, 24.0), 8.0), ((-26.0, -50.0, 24.0), 6.0)]
    sessions = [session(f"0{n + 1}", (sphere,), n + 1, ("FLAIR",), step_mm=3) for n, sphere in enumerate(spheres)]
    _, change = run(*sessions)
    whole = change.first_to_last
    assert (whole.before, whole.after) == ("01", "03")
    assert change.compared == (*change.intervals, whole)
    assert whole.net_ml == pytest.approx(sum(interval.net_ml for interval in change.intervals))
    assert np.array_equal(whole.codes, change_codes(change.identities["01"], change.identities["03"]))
    _, turned = run(*sessions[::-1])
    assert np.array_equal(whole.codes, np.array([0, 5, 4, 3, 2, 1], np.uint8)[turned.first_to_last.codes])


def test_a_session_without_flair_has_no_lesions_that_it_could_not_have_shown():
    spheres = (STABLE, GROWING)
    _, change = run(session("01", spheres, 5), session("02", spheres, 6, ("T2w",)))
    assert change.first_to_last is None
    assert change.intervals[0].new_ml == change.intervals[0].resolved_ml == 0
