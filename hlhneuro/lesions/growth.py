"""By how much brain and ventricles of a healthy person of that age change between two ages."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

__all__ = ["ExpectedGrowth", "expected_growth"]


@dataclass(frozen=True)
class ExpectedGrowth:
    """Expected change of the logarithm of a volume.

    Parameters
    ----------
    log_change, log_change_sd : float
        Its standard uncertainty is that of one healthy person.
    sources : tuple of str
        Where the numbers come from.
    """

    log_change: float
    log_change_sd: float
    sources: tuple[str, ...]


def expected_growth(structure: str, from_years: float | None, to_years: float | None) -> ExpectedGrowth | None:
    """Return what a healthy brain would do between two ages; None where no published number covers them all.

    Exchanging the ages turns the sign. The numbers and their sources are in ``growth.toml``.

    Parameters
    ----------
    structure : str
        ``brain`` or ``ventricles``.
    from_years, to_years : float, optional
        Ages.
    """
    if from_years is None or to_years is None:
        return None
    start, end = sorted((from_years, to_years))
    change, sd, reached = 0.0, 0.0, start
    sources: list[str] = []
    for segment in _segments()[structure]:
        low, high = float(segment["from_years"]), float(segment["to_years"])
        a, b = max(start, low), min(end, high)
        if a > reached or b < a or reached > b:
            continue
        slope = (float(segment["rate_end"]) - float(segment["rate_start"])) / (high - low)
        change += (b - a) * (float(segment["rate_start"]) + slope * ((a + b) / 2 - low))
        sd += (b - a) * float(segment["rate_sd"])  # whoever grows fast at one age does at the next
        reached = b
        if b > a or not sources:
            sources.append(str(segment["source"]))
    if reached < end or not sources:
        return None
    return ExpectedGrowth(change if from_years <= to_years else -change, sd, tuple(sources))


@cache
def _segments() -> dict[str, list[dict[str, float | str]]]:
    found: dict[str, list[dict[str, float | str]]] = tomllib.loads(
        files("hlhneuro.lesions").joinpath("growth.toml").read_text(encoding="utf-8")
    )
    return found
