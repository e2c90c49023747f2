"""The MNI152 template (nonlinear, symmetric, 2009a), as nilearn ships it."""

from __future__ import annotations

import functools
from collections.abc import Mapping

import numpy as np
from nilearn import datasets
from numpy.typing import NDArray

from hlhneuro.imaging.resampling import resample
from hlhneuro.imaging.transforms import Transform
from hlhneuro.imaging.volumes import FloatImage, Grid, Volume

__all__ = ["template_brain", "template_maps"]


@functools.lru_cache(maxsize=4)
def _map(name: str, voxel_size_mm: int) -> Volume:
    load = {
        "t1": datasets.load_mni152_template,
        "gm": datasets.load_mni152_gm_template,
        "wm": datasets.load_mni152_wm_template,
        "brain": datasets.load_mni152_brain_mask,
    }[name]
    image = load(resolution=voxel_size_mm)
    data = np.clip(np.asarray(image.dataobj, dtype=np.float32), 0, None)
    data.setflags(write=False)  # it is shared
    return Volume(data, np.asarray(image.affine, dtype=np.float64), name)


def template_brain(voxel_size_mm: int = 2) -> tuple[Volume, NDArray[np.bool_]]:
    """Return the T1-weighted template brain and its mask, RAS+, on the template's own grid."""
    return _map("t1", voxel_size_mm), _map("brain", voxel_size_mm).data > 0.5


def template_maps(grid: Grid, to_template: Transform, voxel_size_mm: int = 2) -> Mapping[str, FloatImage]:
    """Return ``gm``, ``wm``, ``csf`` and ``brain`` of the template on a subject grid, as probabilities 0..1.

    ``csf`` is what is left of the brain mask beside grey and white matter.
    """
    found = {}
    for name in ("gm", "wm", "brain"):
        source = _map(name, voxel_size_mm)
        found[name] = np.clip(resample(source.data, source.grid, grid, to_template, "linear"), 0, 1)
    # Where grey and white matter together exceed one, both yield.
    excess = np.maximum(found["gm"] + found["wm"], 1)
    found["gm"], found["wm"] = found["gm"] / excess, found["wm"] / excess
    found["csf"] = np.clip(found["brain"] - found["gm"] - found["wm"], 0, 1)
    return found
