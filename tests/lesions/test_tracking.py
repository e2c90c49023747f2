import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra.numpy import arrays

from hlhneuro.lesions.tracking import lesion_status, track_lesions


def row(text):
    return np.array([[[character == "#" for character in text]]])


def test_pieces_that_flow_together_are_one_lesion_that_merged():
    tracks = track_lesions([row("##..##...#"), row("######...#")])
    assert tracks.count == 2
    assert [int(p[1]) for p in tracks.parts] == [2, 1]
    assert lesion_status(4, 6, 0.1, 0.1, 2, 1, 1.96) == "merged"
    assert lesion_status(6, 4, 0.1, 0.1, 1, 2, 1.96) == "split"


def test_a_lesion_that_vanishes_and_returns_keeps_its_number():
    tracks = track_lesions([row(".##."), row("...."), row(".##.")])
    assert tracks.count == 1
    assert [int(v[1]) for v in tracks.voxels] == [2, 0, 2]


def test_neighbours_that_never_overlap_are_two_lesions():
    assert track_lesions([row("##.."), row("..##")]).count == 2


@pytest.mark.parametrize(
    ("before", "after", "status"),
    [(0, 1, "new"), (1, 0, "resolved"), (1, 1.2, "stable"), (1, 1.5, "enlarged"), (1.5, 1, "shrunk")],
)
def test_status_counts_only_beyond_the_error(before, after, status):
    assert lesion_status(before, after, 0.1, 0.1, 1, 1, 1.96) == status  # error 1.96 * 0.14 = 0.28


@settings(max_examples=50, deadline=None)
@given(arrays(bool, (3, 4, 4, 4)))
def test_identities_do_not_depend_on_the_order_of_sessions(masks):
    forward, backward = track_lesions(list(masks)), track_lesions(list(masks[::-1]))
    for mask, a, b in zip(masks, forward.identities, backward.identities[::-1], strict=True):
        assert np.array_equal(a, b)
        assert np.array_equal(a > 0, mask)
