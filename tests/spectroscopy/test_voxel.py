from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hlhneuro.imaging.transforms import AffineTransform
from hlhneuro.imaging.volumes import Grid
from hlhneuro.spectroscopy import overlap, place_voxel

GRID = Grid((40, 50, 45), np.array([[1.0, 0, 0, -20], [0, 1, 0, -25], [0, 0, 1, -22], [0, 0, 0, 1]]))
STAY = AffineTransform(np.eye(4))


def box(size, centre=(0.0, 0.0, 0.0), rotation=None):
    affine = np.eye(4)
    affine[:3, :3] = (np.eye(3) if rotation is None else rotation) @ np.diag(size)
    affine[:3, 3] = centre
    return affine


def turned(angle, axis=2):
    c, s = np.cos(angle), np.sin(angle)
    a, b = [i for i in range(3) if i != axis]
    rotation = np.eye(3)
    rotation[a, a], rotation[a, b], rotation[b, a], rotation[b, b] = c, -s, s, c
    return rotation


def halves():
    """Grey matter to the left of x = 0 mm, white matter to the right."""
    x = GRID.points_mm()[..., 0]
    gm = (x < 0).astype(np.float32)
    return {"gm": gm, "wm": 1 - gm, "csf": np.zeros(GRID.shape, dtype=np.float32)}


def test_an_upright_box_holds_what_lies_in_it():
    # 20 mm wide about x = 4.5: from -5.5 to 14.5, where voxels 'left of 0' end at -0.5.
    found = place_voxel(box((20, 10, 10), (4.5, 0, 0)), STAY, GRID, halves(), np.zeros(GRID.shape, dtype=bool))
    assert found.volume_ml == pytest.approx(2.0)
    assert found.gm == pytest.approx(5 / 20, abs=1e-3)
    assert found.wm == pytest.approx(15 / 20, abs=1e-3)
    assert found.lesion == 0.0
    assert found.inside_fraction == 1.0
    assert found.reason == ""


@settings(max_examples=15, deadline=None)
@given(st.floats(0.15, 1.4), st.integers(0, 2), st.floats(0.2, 0.4))
def test_a_turned_box_keeps_its_volume(angle, axis, shift):
    found = place_voxel(box((14, 11, 9), (shift, 1.3, -0.4), turned(angle, axis)), STAY, GRID)
    assert found.mask.sum() / 1000 == pytest.approx(found.volume_ml, rel=0.08)
    assert found.gm is None
    assert "no tissue maps" in found.reason


def test_the_box_moves_with_the_head():
    move = np.eye(4)
    move[:3, 3] = (5.0, -7.0, 3.0)
    moved = place_voxel(box((10, 10, 10)), AffineTransform(move), GRID)
    direct = place_voxel(box((10, 10, 10), (5, -7, 3)), STAY, GRID)
    np.testing.assert_array_equal(moved.mask, direct.mask)


def test_fractions_with_a_lesion_sum_to_one():
    lesion = np.zeros(GRID.shape, dtype=bool)
    lesion[20:24, :, :] = True
    found = place_voxel(box((20, 10, 10), (-0.5, 0, 0)), STAY, GRID, halves(), lesion)
    assert found.gm + found.wm + found.csf + found.lesion == pytest.approx(1.0)
    assert found.lesion > 0.1


@pytest.mark.parametrize("tissue", [None, halves()])
def test_a_box_outside_the_images_says_so(tissue):
    found = place_voxel(box((10, 10, 10), (200, 0, 0)), STAY, GRID, tissue, np.zeros(GRID.shape, dtype=bool))
    assert found.inside_fraction == 0.0
    assert not found.mask.any()
    assert "outside" in found.reason
    assert found.gm is None


def test_half_a_box_outside():
    found = place_voxel(box((10, 10, 10), (-20.5, 0, 0)), STAY, GRID)
    assert found.inside_fraction == pytest.approx(0.5, abs=0.03)


def test_overlap_of_shifted_boxes():
    first = place_voxel(box((10, 10, 10), (0.5, 0.5, 0.5)), STAY, GRID)
    second = place_voxel(box((10, 10, 10), (5.5, 0.5, 0.5)), STAY, GRID)
    far = place_voxel(box((10, 10, 10), (200, 0, 0)), STAY, GRID)
    assert overlap(first, first) == 1.0
    assert overlap(first, second) == pytest.approx(0.5, abs=0.05)
    assert overlap(far, far) == 0.0
