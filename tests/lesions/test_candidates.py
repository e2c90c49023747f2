"""Regions beyond noise, how high chance lets them rise, and how many are taken."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlhneuro.lesions.candidates import NullHeights, candidates, highest_chance, touching
from hlhneuro.settings import LesionSettings

SETTINGS = LesionSettings()
RNG = np.random.default_rng(5)


def test_each_region_has_the_height_of_its_highest_voxel():
    values = np.zeros((6, 6, 6), np.float32)
    values[1, 1, 1], values[1, 2, 2], values[4, 4, 4] = 3, 5, 4
    found = candidates(values > 2, values)
    assert sorted(found.heights) == [4, 5]  # corners touch
    assert touching(found.where, found.tops(4.5)).sum() == 2
    assert not found.tops(5).any()


def test_the_chance_of_a_height_is_learnt_and_true_changes_among_the_null_hardly_move_it():
    null = 2 + RNG.exponential(0.4, 600)
    clean = NullHeights.of(null, 2.0, SETTINGS)
    spoilt = NullHeights.of(np.concatenate([null, np.full(12, 20.0)]), 2.0, SETTINGS)
    height = 2 + 0.4 * np.log(1000)  # one in a thousand
    assert clean.chance(np.array([height]))[0] == pytest.approx(1e-3, rel=0.7)
    assert spoilt.chance(np.array([height]))[0] < 4e-3
    assert clean.height(1e-3) == pytest.approx(height, rel=0.1)


def test_too_few_to_learn_from_leaves_theory():
    tail = NullHeights.of(np.array([2.5, 9.0]), 2.0, SETTINGS)
    assert tail.chance(np.array([2.0, 4.0])) == pytest.approx([1, np.exp(-4)])


def test_a_lone_candidate_is_held_to_the_family_wise_error_and_true_ones_make_room_for_others():
    noise = np.linspace(0.02, 1, 99)
    alone = highest_chance([np.append(noise, 0.001)], 0.05)
    assert alone == pytest.approx(0.05 / 100)
    together = highest_chance([np.append(noise, np.full(19, 1e-6)), np.array([0.001])], 0.05)
    assert together > 0.001


def test_without_lesions_something_is_taken_as_often_as_was_allowed():
    taken = [(p := RNG.random(200)).min() <= highest_chance([p], 0.05) for _ in range(600)]
    assert np.mean(taken) == pytest.approx(0.05, abs=0.03)


@given(st.lists(st.floats(0, 1), max_size=30), st.floats(0.01, 0.2))
def test_order_and_grouping_of_candidates_do_not_matter(chances, rate):
    values = np.array(chances)
    cut = len(values) // 2
    assert highest_chance([values], rate) == highest_chance([values[cut:][::-1], values[:cut]], rate)
