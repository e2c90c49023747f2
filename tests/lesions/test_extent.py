"""The border of a lesion whose true volume is known, in images of thick slices."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import ndimage

from hlhneuro.imaging.alignment import AlignedSession
from hlhneuro.imaging.transforms import AffineTransform
from hlhneuro.imaging.volumes import Grid, Volume
from hlhneuro.lesions.extent import Border, lesion_share, reach_voxels
from hlhneuro.lesions.tissues import TISSUES, TissueModel
from hlhneuro.settings import LesionSettings

GRID = Grid((60, 60, 60), np.diag([1.0, 1, 1, 1]))
NORMAL, LESION = 1.0, 1.8


def seen(radius_mm: float, slice_mm: int, noise: float = 0.0) -> tuple[np.ndarray, float]:
    """A ball as thick slices show it, interpolated back to 1 mm; and its true volume in ml."""
    r = np.linalg.norm(np.indices(GRID.shape) - 29.5, axis=0)
    ball = np.clip(radius_mm - r + 0.5, 0, 1)
    image = ndimage.uniform_filter1d(ball, slice_mm, axis=2)  # slice profile
    image = ndimage.uniform_filter1d(image, slice_mm, axis=2)  # linear interpolation between slices
    image = NORMAL + (LESION - NORMAL) * image
    rng = np.random.Generator(np.random.PCG64(7))
    return image + noise * rng.standard_normal(image.shape), float(4 / 3 * np.pi * radius_mm**3 / 1000)


def border_of(image: np.ndarray, slice_mm: float) -> Border:
    volume = Volume(image.astype(np.float32), GRID.affine, "FLAIR")
    native = Grid((60, 60, int(60 // slice_mm)), np.diag([1.0, 1, slice_mm, 1]))
    brain = np.ones(GRID.shape, bool)
    identity = AffineTransform(np.eye(4))
    session = AlignedSession(
        "01", "FLAIR", {"FLAIR": volume}, brain, {}, {"FLAIR": identity}, {"FLAIR": native}, {"FLAIR": 0.02}
    )
    means = np.full((len(TISSUES), 1), NORMAL)
    model = TissueModel(("FLAIR",), means, np.full((len(TISSUES), 1, 1), 0.01))
    priors = [np.full(GRID.shape, 1 / len(TISSUES), np.float32) for _ in TISSUES]
    settings = LesionSettings()
    found = image > NORMAL + 0.12  # whatever differs from normal at all
    reach = reach_voxels([session], ["FLAIR"], GRID, settings)
    return Border(found, lesion_share(session, "FLAIR", model, priors, found, reach, settings), reach)


@pytest.mark.parametrize("slice_mm", [1, 4])
@pytest.mark.parametrize("radius_mm", [4.0, 6.0, 10.0])
def test_the_border_lies_where_half_of_the_voxel_is_lesion(radius_mm: float, slice_mm: int) -> None:
    image, true_ml = seen(radius_mm, slice_mm, noise=0.02)
    border = border_of(image, slice_mm)
    found_ml, kept_ml = border.found.sum() / 1000, border.mask(0.5).sum() / 1000
    assert abs(kept_ml - true_ml) <= abs(found_ml - true_ml)
    assert kept_ml == pytest.approx(true_ml, rel=0.05 if slice_mm == 1 else 0.15)


def test_a_higher_level_never_gives_a_larger_mask() -> None:
    border = border_of(seen(6.0, 4)[0], 4)
    masks = [border.mask(level) for level in (0.0, 0.3, 0.5, 0.7, 1.0)]
    assert np.array_equal(masks[0], border.found)
    for larger, smaller in itertools.pairwise(masks):
        assert not (smaller & ~larger).any()


def test_the_reach_is_that_of_the_thickest_slice_along_its_own_axis() -> None:
    border = border_of(seen(6.0, 5)[0], 5)
    assert border.reach == (3, 3, 5)  # 3 mm of soft edge in plane, 5 mm of slice
