from __future__ import annotations

import json
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hlhneuro.imaging.transforms import AffineTransform
from hlhneuro.imaging.volumes import Grid
from hlhneuro.settings import SpectraSettings
from hlhneuro.spectroscopy import VoxelComposition, overlap, place_voxel
from hlhneuro.spectroscopy.voxel import chemical_shift_mm, mirror_overlap

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


def test_fractions_are_as_uncertain_as_the_place_of_the_box():
    # Half in grey, half in white matter: a millimetre along x moves a twentieth of 20 mm from one to the other.
    place = partial(place_voxel, to_subject=STAY, grid=GRID, tissue=halves(), lesion=np.zeros(GRID.shape, dtype=bool))
    found = place(box((20, 10, 10), (-0.5, 0, 0)))
    assert found.gm_sd == pytest.approx(1 / 20, rel=0.02)
    assert found.wm_sd == pytest.approx(1 / 20, rel=0.02)
    assert found.csf_sd == found.lesion_sd == 0.0
    assert place(box((10, 10, 10), (-12, 0, 0))).gm_sd == 0.0  # far from any border nothing changes


def test_a_narrow_pulse_sets_the_boxes_of_signals_apart():
    slow = replace(SpectraSettings(), refocusing_bandwidth_hz=1200.0)
    place = partial(place_voxel, to_subject=STAY, grid=GRID, tissue=halves(), lesion=np.zeros(GRID.shape, dtype=bool))
    affine = box((20, 10, 10), (-0.5, 0, 0))
    found, plain = place(affine, frequency_mhz=123.2, settings=slow), place(affine, frequency_mhz=123.2)
    assert found.displacement_mm_per_ppm == pytest.approx((20 * 123.2 / 1200, 10 * 123.2 / 1200, 10 * 123.2 / 1200))
    assert plain.displacement_mm_per_ppm is None
    # NAA is selected 5.4 mm from where water is: over a quarter of the edge.
    assert found.gm_sd == pytest.approx(np.hypot(1.0, 2.64 * 20 * 123.2 / 1200) / 20, rel=0.02)
    assert plain.gm_sd == pytest.approx(1 / 20, rel=0.02)


def test_undecided_maps_make_fractions_uncertain():
    undecided = {"gm": np.full(GRID.shape, 0.6, np.float32), "wm": np.full(GRID.shape, 0.4, np.float32)}
    undecided["csf"] = np.zeros(GRID.shape, np.float32)
    lesion = np.zeros(GRID.shape, dtype=bool)
    found = place_voxel(box((10, 10, 10)), STAY, GRID, undecided, lesion, lesion_probability=np.where(lesion, 1, 0.2))
    assert found.gm == pytest.approx(0.6)
    assert found.gm_sd == pytest.approx(0.4)  # likeliest: all grey
    assert found.csf_sd == 0.0
    assert found.lesion_sd == pytest.approx(0.2)


def test_a_lesion_counts_with_its_whole_volume_where_tissue_maps_do_not_leave_it_out():
    lesion = np.zeros(GRID.shape, dtype=bool)
    lesion[20:] = True  # x from -0.5 mm on
    found = place_voxel(box((20, 10, 10), (-0.5, 0, 0)), STAY, GRID, halves(), lesion)
    assert found.lesion == pytest.approx(0.5, abs=1e-6)
    assert found.gm + found.wm + found.csf == pytest.approx(0.5)


def test_territories_of_a_voxel():
    labels = np.where(GRID.points_mm()[..., 0] < 0, 71, 72)
    names = {71: "left thalamus", 72: "right thalamus"}
    found = place_voxel(box((20, 10, 10), (4.5, 0, 0)), STAY, GRID, territories=(labels, names))
    assert found.territories == pytest.approx({"left thalamus": 0.25, "right thalamus": 0.75}, abs=1e-3)
    assert found.both_sides() == pytest.approx({"thalamus": 1.0})


@settings(max_examples=20, deadline=None)
@given(st.floats(-0.3, 0.3), st.floats(0.8, 1.2), st.floats(4.0, 9.0), st.integers(0, 2))
def test_the_mirror_of_a_voxel_overlaps_it_wholly_and_a_shifted_one_less(angle, scale, off, axis):
    # A head that is turned and scaled against the template; its mirror plane goes with it.
    head = AffineTransform(box((scale,) * 3, (1.0, 2.0, 3.0), turned(angle, 1)))
    here = np.array([off, 4.0, -2.0])
    subject = head.inverse()
    own = subject.matrix @ box((10, 12, 8), here)
    mirror = subject.matrix @ box((10, 12, 8), here * [-1, 1, 1])
    step = np.zeros(3)
    step[axis] = 0.25 * (10, 12, 8)[axis]
    near = subject.matrix @ box((10, 12, 8), here * [-1, 1, 1] + step)
    first, second, third = (place_voxel(affine, STAY, GRID, to_template=head) for affine in (own, mirror, near))
    assert mirror_overlap(first, second) == pytest.approx(1.0, abs=0.02)
    assert mirror_overlap(second, first) == pytest.approx(1.0, abs=0.02)
    assert mirror_overlap(first, third) == pytest.approx(0.75, abs=0.05)
    assert overlap(first, second) < 1.0
    assert mirror_overlap(first, place_voxel(box((10, 10, 10), (200, 0, 0)), STAY, GRID)) == 0.0


def test_without_a_template_there_is_no_mirror():
    found = place_voxel(box((10, 10, 10)), STAY, GRID)
    assert mirror_overlap(found, found) is None


def test_boxes_of_lactate_and_naa_lie_apart():
    # 0.70 ppm are 86 Hz at 3 T; of a pulse of 1.2 kHz that is a fourteenth of the edge.
    assert chemical_shift_mm(20.0, 2.01 - 1.31, 123.2, 1200.0) == pytest.approx(20 * 86.24 / 1200)


def test_a_voxel_survives_json():
    slow = replace(SpectraSettings(), refocusing_bandwidth_hz=1200.0)
    to_template = AffineTransform(np.eye(4))
    found = place_voxel(box((10, 10, 10)), STAY, GRID, to_template=to_template, frequency_mhz=64.0, settings=slow)
    fields = {name: value for name, value in vars(found).items() if name != "mask"}
    again = VoxelComposition(mask=found.mask, **json.loads(json.dumps(fields)))
    assert again.box == found.box
    assert again.midplane == found.midplane
    assert again.displacement_mm_per_ppm == found.displacement_mm_per_ppm
