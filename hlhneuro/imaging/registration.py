"""Finding rigid and affine transforms, and saying how good they are. The engine itself is in `_engine`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hlhneuro.imaging._engine import greedy, to_sitk, windowed
from hlhneuro.imaging.resampling import coverage, resample
from hlhneuro.imaging.transforms import AffineTransform, mean_rigid
from hlhneuro.imaging.volumes import Grid, Volume

__all__ = [
    "Match",
    "compare",
    "isotropic_grid",
    "mutual_information",
    "register_affine",
    "register_rigid",
    "working_image",
]

BoolImage = NDArray[np.bool_]


@dataclass(frozen=True)
class Match:
    """A rigid registration that was made in both directions.

    Parameters
    ----------
    transform : AffineTransform
        Points of the moving image to points of the fixed one; the mean of both directions.
    inverse_consistency_mm : float
        Mean gap between the two directions over the fixed mask.
    similarity : float
        Normalised mutual information inside both masks, 1 (unrelated) to 2 (the same).
    overlap : float
        Dice overlap of the two masks where both images have data.
    """

    transform: AffineTransform
    inverse_consistency_mm: float
    similarity: float
    overlap: float


def isotropic_grid(grid: Grid, voxel_size_mm: float, mask: BoolImage | None = None, margin_mm: float = 0.0) -> Grid:
    """Return the RAS+ grid of cubic voxels that holds `grid`, or the part of it in `mask` with a margin.

    Voxel centres lie at multiples of the voxel size, so that the same region always gets the same grid.
    """
    if mask is None:
        corners = np.array(np.meshgrid(*((-0.5, n - 0.5) for n in grid.shape))).reshape(3, -1).T
    else:
        used = [np.flatnonzero(mask.any(axis=tuple(a for a in range(3) if a != axis))) for axis in range(3)]
        corners = np.array(np.meshgrid(*((u[0] - 0.5, u[-1] + 0.5) for u in used))).reshape(3, -1).T
    points = AffineTransform(grid.affine).map(corners)
    first = np.floor((points.min(axis=0) - margin_mm) / voxel_size_mm + 1e-6)
    last = np.ceil((points.max(axis=0) + margin_mm) / voxel_size_mm - 1e-6)
    affine = np.diag([voxel_size_mm] * 3 + [1.0])
    affine[:3, 3] = first * voxel_size_mm
    x, y, z = (int(n) + 1 for n in last - first)
    return Grid((x, y, z), affine)


def working_image(
    volume: Volume, voxel_size_mm: float, mask: BoolImage | None = None, margin_mm: float = 0.0
) -> Volume:
    """Return the image on a small isotropic RAS+ grid in its own space, for registration and masks."""
    grid = isotropic_grid(volume.grid, voxel_size_mm, mask, margin_mm)
    data = resample(volume.data, volume.grid, grid, AffineTransform.identity(), "linear")
    return Volume(data, grid.affine, volume.contrast, volume.steps)


def register_rigid(
    fixed: Volume,
    moving: Volume,
    fixed_mask: BoolImage,
    moving_mask: BoolImage,
    *,
    start: AffineTransform | None = None,
    iterations: str = "100x50x10",
) -> Match:
    """Find the rigid transform between two working images by normalised mutual information, in both directions.

    Parameters
    ----------
    fixed, moving : Volume
        Isotropic RAS+ images of any two contrasts.
    fixed_mask, moving_mask : bool arrays
        The brain on each: only what lies near it counts.
    start : AffineTransform, optional
        Moving to fixed points, to begin from; identity if left out.
    iterations : str
        Steps at a quarter, half and full resolution.

    Returns
    -------
    Match
        `Match.transform` maps points of the moving to points of the fixed image.

    References
    ----------
    Yushkevich PA et al. Fast automatic segmentation of hippocampal subfields and medial temporal lobe subregions in
    3 Tesla and 7 Tesla T2-weighted MRI. Alzheimers Dement 2016; 12: P126-P127 (greedy).
    Reuter M, Rosas HD, Fischl B. Highly accurate inverse consistent registration. NeuroImage 2010; 53: 1181-1196.
    """
    start = start or AffineTransform.identity()
    forward = _linear(fixed, moving, fixed_mask, 6, start, iterations)
    backward = _linear(moving, fixed, moving_mask, 6, start.inverse(), iterations)
    centre = AffineTransform(fixed.affine).map(np.argwhere(fixed_mask).mean(axis=0))
    forward, backward = forward.rigid_part(centre), backward.rigid_part(forward.inverse().map(centre))
    transform = mean_rigid([forward, backward.inverse()])
    points = AffineTransform(fixed.affine).map(np.argwhere(fixed_mask)[::7])
    gap = float(np.linalg.norm(forward.inverse().map(points) - backward.map(points), axis=1).mean())
    similarity, overlap = compare(fixed, moving, fixed_mask, moving_mask, transform)
    return Match(transform, gap, similarity, overlap)


def register_affine(
    fixed: Volume,
    moving: Volume,
    fixed_mask: BoolImage,
    *,
    start: AffineTransform | None = None,
    iterations: str = "100x50x10",
) -> AffineTransform:
    """Find the affine transform of moving to fixed points that maximises normalised mutual information in the mask."""
    return _linear(fixed, moving, fixed_mask, 12, start or AffineTransform.identity(), iterations)


def _linear(
    fixed: Volume, moving: Volume, fixed_mask: BoolImage, freedom: int, start: AffineTransform, iterations: str
) -> AffineTransform:
    # The start goes into the header of the moving image; the engine finds what is left.
    moved = Grid(moving.grid.shape, start.matrix @ moving.affine)
    found = greedy(
        f"-a -dof {freedom} -i fix mov -gm mask -ia-identity -o found -m NMI -n {iterations}",
        "found",
        fix=to_sitk(windowed(fixed, fixed_mask), fixed.grid),
        mov=to_sitk(windowed(moving, None), moved),
        mask=to_sitk(fixed_mask, fixed.grid),
    )
    # The engine's matrix is in RAS+ millimetres and maps fixed points to moving points.
    return AffineTransform(np.asarray(found, dtype=np.float64)).inverse().after(start)


def compare(
    fixed: Volume, moving: Volume, fixed_mask: BoolImage, moving_mask: BoolImage, transform: AffineTransform
) -> tuple[float, float]:
    """Return normalised mutual information and mask overlap under a transform of moving to fixed points."""
    to_moving = transform.inverse()
    seen = coverage(moving.grid, fixed.grid, to_moving)
    carried = resample(moving.data, moving.grid, fixed.grid, to_moving, "linear")
    carried_mask = resample(moving_mask, moving.grid, fixed.grid, to_moving, "linear") > 0.5
    both = fixed_mask & carried_mask & seen
    total = int((fixed_mask & seen).sum() + carried_mask.sum())
    overlap = 2.0 * float(both.sum()) / total if total else 0.0
    return mutual_information(fixed.data[both], carried[both]), overlap


def mutual_information(a: NDArray[np.floating], b: NDArray[np.floating], bins: int = 32) -> float:
    """Return normalised mutual information (H(a) + H(b)) / H(a, b): 1 where unrelated, 2 where one gives the other.

    The bins hold equal numbers of voxels, so that the scale of the intensities does not matter.

    References
    ----------
    Studholme C, Hill DLG, Hawkes DJ. An overlap invariant entropy measure of 3D medical image alignment.
    Pattern Recognition 1999; 32: 71-86.
    """
    if a.size < bins * bins:
        return 1.0
    edges = np.linspace(0, 1, bins + 1)[1:-1]
    codes = [np.searchsorted(np.quantile(values, edges), values) for values in (a, b)]
    joint = np.bincount(codes[0] * bins + codes[1], minlength=bins * bins).reshape(bins, bins) / a.size

    def entropy(p: NDArray[np.float64]) -> float:
        return float(-(p[p > 0] * np.log(p[p > 0])).sum())

    together = entropy(joint)
    return (entropy(joint.sum(axis=0)) + entropy(joint.sum(axis=1))) / together if together else 2.0
