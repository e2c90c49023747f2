"""How far a lesion volume, or its change, may be from the truth."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from hlhneuro.imaging.alignment import AlignedSession, BoolImage
from hlhneuro.imaging.volumes import Grid
from hlhneuro.settings import LesionSettings

__all__ = ["VolumeErrors", "border_sds", "mask_errors", "volume_errors"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class VolumeErrors:
    """Standard uncertainties of the lesion volumes of one session, in parts; index is the lesion's number, 0 unused.

    Parameters
    ----------
    fresh_ml : array
        What another scan would draw anew: how slices cut the surface, and noise along the border.
    kept_ml : array
        Of each lesion, but alike at every session: how well its border is told from its surroundings.
    common_ml : array
        Of all lesions and sessions alike: where a border is set.
    """

    fresh_ml: FloatArray
    kept_ml: FloatArray
    common_ml: FloatArray

    @property
    def lesion_sds_ml(self) -> FloatArray:
        """Standard uncertainty of the volume of each lesion."""
        total: FloatArray = np.sqrt(self.fresh_ml**2 + self.kept_ml**2 + self.common_ml**2)
        return total

    @property
    def border_sd_ml(self) -> float:
        """The part of the load's error that every session shares."""
        return math.hypot(float(np.sqrt((self.kept_ml**2).sum())), float(self.common_ml.sum()))

    @property
    def load_sd_ml(self) -> float:
        """Standard uncertainty of the sum of all volumes."""
        return math.hypot(float(np.sqrt((self.fresh_ml**2).sum())), self.border_sd_ml)

    def change_sds_ml(self, before: VolumeErrors) -> FloatArray:
        """Return that of each lesion's change since another session: what both share counts by its difference."""
        kept, common = self.kept_ml - before.kept_ml, self.common_ml - before.common_ml
        total: FloatArray = np.sqrt(self.fresh_ml**2 + before.fresh_ml**2 + kept**2 + common**2)
        return total

    def net_sd_ml(self, before: VolumeErrors) -> float:
        """Return that of the change of the load since another session with the same lesion numbers."""
        fresh = float((self.fresh_ml**2 + before.fresh_ml**2).sum())
        kept = float(((self.kept_ml - before.kept_ml) ** 2).sum())
        return math.hypot(math.sqrt(fresh + kept), float((self.common_ml - before.common_ml).sum()))


def _surface(mask: BoolImage) -> BoolImage:
    """Return the voxels of the mask that touch the outside."""
    surface: BoolImage = mask & ~ndimage.binary_erosion(mask)
    return surface


def _areas_mm2(identities: NDArray[np.int32], count: int, grid: Grid) -> FloatArray:
    surface = identities[_surface(identities > 0)]
    return np.asarray(np.bincount(surface, minlength=count + 1) * grid.mean_edge_mm**2, float)


def _sampling_sds_ml(areas_mm2: FloatArray, session: AlignedSession | None, grid: Grid) -> FloatArray:
    """Return the error of each volume from how the session's slices cut its surface.

    A surface that is sampled every `d` mm is placed within a uniform error of SD ``d / sqrt(12)``, independently in
    each patch of ``d x d``; `d` is the geometric mean voxel edge of the session's reference image.
    """
    edge_mm = max(_native_edges_mm(session, grid).prod() ** (1 / 3), grid.mean_edge_mm)
    patches = np.where(areas_mm2 > 0, np.maximum(areas_mm2 / edge_mm**2, 1.0), 0.0)
    sds: FloatArray = np.sqrt(patches) * edge_mm**3 / math.sqrt(12.0) / 1000.0
    return sds


def _native_edges_mm(session: AlignedSession | None, grid: Grid) -> FloatArray:
    native = session.native_grids.get(session.reference, grid) if session else grid
    return np.array(native.voxel_size_mm)


