"""Sessions that were given their place in subject space, and the mean of their brains there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hlhneuro.imaging.resampling import coverage, resample
from hlhneuro.imaging.series import PreparedSession
from hlhneuro.imaging.transforms import AffineTransform
from hlhneuro.imaging.volumes import Grid, Volume
from hlhneuro.settings import AlignSettings

__all__ = ["Placed", "covering", "mean_brain"]

BoolImage = NDArray[np.bool_]


@dataclass(frozen=True)
class Placed:
    """A session and the rigid transform of its reference's points to subject space."""

    session: PreparedSession
    to_subject: AffineTransform

    def of(self, contrast: str) -> AffineTransform:
        """Return the transform of that contrast's points."""
        return self.to_subject.after(self.session.to_reference[contrast])


def mean_brain(placed: Sequence[Placed], edge: float, settings: AlignSettings) -> tuple[str, Volume, BoolImage]:
    """Return the mean brain-only image of the contrast that is most like the template's, and the brain mask."""
    name = template_contrast(placed, settings)
    having = [p for p in placed if name in p.session.volumes]
    grid = covering([(p, name) for p in having], edge, 0.0)
    total, weight, inside = (np.zeros(grid.shape, dtype=np.float32) for _ in range(3))
    for p in having:
        volume, mask, back = p.session.volumes[name], p.session.brain_masks[name], p.of(name).inverse()
        level = float(np.median(volume.data[mask]))
        seen = coverage(volume.grid, grid, back)
        total += resample(volume.data, volume.grid, grid, back, "linear") / level
        inside += resample(mask, volume.grid, grid, back, "linear")
        weight += seen
    shared = np.maximum(weight, 1)
    brain = inside / shared > 0.5
    image = np.where(brain, total / shared, 0).astype(np.float32)
    return name, Volume(image, grid.affine, name), brain


def template_contrast(placed: Sequence[Placed], settings: AlignSettings) -> str:
    """Return T1w if any session has it (the template is T1-weighted), else the reference of the first session."""
    for name in ("T1w", *settings.reference_order):
        if any(name in p.session.volumes for p in placed):
            return name
    return placed[0].session.reference


def covering(images: Sequence[tuple[Placed, str]], edge: float, margin_mm: float) -> Grid:
    """Return the isotropic grid in subject space that holds the brain of all these images."""
    corners = []
    for p, name in images:
        volume, mask = p.session.volumes[name], p.session.brain_masks[name]
        points = p.of(name).map(AffineTransform(volume.affine).map(np.argwhere(mask)[::5]))
        corners += [points.min(axis=0), points.max(axis=0)]
    low = np.floor((np.min(corners, axis=0) - margin_mm) / edge + 1e-6)
    high = np.ceil((np.max(corners, axis=0) + margin_mm) / edge - 1e-6)
    affine = np.diag([edge, edge, edge, 1.0])
    affine[:3, 3] = low * edge
    x, y, z = (int(n) + 1 for n in high - low)
    return Grid((x, y, z), affine)
