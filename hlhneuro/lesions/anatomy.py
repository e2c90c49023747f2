"""Places where normal anatomy looks like a lesion: inside the ventricles, and the rim of the brain."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from hlhneuro.imaging.alignment import BoolImage
from hlhneuro.imaging.volumes import FloatImage, Grid
from hlhneuro.settings import LesionSettings

__all__ = ["closed", "false_positive_places", "ventricles"]


def ventricles(grid: Grid, brain: BoolImage, csf: FloatImage, core_fluid_mm: float) -> BoolImage:
    """Fluid far below the brain's surface: the ventricles (and deep cisterns), without what lies inside them."""
    depth_mm = ndimage.distance_transform_edt(brain, sampling=grid.voxel_size_mm)
    fluid = (csf > 0.5) & brain
    labels, _ = ndimage.label(fluid & (depth_mm > core_fluid_mm))
    sizes = np.bincount(labels.ravel())
    large = sizes * grid.voxel_volume_ml > 0.1  # smaller pockets are sulci or holes in destroyed tissue
    large[0] = False
    found: BoolImage = large[labels]
    return found


def closed(mask: BoolImage, grid: Grid, radius_mm: float) -> BoolImage:
    """Morphological closing with a ball, by distances (quick at any radius)."""
    if not mask.any():
        return mask
    near = ndimage.distance_transform_edt(~mask, sampling=grid.voxel_size_mm) <= radius_mm
    result: BoolImage = ndimage.distance_transform_edt(near, sampling=grid.voxel_size_mm) > radius_mm
    return result | mask


def false_positive_places(
    grid: Grid, brain: BoolImage, csf: FloatImage, priors: list[FloatImage], settings: LesionSettings
) -> BoolImage:
    """Return where brightness is not taken for a lesion.

    Septum and choroid plexus are what closing the ventricles fills, as far as the template does not expect white
    matter there (a lesion in the wall stays); pial vessels, fat and cortical partial volume lie in the rim of the
    brain mask.

    Parameters
    ----------
    csf : array
        Fluid probability of the subject, zero where the FLAIR (or T2w) is brighter than tissue.
    priors : list of array
        Template priors of grey matter, white matter and fluid.
    """
    inner = closed(ventricles(grid, brain, csf, settings.core_fluid_mm), grid, settings.ventricle_closing_mm)
    inner &= (csf > 0.5) | (priors[2] > priors[1])
    depth_mm = ndimage.distance_transform_edt(brain, sampling=grid.voxel_size_mm)
    result: BoolImage = inner | (depth_mm <= settings.rim_mm) | ~brain
    return result
