from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from hlhneuro.phantom import Head, make_head
from hlhneuro.phantom.anatomy import smooth_field
from hlhneuro.phantom.physics import TISSUES


def test_fractions_are_fractions(head: Head) -> None:
    assert set(head.fractions) == set(TISSUES)
    assert min(float(part.min()) for part in head.fractions.values()) >= 0
    assert np.allclose(sum(head.fractions.values()), 1.0, atol=1e-5)


def test_a_brain_of_092_has_the_volume_of_a_young_childs(head: Head) -> None:
    volume_ml = head.brain.sum() * head.grid.voxel_volume_ml
    assert 1200 < volume_ml < 1450  # total brain volume at four to ten years, boys and girls


def test_volume_scales_with_the_cube_of_the_size() -> None:
    small, large = (make_head(7, brain_scale=scale, voxel_mm=3.0) for scale in (0.85, 0.95))
    ratio = (large.brain.sum() * large.grid.voxel_volume_ml) / (small.brain.sum() * small.grid.voxel_volume_ml)
    assert ratio == pytest.approx((0.95 / 0.85) ** 3, rel=0.05)


def test_the_brain_lies_in_fluid_inside_dark_bone_inside_scalp(head: Head) -> None:
    # Along rays from the brain's middle to the top, front and side, the layers come in anatomical order.
    middle = np.linalg.inv(head.grid.affine) @ [0.0, -15.0, 25.0, 1.0]
    for direction in ([0.25, 0, 1], [0.2, 1, 0.5], [0.2, -1, 0.6], [1, 0, 0.7]):
        ray = middle[:3, None] + np.array(direction)[:, None] * np.arange(0, 100, 0.25)

        def along(name: str, ray: np.ndarray = ray) -> np.ndarray:
            return ndimage.map_coordinates(head.fractions[name], ray, order=1, mode="nearest")

        brain = np.flatnonzero(along("gm") + along("wm") > 0.5).max()
        bone = np.flatnonzero(along("bone") > 0.3)
        fat = np.flatnonzero(along("fat") > 0.5)
        air = np.flatnonzero(along("air") > 0.5).min()
        assert brain < bone.min() < fat.max() < air
        assert along("csf")[brain : bone.min()].max() > 0.3  # a gap of fluid, so that brain does not touch bone


def test_another_seed_is_another_brain(head: Head) -> None:
    other = make_head(8, brain_scale=0.92, voxel_mm=2.0)
    overlap = 2 * (head.brain & other.brain).sum() / (head.brain.sum() + other.brain.sum())
    assert 0.85 < overlap < 0.98
    displacement_mm = np.linalg.norm(head.template_mm - other.template_mm, axis=0)[head.brain]
    assert 2 < displacement_mm.mean() < 10


def test_the_warp_does_not_fold(head: Head) -> None:
    jacobian = np.stack([np.stack(np.gradient(axis, 2.0), axis=-1) for axis in head.template_mm], axis=-2)
    assert np.linalg.det(jacobian[::2, ::2, ::2]).min() > 0.2


def test_ventricles_are_fluid_and_of_a_childs_size(head: Head) -> None:
    ventricles = head.ventricle_distance_mm < -1
    assert head.fractions["csf"][ventricles].mean() > 0.8
    assert 5 < (head.ventricle_distance_mm < 0).sum() * head.grid.voxel_volume_ml < 40


def test_smooth_field_has_unit_spread_and_its_scale() -> None:
    rng = np.random.Generator(np.random.PCG64(1))
    field = smooth_field((80, 80, 80), (1.0, 1.0, 1.0), 8.0, rng)
    assert field.std() == pytest.approx(1.0, abs=0.2)
    near = np.corrcoef(field[:-2].ravel(), field[2:].ravel())[0, 1]
    far = np.corrcoef(field[:-24].ravel(), field[24:].ravel())[0, 1]
    assert near > 0.8
    assert abs(far) < 0.2
