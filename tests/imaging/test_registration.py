from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage as ndi

from hlhneuro.imaging.matching import judge, match_brains
from hlhneuro.imaging.registration import Match, isotropic_grid, mutual_information, register_rigid
from hlhneuro.imaging.resampling import resample
from hlhneuro.imaging.transforms import AffineTransform
from hlhneuro.imaging.volumes import Grid, Volume
from hlhneuro.settings import PrepareSettings
from tests.imaging.conftest import EDGE, rigid

MOTION = rigid((6, -4, 8), (9, -6, 7))


@pytest.fixture(scope="module")
def brain(anatomy):
    return anatomy[1]["brain"] > 0.5


def wide(mask):
    return ndi.distance_transform_edt(~mask) * EDGE < 16


def moved_brain(anatomy, motion):
    grid, maps = anatomy
    return resample(maps["brain"], grid, grid, motion.inverse(), "linear") > 0.5


def error_mm(found, true, anatomy, brain):
    points = AffineTransform(anatomy[0].affine).map(np.argwhere(brain)[::20])
    return np.linalg.norm(found.map(points) - true.map(points), axis=1).mean()


@pytest.mark.parametrize("contrast", ["FLAIR", "T1w"])
def test_a_known_motion_is_found_within_and_across_contrasts(head, anatomy, brain, contrast):
    fixed, moving = head("FLAIR"), head(contrast, MOTION, seed=1)
    match = register_rigid(fixed, moving, wide(brain), wide(moved_brain(anatomy, MOTION)))
    assert match.transform.is_rigid
    assert error_mm(match.transform.after(MOTION), AffineTransform.identity(), anatomy, brain) < 0.1 * EDGE
    assert match.inverse_consistency_mm < 0.1 * EDGE
    assert match.overlap > 0.97


def test_brains_far_apart_are_put_centre_on_centre_first(head, anatomy, brain):
    far = rigid((0, 0, 5), (70, 0, -20))
    moved = head("FLAIR", MOTION, seed=1)
    moving = Volume(moved.data, far.matrix @ moved.affine, "FLAIR")
    match = match_brains(head("FLAIR"), moving, brain, moved_brain(anatomy, MOTION), PrepareSettings())
    identity = AffineTransform.identity()
    assert error_mm(match.transform.after(far).after(MOTION), identity, anatomy, brain) < 0.1 * EDGE


def test_twice_the_same_bit_for_bit(head, anatomy, brain):
    fixed, moving = head("FLAIR"), head("T1w", MOTION, seed=1)
    first, second = (register_rigid(fixed, moving, wide(brain), wide(brain)).transform.matrix for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_images_of_unlike_things_are_refused_with_a_reason(head, brain):
    rng = np.random.default_rng(5)
    blobs = ndi.gaussian_filter(rng.normal(size=brain.shape), 3)
    other = Volume((blobs * 1e4 + rng.normal(0, 50, brain.shape) + 500).astype(np.float32), head("FLAIR").affine, "T1w")
    match = match_brains(head("FLAIR"), other, brain, brain, PrepareSettings())
    verdict = judge(match, "01 T1w", "01 FLAIR", PrepareSettings())
    assert not verdict.accepted
    assert "share too little" in verdict.reason


def test_a_verdict_names_every_reason():
    bad = Match(AffineTransform.identity(), 9.0, 1.0, 0.1)
    verdict = judge(bad, "a", "b", PrepareSettings())
    assert verdict.reason.count(";") == 2


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
