"""Matching two brains: registration from more than one start, and a verdict on what was found."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hlhneuro.imaging.brain import dilate
from hlhneuro.imaging.registration import Match, compare, register_rigid
from hlhneuro.imaging.resampling import resample
from hlhneuro.imaging.series import RegistrationQuality
from hlhneuro.imaging.transforms import AffineTransform
from hlhneuro.imaging.volumes import Grid, Volume

__all__ = ["Limits", "judge", "match_brains"]

BoolImage = NDArray[np.bool_]
# The whole pyramid first. On its coarsest level thick slices of unlike contrasts can lose each other: then without it.
_PYRAMIDS = ("100x50x10", "100x20")


class Limits(Protocol):
    """The settings by which a registration is judged."""

    @property
    def registration_margin_mm(self) -> float: ...  # noqa: D102
    @property
    def lowest_similarity(self) -> float: ...  # noqa: D102
    @property
    def lowest_overlap(self) -> float: ...  # noqa: D102
    @property
    def largest_inverse_gap_mm(self) -> float: ...  # noqa: D102


def match_brains(
    fixed: Volume, moving: Volume, fixed_brain: BoolImage, moving_brain: BoolImage, limits: Limits
) -> Match:
    """Find the rigid transform that brings one brain onto another.

    Begins where the scanner's coordinates put the images; if what is found cannot be accepted, the coarsest level is
    left out, and then the brains are put centre on centre.

    Parameters
    ----------
    fixed, moving : Volume
        Isotropic RAS+ working images of any two contrasts.
    fixed_brain, moving_brain : bool arrays
        The brain on each.
    limits : Limits

    Returns
    -------
    Match
        The first that can be accepted, else the one whose brains overlap best.
    """
    edge = fixed.grid.voxel_size_mm[0]
    wide = [dilate(brain, limits.registration_margin_mm, edge) for brain in (fixed_brain, moving_brain)]
    tried: list[Match] = []
    for start in _starts(fixed.grid, fixed_brain, moving.grid, moving_brain):
        for pyramid in _PYRAMIDS:
            found = register_rigid(fixed, moving, wide[0], wide[1], start=start, iterations=pyramid)
            similarity, overlap = compare(fixed, moving, fixed_brain, moving_brain, found.transform)
            tried.append(replace(found, similarity=similarity, overlap=overlap))
            if judge(tried[-1], "", "", limits).accepted:
                return tried[-1]
    return max(tried, key=lambda match: match.overlap)


def _starts(
    fixed: Grid, fixed_mask: BoolImage, moving: Grid, moving_mask: BoolImage, close: float = 0.5
) -> list[AffineTransform]:
    """Return where to begin: the scanner's coordinates if the masks overlap there, and centre on centre."""
    identity = AffineTransform.identity()
    carried = resample(moving_mask, moving, fixed, identity, "linear") > 0.5
    overlap = 2 * float((carried & fixed_mask).sum()) / float(carried.sum() + fixed_mask.sum())
    places = ((fixed, fixed_mask), (moving, moving_mask))
    centres = [AffineTransform(grid.affine).map(np.argwhere(mask).mean(axis=0)) for grid, mask in places]
    centred = AffineTransform.translation(centres[0] - centres[1])
    return [identity, centred] if overlap > close else [centred]


def judge(match: Match, moving: str, fixed: str, limits: Limits) -> RegistrationQuality:
    """Say whether a registration can be relied on, and why."""
    gap = match.inverse_consistency_mm
    reasons = []
    if match.similarity < limits.lowest_similarity:
        reasons.append(f"the images share too little (mutual information {match.similarity:.3f})")
    if match.overlap < limits.lowest_overlap:
        reasons.append(f"the brains do not overlap (Dice {match.overlap:.2f})")
    if gap > limits.largest_inverse_gap_mm:
        reasons.append(f"both directions differ by {gap:.1f} mm")
    measured = f"mutual information {match.similarity:.3f}, brain Dice {match.overlap:.2f}"
    if np.isfinite(gap):
        measured += f", both directions agree to {gap:.2f} mm"
    reason = "; ".join(reasons) or measured
    return RegistrationQuality(moving, fixed, match.similarity, match.overlap, gap, not reasons, reason)
