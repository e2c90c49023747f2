"""Mass effect: how far the midline is off the template's mid-plane, and ventricles narrowed beside a large lesion."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from hlhneuro.answers import Answer
from hlhneuro.imaging.alignment import AlignedSeries, BoolImage
from hlhneuro.imaging.volumes import FloatImage
from hlhneuro.lesions.anatomy import ventricles
from hlhneuro.lesions.signs.chance import Voxels
from hlhneuro.lesions.signs.mirror import Mirror, affine_part
from hlhneuro.lesions.signs.reference import Reference
from hlhneuro.lesions.signs.table import WHOLE, Measure, Sign, unanswered
from hlhneuro.settings import SignSettings

__all__ = ["mass_effect_signs", "midline_shift_mm"]

SIGN = "mass_effect"
# The third ventricle and its foramina in MNI152 millimetres (y, z), how far to either side they are looked for, and
# the slabs in which each is centred: expert-set, read off the MNI152 template.
Y_MM, Z_MM, REACH_MM = (-28.0, 6.0), (-10.0, 8.0), 15.0
SLAB_MM = 3.0


def midline_shift_mm(
    series: AlignedSeries, fluid: FloatImage, there: BoolImage, settings: SignSettings
) -> tuple[float, float] | str:
    """Return how far the third ventricle lies to the right of the mid-plane and its error, or why it is not known.

    The plane is that of the symmetric template after the affine match: the whole brain sets it, and what a lesion
    displaces locally does not. The fluid's centre is taken in coronal slabs of 3 mm, and their median.
    """
    affine = affine_part(series.to_template)
    index = np.argwhere(series.brain_mask & there & (fluid > 0))
    to_mm = np.asarray(series.grid.affine, float)
    x, y, z = affine.map(index @ to_mm[:3, :3].T + to_mm[:3, 3]).T
    near = (np.abs(x) <= REACH_MM) & (y >= Y_MM[0]) & (y <= Y_MM[1]) & (z >= Z_MM[0]) & (z <= Z_MM[1])
    weight = fluid[tuple(index[near].T)].astype(float)
    if weight.sum() * series.grid.voxel_volume_ml < settings.third_ventricle_ml:
        return "hardly any fluid is seen in the third ventricle; thinner slices would supply it"
    slab = np.floor((y[near] - Y_MM[0]) / SLAB_MM).astype(int)
    total = np.bincount(slab, weight)
    centres = np.bincount(slab, weight * x[near])[total > 0] / total[total > 0]
    in_mm = float(1 / np.linalg.norm(affine.matrix[0, :3]))  # millimetres of the subject for one of the template
    shift = float(np.median(centres)) * in_mm
    scatter = 1.2533 * 1.4826 * float(np.median(np.abs(centres - np.median(centres)))) * in_mm
    return shift, float(np.hypot(scatter / np.sqrt(len(centres)), settings.plane_sd_mm))


def mass_effect_signs(
    series: AlignedSeries,
    label: str,
    regions: Mapping[int, Voxels],
    found: tuple[FloatImage, BoolImage] | str,
    mirror: Mirror,
    reference: Reference,
    settings: SignSettings,
) -> list[Sign]:
    """Answer for the session whether the midline is displaced, and for every lesion whether ventricles are narrowed.

    Parameters
    ----------
    found : what `fluid_of` returned
    mirror : Mirror
        Of the affine match.
    """
    if isinstance(found, str):
        return unanswered((WHOLE, *regions), label, SIGN, found)
    fluid, there = found
    signs = [_midline(series, label, fluid, there, settings)]
    core = ventricles(reference.grid, series.brain_mask, fluid, settings.core_mm)
    mirrored = [mirror.image(fluid * core, (move, 0, 0)) for move in _moves(reference, settings)]
    for lesion, voxels in regions.items():
        own_ml = len(voxels) * reference.grid.voxel_volume_ml
        if own_ml < settings.pressing_ml:
            why = f"the lesion ({own_ml:.2f} ml) is smaller than what displaces its surroundings"
            signs.append(Sign(lesion, label, SIGN, Answer.ABSENT, why))
        else:
            signs.append(_pressed(label, lesion, voxels, fluid * core, mirrored, reference, settings))
    return signs


def _midline(series: AlignedSeries, label: str, fluid: FloatImage, there: BoolImage, settings: SignSettings) -> Sign:
    measured = midline_shift_mm(series, fluid, there, settings)
    if isinstance(measured, str):
        return Sign(WHOLE, label, SIGN, Answer.NOT_ASSESSABLE, measured)
    shift, sd = measured
    side = "right" if shift > 0 else "left"
    present = abs(shift) >= max(settings.midline_mm, settings.coverage_factor * sd)
    told = f"the third ventricle lies {abs(shift):.1f} mm (SD {sd:.1f}) to the {side} of the mid-plane"
    told += "" if present else f", less than the {settings.midline_mm:g} mm that count"
    measure = Measure("midline_shift_mm", shift, sd, "mm")
    return Sign(WHOLE, label, SIGN, Answer.PRESENT if present else Answer.ABSENT, told, "", (measure,))


def _moves(reference: Reference, settings: SignSettings) -> tuple[float, float, float]:
    """Return by how many voxels the mirrored place is moved, to learn what the error of the mid-plane makes."""
    step = 2 * settings.plane_sd_mm / reference.grid.mean_edge_mm
    return 0.0, -step, step


def _pressed(
    label: str,
    lesion: int,
    voxels: Voxels,
    fluid: FloatImage,
    mirrored: list[FloatImage],
    reference: Reference,
    settings: SignSettings,
) -> Sign:
    """Compare the ventricle beside a lesion with the mirrored one."""
    grid = reference.grid
    steps = int(np.ceil(settings.beside_mm / grid.mean_edge_mm)) + 1
    low = np.maximum(voxels.min(axis=0) - steps, 0)
    high = np.minimum(voxels.max(axis=0) + steps + 1, grid.shape)
    box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    own = np.zeros(tuple(high - low), bool)
    own[tuple((voxels - low).T)] = True
    zone: NDArray[np.bool_] = ndimage.distance_transform_edt(~own, sampling=grid.voxel_size_mm) <= settings.beside_mm
    here_ml = float(fluid[box][zone].sum()) * grid.voxel_volume_ml
    there_ml = [float(image[box][zone].sum()) * grid.voxel_volume_ml for image in mirrored]
    if min(there_ml) < settings.ventricle_ml:
        why = "no ventricle lies near enough to be pressed upon; whether sulci are narrowed is left to a reader"
        return Sign(lesion, label, SIGN, Answer.NOT_ASSESSABLE, why)
    narrowed = [1 - here_ml / other for other in there_ml]
    sd = abs(narrowed[1] - narrowed[2]) / 2
    present = narrowed[0] >= max(settings.narrowed, settings.coverage_factor * sd)
    told = f"within {settings.beside_mm:g} mm the ventricle holds {here_ml:.1f} ml, mirrored {there_ml[0]:.1f} ml"
    told += "; consistent with a ventricle pressed upon (or unequal by nature)" if present else ""
    measure = Measure("ventricle_narrowed_fraction", narrowed[0], sd)
    return Sign(lesion, label, SIGN, Answer.PRESENT if present else Answer.ABSENT, told, "", (measure,))
