"""Territories coloured by a number: the classes of colour, the slices that show most, and how a slice is painted."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import pairwise

import numpy as np
from matplotlib.colors import to_rgb
from numpy.typing import NDArray

from hlhneuro.report.figures.sheet import Plane

__all__ = ["CLASS_COLOURS", "CLASS_INKS", "class_of", "count_classes", "percent_classes", "slices_showing", "tinted"]

# ColorBrewer YlOrRd (Harrower & Brewer 2003, Cartogr J 40:27): darker is more in every kind of colour vision.
CLASS_COLOURS = ("#ffffb2", "#fecc5c", "#fd8d3c", "#f03b20", "#bd0026")
CLASS_INKS = ("black", "black", "black", "black", "white")  # of text on them: 4.5 to 1 or better
# On a pale brain faint colours stay faint; little of it shines through, so that colours are those of the key.
PALE, OPACITY = 0.55, 0.9


def percent_classes(limits: Sequence[float]) -> list[tuple[str, str]]:
    """Return (colour, words) of the classes between ascending limits in per cent; as many limits as colours but one."""
    words = [f"up to {limits[0]:g} %", *(f"{a:g} to {b:g} %" for a, b in pairwise(limits)), f"over {limits[-1]:g} %"]
    return list(zip(CLASS_COLOURS, words, strict=True))


def count_classes(most: int) -> tuple[list[float], list[tuple[str, str]]]:
    """Return upper ends (all but the last) and (colour, words) of classes for counts from 1 to `most`."""
    number = min(max(most, 1), len(CLASS_COLOURS))
    ends = [round(most * (i + 1) / number) for i in range(number)]
    starts = [1, *(end + 1 for end in ends[:-1])]
    words = [f"{start}" if start == end else f"{start} to {end}" for start, end in zip(starts, ends, strict=True)]
    shades = np.rint(np.linspace(0, len(CLASS_COLOURS) - 1, number)).astype(int) if number > 1 else [2]
    return [float(end) for end in ends[:-1]], [(CLASS_COLOURS[i], text) for i, text in zip(shades, words, strict=True)]


def class_of(value: float, limits: Sequence[float]) -> int:
    """Return the class that a value above zero falls into; a limit belongs to the class below it."""
    return int(np.searchsorted(np.asarray(limits, dtype=float), value, side="left"))


def slices_showing(labels: NDArray[np.int16], wanted: Collection[int], axis: int, count: int, gap: int) -> list[int]:
    """Return slices that between them show most of the wanted labels, each as wide as it gets, from low to high.

    Every further slice is the one that adds most to what those before it show; slices lie at least `gap` apart.
    """
    others = tuple(a for a in range(3) if a != axis)
    areas = np.array([(labels == label).sum(axis=others) for label in sorted(wanted)], dtype=float)
    if not len(areas) or not areas.any():
        return []
    seen = areas / np.maximum(areas.max(axis=1, keepdims=True), 1)
    chosen: list[int] = []
    shown, free = np.zeros(len(areas)), np.ones(seen.shape[1], dtype=bool)
    while len(chosen) < count:
        gain = np.where(free, np.maximum(seen - shown[:, None], 0).sum(axis=0), 0)
        best = int(gain.argmax())
        if gain[best] <= 0:
            break
        chosen.append(best)
        shown = np.maximum(shown, seen[:, best])
        free[max(best - gap + 1, 0) : best + gap] = False
    return sorted(chosen)


def tinted(grey: Plane, labels: Plane, colours: Mapping[int, str], brain: Plane) -> Plane:
    """Lay the colour of each label over a slice of a pale brain; labels without a colour stay grey."""
    pale = np.where(brain, PALE + (1 - PALE) * grey, 0.0)
    table = np.zeros((max(int(labels.max(initial=0)), *colours, 0) + 1, 4))
    for label, colour in colours.items():
        table[label] = (*to_rgb(colour), OPACITY)
    laid = table[labels]
    picture: Plane = (1 - laid[..., 3:]) * pale[..., None] + laid[..., 3:] * laid[..., :3]
    return picture
