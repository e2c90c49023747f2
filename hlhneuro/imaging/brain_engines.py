"""Where a brain mask can come from besides the images' own contrast: a trained network, or the user."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from hlhneuro.errors import InputError, StudyError
from hlhneuro.imaging.volumes import Grid, Volume, load_volume

__all__ = ["ENGINES", "GivenBrain", "check_engine", "find_with_deepbet", "load_brain_mask"]

ENGINES = ("opening", "deepbet")
_ADULT_YEARS = 18.0


@dataclass(frozen=True)
class GivenBrain:
    """A brain mask from elsewhere.

    Parameters
    ----------
    mask : bool array
    grid : Grid
        Where it lies, in the scanner space of the session.
    contrast : str
        The image it was drawn on; empty where it is not said: then it belongs to the session's reference.
    source : str
        Where it comes from, for messages.
    notes : tuple of str
        What has to be known about it, in sentences.
    """

    mask: NDArray[np.bool_]
    grid: Grid
    contrast: str
    source: str
    notes: tuple[str, ...] = ()


def check_engine(name: str) -> None:
    """Raise a StudyError if there is no such engine, or if it is not installed."""
    if name not in ENGINES:
        raise StudyError(
            "unknown engine for brain masks",
            field="prepare.brain_engine",
            found=name,
            remedy=f"use one of: {', '.join(ENGINES)}",
        )
    if name == "deepbet":
        _deepbet()


def find_with_deepbet(volumes: Mapping[str, Volume], age_years: float | None) -> GivenBrain:
    """Return the brain that deepbet finds on the T1-weighted image.

    Runs on the processor, so that the same image gives the same mask on every machine of a kind.

    Raises
    ------
    InputError
        If there is no T1w image.
    StudyError
        If deepbet is not installed.

    References
    ----------
    Fisch L et al. deepbet: fast brain extraction of T1-weighted MRI using convolutional neural networks. Comput Biol
    Med 2024; 179: 108845.
    """
    volume = volumes.get("T1w")
    if volume is None:
        raise InputError(
            "the brain mask engine deepbet needs a T1w image",
            field="prepare.brain_engine",
            found=", ".join(sorted(volumes)),
            remedy="use prepare.brain_engine=opening, or give a brain mask with --derivatives",
        )
    image = nib.Nifti1Image(volume.data, volume.affine)  # type: ignore[no-untyped-call]
    _, found, _ = _deepbet().BrainExtraction(no_gpu=True).run(image)
    # It answers on the nearest RAS+ grid.
    mask = np.asarray(found.dataobj) > 0.5
    x, y, z = mask.shape[:3]
    grid = Grid((x, y, z), np.asarray(found.affine, dtype=np.float64))
    notes: tuple[str, ...] = ()
    if age_years is None or age_years < _ADULT_YEARS:
        age = "age is unknown" if age_years is None else f"age is {age_years:.1f} years"
        notes = (f"deepbet was made for adults' T1w images and the {age}: look at the outline of the brain",)
    return GivenBrain(mask, grid, "T1w", "deepbet", notes)


def _deepbet() -> Any:
    try:
        return importlib.import_module("deepbet")
    except ImportError as error:
        raise StudyError(
            "deepbet is not installed",
            field="prepare.brain_engine",
            found="deepbet",
            remedy="install it with `pip install hlhneuro[deepbet]`, or use prepare.brain_engine=opening",
        ) from error


def load_brain_mask(path: str | Path, contrast: str = "") -> GivenBrain:
    """Load a brain mask that the user supplies: 0 and 1, 0 and 255, or probabilities (then cut at one half).

    Raises
    ------
    InputError
        If the file cannot be read, is empty, covers everything, or holds labels.
    """
    volume = load_volume(path, "mask")
    values = np.unique(volume.data)
    name = Path(path).name
    notes = tuple(f"brain mask {name}: {note}" for note in volume.notes)
    if values.size == 2 and values[0] == 0 and values[1] in (1, 255):
        mask = volume.data > 0
    elif values[0] >= 0 and values[-1] <= 1:
        mask = volume.data > 0.5
        notes += (f"brain mask {name} holds values between 0 and 1; above one half counts as brain",)
    else:
        shown = ", ".join(f"{value:g}" for value in values[:6]) + (" .." if values.size > 6 else "")
        raise InputError(
            "is not a brain mask: it holds labels or intensities",
            path=path,
            found=shown,
            remedy="give 0 outside and 1 inside the brain, or probabilities from 0 to 1",
        )
    if not mask.any():
        raise InputError("the brain mask is empty", path=path, remedy="give a mask with the brain in it")
    return GivenBrain(mask, volume.grid, contrast, name, notes)
