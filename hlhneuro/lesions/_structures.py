"""Nuclei, brain stem, cerebellum, corpus callosum and ventricles on MNI152: where its image has edges, they end."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

__all__ = ["VENTRICLE", "definitions", "structures_at"]

BoolImage = NDArray[np.bool_]
FloatArray = NDArray[np.floating]
_CEREBRUM, _CEREBELLUM, _STEM, _OUTSIDE = 1, 2, 3, 4
_CEREBELLAR_WHITE, _CEREBELLAR_CORTEX = 16, 17
VENTRICLE = -1


@cache
def definitions() -> dict[str, Any]:
    """Return ``territories.toml``."""
    text = resources.files("hlhneuro.lesions").joinpath("territories.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def structures_at(points_mm: FloatArray) -> NDArray[np.int16]:
    """Return the code of the structure at points of MNI152, shape (n, 3); 0 where there is none, or `VENTRICLE`."""
    codes, origin = _right_half()
    folded = np.column_stack((np.abs(points_mm[:, 0]), points_mm[:, 1:]))
    index = np.rint(folded - origin).astype(np.int64)
    inside = ((index >= 0) & (index < codes.shape)).all(axis=1)
    found = np.zeros(len(points_mm), np.int16)
    found[inside] = codes[tuple(index[inside].T)]
    return found


@cache
def _right_half() -> tuple[NDArray[np.int16], FloatArray]:
    """Return the codes of the right half (x >= 0) at 1 mm, and where it begins; the template is symmetric."""
    told = definitions()
    half = _Half()
    codes = np.zeros(half.t1.shape, np.int16)
    for entry in told["territory"]:
        if "envelopes" in entry:
            found = half.structure(entry)
            codes[found & (codes == 0)] = entry["code"]
    stem = half.tissue & half.envelope(told["brain_stem"]["envelopes"])
    for entry in told["territory"]:
        if entry.get("within") == "brain_stem":
            codes[stem & half.between(entry) & (codes == 0)] = entry["code"]
    cerebellum = half.cerebellum(stem, told["cerebellum"]) & (codes == 0)
    white = (half.wm >= half.gm) | half.envelope(told["cerebellum"]["dentate"])
    codes[cerebellum] = np.where(white[cerebellum], _CEREBELLAR_WHITE, _CEREBELLAR_CORTEX)
    codes = _into_fluid(codes, half.tissue, told["rules"]["fill_mm"])
    codes[half.ventricles(told["ventricles"])] = VENTRICLE
    return codes, half.origin


class _Half:
    """The right half of the template at 1 mm, as far as it holds structures: image, tissue, coordinates of voxels."""

    def __init__(self) -> None:
        from nilearn import datasets  # here and not above: it takes long to load, and few commands need it

        images = [
            load(resolution=1)
            for load in (
                datasets.load_mni152_template,
                datasets.load_mni152_gm_template,
                datasets.load_mni152_wm_template,
                datasets.load_mni152_brain_mask,
            )
        ]
        affine = np.asarray(images[0].affine, np.float64)
        low, high = np.array(definitions()["rules"]["box"])
        part = tuple(
            slice(*np.rint(ends).astype(int)) for ends in zip(low - affine[:3, 3], high - affine[:3, 3], strict=True)
        )
        t1, self.gm, self.wm, brain = (np.asarray(image.dataobj, np.float32) for image in images)
        self.gm, self.wm = self.gm[part], self.wm[part]
        self.t1, self.brain = t1[part] / t1.max(), brain[part] > 0.5
        self.tissue = self.brain & (self.t1 > definitions()["rules"]["fluid_t1"])
        self.origin = low
        self.x, self.y, self.z = (
            (np.arange(n) + start).astype(np.float32).reshape([-1 if i == axis else 1 for i in range(3)])
            for axis, (n, start) in enumerate(zip(self.t1.shape, self.origin, strict=True))
        )

    def envelope(self, ellipsoids: Sequence[Mapping[str, Any]]) -> BoolImage:
        """Return the union of ellipsoids, each turned in the axial and then in the sagittal plane."""
        inside = np.zeros(self.t1.shape, bool)
        for one in ellipsoids:
            dx, dy, dz = (axis - c for axis, c in zip((self.x, self.y, self.z), one["centre"], strict=True))
            cos, sin = _cos_sin(one.get("axial_deg", 0.0))
            dx, dy = cos * dx - sin * dy, sin * dx + cos * dy
            cos, sin = _cos_sin(one.get("sagittal_deg", 0.0))
            dy, dz = cos * dy - sin * dz, sin * dy + cos * dz
            a, b, c = one["semi_axes"]
            inside |= (dx / a) ** 2 + (dy / b) ** 2 + (dz / c) ** 2 <= 1
        return inside

    def between(self, entry: Mapping[str, Any]) -> BoolImage:
        """Return what lies above one plane and below another (z = z0 + z_y * y)."""
        inside = np.ones(self.t1.shape, bool)
        if "above" in entry:
            inside &= self.z >= entry["above"]["z0"] + entry["above"]["z_y"] * self.y
        if "below" in entry:
            inside &= self.z < entry["below"]["z0"] + entry["below"]["z_y"] * self.y
        return inside

    def structure(self, entry: Mapping[str, Any]) -> BoolImage:
        """Return what has the brightness of a structure within its envelope: the largest piece, smoothed."""
        low, high = entry["t1"]
        found = self.envelope(entry["envelopes"]) & self.between(entry) & self.brain
        found &= (self.t1 >= low) & (self.t1 < high)
        if not entry.get("smooth", True):
            return found
        labels, count = ndimage.label(ndimage.binary_opening(found))
        if count:
            found = labels == np.argmax(np.bincount(labels.ravel())[1:]) + 1
        closed: BoolImage = ndimage.binary_closing(found) | found
        return closed

    def ventricles(self, rule: Mapping[str, Any]) -> BoolImage:
        """Return the fluid of the ventricles, without the small pockets of sulci that reach into their envelopes."""
        fluid = self.envelope(rule["envelopes"]) & self.brain & ~self.tissue
        labels, _ = ndimage.label(fluid)
        large = np.bincount(labels.ravel()) >= rule["smallest_ml"] * 1000  # voxels of 1 mm
        found: BoolImage = fluid & large[labels]
        return found

    def cerebellum(self, stem: BoolImage, rule: Mapping[str, float]) -> BoolImage:
        """Return the tissue below the tentorium: a watershed along the dark cleft between what is sure on each side."""
        above = self.z - (rule["z0"] + rule["z_x"] * self.x + rule["z_y"] * self.y)
        before = self.y - (rule["y0"] + rule["y_x"] * self.x)
        sure = rule["sure_mm"]
        markers = np.zeros(self.t1.shape, np.int16)
        markers[self.tissue & ((above > sure) | ((before > sure) & (above > -3 * sure)))] = _CEREBRUM
        markers[self.tissue & (above < -sure) & (before < -sure)] = _CEREBELLUM
        markers[stem], markers[~self.brain] = _STEM, _OUTSIDE
        side = ndimage.watershed_ift(np.clip((1 - self.t1) * 255, 0, 255).astype(np.uint8), markers)
        peduncle = (side == _STEM) & ~stem & (self.z < rule["peduncle_mm"])
        found: BoolImage = ((side == _CEREBELLUM) | peduncle) & self.tissue
        return found


def _cos_sin(degrees: float) -> tuple[float, float]:
    return float(np.cos(np.deg2rad(degrees))), float(np.sin(np.deg2rad(degrees)))


def _into_fluid(codes: NDArray[np.int16], tissue: BoolImage, reach_mm: float) -> NDArray[np.int16]:
    """Give fluid close to a structure its code: in a subject the border of tissue lies a little elsewhere."""
    distance, nearest = ndimage.distance_transform_edt(codes == 0, return_indices=True)
    take = ~tissue & (distance <= reach_mm)
    codes[take] = codes[tuple(nearest[:, take])]
    return codes
