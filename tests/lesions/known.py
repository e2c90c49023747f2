"""Whole brains with lesions of known place, volume, contrast and course, scanned with thin or thick slices.

The head is a phantom's (an individual shape of the MNI152 maps), its lesions are irregular and fade out over 2.5 mm.
Every image is averaged over its own oblique voxels, gets its noise there, and goes to the subject grid the way the
pipeline takes it: one interpolation, then one intensity scale. The subject grid is that of the truth.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from nilearn import datasets
from scipy import ndimage

from hlhneuro.errors import InputError
from hlhneuro.imaging.alignment import AlignedSeries, AlignedSession
from hlhneuro.imaging.intensities import harmonise
from hlhneuro.imaging.resampling import coverage, resample
from hlhneuro.imaging.transforms import AffineTransform, DisplacementTransform
from hlhneuro.imaging.volumes import Grid, Volume
from hlhneuro.lesions.territories import territories, territory_labels
from hlhneuro.phantom.anatomy import Head, make_head, smooth_field
from hlhneuro.phantom.lesions import LesionCourse, Moment, map_lesions
from hlhneuro.phantom.scanner import rigid, sample, scanner_grid
from hlhneuro.settings import AlignSettings

VOLUMES_ML = (0.03, 0.1, 0.3, 1.0, 3.0, 5.0)
CONTRASTS = (0.125, 0.25, 0.5)
# Normalised intensity of grey matter, white matter, fluid; what a lesion of FLAIR contrast 1 adds; noise of a voxel.
TISSUE = {"FLAIR": (1.15, 1.0, 0.35), "T2w": (1.3, 1.0, 2.4), "T1w": (0.75, 1.0, 0.35)}
LESION = {"FLAIR": 1.0, "T2w": 1.2, "T1w": -0.5}
NOISE = {"FLAIR": 0.06, "T2w": 0.06, "T1w": 0.04}
TEXTURE = 0.02  # how unlike each other places of one tissue are, relative
TEMPLATE_ERROR_MM = 0.8  # mean error of the deformed template is .7 to 1 mm (docs/accuracy.md)
POSITION_ERROR_MM, POSITION_ERROR_DEG = 0.05, 0.05  # what rigid registration leaves
BRAIN_SCALE = 0.93
GAP_MM = 6.0  # between the outlines of two lesions, so that they stay two


@dataclass(frozen=True)
class KnownLesion:
    """One lesion: where, how bright (FLAIR, above the tissue it lies in; 1 is white matter), how large per session.

    `drawn_ml` is what was asked for; where two lesions meet, or at a border of tissue, `volumes_ml` may be less.
    """

    number: int
    territory: str
    side: str
    group: str
    centre_mm: tuple[float, float, float]  # MNI152
    contrast: float
    volumes_ml: tuple[float, ...]
    drawn_ml: tuple[float, ...] = ()


@dataclass(frozen=True)
class KnownSeries:
    """A series and what is true of it: `identities` holds the lesions' numbers on the subject grid, per session."""

    series: AlignedSeries
    lesions: tuple[KnownLesion, ...]
    identities: tuple[np.ndarray, ...]

    def volume_ml(self, session: int) -> float:
        return sum(lesion.volumes_ml[session] for lesion in self.lesions)


@cache
def anatomy(seed: int = 1) -> tuple[Head, AlignedSeries]:
    """Return a head, and a series without sessions: its grid, brain, template and the way there."""
    head = make_head(seed, brain_scale=BRAIN_SCALE)
    tissue = sum(head.fractions[name] for name in ("gm", "wm", "csf")) > 0.5
    brain = ndimage.binary_erosion(_largest(ndimage.binary_opening(tissue, iterations=2)))
    rng = np.random.default_rng([seed, 3])
    points = head.template_mm.copy()
    for axis in range(3):
        points[axis] += TEMPLATE_ERROR_MM / np.sqrt(3) * smooth_field(head.grid.shape, (1.0, 1.0, 1.0), 25.0, rng)
    maps = {}
    for name, load in (("gm", datasets.load_mni152_gm_template), ("wm", datasets.load_mni152_wm_template)):
        image = load(resolution=1)
        index = np.tensordot(np.linalg.inv(image.affine)[:3, :3], points, 1)
        index += np.linalg.inv(image.affine)[:3, 3][:, None, None, None]
        data = np.asarray(image.dataobj, np.float32)
        maps[name] = (np.clip(ndimage.map_coordinates(data, index, order=1), 0, 1) * brain).astype(np.float32)
    maps["csf"] = np.clip(brain - maps["gm"] - maps["wm"], 0, 1).astype(np.float32)
    shift = np.moveaxis(points, 0, -1) - head.grid.points_mm()
    way = DisplacementTransform(shift.astype(np.float32), head.grid, AffineTransform.identity())
    return head, AlignedSeries(head.grid, (), brain, way, maps)


