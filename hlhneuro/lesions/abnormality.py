"""How unlike normal tissue each voxel of one session is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

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

__all__ = ["Abnormality", "abnormality", "upper_tail"]

Reals = NDArray[np.floating]
TAIL = 0.99  # farther out there are too few voxels of a bin to tell


@dataclass(frozen=True)
class Abnormality:
    """How much brighter than normal each voxel is.

    Parameters
    ----------
    z : float32 array
        Standardised: normal tissue has mean 0 and SD 1; zero outside.
    centre, scale : float32 array
        Smoothed normal score that normal tissue has at a place, and its SD; 0 and 1 outside.
    """

    z: FloatImage
    centre: FloatImage
    scale: FloatImage


def abnormality(
    session: AlignedSession,
    contrasts: tuple[str, ...],
    inside: BoolImage,
    normal: NormalTissue,
    grid: Grid,
    settings: LesionSettings,
) -> Abnormality:
    """Say how much brighter than every tissue that may be here each voxel is (FLAIR; T2w where there is no FLAIR)."""
    score = _score(session, contrasts[0], inside, normal, contrasts[0])
    if contrasts[:2] == ("FLAIR", "T2w"):  # a lesion is bright on both: flow and fat are not
        score = np.minimum(score, _score(session, "T2w", inside, normal, "FLAIR") + settings.fluid_gate_sd)
    full = np.zeros(grid.shape, np.float32)
    full[inside] = score
    values = smoothed(full, inside, settings.context_mm / grid.mean_edge_mm)[inside]
    priors = [normal.priors[TISSUES.index(tissue)][inside] for tissue in ("wm", "csf")]
    images = [full, np.zeros(grid.shape, np.float32), np.ones(grid.shape, np.float32)]
    centre, scale = _null_by_place(values, priors, normal.learnt_on[session.label][inside], settings)
    for image, part in zip(images, ((values - centre) / scale, centre, scale), strict=True):
        image[inside] = part
    return Abnormality(*images)


def upper_tail(
    values: Reals, priors: Sequence[Reals], contrast: str, session: AlignedSession, normal: NormalTissue, witness: str
) -> NDArray[np.float64]:
    """Return the normal score of each intensity in the mixture of the tissues the prior allows there.

    Parameters
    ----------
    values : array
        Intensities of `contrast`.
    priors : sequence of array
        Of each of `TISSUES`, in the shape of `values`.
    witness : str
        Leading contrast; where that is T2w, fluid is not among the tissues (it is kept out by place).
    """
    column = normal.model.contrasts.index(contrast)
    tail, total = np.zeros(values.shape), np.zeros(values.shape)
    for k in [TISSUES.index(tissue) for tissue in (TISSUES if witness == "FLAIR" else ("gm", "wm"))]:
        sd = np.sqrt(normal.model.spread[k, column, column] + session.noise_sd[contrast] ** 2)
        tail += priors[k] * norm.sf(values, normal.model.means[k, column], sd)
        total += priors[k]
    score: NDArray[np.float64] = norm.isf(np.clip(tail / total, 1e-12, 1 - 1e-12))
    return score


def _score(
    session: AlignedSession, contrast: str, inside: BoolImage, normal: NormalTissue, witness: str
) -> NDArray[np.float64]:
    values = session.volumes[contrast].data[inside].astype(np.float64)
    return upper_tail(values, [prior[inside] for prior in normal.priors], contrast, session, normal, witness)


def _null_by_place(
    values: Reals, priors: Sequence[Reals], learnt_on: NDArray[np.bool_], settings: LesionSettings
) -> tuple[Reals, Reals]:
    """Return what is normal where the same tissue is expected: white matter is far quieter than cortex.

    Centre and scale are measured in bins of the priors, without what is suspect already, and interpolated between the
    middles of the bins, so that no step is left where one ends; a bin with few voxels takes the nearest other.

    References
    ----------
    Efron, Ann Appl Stat 2008;2:197 (cases of unlike nulls are judged apart).
    """
    bins, size = settings.prior_bins, settings.prior_bins ** len(priors)
    position = np.stack(list(priors)) * np.float32(bins)
    code = np.ravel_multi_index(tuple(np.minimum(position.astype(np.intp), bins - 1)), (bins,) * len(priors))
    middle, spread = empirical_null(values[learnt_on])
    calm = np.flatnonzero(learnt_on & (values < middle + settings.suspect_sd * spread))
    members = calm[np.argsort(code[calm], kind="stable")]
    groups = np.split(members, np.cumsum(np.bincount(code[calm], minlength=size))[:-1])
    fewest = min(settings.prior_bin_voxels, max(len(group) for group in groups))
    nulls = np.array([_null_of(values[g]) if len(g) >= fewest else (np.nan, np.nan) for g in groups])
    nulls = nulls.reshape(*(bins,) * len(priors), 2)
    nearest = ndimage.distance_transform_edt(np.isnan(nulls[..., 0]), return_distances=False, return_indices=True)
    centre, scale = (
        ndimage.map_coordinates(part[tuple(nearest)], position - 0.5, order=1, mode="nearest", output=np.float32)
        for part in (nulls[..., 0], nulls[..., 1])
    )
    return centre, scale


def _null_of(values: Reals) -> tuple[float, float]:
    """Return centre and scale; where the template leaves open which tissue it is the upper tail is the wider one."""
    middle, spread = empirical_null(values)
    tail = (float(np.quantile(values, TAIL)) - middle) / float(norm.ppf(TAIL))
    return middle, max(spread, tail)
