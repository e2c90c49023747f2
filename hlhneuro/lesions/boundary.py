"""How far the border between tissue and fluid moved between two images that lie half-way between their sessions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi

from hlhneuro.errors import NotAssessable
from hlhneuro.imaging.alignment import BoolImage
from hlhneuro.imaging.volumes import FloatImage, Grid
from hlhneuro.lesions.anatomy import ventricles
from hlhneuro.settings import VolumeSettings

__all__ = ["BorderShift", "border_shifts"]

_BLOCK = 4  # voxels; the field that is fitted is far smoother


@dataclass(frozen=True)
class BorderShift:
    """What the shift of its border did to one structure.

    Parameters
    ----------
    volume_ml : float
        Mean of both sessions.
    change_ml : float
        Second less first; exchanging the sessions turns its sign and nothing else.
    gap_ml : float
        By how much the two directions (the border of the first session, of the second) differ.
    level_gap_ml : float
        By how much the change differs between the two halves of the step from fluid to tissue.
    """

    volume_ml: float
    change_ml: float
    gap_ml: float
    level_gap_ml: float


def border_shifts(
    first: FloatImage, second: FloatImage, brain: BoolImage, ignored: BoolImage, grid: Grid, settings: VolumeSettings
) -> Mapping[str, BorderShift]:
    """Measure the change of brain parenchyma and of the ventricles by a generalised boundary shift integral.

    Both images are brought to one scale on the core of white matter and on deep grey matter, each found inside the
    session's own border, so that a border that moved cannot pass for a difference of brightness. Then the share of
    tissue (0 fluid, 1 tissue, linear over a window between both) is compared in a band about the border: once about
    that of the first session, once about that of the second. What the band leaves out, because tissue beside it is not
    quite 1 or fluid not quite 0, is made up for by the share found at its two edges.

    Parameters
    ----------
    first, second : float32 array
        T1w on one grid, of one scanner and protocol; fluid is darkest.
    brain : bool array
        The brain with its fluid; only where to look.
    ignored : bool array
        Where differences do not count (lesions of either session).
    grid : Grid
    settings : VolumeSettings

    Returns
    -------
    mapping
        ``brain``, and ``ventricles`` where there are any of sufficient size.

    Raises
    ------
    NotAssessable
        If tissue and fluid cannot be told apart.

    References
    ----------
    Freeborough PA, Fox NC. IEEE Trans Med Imaging 1997; 16: 623-629. Leung KK et al. NeuroImage 2010; 50: 516-523.
    Prados F et al. Neurobiol Aging 2015; 36 Suppl 1: S81-S90.
    """
    box = ndi.find_objects(_grown(brain, settings.band_mm + settings.search_mm, grid).astype(np.uint8))[0]
    first, second, brain, ignored = first[box], second[box], brain[box], ignored[box]
    grid = Grid(first.shape, grid.affine)
    first, second = _same_gain(first, second, brain, grid, settings)
    fluid, low = _levels((first + second)[brain] / 2)[:2]
    room = _grown(brain, settings.search_mm, grid)
    greys = [_deep_grey(image, room & (image > (fluid + low) / 2), grid, settings) for image in (first, second)]
    grey = (greys[0] + greys[1]) / 2
    if grey - fluid < settings.least_contrast:
        raise NotAssessable("fluid and tissue have the same brightness on T1w", remedy="a T1w on which fluid is dark")

    def shares(low: float, high: float) -> list[FloatImage]:
        start, width = fluid + low * (grey - fluid), (high - low) * (grey - fluid)
        pairs = zip((first, second), greys, strict=True)
        return [np.clip((image * (grey / own) - start) / width, 0, 1).astype(np.float32) for image, own in pairs]

    low_edge, high_edge = settings.window
    middle = (low_edge + high_edge) / 2
    halves = [shares(low_edge, middle), shares(middle, high_edge)]
    tissue: list[FloatImage] = [((halves[0][n] + halves[1][n]) / 2).astype(np.float32) for n in (0, 1)]
    masks = [(share > 0.5) & room for share in tissue]
    bands = [_Band(mask, room & ~ignored, grid, settings) for mask in masks]
    inside = _ventricle_room(((tissue[0] + tissue[1]) / 2).astype(np.float32), brain, grid, settings)
    # Fluid is wide in ventricles and narrow in sulci: what the band leaves out is made up for in each by itself.
    parts = [_shift(tissue, halves, bands, where, masks, grid) for where in (room & inside, room & ~inside)]
    near, far = parts
    found = {
        "brain": BorderShift(
            near.volume_ml,
            near.change_ml + far.change_ml,
            near.gap_ml + far.gap_ml,
            near.level_gap_ml + far.level_gap_ml,
        )
    }
    empty = [~mask & inside for mask in masks]
    if min(float(e.sum()) for e in empty) * grid.voxel_volume_ml >= settings.least_ventricle_ml:
        moved = _shift(tissue, halves, bands, inside, empty, grid)
        found["ventricles"] = BorderShift(moved.volume_ml, -moved.change_ml, moved.gap_ml, moved.level_gap_ml)
    return found


class _Band:
    """The neighbourhood of a border, and its innermost and outermost voxels."""

    def __init__(self, mask: BoolImage, room: BoolImage, grid: Grid, settings: VolumeSettings) -> None:
        out, inn = _grown(mask, settings.band_mm, grid), _grown(~mask, settings.band_mm, grid)
        self.whole: BoolImage = out & inn & room
        edge = grid.voxel_size_mm[0]
        near = _grown(mask, settings.band_mm - edge, grid), _grown(~mask, settings.band_mm - edge, grid)
        self.outer: BoolImage = self.whole & ~near[0]
        self.inner: BoolImage = self.whole & ~near[1]


def _shift(
    tissue: list[FloatImage],
    halves: list[list[FloatImage]],
    bands: list[_Band],
    where: BoolImage,
    structure: list[BoolImage],
    grid: Grid,
) -> BorderShift:
    """Return the mean of both directions; each has its own band, and everything else is the same."""
    ml = grid.voxel_volume_ml
    directions, levels = [], []
    for own, band in enumerate(bands):
        here = band.whole & where
        edges = [band.inner & where, band.outer & where]
        directions.append(_moved(tissue, own, here, edges) * ml)
        levels.append([_moved(half, own, here, edges) * ml for half in halves])
    volume = float(structure[0].sum() + structure[1].sum()) * ml / 2
    level_gap = (levels[0][1] + levels[1][1]) / 2 - (levels[0][0] + levels[1][0]) / 2
    return BorderShift(volume, (directions[0] + directions[1]) / 2, abs(directions[0] - directions[1]), abs(level_gap))


def _moved(pair: list[FloatImage], own: int, here: BoolImage, edges: list[BoolImage]) -> float:
    # The edges are read in the session whose border it is: in the other one a wide shift has reached them.
    difference = float((pair[1] - pair[0])[here].sum(dtype=np.float64))
    inner, outer = (
        float(pair[own][edge].mean(dtype=np.float64)) if edge.any() else ideal
        for edge, ideal in zip(edges, (1.0, 0.0), strict=True)
    )
    return difference / max(inner - outer, 0.5)


def _grown(mask: BoolImage, mm: float, grid: Grid) -> BoolImage:
    times = round(mm / grid.voxel_size_mm[0])
    grown: BoolImage = ndi.binary_dilation(mask, iterations=times) if times > 0 else mask
    return grown


def _levels(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the brightness of fluid, darker and brighter tissue: three means, each of what lies nearest to it."""
    centres: NDArray[np.float64] = np.quantile(values, (0.05, 0.4, 0.85)).astype(np.float64)
    for _ in range(100):
        nearest = np.digitize(values, (centres[1:] + centres[:-1]) / 2)
        count = np.bincount(nearest, minlength=3)
        if (count == 0).any():
            break
        found: NDArray[np.float64] = np.bincount(nearest, weights=values, minlength=3) / count
        if np.abs(found - centres).max() < 1e-5:
            break
        centres = found
    return centres


