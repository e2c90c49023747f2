"""Where a spectroscopy voxel is put, and which water it holds there."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from hlhneuro.imaging.transforms import AffineTransform
from hlhneuro.phantom.anatomy import Head
from hlhneuro.phantom.lesions import LesionMap
from hlhneuro.phantom.physics import LESION_STATES, tissue
from hlhneuro.phantom.scanner import rigid
from hlhneuro.phantom.spectra import VoxelPlan, VoxelWater

__all__ = ["place_voxel", "voxel_fractions", "voxel_water"]

# Points per edge at which the voxel's content is looked up.
POINTS_PER_EDGE = 16


def place_voxel(head: Head, to_truth: AffineTransform, plan: VoxelPlan) -> NDArray[np.float64]:
    """Return the voxel's affine: from a unit cube around index (0, 0, 0) to scanner space, RAS+ millimetres."""
    gap = head.template_mm - np.array(plan.centre_mm, dtype=np.float32)[:, None, None, None]
    nearest = np.unravel_index(int(np.argmin(np.sum(gap**2, axis=0))), head.grid.shape)
    centre = head.grid.affine[:3, :3] @ np.array(nearest, dtype=float) + head.grid.affine[:3, 3]
    affine = rigid(np.array(plan.rotation_deg), np.zeros(3)).matrix @ np.diag([*plan.size_mm, 1.0])
    affine[:3, 3] = to_truth.inverse().map(centre)
    return affine


def voxel_fractions(
    head: Head, lesions: LesionMap, to_truth: AffineTransform, affine: NDArray[np.float64]
) -> dict[str, float]:
    """Return the volume fractions of tissues and lesion states in the voxel's box.

    Parameters
    ----------
    head : Head
    lesions : LesionMap
        Of the session.
    to_truth : AffineTransform
        From scanner space to the truth grid's space.
    affine : array, shape (4, 4)
        See `place_voxel`.
    """
    edge = (np.arange(POINTS_PER_EDGE) + 0.5) / POINTS_PER_EDGE - 0.5
    unit = np.stack(np.meshgrid(edge, edge, edge, indexing="ij"), axis=-1).reshape(-1, 3)
    points = to_truth.map(AffineTransform(affine).map(unit))
    index = AffineTransform(np.asarray(np.linalg.inv(head.grid.affine), dtype=np.float64)).map(points).T

    def mean(image: NDArray[np.float32]) -> float:
        return float(ndimage.map_coordinates(image, index, order=1).mean())

    healthy = np.float32(1) - lesions.total
    found = {name: mean(fraction * healthy) for name, fraction in head.fractions.items()}
    for state in LESION_STATES:
        found[state] = sum(mean(part) for (kind, _), part in lesions.fractions.items() if kind == state)
    return {name: value for name, value in found.items() if value > 0}


def voxel_water(volume_fractions: dict[str, float], field_t: float) -> VoxelWater:
    """Weigh volume fractions with water content; tissues without visible water do not count."""
    names = [name for name in volume_fractions if name in ("gm", "wm", "csf", *LESION_STATES)]
    water = {name: volume_fractions[name] * tissue(name, field_t).water for name in names}
    total = sum(water.values())
    relaxation = {name: (tissue(name, field_t).t1_s, tissue(name, field_t).t2_s) for name in names}
    return VoxelWater({name: amount / total for name, amount in water.items()}, relaxation)
