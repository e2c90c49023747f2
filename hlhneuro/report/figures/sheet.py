"""A sheet of slices: the brain cut in three planes, tiles in rows, drawn in millimetres on one canvas.

Only the brain and a few millimetres around it are ever drawn: no picture holds a face.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import NDArray
from scipy import ndimage as ndi

from hlhneuro.errors import NotAssessable
from hlhneuro.imaging.series import AlignedSeries
from hlhneuro.imaging.volumes import Volume
from hlhneuro.report.figures.style import INK, MUTED, new_figure
from hlhneuro.report.words import number

__all__ = ["AXIAL", "CONVENTION", "CORONAL", "PLANES", "SAGITTAL", "Outline", "Row", "Tile", "View", "draw_sheet"]

SAGITTAL, CORONAL, AXIAL = 0, 1, 2
PLANES = {AXIAL: "axial", CORONAL: "coronal", SAGITTAL: "sagittal"}
MARGIN_MM = 6.0
CONVENTION = "radiological: patient's left is on the right"
LINE_IN, GAP_IN, LETTERS_PER_IN, SCALE_BAR_MM = 0.165, 0.06, 16.0, 50.0

Plane = NDArray[Any]
BoolImage = NDArray[np.bool_]


@dataclass(frozen=True)
class View:
    """How the brain of one subject is cut and looked at: radiological convention, sagittal slices facing left.

    Parameters
    ----------
    affine : array, shape (4, 4)
        Voxel index to RAS+ mm; its axes are the anatomical ones and its voxels are cubes.
    first, last : array, shape (3,)
        First and last voxel of the brain along each axis.
    low, high : array, shape (3,)
        First and one past the last voxel that is drawn.
    brain : bool array, shape (X, Y, Z)
        Brain of any session; what lies further from it than a small margin is left black.
    """

    affine: NDArray[np.float64]
    first: NDArray[np.int64]
    last: NDArray[np.int64]
    low: NDArray[np.int64]
    high: NDArray[np.int64]
    brain: BoolImage

    @classmethod
    def of(cls, aligned: AlignedSeries) -> View:
        """Frame the brain.

        Raises
        ------
        NotAssessable
            If there is no brain mask: without one, a face could be shown.
        """
        brain = np.logical_or.reduce([aligned.brain_mask, *(session.brain_mask for session in aligned.sessions)])
        if not brain.any():
            raise NotAssessable("the brain mask is empty, and without one no image is shown", remedy="check the images")
        others = ((1, 2), (0, 2), (0, 1))
        inside = [np.flatnonzero(brain.any(axis=along)) for along in others]
        first, last = (np.array([places[end] for places in inside]) for end in (0, -1))
        margin = np.ceil(MARGIN_MM / np.asarray(aligned.grid.voxel_size_mm)).astype(int)
        low, high = np.maximum(first - margin, 0), np.minimum(last + margin + 1, aligned.grid.shape)
        return cls(aligned.grid.affine, first, last, low, high, brain)

    @property
    def voxel_mm(self) -> float:
        """Edge of a voxel."""
        return float(self.affine[0, 0])

    def index_at(self, axis: int, fraction: float) -> int:
        """Return the slice at that fraction of the brain's extent, from left, back or bottom."""
        return round(float(self.first[axis] + fraction * (self.last[axis] - self.first[axis])))

    def plane(self, data: NDArray[Any], axis: int, index: int) -> Plane:
        """Return a slice as it is looked at: first row on top, first column at the left of the picture."""
        where: list[Any] = [slice(a, b) for a, b in zip(self.low, self.high, strict=True)]
        where[axis] = index
        seen: Plane = data[tuple(where)].T[::-1, ::-1]
        return seen

    def near_brain(self, axis: int, index: int) -> Plane:
        """Return which part of a slice may be shown."""
        reach = round(MARGIN_MM / self.voxel_mm)
        return np.asarray(ndi.binary_dilation(self.plane(self.brain, axis, index), iterations=max(reach, 1)))

    def window(self, *volumes: Volume) -> tuple[float, float]:
        """Return the intensities shown black and white, common to the volumes, so that they compare by eye."""
        every = (slice(None, None, 2),) * 3  # an eighth of the voxels gives the same percentiles
        values = np.concatenate([volume.data[every][self.brain[every]] for volume in volumes])
        dark, bright = np.percentile(values, (1, 99.7))
        return float(dark), float(max(bright, dark + 1e-6))

    def grey(self, data: NDArray[Any], window: tuple[float, float], axis: int, index: int) -> Plane:
        """Return a slice in grey values from 0 to 1, black away from the brain."""
        dark, bright = window
        grey = np.clip((self.plane(data, axis, index) - dark) / (bright - dark), 0, 1)
        return np.where(self.near_brain(axis, index), grey, 0.0)

    def position(self, axis: int, index: int) -> str:
        """Return where the slice lies, in words."""
        place_mm = float(self.affine[axis, 3] + index * self.affine[axis, axis])
        return f"{'xyz'[axis]} = {number(place_mm, 0, signed=True)} mm"

    def tile(self, picture: Plane, axis: int, index: int, *outlines: Outline, title: str = "") -> Tile:
        """Return a slice with its sides and its place."""
        letters = ("A", "P") if axis == SAGITTAL else ("R", "L")
        return Tile(picture, letters, self.position(axis, index), outlines, title)

    def edge_of(self, mask: BoolImage, axis: int, index: int, colour: str, linewidth: float) -> Outline:
        """Return the edge of a mask on a slice."""
        return Outline(self.plane(mask, axis, index).astype(float), 0.5, colour, linewidth)


