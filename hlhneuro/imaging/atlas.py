"""The template meets the subject: subject space gets its axes, and then it follows the brain."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hlhneuro.imaging.brain import dilate
from hlhneuro.imaging.deformation import register_deformable
from hlhneuro.imaging.matching import judge
from hlhneuro.imaging.placement import Placed, mean_brain
from hlhneuro.imaging.registration import Match
from hlhneuro.imaging.resampling import resample
from hlhneuro.imaging.series import RegistrationQuality
from hlhneuro.imaging.template import match_template, template_brain
from hlhneuro.imaging.transforms import AffineTransform, Transform
from hlhneuro.imaging.volumes import FloatImage, Grid
from hlhneuro.settings import AlignSettings

__all__ = ["deform", "orient"]


def orient(placed: list[Placed], settings: AlignSettings) -> tuple[list[Placed], AffineTransform, RegistrationQuality]:
    """Match the mean brain to the template, then turn the midspace to the template's axes."""
    edge = settings.working_voxel_mm
    name, image, brain = mean_brain(placed, edge, settings)
    match = match_template(image, brain, settings.registration_margin_mm)
    nowhere = float("nan")
    verdict = judge(
        Match(match.to_template, nowhere, match.similarity, match.overlap), f"mean {name}", "MNI152 template", settings
    )
    turn = match.to_template.rigid_part(AffineTransform(image.affine).map(np.argwhere(brain).mean(axis=0)))
    turned = [Placed(p.session, turn.after(p.to_subject)) for p in placed]
    return turned, match.to_template.after(turn.inverse()), verdict


def deform(
    placed: Sequence[Placed], grid: Grid, distance: FloatImage, affine: AffineTransform, settings: AlignSettings
) -> Transform:
    """Let the template follow the brain at low resolution, too coarse to follow a lesion."""
    if not settings.deformable_iterations:
        return affine
    _, image, _ = mean_brain(placed, settings.deformable_voxel_mm, settings)
    brain = resample(distance, grid, image.grid, AffineTransform.identity(), "linear") > 0
    template, _ = template_brain()
    return register_deformable(
        image,
        template,
        dilate(brain, settings.registration_margin_mm, settings.deformable_voxel_mm),
        start=affine.inverse(),
        iterations=settings.deformable_iterations,
    )
