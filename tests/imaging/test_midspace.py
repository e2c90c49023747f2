from __future__ import annotations

import numpy as np
import pytest

from hlhneuro.imaging.midspace import largest_group, reconcile
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
    assert largest_group(4, links) == [0, 2, 3]
    assert set(reconcile([0, 2, 3], links)) == {0, 2, 3}
    assert largest_group(1, {}) == [0]
