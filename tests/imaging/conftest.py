"""A head whose anatomy and position are known: template tissue in an unlike contrast, under a scalp."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy import ndimage as ndi
from scipy.spatial.transform import Rotation

from hlhneuro.imaging.resampling import resample
from hlhneuro.imaging.template import template_maps
from hlhneuro.imaging.transforms import AffineTransform
from hlhneuro.imaging.volumes import Grid, Volume

EDGE = 3.0
# Tissue intensities: white, grey, fluid, scalp, as the contrasts have them (any unit).
TISSUES = {"FLAIR": (300, 380, 60, 420), "T1w": (500, 340, 130, 600), "T2w": (230, 330, 700, 420)}
LESION = {"FLAIR": 560, "T1w": 300, "T2w": 520}
LESION_CENTRE_MM = (26.0, -20.0, 26.0)


def rigid(degrees: tuple[float, float, float], shift_mm: tuple[float, float, float]) -> AffineTransform:
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_rotvec(np.deg2rad(degrees)).as_matrix()
    matrix[:3, 3] = shift_mm
    return AffineTransform(matrix)


@pytest.fixture(scope="session")
def anatomy() -> tuple[Grid, dict[str, np.ndarray]]:
    affine = np.diag([EDGE, EDGE, EDGE, 1.0])
    affine[:3, 3] = (-96, -132, -87)
    grid = Grid((65, 76, 64), affine)
    maps = dict(template_maps(grid, AffineTransform.identity()))
    brain = maps["brain"] > 0.5
    away = ndi.distance_transform_edt(~brain) * EDGE
    scalp = (away > 9) & (away < 18)
    maps["scalp"] = ndi.gaussian_filter(scalp.astype(np.float32), 0.5)
    return grid, maps


@pytest.fixture(scope="session")
def head(anatomy) -> Callable[..., Volume]:
    """Return a function that images the head: contrast, where it lies, lesion radius, seed."""
    grid, maps = anatomy
    points = grid.points_mm()

    def image(
        contrast: str,
        motion: AffineTransform | None = None,
        *,
        lesion_mm: float = 0.0,
        seed: int = 0,
        gain: float = 1.0,
        bias: float = 0.0,
    ) -> Volume:
        white, grey, fluid, scalp = TISSUES[contrast]
        data = white * maps["wm"] + grey * maps["gm"] + fluid * maps["csf"] + scalp * maps["scalp"]
        if lesion_mm:
            inside = np.linalg.norm(points - np.array(LESION_CENTRE_MM, dtype=np.float32), axis=-1) < lesion_mm
            data = np.where(inside, LESION[contrast], data)
        if motion is not None:
            data = resample(data, grid, grid, motion.inverse(), "cubic")
        data = data * np.exp(bias * points[..., 1] / 100) * gain
        rng = np.random.default_rng(seed)
        noisy = np.hypot(data + rng.normal(0, 4 * gain, data.shape), rng.normal(0, 4 * gain, data.shape))
        return Volume(noisy.astype(np.float32), grid.affine, contrast)

    return image
