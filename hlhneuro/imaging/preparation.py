"""One session: each contrast bias-corrected, brain-masked and brought into register with the session's reference."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from hlhneuro.errors import InputError
from hlhneuro.imaging.bias import correct_bias
from hlhneuro.imaging.brain import (
    agree,
    box_around,
    close,
    dilate,
    is_extracted,
    largest_piece,
    rough_brain,
    signed_distance_mm,
)
from hlhneuro.imaging.brain_engines import GivenBrain, check_engine, find_with_deepbet
from hlhneuro.imaging.brain_evidence import refine_brain
from hlhneuro.imaging.field_of_view import cut_brain
from hlhneuro.imaging.matching import judge, match_brains
from hlhneuro.imaging.registration import working_image
from hlhneuro.imaging.resampling import coverage, resample
from hlhneuro.imaging.series import PreparedSession, RegistrationQuality
from hlhneuro.imaging.template import TemplateMatch
from hlhneuro.imaging.transforms import AffineTransform
from hlhneuro.imaging.volumes import FloatImage, Grid, Volume
from hlhneuro.settings import PrepareSettings

__all__ = ["Job", "prepare", "prepare_job", "spread_over"]

BoolImage = NDArray[np.bool_]
S = TypeVar("S")
T = TypeVar("T")


@dataclass(frozen=True)
class Job:
    """What `prepare` is told, in one parcel that another process can be handed."""

    label: str
    volumes: Mapping[str, Volume]
    settings: PrepareSettings
    brain: GivenBrain | None = None
    age_years: float | None = None


def prepare_job(job: Job) -> PreparedSession:
    """Prepare one session on one thread: the order of sums, and so the last bit, depends on how many there are."""
    with threadpool_limits(limits=1):
        return prepare(job.label, job.volumes, job.settings, brain=job.brain, age_years=job.age_years)


@dataclass(frozen=True)
class _Draft:
    """A contrast on its way: the image, its working copy, the brain on that copy, and whether it was borrowed."""

    volume: Volume
    work: Volume
    brain: BoolImage
    extracted: bool
    borrowed: bool = False


def prepare(
    label: str,
    volumes: Mapping[str, Volume],
    settings: PrepareSettings,
    *,
    brain: GivenBrain | None = None,
    age_years: float | None = None,
    workers: int = 1,
) -> PreparedSession:
    """Bias-correct, brain-mask and co-register the contrasts of one session.

    Parameters
    ----------
    label : str
        Session label.
    volumes : mapping of contrast to Volume
        The images as loaded. Quantitative maps (`settings.quantitative`) keep their values.
    settings : PrepareSettings
    brain : GivenBrain, optional
        A brain mask of this session from elsewhere; it takes the place of the one that would be found here.
    age_years : float, optional
        Age at the session; an engine that was made for adults says so below 18 years.
    workers : int
        Threads; the result does not depend on them.

    Returns
    -------
    PreparedSession
        A contrast that cannot be used is left out and named in `problems`.

    Raises
    ------
    InputError
        If no contrast of the session can be used, or the engine that was asked for cannot work on them.
    StudyError
        If the engine that was asked for is unknown or not installed.
    """
    check_engine(settings.brain_engine)
    notes = [f"{label} {name}: {note}" for name, volume in volumes.items() for note in volume.notes]
    if brain is None and settings.brain_engine == "deepbet":
        brain = find_with_deepbet(volumes, age_years)
    notes += [f"{label}: {note}" for note in (brain.notes if brain else ())]
    drafts, reference = _drafts(label, volumes, brain, settings, workers)
    reference, to_reference, quality, problems = _settle(label, drafts, reference, settings)
    drafts = {name: drafts[name] for name in to_reference}
    voters = [name for name in sorted(drafts) if not drafts[name].borrowed]
    extracted = all(drafts[n].extracted for n in voters)
    found, match = _joint_brain({n: drafts[n] for n in voters}, to_reference, reference, extracted, settings)
    work = drafts[reference].work
    if brain is not None:
        found, refused = _taken(brain, found, work.grid, to_reference, settings)
        problems += [f"{label}: {refused}"] if refused else []
    distance = signed_distance_mm(found, settings.working_voxel_mm)
    names = [reference, *sorted(n for n in drafts if n != reference)]
    masks = spread_over(lambda n: _carried(distance, work.grid, drafts[n].volume.grid, to_reference[n]), names, workers)
    notes += [
        f"{label} {reference}: {cut}"
        for cut in cut_brain(masks[0], drafts[reference].volume.grid, match, settings.cut_area_mm2)
    ]
    return PreparedSession(
        label=label,
        reference=reference,
        volumes={n: drafts[n].volume for n in names},
        brain_masks=dict(zip(names, masks, strict=True)),
        to_reference={n: to_reference[n] for n in names},
        already_extracted=extracted,
        quality=tuple(quality),
        problems=(*notes, *problems),
        notes=tuple(notes),
    )


def _drafts(
    label: str,
    volumes: Mapping[str, Volume],
    given: GivenBrain | None,
    settings: PrepareSettings,
    workers: int,
) -> tuple[dict[str, _Draft], str]:
    """Return a draft of every contrast, and which of them is the session's reference."""
    weighted = sorted(name for name in volumes if name not in settings.quantitative)
    weighted = [name for name in weighted if name not in settings.followers] or weighted
    found = spread_over(lambda n: _draft(volumes[n], given, settings), weighted, workers)
    drafts = {name: draft for name, draft in zip(weighted, found, strict=True) if draft is not None}
    if not drafts:
        raise InputError(
            f"session {label} has no image in which a brain was found",
            found=", ".join(sorted(volumes)) or "no image",
            remedy="give a FLAIR, T2w or T1w image of the whole brain, or a brain mask with --derivatives",
        )
    reference = min(drafts, key=lambda name: _rank(name, settings))
    others = [name for name in sorted(volumes) if name not in drafts]
    late = spread_over(lambda n: _draft_by(volumes[n], drafts[reference], settings), others, workers)
    return drafts | dict(zip(others, late, strict=True)), reference


