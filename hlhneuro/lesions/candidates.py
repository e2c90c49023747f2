"""Which of many regions are more than chance: heights against a mirrored null, false discoveries held down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from hlhneuro.imaging.alignment import BoolImage
from hlhneuro.imaging.volumes import FloatImage
from hlhneuro.settings import LesionSettings

__all__ = ["Candidates", "NullHeights", "candidates", "highest_chance", "touching"]

CUBE = np.ones((3, 3, 3), bool)
FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Candidates:
    """Connected regions and how high each rises.

    Parameters
    ----------
    where : bool array
    statistic : float32 array
    heights : array
        Largest statistic of each region.
    """

    where: BoolImage
    statistic: FloatImage
    heights: FloatArray

    def tops(self, height: float) -> BoolImage:
        """Return the voxels of the regions that rise beyond a height: what is left of a region needs one of them."""
        found: BoolImage = self.where & (self.statistic > np.float32(height))
        return found


def candidates(where: BoolImage, statistic: FloatImage) -> Candidates:
    """Return the connected regions of a mask with the largest value that a statistic takes in each."""
    labels, count = ndimage.label(where, structure=CUBE)
    heights = np.full(count, -np.inf)
    np.maximum.at(heights, labels[where] - 1, statistic[where])  # `ndimage.maximum` would sort the whole image
    return Candidates(where, statistic, heights)


@dataclass(frozen=True)
class NullHeights:
    """How high regions rise where there is nothing: exponential beyond a height that a known part of them reaches.

    Peaks of Gaussian noise fall off faster than that, those of what registration leaves about so.

    Parameters
    ----------
    start, part : float
        A height, and the part of all regions that rise beyond it.
    scale : float
        Mean of what the others exceed it by.
    """

    start: float
    part: float
    scale: float

    @classmethod
    def of(cls, heights: FloatArray, floor: float, settings: LesionSettings) -> NullHeights:
        """Learn from regions that hold no lesion; from theory if there are too few.

        Half of the excesses, not their mean, gives the scale: some of the regions may be no null after all.

        Parameters
        ----------
        heights : array
        floor : float
            Standardised z that every region rises beyond; theory starts there.

        References
        ----------
        Chumbley & Friston, NeuroImage 2009;44:62 (heights of peaks above a threshold in Gaussian noise).
        """
        count = round(len(heights) * settings.null_tail)
        if count < settings.null_candidates:
            return cls(floor, 1.0, 1 / floor)
        ordered = np.sort(heights)[::-1]
        excess = float(np.median(ordered[:count]) - ordered[count])
        return cls(float(ordered[count]), count / len(heights), max(excess / np.log(2), 1e-6))

    def chance(self, heights: FloatArray) -> FloatArray:
        """Return how likely a region that holds nothing rises at least so high."""
        beyond = np.maximum(heights - self.start, 0)
        return np.where(heights > self.start, self.part * np.exp(-beyond / self.scale), 1.0)

    def height(self, chance: float) -> float:
        """Return the height that a region that holds nothing exceeds with this chance."""
        return self.start - self.scale * float(np.log(min(chance / self.part, 1.0)))


def highest_chance(chances: Sequence[FloatArray], rate: float) -> float:
    """Return the chance up to which candidates are taken so that at most `rate` of them are false, on average.

    With no lesion at all this is the family-wise error: one true candidate makes room for others, noise does not. Where
    nothing is taken it is what a single candidate would have to fall below.

    References
    ----------
    Benjamini & Hochberg, J R Stat Soc B 1995;57:289.
    """
    ordered = np.sort(np.concatenate([*chances, np.ones(1)]))[:-1]
    if not len(ordered):
        return rate
    limits = rate * np.arange(1, len(ordered) + 1) / len(ordered)
    taken = np.flatnonzero(ordered <= limits)
    return float(limits[taken[-1]] if len(taken) else limits[0])


def touching(mask: BoolImage, seed: BoolImage) -> BoolImage:
    """Leave the pieces of a mask that hold some of the seed."""
    labels, count = ndimage.label(mask, structure=CUBE)
    held = np.bincount(labels[seed], minlength=count + 1) > 0
    held[0] = False
    kept: BoolImage = held[labels]
    return kept
