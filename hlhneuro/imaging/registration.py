"""Finding rigid and affine transforms. The engine itself is in `_engine`, the last rigid step in `refinement`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hlhneuro.imaging._engine import greedy, to_sitk, windowed
from hlhneuro.imaging.brain import dilate
from hlhneuro.imaging.likeness import likeness, mutual_information
from hlhneuro.imaging.refinement import Sampler, refine_rigid
from hlhneuro.imaging.resampling import resample
from hlhneuro.imaging.transforms import AffineTransform, mean_rigid
from hlhneuro.imaging.volumes import Grid, Volume

__all__ = [
    "Match",
    "best_start",
    "centre_of",
    "in_reverse",
    "isotropic_grid",
    "lattice_around",
    "mutual_information",
    "register_affine",
    "register_rigid",
    "working_image",
]

BoolImage = NDArray[np.bool_]


@dataclass(frozen=True)
class Match:
    """A registration, and how alike the two images are under it.

    Parameters
    ----------
    transform : AffineTransform
        Points of the moving image to points of the fixed one.
    inverse_consistency_mm : float
        Mean gap over the brain between the coarse searches in the two directions, from which the transform was refined.
        The transform itself is the same from either side.
    similarity : float
        Normalised mutual information inside both brains, 1 (unrelated) to 2 (the same).
    overlap : float
        Dice overlap of the brains where both images have data.
    null_similarity : float
        The similarity after the values of one image were shuffled; NaN where it was not measured.
    detail : float
        Agreement of edges over that of the displaced images, minus one (`likeness`); NaN where it was not measured.
    mirrored : bool
        It fits only if left and right are exchanged in one of the images.
    """

    transform: AffineTransform
    inverse_consistency_mm: float
    similarity: float
    overlap: float
    null_similarity: float = float("nan")
    detail: float = float("nan")
    mirrored: bool = False


def isotropic_grid(grid: Grid, voxel_size_mm: float, mask: BoolImage | None = None, margin_mm: float = 0.0) -> Grid:
    """Return the RAS+ grid of cubic voxels that holds `grid`, or the part of it in `mask` with a margin.

    Voxel centres lie at multiples of the voxel size, so that the same region always gets the same grid.
    """
    if mask is None:
        corners = np.array(np.meshgrid(*((-0.5, n - 0.5) for n in grid.shape))).reshape(3, -1).T
    else:
        used = [np.flatnonzero(mask.any(axis=tuple(a for a in range(3) if a != axis))) for axis in range(3)]
        corners = np.array(np.meshgrid(*((u[0] - 0.5, u[-1] + 0.5) for u in used))).reshape(3, -1).T
    return lattice_around(AffineTransform(grid.affine).map(corners), voxel_size_mm, margin_mm)


def lattice_around(points_mm: NDArray[np.float64], voxel_size_mm: float, margin_mm: float) -> Grid:
    """Return the RAS+ grid of cubic voxels, centres at multiples of the voxel size, that holds points, shape (n, 3)."""
    first = np.floor((points_mm.min(axis=0) - margin_mm) / voxel_size_mm + 1e-6)
    last = np.ceil((points_mm.max(axis=0) + margin_mm) / voxel_size_mm - 1e-6)
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
    fixed_brain: BoolImage,
    moving_brain: BoolImage,
    *,
    start: AffineTransform | None = None,
    reach_mm: float = 16.0,
    coarse_voxel_mm: float = 4.0,
    iterations: str = "100x50",
) -> Match:
    """Find the rigid transform between two working images, of any contrasts.

    First on coarse copies in both directions by normalised mutual information, then, from the mean of the two, half-way
    between the images (`refine_rigid`). Exchanged images give the inverse transform.

    Parameters
    ----------
    fixed, moving : Volume
        Isotropic RAS+ images.
    fixed_brain, moving_brain : bool arrays
        The brain on each.
    start : AffineTransform, optional
        Rigid, moving to fixed points, to begin from; identity if left out.
    reach_mm : float
        How far from the brain the coarse copies are looked at.
    coarse_voxel_mm : float
        Voxels of the coarse copies.
    iterations : str
        Steps on the coarse copies, coarsest level first; each level has half the voxels of the one before.

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
    if in_reverse(fixed, moving):
        found = register_rigid(
            moving,
            fixed,
            moving_brain,
            fixed_brain,
            start=start.inverse(),
            reach_mm=reach_mm,
            coarse_voxel_mm=coarse_voxel_mm,
            iterations=iterations,
        )
        return replace(found, transform=found.transform.inverse())
    (here, near), (there, far) = (
        _coarse(image, brain, coarse_voxel_mm, reach_mm)
        for image, brain in ((fixed, fixed_brain), (moving, moving_brain))
    )
    forward = _linear(here, there, near, 6, start, iterations).rigid_part(centre_of(fixed, fixed_brain))
    backward = _linear(there, here, far, 6, start.inverse(), iterations).rigid_part(centre_of(moving, moving_brain))
    middle = mean_rigid([forward, backward.inverse()])
    points = AffineTransform(fixed.affine).map(np.argwhere(fixed_brain)[::7])
    gap = float(np.linalg.norm(forward.inverse().map(points) - backward.map(points), axis=1).mean())
    sides = (Sampler.of(fixed, fixed_brain), Sampler.of(moving, moving_brain))
    transform = refine_rigid(sides, middle)
    alike = likeness(sides, transform)
    return Match(transform, gap, alike.similarity, alike.overlap, alike.null_similarity, alike.detail)


def in_reverse(fixed: Volume, moving: Volume) -> bool:
    """Return whether two images are to change places, so that a pair is always worked on in the same order.

    Nothing in the registration prefers one of two images; this keeps rounding errors from doing so.
    """
    one, other = ((v.data.tobytes(), v.affine.tobytes()) for v in (fixed, moving))
    return one > other


def best_start(
    fixed: Volume,
    moving: Volume,
    fixed_brain: BoolImage,
    moving_brain: BoolImage,
    starts: Sequence[AffineTransform],
    *,
    voxel_mm: float = 8.0,
    reach_mm: float = 16.0,
) -> AffineTransform:
    """Return, of several starts, what a quick search from the best of them gives: rigid, moving to fixed points."""
    (here, near), (there, far) = (
        _coarse(image, brain, voxel_mm, reach_mm) for image, brain in ((fixed, fixed_brain), (moving, moving_brain))
    )
    sides = (Sampler.of(here, near), Sampler.of(there, far))
    centre = centre_of(fixed, fixed_brain)
    found = [_linear(here, there, near, 6, start, "100").rigid_part(centre) for start in starts]
    return max(found, key=lambda transform: likeness(sides, transform, voxel_mm).similarity)


def centre_of(image: Volume, brain: BoolImage) -> NDArray[np.float64]:
    """Return the centre of a brain, mm."""
    return AffineTransform(image.affine).map(np.argwhere(brain).mean(axis=0))


def _coarse(image: Volume, brain: BoolImage, voxel_mm: float, reach_mm: float) -> tuple[Volume, BoolImage]:
    """Return a coarse copy of a working image, and what lies near the brain on it."""
    small = working_image(image, voxel_mm)
    share = resample(brain, image.grid, small.grid, AffineTransform.identity(), "linear")
    return small, dilate(share > 0.5, reach_mm, voxel_mm)


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
