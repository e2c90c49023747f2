"""The engines (SimpleITK, greedy): repeatable, and quiet. Their conventions, LPS and printing, end here."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import SimpleITK
from numpy.typing import NDArray
from picsl_greedy import Greedy3D

from hlhneuro.imaging.volumes import FloatImage, Grid, Volume

__all__ = ["greedy", "one_thread", "sitk", "to_sitk", "windowed"]

sitk: Any = SimpleITK  # the package carries no types
BoolImage = NDArray[np.bool_]

_RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0])
# One thread, because the engine sums in the order of its threads (a second gains a tenth on working images); a seed,
# because it jitters its sampling points.
_FIXED = "-d 3 -threads 1 -seed 1 -V 0"
_ENGINE = threading.Lock()
_LOCK = threading.Lock()
_running = [0, 0]  # engines at work, and the number of threads that was set before the first of them


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Let ITK use one thread; what was set before is put back after the last engine has finished."""
    with _LOCK:
        if _running[0] == 0:
            _running[1] = sitk.ProcessObject.GetGlobalDefaultNumberOfThreads()
            sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
        _running[0] += 1
    try:
        yield
    finally:
        with _LOCK:
            _running[0] -= 1
            if _running[0] == 0:
                sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(_running[1])


def greedy(command: str, result: str, **inputs: object) -> Any:
    """Run greedy on images in memory and return one of its results; the names in the command are those of `inputs`."""
    engine, log = Greedy3D(), io.StringIO()
    with _ENGINE, _quiet(), one_thread():
        engine.execute(f"{_FIXED} {command}", out=log, err=log, **inputs, **{result: None})
        return engine[result]


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the Fortran optimiser inside the engine from writing its line-search notes to the terminal."""
    sys.stdout.flush()
    kept, nowhere = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 1)
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nowhere)


def to_sitk(data: NDArray[np.generic], grid: Grid) -> Any:
    """Return a SimpleITK image (LPS) of data on a RAS+ grid with orthogonal axes."""
    values = data.astype(np.uint8) if data.dtype == bool else data.astype(np.float32)
    image = sitk.GetImageFromArray(np.ascontiguousarray(values.transpose(2, 1, 0)))
    spacing = np.linalg.norm(grid.affine[:3, :3], axis=0)
    image.SetSpacing([float(s) for s in spacing])
    image.SetDirection((_RAS_TO_LPS @ (grid.affine[:3, :3] / spacing)).ravel().tolist())
    image.SetOrigin((_RAS_TO_LPS @ grid.affine[:3, 3]).tolist())
    return image


def windowed(volume: Volume, mask: BoolImage | None) -> FloatImage:
    """Cut the tails, so that a few bright vessels do not take most bins of the histogram."""
    values = volume.data[mask] if mask is not None and mask.any() else volume.data[volume.data != 0]
    if values.size == 0:
        return volume.data
    low, high = np.percentile(values, (0.5, 99.5))
    clipped: FloatImage = np.clip(volume.data, low, high).astype(np.float32)
    return clipped
