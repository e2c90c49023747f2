"""From tissue to a scanner's image: place, slice profile, receive field, noise, integers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from hlhneuro.imaging.transforms import AffineTransform
from hlhneuro.imaging.volumes import FloatImage, Grid
from hlhneuro.phantom.anatomy import Head, smooth_field
from hlhneuro.phantom.lesions import LesionMap
from hlhneuro.phantom.physics import Sequence, signal, tissue

__all__ = ["Acquisition", "acquire", "acquire_adc", "rigid", "sample", "scanner_grid", "weigh"]

# Noise of the stored images, in integer units: fine enough to be seen, coarse enough to compress well.
NOISE_UNITS = 2.0
# Standard deviation of the logarithm of the receive field, and the size of its variation (expert-set: a head coil).
BIAS_SD = {1.5: 0.08, 3.0: 0.13}
BIAS_SPACING_MM = 110.0
# Diffusion weighting of the maps, and the part of the brightest signal below which a map is left empty.
B_VALUE_S_PER_MM2 = 1000.0
ADC_SIGNAL_FLOOR = 0.10
# Maps are stored in 1e-6 mm²/s, in steps of ten.
ADC_STEP = 10


@dataclass(frozen=True)
class Acquisition:
    """How one image is taken.

    Parameters
    ----------
    grid : Grid
        Where the voxels lie in scanner space.
    to_truth : AffineTransform
        Maps points from scanner space to the truth grid's space: where the head lay.
    field_t : float
        1.5 or 3 tesla.
    white_matter_snr : float
        Signal of white matter over the noise's standard deviation.
    seed : tuple of int
        Seeds the receive field and the noise.
    """

    grid: Grid
    to_truth: AffineTransform
    field_t: float
    white_matter_snr: float
    seed: tuple[int, ...]


def rigid(rotation_deg: NDArray[np.float64], translation_mm: NDArray[np.float64]) -> AffineTransform:
    """Return a rigid transform: rotations about x, then y, then z, in degrees, then a translation in millimetres."""
    matrix = np.eye(4)
    for axis, angle in enumerate(np.deg2rad(rotation_deg)):
        turn = np.eye(4)
        i, j = (axis + 1) % 3, (axis + 2) % 3
        turn[[i, j], [i, j]] = np.cos(angle)
        turn[i, j], turn[j, i] = -np.sin(angle), np.sin(angle)
        matrix = turn @ matrix
    matrix[:3, 3] = translation_mm
    return AffineTransform(matrix)


def scanner_grid(
    head: Grid,
    to_truth: AffineTransform,
    voxel_mm: tuple[float, float, float],
    tilt_deg: float = 0.0,
    first_axis_to_left: bool = False,
) -> Grid:
    """Return a grid that covers the head where it lies in the scanner.

    Parameters
    ----------
    head : Grid
        The truth grid.
    to_truth : AffineTransform
        From scanner space to the truth grid's space.
    voxel_mm : tuple of float
        Voxel edge lengths.
    tilt_deg : float
        Slices tilted about the left-right axis.
    first_axis_to_left : bool
        Store right to left, as many scanners do.
    """
    extent = np.array(head.shape) * head.voxel_size_mm
    centre = head.affine[:3, :3] @ ((np.array(head.shape) - 1) / 2) + head.affine[:3, 3]
    # The isocentre lies where the technician put it: whole millimetres, not exactly on the head.
    middle = np.round(to_truth.inverse().map(centre))
    shape = np.ceil((extent - np.array([2.0, 2.0, 6.0])) / np.array(voxel_mm)).astype(int)
    turn = rigid(np.array([tilt_deg, 0.0, 0.0]), np.zeros(3)).matrix[:3, :3]
    steps = turn @ np.diag(np.array(voxel_mm) * np.array([-1.0 if first_axis_to_left else 1.0, 1.0, 1.0]))
    affine = np.eye(4)
    affine[:3, :3] = steps
    affine[:3, 3] = middle - steps @ ((shape - 1) / 2)
    return Grid((int(shape[0]), int(shape[1]), int(shape[2])), affine)


def weigh(head: Head, lesions: LesionMap, sequence: Sequence, field_t: float, *, after_gadolinium: bool) -> FloatImage:
    """Return the noiseless signal on the truth grid: fractions times the signal of their tissue.

    Lesions replace the brain tissue they lie in. Magnitude is taken here, after mixing.
    """

    def of(name: str, enhancing: bool) -> float:
        properties = tissue(name, field_t)
        return signal(properties.enhanced() if after_gadolinium and enhancing else properties, sequence)

    mixed = np.zeros(head.grid.shape, dtype=np.float32)
    for name, fraction in head.fractions.items():
        if not (name == "fat" and sequence.fat_suppressed):
            mixed += fraction * np.float32(of(name, True))
    total = lesions.total
    where = np.nonzero(total)
    within = mixed[where] * (1 - total[where])
    for (state, enhancing), fraction in lesions.fractions.items():
        within += fraction[where] * np.float32(of(state, enhancing))
    mixed[where] = within
    magnitude: FloatImage = np.abs(mixed)
    return magnitude


def sample(image: FloatImage, source: Grid, target: Grid, to_source: AffineTransform) -> FloatImage:
    """Average an image over the voxels of another grid.

    Parameters
    ----------
    image : float32 array on `source`
    source, target : Grid
    to_source : AffineTransform
        Maps points from the target's space to the source's.

    Returns
    -------
    float32 array on `target`
    """
    edges = np.array(target.voxel_size_mm)
    spacing = source.voxel_size_mm[0]
    # In plane a Gaussian stands for the voxel's width; across thick slices the profile is averaged point by point.
    in_plane_mm = edges.min()
    sigma = 0.30 * np.sqrt(max(in_plane_mm**2 - spacing**2, 0.0)) / spacing
    smooth = ndimage.gaussian_filter(image, sigma) if sigma > 0.1 else image
    parts = np.where(edges > 1.5 * in_plane_mm, np.ceil(edges / spacing), 1).astype(int)
    fine = target.affine.copy()
    fine[:3, :3] = target.affine[:3, :3] / parts
    fine[:3, 3] += target.affine[:3, :3] @ ((1 / parts - 1) / 2)
    to_index = np.linalg.inv(source.affine) @ to_source.matrix @ fine
    shape = tuple(int(n) for n in np.array(target.shape) * parts)
    drawn = ndimage.affine_transform(smooth, to_index[:3, :3], to_index[:3, 3], output_shape=shape, order=1)
    split = drawn.reshape([size for pair in zip(target.shape, parts, strict=True) for size in pair])
    averaged: FloatImage = split.mean(axis=(1, 3, 5), dtype=np.float32)
    return averaged


def acquire(signal_map: FloatImage, head: Grid, how: Acquisition, white_matter_signal: float) -> NDArray[np.int16]:
    """Take one magnitude image: resampled, shaded, with Rician noise, in integers.

    Parameters
    ----------
    signal_map : float32 array on the truth grid
    head : Grid
        The truth grid.
    how : Acquisition
    white_matter_signal : float
        Noiseless signal of white matter, which sets the scale.

    Returns
    -------
    int16 array on ``how.grid``
    """
    rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence(how.seed)))
    clean = sample(signal_map, head, how.grid, how.to_truth)
    shading = np.exp(BIAS_SD[how.field_t] * smooth_field(how.grid.shape, how.grid.voxel_size_mm, BIAS_SPACING_MM, rng))
    scaled = clean * shading * np.float32(how.white_matter_snr * NOISE_UNITS / white_matter_signal)
    real, imaginary = (rng.standard_normal(clean.shape, dtype=np.float32) * np.float32(NOISE_UNITS) for _ in range(2))
    stored: NDArray[np.int16] = np.rint(np.hypot(scaled + real, imaginary)).astype(np.int16)
    return stored


def acquire_adc(
    unweighted: FloatImage, weighted: FloatImage, head: Grid, how: Acquisition, white_matter_signal: float
) -> NDArray[np.int16]:
    """Take an unweighted and a diffusion-weighted image and return the map of their ratio, in 1e-6 mm²/s."""
    rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence(how.seed)))
    noise = white_matter_signal / how.white_matter_snr
    measured = []
    for clean in (unweighted, weighted):
        drawn = sample(clean, head, how.grid, how.to_truth)
        real, imaginary = (rng.standard_normal(drawn.shape, dtype=np.float32) * np.float32(noise) for _ in range(2))
        measured.append(np.hypot(drawn + real, imaginary))
    ratio = measured[0] / np.maximum(measured[1], np.float32(1e-6))
    adc = np.log(np.maximum(ratio, np.float32(1e-6))) / B_VALUE_S_PER_MM2 * 1e6
    lit = measured[0] > ADC_SIGNAL_FLOOR * np.percentile(measured[0], 99)
    lit = ndimage.binary_opening(lit, iterations=1)
    return np.where(lit, np.clip(np.rint(adc / ADC_STEP), 0, 400) * ADC_STEP, 0).astype(np.int16)