def _deep_grey(image: FloatImage, tissue: BoolImage, grid: Grid, settings: VolumeSettings) -> float:
    """Return the median of the darker tissue that lies beside, but not at, the session's own border."""
    rim = ~_grown(~tissue, settings.depth_mm, grid) & _grown(~tissue, settings.near_mm, grid)
    values = image[tissue & rim]
    if values.size < settings.fewest_voxels:
        raise NotAssessable("too little tissue beside fluid on T1w", remedy="a T1w of the whole brain")
    low, high = np.quantile(values, (0.15, 0.7)).astype(np.float64)
    for _ in range(100):
        darker = values < (low + high) / 2
        new = float(values[darker].mean(dtype=np.float64)), float(values[~darker].mean(dtype=np.float64))
        if max(abs(new[0] - low), abs(new[1] - high)) < 1e-6:
            break
        low, high = new
    return float(np.median(values[values < (low + high) / 2]))


def _same_gain(
    first: FloatImage, second: FloatImage, brain: BoolImage, grid: Grid, settings: VolumeSettings
) -> tuple[FloatImage, FloatImage]:
    """Divide out the smooth ratio of the two images in the core of white matter, half from each."""
    centres = _levels((first + second)[brain] / 2)
    low, high = (centres[1] + centres[2]) / 2, centres[2] * settings.brightest
    white = brain & (first > low) & (second > low) & (first < high) & (second < high)
    core = ~_grown(~white, settings.core_mm, grid)
    if core.sum() < settings.fewest_voxels:
        raise NotAssessable("white matter cannot be told from the rest on T1w", remedy="a T1w with contrast in tissue")
    ratio = np.zeros(first.shape, np.float32)
    ratio[core] = np.log(second[core]) - np.log(first[core])
    middle = np.median(ratio[core])
    spread = 1.4826 * np.median(np.abs(ratio[core] - middle))
    core &= np.abs(ratio - middle) <= settings.trim_sd * spread
    sigma = settings.field_mm / (_BLOCK * grid.voxel_size_mm[0])
    total, weight = (
        ndi.gaussian_filter(_blocks(np.where(core, image, 0)), sigma, mode="constant")
        for image in (ratio, np.ones_like(ratio))
    )
    field = np.where(weight > 1e-4, total / np.maximum(weight, 1e-4), middle).astype(np.float32)
    spread_out: FloatImage = ndi.affine_transform(
        field, np.full(3, 1 / _BLOCK), (1 / _BLOCK - 1) / 2, output_shape=first.shape, order=1, mode="nearest"
    )
    return first * np.exp(spread_out / 2), second * np.exp(-spread_out / 2)


def _blocks(image: FloatImage) -> NDArray[np.float64]:
    padded = np.pad(image, [(0, -n % _BLOCK) for n in image.shape])
    parts = padded.reshape([size for n in padded.shape for size in (n // _BLOCK, _BLOCK)])
    means: NDArray[np.float64] = np.asarray(parts.mean(axis=(1, 3, 5)), dtype=np.float64)
    return means


def _ventricle_room(tissue: FloatImage, brain: BoolImage, grid: Grid, settings: VolumeSettings) -> BoolImage:
    """Return the ventricles (and deep cisterns) of both sessions with the tissue beside them."""
    return _grown(ventricles(grid, brain, 1 - tissue, settings.ventricle_depth_mm), settings.ventricle_reach_mm, grid)
