from __future__ import annotations

import numpy as np
import pytest

from hlhneuro.imaging.resampling import coverage, resample, resample_labels, resample_mask
from hlhneuro.imaging.transforms import AffineTransform, DisplacementTransform
from hlhneuro.imaging.volumes import Grid
from tests.imaging.conftest import rigid

IDENTITY = AffineTransform.identity()


def cube(n=24, edge=1.0):
    return Grid((n, n, n), np.diag([edge, edge, edge, 1.0]))


def test_a_linear_ramp_is_carried_exactly_by_any_rigid_transform():
    source, target = cube(40), cube(16)
    data = (source.points_mm() @ np.array([1.0, -2.0, 0.5]) + 7).astype(np.float32)
    transform = rigid((10, -5, 20), (12, 11, 10))
    want = transform.map(target.points_mm()) @ np.array([1.0, -2.0, 0.5]) + 7
    for kind in ("linear", "cubic"):
        got = resample(data, source, target, transform, kind)
        seen = coverage(source, target, transform)
        inner = seen & (np.abs(got) > 0)
        deep = np.all((transform.map(target.points_mm()) > 6) & (transform.map(target.points_mm()) < 33), axis=-1)
        assert deep.sum() > 500
        np.testing.assert_allclose(got[inner & deep], want[inner & deep], atol=0.02)


def test_cubic_returns_the_data_on_its_own_grid():
    data = np.random.default_rng(0).normal(size=(24, 24, 24)).astype(np.float32)
    np.testing.assert_allclose(resample(data, cube(), cube(), IDENTITY, "cubic"), data, atol=1e-4)


def test_cubic_does_not_ring_beyond_the_range_of_the_image():
    data = np.zeros((24, 24, 24), dtype=np.float32)
    data[8:16, 8:16, 8:16] = 100
    got = resample(data, cube(), cube(), AffineTransform.translation((0.4, 0.3, 0.2)), "cubic")
    assert got.min() >= 0
    assert got.max() <= 100


def test_coverage_is_the_field_of_view_to_its_outer_edge():
    seen = coverage(cube(10), cube(20), AffineTransform.translation((-5, 0, 0)))
    assert seen[5:15, :10, :10].all()
    assert seen.sum() == 10**3


def test_a_checkerboard_is_averaged_when_shrunk_and_not_aliased():
    index = np.indices((32, 32, 32)).sum(axis=0)
    data = (index % 2).astype(np.float32)
    got = resample(data, cube(32), cube(8, 4.0), AffineTransform.translation((1, 1, 1)), "cubic")
    np.testing.assert_allclose(got[1:-1, 1:-1, 1:-1], 0.5, atol=0.02)


def test_the_volume_of_a_ball_survives_thick_slices_and_back():
    fine, thick = cube(48), Grid((48, 48, 12), np.diag([1.0, 1, 4, 1]))
    ball = np.linalg.norm(fine.points_mm() - 23.5, axis=-1) < 15
    there = resample_mask(ball, fine, thick, AffineTransform.translation((0.3, 0.2, 1.3)))
    assert there.sum() * 4 == pytest.approx(ball.sum(), rel=0.03)


def test_labels_are_kept_apart_and_none_is_made_up():
    labels = np.zeros((24, 24, 24), dtype=np.int16)
    labels[4:12, 4:20, 4:20], labels[12:20, 4:20, 4:20] = 1, 5
    got = resample_labels(labels, cube(), cube(), AffineTransform.translation((0.3, 0, 0)))
    assert set(np.unique(got)) == {0, 1, 5}
    np.testing.assert_array_equal(resample_labels(labels, cube(), cube(), IDENTITY), labels)
    assert got.dtype == labels.dtype


def test_a_deformation_without_displacement_is_its_affine():
    data = np.random.default_rng(0).normal(size=(24, 24, 24)).astype(np.float32)
    affine = rigid((5, 0, 0), (1, 2, 3))
    still = DisplacementTransform(np.zeros((24, 24, 24, 3), dtype=np.float32), cube(), affine)
    np.testing.assert_allclose(
        resample(data, cube(), cube(), still, "cubic"), resample(data, cube(), cube(), affine, "cubic"), atol=1e-4
    )
    np.testing.assert_array_equal(coverage(cube(), cube(), still), coverage(cube(), cube(), affine))
