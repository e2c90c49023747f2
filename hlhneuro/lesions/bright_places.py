"""Places where normal tissue is brighter than elsewhere, from a table in template space."""

from __future__ import annotations

import itertools
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources

import numpy as np
from numpy.typing import NDArray

from hlhneuro.imaging.alignment import AlignedSeries, AlignedSession, BoolImage
from hlhneuro.lesions.evidence import smoothed
from hlhneuro.lesions.normal_tissue import NormalTissue
from hlhneuro.lesions.tissues import TISSUES
from hlhneuro.settings import LesionSettings

__all__ = ["BrightPlaces", "bright_places", "normally_bright"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class BrightPlaces:
    """Where normal tissue is bright (see ``bright_places.toml``).

    Parameters
    ----------
    outshine : bool array
        A lesion has to be brighter than grey matter.
    never : bool array
        No lesion is looked for.
    """

    outshine: BoolImage
    never: BoolImage


def bright_places(series: AlignedSeries) -> BrightPlaces:
    """Return the places of the table on the grid of a series."""
    index = np.argwhere(series.brain_mask)
    affine = series.grid.affine
    points = series.to_template.map(index @ affine[:3, :3].T + affine[:3, 3])
    points[:, 0] = np.abs(points[:, 0])  # the table has one side
    images = {rule: np.zeros(series.grid.shape, bool) for rule in ("outshine", "never")}
    for rule, chain, radius_mm in _places():
        for start, end in itertools.pairwise(chain):
            near = np.flatnonzero(_in_box(points, start, end, radius_mm))
            close = near[_distance_mm(points[near], start, end) <= radius_mm]
            images[rule][tuple(index[close].T)] = True
    return BrightPlaces(**images)


def normally_bright(
    places: BrightPlaces, session: AlignedSession, witness: str, normal: NormalTissue, settings: LesionSettings
) -> BoolImage:
    """Return the part of these places whose brightness says nothing of a lesion."""
    volume = session.volumes[witness]
    inside = places.outshine & (volume.data > 0)
    values = smoothed(volume.data, inside, settings.context_mm / volume.grid.mean_edge_mm)
    column, grey = normal.model.contrasts.index(witness), TISSUES.index("gm")
    spread = float(np.sqrt(normal.model.spread[grey, column, column]))
    limit = float(normal.model.means[grey, column]) + settings.bright_place_sd * spread
    result: BoolImage = places.never | (places.outshine & (values < limit))
    return result


@cache
def _places() -> tuple[tuple[str, FloatArray, float], ...]:
    text = resources.files("hlhneuro.lesions").joinpath("bright_places.toml").read_text("utf-8")
    places = tomllib.loads(text)["place"]
    return tuple((str(p["lesion"]), np.array(p["points_mm"], float), float(p["radius_mm"])) for p in places)


def _in_box(points: FloatArray, start: FloatArray, end: FloatArray, margin: float) -> NDArray[np.bool_]:
    low, high = np.minimum(start, end) - margin, np.maximum(start, end) + margin
    return np.asarray(((points >= low) & (points <= high)).all(axis=1), np.bool_)


def _distance_mm(points: FloatArray, start: FloatArray, end: FloatArray) -> FloatArray:
    """Return how far each point lies from the line between two others."""
    along = end - start
    share = np.clip((points - start) @ along / (along @ along), 0, 1)
    return np.asarray(np.linalg.norm(points - start - share[:, None] * along, axis=1), np.float64)
