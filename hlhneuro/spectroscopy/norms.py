"""Reference values of ratios to total creatine by age, region, field and echo time; no norm rather than a wrong one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from hlhneuro.settings import PatternSettings
from hlhneuro.spectroscopy.norm_tables import NormEntry, published_values, read_controls

__all__ = ["NoNorm", "Norm", "NormEntry", "Norms", "read_controls", "region_of"]

_BEFORE_BIRTH_YEARS = 0.75  # the brain matures from conception on
# Regions of the table that territories of the label map make up; for others (lobes, cortex) the map has no territory.
_REGIONS = {
    "basal ganglia": ("caudate", "putamen", "pallidum"),
    "thalamus": ("thalamus",),
    "cerebellum": ("cerebellar white matter and dentate", "cerebellar cortex and vermis"),
    "corpus callosum": ("corpus callosum",),
}


@dataclass(frozen=True)
class Norm:
    """What is expected in a healthy person: mean and standard deviation between people, from `n` of them."""

    mean: float
    sd: float
    n: int
    source: str

    def z(self, ratio: float, ratio_sd: float) -> float:
        """Return how far a ratio lies from the norm, in standard deviations of one more person measured like this."""
        return float((ratio - self.mean) / np.hypot(self.sd * np.sqrt(1.0 + 1.0 / self.n), ratio_sd))


@dataclass(frozen=True)
class NoNorm:
    """Why there is no norm."""

    reason: str


@dataclass(frozen=True)
class Norms:
    """Controls of the user, and published values.

    Parameters
    ----------
    settings : PatternSettings
    controls : tuple of NormEntry
        Of the user's own scanner; they come first, and know no gap but their own.
    published : tuple of NormEntry
    """

    settings: PatternSettings
    controls: tuple[NormEntry, ...] = ()
    published: tuple[NormEntry, ...] = ()

    @classmethod
    def load(cls, settings: PatternSettings) -> Norms:
        """Return the published values, and the controls of the file that the settings name.

        Raises
        ------
        InputError
            If that file cannot be used.
        """
        controls = read_controls(settings.norm_controls) if settings.norm_controls else ()
        return cls(settings, controls, published_values())

    def lookup(
        self,
        metabolite: str,
        age_years: float | None,
        region: str | None,
        field_t: float | None,
        echo_time_s: float | None,
        sequence: str | None,
    ) -> Norm | NoNorm:
        """Return the norm of a ratio to total creatine.

        Parameters
        ----------
        metabolite : str
            ``tNAA``, ``tCho`` ..
        age_years : float, optional
        region : str, optional
            See `region_of`.
        field_t, echo_time_s : float, optional
        sequence : str, optional

        Returns
        -------
        Norm or NoNorm
            Between the ages of two groups of one source, if those are not too far apart, by interpolation; next to a
            group, that group; otherwise none. What is not known of the spectrum gives no norm.
        """
        if age_years is None or region is None or field_t is None or echo_time_s is None or sequence is None:
            asked = {"age": age_years, "region": region, "field": field_t, "echo time": echo_time_s}
            missing = [name for name, value in {**asked, "sequence": sequence}.items() if value is None]
            return NoNorm(f"no norm: {', '.join(missing)} not known")

        settings = self.settings

        def like(entry: NormEntry) -> bool:
            return (
                entry.metabolite == metabolite
                and entry.region == region.strip().lower()
                and entry.sequence == sequence
                and abs(entry.field_t - field_t) <= settings.field_match * field_t
                and abs(entry.echo_time_s - echo_time_s) <= settings.norm_echo_time_s
            )

        what = f"{metabolite}/tCr in the {region} at {field_t:.1f} T, {sequence}, TE {1e3 * echo_time_s:.0f} ms"
        own, known = (tuple(filter(like, entries)) for entries in (self.controls, self.published))
        found = _at_age(own, age_years, settings)
        if found is None:
            gap = _gap(age_years, settings)
            if gap and not own:
                return NoNorm(f"no norm of {what}: published values have a gap from {gap[0]:g} to {gap[1]:g} years")
            found = None if gap else _at_age(known, age_years, settings)
        if found is not None:
            return found
        ages = ", ".join(f"{age:.3g}" for age in sorted({entry.age_years for entry in (*own, *known)}))
        return NoNorm(f"no norm of {what}" + (f" at {age_years:.1f} years: there are {ages} years" if ages else ""))


def region_of(territories: Mapping[str, float], settings: PatternSettings) -> str | None:
    """Return the region of the table in which most of a voxel lies, or None.

    Parameters
    ----------
    territories : mapping of str to float
        Part of the voxel in each territory of the label map, sides added up.
    """
    parts = {region: sum(territories.get(name, 0.0) for name in names) for region, names in _REGIONS.items()}
    region = max(parts, key=lambda name: parts[name])
    return region if parts[region] >= settings.norm_region_least else None


def _gap(age_years: float, settings: PatternSettings) -> tuple[float, float] | None:
    ends = settings.norm_gaps_years
    return next(((low, high) for low, high in zip(ends[::2], ends[1::2], strict=True) if low <= age_years < high), None)


def _at_age(entries: Iterable[NormEntry], age_years: float, settings: PatternSettings) -> Norm | None:
    """Return the norm at an age from the source with most people that reaches it, or None."""
    series: dict[str, list[NormEntry]] = {}
    for entry in entries:
        series.setdefault(entry.source, []).append(entry)
    found = [_in_series(sorted(one, key=lambda entry: entry.age_years), age_years, settings) for one in series.values()]
    return max((norm for norm in found if norm is not None), key=lambda norm: norm.n, default=None)


def _in_series(entries: list[NormEntry], age_years: float, settings: PatternSettings) -> Norm | None:
    for first, second in pairwise(entries):
        if first.age_years <= age_years <= second.age_years and (
            _maturity_ratio(first.age_years, second.age_years) <= settings.norm_step
        ):
            part = (age_years - first.age_years) / max(second.age_years - first.age_years, 1e-9)
            mean, sd, n = (
                (1 - part) * getattr(first, name) + part * getattr(second, name) for name in ("mean", "sd", "n")
            )
            return Norm(mean, sd, round(n), first.source)
    nearest = min(entries, key=lambda entry: _maturity_ratio(entry.age_years, age_years))
    if _maturity_ratio(nearest.age_years, age_years) > settings.norm_reach:
        return None
    return Norm(nearest.mean, nearest.sd, nearest.n, nearest.source)


def _maturity_ratio(first_years: float, second_years: float) -> float:
    """Return how many times as old one brain is as the other: an infant's changes in weeks, a child's in years."""
    low, high = sorted((first_years + _BEFORE_BIRTH_YEARS, second_years + _BEFORE_BIRTH_YEARS))
    return high / low
