"""The MNI152 template (nonlinear, symmetric, 2009a), as nilearn ships it."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from nilearn import datasets
from numpy.typing import NDArray

from hlhneuro.imaging.brain import dilate
from hlhneuro.imaging.registration import mutual_information, register_affine
from hlhneuro.imaging.resampling import resample, resample_alike
from hlhneuro.imaging.transforms import AffineTransform, Transform
from hlhneuro.imaging.volumes import FloatImage, Grid, Volume

__all__ = ["TemplateMatch", "match_template", "template_brain", "template_maps"]


@dataclass(frozen=True)
class TemplateMatch:
    """An affine registration of the template to a brain.

    Parameters
    ----------
    to_template : AffineTransform
        Points of the brain's space to template points.
    brain : bool array
        The template's brain mask on the image's grid.
    similarity, overlap : float
        Normalised mutual information and Dice overlap of the brain masks.
    """

    to_template: AffineTransform
    brain: NDArray[np.bool_]
    similarity: float
    overlap: float


def match_template(image: Volume, brain: NDArray[np.bool_], margin_mm: float) -> TemplateMatch:
    """Register the template to a brain on an isotropic working image, of any contrast.

    The template is a brain without a head, so the head of the image is taken away first.
    """
    alone = replace(image, data=np.where(brain, image.data, 0).astype(np.float32))
    template, template_mask = template_brain()
    centres, sizes = [], []
    for grid, mask in ((image.grid, brain), (template.grid, template_mask)):
        centres.append(AffineTransform(grid.affine).map(np.argwhere(mask).mean(axis=0)))
        sizes.append(np.count_nonzero(mask) * grid.voxel_volume_ml)
    scale = float(np.cbrt(sizes[0] / sizes[1]))
    start = np.diag([scale, scale, scale, 1.0])
    start[:3, 3] = centres[0] - scale * centres[1]
    wide = dilate(brain, margin_mm, image.grid.voxel_size_mm[0])
    to_template = register_affine(alone, template, wide, start=AffineTransform(start)).inverse()
    carried = resample(template.data, template.grid, image.grid, to_template, "linear")
    carried_mask = resample(template_mask, template.grid, image.grid, to_template, "linear") > 0.5
    both = brain & carried_mask
    overlap = 2.0 * float(both.sum()) / float(brain.sum() + carried_mask.sum())
    return TemplateMatch(to_template, carried_mask, mutual_information(image.data[both], carried[both]), overlap)


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
    names = ("gm", "wm", "brain")
    maps = [_map(name, voxel_size_mm) for name in names]
    carried = resample_alike([m.data for m in maps], maps[0].grid, grid, to_template)
    found = {name: np.clip(data, 0, 1) for name, data in zip(names, carried, strict=True)}
    # Where grey and white matter together exceed one, both yield.
    excess = np.maximum(found["gm"] + found["wm"], 1)
    found["gm"], found["wm"] = found["gm"] / excess, found["wm"] / excess
    found["csf"] = np.clip(found["brain"] - found["gm"] - found["wm"], 0, 1)
    return found