def volume_errors(
    identities: NDArray[np.int32],
    count: int,
    session: AlignedSession | None,
    witness: str | None,
    grid: Grid,
    settings: LesionSettings,
) -> VolumeErrors:
    """Return how far the volume of each lesion may be from the truth.

    A border is found where the image falls half-way from the lesion to its surroundings. Its place is uncertain by the
    noise over the slope there: noise over contrast, times the width over which the image fades (a soft edge, or the
    thickest slice). It acts on the whole surface: the error of the volume is the area times that depth. How much of
    it is drawn anew at each scan, where a border is set at all, and how much more is left out of lesions that are
    hardly brighter than noise, was measured on lesions that are known (bench).

    Parameters
    ----------
    identities : int32 array
        Lesion number per voxel.
    count : int
        The largest number.
    session : AlignedSession or None
    witness : str or None
        Contrast that shows the lesions best; None where the mask is not ours: then only the sampling of its surface
        is known.
    grid : Grid
    settings : LesionSettings
    """
    areas_mm2 = _areas_mm2(identities, count, grid)
    sampling_ml = _sampling_sds_ml(areas_mm2, session, grid)
    if session is None or witness is None or not areas_mm2.any():
        return VolumeErrors(sampling_ml, np.zeros(count + 1), np.zeros(count + 1))
    width_mm = _edge_width_mm(session, grid, settings)
    depth_mm = width_mm * _unsure(identities, count, session, witness, grid, settings)
    radius_mm = np.sqrt(areas_mm2 / (4 * math.pi))
    kept_ml = areas_mm2 * settings.border_noise_kept * depth_mm / 1000.0
    fresh_ml = areas_mm2 * settings.border_noise_fresh * depth_mm / 1000.0
    common_ml = areas_mm2 * np.minimum(settings.border_sd_mm, radius_mm) / 1000.0
    return VolumeErrors(np.hypot(sampling_ml, fresh_ml), kept_ml, common_ml)


def border_sds(
    identities: NDArray[np.int32],
    count: int,
    session: AlignedSession,
    witness: str,
    grid: Grid,
    settings: LesionSettings,
) -> FloatArray:
    """Return the standard uncertainty of how much of a voxel at the border is lesion (1 is all), for each lesion.

    A border that is `d` deep uncertain, where the image fades over a width `w`, is uncertain by ``d / w`` in height.
    """
    if not count:
        return np.zeros(1)
    drawn = math.hypot(settings.border_noise_kept, settings.border_noise_fresh)
    noise = drawn * _unsure(identities, count, session, witness, grid, settings)
    sds: FloatArray = np.hypot(noise, settings.border_sd_mm / _edge_width_mm(session, grid, settings))
    return sds


def _edge_width_mm(session: AlignedSession, grid: Grid, settings: LesionSettings) -> float:
    return max(settings.soft_edge_mm, float(_native_edges_mm(session, grid).max()))


def _unsure(
    identities: NDArray[np.int32],
    count: int,
    session: AlignedSession,
    witness: str,
    grid: Grid,
    settings: LesionSettings,
) -> FloatArray:
    """Return noise over contrast of each lesion, and what a faint edge adds: steeply, as it is not found beyond."""
    ratio = session.noise_sd[witness] / _contrasts(identities, count, session, witness, grid, settings)
    left_out = 1 + (ratio / settings.border_faint_ratio) ** 4
    unsure: FloatArray = ratio * np.minimum(left_out, settings.border_faint_most)
    return unsure


def mask_errors(
    mask: BoolImage, session: AlignedSession, witness: str | None, grid: Grid, settings: LesionSettings
) -> VolumeErrors:
    """Return `volume_errors` of the separate pieces of a mask."""
    labels, count = ndimage.label(mask, structure=np.ones((3, 3, 3)))
    return volume_errors(labels.astype(np.int32), count, session, witness, grid, settings)


def _contrasts(
    identities: NDArray[np.int32],
    count: int,
    session: AlignedSession,
    witness: str,
    grid: Grid,
    settings: LesionSettings,
) -> FloatArray:
    """How much brighter the inside of each lesion is than what lies around it; never less than the noise."""
    inside = identities > 0
    box = _box(inside, grid, 2 * settings.soft_edge_mm)
    numbers, data, brain = identities[box], session.volumes[witness].data[box], session.brain_mask[box]
    near, far = (round(k * settings.soft_edge_mm / grid.mean_edge_mm) for k in (1, 2))
    around = ndimage.maximum_filter(numbers, size=2 * far + 1)
    around[~brain | (ndimage.maximum_filter(numbers, size=2 * near + 1) > 0)] = 0
    index = np.arange(count + 1)
    core = np.where(_surface(numbers > 0), 0, numbers)
    core = np.where(np.isin(numbers, core), core, numbers)  # too thin to have an inside
    contrast = _medians(data, core, index) - _medians(data, around, index)
    least = session.noise_sd[witness]
    return np.maximum(np.nan_to_num(contrast, nan=least), least)


def _box(mask: BoolImage, grid: Grid, margin_mm: float) -> tuple[slice, ...]:
    margin = math.ceil(margin_mm / grid.mean_edge_mm) + 1
    part = ndimage.find_objects(mask.view(np.uint8))[0]
    return tuple(slice(max(p.start - margin, 0), p.stop + margin) for p in part)


def _medians(data: NDArray[np.float32], labels: NDArray[np.int32], index: NDArray[np.int64]) -> FloatArray:
    there = labels > 0
    if not there.any():
        return np.full(len(index), np.nan)
    found = np.asarray(ndimage.median(data[there], labels[there], index), float)
    found[np.bincount(labels[there], minlength=len(index)) == 0] = np.nan
    return found
