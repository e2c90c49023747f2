"""Maps of a spectroscopic grid over the anatomy of its session."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from numpy.typing import NDArray

from hlhneuro.errors import NotAssessable
from hlhneuro.imaging.volumes import Volume
from hlhneuro.report.figures.sheet import AXIAL, CONVENTION, PLANES, Outline, Plane, Row, Tile, View, draw_sheet
from hlhneuro.report.figures.slices import background_of
from hlhneuro.report.figures.style import COLOURS
from hlhneuro.report.results import SubjectResults
from hlhneuro.report.words import number
from hlhneuro.spectroscopy import GridFit, GridResult, VoxelState, lay_on_anatomy, voxels_on_anatomy

__all__ = ["grid_quality", "metabolite_maps"]

# Viridis: even in lightness, distinct for all common kinds of colour vision and in grey (van der Walt & Smith 2015).
COLOUR_MAP = "viridis"
# Expert-set: slices of a grid with several layers, and how far apart they are in parts of its extent.
SLICES = (0.25, 0.5, 0.75)
BAR_PART, BRIGHTEST_PERCENT = 0.06, 98
STATE_COLOURS = {
    VoxelState.GOOD: COLOURS["green"],
    VoxelState.USABLE: COLOURS["sky"],
    VoxelState.NOT_USABLE: COLOURS["vermillion"],
    VoxelState.EMPTY: COLOURS["purple"],
    VoxelState.FAILED: COLOURS["yellow"],
}


@dataclass(frozen=True)
class _Scene:
    """What all tiles of one grid share."""

    fit: GridFit
    view: View
    background: Volume
    window: tuple[float, float]
    index: NDArray[np.int32]
    lesion: NDArray[np.bool_] | None
    places: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, results: SubjectResults, grid: GridResult) -> _Scene:
        aligned, fit = results.aligned, grid.fit
        session = aligned.session(grid.session) if aligned else None
        if fit is None:
            raise NotAssessable("the grid could not be fitted", remedy=grid.reason or "see what was not done")
        if aligned is None or session is None or grid.content is None:
            raise NotAssessable(
                "the maps cannot be shown on the anatomy",
                remedy="add an image of the same session that shares its scanner space with the grid",
            )
        x, y, z = fit.state.shape
        index = voxels_on_anatomy(fit.affine, (x, y, z), session.to_subject[session.reference], aligned.grid)
        shown = lay_on_anatomy(np.ones(fit.state.shape), fit.state != VoxelState.OUTSIDE, index)
        view, background = View.of(aligned), background_of(session, prefer=("T1w", "T2w", "FLAIR"))
        lesions = results.lesions.session(grid.session) if results.lesions else None
        layers = min(fit.state.shape) if min(fit.state.shape) > 1 else 1
        return cls(
            fit,
            view,
            background,
            view.window(background),
            index,
            None if lesions is None else lesions.mask,
            _places(np.isfinite(shown), layers),
        )

    def tile(self, colours: Plane, axis: int, at: int, title: str) -> Tile:
        """Return the anatomy, replaced by `colours` (rows, columns, 3) where they are numbers.

        Colours are not mixed with the anatomy: each stands for one value of the bar.
        """
        grey = self.view.grey(self.background.data, self.window, axis, at)[..., None]
        painted = np.isfinite(colours) & self.view.near_brain(axis, at)[..., None]
        outlines: list[Outline] = []
        if self.lesion is not None:
            outlines.append(self.view.edge_of(self.lesion, axis, at, COLOURS["vermillion"], 1.0))
        return self.view.tile(np.where(painted, colours, grey), axis, at, *outlines, title=title)

    def anatomy(self) -> list[Tile]:
        """Return the anatomy alone, one tile per place."""
        title = f"{self.background.contrast}\n"
        return [self.tile(_nothing(self.view.plane(self.index, *at)), *at, title) for at in self.places]

    def coloured(self, values: NDArray[np.float64], valid: NDArray[np.bool_], title: str) -> list[Tile]:
        """Return one tile per place, with a colour bar from zero to the brightest that is shown."""
        top = float(np.percentile(values[valid], BRIGHTEST_PERCENT)) if valid.any() else 0.0
        if top <= 0:
            return [self.tile(_nothing(self.view.plane(self.index, *at)), *at, f"{title}\nnone") for at in self.places]
        laid = lay_on_anatomy(values, valid, self.index)
        tiles = []
        for axis, at in self.places:
            plane = self.view.plane(laid, axis, at)
            colours = np.asarray(colormaps[COLOUR_MAP](np.clip(np.nan_to_num(plane) / top, 0, 1)))[..., :3]
            colours[~np.isfinite(plane)] = np.nan
            tiles.append(_with_bar(self.tile(colours, axis, at, f"{title}\n0 to {number(top, 2)}")))
        return tiles

    def note(self) -> str:
        lesions = "; lesions (orange outline)" if self.lesion is not None else ""
        return f"each voxel in its own colour (nearest neighbour){lesions}; {CONVENTION}"


def _places(shown: NDArray[np.bool_], layers: int) -> tuple[tuple[int, int], ...]:
    """Return axis and slice of what is drawn: the plane in which the grid covers most; several for several layers."""
    if not shown.any():
        raise NotAssessable("the grid lies outside the images", remedy="check that both belong to the same session")
    across = {axis: shown.sum(axis=tuple(a for a in range(3) if a != axis)) for axis in PLANES}
    axis = max(across, key=lambda one: (int(across[one].max()), one == AXIAL))
    inside = np.flatnonzero(across[axis])
    parts = SLICES if layers > 1 else (0.5,)
    return tuple((axis, round(float(inside[0] + part * (inside[-1] - inside[0])))) for part in parts)


def _nothing(plane: Plane) -> Plane:
    return np.full((*plane.shape, 3), np.nan)


def _with_bar(tile: Tile) -> Tile:
    """Add the colour bar below a picture."""
    rows, columns = tile.picture.shape[:2]
    bar = np.zeros((max(round(BAR_PART * rows), 3), columns, 3))
    inner = slice(round(0.1 * columns), round(0.9 * columns))
    bar[1:-1, inner] = np.asarray(colormaps[COLOUR_MAP](np.linspace(0, 1, inner.stop - inner.start)))[:, :3]
    below = ((0, len(bar)), (0, 0))
    outlines = tuple(replace(line, field=np.pad(line.field, below)) for line in tile.outlines)
    return replace(tile, picture=np.concatenate([tile.picture, bar]), outlines=outlines)


def metabolite_maps(results: SubjectResults, grid: GridResult) -> Figure:
    """Draw the ratios to total creatine over the anatomy, where they can be trusted.

    Raises
    ------
    NotAssessable
        If there is no fit or no aligned anatomy.
    """
    scene, settings = _Scene.of(results, grid), results.settings.spectra
    columns = [
        scene.coloured(scene.fit.map(name), scene.fit.trusted(name, settings), f"{name}/tCr")
        for name in settings.mrsi_maps
        if name in scene.fit.names
    ]
    return _sheet(scene, [scene.anatomy(), *columns], scene.note())


def grid_quality(results: SubjectResults, grid: GridResult) -> Figure:
    """Draw signal-to-noise ratio, linewidth and verdict of every voxel over the anatomy.

    Raises
    ------
    NotAssessable
        If there is no fit or no aligned anatomy.
    """
    scene = _Scene.of(results, grid)
    fit = scene.fit
    verdicts, seen = _verdicts(scene)
    columns = [
        scene.anatomy(),
        scene.coloured(fit.snr, np.isfinite(fit.snr), "SNR"),
        scene.coloured(fit.linewidth_hz, np.isfinite(fit.linewidth_hz), "linewidth (Hz)"),
        verdicts,
    ]
    key = [(STATE_COLOURS[state], f"{state.words} {int((fit.state == state).sum())}") for state in seen]
    return _sheet(scene, columns, scene.note(), key=key, width_in=8.0)


def _verdicts(scene: _Scene) -> tuple[list[Tile], list[VoxelState]]:
    """Return one tile per place, and which verdicts are seen in them."""
    laid = lay_on_anatomy(scene.fit.state.astype(np.float64), scene.fit.state != VoxelState.OUTSIDE, scene.index)
    tiles, seen = [], set()
    for axis, at in scene.places:
        plane = np.nan_to_num(scene.view.plane(laid, axis, at)).astype(int)
        near = scene.view.near_brain(axis, at)
        colours = _nothing(plane)
        for state, colour in STATE_COLOURS.items():
            colours[plane == state] = to_rgb(colour)
            seen |= {state} if (near & (plane == state)).any() else set()
        tiles.append(scene.tile(colours, axis, at, "verdict\n"))
    return tiles, [state for state in STATE_COLOURS if state in seen]


def _sheet(
    scene: _Scene,
    columns: list[list[Tile]],
    note: str,
    *,
    key: list[tuple[str, str]] | None = None,
    width_in: float = 10.0,
) -> Figure:
    rows = [Row(tuple(tiles)) for tiles in zip(*columns, strict=True)]
    return draw_sheet(rows, scene.view.voxel_mm, note, width_in=width_in, key=key or ())
