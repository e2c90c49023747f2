"""The template meets the subject: which one, the axes of subject space, and how it follows the brain."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hlhneuro.imaging.brain import dilate
from hlhneuro.imaging.deformation import judge_deformation, register_deformable
from hlhneuro.imaging.matching import judge
from hlhneuro.imaging.outliers import tissue_levels, unlike_tissue
from hlhneuro.imaging.placement import Placed, mean_brain, mean_image
from hlhneuro.imaging.registration import Match
from hlhneuro.imaging.resampling import resample
from hlhneuro.imaging.series import RegistrationQuality
from hlhneuro.imaging.template import Template, match_template, mni152, template_maps
from hlhneuro.imaging.template_files import load_template
from hlhneuro.imaging.transforms import AffineTransform, DisplacementTransform
from hlhneuro.imaging.volumes import FloatImage, Grid, Volume
from hlhneuro.settings import AlignSettings, TemplateSettings

__all__ = ["ChosenTemplate", "choose_template", "deform", "orient"]

BoolImage = NDArray[np.bool_]
# Lesions are sought on the first of these that a subject has, and on the image that is matched.
_LESION_CONTRASTS = ("FLAIR", "T2w")


@dataclass(frozen=True)
class ChosenTemplate:
    """A template, and whether it tells the tissue of a brain of that age.

    Parameters
    ----------
    template : Template
    valid : bool
    reason : str
    """

    template: Template
    valid: bool
    reason: str

    @property
    def order(self) -> tuple[str, ...]:
        """Contrasts in the order in which they are matched with the template, best first."""
        own = tuple(name for name in ("T1w", "T2w") if name in self.template.images)
        # Immature white and grey matter differ more on T2w than on T1w, whatever the template shows.
        return own if self.valid else ("T2w", *own)


def choose_template(
    settings: TemplateSettings, match: AlignSettings, ages_years: Iterable[float | None] = ()
) -> ChosenTemplate:
    """Return the template of the settings, and whether it is valid at these ages.

    MNI152 shows adults. Below 24 months white matter is not yet as bright on T1w and as dark on T2w, and before about
    six months the contrast is reversed: the brain can be put in place, but an adult's tissue says little about it.

    References
    ----------
    Barkovich AJ. Concepts of myelin and myelination in neuroradiology. AJNR Am J Neuroradiol 2000; 21: 1099-1109.
    """
    if settings.path:
        template = load_template(settings, match)
        return ChosenTemplate(template, True, f"{template.name} was given for this subject")
    known = [age for age in ages_years if age is not None]
    if known and min(known) < settings.immature_years:
        reason = (
            f"age {min(known):.1f} years: MNI152 is an adult template, and contrast is immature below "
            f"{12 * settings.immature_years:.0f} months: its tissue priors, and the white matter on which "
            "intensities are scaled, are not valid; give a template of that age (template.path)"
        )
        return ChosenTemplate(mni152(), False, reason)
    told = "" if known else "; the age is unknown and was taken to be above 24 months"
    return ChosenTemplate(mni152(), True, f"MNI152 is an adult template{told}")


def orient(
    placed: list[Placed], chosen: ChosenTemplate, settings: AlignSettings
) -> tuple[list[Placed], AffineTransform, RegistrationQuality]:
    """Match the mean brain to the template, then turn the midspace to the template's axes."""
    edge = settings.working_voxel_mm
    name, image, brain = mean_brain(placed, edge, chosen.order, settings)
    match = match_template(image, brain, settings.registration_margin_mm, chosen.template)
    nowhere = float("nan")
    verdict = judge(
        Match(match.to_template, nowhere, match.similarity, match.overlap),
        f"mean {name}",
        f"{chosen.template.name} template",
        settings,
    )
    turn = match.to_template.rigid_part(AffineTransform(image.affine).map(np.argwhere(brain).mean(axis=0)))
    turned = [Placed(p.session, turn.after(p.to_subject)) for p in placed]
    return turned, match.to_template.after(turn.inverse()), verdict


def deform(
    placed: Sequence[Placed],
    grid: Grid,
    distance: FloatImage,
    affine: AffineTransform,
    chosen: ChosenTemplate,
    settings: AlignSettings,
) -> tuple[AffineTransform | DisplacementTransform, tuple[RegistrationQuality, ...]]:
    """Let the template follow the brain at low resolution, without lesions, and say whether that can be relied on.

    Returns
    -------
    transform
        Subject points to template points; the affine alone if the deformation was refused.
    tuple of RegistrationQuality
        The verdict; none if the settings ask for no deformation.
    """
    if not settings.deformable_iterations:
        return affine, ()
    edge, template = settings.deformable_voxel_mm, chosen.template
    name, image, _ = mean_brain(placed, edge, chosen.order, settings)
    brain = resample(distance, grid, image.grid, AffineTransform.identity(), "linear") > 0
    maps = template_maps(image.grid, affine, template)
    tissue = {kind: maps[kind] for kind in ("gm", "wm", "csf")}
    if chosen.valid and name in template.images:
        model = template.images[name]
    else:  # another contrast: the template is painted in that of the image
        model = template.painted(tissue_levels(image.data, tissue, brain)[0])
    odd = np.zeros_like(brain)
    for data in _lesion_images(placed, image):
        odd |= unlike_tissue(data, tissue, brain & (data > 0), edge, settings)
    counted = dilate(brain, settings.registration_margin_mm, edge) & ~odd
    found = register_deformable(image, model, counted, settings, start=affine.inverse())
    verdict = judge_deformation(found, (image, model), (brain, template.brain), counted, settings)
    left_out = f", {odd.sum() * edge**3 / 1000:.0f} ml unlike normal tissue left out" if odd.any() else ""
    verdict = replace(
        verdict,
        moving=f"mean {name}",
        fixed=f"deformation of the {template.name} template",
        reason=verdict.reason + (left_out if verdict.accepted else "; the affine match is used instead"),
    )
    return (found if verdict.accepted else affine), (verdict,)


def _lesion_images(placed: Sequence[Placed], image: Volume) -> list[FloatImage]:
    """Return the mean images on which lesions are sought, on the grid of the image that is matched."""
    name = next((name for name in _LESION_CONTRASTS if any(name in p.session.volumes for p in placed)), None)
    if name is None or name == image.contrast:
        return [image.data]
    return [image.data, mean_image(placed, name, image.grid)[0]]
