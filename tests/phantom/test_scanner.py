from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from hlhneuro.imaging.transforms import AffineTransform
from hlhneuro.imaging.volumes import Grid
from hlhneuro.phantom import scanner
from hlhneuro.phantom.scanner import Acquisition, acquire, rigid, sample, scanner_grid

SOURCE = Grid((60, 60, 60), np.array([[1.0, 0, 0, -30], [0, 1, 0, -30], [0, 0, 1, -30], [0, 0, 0, 1]]))
angles = st.floats(-20, 20)
shifts = st.floats(-6, 6)


@given(st.tuples(angles, angles, angles), st.tuples(shifts, shifts, shifts))
@settings(max_examples=30, deadline=None)
def test_rigid_turns_about_x_then_y_then_z_and_then_shifts(
    rotation: tuple[float, float, float], shift: tuple[float, float, float]
) -> None:
    point = np.array([3.0, -7.0, 11.0])
    expected = Rotation.from_euler("xyz", rotation, degrees=True).apply(point) + shift
    assert np.allclose(rigid(np.array(rotation), np.array(shift)).map(point), expected)


@given(st.tuples(angles, angles, angles), st.tuples(shifts, shifts, shifts), st.booleans())
@settings(max_examples=10, deadline=None)
def test_a_voxel_shows_the_place_that_the_transform_says(
    rotation: tuple[float, float, float], shift: tuple[float, float, float], thick: bool
) -> None:
    # The image is a linear function of place, so averaging over a voxel gives its value at the voxel's centre.
    slope = np.array([0.7, -1.1, 1.9])
    image = (SOURCE.points_mm() @ slope).astype(np.float32)
    pose = rigid(np.array(rotation), np.array(shift))
    target = scanner_grid(SOURCE, pose, (1.3, 1.3, 4.0) if thick else (1.5, 1.5, 1.5), -8.0, first_axis_to_left=True)
    drawn = sample(image, SOURCE, target, pose)
    points = pose.map(target.points_mm())
    inside = (np.abs(points + 0.5) < 20).all(axis=-1)
    assert inside.sum() > 100
    assert np.allclose(drawn[inside], points[inside] @ slope, atol=0.05)


def test_a_thick_slice_holds_the_share_of_what_lies_in_it() -> None:
    image = np.zeros(SOURCE.shape, dtype=np.float32)
    image[:, :, 31:] = 1.0  # everything above z = 0.5 mm
    target = Grid((10, 10, 3), np.array([[1.0, 0, 0, -5], [0, 1, 0, -5], [0, 0, 4, -4], [0, 0, 0, 1]]))
    drawn = sample(image, SOURCE, target, AffineTransform(np.eye(4)))
    # Slices of 4 mm around z = -4, 0 and 4; the middle one reaches from -2 to 2, so 1.5 of its 4 mm are filled.
    assert drawn.mean(axis=(0, 1)) == pytest.approx([0.0, 0.375, 1.0], abs=0.05)


def test_the_grid_covers_the_head_where_it_lies() -> None:
    pose = rigid(np.array([4.0, -3.0, 5.0]), np.array([12.0, -8.0, 6.0]))
    grid = scanner_grid(SOURCE, pose, (1.2, 1.2, 4.0), -8.0, first_axis_to_left=True)
    centre = pose.inverse().map([-0.5, -0.5, -0.5])
    index = np.linalg.inv(grid.affine) @ [*centre, 1.0]
    assert np.abs(index[:3] - (np.array(grid.shape) - 1) / 2).max() < 1.0
    assert grid.voxel_size_mm == pytest.approx((1.2, 1.2, 4.0))
    assert np.linalg.det(grid.affine[:3, :3]) < 0  # stored right to left


def test_noise_is_rician_of_the_stated_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scanner, "BIAS_SD", {1.5: 0.0})
    image = np.zeros(SOURCE.shape, dtype=np.float32)
    image[30:] = 1.0
    how = Acquisition(SOURCE, AffineTransform(np.eye(4)), 1.5, 40.0, (1, 2))
    data = acquire(image, SOURCE, how, white_matter_signal=1.0).astype(float)
    tissue, background, sigma = data[35:], data[:25], scanner.NOISE_UNITS
    # Integers add a twelfth to the variance. High signal: Gaussian; no signal: Rayleigh.
    assert tissue.std() == pytest.approx(np.sqrt(sigma**2 + 1 / 12), rel=0.02)
    assert tissue.mean() == pytest.approx(40.0 * sigma + sigma / 80.0, abs=0.05)
    assert background.mean() == pytest.approx(sigma * np.sqrt(np.pi / 2), rel=0.02)


def test_the_same_seed_gives_the_same_noise_and_another_seed_does_not() -> None:
    image = np.ones(SOURCE.shape, dtype=np.float32)
    first, again, other = (
        acquire(image, SOURCE, Acquisition(SOURCE, AffineTransform(np.eye(4)), 3.0, 40.0, seed), 1.0)
        for seed in ((1, 2), (1, 2), (1, 3))
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