@dataclass(frozen=True)
class Outline:
    """A line on a tile: where `field` (a slice as it is looked at, masked where no line is wanted) has that level."""

    field: Plane
    level: float
    colour: str
    linewidth: float


@dataclass(frozen=True)
class Tile:
    """One slice: grey (rows, columns) or coloured (rows, columns, 3) values from 0 to 1, with what is written on it."""

    picture: Plane
    letters: tuple[str, str]
    place: str
    outlines: tuple[Outline, ...] = ()
    title: str = ""


@dataclass(frozen=True)
class Row:
    """Tiles beside each other under one heading; without tiles, the heading alone."""

    tiles: tuple[Tile, ...]
    heading: str = ""


def draw_sheet(
    rows: Sequence[Row],
    voxel_mm: float,
    note: str,
    *,
    width_in: float = 10.0,
    key: Sequence[tuple[str, str]] = (),
) -> Figure:
    """Draw rows of tiles with their outlines, sides, places and a scale bar.

    One canvas for all tiles: it is drawn several times faster than axes for each would be.

    Parameters
    ----------
    rows : sequence of Row
    voxel_mm : float
    note : str
        Written below.
    width_in : float
        Width of the figure.
    key : sequence of (colour, text)
        What colours mean, below the note.
    """
    drawn = max(sum(tile.picture.shape[1] for tile in row.tiles) for row in rows)
    wide = drawn or round(width_in * 20)
    inch = wide / width_in  # voxels per inch of paper
    rows = [replace(row, heading=_wrapped(row.heading, width_in)) for row in rows]
    tops = list(accumulate((_height(row, inch) for row in rows), initial=GAP_IN * inch))
    beside = SCALE_BAR_MM / voxel_mm + 0.7 * inch if drawn else GAP_IN * inch  # the note stands beside the scale bar
    note = _wrapped(note, width_in - beside / inch)
    bottom = tops[-1] + (max(_lines(note), 1) * LINE_IN + (0.3 if key else 0.0) + GAP_IN) * inch
    figure = new_figure(width_in, bottom / inch, layout=None)
    ax = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    for row, top in zip(rows, tops[:-1], strict=True):
        _draw_row(ax, row, top, inch)
    if drawn:
        _scale_bar(ax, tops[-1] + LINE_IN * inch / 2, inch, voxel_mm)
    _write(ax, beside, tops[-1], note, MUTED)
    ax.set_xlim(0, wide)
    ax.set_ylim(bottom, 0)
    ax.set_axis_off()
    if key:
        handles = [Patch(color=colour, label=label) for colour, label in key]
        figure.legend(handles=handles, loc="lower center", ncols=len(key), fontsize=8, frameon=False, labelcolor=INK)
    return figure


