"""What the tissue of a brain looks like on an image, and where it looks like no tissue that the template expects there.

Images are brought to the template before lesions are known. A rough mask is enough to keep lesions from pulling at it.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi

from hlhneuro.imaging.brain import dilate
from hlhneuro.imaging.volumes import FloatImage
from hlhneuro.settings import AlignSettings

__all__ = ["tissue_levels", "unlike_tissue"]

BoolImage = NDArray[np.bool_]
_ROUNDS = 8
_EXPECTED = 0.5  # a tissue that is more likely than not


def tissue_levels(
    data: FloatImage, tissue: Mapping[str, FloatImage], brain: BoolImage
) -> tuple[dict[str, float], float]:
    """Return the intensity of each tissue on an image, and the robust spread of what that leaves unexplained.

    The image is taken as a mixture of the template's tissue probabilities; voxels that it does not explain, lesions
    and misfit, count the less the further off they are (Cauchy weights).
    """
    names = tuple(tissue)
    shares = np.stack([tissue[name][brain] for name in names], axis=-1).astype(np.float64)
    values = data[brain].astype(np.float64)
    weight = np.ones(values.size)
    for _ in range(_ROUNDS):
        levels = np.linalg.lstsq(shares * weight[:, None], values * weight, rcond=None)[0]
        left = values - shares @ levels
        spread = max(1.4826 * float(np.median(np.abs(left))), 1e-6 * float(np.abs(values).max()), 1e-12)
        weight = 1 / np.sqrt(1 + (left / (2 * spread)) ** 2)
    return dict(zip(names, levels.tolist(), strict=True)), spread


def unlike_tissue(
    data: FloatImage, tissue: Mapping[str, FloatImage], brain: BoolImage, voxel_mm: float, settings: AlignSettings
) -> BoolImage:
    """Return where an image is brighter or darker than every tissue that the template expects nearby, with a margin.

    Nearby means within the reach of an affine match. Beside fluid, what looks like part fluid is not called unlike:
    there the brain's own shape cannot be told from a lesion, and its shape is what is to be matched.

    Parameters
    ----------
    data : array
        The mean image of one contrast on a coarse isotropic grid.
    tissue : mapping
        ``gm``, ``wm``, ``csf`` of the template on that grid, by an affine match.
    brain : bool array
    voxel_mm : float
    settings : AlignSettings

    Returns
    -------
    bool array
        All false if more than `outlier_most` of the brain is unlike: then the tissue was not recognised.
    """
    levels, spread = tissue_levels(data, tissue, brain)
    size = 2 * round(settings.outlier_reach_mm / voxel_mm) + 1
    near = {name: ndi.maximum_filter(image, size) > _EXPECTED for name, image in tissue.items()}
    low, high = (
        pick([np.where(near[name], np.float32(levels[name]), fill) for name in ("gm", "wm")])
        for pick, fill in ((np.minimum.reduce, np.float32(np.inf)), (np.maximum.reduce, np.float32(-np.inf)))
    )
    if levels["csf"] < min(levels["gm"], levels["wm"]):
        low = np.where(near["csf"], -np.inf, low)
    else:
        high = np.where(near["csf"], np.inf, high)
    margin = settings.outlier_sd * spread
    odd = brain & (near["gm"] | near["wm"]) & ((data > high + margin) | (data < low - margin))
    odd = ndi.binary_opening(odd)  # a layer one voxel thin is partial volume
    labels, _ = ndi.label(odd)
    sizes = np.bincount(labels.ravel()) * voxel_mm**3 / 1000
    sizes[0] = 0
    odd = (sizes >= settings.outlier_smallest_ml)[labels]
    if odd.sum() > settings.outlier_most * brain.sum():
        return np.zeros_like(brain)
    return dilate(odd, settings.outlier_margin_mm, voxel_mm)
