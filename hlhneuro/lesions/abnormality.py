"""How unlike normal tissue each voxel of one session is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
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
    z = np.where(inside, (full - np.float32(centre)) / np.float32(scale), np.float32(0))
    return by_place(z, inside, [normal.priors[TISSUES.index(tissue)] for tissue in ("wm", "csf")], settings)


def by_place(z: FloatImage, inside: BoolImage, priors: Sequence[FloatImage], settings: LesionSettings) -> FloatImage:
    """Standardise z by what is normal where the same tissue is expected: white matter is far quieter than cortex.

    Centre and scale are measured in bins of the priors, without what is suspect already, and interpolated between the
    middles of the bins, so that no step is left where one ends; a bin with few voxels takes the nearest other.

    References
    ----------
    Efron, Ann Appl Stat 2008;2:197 (cases of unlike nulls are judged apart).
    """
    bins = settings.prior_bins
    position = np.stack([prior[inside] * np.float32(bins) for prior in priors])
    code = np.ravel_multi_index(tuple(np.minimum(position.astype(np.intp), bins - 1)), (bins,) * len(priors))
    values = z[inside]
    calm = np.flatnonzero(values < settings.suspect_sd)
    members = calm[np.argsort(code[calm], kind="stable")]
    groups = np.split(members, np.cumsum(np.bincount(code[calm], minlength=bins ** len(priors)))[:-1])
    fewest = min(settings.prior_bin_voxels, max(len(group) for group in groups))
    nulls = np.array([empirical_null(values[g]) if len(g) >= fewest else (np.nan, np.nan) for g in groups])
    nulls = nulls.reshape(*(bins,) * len(priors), 2)
    nearest = ndimage.distance_transform_edt(np.isnan(nulls[..., 0]), return_distances=False, return_indices=True)
    nulls = nulls[tuple(nearest)]
    centre, scale = (
        ndimage.map_coordinates(nulls[..., n], position - 0.5, order=1, mode="nearest", output=np.float32)
        for n in (0, 1)
    )
    result = np.zeros(z.shape, np.float32)
    result[inside] = (values - centre) / scale
    return result


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
