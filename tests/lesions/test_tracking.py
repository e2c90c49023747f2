from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hlhneuro.lesions.tracking import lesion_status, track_lesions

LIMIT_VOXELS = 1.5
MIRROR = {
    "new": "resolved",
    "reappeared": "resolved",
    "resolved": "appeared",
    "merged": "split",
    "split": "merged",
    "enlarged": "shrunk",
    "shrunk": "enlarged",
    "stable": "stable",
}


def row(text):
    return np.array([[[character == "#" for character in text]]])


def course(*texts, lesion=1):
    """What is said of one lesion, session by session, where it is or was there."""
    return statuses(track_lesions([row(text) for text in texts]), lesion)


def statuses(tracks, lesion):
    sizes = [int(voxels[lesion]) for voxels in tracks.voxels]
    return [
        lesion_status(tracks, lesion, i, now - was, LIMIT_VOXELS) if i and (was or now) else "first" if now else ""
        for i, (was, now) in enumerate(pairwise([0, *sizes]))
    ]


@pytest.mark.parametrize(
    ("sessions", "expected"),
    [
        (["##..##...", "######...", "######..."], ["first", "merged", "stable"]),
        (["##..##...", "#########"], ["first", "merged"]),  # that it also grew is in its volumes
        (["######...", "##..##...", "##......."], ["first", "split", "shrunk"]),
        (["..##.....", ".........", "..##....."], ["first", "resolved", "reappeared"]),
        ([".........", "..##.....", "..##....."], ["", "new", "stable"]),
        ([".##......", ".........", ".........", ".##......"], ["first", "resolved", "", "reappeared"]),
        ([".##......", ".######..", ".##......"], ["first", "enlarged", "shrunk"]),
        (["##..##...", "##.......", "######..."], ["first", "shrunk", "enlarged"]),  # one piece gone: nothing merged
        (["##.##.###", "#####.###", "##.##.###"], ["first", "merged", "split"]),
    ],
)
def test_known_courses(sessions, expected):
    assert course(*sessions) == expected


def test_pieces_that_flow_together_are_one_lesion_of_two_parts():
    tracks = track_lesions([row("##..##...#"), row("######...#")])
    assert tracks.count == 2
    assert [int(p[1]) for p in tracks.parts] == [2, 1]


def test_merging_and_splitting_at_once_is_told_by_the_number_of_pieces():
    assert course("##.#######", "#####.####") == ["first", "stable"]
    assert course("##.##.#######", "########.####") == ["first", "merged"]
    assert course("########.####", "##.##.#######") == ["first", "split"]


def test_neighbours_that_never_overlap_are_two_lesions():
    assert track_lesions([row("##.."), row("..##")]).count == 2


def test_no_session_and_no_lesion():
    assert track_lesions([]).count == 0
    assert track_lesions([row("....")] * 2).count == 0


MASKS = st.integers(1, 4).flatmap(lambda n: arrays(bool, (n, 3, 3, 5), elements=st.booleans(), fill=st.just(False)))


@settings(max_examples=60, deadline=None)
@given(MASKS, st.randoms(use_true_random=False))
def test_identities_partition_the_masks_whatever_the_order(masks, random):
    tracks = track_lesions(list(masks))
    order = list(range(len(masks)))
    random.shuffle(order)
    other = track_lesions([masks[i] for i in order])
    for place, i in enumerate(order):
        assert np.array_equal(tracks.identities[i], other.identities[place])
        assert np.array_equal(tracks.parts[i], other.parts[place])
        assert np.array_equal(tracks.identities[i] > 0, masks[i])
    assert {int(n) for image in tracks.identities for n in np.unique(image)} - {0} == set(range(1, tracks.count + 1))


@settings(max_examples=60, deadline=None)
@given(MASKS)
def test_reading_the_course_backwards_mirrors_every_status(masks):
    forward, backward = track_lesions(list(masks)), track_lesions(list(masks[::-1]))
    for lesion in range(1, forward.count + 1):
        there = statuses(forward, lesion)[1:]
        back = statuses(backward, lesion)[1:][::-1]
        for a, b in zip(there, back, strict=True):
            appeared = "appeared" if b in ("new", "reappeared") else b
            assert (MIRROR[a] if a else "") == appeared
