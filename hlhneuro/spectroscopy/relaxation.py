"""How water and metabolites relax in tissue and lesion, and what that leaves of their signals, with uncertainties."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np

__all__ = ["Relaxation", "Timing", "TissueFractions", "metabolite_groups", "relaxation_at", "water_parameters"]

_COMPARTMENTS = {"gm": "grey matter", "wm": "white matter", "csf": "CSF", "lesion": "lesion water"}
_GREY, _CSF, _LESION = "the share of grey matter", "the CSF fraction", "the lesion fraction"
_LIMITS = {_GREY: (0.0, 1.0), _CSF: (0.0, 0.95), _LESION: (0.0, 1.0)}


@dataclass(frozen=True)
class TissueFractions:
    """Volume fractions of the voxel; they sum to one.

    Parameters
    ----------
    gm, wm, csf, lesion : float
    gm_sd, csf_sd, lesion_sd : float, optional
        Standard uncertainties; of grey matter at the expense of white matter. None: `SpectraSettings.tissue_sd`.
    """

    gm: float
    wm: float
    csf: float
    lesion: float = 0.0
    gm_sd: float | None = None
    csf_sd: float | None = None
    lesion_sd: float | None = None

    def __post_init__(self) -> None:
        parts = (self.gm, self.wm, self.csf, self.lesion)
        if min(parts) < -1e-6 or not np.isclose(sum(parts), 1.0, atol=0.02):
            raise ValueError(f"tissue fractions must be positive and sum to one, these are {parts}")


@dataclass(frozen=True)
class Relaxation:
    """Relaxation of water and metabolites at one field.

    Parameters
    ----------
    t1_s, t2_s : mapping
        Of water in ``gm``, ``wm``, ``csf`` and ``lesion``, of ``metabolite`` (any) and of groups (``NAA``, ``Cr`` ..).
    density : mapping
        Water per volume of each tissue, in g/ml.
    source : str
    t1_sd_s, t2_sd_s, density_sd : mapping
        Standard uncertainties; what is left out is exact.
    """

    t1_s: Mapping[str, float]
    t2_s: Mapping[str, float]
    density: Mapping[str, float]
    source: str
    t1_sd_s: Mapping[str, float] = field(default_factory=dict)
    t2_sd_s: Mapping[str, float] = field(default_factory=dict)
    density_sd: Mapping[str, float] = field(default_factory=dict)

    def metabolite(self, group: str) -> Mapping[str, tuple[float, float]]:
        """Return T1 and T2 of a group, each with its uncertainty; those of any metabolite where it has none."""
        found = {}
        for name, values, sds in (("T1", self.t1_s, self.t1_sd_s), ("T2", self.t2_s, self.t2_sd_s)):
            key = group if group in values else "metabolite"
            found[name] = (values[key], sds.get(key, 0.0))
        return found


@cache
def _data() -> Mapping[str, Any]:
    return tomllib.loads(files("hlhneuro.spectroscopy").joinpath("relaxation.toml").read_text(encoding="utf-8"))


@cache
def _table() -> tuple[tuple[float, Relaxation], ...]:
    density, density_sd = (
        {name: _data()[key][name] for name in _COMPARTMENTS} for key in ("water_density", "water_density_sd")
    )
    return tuple(
        (
            entry["field_t"],
            Relaxation(
                *(entry["t1_s"], entry["t2_s"], density, entry["source"]),
                *(entry["t1_sd_s"], entry["t2_sd_s"], density_sd),
            ),
        )
        for entry in _data()["fields"]
    )


def relaxation_at(field_t: float, tolerance: float) -> Relaxation | None:
    """Return the constants of the nearest field, or None if it is further away than `tolerance` (relative)."""
    nearest, constants = min(_table(), key=lambda entry: abs(entry[0] - field_t))
    return constants if abs(nearest - field_t) <= tolerance * nearest else None


def metabolite_groups() -> Mapping[str, tuple[str, ...]]:
    """Return which basis functions and sums relax alike, by the name of their group."""
    return {group: tuple(members) for group, members in _data()["groups"].items()}


@dataclass(frozen=True)
class Timing:
    """What is left of signals at one echo and repetition time."""

    echo_time_s: float
    repetition_time_s: float
    molar: bool = False

    def left(self, t1_s: float, t2_s: float) -> float:
        """Return the part of the equilibrium signal that is left."""
        recovered = 1.0 - np.exp(-self.repetition_time_s / t1_s)
        return float(np.exp(-self.echo_time_s / t2_s) * recovered)

    def metabolite(self, times: Mapping[str, tuple[float, float]]) -> tuple[float, float]:
        """Return what is left of a metabolite's signal, and its relative uncertainty."""
        (t1, t1_sd), (t2, t2_sd) = times["T1"], times["T2"]
        value = self.left(t1, t2)
        moved = [
            _both_sides(self.left(*one) / value for one in pair)
            for pair in (
                ((t1 + t1_sd, t2), (max(t1 - t1_sd, 0.1 * t1), t2)),
                ((t1, t2 + t2_sd), (t1, max(t2 - t2_sd, 0.1 * t2))),
            )
        ]
        return value, float(np.hypot(moved[0], moved[1]))

    def visible_water(self, values: Mapping[str, float]) -> float:
        """Return visible water per tissue: of tissue water as a part, or (molar) of tissue volume in g/ml."""
        csf, lesion = values[_CSF], values[_LESION]
        rest, share = max(1.0 - csf - lesion, 0.0), values[_GREY]
        volume = {"gm": rest * share, "wm": rest * (1.0 - share), "csf": csf, "lesion": lesion}
        grams = {name: volume[name] * values[f"the density of {_COMPARTMENTS[name]}"] for name in volume}
        visible = sum(
            grams[name] * self.left(values[f"T1 of {_COMPARTMENTS[name]}"], values[f"T2 of {_COMPARTMENTS[name]}"])
            for name in volume
        )
        return visible / (1.0 - csf if self.molar else sum(grams.values()) - grams["csf"])

    def spread(self, values: Mapping[str, float], sds: Mapping[str, float]) -> dict[str, float]:
        """Return what the uncertainty of each parameter moves the visible water by, as a part of it."""
        middle = self.visible_water(values)
        moved: dict[str, float] = {}
        for name, sd in sds.items():
            low, high = _LIMITS.get(name, (0.1 * values[name], np.inf))
            ends = (np.clip(values[name] + sign * sd, low, high) for sign in (-1.0, 1.0))
            # Both sides: an exponential is not symmetric, and a fraction of nothing can only grow.
            moved[name] = _both_sides(self.visible_water({**values, name: end}) / middle for end in ends)
        return moved


