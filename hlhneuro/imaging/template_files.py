"""A template that the user brings: found by its names, checked, and related to MNI152 where the territories are set."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hlhneuro.errors import InputError, StudyError
from hlhneuro.imaging.brain import dilate
from hlhneuro.imaging.deformation import judge_deformation, register_deformable
from hlhneuro.imaging.registration import isotropic_grid
from hlhneuro.imaging.resampling import resample, resample_alike
from hlhneuro.imaging.template import Template, match_template, mni152, tissue_of
from hlhneuro.imaging.transforms import AffineTransform, DisplacementTransform
from hlhneuro.imaging.volumes import Volume, load_volume
from hlhneuro.settings import AlignSettings, TemplateSettings
from hlhneuro.study import file_sha256

__all__ = ["load_template", "template_checksums", "template_paths"]

# How TemplateFlow names each part, after the name of the template, its cohort and its resolution.
_PARTS = {
    "t1w": r"_T1w",
    "t2w": r"_T2w",
    "brain": r"_(desc|label)-brain_mask",
    "gm": r"_label-GM_probseg",
    "wm": r"_label-WM_probseg",
    "csf": r"_label-CSF_probseg",
}
_NEEDED = ("brain", "gm", "wm", "csf")
_ALL_ONE = 1.02  # probabilities that sum to more, beyond rounding, are no probabilities
# The tissue of both templates is painted in these intensities to relate them, so that no contrast and no age matters.
_PAINT = {"gm": 2.0, "wm": 3.0, "csf": 1.0}
_SPACES = r"MNI152(Lin|NLin\w+)"  # TemplateFlow's names of templates in MNI152 space itself


def template_paths(settings: TemplateSettings) -> dict[str, Path]:
    """Return which file of the template is what; empty if the settings name no template.

    Raises
    ------
    StudyError
        If the folder is missing, a part is missing, or several files could be it.
    """
    if not settings.path:
        return {}
    folder = Path(settings.path).expanduser()
    if not folder.is_dir():
        raise StudyError(
            "there is no such folder", path=folder, field="template.path", remedy="give the folder of one template"
        )
    found = {part: _find(folder, part, getattr(settings, part)) for part in _PARTS}
    paths = {part: path for part, path in found.items() if path is not None}
    for part in _NEEDED:
        if part not in paths:
            raise StudyError(
                "the template has no such file",
                path=folder,
                field=f"template.{part}",
                found=f"nothing named *{_PARTS[part]}.nii.gz",
                remedy=f"add it, or name the file in template.{part}; see docs/templates.md",
            )
    if not {"t1w", "t2w"} & set(paths):
        raise StudyError(
            "the template has neither a T1w nor a T2w image",
            path=folder,
            field="template.t1w",
            remedy="add one, or name the file in template.t1w or template.t2w",
        )
    return paths


def _find(folder: Path, part: str, name: str) -> Path | None:
    if name:
        if not (folder / name).is_file():
            raise StudyError(
                "there is no such file",
                path=folder / name,
                field=f"template.{part}",
                remedy="give a file of the folder",
            )
        return folder / name
    fits = sorted(path for path in folder.iterdir() if re.fullmatch(rf"tpl-.*{_PARTS[part]}\.nii(\.gz)?", path.name))
    # Of an image, a brain-extracted or otherwise derived variant is not what is looked for.
    fits = [path for path in fits if part in _NEEDED or not re.search(r"_(desc|label)-", path.name)]
    coarse = [path for path in fits if re.search(r"_res-0*2_", path.name)]
    fits = coarse or fits  # 2 mm, where the template comes in several sizes, is what is worked on
    if len(fits) > 1:
        raise StudyError(
            "several files could be it",
            path=folder,
            field=f"template.{part}",
            found=", ".join(path.name for path in fits),
            remedy=f"give the folder of one cohort, or name the file in template.{part}",
        )
    return fits[0] if fits else None


def template_checksums(settings: TemplateSettings) -> dict[str, str]:
    """Return file name -> sha256 of a template that the user brought: results are made from these files too."""
    return {f"template:{path.name}": file_sha256(path) for path in template_paths(settings).values()}


@functools.lru_cache(maxsize=2)
def load_template(settings: TemplateSettings, match: AlignSettings) -> Template:
    """Read and check a template, and relate it to MNI152.

    Parameters
    ----------
    settings : TemplateSettings
        With a path.
    match : AlignSettings
        How images are matched.

    Raises
    ------
    StudyError
        If a file is missing, cannot be read, lies on another grid than the others, does not hold probabilities, or the
        template cannot be brought to MNI152, without which no territory could be named.
    """
    paths = template_paths(settings)
    volumes = {part: _read(path, part) for part, path in paths.items()}
    first = next(iter(volumes))
    for part, volume in volumes.items():
        if volume.grid.shape != volumes[first].grid.shape or not np.allclose(
            volume.affine, volumes[first].affine, atol=1e-3
        ):
            raise StudyError(
                f"lies on another grid than {paths[first].name}",
                path=paths[part],
                field=f"template.{part}",
                found=f"{volume.grid.shape}, {np.round(volume.affine[:3].ravel(), 2).tolist()}",
                remedy="give files of one template in one resolution",
            )
    _check_values(volumes, paths)
    name = re.match(r"tpl-([A-Za-z0-9]+(_cohort-[A-Za-z0-9]+)?)", paths[first].name)
    template = _on_working_grid(name.group(1) if name else paths[first].parent.name, volumes, settings.voxel_size_mm)
    if re.fullmatch(_SPACES, template.name):
        return template
    return replace(template, to_mni152=relate(template, match))


def _read(path: Path, part: str) -> Volume:
    try:
        return load_volume(path, {"t1w": "T1w", "t2w": "T2w"}.get(part, part))
    except InputError as error:
        raise StudyError(
            error.problem, path=path, field=f"template.{part}", found=error.found, remedy=error.remedy
        ) from error


def _check_values(volumes: Mapping[str, Volume], paths: Mapping[str, Path]) -> None:
    for part in _NEEDED:
        data = volumes[part].data
        low, high = float(data.min()), float(data.max())
        if low < -0.01 or high > _ALL_ONE or high < 0.5:
            raise StudyError(
                "does not hold probabilities from 0 to 1",
                path=paths[part],
                field=f"template.{part}",
                found=f"{low:.3g} to {high:.3g}",
                remedy="divide by the value that means certain, or give another file",
            )
    total = sum(volumes[part].data for part in ("gm", "wm", "csf"))
    wrong = float(np.mean(np.asarray(total)[volumes["brain"].data > 0.5] > _ALL_ONE))
    if wrong > 0.01:
        raise StudyError(
            "grey matter, white matter and fluid sum to more than 1",
            path=paths["gm"],
            field="template.gm",
            found=f"in {100 * wrong:.0f} % of the brain",
            remedy="give the probability maps of one tissue model",
        )


def _on_working_grid(name: str, volumes: Mapping[str, Volume], edge: float) -> Template:
    source = volumes["brain"].grid
    grid = isotropic_grid(source, edge, volumes["brain"].data > 0.5, 4 * edge)
    carried = resample_alike([v.data for v in volumes.values()], source, grid, AffineTransform.identity())
    data = dict(zip(volumes, carried, strict=True))
    brain: NDArray[np.bool_] = data["brain"] > 0.5
    images = {
        volume.contrast: Volume(np.where(brain, data[part], 0).astype(np.float32), grid.affine, volume.contrast)
        for part, volume in volumes.items()
        if part in ("t1w", "t2w")
    }
    # What the three maps leave open inside the brain would count as fluid: there they are brought to one.
    total = np.maximum(data["gm"] + data["wm"] + data["csf"], 1e-6)
    scale = np.where(brain & (total > 0.5), 1 / total, 1)
    tissue = tissue_of(data["gm"] * scale, data["wm"] * scale, data["brain"])
    return Template(name, images, brain, tissue, AffineTransform.identity())


def relate(template: Template, settings: AlignSettings) -> AffineTransform | DisplacementTransform:
    """Return the transform of a template's points to MNI152 points: affine, then deformed if that is better.

    The tissue maps of both are painted in the same intensities, so its contrast and its age do not matter.

    Raises
    ------
    StudyError
        If the two brains cannot be matched.
    """
    model = replace(mni152(), images={"painted": mni152().painted(_PAINT)})
    grid = isotropic_grid(template.grid, settings.deformable_voxel_mm, template.brain, 4 * settings.deformable_voxel_mm)
    image = Volume(
        resample(template.painted(_PAINT).data, template.grid, grid, AffineTransform.identity(), "linear"),
        grid.affine,
        "painted",
    )
    brain = resample(template.brain, template.grid, grid, AffineTransform.identity(), "linear") > 0.5
    match = match_template(image, brain, settings.registration_margin_mm, model)
    if match.overlap < settings.lowest_overlap or match.similarity < settings.lowest_similarity:
        raise StudyError(
            f"the template {template.name} cannot be brought to MNI152, where the territories are set",
            field="template.path",
            found=f"brain Dice {match.overlap:.2f}, mutual information {match.similarity:.3f}",
            remedy="check that its brain mask and tissue maps belong together",
        )
    if not settings.deformable_iterations:
        return match.to_template
    counted = dilate(brain, settings.registration_margin_mm, settings.deformable_voxel_mm)
    painted = model.images["painted"]
    found = register_deformable(image, painted, counted, settings, start=match.to_template.inverse())
    verdict = judge_deformation(found, (image, painted), (brain, model.brain), counted, settings)
    return found if verdict.accepted else match.to_template
