"""Uptake of contrast medium: how much of a lesion and its border brightens beyond normal tissue, in which form."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy import ndimage

from hlhneuro.answers import Answer
from hlhneuro.imaging.alignment import AlignedSession, BoolImage
from hlhneuro.imaging.volumes import FloatImage
from hlhneuro.lesions.anatomy import closed
from hlhneuro.lesions.signs.chance import Part, Voxels, measure_parts
from hlhneuro.lesions.signs.reference import Reference, calm, covered, flattened, normal_of, scored
from hlhneuro.lesions.signs.table import Sign, unanswered
from hlhneuro.settings import SignSettings

__all__ = ["enclosed", "enhancement_signs", "form_of", "uptake"]

SIGN = "contrast_enhancement"
PAIR = ("T1w", "ce-gadolinium_T1w")
CUBE = np.ones((3, 3, 3), bool)


def uptake(
    session: AlignedSession, pair: tuple[str, str], reference: Reference, settings: SignSettings
) -> tuple[FloatImage, BoolImage] | str:
    """Return how far each voxel's brightening lies above that of normal tissue, and where it was measured; or why not.

    The scales of the two images differ, so that the logarithm of their ratio is centred on normal tissue of the same
    kind, and what it varies by over the breadth of the brain (receive fields) is taken out. Where the tissue is dark
    the noise of the ratio is larger, as the noise of the images stays what it is.
    """
    missing = [name for name in pair if name not in session.volumes]
    if missing:
        return f"no {' and no '.join(missing)}; {pair[0]} images before and after contrast medium would supply it"
    there = covered(session, *pair)
    before, after = (session.volumes[name].data for name in pair)
    ratio = np.zeros(before.shape, np.float32)
    ratio[there] = np.log(after[there] / before[there])
    ratio = calm(ratio, there, reference, settings)
    level = normal_of(before, there, reference, settings)
    normal = normal_of(ratio, there, reference, settings)
    if isinstance(normal, str) or isinstance(level, str):
        return f"too little normal tissue lies in both {pair[0]} images; images of the whole brain would supply it"
    ratio = flattened(ratio, there, normal, reference, settings)
    normal = normal_of(ratio, there, reference, settings)
    if isinstance(normal, str):
        return normal
    z = scored(ratio, there, normal, reference)
    # The noise of a logarithm grows as the signal falls: by the factor by which tissue is darker than normal.
    z /= np.maximum(level.level(reference.white) / np.maximum(before, np.float32(1e-3)), 1).astype(np.float32)
    return z, there


def enhancement_signs(
    session: AlignedSession,
    regions: Mapping[int, Voxels],
    found: tuple[FloatImage, BoolImage] | str,
    reference: Reference,
    settings: SignSettings,
) -> list[Sign]:
    """Answer, of every lesion, whether it or its border takes up contrast medium, in which form and how much.

    Parameters
    ----------
    found : what `uptake` returned
    """
    if isinstance(found, str):
        return unanswered(regions, session.label, SIGN, found)
    z, there = found
    seen = there & ~reference.beside_fluid
    around = _with_border(regions, seen, reference, settings)
    signs = []
    for part in measure_parts(around, z, seen, reference, settings, settings.enhancing_fraction):
        bright = _bright(around[part.lesion], z, seen, settings)
        signs.append(_sign(session.label, part, bright, reference, settings))
    return signs


def _with_border(
    regions: Mapping[int, Voxels], seen: BoolImage, reference: Reference, settings: SignSettings
) -> dict[int, Voxels]:
    """Add what lies around a lesion: a shell that enhances may lie on its border; other lesions stay out."""
    grid = reference.grid
    every = np.zeros(grid.shape, bool)
    for voxels in regions.values():
        every[tuple(voxels.T)] = True
    steps = int(np.ceil(settings.border_mm / grid.mean_edge_mm)) + 1
    around = {}
    for lesion, voxels in regions.items():
        low = np.maximum(voxels.min(axis=0) - steps, 0)
        high = np.minimum(voxels.max(axis=0) + steps + 1, grid.shape)
        box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
        own = np.zeros(tuple(high - low), bool)
        own[tuple((voxels - low).T)] = True
        near = ndimage.distance_transform_edt(~own, sampling=grid.voxel_size_mm) <= settings.border_mm
        take = own | (near & ~every[box] & seen[box] & (reference.depth_mm[box] > settings.rim_mm))
        around[lesion] = np.argwhere(take) + low
    return around


def _bright(voxels: Voxels, z: FloatImage, seen: BoolImage, settings: SignSettings) -> BoolImage:
    """Return the bright voxels of a region on a box of their own, with room around it.

    Their border lies at half of what the brightest tenth shows: a strong shell would otherwise fill its core by blur.
    """
    low = voxels.min(axis=0) - 4
    out = np.zeros(tuple(voxels.max(axis=0) + 5 - low), bool)
    values = np.where(seen[tuple(voxels.T)], z[tuple(voxels.T)], 0)
    beyond = values > settings.sign_sd
    height = float(np.quantile(values[beyond], 0.9)) if beyond.any() else 0.0
    out[tuple((voxels - low).T)] = values > max(settings.sign_sd, settings.form_height * height)
    return out


def enclosed(shell: BoolImage, reference: Reference, settings: SignSettings) -> BoolImage:
    """Return what a shell encloses: in two of the three planes, gaps of a few millimetres closed."""
    whole = closed(shell, reference.grid, settings.gap_mm)
    votes = np.zeros(shell.shape, np.uint8)
    for axis in range(3):
        for k in range(shell.shape[axis]):
            at = tuple(k if other == axis else slice(None) for other in range(3))
            votes[at] += ndimage.binary_fill_holes(whole[at])
    return np.asarray((votes >= 2) & ~shell)


def form_of(bright: BoolImage, reference: Reference, settings: SignSettings) -> str:
    """Name the form of enhancement: ring, nodular or diffuse.

    Ring: a shell around a core that does not enhance. Nodular: one piece of at most `SignSettings.nodule_mm` across.
    Diffuse: all else (broad, or in many pieces).
    """
    labels, _ = ndimage.label(bright, structure=CUBE)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    largest = int(sizes.argmax())
    voxel_ml = reference.grid.voxel_volume_ml
    # Crevices are no core: it has to hold a voxel with all its neighbours.
    core = float(ndimage.binary_opening(enclosed(labels == largest, reference, settings) & ~bright).sum())
    if core * voxel_ml >= settings.smallest_ml and core >= settings.core_part * (core + sizes[largest]):
        return "ring"
    across_mm = (6000 / np.pi * sizes[largest] * voxel_ml) ** (1 / 3)
    return "nodular" if 2 * sizes[largest] >= sizes.sum() and across_mm <= settings.nodule_mm else "diffuse"


def _sign(label: str, part: Part, bright: BoolImage, reference: Reference, settings: SignSettings) -> Sign:
    if part.refusal:
        why = f"{part.refusal}; T1w images of the whole brain before and after contrast medium would supply it"
        return Sign(part.lesion, label, SIGN, Answer.NOT_ASSESSABLE, why)
    form = form_of(bright, reference, settings) if part.present else "no"
    told = (
        f"{form} enhancement: {part.fraction:.0%} of the lesion and its border brighten more than normal tissue "
        f"(by chance {part.chance:.0%})"
    )
    kind = form if part.present else ""
    return Sign(
        part.lesion,
        label,
        SIGN,
        part.answer,
        told,
        kind,
        part.measures("enhancing"),
    )