def _both_sides(ratios: Iterable[float]) -> float:
    """Return by which part something moves, from what its two ends are to its middle."""
    return float(np.sqrt(np.mean(np.log(list(ratios)) ** 2)))


def water_parameters(
    tissue: TissueFractions, constants: Relaxation, tissue_sd: float
) -> tuple[dict[str, float], dict[str, float]]:
    """Return the numbers of the formula by name, and the uncertainties of those that have one."""
    solid = tissue.gm + tissue.wm
    gm_sd, csf_sd, lesion_sd = (
        tissue_sd if sd is None else sd for sd in (tissue.gm_sd, tissue.csf_sd, tissue.lesion_sd)
    )
    values = {
        _GREY: tissue.gm / solid if solid > 0 else 0.5,
        _CSF: tissue.csf,
        _LESION: tissue.lesion,
    }
    # A voxel without any lesion is taken at its word: a small error of a lesion's border says nothing about it.
    sds = {
        _GREY: min(gm_sd / solid, 0.5) if solid > 0 else 0.0,
        _CSF: csf_sd,
        _LESION: lesion_sd if tissue.lesion > 0 else 0.0,
    }
    for kind, known, known_sd in (
        ("T1 of", constants.t1_s, constants.t1_sd_s),
        ("T2 of", constants.t2_s, constants.t2_sd_s),
        ("the density of", constants.density, constants.density_sd),
    ):
        for name in _COMPARTMENTS:
            key = f"{kind} {_COMPARTMENTS[name]}"
            values[key], sds[key] = known[name], known_sd.get(name, 0.0)
    return values, {name: sd for name, sd in sds.items() if sd > 0}
