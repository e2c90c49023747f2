"""One session: each contrast bias-corrected, brain-masked and brought into register with the session's reference."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from hlhneuro.errors import InputError
from hlhneuro.imaging.bias import correct_bias
from hlhneuro.imaging.brain import agree, close, dilate, is_extracted, largest_piece, rough_brain, signed_distance_mm
from hlhneuro.imaging.matching import judge, match_brains
from hlhneuro.imaging.registration import working_image
from hlhneuro.imaging.resampling import coverage, resample
from hlhneuro.imaging.series import PreparedSession
from hlhneuro.imaging.template import match_template
from hlhneuro.imaging.transforms import AffineTransform
from hlhneuro.imaging.volumes import Grid, Volume
from hlhneuro.settings import PrepareSettings

__all__ = ["brain_on", "prepare", "spread_over"]

BoolImage = NDArray[np.bool_]
S = TypeVar("S")
T = TypeVar("T")


@dataclass(frozen=True)
class _Draft:
    """A contrast on its way: the image, its working copy, and the brain on that copy."""

    volume: Volume
    work: Volume
    brain: BoolImage
    extracted: bool


def prepare(
    label: str, volumes: Mapping[str, Volume], settings: PrepareSettings, *, workers: int = 1
) -> PreparedSession:
    """Bias-correct, brain-mask and co-register the contrasts of one session.

    Parameters
    ----------
    label : str
        Session label.
    volumes : mapping of contrast to Volume
        The images as loaded. Quantitative maps (`settings.quantitative`) keep their values.
    settings : PrepareSettings
    workers : int
        Threads; the result does not depend on them.

    Returns
    -------
    PreparedSession
        A contrast that cannot be used is left out and named in `problems`.

    Raises
    ------
    InputError
        If no contrast of the session can be used.
    """
    problems = [f"{label} {name}: {note}" for name, volume in volumes.items() for note in volume.notes]
    weighted = sorted(name for name in volumes if name not in settings.quantitative)
    found = spread_over(lambda n: _draft(volumes[n], settings), weighted, workers)
    drafts = {name: draft for name, draft in zip(weighted, found, strict=True) if draft is not None}
    if not drafts:
        raise InputError(
            f"session {label} has no image in which a brain was found",
            found=", ".join(sorted(volumes)) or "no image",
            remedy="give a FLAIR, T2w or T1w image of the whole brain",
        )
    reference = next((name for name in settings.reference_order if name in drafts), sorted(drafts)[0])
    others = [name for name in sorted(volumes) if name not in drafts]
    late = spread_over(lambda n: _draft_by(volumes[n], drafts[reference], settings), others, workers)
    voters = sorted(drafts)
    drafts |= dict(zip(others, late, strict=True))
    to_reference = {reference: AffineTransform.identity()}
    quality = []
    for name in sorted(drafts):
        if name == reference:
            continue
        fixed, moving = drafts[reference], drafts[name]
        match = match_brains(fixed.work, moving.work, fixed.brain, moving.brain, settings)
        verdict = judge(match, f"{label} {name}", f"{label} {reference}", settings)
        quality.append(verdict)
        if verdict.accepted:
            to_reference[name] = match.transform
        else:
            problems.append(
                f"{verdict.moving} could not be aligned to {verdict.fixed}: {verdict.reason}; the image was left out"
            )
            del drafts[name]
    voters = [name for name in voters if name in drafts]
    work_grid = drafts[reference].work.grid
    brain = _joint_brain({n: drafts[n] for n in voters}, to_reference, work_grid)
    if not all(drafts[n].extracted for n in voters):
        brain = _within_template(drafts[reference].work, brain, settings)
    names = [reference, *sorted(n for n in drafts if n != reference)]
    masks = spread_over(lambda n: brain_on(brain, work_grid, drafts[n].volume.grid, to_reference[n]), names, workers)
    return PreparedSession(
        label=label,
        reference=reference,
        volumes={n: drafts[n].volume for n in names},
        brain_masks=dict(zip(names, masks, strict=True)),
        to_reference={n: to_reference[n] for n in names},
        already_extracted=all(drafts[n].extracted for n in voters),
        quality=tuple(quality),
        problems=tuple(problems),
    )


def spread_over(function: Callable[[S], T], items: Iterable[S], workers: int) -> list[T]:
    """Return `function` of each item, in order, worked on by threads."""
    if workers <= 1:
        return [function(item) for item in items]
    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(function, items))


def brain_on(brain: BoolImage, grid: Grid, target: Grid, transform: AffineTransform) -> BoolImage:
    """Carry a brain mask from a coarse isotropic grid to another, with a smooth surface (target to source points)."""
    distance = signed_distance_mm(brain, grid.voxel_size_mm[0])
    reached = coverage(grid, target, transform)
    carried: BoolImage = (resample(distance, grid, target, transform, "linear") > 0) & reached
    return carried


def _draft(volume: Volume, settings: PrepareSettings) -> _Draft | None:
    """Return the bias-corrected image with its brain, or nothing where no piece of tissue has the size of a brain."""
    edge = settings.working_voxel_mm
    work = working_image(volume, edge)
    extracted = is_extracted(volume, settings)
    brain = _kept(volume, work, settings) if extracted else rough_brain(work, settings)
    if not settings.smallest_brain_ml <= _brain_ml(brain, work) <= settings.largest_brain_ml:
        return None
    generous = brain_on(dilate(brain, edge, edge), work.grid, volume.grid, AffineTransform.identity())
    corrected = correct_bias(volume, generous & (volume.data > 0), settings)
    work = working_image(corrected, edge)
    if not extracted:
        brain = rough_brain(work, settings)
    return _Draft(corrected, work, brain, extracted)


def _draft_by(volume: Volume, reference: _Draft, settings: PrepareSettings) -> _Draft:
    """Return an image with the reference's brain, which lies there by the scanner's coordinates.

    For maps with units, which stay as they are, and for images on which the brain could not be told from the scalp.
    """
    identity = AffineTransform.identity()
    if volume.contrast not in settings.quantitative:
        native = brain_on(reference.brain, reference.work.grid, volume.grid, identity) & (volume.data > 0)
        volume = correct_bias(volume, native, settings) if native.any() else volume
    work = working_image(volume, settings.working_voxel_mm)
    brain = brain_on(reference.brain, reference.work.grid, work.grid, identity) & (work.data != 0)
    return _Draft(volume, work, brain, reference.extracted)


def _kept(volume: Volume, work: Volume, settings: PrepareSettings) -> BoolImage:
    """Return what is not zero in an extracted brain, closed."""
    kept = resample(volume.data != 0, volume.grid, work.grid, AffineTransform.identity(), "linear") > 0.5
    return close(largest_piece(np.asarray(kept)), settings.brain_closing_mm, settings.working_voxel_mm)


def _within_template(work: Volume, brain: BoolImage, settings: PrepareSettings) -> BoolImage:
    """Cut off what lies far outside the template's brain: neck, orbits, nose."""
    match = match_template(work, brain, settings.registration_margin_mm)
    if match.overlap < settings.lowest_overlap:
        return brain
    near = dilate(match.brain, settings.template_reach_mm, settings.working_voxel_mm)
    return largest_piece(brain & near)


def _brain_ml(brain: BoolImage, work: Volume) -> float:
    return float(np.count_nonzero(brain)) * work.grid.voxel_volume_ml


def _joint_brain(drafts: Mapping[str, _Draft], to_reference: Mapping[str, AffineTransform], grid: Grid) -> BoolImage:
    carried = [
        brain_on(draft.brain, draft.work.grid, grid, to_reference[name].inverse()) for name, draft in drafts.items()
    ]
    return agree(carried, grid.voxel_size_mm[0])
