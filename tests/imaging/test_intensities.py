from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
from scipy import ndimage as ndi

from hlhneuro.imaging.intensities import harmonise, spatial_noise
from hlhneuro.settings import AlignSettings
from tests.imaging.conftest import EDGE, LESION_CENTRE_MM, TISSUES

SETTINGS = AlignSettings()
NOISE = 0.03
RISE = 0.8


class Scene(NamedTuple):
    """One brain without noise, and what is known of it."""

    truth: np.ndarray
    brain: np.ndarray
    white: np.ndarray
    x_mm: np.ndarray
    from_lesion_mm: np.ndarray

    def lesion(self, share: float) -> np.ndarray:
        """Return the white matter nearest to the lesion's centre, as much of it as asked for."""
        inside = self.white > 0.5
        reach = np.quantile(self.from_lesion_mm[inside], share)
        return inside & (self.from_lesion_mm <= reach)

    def scan(self, seed: int, noise: float = NOISE, changed: np.ndarray | None = None) -> np.ndarray:
        rise = 0 if changed is None else RISE * changed
        return (self.truth + rise + np.random.default_rng(seed).normal(0, noise, self.truth.shape)).astype(np.float32)

    def quiet(self, lesion: np.ndarray) -> np.ndarray:
        return ndi.binary_erosion(self.brain, iterations=2) & ~ndi.binary_dilation(lesion, iterations=2)

    def harmonised(self, images, **options):
        masks = options.pop("masks", [self.brain] * len(images))
        return harmonise(images, masks, self.white, EDGE, SETTINGS, **options)


@pytest.fixture(scope="module")
def scene(anatomy) -> Scene:
    grid, maps = anatomy
    white, grey, fluid, _ = (value / TISSUES["FLAIR"][0] for value in TISSUES["FLAIR"])
    brain = maps["brain"] > 0.5
    box = ndi.find_objects(ndi.binary_dilation(brain, iterations=2).astype(int))[0]
    truth = (white * maps["wm"] + grey * maps["gm"] + fluid * maps["csf"]).astype(np.float32)
    points = grid.points_mm()[box]
    away = np.linalg.norm(points - np.array(LESION_CENTRE_MM, dtype=np.float32), axis=-1)
    return Scene(truth[box], brain[box], maps["wm"][box], points[..., 0], away)


def two_scanners(scene: Scene, lesion: np.ndarray) -> list[np.ndarray]:
    """One scan before and one after the lesion, with unlike gains, offsets and receive fields."""
    field = np.exp(0.10 * scene.x_mm / 80).astype(np.float32)
    return [(scene.scan(0) * 300 + 10) * field, (scene.scan(1, changed=lesion) * 700 + 23) / field]


@pytest.mark.parametrize("share", [0.01, 0.4])
def test_gain_offset_and_field_are_removed_and_the_change_stays(scene, share):
    lesion = scene.lesion(share)
    (first, second), noise, _ = scene.harmonised(two_scanners(scene, lesion))
    quiet, difference = scene.quiet(lesion), second - first
    assert abs(np.median(difference[quiet])) < 0.1 * NOISE
    smooth = ndi.gaussian_filter(np.where(quiet, difference, 0), 4) / np.maximum(
        ndi.gaussian_filter(quiet * 1.0, 4), 0.1
    )
    assert np.abs(smooth[quiet]).max() < 0.05
    inside = ndi.binary_erosion(lesion)
    assert np.median(difference[inside]) == pytest.approx(RISE * 310 / 320, rel=0.08)
    assert noise == pytest.approx([NOISE, NOISE], rel=0.1)
    for image in (first, second):
        assert np.median(image[quiet & (scene.white > 0.9)]) == pytest.approx(1.0, abs=0.03)


def test_two_sessions_exchanged_give_the_same_bit_for_bit(scene):
    images = two_scanners(scene, scene.lesion(0.05))
    forward, noise, _ = scene.harmonised(images)
    backward, other, _ = scene.harmonised(images[::-1])
    np.testing.assert_array_equal(forward, backward[::-1])
    assert noise == other[::-1]


def test_a_noisy_session_is_told_from_a_quiet_one(scene):
    images, masks = [scene.scan(n, sd) for n, sd in enumerate((0.02, 0.08, 0.05))], [scene.brain] * 2
    _, (*noise, unknown), _ = scene.harmonised(images, masks=[*masks, np.zeros_like(scene.brain)])
    assert np.isnan(unknown)  # a session whose image misses the brain spoils nothing
    assert np.hypot(*noise) == pytest.approx(np.hypot(0.02, 0.08), rel=0.05)
    # Two sessions share one difference, and fine anatomy looks like noise: it is split with less certainty.
    assert noise == pytest.approx([0.02, 0.08], abs=0.02)


def test_five_sessions_one_of_them_with_part_of_the_brain(scene):
    sds = (0.02, 0.03, 0.03, 0.06, 0.03)
    lesion = scene.lesion(0.05)
    images = [scene.scan(n, sd, lesion if n >= 2 else None) * (1 + 0.2 * n) for n, sd in enumerate(sds)]
    masks = [scene.brain.copy() for _ in sds]
    masks[4][..., : masks[4].shape[2] // 2] = False
    images[4][~masks[4]] = 0
    scaled, noise, _ = scene.harmonised(images, masks=masks)
    assert noise == pytest.approx(sds, rel=0.15)
    inside = ndi.binary_erosion(lesion)
    assert [np.median(image[inside & masks[4]]) for image in scaled[2:]] == pytest.approx([1 + RISE] * 3, rel=0.05)
    quiet = scene.quiet(lesion)
    for n in range(1, 5):
        assert abs(np.median((scaled[n] - scaled[0])[quiet & masks[n]])) < 0.2 * NOISE


def test_negative_values_are_values_like_others(scene):
    inverted = [scene.scan(n) - 0.6 for n in range(2)]  # as phase-sensitive inversion recovery has them
    (first, second), noise, _ = scene.harmonised(inverted)
    assert np.median(np.abs(second - first)[scene.brain]) < 2.5 * NOISE / 0.4
    assert noise == pytest.approx([NOISE / 0.4] * 2, rel=0.1)


def test_sessions_without_common_brain_keep_their_own_scale(scene):
    upper, lower = scene.brain.copy(), scene.brain.copy()
    half = scene.brain.shape[2] // 2
    upper[..., :half], lower[..., half:] = False, False
    images = [scene.scan(0) * 300, scene.scan(1) * 700]
    scaled, noise, records = scene.harmonised(images, masks=[upper, lower])
    for image, mask in zip(scaled, (upper, lower), strict=True):
        assert np.median(image[mask & (scene.white > 0.9)]) == pytest.approx(1.0, abs=0.03)
    assert [record["slope"] for record in records] == [1.0, 1.0]
    assert all(NOISE * 0.8 < sd < NOISE * 2 for sd in noise)


def test_a_quantitative_map_is_left_as_it_is(scene):
    images = two_scanners(scene, scene.lesion(0.05))
    same, noise, records = scene.harmonised(images, quantitative=True)
    np.testing.assert_array_equal(same[0], images[0])
    assert records == [{}, {}]
    assert noise[0] > 0


def test_spatial_noise_of_white_noise():
    image = np.random.default_rng(0).normal(1, 0.05, (40, 40, 40)).astype(np.float32)
    assert spatial_noise(image, np.ones(image.shape, dtype=bool)) == pytest.approx(0.05, rel=0.05)
