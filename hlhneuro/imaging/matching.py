"""Matching two brains: registration from more than one start, and a verdict on what was found."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from hlhneuro.imaging.registration import Match, best_start, centre_of, in_reverse, register_rigid
from hlhneuro.imaging.resampling import resample
from hlhneuro.imaging.series import RegistrationQuality
from hlhneuro.imaging.transforms import AffineTransform
from hlhneuro.imaging.volumes import Volume
from hlhneuro.settings import MatchSettings

__all__ = ["judge", "match_brains"]

BoolImage = NDArray[np.bool_]
# Two coarse levels first. On the coarser, thick slices of unlike contrasts can lose each other: then without it.
_PYRAMIDS = ("100x50", "100")


def match_brains(
    fixed: Volume, moving: Volume, fixed_brain: BoolImage, moving_brain: BoolImage, limits: MatchSettings
) -> Match:
    """Find the rigid transform that brings one brain onto another.

    Begins where the scanner's coordinates put the images. If what is found cannot be accepted, the brains are put
    centre on centre, then the coarsest level is left out, then one is turned about each axis. Exchanged images give
    the inverse transform.

    Parameters
    ----------
    fixed, moving : Volume
        Isotropic RAS+ working images of any two contrasts.
    fixed_brain, moving_brain : bool arrays
        The brain on each.
    limits : MatchSettings

    Returns
    -------
    Match
        The first that can be accepted, else the one whose edges agree best. If its images look mirrored, it says so.
    """
    if in_reverse(fixed, moving):
        found = match_brains(moving, fixed, moving_brain, fixed_brain, limits)
        return replace(found, transform=found.transform.inverse())
    tried: list[Match] = []
    for start, pyramid in _plans(fixed, fixed_brain, moving, moving_brain, limits):
        tried.append(
            register_rigid(
                fixed,
                moving,
                fixed_brain,
                moving_brain,
                start=start,
                reach_mm=limits.registration_margin_mm,
                iterations=pyramid,
            )
        )
        if accepted := not _reasons(tried[-1], limits):
            break
    best = tried[-1] if accepted else max(tried, key=lambda m: (np.nan_to_num(m.detail, nan=-1.0), m.overlap))
    # The halves of a brain are so alike that a mirrored image may just pass.
    if accepted and not best.detail < limits.doubtful_detail:
        return best
    return replace(best, mirrored=_fits_mirrored(best, fixed, moving, fixed_brain, moving_brain, limits))


def _plans(
    fixed: Volume, fixed_brain: BoolImage, moving: Volume, moving_brain: BoolImage, limits: MatchSettings
) -> Iterator[tuple[AffineTransform, str]]:
    """Yield where to begin and with which pyramid, the likeliest first; what comes late is only worked out if asked."""
    identity = AffineTransform.identity()
    carried = resample(moving_brain, moving.grid, fixed.grid, identity, "linear") > 0.5
    overlap = 2 * float((carried & fixed_brain).sum()) / float(carried.sum() + fixed_brain.sum())
    centres = [centre_of(fixed, fixed_brain), centre_of(moving, moving_brain)]
    centred = AffineTransform.translation(centres[0] - centres[1])
    yield from (
        (start, _PYRAMIDS[0]) for start in ([identity, centred] if overlap > limits.start_overlap else [centred])
    )
    yield centred, _PYRAMIDS[1]
    turned = [
        centred.after(_turn(sign * limits.start_turn_deg * axis, centres[1])) for axis in np.eye(3) for sign in (1, -1)
    ]
    yield best_start(fixed, moving, fixed_brain, moving_brain, turned), _PYRAMIDS[0]


def _turn(degrees: NDArray[np.float64], centre_mm: NDArray[np.float64]) -> AffineTransform:
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_rotvec(np.deg2rad(degrees)).as_matrix()
    matrix[:3, 3] = centre_mm - matrix[:3, :3] @ centre_mm
    return AffineTransform(matrix)


def _fits_mirrored(
    found: Match, fixed: Volume, moving: Volume, fixed_brain: BoolImage, moving_brain: BoolImage, limits: MatchSettings
) -> bool:
    """Return whether the moving image fits, and fits better, if left and right are exchanged in it."""
    turned = replace(moving, data=np.ascontiguousarray(moving.data[::-1]))
    brain = np.ascontiguousarray(moving_brain[::-1])
    start = AffineTransform.translation(centre_of(fixed, fixed_brain) - centre_of(turned, brain))
    other = register_rigid(fixed, turned, fixed_brain, brain, start=start, reach_mm=limits.registration_margin_mm)
    return not _reasons(other, limits) and not other.detail <= found.detail


def judge(match: Match, moving: str, fixed: str, limits: MatchSettings) -> RegistrationQuality:
    """Say whether a registration can be relied on, and why."""
    measured = f"mutual information {match.similarity:.3f}"
    if np.isfinite(match.null_similarity):
        measured += f" ({match.null_similarity:.3f} by chance)"
    measured += f", brain Dice {match.overlap:.2f}"
    if np.isfinite(match.detail):
        measured += f", edges agree {100 * match.detail:.0f} % better than displaced"
    if np.isfinite(match.inverse_consistency_mm):
        measured += f", both coarse searches agree to {match.inverse_consistency_mm:.2f} mm"
    reasons = _reasons(match, limits)
    return RegistrationQuality(
        moving,
        fixed,
        match.similarity,
        match.overlap,
        match.inverse_consistency_mm,
        not reasons,
        "; ".join(reasons) or measured,
        match.null_similarity,
        match.detail,
    )


def _reasons(match: Match, limits: MatchSettings) -> list[str]:
    """Return why a registration cannot be accepted, in plain words; what was not measured is no reason."""
    if match.mirrored:
        return ["the image looks mirrored left to right (it fits when its sides are exchanged); check its header"]
    reasons = []
    chance = match.null_similarity - 1 if np.isfinite(match.null_similarity) else 0.0
    if match.similarity - chance < limits.lowest_similarity:
        reasons.append(
            f"the images share too little (mutual information {match.similarity:.3f}, {1 + chance:.3f} by chance)"
        )
    if match.overlap < limits.lowest_overlap:
        reasons.append(f"the brains do not overlap (Dice {match.overlap:.2f}, at least {limits.lowest_overlap:.2f})")
    if match.detail < limits.lowest_detail:
        reasons.append(
            f"the folds of the two brains do not fit: edges agree {100 * match.detail:.0f} % better than after a shift "
            f"of a few millimetres, one person's images at least {100 * limits.lowest_detail:.0f} %; these may be "
            "images of two different people"
        )
    if match.inverse_consistency_mm > limits.largest_inverse_gap_mm:
        reasons.append(f"the coarse searches in both directions differ by {match.inverse_consistency_mm:.1f} mm")
    return reasons
