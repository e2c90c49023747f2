from __future__ import annotations

import numpy as np
import pytest

from hlhneuro.imaging.registration import isotropic_grid, mutual_information, register_rigid
from hlhneuro.imaging.resampling import resample
from hlhneuro.imaging.transforms import AffineTransform
from hlhneuro.imaging.volumes import Grid
from tests.imaging.conftest import rigid

MOTION = rigid((6, -4, 8), (9, -6, 7))


@pytest.fixture(scope="module")
def brain(anatomy):
    return anatomy[1]["brain"] > 0.5


def moved_brain(anatomy, motion):
    grid, maps = anatomy
    return resample(maps["brain"], grid, grid, motion.inverse(), "linear") > 0.5


def error_mm(found, true, anatomy, brain):
    points = AffineTransform(anatomy[0].affine).map(np.argwhere(brain)[::20])
    return np.linalg.norm(found.map(points) - true.map(points), axis=1).mean()


@pytest.mark.parametrize(("contrast", "largest_mm"), [("FLAIR", 0.05), ("T1w", 0.1)])
def test_a_known_motion_is_found_and_exchanged_images_give_the_inverse(head, anatomy, brain, contrast, largest_mm):
    fixed, moving, there = head("FLAIR"), head(contrast, MOTION, seed=1), moved_brain(anatomy, MOTION)
    match, back = register_rigid(fixed, moving, brain, there), register_rigid(moving, fixed, there, brain)
    identity = AffineTransform.identity()
    assert match.transform.is_rigid
    assert error_mm(match.transform.after(MOTION), identity, anatomy, brain) < largest_mm
    assert error_mm(match.transform.after(back.transform), identity, anatomy, brain) < 1e-6
    assert (match.similarity, match.detail) == (back.similarity, back.detail)
    assert match.overlap > 0.95


def test_a_lesion_that_came_does_not_pull(head, anatomy, brain):
    fixed, moving = head("FLAIR"), head("FLAIR", MOTION, seed=1, lesion_mm=18)
    match = register_rigid(fixed, moving, brain, moved_brain(anatomy, MOTION))
    assert error_mm(match.transform.after(MOTION), AffineTransform.identity(), anatomy, brain) < 0.05


def test_mutual_information_of_the_same_and_of_unrelated_values():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=200_000), rng.normal(size=200_000)
    assert mutual_information(a, a) == pytest.approx(2.0)
    assert mutual_information(a, -3 * a + 1) == pytest.approx(2.0, abs=1e-6)
    assert mutual_information(a, b) < 1.001


def test_the_isotropic_grid_holds_the_image_and_lies_on_a_lattice():
    affine = np.array([[-0.7, 0, 0, 33.1], [0, 0.7, 0.1, -20.2], [0, 0.05, 4, 5.3], [0, 0, 0, 1]])
    source = Grid((40, 50, 10), affine)
    grid = isotropic_grid(source, 2.0)
    low, high = grid.affine[:3, 3], grid.affine[:3, 3] + 2.0 * (np.array(grid.shape) - 1)
    points = source.points_mm()
    assert (points >= low - 1e-4).all()
    assert (points <= high + 1e-4).all()
    np.testing.assert_allclose(low / 2.0, np.round(low / 2.0))
