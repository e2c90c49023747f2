"""Finding smooth deformations: one brain onto another on top of an affine, and two sessions onto each other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hlhneuro.errors import StudyError
from hlhneuro.imaging._ants import ants_warp
from hlhneuro.imaging._engine import greedy, sitk, to_sitk, windowed
from hlhneuro.imaging.registration import mutual_information
from hlhneuro.imaging.resampling import resample
from hlhneuro.imaging.series import RegistrationQuality
from hlhneuro.imaging.transforms import AffineTransform, DisplacementTransform, Transform
from hlhneuro.imaging.volumes import FloatImage, Grid, Volume
from hlhneuro.settings import AlignSettings

__all__ = ["DeformedPair", "judge_deformation", "register_deformable", "register_deformable_pair"]

BoolImage = NDArray[np.bool_]
_METRIC = "NCC 2x2x2"  # correlation over five voxels: blind to what is left of bias, and local enough to see a sulcus
_HALVINGS = 6  # a deformation is the 64-fold repetition of its root, as the engine has it


@dataclass(frozen=True)
class DeformedPair:
    """Two images deformed onto each other; neither is the reference.

    Parameters
    ----------
    forward, backward : DisplacementTransform
        Points of the first image to points of the second, and back; inverse to each other by construction.
    gap_mm : float
        Mean distance, over the mask, by which the two directions missed each other before they were made one.
    left_mm : float
        The same afterwards: what interpolation leaves.
    jacobian : array
        Volume in the second image over volume in the first, at the voxels of the first.
    folding : float
        Part of the mask where the deformation folds.
    """

    forward: DisplacementTransform
    backward: DisplacementTransform
    gap_mm: float
    left_mm: float
    jacobian: FloatImage
    folding: float


def register_deformable(
    fixed: Volume, moving: Volume, counted: BoolImage, settings: AlignSettings, *, start: AffineTransform
) -> DisplacementTransform:
    """Find a smooth deformation on top of an affine: the transform of fixed points to moving points.

    Parameters
    ----------
    fixed, moving : Volume
        Isotropic RAS+ images of the same contrast: bright has to be bright in both.
    counted : bool array
        Where on the fixed image the metric counts: what has no counterpart in the other image (lesions) is left out.
    settings : AlignSettings
    start : AffineTransform
        Moving to fixed points.

    Raises
    ------
    StudyError
        If the settings name an engine that is unknown or not installed.

    References
    ----------
    Yushkevich PA et al. Alzheimers Dement 2016; 12: P126-P127 (greedy). Avants BB, Epstein CL, Grossman M, Gee JC.
    Symmetric diffeomorphic image registration with cross-correlation. Med Image Anal 2008; 12: 26-41 (ants).
    Brett M, Leff AP, Rorden C, Ashburner J. Spatial normalization of brain images with focal lesions using cost
    function masking. NeuroImage 2001; 14: 486-500.
    """
    # Neither engine takes a starting matrix from memory: the moving image is put in place on this coarse grid first.
    placed = resample(windowed(moving, None), moving.grid, fixed.grid, start.inverse(), "linear")
    target = windowed(fixed, counted)
    if settings.deformable_engine == "greedy":
        warp = _greedy_warp(target, placed, counted, fixed.grid, settings)
    elif settings.deformable_engine == "ants":
        warp = ants_warp(target, placed, counted, fixed.grid, settings.deformable_iterations)
    else:
        raise StudyError(
            "no such engine", field="align.deformable_engine", found=settings.deformable_engine, remedy="greedy or ants"
        )
    return DisplacementTransform(warp, fixed.grid, start.inverse())


def _greedy_warp(
    fixed: FloatImage,
    moving: FloatImage,
    counted: BoolImage,
    grid: Grid,
    settings: AlignSettings,
    *,
    root: bool = False,
) -> FloatImage:
    """Return the displacement (RAS+ mm) of fixed points, or the 64th root of one found with stationary velocities."""
    out = "-sv -oroot found -o whole" if root else "-o found"
    steps = f"-n {settings.deformable_iterations} -s {settings.deformable_smoothing}"
    warp = greedy(
        f"-i fix mov -gm mask {out} -m {_METRIC} {steps}",
        "found",
        fix=to_sitk(fixed, grid),
        mov=to_sitk(moving, grid),
        mask=to_sitk(counted, grid),
        whole=None,
    )
    field = np.ascontiguousarray(np.transpose(sitk.GetArrayFromImage(warp), (2, 1, 0, 3)), dtype=np.float32)
    field *= np.array([-1, -1, 1], dtype=np.float32)  # LPS
    return field


def register_deformable_pair(
    first: Volume, second: Volume, counted: tuple[BoolImage, BoolImage], settings: AlignSettings
) -> DeformedPair:
    """Deform two images of one brain onto each other, both treated alike.

    Each is registered to the other; the logarithms of the two deformations (their 64th roots, small displacements) are
    averaged, one with its sign turned, and raised again. Exchanging the images turns the sign of that mean and nothing
    else, so that no session is preferred. The engine is greedy with stationary velocities, whatever the settings say.

    Parameters
    ----------
    first, second : Volume
        Of one contrast, on one isotropic grid that lies half-way between both (the midspace).
    counted : pair of bool arrays
        Where the metric counts on each.
    settings : AlignSettings

    References
    ----------
    Vercauteren T, Pennec X, Perchant A, Ayache N. Symmetric log-domain diffeomorphic registration: a demons-based
    approach. MICCAI 2008; LNCS 5241: 754-761.
    """
    if first.grid.shape != second.grid.shape or not np.allclose(first.affine, second.affine):
        raise ValueError("both images have to lie on one grid")
    images = [windowed(volume, mask) for volume, mask in zip((first, second), counted, strict=True)]
    roots = [_greedy_warp(images[n], images[1 - n], counted[n], first.grid, settings, root=True) for n in (0, 1)]
    mean = ((roots[0] - roots[1]) / 2).astype(np.float32)
    forward, backward = (_raised(field, first.grid) for field in (mean, -mean))
    there, back = (_raised(field, first.grid) for field in roots)
    both = counted[0] & counted[1]
    points = first.grid.points_mm()[both]
    jacobian = forward.jacobian()
    return DeformedPair(
        forward,
        backward,
        gap_mm=float(np.linalg.norm(back.map(there.map(points)) - points, axis=-1).mean()),
        left_mm=float(np.linalg.norm(backward.map(forward.map(points)) - points, axis=-1).mean()),
        jacobian=jacobian,
        folding=float((jacobian[both] <= 0).mean()),
    )


def _raised(root: FloatImage, grid: Grid) -> DisplacementTransform:
    transform = DisplacementTransform(root, grid, AffineTransform.identity())
    for _ in range(_HALVINGS):
        transform = transform.after(transform)
    return transform


def judge_deformation(
    found: DisplacementTransform,
    images: tuple[Volume, Volume],
    brains: tuple[BoolImage, BoolImage],
    counted: BoolImage,
    settings: AlignSettings,
) -> RegistrationQuality:
    """Say whether a deformation is better than its own affine part, and does not fold.

    Parameters
    ----------
    found : DisplacementTransform
        Points of the first image to points of the second.
    images : pair of Volume
        Fixed and moving image.
    brains : pair of bool arrays
        The brain on each.
    counted : bool array
        Where, on the fixed image, the two may be compared.
    settings : AlignSettings

    Returns
    -------
    RegistrationQuality
        Not accepted if some of the brain folds, if the images share less than they did by the affine, or if the brains
        overlap clearly less.
    """
    folds = found.jacobian() / np.linalg.det(found.affine.matrix[:3, :3]) <= 0
    folding = float(folds[brains[0]].mean())
    before, after = (_agreement(transform, images, brains, counted) for transform in (found.affine, found))
    reasons = []
    if folding > settings.largest_folding:
        reasons.append(f"the deformation folds in {100 * folding:.2g} % of the brain")
    if after[0] < before[0]:
        reasons.append(
            f"the images share less than by the affine (mutual information {after[0]:.3f} of {before[0]:.3f})"
        )
    if after[1] < before[1] - settings.largest_overlap_loss:
        reasons.append(f"the brains overlap less than by the affine (Dice {after[1]:.2f} of {before[1]:.2f})")
    told = (
        f"mutual information {before[0]:.3f} to {after[0]:.3f}, brain Dice {before[1]:.2f} to {after[1]:.2f}, no folds"
    )
    return RegistrationQuality(
        moving=images[1].contrast,
        fixed=images[0].contrast,
        similarity=after[0],
        brain_overlap=after[1],
        inverse_consistency_mm=float("nan"),
        accepted=not reasons,
        reason="; ".join(reasons) or told,
    )


def _agreement(
    transform: Transform, images: tuple[Volume, Volume], brains: tuple[BoolImage, BoolImage], counted: BoolImage
) -> tuple[float, float]:
    fixed, moving = images
    carried = resample(moving.data, moving.grid, fixed.grid, transform, "linear")
    brain = resample(brains[1], moving.grid, fixed.grid, transform, "linear") > 0.5
    both = brains[0] & brain
    overlap = 2 * float(both.sum()) / float(brains[0].sum() + brain.sum())
    seen = both & counted
    return mutual_information(fixed.data[seen], carried[seen]), overlap
