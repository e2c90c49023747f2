"""Spin systems of brain metabolites and the shapes of broad signals, read from the data file beside this module."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from itertools import product
from typing import Any

__all__ = [
    "BroadSignal",
    "Metabolite",
    "SpinGroup",
    "load_broad_signals",
    "load_metabolites",
    "metabolite_name",
    "signal_kind",
]

_LEVELS = {"31P": (-0.5, 0.5), "14N": (-1.0, 0.0, 1.0)}  # magnetic quantum numbers of nuclei that no proton pulse turns


@dataclass(frozen=True)
class SpinGroup:
    """Mutually coupled protons, one entry per proton.

    Parameters
    ----------
    shifts_ppm : tuple of float
    couplings_hz : tuple of (int, int, float)
        First spin, second spin (from 0), J.
    weight : float
        Signal per molecule relative to one molecule's worth of `shifts_ppm`.
    offsets_hz : tuple of tuple of float
        One tuple of frequency offsets per orientation of the outside nuclei, all equally likely.
    """

    shifts_ppm: tuple[float, ...]
    couplings_hz: tuple[tuple[int, int, float], ...] = ()
    weight: float = 1.0
    offsets_hz: tuple[tuple[float, ...], ...] = ((),)


@dataclass(frozen=True)
class Metabolite:
    """A molecule as a set of spin groups that do not couple to one another.

    Parameters
    ----------
    name : str
    groups : tuple of SpinGroup
    source : str
        The paper its numbers come from.
    note : str
        What could not be confirmed, or where others differ.
    """

    name: str
    groups: tuple[SpinGroup, ...]
    source: str
    note: str = ""


@dataclass(frozen=True)
class BroadSignal:
    """A lipid or macromolecule signal: Gaussian lines of (shift in ppm, FWHM in ppm, protons)."""

    name: str
    kind: str
    lines: tuple[tuple[float, float, float], ...]
    source: str = field(default="")


@cache
def _data() -> dict[str, Any]:
    return tomllib.loads(files("hlhneuro.spectroscopy").joinpath("spin_systems.toml").read_text(encoding="utf-8"))


@cache
def load_metabolites() -> Mapping[str, Metabolite]:
    """Return every metabolite of the data file by name."""
    data = _data()
    return {
        name: Metabolite(
            name, tuple(_group(g) for g in entry["groups"]), data["sources"][entry["source"]], entry.get("note", "")
        )
        for name, entry in data["metabolites"].items()
    }


@cache
def load_broad_signals() -> Mapping[str, BroadSignal]:
    """Return every lipid and macromolecule signal of the data file by name."""
    broad = _data()["broad"]
    return {
        name: BroadSignal(name, entry["kind"], tuple((s, w, p) for s, w, p in entry["lines"]), broad["source"])
        for name, entry in broad.items()
        if isinstance(entry, dict)
    }


@cache
def _own_names() -> Mapping[str, str]:
    names = {name.lower(): name for name in (*load_metabolites(), *load_broad_signals())}
    names.update(_data()["aliases"])
    return names


def metabolite_name(name: str) -> str:
    """Return the name that this package uses for a molecule or broad signal; an unknown name as it is."""
    return _own_names().get(name.strip().lower(), name.strip())


def signal_kind(name: str) -> str:
    """Return ``lipid``, ``macromolecule`` or ``metabolite`` after the name of a basis function, whoever made it."""
    lower = name.lower()
    if lower.startswith("lip"):
        return "lipid"
    return "macromolecule" if lower.startswith(("mm", "mac")) else "metabolite"


def _group(entry: Mapping[str, Any]) -> SpinGroup:
    """Spread equivalent protons out into single spins; uncoupled ones stay one spin with a weight."""
    shifts: Sequence[float] = entry["shifts_ppm"]
    counts: Sequence[int] = entry.get("protons", [1] * len(shifts))
    couplings = entry.get("couplings_hz", [])
    fraction = float(entry.get("fraction", 1.0))
    if len(shifts) == 1 and not couplings:
        return SpinGroup((float(shifts[0]),), weight=fraction * counts[0])
    members: list[list[int]] = []
    for count in counts:
        start = sum(len(m) for m in members)
        members.append(list(range(start, start + count)))
    pairs = tuple(
        (a, b, float(j)) for first, second, j in couplings for a in members[first - 1] for b in members[second - 1]
    )
    return SpinGroup(
        tuple(float(s) for s, count in zip(shifts, counts, strict=True) for _ in range(count)),
        pairs,
        fraction,
        _orientations(entry.get("outside_hz", {}), counts),
    )


def _orientations(outside: Mapping[str, Sequence[float]], counts: Sequence[int]) -> tuple[tuple[float, ...], ...]:
    if not outside:
        return ((),)
    spread = {
        nucleus: [j for j, n in zip(js, counts, strict=True) for _ in range(n)] for nucleus, js in outside.items()
    }
    return tuple(
        tuple(
            sum(level * js[spin] for level, js in zip(levels, spread.values(), strict=True))
            for spin in range(sum(counts))
        )
        for levels in product(*(_LEVELS[nucleus] for nucleus in spread))
    )
