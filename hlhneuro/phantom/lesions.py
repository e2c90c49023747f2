"""Lesions with a known place, volume, course and magnetic properties."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from hlhneuro.errors import InputError
from hlhneuro.imaging.volumes import FloatImage
from hlhneuro.phantom.anatomy import Head, smooth_field

__all__ = ["LesionCourse", "LesionMap", "Moment", "map_lesions"]

# Width over which a lesion fades into the tissue around it, in millimetres (expert-set: lesions are not sharp).
EDGE_MM = 2.5
# How far the outline departs from the plain shape: relative amplitude, and the size of its bumps in millimetres.
IRREGULARITY, BUMP_MM = 0.35, 9.0
# A voxel that is more fluid than this holds no lesion.
LARGEST_FLUID_FRACTION = 0.5


@dataclass(frozen=True)
class Moment:
    """One lesion at one session.

    Parameters
    ----------
    volume_ml : float
        Volume where the lesion fraction exceeds one half; 0 where the lesion is not there (yet, or any more).
    state : str
        One of `hlhneuro.phantom.physics.LESION_STATES`.
    enhancing : bool
        Takes up gadolinium.
    """

    volume_ml: float
    state: str = "inflamed"
    enhancing: bool = False


@dataclass(frozen=True)
class LesionCourse:
    """One lesion over all sessions.

    Parameters
    ----------
    name : str
        Unique within the subject.
    territory, side : str
        Where it lies, in words; side is ``left`` or ``right``.
    centre_mm : tuple of float
        MNI152 position.
    axes_mm : tuple of float
        Proportions of the ellipsoid it grows as; the size follows from the volume.
    moments : mapping of session label to Moment
    shape : str
        ``nodular``: an irregular ellipsoid. ``periventricular``: spreads along the ventricle wall, in white matter.
    tissue : str
        ``any`` brain tissue, ``wm`` or ``gm``: where it can grow.
    """

    name: str
    territory: str
    side: str
    centre_mm: tuple[float, float, float]
    axes_mm: tuple[float, float, float]
    moments: Mapping[str, Moment]
    shape: str = "nodular"
    tissue: str = "any"


@dataclass(frozen=True)
class LesionMap:
    """All lesions of one session on the truth grid.

    Parameters
    ----------
    fractions : mapping of (state, enhancing) to float32 array
        Part of each voxel that is lesion of that kind; their sum is at most one.
    identities : uint8 array
        Number of the lesion (1 is the first course) where the lesion fraction exceeds one half.
    """

    fractions: Mapping[tuple[str, bool], FloatImage]
    identities: NDArray[np.uint8]

    @property
    def total(self) -> FloatImage:
        """Lesion fraction of every voxel."""
        summed: FloatImage = np.zeros(self.identities.shape, dtype=np.float32)
        for fraction in self.fractions.values():
            summed += fraction
        return summed

    @property
    def mask(self) -> NDArray[np.bool_]:
        """Where the lesion fraction exceeds one half."""
        return self.identities > 0


def map_lesions(head: Head, courses: Sequence[LesionCourse], sessions: Sequence[str], seed: int) -> list[LesionMap]:
    """Draw the lesions of every session.

    A lesion is a level set of one fixed, irregular function of place. Its volume picks the level, so that a growing
    lesion contains its former self and the volume of the mask is the requested one to within a voxel. Where two lesions
    meet, the voxel belongs to the one that is deeper there, and their masks are smaller by what they share.

    Parameters
    ----------
    head : Head
    courses : sequence of LesionCourse
    sessions : sequence of str
        Session labels; a course without a moment for one of them is absent there.
    seed : int

    Returns
    -------
    list of LesionMap
        One per session.

    Raises
    ------
    InputError
        If a lesion does not fit into its tissue.
    """
    shape = head.grid.shape
    fractions: list[dict[tuple[str, bool], FloatImage]] = [{} for _ in sessions]
    deepest = [np.full(shape, 0.5, dtype=np.float32) for _ in sessions]
    identities = [np.zeros(shape, dtype=np.uint8) for _ in sessions]
    room = [np.ones(shape, dtype=np.float32) for _ in sessions]
    for number, course in enumerate(courses, start=1):
        box, level_mm = _level_mm(head, course, sessions, seed + 1000 * number)
        ordered = np.sort(level_mm, axis=None)
        for at, label in enumerate(sessions):
            moment = course.moments.get(label)
            if moment is None or moment.volume_ml <= 0:
                continue
            voxels = round(moment.volume_ml / head.grid.voxel_volume_ml)
            if voxels >= ordered.size or ordered[voxels] >= np.float32(OUT_OF_BOUNDS_MM):
                raise InputError(
                    "the lesion does not fit into its tissue",
                    field=course.name,
                    found=f"{moment.volume_ml} ml in {label}",
                    remedy="ask for a smaller volume or another place",
                )
            threshold_mm = 0.5 * (ordered[max(voxels - 1, 0)] + ordered[voxels])
            fraction = np.clip(0.5 + (threshold_mm - level_mm) / EDGE_MM, 0.0, 1.0).astype(np.float32)
            identities[at][box][fraction > deepest[at][box]] = number
            np.maximum(deepest[at][box], fraction, out=deepest[at][box])
            kind = (moment.state, moment.enhancing)
            target = fractions[at].setdefault(kind, np.zeros(shape, dtype=np.float32))
            share = np.minimum(fraction, room[at][box])
            target[box] += share
            room[at][box] -= share
    return [LesionMap(fractions[at], identities[at]) for at in range(len(sessions))]


# Added to the level where a lesion cannot be.
OUT_OF_BOUNDS_MM = 1000.0


def _level_mm(
    head: Head, course: LesionCourse, sessions: Sequence[str], seed: int
) -> tuple[tuple[slice, ...], FloatImage]:
    """Return the box around the lesion and the function whose level sets are its outlines (smaller is deeper)."""
    largest_ml = max((course.moments[label].volume_ml for label in sessions if label in course.moments), default=0.0)
    stretch = np.array(course.axes_mm) / np.prod(course.axes_mm) ** (1 / 3)
    radius_mm = (3000.0 * max(largest_ml, 0.01) / (4 * np.pi)) ** (1 / 3)
    reach_mm = (5.0 if course.shape == "periventricular" else 2.2) * radius_mm * stretch.max() + 6.0
    near = np.ones(head.grid.shape, dtype=bool)
    for along, middle in zip(head.template_mm, course.centre_mm, strict=True):
        near &= (along > middle - reach_mm) & (along < middle + reach_mm)
    box = ndimage.find_objects(near.view(np.uint8))[0]
    offset = head.template_mm[(slice(None), *box)] - np.array(course.centre_mm, np.float32)[:, None, None, None]
    radial_mm = np.sqrt(np.sum((offset / stretch.astype(np.float32)[:, None, None, None]) ** 2, axis=0))
    if course.shape == "periventricular":
        # Along the wall it spreads three times as far as into the white matter.
        radial_mm = 0.33 * radial_mm + np.maximum(head.ventricle_distance_mm[box], 0.0)
    rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, 2])))
    shape = (radial_mm.shape[0], radial_mm.shape[1], radial_mm.shape[2])
    bumps = smooth_field(shape, head.grid.voxel_size_mm, BUMP_MM, rng)
    level_mm = radial_mm * (1.0 + IRREGULARITY * np.tanh(0.7 * bumps))
    part = {name: head.fractions[name][box] for name in ("gm", "wm")}
    allowed = part["gm"] + part["wm"] if course.tissue == "any" else part[course.tissue]
    level_mm = level_mm + np.where(allowed > 1 - LARGEST_FLUID_FRACTION, 0.0, OUT_OF_BOUNDS_MM)
    return box, level_mm.astype(np.float32)
