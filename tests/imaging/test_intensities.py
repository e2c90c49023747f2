from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage as ndi

from hlhneuro.imaging.intensities import harmonise, spatial_noise
from hlhneuro.settings import AlignSettings
from tests.imaging.conftest import EDGE, LESION_CENTRE_MM, TISSUES

SETTINGS = AlignSettings()
NOISE = 0.03


@pytest.fixture(scope="module")
def scene(anatomy):
    """One brain without noise, its mask, white matter, and a lesion ball of 12 mm."""
    grid, maps = anatomy
    white, grey, fluid, _ = (value / TISSUES["FLAIR"][0] for value in TISSUES["FLAIR"])
    truth = (white * maps["wm"] + grey * maps["gm"] + fluid * maps["csf"]).astype(np.float32)
    lesion = np.linalg.norm(grid.points_mm() - np.array(LESION_CENTRE_MM, dtype=np.float32), axis=-1) < 12
    return truth, maps["brain"] > 0.5, maps["wm"], lesion, grid.points_mm()


def scans(scene, seed=0):
    truth, mask, _, lesion, points = scene
    rng = np.random.default_rng(seed)
    first = truth + rng.normal(0, NOISE, truth.shape)
    second = truth + 0.8 * lesion + rng.normal(0, NOISE, truth.shape)
    first = first * 300 * np.exp(0.10 * points[..., 0] / 80)
    second = (second * 700 + 40) * np.exp(-0.10 * points[..., 0] / 80)
    return [image.astype(np.float32) for image in (first, second)], [mask, mask]


def test_gain_offset_and_field_are_removed_and_the_change_stays(scene):
    images, masks = scans(scene)
    (first, second), _, _ = harmonise(images, masks, scene[2], EDGE, SETTINGS)
    quiet = ndi.binary_erosion(scene[1], iterations=2) & ~ndi.binary_dilation(scene[3], iterations=2)
    difference = second - first
    assert abs(np.median(difference[quiet])) < 0.01
    smooth = ndi.gaussian_filter(np.where(quiet, difference, 0), 4) / np.maximum(
        ndi.gaussian_filter(quiet * 1.0, 4), 0.1
    )
    assert np.abs(smooth[quiet]).max() < 0.05
    inside = ndi.binary_erosion(scene[3] & scene[1])
    assert np.median(difference[inside]) == pytest.approx(0.8, rel=0.08)


def test_normal_white_matter_is_one(scene):
    images, masks = scans(scene)
    for image in harmonise(images, masks, scene[2], EDGE, SETTINGS)[0]:
        assert np.median(image[scene[1] & (scene[2] > 0.9) & ~scene[3]]) == pytest.approx(1.0, abs=0.03)


def test_noise_is_that_of_one_image(scene):
    images, masks = scans(scene)
    _, noise, _ = harmonise(images, masks, scene[2], EDGE, SETTINGS)
    assert noise == pytest.approx([NOISE, NOISE], rel=0.15)


def test_noise_of_three_sessions_is_told_apart(scene):
    rng = np.random.default_rng(3)
    sds = (0.02, 0.03, 0.06)
    images = [(scene[0] + rng.normal(0, sd, scene[0].shape)).astype(np.float32) for sd in sds]
    _, noise, _ = harmonise(images, [scene[1]] * 3, scene[2], EDGE, SETTINGS)
    assert noise == pytest.approx(sds, rel=0.15)


def test_the_order_of_sessions_does_not_matter(scene):
    images, masks = scans(scene)
    forward = harmonise(images, masks, scene[2], EDGE, SETTINGS)[0]
    backward = harmonise(images[::-1], masks, scene[2], EDGE, SETTINGS)[0][::-1]
    for a, b in zip(forward, backward, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


def test_a_quantitative_map_is_left_as_it_is(scene):
    images, masks = scans(scene)
    same, noise, records = harmonise(images, masks, scene[2], EDGE, SETTINGS, quantitative=True)
    np.testing.assert_array_equal(same[0], images[0])
    assert records == [{}, {}]
    assert noise[0] > 0


def test_spatial_noise_of_white_noise():
    image = np.random.default_rng(0).normal(1, 0.05, (40, 40, 40)).astype(np.float32)
    assert spatial_noise(image, np.ones(image.shape, dtype=bool)) == pytest.approx(0.05, rel=0.05)