def _settle(
    label: str, drafts: Mapping[str, _Draft], reference: str, settings: PrepareSettings
) -> tuple[str, dict[str, AffineTransform], list[RegistrationQuality], list[str]]:
    """Align all contrasts to the reference; where most cannot be, it may be the one at fault: then to the next."""
    own = [name for name, draft in drafts.items() if not draft.borrowed]
    order = sorted(own, key=lambda name: (name != reference, *_rank(name, settings)))
    tried = []
    for name in order if len(own) > 2 else [reference]:
        tried.append((name, *_register(label, drafts, name, settings)))
        if 2 * len(tried[-1][1]) > len(drafts):
            break
    return max(tried, key=lambda found: len(found[1]))


def _rank(contrast: str, settings: PrepareSettings) -> tuple[int, str]:
    order = settings.reference_order
    return order.index(contrast) if contrast in order else len(order), contrast


def _register(
    label: str, drafts: Mapping[str, _Draft], reference: str, settings: PrepareSettings
) -> tuple[dict[str, AffineTransform], list[RegistrationQuality], list[str]]:
    """Align every contrast to the reference; one that cannot be aligned gets a sentence and no transform."""
    to_reference = {reference: AffineTransform.identity()}
    quality, problems = [], []
    fixed = drafts[reference]
    for name in sorted(set(drafts) - {reference}):
        moving = drafts[name]
        match = match_brains(fixed.work, moving.work, fixed.brain, moving.brain, settings)
        verdict = judge(match, f"{label} {name}", f"{label} {reference}", settings)
        quality.append(verdict)
        if verdict.accepted:
            to_reference[name] = match.transform
        else:
            problems.append(
                f"session {verdict.moving} could not be aligned to {verdict.fixed}: {verdict.reason}; "
                "the image was left out"
            )
    return to_reference, quality, problems


def spread_over(function: Callable[[S], T], items: Iterable[S], workers: int) -> list[T]:
    """Return `function` of each item, in order, worked on by threads."""
    if workers <= 1:
        return [function(item) for item in items]
    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(function, items))


def _carried(distance: FloatImage, grid: Grid, target: Grid, transform: AffineTransform) -> BoolImage:
    """Carry a brain, given as distances to its surface, from a coarse grid to another (target to source points)."""
    reached = coverage(grid, target, transform)
    carried: BoolImage = (resample(distance, grid, target, transform, "linear") > 0) & reached
    return carried


def _brain_on(brain: BoolImage, grid: Grid, target: Grid, transform: AffineTransform) -> BoolImage:
    return _carried(signed_distance_mm(brain, grid.voxel_size_mm[0]), grid, target, transform)


def _draft(volume: Volume, given: GivenBrain | None, settings: PrepareSettings) -> _Draft | None:
    """Return the bias-corrected image with its brain, or nothing where no piece of tissue has the size of a brain."""
    edge = settings.working_voxel_mm
    extracted = is_extracted(volume, settings)
    # The field is found inside a first mask; the brain then on the corrected image.
    work = working_image(volume, edge)
    first = _find(volume, work, extracted, given, settings)
    if first is None:
        return None
    generous = _brain_on(dilate(first, edge, edge), work.grid, volume.grid, AffineTransform.identity())
    corrected = correct_bias(volume, generous & (volume.data > 0), settings)
    work = working_image(corrected, edge)
    brain = _find(corrected, work, extracted, given, settings)
    return None if brain is None else _Draft(corrected, *_about(work, brain, settings), extracted)


