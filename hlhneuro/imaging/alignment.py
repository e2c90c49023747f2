"""AlignedSeries: all sessions and contrasts of a subject in its own unbiased midspace, each image resampled once."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Mapping, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from hlhneuro.errors import InputError
from hlhneuro.imaging.atlas import choose_template, deform, orient
from hlhneuro.imaging.brain import signed_distance_mm
from hlhneuro.imaging.intensities import harmonise
from hlhneuro.imaging.matching import judge, match_brains
from hlhneuro.imaging.midspace import largest_group, pairs_to_match, reconcile
from hlhneuro.imaging.placement import Placed, covering
from hlhneuro.imaging.preparation import prepare, spread_over
from hlhneuro.imaging.registration import isotropic_grid, working_image
from hlhneuro.imaging.resampling import coverage, resample
from hlhneuro.imaging.series import AlignedSeries, AlignedSession, PreparedSession, RegistrationQuality
from hlhneuro.imaging.template import template_maps
from hlhneuro.imaging.transforms import AffineTransform
from hlhneuro.imaging.volumes import FloatImage, Grid, Volume
from hlhneuro.settings import AlignSettings, TemplateSettings

__all__ = ["AlignedSeries", "AlignedSession", "PreparedSession", "RegistrationQuality", "align", "prepare"]

BoolImage = NDArray[np.bool_]
_Working = Callable[[str], tuple[Volume, BoolImage]]  # a session's working image and brain, by contrast
_MOST_CONTRASTS = 2  # of a pair of sessions are tried: where two do not match, a third will not either


def align(
    sessions: Sequence[PreparedSession],
    settings: AlignSettings,
    *,
    template: TemplateSettings | None = None,
    ages_years: Mapping[str, float | None] | None = None,
    workers: int = 1,
) -> AlignedSeries:
    """Bring all sessions of a subject into its unbiased midspace.

    The midspace lies half-way between the sessions and is then turned, rigidly, to the axes of the MNI template, so
    that axial slices look axial. Every image is interpolated once, by the composed transform.

    Parameters
    ----------
    sessions : sequence of PreparedSession
        In order of time; the result does not depend on the order.
    settings : AlignSettings
    template : TemplateSettings, optional
        MNI152 if left out.
    ages_years : mapping of session label to float or None, optional
        Below 24 months an adult template is not valid, which the result then says.
    workers : int
        Threads; the result does not depend on them.

    Raises
    ------
    InputError
        If no session can be aligned.
    StudyError
        If the template of the settings cannot be used.

    References
    ----------
    Reuter M, Schmansky NJ, Rosas HD, Fischl B. Within-subject template estimation for unbiased longitudinal image
    analysis. NeuroImage 2012; 61: 1402-1418.
    """
    if not sessions:
        raise InputError("no session to align", remedy="give at least one session with a FLAIR, T2w or T1w image")
    # Worked on in an order that the images themselves give: sums are the same however the sessions are listed.
    ordered = sorted(sessions, key=_fingerprint)
    verdicts, links = _link(ordered, settings)
    members = largest_group([len(session.volumes) for session in ordered], links)
    problems = _left_out(ordered, members, verdicts)
    to_mid = reconcile(members, links)
    placed = [Placed(ordered[n], to_mid[n]) for n in members]
    ages = [(ages_years or {}).get(p.session.label) for p in placed]
    chosen = choose_template(template or TemplateSettings(), settings, ages)
    placed, affine, verdict = orient(placed, chosen, settings)
    if not verdict.accepted:
        problems.append(f"the match with the template is doubtful: {verdict.reason}")
    grid, distance = _subject_grid(placed, settings)
    to_template, deformed = deform(placed, grid, distance, affine, chosen, settings)
    brain = distance > 0
    maps = template_maps(grid, to_template, chosen.template)
    found = _resample_all(placed, grid, workers)
    aligned = _normalise(placed, found, grid, brain, maps, settings, workers)
    order = {session.label: n for n, session in enumerate(sessions)}
    return AlignedSeries(
        grid=grid,
        sessions=tuple(sorted(aligned, key=lambda session: order[session.label])),
        brain_mask=np.logical_and.reduce([session.brain_mask for session in aligned]),
        to_template=chosen.template.to_mni152.after(to_template),
        template_maps={name: maps[name] for name in ("gm", "wm", "csf")},
        quality=(*verdicts.values(), verdict, *deformed),
        problems=tuple(problems),
        template=chosen.template.name,
        template_valid=chosen.valid,
        template_reason=chosen.reason,
    )


def _fingerprint(session: PreparedSession) -> str:
    volume = session.volumes[session.reference]
    return hashlib.sha256(volume.data.tobytes() + volume.affine.tobytes()).hexdigest()


def _link(
    sessions: Sequence[PreparedSession], settings: AlignSettings
) -> tuple[dict[tuple[int, int], RegistrationQuality], dict[tuple[int, int], AffineTransform]]:
    """Match sessions with their partners; one that matched none of them is tried with the others."""
    verdicts: dict[tuple[int, int], RegistrationQuality] = {}
    links: dict[tuple[int, int], AffineTransform] = {}

    @functools.cache
    def small(n: int, contrast: str) -> tuple[Volume, BoolImage]:
        return _working_brain(sessions[n], contrast, settings)

    def link(i: int, j: int) -> None:
        moving, fixed = ((sessions[n], functools.partial(small, n)) for n in (i, j))
        verdicts[i, j], transform = _link_pair(moving, fixed, settings)
        if verdicts[i, j].accepted:
            links[i, j] = transform

    count, sizes = len(sessions), [len(session.volumes) for session in sessions]
    for i, j in pairs_to_match(count, settings.neighbours):
        link(i, j)
    for i, j in combinations(range(count), 2):
        group = largest_group(sizes, links)
        if (i, j) not in verdicts and (i in group) != (j in group):
            link(i, j)
    return verdicts, links


def _left_out(
    sessions: Sequence[PreparedSession], members: Sequence[int], verdicts: Mapping[tuple[int, int], RegistrationQuality]
) -> list[str]:
    """Return a sentence for every session that is not a member, with why its nearest match was refused."""
    problems = []
    for n in sorted(set(range(len(sessions))) - set(members)):
        refused = [verdict for pair, verdict in verdicts.items() if n in pair and not verdict.accepted]
        nearest = sorted(refused, key=lambda verdict: (np.nan_to_num(verdict.detail, nan=-1.0), verdict.brain_overlap))
        why = f": {nearest[-1].moving} and {nearest[-1].fixed}: {nearest[-1].reason}" if nearest else ""
        problems.append(f"session {sessions[n].label} could not be aligned to the other sessions and was left out{why}")
    return problems


def _link_pair(
    moving: tuple[PreparedSession, _Working], fixed: tuple[PreparedSession, _Working], settings: AlignSettings
) -> tuple[RegistrationQuality, AffineTransform]:
    """Register two sessions on the best contrast that both have and that matches; reference to reference points."""
    (here, moving_image), (there, fixed_image) = moving, fixed
    shared = [(name, name) for name in settings.reference_order if name in here.volumes and name in there.volumes]
    tried = []
    for own, other in shared[:_MOST_CONTRASTS] or [(here.reference, there.reference)]:
        (image, brain), (target, target_brain) = moving_image(own), fixed_image(other)
        match = match_brains(target, image, target_brain, brain, settings)
        verdict = judge(match, f"{here.label} {own}", f"{there.label} {other}", settings)
        onward, back = there.to_reference[other], here.to_reference[own].inverse()
        tried.append((verdict, onward.after(match.transform).after(back)))
        if verdict.accepted:
            return tried[-1]
    return tried[0]


def _working_brain(session: PreparedSession, contrast: str, settings: AlignSettings) -> tuple[Volume, BoolImage]:
    """Return a working image of the brain and what is around it, and the brain on it."""
    image, mask = session.volumes[contrast], session.brain_masks[contrast]
    small = working_image(image, settings.working_voxel_mm, mask, 2 * settings.registration_margin_mm)
    return small, resample(mask, image.grid, small.grid, AffineTransform.identity(), "linear") > 0.5


def _subject_grid(placed: Sequence[Placed], settings: AlignSettings) -> tuple[Grid, FloatImage]:
    """Return the grid of the series and, on it, the signed distance to the surface of the brain of all sessions.

    The brain of one subject is one: all sessions' masks vote by their distances, and each session then uses the result.
    """
    images = [(p, p.session.reference) for p in placed]
    coarse = covering(images, settings.working_voxel_mm, settings.margin_mm)
    votes = []
    for p, name in images:
        volume, mask = p.session.volumes[name], p.session.brain_masks[name]
        here = resample(mask, volume.grid, coarse, p.of(name).inverse(), "linear") > 0.5
        votes.append(signed_distance_mm(here, settings.working_voxel_mm))
    mean = np.median(votes, axis=0).astype(np.float32)
    # A grid finer than anything that was acquired would add voxels and no knowledge.
    finest = min(min(v.grid.voxel_size_mm) for p in placed for v in p.session.volumes.values())
    grid = isotropic_grid(coarse, max(settings.voxel_size_mm, round(finest, 2)), mean > 0, settings.margin_mm)
    distance = resample(mean, coarse, grid, AffineTransform.identity(), "linear")
    outside = ~coverage(coarse, grid, AffineTransform.identity())
    distance[outside] = -settings.margin_mm
    return grid, distance


def _resample_all(
    placed: Sequence[Placed], grid: Grid, workers: int
) -> dict[tuple[int, str], tuple[FloatImage, BoolImage]]:
    jobs = [(n, name) for n, p in enumerate(placed) for name in p.session.volumes]

    def one(job: tuple[int, str]) -> tuple[FloatImage, BoolImage]:
        n, name = job
        volume, back = placed[n].session.volumes[name], placed[n].of(name).inverse()
        return resample(volume.data, volume.grid, grid, back, "cubic"), coverage(volume.grid, grid, back)

    return dict(zip(jobs, spread_over(one, jobs, workers), strict=True))


def _normalise(
    placed: Sequence[Placed],
    found: Mapping[tuple[int, str], tuple[FloatImage, BoolImage]],
    grid: Grid,
    brain: BoolImage,
    maps: Mapping[str, FloatImage],
    settings: AlignSettings,
    workers: int,
) -> list[AlignedSession]:
    contrasts = sorted({name for _, name in found})
    noise: dict[tuple[int, str], float] = {}
    volumes: dict[tuple[int, str], Volume] = {}

    def one(name: str) -> None:
        keys = [key for key in sorted(found) if key[1] == name]
        sources = [placed[n].session.volumes[name] for n, _ in keys]
        images = [found[key][0] for key in keys]
        masks = [brain & found[key][1] for key in keys]
        quantitative = not any(step.name == "n4" for step in sources[0].steps)
        images, sds, records = harmonise(
            images, masks, maps["wm"], grid.voxel_size_mm[0], settings, quantitative=quantitative
        )
        for key, source, image, sd, record in zip(keys, sources, images, sds, records, strict=True):
            moved = Volume(image, grid.affine, name, source.steps).stepped(image, "resample", kind="cubic")
            volumes[key] = moved.stepped(image, "normalise", **record) if record else moved
            noise[key] = sd

    spread_over(one, contrasts, workers)
    sessions = []
    for n, p in enumerate(placed):
        names = list(p.session.volumes)
        sessions.append(
            AlignedSession(
                label=p.session.label,
                reference=p.session.reference,
                volumes={name: volumes[n, name] for name in names},
                brain_mask=brain & found[n, p.session.reference][1],
                coverage={name: found[n, name][1] for name in names},
                to_subject={name: p.of(name) for name in names},
                native_grids={name: p.session.volumes[name].grid for name in names},
                noise_sd={name: noise[n, name] for name in names},
                quality=p.session.quality,
                problems=p.session.problems,
            )
        )
    return sessions
