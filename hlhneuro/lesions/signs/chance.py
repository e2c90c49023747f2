"""How much of a lesion shows a sign, and how often normal tissue of the same shape and kind shows as much by chance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hlhneuro.answers import Answer
from hlhneuro.imaging.alignment import BoolImage
from hlhneuro.imaging.volumes import FloatImage
from hlhneuro.lesions.signs.reference import Reference
from hlhneuro.lesions.signs.table import Measure
from hlhneuro.settings import SignSettings

__all__ = ["Part", "Voxels", "adjusted", "measure_parts", "placements"]

Voxels = NDArray[np.int64]  # shape (n, 3)


@dataclass(frozen=True)
class Part:
    """The part of one region that lies beyond normal tissue.

    Parameters
    ----------
    lesion : int
    fraction, sd : float
        Part of the region's voxels beyond the limit, and its standard uncertainty: what normal regions of that shape
        vary by, and what half a standard deviation more or less in the limit makes.
    chance : float
        Mean part in normal tissue.
    p : float
        How often normal tissue shows as much, adjusted for the number of lesions looked at.
    present : bool
    voxels, voxel_ml : int, float
        How many were looked at, and how large one is.
    refusal : str
        Why it cannot be said; empty if it can.
    """

    lesion: int
    fraction: float = float("nan")
    sd: float = float("nan")
    chance: float = float("nan")
    p: float = 1.0
    present: bool = False
    voxels: int = 0
    refusal: str = ""
    voxel_ml: float = 0.0

    @property
    def answer(self) -> Answer:
        """Return the answer where there is no refusal."""
        return Answer.PRESENT if self.present else Answer.ABSENT

    def measures(self, word: str) -> tuple[Measure, Measure]:
        """Return the part as a fraction and as a volume, named after what it is."""
        ml = self.voxels * self.voxel_ml
        return (
            Measure(f"{word}_fraction", self.fraction, self.sd),
            Measure(f"{word}_ml", self.fraction * ml, self.sd * ml, "ml"),
        )


def measure_parts(
    regions: Mapping[int, Voxels],
    z: FloatImage,
    there: BoolImage,
    reference: Reference,
    settings: SignSettings,
    least: float,
) -> list[Part]:
    """Measure the part of each region with z above the limit, and judge it against normal tissue.

    Parameters
    ----------
    regions : mapping of lesion to voxels
    z : array
        Evidence in robust standard deviations of normal tissue, positive for the sign.
    there : bool array
        Where the image says something.
    least : float
        Part beyond chance below which nothing is called present.
    """
    voxel_ml = reference.grid.voxel_volume_ml
    found = []
    for lesion, voxels in regions.items():
        seen = voxels[there[tuple(voxels.T)]]
        if len(seen) < settings.fewest_voxels:
            refusal = "too little of the lesion lies in the field of view of the image, or away from fluid"
            found.append(Part(lesion, voxels=len(seen), refusal=refusal))
            continue
        places = placements(seen, reference.normal & there, reference.kind, settings)
        if places is None:
            refusal = "too little normal tissue of the same kind lies in the image to compare with"
            found.append(Part(lesion, voxels=len(seen), refusal=refusal))
            continue
        fraction, spread = _fraction(z[tuple(seen.T)], settings)
        valid = (reference.normal & there).ravel()[places]
        null = ((z.ravel()[places] > settings.sign_sd) & valid).sum(axis=1) / valid.sum(axis=1)
        p = (1 + int((null >= fraction).sum())) / (1 + len(null))
        sd = float(np.hypot(null.std(), spread))
        found.append(Part(lesion, fraction, sd, float(null.mean()), p, voxels=len(seen), voxel_ml=voxel_ml))
    return [
        replace(part, p=p, present=_present(part, p, settings, least))
        for part, p in zip(found, adjusted([part.p for part in found]), strict=True)
    ]


def _present(part: Part, p: float, settings: SignSettings, least: float) -> bool:
    excess = part.fraction - part.chance
    large = excess * part.voxels * part.voxel_ml >= settings.smallest_ml
    return not part.refusal and p <= settings.false_discovery and excess >= least and large


def _fraction(z: NDArray[np.floating], settings: SignSettings) -> tuple[float, float]:
    """Return the part beyond the limit, and half of what it differs by when the limit is moved."""
    parts = [float((z > settings.sign_sd + move).mean()) for move in (0, -settings.limit_sd, settings.limit_sd)]
    return parts[0], (parts[1] - parts[2]) / 2


def adjusted(p: Sequence[float]) -> list[float]:
    """Adjust p values for their number: the rate of false calls among those called.

    References
    ----------
    Benjamini Y, Hochberg Y. J R Stat Soc B 1995;57:289-300.
    """
    values = np.asarray(p, float)
    order = np.argsort(values, kind="stable")[::-1]
    ranks = np.arange(len(values), 0, -1)
    out = np.empty(len(values))
    out[order] = np.minimum.accumulate(values[order] * len(values) / np.maximum(ranks, 1))
    return [float(min(one, 1.0)) for one in out]


def placements(
    voxels: Voxels, normal: BoolImage, alike: Sequence[FloatImage], settings: SignSettings
) -> NDArray[np.int64] | None:
    """Put a region's shape at places of normal tissue of the same kind.

    A region that is too large, or for which there are too few places, is stood for by that part of it which is nearest
    to its centre; its part beyond the limit varies more than the whole would, so that the comparison errs towards
    "absent".

    Parameters
    ----------
    voxels : int array, shape (n, 3)
    normal : bool array
    alike : sequence of float array
        Maps whose mean over the region has to be alike there.

    Returns
    -------
    int array of shape (places, n), or None
        Flat indices of the voxels of each place; None if there are too few places.
    """
    most = settings.placed_voxels
    while most >= settings.fewest_voxels:
        places = _placed(voxels, normal, alike, most, settings)
        if len(places) >= settings.fewest_places:
            keep = np.linspace(0, len(places) - 1, min(len(places), settings.places)).round().astype(int)
            return np.asarray(places[keep])
        most = min(most, len(voxels)) // 4
    return None


def _placed(
    voxels: Voxels, normal: BoolImage, alike: Sequence[FloatImage], most: int, settings: SignSettings
) -> NDArray[np.int64]:
    means = [float(image[tuple(voxels.T)].mean()) for image in alike]
    centre = np.rint(voxels.mean(axis=0)).astype(np.int64)
    if len(voxels) > most:
        distance = ((voxels - centre) ** 2).sum(axis=1)
        voxels = voxels[np.sort(np.argsort(distance, kind="stable")[:most])]
    shape = np.array(normal.shape)
    strides = np.array([shape[1] * shape[2], shape[2], 1])
    anchors = np.flatnonzero(normal)
    anchors = anchors[:: max(len(anchors) // (8 * settings.places), 1)]
    shifts = np.stack(np.unravel_index(anchors, normal.shape), axis=1) - centre
    low, high = voxels.min(axis=0), voxels.max(axis=0)
    shifts = shifts[((shifts + low >= 0) & (shifts + high < shape)).all(axis=1)]
    indices = (voxels @ strides)[None, :] + (shifts @ strides)[:, None]
    fits = normal.ravel()[indices].mean(axis=1) >= settings.placed_normal
    for image, own in zip(alike, means, strict=True):
        fits[fits] &= np.abs(image.ravel()[indices[fits]].mean(axis=1) - own) <= settings.alike
    return np.asarray(indices[fits])
