"""Named regions of the brain, left and right; lesion load in each, and how symmetric it is."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import ndimage

from hlhneuro.imaging.alignment import AlignedSeries, BoolImage
from hlhneuro.lesions.anatomy import ventricles
from hlhneuro.settings import LesionSettings

__all__ = [
    "SIDES",
    "Territory",
    "asymmetry_index",
    "territories",
    "territory_labels",
    "territory_load",
    "territory_table",
]

SIDES = ("left", "right")
FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Territory:
    """One territory on one side.

    Parameters
    ----------
    label : int
        Its value in the label map: ten times `code`, plus one on the left, two on the right.
    code : int
    name, side, group : str
    """

    label: int
    code: int
    name: str
    side: str
    group: str


@cache
def _definitions() -> dict[str, Any]:
    text = resources.files("hlhneuro.lesions").joinpath("territories.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


@cache
def territories() -> tuple[Territory, ...]:
    """Return every territory and side, in order of label."""
    found = [
        Territory(10 * entry["code"] + i + 1, entry["code"], entry["name"], side, entry["group"])
        for entry in _definitions()["territory"]
        for i, side in enumerate(SIDES)
    ]
    return tuple(sorted(found, key=lambda t: t.label))


def territory_table() -> pd.DataFrame:
    """Return what the values of the label map mean: ``index, name, side, group``."""
    rows = [(t.label, t.name, t.side, t.group) for t in territories()]
    return pd.DataFrame(rows, columns=["index", "name", "side", "group"])


def territory_labels(series: AlignedSeries, settings: LesionSettings) -> NDArray[np.int16]:
    """Label every brain voxel with its territory (0: fluid, or outside the brain).

    Parameters
    ----------
    series : AlignedSeries
        Its template maps say what is grey, white and fluid; `to_template` carries each voxel to MNI152, where the
        ellipsoids and planes of ``territories.toml`` divide it.
    """
    rules = _definitions()["rules"]
    grid, brain = series.grid, series.brain_mask
    index = np.argwhere(brain)
    points = series.to_template.map(index @ grid.affine[:3, :3].T + grid.affine[:3, 3])
    gm, wm, csf = (np.asarray(series.template_maps[name], np.float32)[brain] for name in ("gm", "wm", "csf"))
    white, grey = (wm >= gm) & (wm >= csf), (gm > wm) & (gm >= csf)
    code = np.zeros(len(index), np.int16)
    cerebellar = _in_cerebellum(points, rules["cerebellum"])
    code[cerebellar & white], code[cerebellar & grey] = 16, 17
    cerebral = ~cerebellar & (code == 0)
    code[cerebral & grey] = 8
    code[cerebral & white] = _white_matter(series, points, grey & cerebral, rules, settings)[cerebral & white]
    free = np.ones(len(index), bool)
    for entry in _definitions()["territory"]:
        allowed = {"wm": white, "any": white | grey}.get(entry.get("tissue", ""), np.zeros(len(index), bool))
        for ellipsoid in entry.get("ellipsoids", ()):
            inside = free & allowed & _in_ellipsoid(points, ellipsoid)
            code[inside] = entry["code"]
            free &= ~inside
    labels = np.zeros(grid.shape, np.int16)
    labels[brain] = np.where(code > 0, 10 * code + np.where(points[:, 0] < 0, 1, 2), 0)
    return _filled(labels, brain, grid.voxel_size_mm, rules["fill_mm"])


def _in_ellipsoid(points: FloatArray, ellipsoid: Mapping[str, list[float]]) -> NDArray[np.bool_]:
    centre, semi_axes = np.array(ellipsoid["centre"]), np.array(ellipsoid["semi_axes"])
    folded = np.column_stack((np.abs(points[:, 0]), points[:, 1:]))
    inside: NDArray[np.bool_] = (((folded - centre) / semi_axes) ** 2).sum(axis=1) <= 1
    return inside


def _in_cerebellum(points: FloatArray, rule: Mapping[str, float]) -> NDArray[np.bool_]:
    x, y, z = np.abs(points[:, 0]), points[:, 1], points[:, 2]
    inside: NDArray[np.bool_] = (y < rule["y0"] + rule["y_x"] * x) & (
        z < rule["z0"] + rule["z_x"] * x + rule["z_y"] * y
    )
    return inside


def _white_matter(
    series: AlignedSeries,
    points: FloatArray,
    cortex: NDArray[np.bool_],
    rules: Mapping[str, Any],
    settings: LesionSettings,
) -> NDArray[np.int16]:
    """Periventricular, subcortical by lobe, or deep."""
    brain, sampling = series.brain_mask, series.grid.voxel_size_mm
    fluid = ventricles(series.grid, brain, np.asarray(series.template_maps["csf"], np.float32), settings.core_fluid_mm)
    grey = np.zeros(series.grid.shape, bool)
    grey[brain] = cortex
    to_fluid = _distance(fluid, sampling)[brain]
    to_cortex = _distance(grey, sampling)[brain]
    code = np.full(len(points), 6, np.int16)
    near = to_cortex <= rules["subcortical_mm"]
    code[near] = _lobe(points[near], rules)
    code[to_fluid <= rules["periventricular_mm"]] = 5
    return code


def _distance(mask: BoolImage, sampling: tuple[float, float, float]) -> FloatArray:
    if not mask.any():
        return np.full(mask.shape, np.inf)
    distance: FloatArray = ndimage.distance_transform_edt(~mask, sampling=sampling)
    return distance


def _lobe(points: FloatArray, rules: Mapping[str, Any]) -> NDArray[np.int16]:
    x, y, z = np.abs(points[:, 0]), points[:, 1], points[:, 2]
    central, sylvian, occipital = (
        rules[name] for name in ("central_sulcus", "sylvian_fissure", "parieto_occipital_sulcus")
    )
    lobe = np.where(y > central["a"] + central["b"] * x + central["c"] * z, 1, 2)
    lobe[(x > sylvian["x0"]) & (y < sylvian["y1"]) & (z < sylvian["a"] + sylvian["b"] * y)] = 3
    lobe[y < np.minimum(occipital["y0"], occipital["y0"] + occipital["slope"] * (z - occipital["z0"]))] = 4
    return lobe.astype(np.int16)


def _filled(
    labels: NDArray[np.int16], brain: BoolImage, sampling: tuple[float, float, float], fill_mm: float
) -> NDArray[np.int16]:
    """Give unlabelled brain close to a label that label: tissue borders are not sharp on a template."""
    if not labels.any():
        return labels
    distance, nearest = ndimage.distance_transform_edt(labels == 0, sampling=sampling, return_indices=True)
    take = brain & (labels == 0) & (distance <= fill_mm)
    filled = labels.copy()
    filled[take] = labels[tuple(nearest[:, take])]
    return filled


def territory_load(
    labels: NDArray[np.int16], identities: NDArray[np.int32], voxel_volume_ml: float, affected_ml: float
) -> pd.DataFrame:
    """Lesion load of one session in every territory.

    Parameters
    ----------
    labels : int16 array
        Territory map.
    identities : int32 array
        Lesion identity per voxel, 0 where there is none.
    affected_ml : float
        A territory with at least this load counts as affected.

    Returns
    -------
    DataFrame
        ``territory, side, territory_ml, load_ml, load_fraction, lesions, affected``.
    """
    size = max(t.label for t in territories()) + 1
    volume = np.bincount(labels.ravel(), minlength=size) * voxel_volume_ml
    inside = identities > 0
    load = np.bincount(labels[inside], minlength=size) * voxel_volume_ml
    pairs = np.unique(np.stack((labels[inside].astype(np.int64), identities[inside].astype(np.int64))), axis=1)
    count = np.bincount(pairs[0], minlength=size)
    rows = [
        {
            "territory": t.name,
            "side": t.side,
            "territory_ml": float(volume[t.label]),
            "load_ml": float(load[t.label]),
            "load_fraction": float(load[t.label] / volume[t.label]) if volume[t.label] else 0.0,
            "lesions": int(count[t.label]),
            "affected": bool(load[t.label] >= affected_ml),
        }
        for t in territories()
    ]
    return pd.DataFrame(rows)


def asymmetry_index(left_ml: float, right_ml: float) -> float:
    """Return (left - right) / (left + right): 0 symmetric, +1 left only, -1 right only, NaN where there is no load."""
    total = left_ml + right_ml
    return (left_ml - right_ml) / total if total > 0 else float("nan")
