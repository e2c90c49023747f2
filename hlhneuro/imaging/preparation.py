"""One session: each contrast bias-corrected, brain-masked and brought into register with the session's reference."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from hlhneuro.errors import InputError
from hlhneuro.imaging.bias import correct_bias
from hlhneuro.imaging.brain import agree, close, dilate, is_extracted, largest_piece, rough_brain, signed_distance_mm
from hlhneuro.imaging.registration import Match, compare, register_rigid, starting_transform, working_image
from hlhneuro.imaging.resampling import coverage, resample
from hlhneuro.imaging.series import PreparedSession, RegistrationQuality
from hlhneuro.imaging.transforms import AffineTransform
from hlhneuro.imaging.volumes import Grid, Volume
from hlhneuro.settings import PrepareSettings

__all__ = ["brain_on", "judge", "prepare", "spread_over"]

BoolImage = NDArray[np.bool_]
S, T = TypeVar("S"), TypeVar("T")


class Limits(Protocol):
    """The settings by which a registration is judged."""

    @property
    def lowest_similarity(self) -> float: ...
    @property
    def lowest_overlap(self) -> float: ...
    @property
    def largest_inverse_gap_mm(self) -> float: ...


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
    weighted = [name for name in sorted(volumes) if name not in settings.quantitative]
    drafts: dict[str, _Draft] = {}
    for name, draft in zip(
        weighted, spread_over(lambda n: _draft(volumes[n], settings), weighted, workers), strict=True
    ):
        if isinstance(draft, str):
            problems.append(f"{label} {name}: {draft}; the image was left out")
        else:
            drafts[name] = draft
    if not drafts:
        raise InputError(
            f"session {label} has no image in which a brain was found",
            found="; ".join(problems) or "no weighted image",
            remedy="give a FLAIR, T2w or T1w image of the whole brain",
        )
    reference = next((name for name in settings.reference_order if name in drafts), sorted(drafts)[0])
    to_reference = {reference: AffineTransform.identity()}
    quality = []
    for name in [*drafts, *(n for n in sorted(volumes) if n in settings.quantitative)]:
        if name == reference:
            continue
        if name not in drafts:
            drafts[name] = _draft_map(volumes[name], drafts[reference])
        match = _match(drafts[reference], drafts[name], settings)
        verdict = judge(match, f"{label} {name}", f"{label} {reference}", settings)
        quality.append(verdict)
        if verdict.accepted:
            to_reference[name] = match.transform
        else:
            problems.append(
                f"{verdict.moving} could not be aligned to {verdict.fixed}: {verdict.reason}; it was left out"
            )
            del drafts[name]
    work_grid = drafts[reference].work.grid
    voters = [n for n in drafts if n not in settings.quantitative]
    brain = _joint_brain({n: drafts[n] for n in voters}, to_reference, work_grid)
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


def judge(match: Match, moving: str, fixed: str, limits: Limits) -> RegistrationQuality:
    """Say whether a registration can be relied on, and why."""
    reasons = []
    if match.similarity < limits.lowest_similarity:
        reasons.append(f"the images share too little (mutual information {match.similarity:.3f})")
    if match.overlap < limits.lowest_overlap:
        reasons.append(f"the brains do not overlap (Dice {match.overlap:.2f})")
    if match.inverse_consistency_mm > limits.largest_inverse_gap_mm:
        reasons.append(f"both directions differ by {match.inverse_consistency_mm:.1f} mm")
    said = "; ".join(reasons) or (
        f"mutual information {match.similarity:.3f}, brain Dice {match.overlap:.2f}, "
        f"both directions agree to {match.inverse_consistency_mm:.2f} mm"
    )
    return RegistrationQuality(
        moving, fixed, match.similarity, match.overlap, match.inverse_consistency_mm, not reasons, said
    )


def _draft(volume: Volume, settings: PrepareSettings) -> _Draft | str:
    """Return the bias-corrected image with its brain, or why there is none."""
    work = working_image(volume, settings.working_voxel_mm)
    brain = rough_brain(work, settings)
    extracted = is_extracted(volume, settings)
    if extracted:
        brain = _nonzero(work, settings)
    edge = settings.working_voxel_mm
    generous = brain_on(
        dilate(brain, settings.working_voxel_mm, edge), work.grid, volume.grid, AffineTransform.identity()
    )
    if _brain_ml(brain, work) < settings.smallest_brain_ml:
        return f"no brain was found (the largest piece of tissue has {_brain_ml(brain, work):.0f} ml)"
    corrected = correct_bias(volume, generous & (volume.data > 0), settings)
    work = working_image(corrected, settings.working_voxel_mm)
    brain = _nonzero(work, settings) if extracted else rough_brain(work, settings)
    volume_ml = _brain_ml(brain, work)
    if not settings.smallest_brain_ml <= volume_ml <= settings.largest_brain_ml:
        return f"what was found has {volume_ml:.0f} ml, which no brain has"
    return _Draft(corrected, work, brain, extracted)


def _draft_map(volume: Volume, reference: _Draft) -> _Draft:
    """Return a quantitative map as it is; its brain is the reference's, by the scanner's coordinates."""
    work = working_image(volume, reference.work.grid.voxel_size_mm[0])
    brain = brain_on(reference.brain, reference.work.grid, work.grid, AffineTransform.identity()) & (work.data != 0)
    return _Draft(volume, work, brain, reference.extracted)


def _nonzero(work: Volume, settings: PrepareSettings) -> BoolImage:
    return close(largest_piece(work.data != 0), settings.brain_closing_mm, settings.working_voxel_mm)


def _brain_ml(brain: BoolImage, work: Volume) -> float:
    return float(np.count_nonzero(brain)) * work.grid.voxel_volume_ml


def _match(fixed: _Draft, moving: _Draft, settings: PrepareSettings) -> Match:
    edge = settings.working_voxel_mm
    wide = [dilate(draft.brain, settings.registration_margin_mm, edge) for draft in (fixed, moving)]
    start = starting_transform(fixed.work.grid, fixed.brain, moving.work.grid, moving.brain)
    found = register_rigid(fixed.work, moving.work, wide[0], wide[1], start=start)
    similarity, overlap = compare(fixed.work, moving.work, fixed.brain, moving.brain, found.transform)
    return replace(found, similarity=similarity, overlap=overlap)


def _joint_brain(drafts: Mapping[str, _Draft], to_reference: Mapping[str, AffineTransform], grid: Grid) -> BoolImage:
    carried = [
        brain_on(draft.brain, draft.work.grid, grid, to_reference[name].inverse()) for name, draft in drafts.items()
    ]
    return agree(carried, grid.voxel_size_mm[0])
