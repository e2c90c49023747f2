"""Named regions of the brain, left and right; lesion load in each, and how symmetric it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import ndimage

from hlhneuro.imaging.alignment import AlignedSeries, BoolImage
from hlhneuro.imaging.template import mni152
from hlhneuro.imaging.transforms import AffineTransform
from hlhneuro.lesions._structures import VENTRICLE, definitions, structures_at

__all__ = [
    "SIDES",
    "Territory",
    "asymmetry_index",
    "template_territories",
    "territories",
    "territory_labels",
    "territory_load",
    "territory_table",
]

SIDES = ("left", "right")
FloatArray = NDArray[np.float64]
PERIVENTRICULAR, DEEP, CORTEX = 5, 6, 8  # codes of what is left when structures are taken out


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
def territories() -> tuple[Territory, ...]:
    """Return every territory and side, in order of label."""
    found = [
        Territory(10 * entry["code"] + i + 1, entry["code"], entry["name"], side, entry["group"])
        for entry in definitions()["territory"]
        for i, side in enumerate(SIDES)
    ]
    return tuple(sorted(found, key=lambda t: t.label))


def territory_table() -> pd.DataFrame:
    """Return what the values of the label map mean: ``index, name, side, group``."""
    rows = [(t.label, t.name, t.side, t.group) for t in territories()]
    return pd.DataFrame(rows, columns=["index", "name", "side", "group"])


def territory_labels(series: AlignedSeries) -> NDArray[np.int16]:
    """Label every brain voxel with its territory (0: fluid, or outside the brain).

    Nuclei, brain stem, cerebellum and corpus callosum are found on the MNI152 template (``territories.toml``) and
    carried to the subject; the rest goes by the tissue that the template has there and by distances in the subject.

    Parameters
    ----------
    series : AlignedSeries
        Its template maps say what is grey, white and fluid; `to_template` carries each voxel to MNI152.
    """
    grid, labels = series.grid, np.zeros(series.grid.shape, np.int16)
    if not series.brain_mask.any():
        return labels
    box = ndimage.find_objects(series.brain_mask.astype(np.uint8))[0]  # distances are slow
    brain = series.brain_mask[box]
    index = np.argwhere(brain) + [part.start for part in box]
    points = series.to_template.map(index @ grid.affine[:3, :3].T + grid.affine[:3, 3])
    tissue = np.stack([series.template_maps[name][box][brain] for name in ("gm", "wm", "csf")])
    code = _codes(points, tissue, brain, grid.voxel_size_mm)
    inside = np.zeros(brain.shape, np.int16)
    inside[brain] = np.where(code > 0, 10 * code + np.where(points[:, 0] < 0, 1, 2), 0)
    labels[box] = _filled(inside, brain, grid.voxel_size_mm, definitions()["rules"]["fill_mm"])
    return labels


@cache
def template_territories() -> tuple[AlignedSeries, NDArray[np.int16]]:
    """Return MNI152 as a series without sessions, and the territory of each of its voxels."""
    template = mni152()
    here = AlignedSeries(template.grid, (), template.brain, AffineTransform.identity(), template.tissue)
    labels = territory_labels(here)
    labels.setflags(write=False)
    return here, labels


def _codes(
    points: FloatArray, tissue: NDArray[np.floating], brain: BoolImage, sampling: tuple[float, float, float]
) -> NDArray[np.int16]:
    """Return the code of each brain voxel from its place in MNI152 and its grey matter, white matter and fluid."""
    rules = definitions()["rules"]
    gm, wm, csf = tissue
    white, grey = (wm >= gm) & (wm >= csf), (gm > wm) & (gm >= csf)
    structure = structures_at(points)
    code = np.where(white | grey, np.maximum(structure, 0), 0).astype(np.int16)
    rest = code == 0
    to_fluid = _distance(_image(brain, structure == VENTRICLE), sampling)[brain]
    wall = grey & (to_fluid <= rules["wall_mm"])
    cortex = rest & grey & ~wall
    to_cortex = _distance(_image(brain, cortex), sampling)[brain]
    code[cortex] = CORTEX
    remaining = rest & (white | wall)
    code[remaining] = _white_matter(points[remaining], to_fluid[remaining], to_cortex[remaining], rules)
    return code


def _image(brain: BoolImage, values: NDArray[np.bool_]) -> BoolImage:
    image = np.zeros(brain.shape, bool)
    image[brain] = values
    return image


def _white_matter(
    points: FloatArray, to_fluid: FloatArray, to_cortex: FloatArray, rules: Mapping[str, Any]
) -> NDArray[np.int16]:
    """Periventricular, subcortical by lobe, or deep."""
    code = np.full(len(points), DEEP, np.int16)
    near = to_cortex <= rules["subcortical_mm"]
    code[near] = _lobe(points[near], rules)
    code[to_fluid <= rules["periventricular_mm"]] = PERIVENTRICULAR
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
    lobe[
        (x > sylvian["x0"])
        & (y < sylvian["y1"])
        & (z < np.minimum(sylvian["a"] + sylvian["b"] * y, sylvian["c"] + sylvian["d"] * y))
    ] = 3
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
