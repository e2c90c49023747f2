"""The template: images of a brain, its mask and its tissue; MNI152 (nonlinear symmetric 2009a) as nilearn ships it."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hlhneuro.imaging.brain import dilate
from hlhneuro.imaging.registration import mutual_information, register_affine
from hlhneuro.imaging.resampling import resample, resample_alike
from hlhneuro.imaging.transforms import AffineTransform, DisplacementTransform, Transform
from hlhneuro.imaging.volumes import FloatImage, Grid, Volume

__all__ = ["Template", "TemplateMatch", "match_template", "mni152", "template_brain", "template_maps"]

BoolImage = NDArray[np.bool_]


@dataclass(frozen=True)
class Template:
    """A brain that others are matched to; everything lies on one grid.

    Parameters
    ----------
    name : str
    images : mapping of contrast to Volume
        ``T1w``, ``T2w`` or both; the brain alone.
    brain : bool array
    tissue : mapping
        ``gm``, ``wm``, ``csf``: probabilities 0..1.
    to_mni152 : AffineTransform or DisplacementTransform
        Template points to MNI152 points, where the territories are set.
    """

    name: str
    images: Mapping[str, Volume]
    brain: BoolImage
    tissue: Mapping[str, FloatImage]
    to_mni152: AffineTransform | DisplacementTransform

    @property
    def grid(self) -> Grid:
        """Where its voxels lie."""
        return next(iter(self.images.values())).grid

    def image_like(self, contrast: str) -> Volume:
        """Return its image of that contrast, or else any that it has."""
        return self.images.get(contrast, next(iter(self.images.values())))

    def painted(self, levels: Mapping[str, float]) -> Volume:
        """Return its tissue painted with the given intensities: the template in the contrast of another image."""
        total = sum(levels[name] * image for name, image in self.tissue.items())
        return Volume(np.where(self.brain, total, 0).astype(np.float32), self.grid.affine, "painted")


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
    brain: BoolImage
    similarity: float
    overlap: float


def match_template(
    image: Volume, brain: BoolImage, margin_mm: float, template: Template | None = None
) -> TemplateMatch:
    """Register the template (MNI152 if left out) to a brain on an isotropic working image, of any contrast.

    The template is a brain without a head, so the head of the image is taken away first. The start puts centre on
    centre and gives the template the volume of the brain, so that a newborn's is found as well.
    """
    template = template or mni152()
    alone = replace(image, data=np.where(brain, image.data, 0).astype(np.float32))
    model = template.image_like(image.contrast)
    centres, sizes = [], []
    for grid, mask in ((image.grid, brain), (template.grid, template.brain)):
        centres.append(AffineTransform(grid.affine).map(np.argwhere(mask).mean(axis=0)))
        sizes.append(np.count_nonzero(mask) * grid.voxel_volume_ml)
    scale = float(np.cbrt(sizes[0] / sizes[1]))
    start = np.diag([scale, scale, scale, 1.0])
    start[:3, 3] = centres[0] - scale * centres[1]
    wide = dilate(brain, margin_mm, image.grid.voxel_size_mm[0])
    to_template = register_affine(alone, model, wide, start=AffineTransform(start)).inverse()
    carried = resample(model.data, template.grid, image.grid, to_template, "linear")
    carried_mask = resample(template.brain, template.grid, image.grid, to_template, "linear") > 0.5
    both = brain & carried_mask
    overlap = 2.0 * float(both.sum()) / float(brain.sum() + carried_mask.sum())
    return TemplateMatch(to_template, carried_mask, mutual_information(image.data[both], carried[both]), overlap)


@functools.cache
def mni152(voxel_size_mm: int = 2) -> Template:
    """Return MNI152: an average of 152 adults, T1-weighted. What is neither grey nor white matter of it is fluid."""
    from nilearn import datasets  # here and not above: it takes long to load, and a fit of a spectrum needs none of it

    loads = {
        "t1": datasets.load_mni152_template,
        "gm": datasets.load_mni152_gm_template,
        "wm": datasets.load_mni152_wm_template,
        "brain": datasets.load_mni152_brain_mask,
    }
    images = {name: load(resolution=voxel_size_mm) for name, load in loads.items()}
    data = {name: np.clip(np.asarray(image.dataobj, dtype=np.float32), 0, None) for name, image in images.items()}
    affine = np.asarray(images["t1"].affine, dtype=np.float64)
    tissue = tissue_of(data["gm"], data["wm"], data["brain"])
    for shared in (data["t1"], *tissue.values()):
        shared.setflags(write=False)
    return Template(
        "MNI152", {"T1w": Volume(data["t1"], affine, "T1w")}, data["brain"] > 0.5, tissue, AffineTransform.identity()
    )


def tissue_of(gm: FloatImage, wm: FloatImage, brain: FloatImage) -> dict[str, FloatImage]:
    """Return ``gm``, ``wm``, ``csf``: where grey and white matter exceed one both yield; the rest of brain is fluid."""
    gm, wm = np.clip(gm, 0, 1), np.clip(wm, 0, 1)
    excess = np.maximum(gm + wm, 1)
    gm, wm = gm / excess, wm / excess
    return {"gm": gm, "wm": wm, "csf": np.clip(np.clip(brain, 0, 1) - gm - wm, 0, 1)}


def template_brain() -> tuple[Volume, BoolImage]:
    """Return the T1-weighted brain of MNI152 and its mask, RAS+, on the template's own grid."""
    return mni152().images["T1w"], mni152().brain


def template_maps(grid: Grid, to_template: Transform, template: Template | None = None) -> Mapping[str, FloatImage]:
    """Return ``gm``, ``wm``, ``csf`` and ``brain`` of a template (MNI152 if left out) on a subject grid, 0..1."""
    template = template or mni152()
    images = {**template.tissue, "brain": template.brain}
    carried = resample_alike(list(images.values()), template.grid, grid, to_template)
    return {name: np.clip(data, 0, 1) for name, data in zip(images, carried, strict=True)}
