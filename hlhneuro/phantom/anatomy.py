"""A child's head as tissue fractions: the MNI152 maps, scaled, warped to an individual shape, with skull and scalp."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from hlhneuro.imaging.volumes import FloatImage, Grid

__all__ = ["Head", "make_head", "smooth_field"]

# The part of the MNI152 grid that is built, in template millimetres: scalp on five sides, cut at the neck.
TEMPLATE_BOX_MM = ((-90.0, 90.0), (-125.0, 97.0), (-71.0, 98.0))

# Thickness of the layers outside the brain in millimetres. Skull: about 5 mm in early childhood (Li 2015, PLoS One
# 10:e0127322); the rest expert-set from clinical images.
CSF_MM, TABLE_MM, DIPLOE_MM, FAT_MM, SKIN_MM = 1.4, 1.4, 2.0, 3.6, 1.4
SKULL_END_MM = CSF_MM + 2 * TABLE_MM + DIPLOE_MM
SCALP_END_MM = SKULL_END_MM + FAT_MM + SKIN_MM

# Individual shape: standard deviation and spacing of the displacement, in millimetres (expert-set: visibly not the
# template, and invertible: the steepest gradient stays below one).
WARP_MM = ((2.6, 45.0), (0.9, 22.0))

# The template is an average of 152 brains; raising its probabilities to this power restores single-brain edges.
SHARPENING = 2.0
# Ventricles and fissures; what the average blurs away of the sulci comes back with this weight of fluid.
FLUID_WEIGHT = 1.25


@dataclass(frozen=True)
class Head:
    """Tissue fractions of one head on the truth grid.

    Parameters
    ----------
    grid : Grid
        The truth grid: isotropic, RAS+, the subject's own space.
    fractions : mapping of tissue name to float32 array
        See `hlhneuro.phantom.physics.TISSUES`; they sum to one in every voxel.
    template_mm : float32 array, shape (3, X, Y, Z)
        MNI152 position of every voxel.
    ventricle_distance_mm : float32 array
        Distance to the ventricles, in template millimetres.
    """

    grid: Grid
    fractions: Mapping[str, FloatImage]
    template_mm: FloatImage
    ventricle_distance_mm: FloatImage

    @property
    def brain(self) -> NDArray[np.bool_]:
        """Brain with its ventricles, without the fluid around it."""
        parenchyma = self.fractions["gm"] + self.fractions["wm"] > 0.5
        return parenchyma | (self.ventricle_distance_mm <= 0)


def smooth_field(
    shape: tuple[int, int, int], voxel_mm: tuple[float, float, float], spacing_mm: float, rng: np.random.Generator
) -> FloatImage:
    """Return a smooth random field of standard deviation near one.

    Parameters
    ----------
    shape : tuple of int
    voxel_mm : tuple of float
        Voxel edge lengths.
    spacing_mm : float
        Distance of the spline's control points.
    rng : Generator

    Returns
    -------
    float32 array of that shape
    """
    extent = [n * edge for n, edge in zip(shape, voxel_mm, strict=True)]
    control = rng.standard_normal([int(np.ceil(length / spacing_mm)) + 3 for length in extent])
    # The cubic spline is drawn on a grid of a quarter of the spacing and interpolated linearly from there: fast.
    medium = [max(2, int(np.ceil(length / spacing_mm * 4)) + 1) for length in extent]
    field = ndimage.map_coordinates(
        control, np.meshgrid(*(1.0 + np.arange(n) / 4 for n in medium), indexing="ij"), order=3, mode="nearest"
    )
    step = np.array([edge * 4 / spacing_mm for edge in voxel_mm])
    drawn: FloatImage = ndimage.affine_transform(
        field.astype(np.float32), step, output_shape=shape, order=1, mode="nearest"
    )
    # A cubic B-spline interpolant through white control points has a standard deviation of about 0.8.
    return drawn * np.float32(1.25)


@cache
def _template() -> tuple[FloatImage, FloatImage, FloatImage, FloatImage, NDArray[np.float64]]:
    """Return grey matter, white matter, distance outside the brain and distance to the ventricles, and the affine."""
    from nilearn import datasets  # a slow import, and only the generator needs it

    whole = datasets.load_mni152_template(resolution=1)
    gm = np.asarray(datasets.load_mni152_gm_template(resolution=1).dataobj, dtype=np.float32)
    wm = np.asarray(datasets.load_mni152_wm_template(resolution=1).dataobj, dtype=np.float32)
    affine = np.asarray(whole.affine, dtype=np.float64)
    mask = np.asarray(whole.dataobj) > 0
    outside = _brain_distance(mask)
    half = slice(None, None, 2)
    x, y, z = np.meshgrid(
        *(np.arange(n)[half] + affine[axis, 3] for axis, n in enumerate(mask.shape)), indexing="ij", sparse=True
    )
    central = (np.abs(x) < 46) & (y > -62) & (y < 42) & (z > -22) & (z < 34)
    fluid = central & (outside < -14) & ((gm + wm)[half, half, half] < 0.5)
    labels, _ = ndimage.label(fluid)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    # Smaller pools are sulci; 160 mm³ keeps both lateral ventricles and the third.
    ventricle = _signed_distance(np.isin(labels, np.flatnonzero(sizes > 20)), 2.0)
    return gm, wm, outside, ventricle, affine


def _signed_distance(mask: NDArray[np.bool_], voxel_mm: float) -> FloatImage:
    outside = ndimage.distance_transform_edt(~mask) - ndimage.distance_transform_edt(mask)
    shifted: FloatImage = ((outside - 0.5 * np.sign(outside)) * voxel_mm).astype(np.float32)
    return shifted


def _brain_distance(mask: NDArray[np.bool_]) -> FloatImage:
    """Distance outside the smoothed brain, on every second voxel, in millimetres (negative inside)."""
    half = np.pad(mask[::2, ::2, ::2], 6)
    ball = np.linalg.norm(np.indices((9, 9, 9)) - 4, axis=0) <= 4
    closed = ndimage.binary_closing(half, ball)[6:-6, 6:-6, 6:-6]
    smooth: FloatImage = ndimage.gaussian_filter(_signed_distance(closed, 2.0), 1.0)
    return smooth


def make_head(seed: int, *, brain_scale: float, voxel_mm: float = 1.0) -> Head:
    """Build one head.

    Parameters
    ----------
    seed : int
        The same seed gives the same head.
    brain_scale : float
        Linear size relative to the MNI152 average, whose brain is larger than a normal adult's: 0.90 to 0.92 gives the
        1.25 to 1.35 litres of a child of four, 0.92 to 0.95 those of a child of ten.
    voxel_mm : float
        Voxel size of the truth grid.

    Returns
    -------
    Head
    """
    rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, 1])))
    low, high = np.array(TEMPLATE_BOX_MM).T * brain_scale
    nx, ny, nz = (int(n) for n in np.ceil((high - low) / voxel_mm))
    affine = np.diag([voxel_mm, voxel_mm, voxel_mm, 1.0])
    affine[:3, 3] = low
    grid = Grid((nx, ny, nz), affine)
    points = _template_points(grid, brain_scale, rng)
    gm_map, wm_map, outside_map, ventricle_map, template_affine = _template()
    index = points - template_affine[:3, 3].astype(np.float32)[:, None, None, None]
    gm, wm = (ndimage.map_coordinates(image, index, order=1) for image in (gm_map, wm_map))
    distance, ventricle = (
        ndimage.map_coordinates(image, index / 2, order=1, mode="nearest") for image in (outside_map, ventricle_map)
    )
    thickness = np.exp(0.12 * smooth_field(grid.shape, grid.voxel_size_mm, 35.0, rng))
    texture = smooth_field(grid.shape, grid.voxel_size_mm, 9.0, rng)
    fractions = _brain_fractions(gm, wm)
    outer = _shells(points, distance * brain_scale / thickness, texture, voxel_mm)
    inside = np.clip(0.5 - distance / voxel_mm, 0.0, 1.0)
    combined = {name: (inside * fractions.get(name, 0.0) + (1 - inside) * outer.get(name, 0.0)) for name in outer}
    return Head(grid, {name: image.astype(np.float32) for name, image in combined.items()}, points, ventricle)


def _template_points(grid: Grid, brain_scale: float, rng: np.random.Generator) -> FloatImage:
    points: FloatImage = np.moveaxis(grid.points_mm(), -1, 0) / np.float32(brain_scale)
    for amplitude_mm, spacing_mm in WARP_MM:
        for axis in range(3):
            points[axis] += amplitude_mm * smooth_field(grid.shape, grid.voxel_size_mm, spacing_mm, rng)
    return points


def _brain_fractions(gm: FloatImage, wm: FloatImage) -> dict[str, FloatImage]:
    """Sharpen the averaged probabilities to those of a single brain; what is neither grey nor white is fluid."""
    fluid = np.clip(1.0 - gm - wm, 0.0, 1.0) * FLUID_WEIGHT
    powers = {"gm": gm**SHARPENING, "wm": wm**SHARPENING, "csf": fluid**SHARPENING}
    total = np.maximum(powers["gm"] + powers["wm"] + powers["csf"], 1e-6)
    return {name: power / total for name, power in powers.items()}


def _shells(points: FloatImage, distance_mm: FloatImage, texture: FloatImage, voxel_mm: float) -> dict[str, FloatImage]:
    """Fluid, skull, scalp, neck and face around the brain, as fractions that sum to one."""
    x, y, z = points
    head_mm = np.minimum(distance_mm - SCALP_END_MM, _neck_and_face_mm(x, y, z))

    def beyond(level_mm: FloatImage, edge_mm: float) -> FloatImage:
        soft: FloatImage = np.clip((level_mm - edge_mm) / voxel_mm + 0.5, 0.0, 1.0)
        return soft

    remaining = np.ones_like(distance_mm)
    layers: dict[str, FloatImage] = {"gm": np.zeros_like(distance_mm), "wm": np.zeros_like(distance_mm)}

    def take(name: str, share: FloatImage) -> None:
        nonlocal remaining
        layers[name] = layers.get(name, np.float32(0)) + remaining * share
        remaining = remaining * (1 - share)

    take("air", beyond(head_mm, 0.0))
    take("muscle", beyond(head_mm, -SKIN_MM))
    # The superior sagittal sinus: a tube along the midline, between brain and skull.
    tube = np.hypot(x, distance_mm - 2.5) - 2.6 + 100.0 * ((z < 5) & (y > -95))
    take("blood", 1 - beyond(tube.astype(np.float32), 0.0))
    take("csf", 1 - beyond(distance_mm, CSF_MM))
    take("bone", 1 - beyond(distance_mm, CSF_MM + TABLE_MM))
    take("marrow", 1 - beyond(distance_mm, CSF_MM + TABLE_MM + DIPLOE_MM))
    take("bone", 1 - beyond(distance_mm, SKULL_END_MM))
    for name, level_mm in _face_parts_mm(x, y, z).items():
        take(name, 1 - beyond(level_mm, 0.0))
    take("fat", beyond(head_mm, -SKIN_MM - FAT_MM))
    temporal = (z < 12) & (np.abs(x) > 35)
    take("fat", np.where(temporal | (z < -30), np.clip(texture - 0.6, 0, 0.8), 1.0).astype(np.float32))
    take("muscle", np.ones_like(remaining))
    return layers


def _ellipsoid_mm(
    x: FloatImage, y: FloatImage, z: FloatImage, centre: tuple[float, float, float], axes: tuple[float, float, float]
) -> FloatImage:
    """Approximate distance to the surface of an ellipsoid, mirrored to both sides (negative inside)."""
    radius = np.sqrt(
        ((np.abs(x) - centre[0]) / axes[0]) ** 2 + ((y - centre[1]) / axes[1]) ** 2 + ((z - centre[2]) / axes[2]) ** 2
    )
    level: FloatImage = ((radius - 1.0) * min(axes)).astype(np.float32)
    return level


def _neck_and_face_mm(x: FloatImage, y: FloatImage, z: FloatImage) -> FloatImage:
    """Soft parts below the skull: temporal muscle, neck and face."""
    neck = _ellipsoid_mm(x, y, z, (0.0, -42.0, -80.0), (56.0, 62.0, 75.0))
    face = _ellipsoid_mm(x, y, z, (0.0, 28.0, -62.0), (60.0, 58.0, 56.0))
    nose = _ellipsoid_mm(x, y, z, (0.0, 84.0, -52.0), (12.0, 14.0, 20.0))
    temples = _ellipsoid_mm(x, y, z, (58.0, 12.0, -28.0), (20.0, 52.0, 40.0))
    level: FloatImage = np.minimum(np.minimum(neck, face), np.minimum(nose, temples))
    return level


def _face_parts_mm(x: FloatImage, y: FloatImage, z: FloatImage) -> dict[str, FloatImage]:
    """Eyes (fluid), orbital fat and air-filled cavities."""
    eyes = _ellipsoid_mm(x, y, z, (31.0, 66.0, -38.0), (11.5, 11.5, 11.5))
    orbits = _ellipsoid_mm(x, y, z, (28.0, 52.0, -38.0), (16.0, 22.0, 15.0))
    nasal = _ellipsoid_mm(x, y, z, (5.0, 52.0, -54.0), (5.0, 30.0, 14.0))
    maxillary = _ellipsoid_mm(x, y, z, (27.0, 52.0, -66.0), (11.0, 13.0, 11.0))
    throat = _ellipsoid_mm(x, y, z, (0.0, 8.0, -74.0), (8.0, 8.0, 24.0))
    air = np.minimum(np.minimum(nasal, maxillary), throat)
    return {"csf": eyes, "fat": orbits, "air": air}