@cache
def regions(seed: int = 1) -> np.ndarray:
    """Return the territory of every voxel of a head."""
    return territory_labels(anatomy(seed)[1])


def _largest(mask: np.ndarray) -> np.ndarray:
    labels, _ = ndimage.label(mask)
    return labels == 1 + np.argmax(np.bincount(labels.ravel())[1:])


def draw_lesions(
    seed: int,
    *,
    head_seed: int = 1,
    volumes_ml: tuple[float, ...] = VOLUMES_ML,
    contrasts: tuple[float, ...] = CONTRASTS,
    courses: tuple[tuple[float, ...], ...] = ((1.0,),),
    territory_step: int = 2,
) -> list[LesionCourse]:
    """Draw one lesion in every `territory_step`-th territory and side, with volume, contrast and course dealt in turn.

    `courses` are the factors of the volume at each session, 0 where the lesion is not there. Over successive seeds
    every territory meets every volume, contrast and course. The name of a lesion's state is its contrast.
    """
    rng = np.random.default_rng([seed, 4])
    head, _ = anatomy(head_seed)
    labels = regions(head_seed)
    firm = head.fractions["gm"] + head.fractions["wm"] > 0.9
    everywhere = territories()
    chosen = [t for i, t in enumerate(everywhere) if (i + i // 2 + seed) % territory_step == 0]
    deck = [(v, c, k) for v in volumes_ml for c in contrasts for k in courses]
    np.random.default_rng(4).shuffle(deck)
    deals = sorted(
        ((t, deck[(i + seed * len(chosen)) % len(deck)]) for i, t in enumerate(chosen)), key=lambda d: -d[1][0]
    )
    drawn: list[LesionCourse] = []
    taken: list[tuple[np.ndarray, float]] = []
    for territory, (volume_ml, contrast, factors) in deals:
        radius = _radius_mm(volume_ml * max(factors))
        where, depth = _depth(labels == territory.label, firm)
        where = where[depth >= min(radius, 0.8 * depth.max())]
        for point in rng.permutation(where)[:200]:
            if all(np.linalg.norm(point - other) > 1.3 * radius + reach + GAP_MM for other, reach in taken):
                taken.append((point, 1.3 * radius))
                moments = {f"{n + 1:02d}": Moment(volume_ml * f, f"{contrast}") for n, f in enumerate(factors)}
                centre = tuple(float(x) for x in head.template_mm[(slice(None), *point)])
                axes = tuple(float(a) for a in rng.uniform(0.8, 1.25, 3))
                drawn.append(LesionCourse("", territory.name, territory.side, centre, axes, moments))
                break
    return drawn


def _depth(region: np.ndarray, firm: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the voxels of a region that are tissue, and how deep each lies in it (voxels)."""
    box = ndimage.find_objects(region.view(np.uint8))[0]
    inside = np.pad(region[box] & firm[box], 1)
    where = np.argwhere(inside)
    depth = ndimage.distance_transform_edt(inside)[tuple(where.T)]
    return where - 1 + [part.start for part in box], depth


def _radius_mm(volume_ml: float) -> float:
    return float((3000 * volume_ml / (4 * np.pi)) ** (1 / 3))


def known_series(
    courses: list[LesionCourse],
    seed: int,
    *,
    head_seed: int = 1,
    slice_mm: float = 1.0,
    images: tuple[str, ...] = ("FLAIR", "T1w", "T2w"),
    noise: float = 1.0,
) -> KnownSeries:
    """Scan a head with these lesions at every session of their course.

    FLAIR and T2w have slices of `slice_mm`, T1w of 1 mm; `noise` multiplies that of every voxel.
    """
    head, frame = anatomy(head_seed)
    labels = sorted({label for course in courses for label in course.moments}) or ["01"]
    kept = [course for course in courses if _fits(head, course, labels, seed)]
    maps = map_lesions(head, kept, labels, seed)
    rng = np.random.default_rng([seed, 5])
    texture = {name: 1 + TEXTURE * smooth_field(head.grid.shape, (1.0, 1.0, 1.0), 9.0, rng) for name in images}
    scans = {
        (label, name): _scan(
            (_signal(head, found, name) * texture[name]).astype(np.float32), head.grid, name, slice_mm, noise, rng
        )
        for label, found in zip(labels, maps, strict=True)
        for name in images
    }
    sessions = _sessions(scans, labels, images, frame)
    series = AlignedSeries(frame.grid, sessions, frame.brain_mask, frame.to_template, frame.template_maps)
    identities = tuple(found.identities.astype(np.int32) for found in maps)
    groups = {t.name: t.group for t in territories()}
    sizes = [np.bincount(image.ravel(), minlength=len(kept) + 1) * frame.grid.voxel_volume_ml for image in identities]
    lesions = tuple(
        KnownLesion(
            n + 1,
            course.territory,
            course.side,
            groups[course.territory],
            course.centre_mm,
            float(next(iter(course.moments.values())).state),
            tuple(float(size[n + 1]) for size in sizes),
            tuple(moment.volume_ml for moment in course.moments.values()),
        )
        for n, course in enumerate(kept)
    )
    return KnownSeries(series, lesions, identities)


def _fits(head: Head, course: LesionCourse, labels: list[str], seed: int) -> bool:
    try:
        map_lesions(head, [course], labels, seed)
    except InputError:
        return False
    return True


def _signal(head: Head, lesions, name: str) -> np.ndarray:
    """Noiseless image: what the tissues give, and what the lesions add to it."""
    image = sum(value * head.fractions[t] for value, t in zip(TISSUE[name], ("gm", "wm", "csf"), strict=True))
    for (contrast, _), fraction in lesions.fractions.items():
        image = image + np.float32(LESION[name] * float(contrast)) * fraction
    return image


def _scan(signal: np.ndarray, truth: Grid, name: str, slice_mm: float, noise: float, rng: np.random.Generator):
    """Return an image on its own grid and its transform to the subject as registration would find it."""
    motion = rigid(rng.uniform(-6, 6, 3), rng.uniform(-5, 5, 3))
    slip = rigid(rng.normal(0, POSITION_ERROR_DEG, 3), rng.normal(0, POSITION_ERROR_MM, 3))
    voxel_mm = (1.0, 1.0, slice_mm if name in ("FLAIR", "T2w") else 1.0)
    grid = scanner_grid(truth, motion, voxel_mm, tilt_deg=float(rng.uniform(-15, 15)))
    image = sample(signal, truth, grid, motion)
    image = image + np.float32(noise * NOISE[name]) * rng.standard_normal(image.shape, np.float32)
    return image, grid, slip.after(motion)


def _sessions(scans, labels, images, frame: AlignedSeries) -> tuple[AlignedSession, ...]:
    volumes, noise, covered = {}, {}, {}
    for name in images:
        arrays = []
        for label in labels:
            data, grid, to_subject = scans[label, name]
            arrays.append(resample(data, grid, frame.grid, to_subject.inverse(), "cubic"))
            covered[label, name] = coverage(grid, frame.grid, to_subject.inverse())
        masks = [frame.brain_mask & covered[label, name] for label in labels]
        arrays, sds, _ = harmonise(arrays, masks, frame.template_maps["wm"], frame.grid.mean_edge_mm, AlignSettings())
        for label, array, sd in zip(labels, arrays, sds, strict=True):
            volumes[label, name] = Volume(np.asarray(array, np.float32), frame.grid.affine, name)
            noise[label, name] = float(sd)
    return tuple(
        AlignedSession(
            label=label,
            reference=images[0],
            volumes={name: volumes[label, name] for name in images},
            brain_mask=frame.brain_mask,
            coverage={name: covered[label, name] for name in images},
            to_subject={name: scans[label, name][2] for name in images},
            native_grids={name: scans[label, name][1] for name in images},
            noise_sd={name: noise[label, name] for name in images},
        )
        for label in labels
    )
