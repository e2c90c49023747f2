"""Sessions that were given their place in subject space, and the mean of their brains there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hlhneuro.imaging.registration import lattice_around
from hlhneuro.imaging.resampling import coverage, resample
from hlhneuro.imaging.series import PreparedSession
from hlhneuro.imaging.transforms import AffineTransform
from hlhneuro.imaging.volumes import FloatImage, Grid, Volume
from hlhneuro.settings import AlignSettings

__all__ = ["Placed", "covering", "mean_brain", "mean_image"]

BoolImage = NDArray[np.bool_]


@dataclass(frozen=True)
class Placed:
    """A session and the rigid transform of its reference's points to subject space."""

    session: PreparedSession
    to_subject: AffineTransform

    def of(self, contrast: str) -> AffineTransform:
        """Return the transform of that contrast's points."""
        return self.to_subject.after(self.session.to_reference[contrast])


def mean_brain(
    placed: Sequence[Placed], edge: float, order: Sequence[str], settings: AlignSettings
) -> tuple[str, Volume, BoolImage]:
    """Return the mean brain-only image of the first contrast in `order` that any session has, and the brain mask."""
    name = next(
        (name for name in (*order, *settings.reference_order) if any(name in p.session.volumes for p in placed)),
        placed[0].session.reference,
    )
    grid = covering([(p, name) for p in placed if name in p.session.volumes], edge, settings.margin_mm)
    image, brain = mean_image(placed, name, grid)
    return name, Volume(image, grid.affine, name), brain


def mean_image(placed: Sequence[Placed], name: str, grid: Grid) -> tuple[FloatImage, BoolImage]:
    """Return the mean of one contrast over the sessions that have it, zero outside the brain, and the brain."""
    total, weight, inside = (np.zeros(grid.shape, dtype=np.float32) for _ in range(3))
    for p in placed:
        if name not in p.session.volumes:
            continue
        volume, mask, back = p.session.volumes[name], p.session.brain_masks[name], p.of(name).inverse()
        level = float(np.median(volume.data[mask]))
        seen = coverage(volume.grid, grid, back)
        total += resample(volume.data, volume.grid, grid, back, "linear") / level
        inside += resample(mask, volume.grid, grid, back, "linear")
        weight += seen
    shared = np.maximum(weight, 1)
    brain = inside / shared > 0.5
    return np.where(brain, total / shared, 0).astype(np.float32), brain


def covering(images: Sequence[tuple[Placed, str]], edge: float, margin_mm: float) -> Grid:
    """Return the isotropic grid in subject space that holds the brain of all these images."""
    corners = []
    for p, name in images:
        volume, mask = p.session.volumes[name], p.session.brain_masks[name]
        points = p.of(name).map(AffineTransform(volume.affine).map(np.argwhere(mask)[::5]))
        corners += [points.min(axis=0), points.max(axis=0)]
    return lattice_around(np.array(corners), edge, margin_mm)
