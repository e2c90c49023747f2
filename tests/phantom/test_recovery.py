"""Known lesions painted into images: the volume asked for, where asked for, in any grid."""

from __future__ import annotations

import numpy as np
import pytest

from hlhneuro.imaging.transforms import AffineTransform
from hlhneuro.imaging.volumes import Grid, Volume
from hlhneuro.phantom.recovery import KnownLesion, choose_places, paint, share_of
from hlhneuro.phantom.scanner import rigid

GRID = Grid((60, 60, 60), np.diag([1.0, 1.0, 1.0, 1.0]))


def ball(volume_ml: float, contrast: float = 0.4) -> KnownLesion:
    return KnownLesion(1, (30.0, 28.0, 31.0), volume_ml, contrast)


@pytest.mark.parametrize("volume_ml", [0.1, 0.3, 1.0, 5.0])
def test_a_lesion_has_the_volume_asked_for(volume_ml: float) -> None:
    share = share_of(ball(volume_ml), GRID.points_mm())
    assert (share > 0.5).sum() / 1000 == pytest.approx(volume_ml, rel=0.08)


@pytest.mark.parametrize("thickness_mm", [1.0, 4.0])
def test_what_is_added_is_contrast_times_white_matter_times_volume_in_a_turned_grid(thickness_mm: float) -> None:
    turned = rigid(np.array([8.0, -5.0, 12.0]), np.array([2.0, -1.0, 3.0]))
    affine = np.diag([1.5, 1.5, thickness_mm, 1.0])
    affine[:3, 3] = (-10.0, -12.0, -8.0)
    data = np.full((60, 60, round(90 / thickness_mm)), 200.0, dtype=np.float32)
    image = Volume(data, affine, "FLAIR")
    painted = paint(image, turned, np.ones(data.shape, bool), [ball(1.0)], effect=-0.5)
    added_ml = float((painted.data - data).sum()) / (-0.5 * 0.4 * 200.0) * image.grid.voxel_volume_ml
    analytic_ml = share_of(ball(1.0), GRID.points_mm()).sum() / 1000
    assert added_ml == pytest.approx(analytic_ml, rel=0.02)
    index = np.argwhere(painted.data < data)
    centre = turned.after(AffineTransform(affine)).map(
        np.average(index, axis=0, weights=(data - painted.data)[tuple(index.T)])
    )
    assert np.linalg.norm(centre - ball(1.0).centre_mm) < 0.2
    assert painted.steps[-1].name == "known_lesions"


def test_brightness_follows_the_coils_field() -> None:
    ramp = np.linspace(100, 300, 60, dtype=np.float32)[:, None, None] * np.ones((1, 60, 60), np.float32)
    image = Volume(ramp, GRID.affine, "FLAIR")
    here, there = (KnownLesion(1, (x, 30.0, 30.0), 0.5, 0.4) for x in (20.0, 40.0))
    white = np.ones(ramp.shape, bool)
    added = [
        float((paint(image, AffineTransform.identity(), white, [one], 1.0).data - ramp).sum()) for one in (here, there)
    ]
    assert added[1] / added[0] == pytest.approx(ramp[40, 0, 0] / ramp[20, 0, 0], rel=0.1)


def test_places_fit_and_keep_their_distance_and_the_seed_decides() -> None:
    free = np.zeros(GRID.shape, bool)
    free[5:55, 5:55, 5:55] = True
    free[25:35, 25:35, 25:35] = False  # a lesion is there already
    volumes = (0.1, 1.0, 0.3, 3.0)
    found = choose_places(free, free, GRID, volumes, 0.3, gap_mm=6.0, seed=4)
    assert [lesion.number for lesion in found] == [1, 2, 3, 4]
    assert found == choose_places(free, free, GRID, volumes, 0.3, gap_mm=6.0, seed=4)
    assert found != choose_places(free, free, GRID, volumes, 0.3, gap_mm=6.0, seed=5)
    for lesion in found:
        assert free[share_of(lesion, GRID.points_mm()) > 0.5].all()
        for other in found:
            if other is not lesion:
                gap = np.linalg.norm(np.subtract(lesion.centre_mm, other.centre_mm))
                assert gap - lesion.radius_mm - other.radius_mm > 5.0


def test_a_lesion_without_room_is_left_out() -> None:
    free = np.zeros(GRID.shape, bool)
    free[10:18, 10:18, 10:18] = True
    assert [lesion.number for lesion in choose_places(free, free, GRID, (9.0, 0.05), 0.3, gap_mm=5.0, seed=0)] == [2]
