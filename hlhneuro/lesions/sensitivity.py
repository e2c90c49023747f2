"""How faint a lesion could be and would still have been found."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from hlhneuro.imaging.alignment import AlignedSession, BoolImage
from hlhneuro.imaging.volumes import FloatImage, Grid
from hlhneuro.lesions.abnormality import Abnormality, upper_tail
from hlhneuro.lesions.extent import blur_voxels
from hlhneuro.lesions.normal_tissue import NormalTissue
from hlhneuro.lesions.tissues import TISSUES
from hlhneuro.settings import LesionSettings

__all__ = ["detectable_contrast"]


def detectable_contrast(
    session: AlignedSession,
    witness: str,
    allowed: BoolImage,
    normal: NormalTissue,
    found: Abnormality,
    seed: float,
    grid: Grid,
    settings: LesionSettings,
) -> float | None:
    """Return the contrast at which half of all small lesions in white matter would have been found.

    Balls of the reference diameter, blurred as the image is, are put into normal white matter all over the brain, and
    their brightness is raised until every second one exceeds the threshold of detection.

    Parameters
    ----------
    witness : str
        Contrast that lesions are looked for on.
    allowed : bool array
        Where they are looked for.
    found : Abnormality
        Of this session.
    seed : float
        Standardised z that starts a lesion.

    Returns
    -------
    float or None
        Brightness of the lesion above its surroundings; normal white matter is 1. None where there is too little
        normal white matter to tell, or if not even the brightest lesion would have been found.
    """
    ball, kernel = _ball(session, witness, grid, settings), _kernel(grid, settings)
    radius = (np.array(ball.shape) - 1) // 2
    white = normal.priors[TISSUES.index("wm")]
    quiet = allowed & (white > settings.reference_white) & (found.z < settings.suspect_sd)
    near = ndimage.minimum_filter(allowed, size=ball.shape) & quiet
    places = np.argwhere(near)
    if len(places) < settings.reference_places:
        return None
    places = places[np.linspace(0, len(places) - 1, settings.reference_places).astype(np.intp)]
    index = tuple(
        places[:, axis].reshape(-1, 1, 1, 1) + np.arange(-r, r + 1).reshape(np.roll((1, 1, -1), axis + 1))
        for axis, r in enumerate(radius)
    )
    values = session.volumes[witness].data[index].astype(np.float64)
    priors = [prior[index] for prior in normal.priors]
    centre, scale = found.centre[tuple(places.T)], found.scale[tuple(places.T)]

    def share_found(contrast: float) -> float:
        score = upper_tail(values + contrast * ball, priors, witness, session, normal, witness)
        z = (np.einsum("nxyz,xyz->n", score, kernel) - centre) / scale
        return float((z > seed).mean())

    low, high = 0.0, settings.brightest_lesion
    if share_found(high) < 0.5:
        return None
    while high - low > 0.001:
        middle = (low + high) / 2
        low, high = (low, middle) if share_found(middle) >= 0.5 else (middle, high)
    return high


def _box_radius(grid: Grid, settings: LesionSettings) -> tuple[int, ...]:
    return tuple(math.ceil(3 * settings.context_mm / size) for size in grid.voxel_size_mm)


def _ball(session: AlignedSession, contrast: str, grid: Grid, settings: LesionSettings) -> FloatImage:
    """Return how much of each voxel around its middle a ball fills, as the image shows it."""
    inner = _box_radius(grid, settings)
    blur = blur_voxels(session, contrast, grid, settings)
    outer = [r + math.ceil(4 * sd) for r, sd in zip(inner, blur, strict=True)]
    axes = np.ogrid[tuple(slice(-r, r + 1) for r in outer)]
    distance_mm = np.sqrt(sum((a * size) ** 2 for a, size in zip(axes, grid.voxel_size_mm, strict=True)))
    filled = np.clip((settings.reference_diameter_mm / 2 - distance_mm) / grid.mean_edge_mm + 0.5, 0, 1)
    shown = ndimage.gaussian_filter(filled.astype(np.float32), blur)
    return np.asarray(shown[tuple(slice(o - i, o + i + 1) for o, i in zip(outer, inner, strict=True))], np.float32)


def _kernel(grid: Grid, settings: LesionSettings) -> NDArray[np.float64]:
    """Return the weights with which evidence is averaged around a voxel."""
    axes = np.ogrid[tuple(slice(-r, r + 1) for r in _box_radius(grid, settings))]
    squared = np.asarray(sum(a.astype(float) ** 2 for a in axes))
    weight = np.exp(-squared / 2 * (grid.mean_edge_mm / settings.context_mm) ** 2)
    result: NDArray[np.float64] = weight / weight.sum()
    return result
