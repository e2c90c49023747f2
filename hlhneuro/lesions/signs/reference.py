"""Normal-appearing tissue of the same person: what every sign of a lesion is measured against."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from hlhneuro.imaging.alignment import AlignedSeries, AlignedSession, BoolImage
from hlhneuro.imaging.volumes import FloatImage, Grid
from hlhneuro.lesions.evidence import smoothed
from hlhneuro.lesions.series import LesionSeries
from hlhneuro.settings import SignSettings

__all__ = ["Normal", "Reference", "calm", "covered", "flattened", "median_of", "normal_of", "reference_of", "scored"]

SHARES = np.linspace(0.1, 0.9, 5)  # middles of the bins of the share of white matter in the tissue


@dataclass(frozen=True)
class Reference:
    """Normal-appearing tissue of one subject, the same at every session and in any order of them.

    Parameters
    ----------
    grid : Grid
    normal : bool array
        Grey and white matter away from fluid, from the brain's surface and from every lesion of every session.
    white : float32 array
        What the template expects of white matter in the tissue of each voxel, 0..1 (grey matter is the rest).
    deep : float32 array
        Depth below the brain's surface, 0 there and 1 from `SignSettings.deep_mm` on: vessels and what is left of the
        skull lie near the surface.
    fluid : bool array
        Where fluid is, at all sessions.
    beside_fluid : bool array
        Fluid and the voxels that touch it: lesion there holds fluid in part.
    suspect : bool array
        Lesion or what may be, at any session, and a margin around it.
    depth_mm : float32 array
        Distance to the brain's surface.
    """

    grid: Grid
    normal: BoolImage
    white: FloatImage
    deep: FloatImage
    fluid: BoolImage
    beside_fluid: BoolImage
    suspect: BoolImage
    depth_mm: FloatImage

    @property
    def kind(self) -> tuple[FloatImage, FloatImage]:
        """Return what places have to have in common to be compared."""
        return self.white, self.deep


@dataclass(frozen=True)
class Normal:
    """Level and spread of normal-appearing tissue in an image, by its share of white matter.

    Parameters
    ----------
    shares : array
        Shares of white matter at which they are known.
    centre, spread : array
        Median and robust standard deviation there.
    """

    shares: NDArray[np.float64]
    centre: NDArray[np.float64]
    spread: NDArray[np.float64]

    def level(self, white: NDArray[np.floating] | float) -> NDArray[np.float64]:
        """Return what normal tissue with that share of white matter shows."""
        return np.asarray(np.interp(white, self.shares, self.centre))

    def sd(self, white: NDArray[np.floating] | float) -> NDArray[np.float64]:
        """Return how far normal tissue with that share of white matter spreads."""
        return np.asarray(np.interp(white, self.shares, self.spread))


def reference_of(series: AlignedSeries, lesions: LesionSeries, settings: SignSettings) -> Reference:
    """Return the normal-appearing tissue of a subject."""
    grid, brain = lesions.grid, series.brain_mask
    depth_mm = ndimage.distance_transform_edt(brain, sampling=grid.voxel_size_mm).astype(np.float32)
    gm, wm = (np.asarray(series.template_maps[name], np.float32) for name in ("gm", "wm"))
    csf = lesions.tissue["csf"]
    fluid = brain & (csf > 0.5)
    beside = np.asarray(ndimage.binary_dilation(fluid, np.ones((3, 3, 3), bool)))
    suspect = np.zeros(grid.shape, bool)
    for session in lesions.sessions:
        suspect |= session.mask | (session.probability >= settings.suspect_probability)
    near = suspect
    if suspect.any():
        near = ndimage.distance_transform_edt(~suspect, sampling=grid.voxel_size_mm) <= settings.lesion_margin_mm
    tissue = lesions.tissue["gm"] + lesions.tissue["wm"] > 1 - settings.suspect_probability
    normal = brain & tissue & ~near & (depth_mm > settings.rim_mm)
    white = np.asarray(wm / np.maximum(gm + wm, np.float32(1e-3)), np.float32)
    deep = np.minimum(depth_mm / np.float32(settings.deep_mm), np.float32(1))
    return Reference(grid, normal, white, deep, fluid, beside, np.asarray(near), depth_mm)


def covered(session: AlignedSession, *contrasts: str) -> BoolImage:
    """Return where all of these images of a session have data."""
    there = np.ones(session.brain_mask.shape, bool)
    for contrast in contrasts:
        there &= session.volumes[contrast].data > 0
        if contrast in session.coverage:
            there &= session.coverage[contrast]
    return there


def normal_of(values: FloatImage, there: BoolImage, reference: Reference, settings: SignSettings) -> Normal | str:
    """Return level and spread of normal-appearing tissue in an image, or why they are not known.

    A lesion of the striatum is compared with grey matter and one of the centrum semiovale with white: the spread of
    each holds what the image's noise, the tissue and the template's misfit leave.
    """
    use = reference.normal & there
    shares, found = reference.white[use], values[use]
    bins = np.clip((shares * len(SHARES)).astype(int), 0, len(SHARES) - 1)
    known, centre, spread = [], [], []
    for k, share in enumerate(SHARES):
        own = found[bins == k]
        if own.size >= settings.reference_voxels:
            middle = float(np.median(own))
            known.append(share)
            centre.append(middle)
            spread.append(max(1.4826 * float(np.median(np.abs(own - middle))), 1e-12))
    if not known:
        return "too little normal tissue lies in the image; one that covers the brain would supply it"
    return Normal(np.array(known), np.array(centre), np.array(spread))


def scored(values: FloatImage, there: BoolImage, normal: Normal, reference: Reference) -> FloatImage:
    """Return by how many robust standard deviations each voxel differs from normal tissue of its kind, else zero."""
    z = np.zeros(values.shape, np.float32)
    white = reference.white[there]
    z[there] = (values[there] - normal.level(white)) / normal.sd(white)
    return z


def flattened(
    values: FloatImage, there: BoolImage, normal: Normal, reference: Reference, settings: SignSettings
) -> FloatImage:
    """Take out what normal tissue varies by over the breadth of the brain (receive fields), and nothing finer."""
    grid = reference.grid
    z = scored(values, there, normal, reference)
    use = reference.normal & there & (np.abs(z) < settings.sign_sd)
    rest = np.where(use, values - normal.level(reference.white), 0).astype(np.float32)
    every = max(round(settings.field_mm / 4 / grid.mean_edge_mm), 1)
    total, count = (_blocks(part, every) for part in (rest, use.astype(np.float32)))
    sigma = settings.field_mm / (every * grid.mean_edge_mm)
    total, count = (ndimage.gaussian_filter(part, sigma, mode="constant", truncate=3.0) for part in (total, count))
    field = np.where(count > 1e-3 * every**3, total / np.maximum(count, 1e-6), 0)
    axes = [(np.arange(size) - (every - 1) / 2) / every for size in values.shape]
    slow = ndimage.map_coordinates(field, np.meshgrid(*axes, indexing="ij"), order=1, mode="nearest")
    return np.asarray(np.where(there, values - slow, values), np.float32)


def _blocks(image: FloatImage, every: int) -> FloatImage:
    """Sum over cubes of `every` voxels."""
    for axis, size in enumerate(image.shape):
        image = np.add.reduceat(image, np.arange(0, size, every), axis=axis)
    return image


def calm(values: FloatImage, there: BoolImage, reference: Reference, settings: SignSettings) -> FloatImage:
    """Average an image over the size of the smallest lesion of interest."""
    return smoothed(values, there, settings.context_mm / reference.grid.mean_edge_mm)


def median_of(
    values: NDArray[np.floating],
    session: AlignedSession,
    contrast: str,
    reference: Reference,
    settings: SignSettings,
) -> tuple[float, float]:
    """Return the median of a lesion's voxels and its standard uncertainty.

    Neighbours are not independent: an element is the acquired voxel, or what the averaging of `calm` makes one.
    """
    grid, native = reference.grid, session.native_grids[contrast]
    kernel_ml = (2 * np.sqrt(np.pi) * settings.context_mm) ** 3 / 1000
    element_ml = max(native.voxel_volume_ml, grid.voxel_volume_ml, kernel_ml)
    independent = max(len(values) * grid.voxel_volume_ml / element_ml, 1.0)
    median = float(np.median(values))
    scatter = 1.4826 * float(np.median(np.abs(values - median)))
    return median, float(1.2533 * scatter / np.sqrt(independent))
