from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from hlhneuro.errors import InputError
from hlhneuro.imaging.transforms import (
    AffineTransform,
    DisplacementTransform,
    load_itk,
    load_transform,
    mean_rigid,
    save_itk,
    save_transform,
)
from hlhneuro.imaging.volumes import Grid

numbers = st.floats(-1, 1, allow_nan=False)
rigids = st.tuples(*[numbers] * 6).map(lambda n: make_rigid(np.array(n[:3]) * 0.8, np.array(n[3:]) * 60))
POINTS = np.random.default_rng(0).normal(0, 60, (20, 3))


def make_rigid(rotation_vector, shift):
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_rotvec(rotation_vector).as_matrix()
    matrix[:3, 3] = shift
    return AffineTransform(matrix)


@given(rigids, rigids)
def test_inverse_and_composition(a, b):
    np.testing.assert_allclose(a.inverse().map(a.map(POINTS)), POINTS, atol=1e-9)
    np.testing.assert_allclose(a.after(b).map(POINTS), a.map(b.map(POINTS)), atol=1e-9)
    assert a.after(b).is_rigid


@given(rigids)
def test_twice_the_square_root_is_the_whole(a):
    half = a.power(0.5)
    assert half.is_rigid
    np.testing.assert_allclose(half.after(half).map(POINTS), a.map(POINTS), atol=1e-8)


@settings(max_examples=25, deadline=None)
@given(st.lists(rigids, min_size=1, max_size=4), rigids, rigids)
def test_the_mean_moves_with_its_members_and_has_no_order(members, left, right):
    mean = mean_rigid(members)
    np.testing.assert_allclose(mean_rigid(members[::-1]).matrix, mean.matrix, atol=1e-9)
    moved = mean_rigid([left.after(t).after(right) for t in members])
    np.testing.assert_allclose(moved.matrix, left.after(mean).after(right).matrix, atol=1e-6)


def test_the_mean_of_opposite_turns_is_none():
    a = make_rigid([0, 0, 0.4], [0, 0, 0])
    np.testing.assert_allclose(mean_rigid([a, a.inverse()]).matrix, np.eye(4), atol=1e-12)


def test_a_scaling_or_a_mirror_is_not_rigid():
    assert not AffineTransform(np.diag([1.01, 1, 1, 1])).is_rigid
    assert not AffineTransform(np.diag([-1.0, 1, 1, 1])).is_rigid


def test_itk_reads_the_text_as_the_same_map_in_its_own_axes(tmp_path):
    transform = make_rigid([0.1, -0.2, 0.3], [5, -7, 11])
    save_itk(transform, tmp_path / "a.txt")
    other = sitk.ReadTransform(str(tmp_path / "a.txt"))
    flip = np.array([-1, -1, 1])
    for point in POINTS[:3]:
        np.testing.assert_allclose(np.array(other.TransformPoint((point * flip).tolist())) * flip, transform.map(point))
    np.testing.assert_allclose(load_itk(tmp_path / "a.txt").matrix, transform.matrix, atol=1e-14)


def test_a_centre_of_rotation_written_by_itk_is_understood(tmp_path):
    written = sitk.AffineTransform(3)
    written.Rotate(0, 1, 0.3)
    written.SetCenter((10, 20, 30))
    written.SetTranslation((1, 2, 3))
    sitk.WriteTransform(written, str(tmp_path / "a.txt"))
    flip = np.array([-1, -1, 1])
    want = np.array(written.TransformPoint((4.0, 5.0, 6.0))) * flip
    np.testing.assert_allclose(load_itk(tmp_path / "a.txt").map(np.array([4, 5, 6]) * flip), want)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Transform: BSplineTransform_double_3_3\nParameters: 1\nFixedParameters: 0 0 0\n",
        "Transform: AffineTransform_double_3_3\nParameters: 1 0 0\nFixedParameters: 0 0 0\n",
        "Transform: AffineTransform_double_3_3\nParameters: a b c\nFixedParameters: 0 0 0\n",
    ],
)
def test_a_file_that_is_no_linear_transform_is_named(tmp_path, text):
    (tmp_path / "bad.txt").write_text(text)
    with pytest.raises(InputError, match=r"bad\.txt"):
        load_itk(tmp_path / "bad.txt")


def deformation():
    grid = Grid((6, 7, 8), np.diag([4.0, 4, 4, 1]))
    field = np.random.default_rng(1).normal(0, 2, (*grid.shape, 3)).astype(np.float32)
    return DisplacementTransform(field, grid, make_rigid([0.1, 0, 0], [1, 2, 3]))


def test_a_deformation_is_exact_at_its_own_voxels():
    transform = deformation()
    want = transform.affine.map(np.array([8.0, 12, 16]) + transform.displacement_mm[2, 3, 4])
    np.testing.assert_allclose(transform.map([8.0, 12, 16]), want, atol=1e-5)


@pytest.mark.parametrize("transform", [make_rigid([0.1, 0.2, 0.3], [1, 2, 3]), deformation()])
def test_any_transform_is_written_and_read_back(tmp_path, transform):
    for path in save_transform(transform, tmp_path / "xfm"):
        assert path.exists()
    again = load_transform(tmp_path / "xfm")
    points = np.random.default_rng(2).uniform(0, 24, (50, 3))
    np.testing.assert_allclose(again.map(points), transform.map(points), atol=1e-5)
