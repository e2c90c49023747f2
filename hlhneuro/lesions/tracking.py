"""Lesions as things: one identity over all sessions, and what became of each from session to session."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from hlhneuro.imaging.alignment import BoolImage

__all__ = ["Tracks", "lesion_status", "track_lesions"]

CUBE = np.ones((3, 3, 3))


@dataclass(frozen=True)
class Tracks:
    """Lesions followed over sessions.

    Parameters
    ----------
    identities : tuple of int32 array
        Per session: the lesion's number in each of its voxels, 0 elsewhere. Numbers run from 1.
    parts : tuple of int array
        Per session: how many separate pieces each lesion has; index is the lesion's number.
    voxels : tuple of int array
        Per session: its size in voxels.
    """

    identities: tuple[NDArray[np.int32], ...]
    parts: tuple[NDArray[np.int64], ...]
    voxels: tuple[NDArray[np.int64], ...]

    @property
    def count(self) -> int:
        """Number of lesions over all sessions."""
        return len(self.voxels[0]) - 1 if self.voxels else 0


def track_lesions(masks: Sequence[BoolImage]) -> Tracks:
    """Join the pieces of all sessions that overlap into lesions.

    Pieces are 26-connected. Two pieces are the same lesion if a chain of overlaps, between any two sessions, links
    them: what was two pieces and later one (confluence) is one lesion with two parts at first. Numbers follow the
    position of the lesion's first voxel, so they do not depend on the order of the sessions.

    References
    ----------
    Dworkin et al., AJNR 2018;39:626 (confluent lesions make counts of connected components unsafe).
    """
    labelled = [ndimage.label(mask, structure=CUBE) for mask in masks]
    offsets = np.cumsum([0, *(count for _, count in labelled)])
    total = int(offsets[-1])
    links: list[NDArray[np.int64]] = []
    for i, (first, _) in enumerate(labelled):
        for j, (second, _) in enumerate(labelled[:i]):
            both = (first > 0) & (second > 0)
            pair = np.stack((first[both] - 1 + offsets[i], second[both] - 1 + offsets[j])).astype(np.int64)
            links.append(np.unique(pair, axis=1))
    edges = np.concatenate(links, axis=1) if links else np.zeros((2, 0), np.int64)
    graph = coo_array((np.ones(edges.shape[1]), (edges[0], edges[1])), shape=(total, total))
    _, group = connected_components(graph, directed=False) if total else (0, np.zeros(0, np.int64))
    first_voxel = np.full(int(group.max()) + 1 if total else 0, np.iinfo(np.int64).max)
    for i, (labels, count) in enumerate(labelled):
        where = np.flatnonzero(labels)
        start = np.full(count, np.iinfo(np.int64).max)
        np.minimum.at(start, labels.ravel()[where] - 1, where)
        np.minimum.at(first_voxel, group[offsets[i] : offsets[i + 1]], start)
    rank = np.empty(len(first_voxel), np.int64)
    rank[np.argsort(first_voxel)] = np.arange(1, len(first_voxel) + 1)
    identities, parts, voxels = [], [], []
    for i, (labels, _) in enumerate(labelled):
        number = rank[group[offsets[i] : offsets[i + 1]]]
        image = np.concatenate(([0], number)).astype(np.int32)[labels]
        identities.append(image)
        parts.append(np.bincount(number, minlength=len(rank) + 1))
        voxels.append(np.bincount(image.ravel(), minlength=len(rank) + 1))
        voxels[-1][0] = 0
    return Tracks(tuple(identities), tuple(parts), tuple(voxels))


def lesion_status(
    before_ml: float,
    after_ml: float,
    before_sd_ml: float,
    after_sd_ml: float,
    before_parts: int,
    after_parts: int,
    coverage_factor: float,
) -> str:
    """Say what became of one lesion; a change of volume counts only beyond its error."""
    if before_ml == 0:
        return "new"
    if after_ml == 0:
        return "resolved"
    if after_parts < before_parts:
        return "merged"
    if after_parts > before_parts:
        return "split"
    change, error = after_ml - before_ml, coverage_factor * math.hypot(before_sd_ml, after_sd_ml)
    if abs(change) <= error:
        return "stable"
    return "enlarged" if change > 0 else "shrunk"
