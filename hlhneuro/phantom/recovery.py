"""Known lesions in a patient's own images: where they are put, and how they are painted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from hlhneuro.imaging.alignment import BoolImage
from hlhneuro.imaging.transforms import AffineTransform
from hlhneuro.imaging.volumes import FloatImage, Grid, Volume

__all__ = ["KnownLesion", "choose_places", "paint", "share_of"]

EDGE_MM = 2.5  # width over which a lesion fades out, as in the phantom (expert-set)
_SUBSAMPLES = 4  # per axis of a voxel: its share of lesion is right to a hundredth
_LEVEL_SIGMA_MM = 10.0  # white matter is never farther away, and the coil's field hardly changes over it (expert-set)


@dataclass(frozen=True)
class KnownLesion:
    """A ball of lesion that fades out at its edge: centre (subject space, RAS+ mm), volume, contrast.

    `contrast` is how much brighter than white matter (which is 1) it is on FLAIR.
    """

    number: int
    centre_mm: tuple[float, float, float]
    volume_ml: float
    contrast: float

    @property
    def radius_mm(self) -> float:
        """Distance from the centre at which half of a point is lesion."""
        return float((3000.0 * self.volume_ml / (4.0 * np.pi)) ** (1 / 3))


def choose_places(
    free: BoolImage,
    centres: BoolImage,
    grid: Grid,
    volumes_ml: Sequence[float],
    contrast: float,
    *,
    gap_mm: float,
    seed: int,
) -> tuple[KnownLesion, ...]:
    """Put balls of given volumes at random places, apart from each other.

    Parameters
    ----------
    free, centres : bool array on `grid`
        Where a lesion may be (all of it has to fit in), and where its centre may be.
    grid : Grid
    volumes_ml : sequence of float
        The largest finds its place first; those that find none are left out.
    contrast : float
        See `KnownLesion`.
    gap_mm : float
        Least distance between the outlines of two balls.
    seed : int

    Returns
    -------
    tuple of KnownLesion
        Numbered from 1 in the order of `volumes_ml`.
    """
    rng = np.random.default_rng([seed, 21])
    depth = ndimage.distance_transform_edt(np.pad(free, 1), sampling=grid.voxel_size_mm)[1:-1, 1:-1, 1:-1]
    to_mm = AffineTransform(grid.affine)
    found: list[KnownLesion] = []
    for at in sorted(range(len(volumes_ml)), key=lambda i: -volumes_ml[i]):
        lesion = KnownLesion(at + 1, (0.0, 0.0, 0.0), float(volumes_ml[at]), contrast)
        where = np.argwhere(centres & (depth > lesion.radius_mm))
        if not where.size:
            continue
        x, y, z = to_mm.map(where[rng.integers(len(where))].astype(float))
        lesion = KnownLesion(lesion.number, (float(x), float(y), float(z)), lesion.volume_ml, contrast)
        found.append(lesion)
        away = np.linalg.norm(grid.points_mm() - np.asarray(lesion.centre_mm), axis=-1)
        depth = np.minimum(depth, away - lesion.radius_mm - gap_mm)
    return tuple(sorted(found, key=lambda lesion: lesion.number))


def share_of(lesion: KnownLesion, points_mm: NDArray[np.floating]) -> FloatImage:
    """Return how much of each point, shape (.., 3) in subject space, is lesion."""
    away = np.linalg.norm(points_mm - np.asarray(lesion.centre_mm), axis=-1)
    share: FloatImage = np.clip((lesion.radius_mm - away) / EDGE_MM + 0.5, 0.0, 1.0).astype(np.float32)
    return share


def paint(
    volume: Volume, to_subject: AffineTransform, white: BoolImage, lesions: Sequence[KnownLesion], effect: float
) -> Volume:
    """Add lesions to an image in its own grid; each voxel gets its share, so that thick slices blur as they do.

    Parameters
    ----------
    volume : Volume
        As the scanner gave it.
    to_subject : AffineTransform
        Of points, from the image's space to subject space.
    white : bool array on the image's grid
        Normal white matter: what contrasts refer to, as bright as it is near the lesion.
    lesions : sequence of KnownLesion
    effect : float
        By what a lesion of FLAIR contrast 1 is brighter on this image (negative: darker), white matter being 1.

    Returns
    -------
    Volume
        With the step recorded.
    """
    level = _white_level(volume, white)
    data = volume.data.copy()
    to_mm = to_subject.after(AffineTransform(volume.affine))
    for lesion in lesions:
        box = _box(lesion, to_mm, data.shape)
        if box is not None:
            data[box] += np.float32(effect * lesion.contrast) * level[box] * _voxel_share(lesion, to_mm, box)
    return volume.stepped(data, "known_lesions", count=len(lesions), effect=effect)


def _white_level(volume: Volume, white: BoolImage) -> FloatImage:
    """Return the smooth brightness of white matter: its mean nearby, which follows the coil's field."""
    sigma = [_LEVEL_SIGMA_MM / edge for edge in volume.grid.voxel_size_mm]
    weight = ndimage.gaussian_filter(white.astype(np.float32), sigma)
    total = ndimage.gaussian_filter(np.where(white, volume.data, 0).astype(np.float32), sigma)
    typical = np.float32(np.median(volume.data[white]))
    level: FloatImage = np.where(weight > 1e-3, total / np.maximum(weight, 1e-3), typical).astype(np.float32)
    return level


def _box(lesion: KnownLesion, to_mm: AffineTransform, shape: tuple[int, ...]) -> tuple[slice, ...] | None:
    """Return the voxels that the lesion can reach; None if it lies outside the image."""
    back = to_mm.inverse()
    reach = lesion.radius_mm + EDGE_MM
    middle = back.map(np.asarray(lesion.centre_mm))
    spread = reach * np.linalg.norm(back.matrix[:3, :3], axis=1) + 1.0
    low = np.maximum(np.floor(middle - spread).astype(int), 0)
    high = np.minimum(np.ceil(middle + spread).astype(int) + 1, shape)
    if (low >= high).any():
        return None
    return tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))


def _voxel_share(lesion: KnownLesion, to_mm: AffineTransform, box: tuple[slice, ...]) -> FloatImage:
    """Return the mean share of lesion over each voxel of the box."""
    inner = (np.arange(_SUBSAMPLES) + 0.5) / _SUBSAMPLES - 0.5
    fine = [(np.arange(part.start, part.stop)[:, None] + inner).ravel() for part in box]
    index = np.stack(np.meshgrid(*fine, indexing="ij"), axis=-1)
    share = share_of(lesion, to_mm.map(index.reshape(-1, 3)).reshape(index.shape))
    blocks = [n for part in box for n in (part.stop - part.start, _SUBSAMPLES)]
    mean: FloatImage = share.reshape(blocks).mean(axis=(1, 3, 5))
    return mean
