"""The table of concentrations and the quality figures of one fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hlhneuro.settings import SpectraSettings

__all__ = ["SUMS", "concentration_table", "correlations_of", "full_width", "rows_of", "verdict"]

_Float = NDArray[np.float64]

SUMS: Mapping[str, tuple[str, ...]] = {
    "tNAA": ("NAA", "NAAG"),
    "tCr": ("Cr", "PCr"),
    "tCho": ("GPC", "PCho", "Cho"),
    "Glx": ("Glu", "Gln"),
    "Lip13": ("Lip13a", "Lip13b"),
}
_KIND_SUMS = {"tLip": "lipid", "tMM": "macromolecule"}
_NO_BOUND_PERCENT = 999.0  # LCModel's way to say that a relative bound means nothing


def concentration_table(
    names: Sequence[str],
    kinds: Sequence[str],
    amplitudes: _Float,
    covariance: _Float,
    unit: str,
    settings: SpectraSettings,
) -> pd.DataFrame:
    """Return one row per function, then the sums, with bounds that know the covariances.

    Parameters
    ----------
    amplitudes : array, shape (functions,)
        In `unit`.
    covariance : array, shape (functions, functions)
    """
    rows = rows_of(names, kinds)
    creatine = next((weights for name, weights in rows if name == "tCr"), None)
    return pd.DataFrame([_row(name, w, creatine, amplitudes, covariance, unit, settings) for name, w in rows])


def rows_of(names: Sequence[str], kinds: Sequence[str]) -> list[tuple[str, _Float]]:
    """Return what the table lists: each function, then the sums, with the weights of the functions in it."""
    rows: list[tuple[str, _Float]] = [(name, np.eye(len(names))[i]) for i, name in enumerate(names)]
    for total, parts in SUMS.items():
        rows.append((total, np.array([n in parts for n in names], dtype=np.float64)))
    for total, kind in _KIND_SUMS.items():
        rows.append((total, np.array([k == kind for k in kinds], dtype=np.float64)))
    return [(name, weights) for name, weights in rows if weights.any()]


def _root(variance: float) -> float:
    return float(np.sqrt(max(variance, 0.0)))


def _row(
    name: str,
    weights: _Float,
    creatine: _Float | None,
    amplitudes: _Float,
    covariance: _Float,
    unit: str,
    settings: SpectraSettings,
) -> dict[str, object]:
    value = float(weights @ amplitudes)
    sd = _root(float(weights @ covariance @ weights))
    ratio, ratio_sd = np.nan, np.nan
    if creatine is not None:
        total = float(creatine @ amplitudes)
        total_sd = _root(float(creatine @ covariance @ creatine))
        if total > settings.detection_sd * total_sd:
            ratio = value / total
            slope = (weights - ratio * creatine) / total  # delta method
            ratio_sd = _root(float(slope @ covariance @ slope))
    return {
        "metabolite": name,
        "concentration": value,
        "unit": unit,
        "sd": sd,
        "crlb_percent": min(100.0 * sd / value, _NO_BOUND_PERCENT) if value > 0 else _NO_BOUND_PERCENT,
        "ratio_to_tcr": ratio,
        "ratio_sd": ratio_sd,
        "detected": bool(value > settings.detection_sd * sd),
    }


def correlations_of(covariance: _Float) -> _Float:
    """Return the matrix of correlations, to three digits."""
    sd = np.sqrt(np.clip(np.diag(covariance), 1e-300, None))
    return np.asarray(np.round(covariance / np.outer(sd, sd), 3))


def full_width(spectrum: _Float, step: float) -> float:
    """Return the full width at half maximum of the highest peak of a real spectrum, in the unit of `step`."""
    top = int(np.argmax(spectrum))
    half = spectrum[top] / 2
    edges = []
    for direction in (-1, 1):
        i = top
        while 0 < i < spectrum.size - 1 and spectrum[i] > half:
            i += direction
        inner = spectrum[i - direction]
        part = (inner - half) / (inner - spectrum[i]) if inner != spectrum[i] else 0.0
        edges.append((i - direction) + direction * float(part))
    return (edges[1] - edges[0]) * step


def verdict(
    snr: float,
    linewidth_ppm: float,
    residual_fraction: float,
    creatine_or_other: bool,
    settings: SpectraSettings,
    water_ppm: float | None = None,
) -> tuple[str, tuple[str, ...]]:
    """Return ``good``, ``usable`` or ``not usable``, and why it is not good.

    Parameters
    ----------
    water_ppm : float, optional
        Where residual water lay before it was removed.
    """
    bad, warned = [], []
    if snr < settings.worst_snr:
        bad.append(f"signal-to-noise ratio {snr:.1f} below {settings.worst_snr:g}")
    elif snr < settings.good_snr:
        warned.append(f"signal-to-noise ratio {snr:.1f} below {settings.good_snr:g}")
    if linewidth_ppm > settings.worst_linewidth_ppm:
        bad.append(f"linewidth {linewidth_ppm:.3f} ppm above {settings.worst_linewidth_ppm:g} ppm")
    elif linewidth_ppm > settings.good_linewidth_ppm:
        warned.append(f"linewidth {linewidth_ppm:.3f} ppm above {settings.good_linewidth_ppm:g} ppm")
    if residual_fraction > settings.worst_residual:
        bad.append(f"the fit leaves {residual_fraction:.0%} of the signal beyond noise unexplained")
    elif residual_fraction > settings.good_residual:
        warned.append(f"the fit leaves {residual_fraction:.0%} of the signal beyond noise unexplained")
    if water_ppm is not None and water_ppm < settings.water_clear_ppm:
        warned.append(f"residual water lay at {water_ppm:.2f} ppm: inositol and what is beside it are uncertain")
    if not creatine_or_other:
        bad.append("no metabolite could be told from noise")
    if bad:
        return "not usable", tuple(bad + warned)
    return ("usable" if warned else "good"), tuple(warned)
