"""How unlike normal tissue each voxel of one session is."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from hlhneuro.imaging.alignment import AlignedSession, BoolImage
from hlhneuro.imaging.volumes import FloatImage, Grid
from hlhneuro.lesions.evidence import empirical_null, smoothed
from hlhneuro.lesions.normal_tissue import NormalTissue
from hlhneuro.lesions.tissues import TISSUES
from hlhneuro.settings import LesionSettings

__all__ = ["abnormality"]


def abnormality(
    session: AlignedSession,
    contrasts: tuple[str, ...],
    inside: BoolImage,
    normal: NormalTissue,
    grid: Grid,
    settings: LesionSettings,
) -> FloatImage:
    """Standardised z: how much brighter than every tissue that may be here (FLAIR; T2w where there is no FLAIR)."""
    expected = TISSUES if contrasts[0] == "FLAIR" else ("gm", "wm")  # without FLAIR, fluid is kept out by place
    z = _upper_tail(session, contrasts[0], inside, normal, expected)
    if contrasts[:2] == ("FLAIR", "T2w"):  # a lesion is bright on both: flow and fat are not
        z = np.minimum(z, _upper_tail(session, "T2w", inside, normal, TISSUES) + settings.fluid_gate_sd)
    full = np.zeros(grid.shape, np.float32)
    full[inside] = z
    full = smoothed(full, inside, settings.context_mm / grid.mean_edge_mm)
    centre, scale = empirical_null(full[inside])
    return np.asarray(np.where(inside, (full - np.float32(centre)) / np.float32(scale), 0), np.float32)


def _upper_tail(
    session: AlignedSession,
    contrast: str,
    inside: BoolImage,
    normal: NormalTissue,
    expected: tuple[str, ...],
) -> NDArray[np.float64]:
    """Return the normal score of each intensity in the mixture of the tissues the prior allows at that voxel."""
    values = session.volumes[contrast].data[inside].astype(np.float64)
    column = normal.model.contrasts.index(contrast)
    tail, total = np.zeros_like(values), np.zeros_like(values)
    for k in [TISSUES.index(tissue) for tissue in expected]:
        sd = np.sqrt(normal.model.spread[k, column, column] + session.noise_sd[contrast] ** 2)
        tail += normal.priors[k][inside] * norm.sf(values, normal.model.means[k, column], sd)
        total += normal.priors[k][inside]
    score: NDArray[np.float64] = norm.isf(np.clip(tail / total, 1e-12, 1 - 1e-12))
    return score
