"""Brain masks: found on a coarse isotropic copy by the dark gap around the brain, agreed between contrasts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi

from hlhneuro.imaging._engine import one_thread, sitk
from hlhneuro.imaging.volumes import FloatImage, Volume
from hlhneuro.settings import PrepareSettings

__all__ = [
    "agree",
    "box_around",
    "close",
    "dilate",
    "erode",
    "is_extracted",
    "largest_piece",
    "rough_brain",
    "signed_distance_mm",
]

BoolImage = NDArray[np.bool_]


def rough_brain(image: Volume, settings: PrepareSettings) -> BoolImage:
    """Return the brain on an isotropic working image of a head or of an extracted brain.

    Bright tissue is cut from scalp and marrow by an opening with a ball, the largest piece is kept, and sulci and
    ventricles are closed. Works where brain is brighter than the gap around it: T1, T2 and FLAIR weighting.
    """
    data = image.data
    edge = image.grid.voxel_size_mm[0]
    threshold = settings.brain_threshold * otsu(np.clip(data, 0, np.percentile(data, 99.5)))
    tissue = data > threshold
    core = largest_piece(erode(tissue, settings.brain_opening_mm, edge))
    brain = dilate(core, settings.brain_opening_mm, edge) & (data > 0)
    return close(brain, settings.brain_closing_mm, edge)


def is_extracted(image: Volume, settings: PrepareSettings) -> bool:
    """Return whether the background of an image is exactly zero and what is left is no larger than a brain.

    A head whose air was set to zero, or that was defaced, still has scalp and neck: about twice a brain.
    """
    kept = image.data != 0
    if 1 - float(kept.mean()) < settings.extracted_zero_fraction:
        return False
    piece = largest_piece(kept)
    volume_ml = float(np.count_nonzero(piece)) * image.grid.voxel_volume_ml
    box = [np.flatnonzero(piece.any(axis=tuple(a for a in range(3) if a != axis))) for axis in range(3)]
    if volume_ml > settings.extracted_largest_ml or piece.sum() < 0.9 * kept.sum():
        return False
    # A brain is rounder than a cut slab of a head: it does not reach the sides of the image.
    return not any(u[0] == 0 and u[-1] == n - 1 for u, n in zip(box, kept.shape, strict=True))


def agree(masks: Sequence[BoolImage], voxel_size_mm: float) -> BoolImage:
    """Return where masks of the same brain on the same grid agree: inside, by the median of their signed distances.

    One mask among three that leaks into the scalp is overruled.
    """
    if len(masks) == 1:
        return masks[0]
    middle = np.median([signed_distance_mm(mask, voxel_size_mm) for mask in masks], axis=0)
    return largest_piece(np.asarray(middle > 0))


def signed_distance_mm(mask: BoolImage, voxel_size_mm: float, limit_mm: float = 20.0) -> FloatImage:
    """Return the distance to the surface of a mask, positive inside, cut at a limit."""
    distance = np.full(mask.shape, -limit_mm, dtype=np.float32)
    if not mask.any():
        return distance
    box = box_around(mask, int(np.ceil(limit_mm / voxel_size_mm)) + 1)
    part = mask[box]
    inside = _voxels_to(~np.pad(part, 1))[1:-1, 1:-1, 1:-1]
    outside = _voxels_to(part)
    signed = np.where(part, inside - 0.5, 0.5 - outside) * voxel_size_mm
    distance[box] = np.clip(signed, -limit_mm, limit_mm)
    return distance


def erode(mask: BoolImage, radius_mm: float, voxel_size_mm: float) -> BoolImage:
    """Erode by a ball; the edge of the image counts as tissue going on, so that a cut field of view stays whole."""
    eroded = np.zeros_like(mask)
    if mask.any():
        box = box_around(mask, 1)
        part = mask[box]
        eroded[box] = part.all() or _voxels_to(~part) * voxel_size_mm > radius_mm
    return eroded


def dilate(mask: BoolImage, radius_mm: float, voxel_size_mm: float) -> BoolImage:
    """Dilate by a ball."""
    dilated = np.zeros_like(mask)
    if mask.any():
        box = box_around(mask, int(np.ceil(radius_mm / voxel_size_mm)) + 1)
        dilated[box] = _voxels_to(mask[box]) * voxel_size_mm <= radius_mm
    return dilated


def _voxels_to(mask: BoolImage) -> FloatImage:
    """Return how many voxel edges lie between each voxel and the nearest one of a mask that is not empty.

    References
    ----------
    Maurer CR, Qi R, Raghavan V. A linear time algorithm for computing exact Euclidean distance transforms of binary
    images in arbitrary dimensions. IEEE Trans Pattern Anal Mach Intell 2003; 25: 265-270.
    """
    with one_thread():
        signed = sitk.SignedMaurerDistanceMap(sitk.GetImageFromArray(mask.astype(np.uint8)), False, False, False)
        distance: FloatImage = np.maximum(sitk.GetArrayFromImage(signed), 0)
    return distance


def box_around(mask: BoolImage, room: int) -> tuple[slice, slice, slice]:
    """Return the box of a mask with some voxels of room: distances are only needed there, and cost by the voxel."""
    used = [np.flatnonzero(mask.any(axis=tuple(a for a in range(3) if a != axis))) for axis in range(3)]
    x, y, z = (slice(max(int(u[0]) - room, 0), int(u[-1]) + room + 1) for u in used)
    return x, y, z


def close(mask: BoolImage, radius_mm: float, voxel_size_mm: float) -> BoolImage:
    """Close gaps narrower than a ball and fill what is enclosed."""
    pad = int(np.ceil(radius_mm / voxel_size_mm)) + 1
    wide = ndi.binary_fill_holes(dilate(np.pad(mask, pad), radius_mm, voxel_size_mm))
    inner = (slice(pad, -pad),) * 3
    return erode(np.asarray(wide), radius_mm, voxel_size_mm)[inner] | mask


def largest_piece(mask: BoolImage) -> BoolImage:
    """Return the largest connected piece of a mask."""
    labels, count = ndi.label(mask)
    if count < 2:
        return mask
    piece: BoolImage = labels == int(np.bincount(labels.ravel())[1:].argmax()) + 1
    return piece


def otsu(values: FloatImage) -> float:
    """Return the threshold that best parts values into two classes.

    References
    ----------
    Otsu N. A threshold selection method from gray-level histograms. IEEE Trans Syst Man Cybern 1979; 9: 62-66.
    """
    counts, edges = np.histogram(values, 256)
    centres = (edges[1:] + edges[:-1]) / 2
    weight, moment = counts.cumsum(), (counts * centres).cumsum()
    between = (moment[-1] * weight / weight[-1] - moment) ** 2 / np.maximum(weight * (weight[-1] - weight), 1)
    return float(centres[int(between.argmax())])
