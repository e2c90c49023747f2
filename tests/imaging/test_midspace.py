from __future__ import annotations

import numpy as np
import pytest

from hlhneuro.imaging.midspace import largest_group, pairs_to_match, reconcile
from hlhneuro.imaging.transforms import AffineTransform, mean_rigid
from tests.imaging.conftest import rigid

PLACES = [
    rigid((3, 1, -2), (4, 0, 1)),
    rigid((-2, 4, 0), (0, 6, 2)),
    rigid((1, -3, 5), (-5, 2, 8)),
    rigid((0, 2, 2), (1, 1, 1)),
]


def links_between(places):
    n = len(places)
    return {(i, j): places[j].inverse().after(places[i]) for i in range(n) for j in range(i + 1, n)}


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_consistent_links_put_every_session_where_it_was(count):
    found = reconcile(list(range(count)), links_between(PLACES[:count]))
    for i, j in links_between(PLACES[:count]):
        want = links_between(PLACES[:count])[i, j]
        np.testing.assert_allclose(found[j].inverse().after(found[i]).matrix, want.matrix, atol=1e-9)
    np.testing.assert_allclose(mean_rigid(list(found.values())).matrix, np.eye(4), atol=1e-9)


def test_two_sessions_meet_half_way():
    motion = rigid((8, 0, 4), (10, 2, 0))
    found = reconcile([0, 1], {(0, 1): motion})
    np.testing.assert_allclose(found[0].matrix, motion.power(0.5).matrix, atol=1e-9)
    np.testing.assert_allclose(found[1].matrix, motion.inverse().power(0.5).matrix, atol=1e-9)


def test_which_session_is_listed_first_does_not_matter_even_where_links_disagree():
    links = links_between(PLACES)
    links[0, 2] = rigid((0.3, 0, 0), (0.4, 0, 0)).after(links[0, 2])
    forward = reconcile([0, 1, 2, 3], links)
    turned = {(3 - i, 3 - j): link for (i, j), link in links.items()}
    backward = reconcile([0, 1, 2, 3], turned)
    for n in range(4):
        np.testing.assert_allclose(forward[n].matrix, backward[3 - n].matrix, atol=1e-6)


def test_a_session_without_links_is_left_out():
    links = {(0, 2): AffineTransform.identity(), (2, 3): AffineTransform.identity()}
    assert largest_group([1] * 4, links) == [0, 2, 3]
    assert set(reconcile([0, 2, 3], links)) == {0, 2, 3}
    assert largest_group([3], {}) == [0]
    assert largest_group([1, 3], {}) == [1]


def test_the_work_grows_with_the_number_of_sessions():
    assert pairs_to_match(1, 2) == []
    assert pairs_to_match(2, 2) == [(0, 1)]
    for count in range(2, 6):
        assert len(pairs_to_match(count, 2)) == count * (count - 1) // 2
    assert [len(pairs_to_match(count, 2)) for count in (6, 12, 24)] == [12, 24, 48]


def test_errors_of_single_links_are_shared_out():
    """Twelve sessions in a ring, each link wrong by its own small motion: places are better than a chain of links."""
    rng = np.random.default_rng(3)
    truth = [rigid(tuple(rng.uniform(-8, 8, 3)), tuple(rng.uniform(-10, 10, 3))) for _ in range(12)]
    pairs = pairs_to_match(12, 2)
    links = {}
    for i, j in pairs:
        error = rigid(tuple(rng.normal(0, 0.1, 3)), tuple(rng.normal(0, 0.1, 3)))
        links[i, j] = error.after(truth[j].inverse().after(truth[i]))
    found = reconcile(list(range(12)), links)
    points = rng.uniform(-70, 70, (200, 3))

    def gap(i, j, between):
        return np.linalg.norm(between.map(points) - truth[j].inverse().after(truth[i]).map(points), axis=1).mean()

    far = [(i, j) for i in range(12) for j in range(i) if 5 <= i - j <= 7]
    chains = []
    for i, j in far:
        chain = AffineTransform.identity()
        for n in range(i, j, -1):
            chain = links[n - 1, n].inverse().after(chain)
        chains.append(gap(i, j, chain))
    assert np.mean([gap(i, j, found[j].inverse().after(found[i])) for i, j in far]) < 0.6 * np.mean(chains)


def test_where_links_disagree_a_session_lies_at_the_mean_of_what_its_partners_say():
    links = links_between(PLACES)
    links[1, 3] = rigid((0.5, 0, 0), (1, 0, 0)).after(links[1, 3])
    found = reconcile([0, 1, 2, 3], links)
    both = links | {(j, i): link.inverse() for (i, j), link in links.items()}
    for i in range(4):
        said = mean_rigid([found[j].after(both[i, j]) for j in range(4) if j != i])
        np.testing.assert_allclose(said.matrix, found[i].matrix, atol=1e-6)
