"""Where several sessions meet: pairwise rigid transforms reconciled into one midspace that prefers no session."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from hlhneuro.imaging.transforms import AffineTransform, mean_rigid

__all__ = ["largest_group", "reconcile"]


def largest_group(count: int, links: Mapping[tuple[int, int], AffineTransform]) -> list[int]:
    """Return the largest set of sessions that are linked to each other, directly or through others."""
    groups: list[set[int]] = [{n} for n in range(count)]
    for i, j in links:
        joined = [group for group in groups if group & {i, j}]
        groups = [*(group for group in groups if not group & {i, j}), {n for group in joined for n in group}]
    largest: set[int] = min(groups, key=lambda group: (-len(group), min(group)))
    return sorted(largest)


def reconcile(members: list[int], links: Mapping[tuple[int, int], AffineTransform]) -> dict[int, AffineTransform]:
    """Return the rigid transform of each session's points to the midspace.

    The midspace is where the logarithms of all these transforms sum to zero, so that every image is moved as little as
    the others; where transforms around a loop disagree, each session moves to the mean of what its neighbours say.

    Parameters
    ----------
    members : list of int
        Sessions that the links connect.
    links : mapping
        ``links[i, j]`` maps points of session i to points of session j.

    References
    ----------
    Reuter M, Schmansky NJ, Rosas HD, Fischl B. Within-subject template estimation for unbiased longitudinal image
    analysis. NeuroImage 2012; 61: 1402-1418.
    """
    both = dict(links) | {(j, i): link.inverse() for (i, j), link in links.items()}
    anchor = members[0]
    placed = {anchor: AffineTransform.identity()}
    while len(placed) < len(members):
        i, j = next((i, j) for i, j in sorted(both) if i not in placed and j in placed and i in members)
        placed[i] = placed[j].after(both[i, j])
    for _ in range(200 if len(members) > 2 else 0):
        moved = {
            i: mean_rigid([placed[i], *(placed[j].after(both[i, j]) for j in members if (i, j) in both)])
            for i in members
        }
        step = max(float(np.abs(moved[i].matrix - placed[i].matrix).max()) for i in members)
        placed = moved
        if step < 1e-12:
            break
    back = mean_rigid([placed[i] for i in members]).inverse()
    return {i: back.after(placed[i]) for i in members}
