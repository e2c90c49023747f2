"""Where the spectroscopy voxel lies on the anatomy, and what it holds, with uncertainties."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hlhneuro.imaging.alignment import BoolImage
from hlhneuro.imaging.transforms import AffineTransform, DisplacementTransform, Transform
from hlhneuro.imaging.volumes import FloatImage, Grid
from hlhneuro.settings import SpectraSettings
from hlhneuro.spectroscopy._boxes import coverage, inside_fraction, points_of_cube

__all__ = ["VoxelComposition", "chemical_shift_mm", "mirror_overlap", "overlap", "place_voxel"]

_NAA_FROM_WATER_PPM = 2.64  # 4.65 - 2.01
_Rows = tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class VoxelComposition:
    """The spectroscopy voxel in subject space.

    Parameters
    ----------
    mask : bool array on the subject grid
    volume_ml : float
        Volume of the voxel box.
    inside_fraction : float
        Part of the box that lies inside the subject grid.
    gm, wm, csf, lesion : float, optional
        Volume fractions; they sum to one inside the brain; None where tissue or lesions could not be assessed.
    reason : str
        Why fractions are missing; empty otherwise.
    gm_sd, wm_sd, csf_sd, lesion_sd : float, optional
        Standard uncertainties: where the box lies, and what the maps leave open.
    territories : mapping of str to float
        Part of the box in each territory and side (``left thalamus``); empty without a territory map.
    box : 4 rows of 4 floats, optional
        The box as a unit cube around (0, 0, 0), to subject millimetres.
    midplane : 4 floats, optional
        Unit normal and offset (mm) of the plane between the hemispheres: ``n . p + d = 0`` on it.
    displacement_mm_per_ppm : 3 floats, optional
        How far the boxes of two signals lie apart along each edge, for each ppm between them, if that edge is selected
        by a refocusing pulse; None where the bandwidth of the pulses is not known.
    """

    mask: BoolImage
    volume_ml: float
    inside_fraction: float
    gm: float | None
    wm: float | None
    csf: float | None
    lesion: float | None
    reason: str = ""
    gm_sd: float | None = None
    wm_sd: float | None = None
    csf_sd: float | None = None
    lesion_sd: float | None = None
    territories: Mapping[str, float] = field(default_factory=dict)
    box: _Rows | None = None
    midplane: tuple[float, ...] | None = None
    displacement_mm_per_ppm: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        # Lists, as they come back from JSON, become what they were.
        if self.box is not None:
            object.__setattr__(self, "box", tuple(tuple(float(x) for x in row) for row in self.box))
        for name in ("midplane", "displacement_mm_per_ppm"):
            if (values := getattr(self, name)) is not None:
                object.__setattr__(self, name, tuple(float(x) for x in values))

    def both_sides(self) -> dict[str, float]:
        """Return `territories` with left and right added up."""
        found: dict[str, float] = {}
        for name, part in self.territories.items():
            plain = name.removeprefix("left ").removeprefix("right ")
            found[plain] = found.get(plain, 0.0) + part
        return found


def place_voxel(
    affine: NDArray[np.float64],
    to_subject: AffineTransform,
    grid: Grid,
    tissue: Mapping[str, FloatImage] | None = None,
    lesion: BoolImage | None = None,
    *,
    lesion_probability: FloatImage | None = None,
    territories: tuple[NDArray[np.integer], Mapping[int, str]] | None = None,
    to_template: Transform | None = None,
    frequency_mhz: float | None = None,
    settings: SpectraSettings = SpectraSettings(),  # noqa: B008  (frozen)
) -> VoxelComposition:
    """Lay the voxel box onto the subject grid and measure what it holds.

    Parameters
    ----------
    affine : array, shape (4, 4)
        The box as a unit cube around index (0, 0, 0), to RAS+ scanner millimetres.
    to_subject : AffineTransform
        From scanner to subject space, in millimetres.
    grid : Grid
        The subject grid.
    tissue : mapping, optional
        ``gm``, ``wm``, ``csf``: probabilities on the grid.
    lesion : bool array, optional
    lesion_probability : float array, optional
        How sure the lesion mask is, for its uncertainty.
    territories : (integer array, mapping of label to name), optional
        Label map on the grid; names begin with their side.
    to_template : transform, optional
        From subject space to a symmetric template, whose middle is at x = 0: for the mirror voxel.
    frequency_mhz : float, optional
        Of the spectrometer: with `SpectraSettings.refocusing_bandwidth_hz` it tells how far the boxes of signals lie
        apart.
    settings : SpectraSettings

    Returns
    -------
    VoxelComposition
        Fractions weigh each grid voxel with its part inside the box. Their uncertainties are what a box that lies off
        by `SpectraSettings.voxel_placement_sd_mm`, and by how far NAA's lies from that of water, along each edge would
        change, and by how much a probability map differs from its most likely tissue.
    """
    box_to_subject = to_subject.after(AffineTransform(np.asarray(affine, dtype=np.float64)))
    bandwidth_hz = settings.refocusing_bandwidth_hz
    per_ppm = None
    if frequency_mhz is not None and bandwidth_hz > 0:
        edges = np.linalg.norm(affine[:3, :3], axis=0)
        per_ppm = tuple(chemical_shift_mm(float(edge), 1.0, frequency_mhz, bandwidth_hz) for edge in edges)
    part, weight = coverage(box_to_subject, grid)
    mask = np.zeros(grid.shape, dtype=bool)
    mask[part] = weight >= 0.5
    maps = {name: image[part] for name, image in (tissue or {}).items()}
    found, why = _fractions(weight, maps, None if lesion is None else lesion[part])
    sds: dict[str, float] = {}
    if found:
        off_mm = np.hypot(settings.voxel_placement_sd_mm, _NAA_FROM_WATER_PPM * np.array(per_ppm or (0.0,) * 3))
        sds = _moved(box_to_subject, grid, tissue or {}, lesion, found, off_mm)
        for name, gap in _undecided(weight, maps).items():
            sds[name] = float(np.hypot(sds.get(name, 0.0), gap))
        if lesion is not None and lesion_probability is not None and "lesion" in found:
            gap = float(np.sum(weight * (lesion_probability[part] - lesion[part])) / weight.sum())
            sds["lesion"] = float(np.hypot(sds.get("lesion", 0.0), gap))
    return VoxelComposition(
        mask,
        float(abs(np.linalg.det(affine[:3, :3]))) / 1000.0,
        inside_fraction(box_to_subject, grid),
        gm=found.get("gm"),
        wm=found.get("wm"),
        csf=found.get("csf"),
        lesion=found.get("lesion"),
        reason=why,
        gm_sd=sds.get("gm"),
        wm_sd=sds.get("wm"),
        csf_sd=sds.get("csf"),
        lesion_sd=sds.get("lesion"),
        territories=_by_territory(weight, territories[0][part], territories[1]) if territories is not None else {},
        box=tuple(tuple(row) for row in box_to_subject.matrix.tolist()),
        midplane=None if to_template is None else _midplane(to_template),
        displacement_mm_per_ppm=per_ppm,
    )


def overlap(first: VoxelComposition, second: VoxelComposition) -> float:
    """Return the Dice overlap of two voxels on the same grid; zero where both are empty."""
    size = int(first.mask.sum() + second.mask.sum())
    return 2.0 * int(np.logical_and(first.mask, second.mask).sum()) / size if size else 0.0


def mirror_overlap(first: VoxelComposition, second: VoxelComposition) -> float | None:
    """Return the Dice overlap of one voxel with the mirror image of another; None where no mid-plane is known.

    The mirror is the plane between the hemispheres (`VoxelComposition.midplane`): places as far from it on either side
    correspond, whatever a lesion has done to the brain between.
    """
    plane = first.midplane if first.midplane is not None else second.midplane
    if plane is None or first.box is None or second.box is None:
        return None
    normal, offset_mm = np.array(plane[:3]), plane[3]
    points = AffineTransform(np.array(second.box)).map(points_of_cube())
    mirrored = points - 2.0 * (points @ normal + offset_mm)[:, None] * normal
    place = AffineTransform(np.array(first.box)).inverse().map(mirrored)
    share = float(np.all(np.abs(place) <= 0.5, axis=1).mean())
    return 2.0 * share * second.volume_ml / (first.volume_ml + second.volume_ml)


def chemical_shift_mm(edge_mm: float, apart_ppm: float, frequency_mhz: float, bandwidth_hz: float) -> float:
    """Return how far the boxes of two signals lie apart along one edge of the voxel.

    Parameters
    ----------
    edge_mm : float
    apart_ppm : float
        Between the signals: 0.70 for lactate (1.31) and NAA (2.01), 2.64 for NAA and water (4.65).
    frequency_mhz : float
    bandwidth_hz : float
        Of the pulse that selects this edge.

    References
    ----------
    Wilson M et al. Magn Reson Med 2019;82:527 (less than 2 % per ppm asked for).
    """
    return edge_mm * apart_ppm * frequency_mhz / bandwidth_hz


# -------------------------------------------------------------------------------------------------- contents


def _fractions(
    weight: NDArray[np.float64], tissue: Mapping[str, FloatImage], lesion: BoolImage | None
) -> tuple[dict[str, float], str]:
    """Return the fractions that can be told, and why others are missing."""
    total = float(weight.sum())
    if total == 0.0:
        return {}, "the spectroscopy voxel lies outside the images of the session"
    damaged = 0.0 if lesion is None else float(np.sum(weight * lesion))
    if not tissue:
        return {} if lesion is None else {"lesion": damaged / total}, "no tissue maps of this session"
    parts = {name: float(np.sum(weight * tissue[name])) for name in ("gm", "wm", "csf")}
    brain = sum(parts.values())
    if brain + damaged <= 0.01 * total:
        return {}, "the spectroscopy voxel lies outside the brain"
    # Tissue maps leave the lesion out or not quite: the lesion mask is exact, the tissues share the rest.
    share = 0.0 if lesion is None else damaged / min(brain + damaged, max(total, damaged))
    healthy = {name: (1.0 - share) * value / brain if brain > 0 else 0.0 for name, value in parts.items()}
    if lesion is None:
        return healthy, "no lesion mask of this session"
    return healthy | {"lesion": share}, ""


def _moved(
    box: AffineTransform,
    grid: Grid,
    tissue: Mapping[str, FloatImage],
    lesion: BoolImage | None,
    middle: Mapping[str, float],
    off_mm: NDArray[np.float64],
) -> dict[str, float]:
    """Return by how much fractions change where the box lies off along its edges."""
    variance = dict.fromkeys(middle, 0.0)
    for edge in range(3):
        step = box.matrix[:3, edge] / np.linalg.norm(box.matrix[:3, edge]) * off_mm[edge]
        for sign in (-1.0, 1.0):
            part, weight = coverage(AffineTransform.translation(sign * step).after(box), grid)
            maps = {name: image[part] for name, image in tissue.items()}
            found, _ = _fractions(weight, maps, None if lesion is None else lesion[part])
            for name in middle:
                variance[name] += (found.get(name, middle[name]) - middle[name]) ** 2 / 2.0
    return {name: float(np.sqrt(value)) for name, value in variance.items()}


def _undecided(weight: NDArray[np.float64], tissue: Mapping[str, FloatImage]) -> dict[str, float]:
    """Return by how much the fractions of probability maps differ from those of each voxel's most likely tissue."""
    if not tissue:
        return {}
    stack = np.stack([tissue[name] for name in ("gm", "wm", "csf")])
    brain = float(np.sum(weight * stack.sum(axis=0)))
    if brain <= 0:
        return {}
    likeliest = np.argmax(stack, axis=0)
    inside = stack.sum(axis=0)
    return {
        name: abs(float(np.sum(weight * (inside * (likeliest == i) - stack[i])))) / brain
        for i, name in enumerate(("gm", "wm", "csf"))
    }


def _by_territory(
    weight: NDArray[np.float64], labels: NDArray[np.integer], names: Mapping[int, str]
) -> dict[str, float]:
    total = float(weight.sum())
    parts = {names[int(k)]: float(weight[labels == k].sum()) for k in np.unique(labels) if int(k) in names}
    return {name: part / total for name, part in parts.items() if part > 0}


def _midplane(to_template: Transform) -> tuple[float, ...] | None:
    """Return the plane that the affine part of a transform brings to x = 0: the deformation follows lesions."""
    affine = to_template.affine if isinstance(to_template, DisplacementTransform) else to_template
    if not isinstance(affine, AffineTransform):
        return None
    row = affine.matrix[0] / np.linalg.norm(affine.matrix[0, :3])
    return tuple(row.tolist())
