"""Lesions as things: one identity over all sessions, and what became of each from session to session."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    flowed_together, fell_apart : tuple of bool array
        Per interval between consecutive sessions: whether one piece of the lesion after overlaps several before, and
        whether one before overlaps several after. Read backwards, the two exchange.
    """

    identities: tuple[NDArray[np.int32], ...]
    parts: tuple[NDArray[np.int64], ...]
    voxels: tuple[NDArray[np.int64], ...]
    flowed_together: tuple[NDArray[np.bool_], ...] = ()
    fell_apart: tuple[NDArray[np.bool_], ...] = ()

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
    labelled = [ndimage.label(mask, structure=CUBE)[0].astype(np.int32) for mask in masks]
    counts = [int(labels.max(initial=0)) for labels in labelled]
    offsets = np.cumsum([0, *counts])
    overlaps = {(i, j): _overlaps(labelled[i], labelled[j]) for j in range(len(labelled)) for i in range(j)}
    group = _groups(overlaps, offsets)
    rank = _ranks(labelled, group, offsets)
    numbers = [np.concatenate(([0], rank[group[offsets[i] : offsets[i + 1]]])) for i in range(len(labelled))]
    size = len(rank) + 1
    identities = tuple(number.astype(np.int32)[labels] for number, labels in zip(numbers, labelled, strict=True))
    parts = tuple(np.bincount(number[1:], minlength=size) for number in numbers)
    voxels = [np.bincount(image.ravel(), minlength=size) for image in identities]
    for sizes in voxels:
        sizes[0] = 0
    steps = [(overlaps[i, i + 1], numbers[i], numbers[i + 1]) for i in range(len(labelled) - 1)]
    together = tuple(_several(pairs[1], after, size) for pairs, _, after in steps)
    apart = tuple(_several(pairs[0], before, size) for pairs, before, _ in steps)
    return Tracks(identities, parts, tuple(voxels), together, apart)


def _overlaps(first: NDArray[np.int32], second: NDArray[np.int32]) -> NDArray[np.int64]:
    """Return the pairs of pieces that share a voxel, each once; shape (2, pairs), labels from 1."""
    both = (first > 0) & (second > 0)
    return np.unique(np.stack((first[both], second[both])).astype(np.int64), axis=1)


def _groups(overlaps: Mapping[tuple[int, int], NDArray[np.int64]], offsets: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the group that each piece of each session belongs to, all sessions after one another."""
    total = int(offsets[-1])
    if not total:
        return np.zeros(0, np.int64)
    links = [pairs - 1 + offsets[[i, j]][:, None] for (i, j), pairs in overlaps.items()]
    edges = np.concatenate([np.zeros((2, 0), np.int64), *links], axis=1)
    graph = coo_array((np.ones(edges.shape[1]), (edges[0], edges[1])), shape=(total, total))
    group: NDArray[np.int64] = connected_components(graph, directed=False)[1].astype(np.int64)
    return group


def _ranks(
    labelled: Sequence[NDArray[np.int32]], group: NDArray[np.int64], offsets: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return the number of each group, from 1 by the position of its first voxel at any session."""
    first_voxel = np.full(int(group.max(initial=-1)) + 1, np.iinfo(np.int64).max)
    for i, labels in enumerate(labelled):
        where = np.flatnonzero(labels)
        np.minimum.at(first_voxel, group[offsets[i] + labels.ravel()[where] - 1], where)
    rank = np.empty(len(first_voxel), np.int64)
    rank[np.argsort(first_voxel)] = np.arange(1, len(first_voxel) + 1)
    return rank


def _several(linked: NDArray[np.int64], numbers: NDArray[np.int64], size: int) -> NDArray[np.bool_]:
    """Say whether each lesion has a piece that occurs more than once among the linked ones."""
    found = np.zeros(size, bool)
    found[numbers[np.bincount(linked, minlength=len(numbers)) > 1]] = True
    return found


def lesion_status(tracks: Tracks, lesion: int, session: int, change_ml: float, limit_ml: float) -> str:
    """Say what became of a lesion since the session before.

    Parameters
    ----------
    tracks : Tracks
    lesion, session : int
        The lesion's number; the place of the later session, 0 for the first.
    change_ml, limit_ml : float
        Change of its volume, and the smallest that is no error.

    Returns
    -------
    str
        ``first`` at the first session. From nothing to something: ``new``, or ``reappeared`` if it was there at any
        session before; from something to nothing: ``resolved``. Pieces that overlap one and the same piece of the other
        session: ``merged`` or ``split`` (if both happened, what the number of pieces says); its volume is in the
        table beside. Else ``enlarged`` or ``shrunk`` beyond the error, or ``stable``. Read backwards, merged and split,
        enlarged and shrunk exchange, and so do resolved and, together, new and reappeared.
    """
    if session == 0:
        return "first"
    was, is_now = (bool(tracks.voxels[i][lesion]) for i in (session - 1, session))
    if not was:
        seen = any(tracks.voxels[i][lesion] for i in range(session - 1))
        return "reappeared" if seen else "new"
    if not is_now:
        return "resolved"
    together, apart = (bool(flags[session - 1][lesion]) for flags in (tracks.flowed_together, tracks.fell_apart))
    if together and apart:
        gained = int(tracks.parts[session][lesion] - tracks.parts[session - 1][lesion])
        together, apart = gained < 0, gained > 0
    if together or apart:
        return "merged" if together else "split"
    if abs(change_ml) <= limit_ml:
        return "stable"
    return "enlarged" if change_ml > 0 else "shrunk"
