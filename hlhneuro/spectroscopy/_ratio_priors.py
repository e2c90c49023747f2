"""Soft constraints on ratios of amounts, as rows of the linear fit. Off by default: they come from healthy brains."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from hlhneuro.errors import StudyError

__all__ = ["HEALTHY_BRAIN", "NO_PRIORS", "RatioPrior", "check_choice", "load_ratio_priors", "ratio_pull"]

_Float = NDArray[np.float64]
NO_PRIORS, HEALTHY_BRAIN = "none", "healthy brain"


@dataclass(frozen=True)
class RatioPrior:
    """Amount of one function over a weighted sum of others: mean and standard deviation."""

    name: str
    over: Mapping[str, float]
    ratio: float
    sd: float


@cache
def load_ratio_priors() -> tuple[tuple[RatioPrior, ...], str]:
    """Return the soft constraints of the data file, and their source."""
    data = tomllib.loads(files("hlhneuro.spectroscopy").joinpath("ratio_priors.toml").read_text(encoding="utf-8"))
    sums = data["sums"]
    rows = (RatioPrior(row["name"], sums[row["over"]], row["ratio"], row["sd"]) for row in data["priors"])
    return tuple(rows), data["source"]


def check_choice(choice: str) -> None:
    """Raise StudyError unless a choice of `SpectraSettings.ratio_priors` is known."""
    if choice not in (NO_PRIORS, HEALTHY_BRAIN):
        raise StudyError(
            "spectra.ratio_priors is not a known choice",
            found=choice,
            remedy=f"use {NO_PRIORS!r} or {HEALTHY_BRAIN!r}",
        )


def ratio_pull(names: Sequence[str], amplitudes: _Float) -> _Float:
    """Return the matrix P for which ``a' P a`` is the sum of squared deviations of ratios from their priors, in sd.

    The sum that a ratio is over enters twice: as it is fitted, and, to say how wide the prior is, as it was found
    before; a ratio over nothing has no prior.

    Parameters
    ----------
    names : sequence of str
        Of the functions.
    amplitudes : array, shape (functions,)
        Of a fit without priors.

    References
    ----------
    Provencher SW. Magn Reson Med 1993;30:672 (soft constraints on ratios).
    """
    rows = []
    for prior in load_ratio_priors()[0]:
        over = np.array([prior.over.get(name, 0.0) for name in names])
        there = float(over @ amplitudes)
        if prior.name in names and there > 0:
            own = np.array([float(name == prior.name) for name in names])
            rows.append((own - prior.ratio * over) / (prior.sd * there))
    stacked = np.array(rows).reshape(-1, len(names))
    return np.asarray(stacked.T @ stacked)
