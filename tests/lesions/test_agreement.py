"""Which differences count as lesions that came or went, and masks that follow them, on arrays made by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra.numpy import arrays

from hlhneuro.imaging.volumes import Grid
from hlhneuro.lesions.agreement import accepted, follow_changes
from hlhneuro.lesions.differences import Difference
from hlhneuro.settings import LesionSettings

SHAPE = (24, 24, 24)
GRID = Grid(SHAPE, np.eye(4))
COARSE = Grid((1, 1, 3), np.diag([10.0, 10, 10, 1]))  # a voxel is large enough to be a lesion
RULES = (COARSE, LesionSettings())
R = np.linalg.norm(np.indices(SHAPE) - 11.5, axis=0)
BALL = np.clip((6.0 - R) / 1.5 + 0.5, 0, 1).astype(np.float32)  # an edge 1.5 mm wide; half of it at 6 mm
EVERYWHERE = np.ones(SHAPE, bool)


def judged(amount, darker, brighter):
    difference = Difference(amount, (30 * amount,))
    places, blur = (EVERYWHERE, EVERYWHERE), (1.5 / np.sqrt(12),) * 3
    return accepted(difference, (darker, brighter), places, EVERYWHERE, blur, (3, 3, 3), GRID, LesionSettings())


@pytest.mark.parametrize("height", [0.2, 0.5])
def test_a_change_ends_where_half_of_its_own_difference_is_left(height):
    found = judged(height * BALL, 0 * BALL, 8 * BALL)
    assert found.min() == 0
    assert (found > 0).sum() == pytest.approx(4 / 3 * np.pi * 6**3, rel=0.1)


def test_exchanging_the_sessions_changes_the_sign_and_nothing_else():
    forward, backward = judged(0.5 * BALL, 0 * BALL, 8 * BALL), judged(-0.5 * BALL, 8 * BALL, 0 * BALL)
    assert forward.any()
    assert np.array_equal(forward, -backward)


@pytest.mark.parametrize(
    ("darker", "brighter"),
    [
        (0.0, 0.5),  # no lesion at either session: an edge that moved, fluid
        (5.0, 8.0),  # a lesion at both that only fades
    ],
)
def test_a_difference_is_not_always_a_lesion_that_came(darker, brighter):
    assert not judged(0.5 * BALL, darker * BALL, brighter * BALL).any()


def test_three_sessions_follow_the_changes_between_them():
    came, none = np.array([[[1, 1, 0]]], np.int8), np.zeros((1, 1, 3), np.int8)
    changes = {(1, 0): none, (2, 0): came, (2, 1): none}  # the middle one differs from neither
    evidence = [np.array([[[0.0, 0.0, 5.0]]]), np.array([[[1.0, 4.0, 5.0]]]), np.array([[[6.0, 6.0, 5.0]]])]
    whole = np.ones((1, 1, 3), bool)
    masks = [whole] * 3
    first, middle, last = follow_changes(masks, changes, [e.astype(np.float32) for e in evidence], [whole] * 3, *RULES)
    assert first.ravel().tolist() == [False, False, True]
    assert middle.ravel().tolist() == [False, True, True]
    assert last.ravel().tolist() == [True, True, True]


def test_what_grew_lies_between_the_two_borders_and_what_is_new_ends_with_the_difference():
    small, large, wide = R < 3, R < 6, R < 7
    evidence = [np.asarray(5 * mask, np.float32) for mask in (small, large)]
    seen = [EVERYWHERE] * 2
    came = {(1, 0): (wide & ~small).astype(np.int8)}
    before, after = follow_changes([small, large], came, evidence, seen, GRID, LesionSettings())
    assert np.array_equal(before, small)
    assert np.array_equal(after, large)
    nothing = np.zeros(SHAPE, bool)
    new = {(1, 0): wide.astype(np.int8)}
    before, after = follow_changes([nothing, small], new, evidence, seen, GRID, LesionSettings())
    assert not before.any()
    assert np.array_equal(after, wide)


def test_what_a_session_cannot_show_is_as_at_the_others():
    lesion, nothing = np.array([[[True, False]]]), np.array([[[False, False]]])
    blind = np.array([[[False, True]]])
    evidence = [np.zeros((1, 1, 2), np.float32)] * 2
    same = {(1, 0): np.zeros((1, 1, 2), np.int8)}
    masks = follow_changes([lesion, nothing], same, evidence, [np.ones_like(blind), blind], *RULES)
    assert np.array_equal(masks[0], masks[1])
    assert masks[0].ravel().tolist() == [True, False]


@settings(max_examples=40, deadline=None)
@given(arrays(np.int8, (3, 4, 4, 1), elements={"min_value": -1, "max_value": 1}), arrays(bool, (3, 4, 4, 1)))
def test_the_order_of_sessions_does_not_matter(signs, masks):
    evidence = [np.asarray(mask * (n + 1.5), np.float32) for n, mask in enumerate(masks)]
    inside = [np.ones((4, 4, 1), bool)] * 3
    pairs = [(1, 0), (2, 0), (2, 1)]
    forward = follow_changes(list(masks), dict(zip(pairs, signs, strict=True)), evidence, inside, *RULES)
    turned = {(2 - j, 2 - i): -sign for (i, j), sign in zip(pairs, signs, strict=True)}
    backward = follow_changes(list(masks[::-1]), turned, evidence[::-1], inside, *RULES)
    assert all(np.array_equal(a, b) for a, b in zip(forward, backward[::-1], strict=True))