def _wrapped(text: str, width_in: float) -> str:
    return textwrap.fill(text, max(round(LETTERS_PER_IN * width_in), 20))


def _lines(text: str) -> int:
    return len(text.splitlines())


def _height(row: Row, inch: float) -> float:
    """Return how much a row takes, in voxels: heading, titles, tiles, and the band with their sides and places."""
    above = _lines(row.heading) + max((_lines(tile.title) for tile in row.tiles), default=0)
    tall = max((tile.picture.shape[0] + _band(inch) for tile in row.tiles), default=0)
    return (above * LINE_IN + GAP_IN) * inch + tall


def _band(inch: float) -> int:
    return math.ceil(LINE_IN * inch)


def _draw_row(ax: Axes, row: Row, top: float, inch: float) -> None:
    _write(ax, GAP_IN * inch, top, row.heading, INK)
    if not row.tiles:
        return
    top += _lines(row.heading) * LINE_IN * inch
    titles, top = top, top + max(_lines(tile.title) for tile in row.tiles) * LINE_IN * inch
    tall = max(tile.picture.shape[0] for tile in row.tiles)
    wide = sum(tile.picture.shape[1] for tile in row.tiles)
    strip, left = np.zeros((tall + _band(inch), wide, 3)), 0
    for tile in row.tiles:
        rows, columns = tile.picture.shape[:2]
        down = (tall - rows) // 2
        strip[down : down + rows, left : left + columns] = np.atleast_3d(tile.picture)
        _write(ax, left + columns / 2, titles, tile.title, INK, ha="center")
        _draw_outlines(ax, tile, left, top + down)
        middle = top + tall + _band(inch) / 2
        for part, text, ha in (
            (0.03, tile.letters[0], "left"),
            (0.5, tile.place, "center"),
            (0.97, tile.letters[1], "right"),
        ):
            _write(ax, left + part * columns, middle, text, "white", ha=ha, va="center", size=6.5)
        left += columns
    extent = (0, wide, top + len(strip), top)
    ax.imshow((255 * strip).round().astype(np.uint8), extent=extent, aspect="auto", interpolation="bilinear")


def _draw_outlines(ax: Axes, tile: Tile, left: float, top: float) -> None:
    rows, columns = tile.picture.shape[:2]
    x, y = left + np.arange(columns) + 0.5, top + np.arange(rows) + 0.5
    for line in tile.outlines:
        if line.field.min() < line.level < line.field.max():
            ax.contour(x, y, line.field, [line.level], colors=line.colour, linewidths=line.linewidth)


def _write(
    ax: Axes, x: float, y: float, text: str, colour: str, *, ha: str = "left", va: str = "top", size: float = 8
) -> None:
    if text:
        ax.text(x, y, text, color=colour, ha=ha, va=va, fontsize=size, parse_math=False)


def _scale_bar(ax: Axes, y: float, inch: float, voxel_mm: float) -> None:
    """Draw a bar of known length, with its length."""
    start = GAP_IN * inch
    end = start + SCALE_BAR_MM / voxel_mm
    ax.plot([start, end], [y, y], color=INK, linewidth=2, solid_capstyle="butt")
    _write(ax, end + GAP_IN * inch, y, f"{SCALE_BAR_MM:.0f} mm", INK, va="center", size=7)
