"""How likely each voxel is lesion: that there is one, and that its border lies farther out."""

from __future__ import annotations

import numpy as np
from scipy import ndimage
from scipy.special import ndtr

from hlhneuro.imaging.alignment import AlignedSession, BoolImage
from hlhneuro.imaging.volumes import FloatImage
from hlhneuro.lesions.extent import Border
from hlhneuro.lesions.uncertainty import border_sds
from hlhneuro.settings import LesionSettings

__all__ = ["lesion_probability"]

CUBE = np.ones((3, 3, 3), bool)
EPS = np.float32(1e-3)  # what lies outside is less likely than not


def lesion_probability(
    missed: FloatImage,
    border: Border,
    mask: BoolImage,
    session: AlignedSession,
    witness: str,
    settings: LesionSettings,
) -> FloatImage:
    """Return the probability of each voxel, at least one half inside the mask and less than that outside.

    Near a lesion a voxel belongs to it if the border lies farther out: the share of it that is lesion, against one
    half, in standard uncertainties of that border (those of the volume). Elsewhere a lesion may have been missed.

    Parameters
    ----------
    missed : float32 array
        How likely a lesion that was not found is there.
    border : Border
        What was found, and how much of each voxel is lesion.
    mask : bool array
        The lesions, in the end.
    session : AlignedSession
    witness : str
        Contrast on which the border was set.
    settings : LesionSettings
    """
    grid = session.volumes[witness].grid
    labels, count = ndimage.label(mask, structure=CUBE)
    sds = border_sds(labels.astype(np.int32), count, session, witness, grid, settings)
    size = tuple(2 * reach + 1 for reach in border.reach)
    nearest = np.where(mask, labels, ndimage.maximum_filter(labels, size=size))
    near = nearest > 0
    within = ndtr((border.share[near] - settings.boundary_share) / np.maximum(sds[nearest[near]], 1e-6))
    probability = missed.copy()
    probability[near] = within
    least = np.float32(0.5)
    return np.asarray(np.where(mask, np.maximum(probability, least), np.minimum(probability, least - EPS)), np.float32)
