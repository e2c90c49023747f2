"""Where several sessions meet: pairwise rigid transforms reconciled into one midspace that prefers no session."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from hlhneuro.imaging.transforms import AffineTransform, mean_rigid, rigid_exp, rigid_log

__all__ = ["largest_group", "pairs_to_match", "reconcile"]


def pairs_to_match(count: int, neighbours: int) -> list[tuple[int, int]]:
    """Return which sessions are matched: each with so many on either side, the last beside the first.

    Every session has as many partners as the others, and the work grows with the number of sessions, not with its
    square. Up to ``2 * neighbours + 1`` sessions that is every pair.
    """
    ring = {(n, (n + step) % count) for n in range(count) for step in range(1, neighbours + 1)}
    return sorted({(min(pair), max(pair)) for pair in ring if pair[0] != pair[1]})


def largest_group(images: Sequence[int], links: Mapping[tuple[int, int], AffineTransform]) -> list[int]:
    """Return the largest set of sessions that are linked to each other, directly or through others.

    Parameters
    ----------
    images : sequence of int
        How many images each session has: of two sets with as many sessions, the one with more images is taken.
    links : mapping
        Pairs of sessions that were matched.
    """
    groups: list[set[int]] = [{n} for n in range(len(images))]
    for i, j in links:
        joined = [group for group in groups if group & {i, j}]
        groups = [*(group for group in groups if not group & {i, j}), {n for group in joined for n in group}]
    largest = min(groups, key=lambda group: (-len(group), -sum(images[n] for n in group), min(group)))
    return sorted(largest)


def reconcile(members: list[int], links: Mapping[tuple[int, int], AffineTransform]) -> dict[int, AffineTransform]:
    """Return the rigid transform of each session's points to the midspace.

    The midspace is where the logarithms of all these transforms sum to zero, so that every image is moved as little as
    the others. Where transforms around a loop disagree, the sum of squares of what they disagree by is least: each
    session lies at the mean of what its partners say.

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
    placed = {members[0]: AffineTransform.identity()}
    while len(placed) < len(members):
        i, j = next((i, j) for i, j in sorted(both) if i not in placed and j in placed and i in members)
        placed[i] = placed[j].after(both[i, j])
    inner = sorted((i, j) for i, j in links if i in placed and j in placed)
    # One row a link: the step of its first session less that of its second is what the link still lacks.
    rows = np.zeros((len(inner), len(members)))
    for row, (i, j) in zip(rows, inner, strict=True):
        row[members.index(i)], row[members.index(j)] = 1, -1
    spread = np.linalg.pinv(rows)
    for _ in range(20 if len(members) > 2 else 0):
        gaps = [rigid_log(placed[j].after(links[i, j]).after(placed[i].inverse()).matrix) for i, j in inner]
        steps = np.tensordot(spread, np.array(gaps), axes=1)
        placed = {i: AffineTransform(rigid_exp(steps[n]) @ placed[i].matrix) for n, i in enumerate(members)}
        if np.abs(steps).max() < 1e-12:
            break
    back = mean_rigid([placed[i] for i in members]).inverse()
    return {i: back.after(placed[i]) for i in members}