def _find(
    volume: Volume, work: Volume, extracted: bool, given: GivenBrain | None, settings: PrepareSettings
) -> BoolImage | None:
    """Return the brain on a working image; the given one where none of a brain's size is found."""
    brain = _kept(volume, work, settings) if extracted else rough_brain(work, settings)
    if not _of_brain_size(brain, work, settings) and given is not None:
        brain = resample(given.mask, given.grid, work.grid, AffineTransform.identity(), "linear") > 0.5
    return brain if _of_brain_size(brain, work, settings) else None


def _draft_by(volume: Volume, reference: _Draft, settings: PrepareSettings) -> _Draft:
    """Return an image with the reference's brain, which lies there by the scanner's coordinates.

    For maps with units, which stay as they are, and for images on which the brain could not be told from the scalp.
    """
    identity = AffineTransform.identity()
    if volume.contrast not in settings.quantitative:
        native = _brain_on(reference.brain, reference.work.grid, volume.grid, identity) & (volume.data > 0)
        volume = correct_bias(volume, native, settings) if native.any() else volume
    work = working_image(volume, settings.working_voxel_mm)
    brain = _brain_on(reference.brain, reference.work.grid, work.grid, identity) & (work.data != 0)
    return _Draft(volume, *_about(work, brain, settings), reference.extracted, borrowed=True)


def _about(work: Volume, brain: BoolImage, settings: PrepareSettings) -> tuple[Volume, BoolImage]:
    """Cut a working image to the brain and the surroundings that registration looks at."""
    if not brain.any():
        return work, brain
    room = int(np.ceil(2 * settings.registration_margin_mm / work.grid.voxel_size_mm[0]))
    box = box_around(brain, room)
    affine = work.affine.copy()
    affine[:3, 3] = AffineTransform(work.affine).map([part.start for part in box])
    return replace(work, data=np.ascontiguousarray(work.data[box]), affine=affine), np.ascontiguousarray(brain[box])


def _kept(volume: Volume, work: Volume, settings: PrepareSettings) -> BoolImage:
    """Return what is not zero in an extracted brain, closed."""
    kept = resample(volume.data != 0, volume.grid, work.grid, AffineTransform.identity(), "linear") > 0.5
    return close(largest_piece(np.asarray(kept)), settings.brain_closing_mm, work.grid.voxel_size_mm[0])


def _of_brain_size(brain: BoolImage, work: Volume, settings: PrepareSettings) -> bool:
    volume_ml = float(np.count_nonzero(brain)) * work.grid.voxel_volume_ml
    return settings.smallest_brain_ml <= volume_ml <= settings.largest_brain_ml


def _joint_brain(
    drafts: Mapping[str, _Draft],
    to_reference: Mapping[str, AffineTransform],
    reference: str,
    extracted: bool,
    settings: PrepareSettings,
) -> tuple[BoolImage, TemplateMatch | None]:
    """Return the brain that all contrasts speak for, on the reference's working grid, and the template's match."""
    work = drafts[reference].work
    back = {name: to_reference[name].inverse() for name in drafts}
    rough = agree(
        [_brain_on(draft.brain, draft.work.grid, work.grid, back[name]) for name, draft in drafts.items()],
        settings.working_voxel_mm,
    )
    if extracted:
        return rough, None
    images = {
        name: resample(draft.work.data, draft.work.grid, work.grid, back[name], "linear")
        for name, draft in drafts.items()
    }
    return refine_brain(images, rough, work, settings)


def _taken(
    given: GivenBrain,
    found: BoolImage,
    grid: Grid,
    to_reference: Mapping[str, AffineTransform],
    settings: PrepareSettings,
) -> tuple[BoolImage, str]:
    """Return the given brain on the reference's working grid; or the one found, and why the given one cannot be meant.

    A mask without a named contrast lies on the contrast whose scanner coordinates the session's reference has.
    """
    there = to_reference.get(given.contrast, AffineTransform.identity()).inverse()
    mask = resample(given.mask, given.grid, grid, there, "linear") > 0.5
    total = float(mask.sum() + found.sum())
    overlap = 2 * float((mask & found).sum()) / total if total else 0.0
    if overlap >= settings.lowest_overlap:
        return np.asarray(mask), ""
    return found, (
        f"the brain mask of {given.source} was not used: it hardly overlaps the brain in the images "
        f"(Dice {overlap:.2f}); give a mask in the scanner space of this session"
    )
