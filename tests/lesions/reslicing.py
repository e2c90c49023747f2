"""A real brain scanned twice: one session re-sliced by two rigid motions with fresh noise, with known lesions added."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from hlhneuro.imaging.alignment import AlignedSeries
from tests.lesions.known import LESION, _scan, _sessions

LOG_MEAN_ML, LOG_SD, SMALLEST_ML, LARGEST_ML = np.log(0.12), 1.2, 0.03, 5.0  # most changes are small
CONTRASTS = (0.1, 0.5)  # FLAIR, of white matter
KINDS = ("new",) * 12 + ("resolved",) * 6 + ("enlarged",) * 4 + ("shrunk",) * 3


@dataclass(frozen=True)
class Rescanned:
    """Two sessions of one brain, and what is true of them.

    `share` holds how much of each voxel is added lesion at either session; `places` the voxels that changed, by lesion.
    """

    series: AlignedSeries
    share: tuple[np.ndarray, np.ndarray]
    kinds: tuple[str, ...]
    places: tuple[np.ndarray, ...]

    @property
    def net_ml(self) -> float:
        voxel_ml = self.series.grid.voxel_volume_ml
        return float((self.share[1] - self.share[0]).sum(dtype=float) * voxel_ml)


def rescan(source: AlignedSeries, seed: int, *, slice_mm: float, kinds: tuple[str, ...] = KINDS) -> Rescanned:
    """Add lesions that change to the first session of a series, and scan it twice."""
    session, grid = source.sessions[0], source.grid
    rng = np.random.default_rng([seed, 8])
    names = tuple(name for name in ("FLAIR", "T1w", "T2w") if name in session.volumes)
    images = [{name: session.volumes[name].data.copy() for name in names} for _ in range(2)]
    share = (np.zeros(grid.shape, np.float32), np.zeros(grid.shape, np.float32))
    free = (source.template_maps["wm"] > 0.6) & (ndimage.distance_transform_edt(source.brain_mask) > 5)
    free &= np.abs(ndimage.gaussian_filter(session.volumes["FLAIR"].data, 1.0) - 1) < 0.25  # no lesion there yet
    places = []
    for kind in kinds:
        volume_ml = float(np.clip(np.exp(rng.normal(LOG_MEAN_ML, LOG_SD)), SMALLEST_ML, LARGEST_ML))
        contrast = float(rng.uniform(*CONTRASTS))
        left = rng.uniform(0.3, 0.75) if kind in ("enlarged", "shrunk") else 0.0
        where = np.argwhere(free)
        centre = where[rng.integers(len(where))]
        balls = [_ball(grid, centre, volume_ml * part) for part in (left, 1.0)]
        free &= ~ndimage.binary_dilation(balls[1] > 0, iterations=6)
        pair = balls[::-1] if kind in ("resolved", "shrunk") else balls
        for n, ball in enumerate(pair):
            np.maximum(share[n], ball, out=share[n])
            for name in names:
                images[n][name] += np.float32(LESION[name] * contrast) * ball
        places.append(np.abs(pair[1] - pair[0]) > 0.5)
    labels = ["01", "02"]
    scans = {
        (label, name): _scan(data, grid, name, slice_mm, 1.0, rng)
        for label, found in zip(labels, images, strict=True)
        for name, data in found.items()
    }
    sessions = _sessions(scans, labels, names, source)
    series = AlignedSeries(grid, sessions, source.brain_mask, source.to_template, source.template_maps)
    return Rescanned(series, share, kinds, tuple(places))


def _ball(grid, centre: np.ndarray, volume_ml: float) -> np.ndarray:
    """Return the part of each voxel that lies in a ball; none if it has no volume."""
    radius = (3 * volume_ml * 1000 / (4 * np.pi)) ** (1 / 3)
    if not volume_ml:
        return np.zeros(grid.shape, np.float32)
    index = np.ogrid[tuple(map(slice, grid.shape))]
    distance = np.sqrt(sum(((i - c) * s) ** 2 for i, c, s in zip(index, centre, grid.voxel_size_mm, strict=True)))
    return np.clip((radius - distance) / grid.mean_edge_mm + 0.5, 0, 1).astype(np.float32)
