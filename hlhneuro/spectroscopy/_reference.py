"""With what a spectrum is compared: mirror voxel, own baseline, matched norm, and no norm rather than a wrong one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from hlhneuro.settings import PatternSettings
from hlhneuro.spectroscopy._signs import Reference, usable
from hlhneuro.spectroscopy.comparison import comparable, mirrored
from hlhneuro.spectroscopy.norms import NoNorm, Norm, Norms, region_of
from hlhneuro.spectroscopy.results import SpectrumResult

__all__ = ["Circumstances", "find_reference", "is_mirror"]

_NORMED = ("tNAA", "tCho", "Glx")


@dataclass(frozen=True)
class Circumstances:
    """What is known of a session beside its spectra.

    Parameters
    ----------
    age_years : float, optional
    confounders : tuple of str
        What on the time line changes spectra too, in words.
    """

    age_years: float | None = None
    confounders: tuple[str, ...] = ()


def _voi(result: SpectrumResult) -> str:
    return next((p[4:] for p in result.name.split("_") if p.startswith("voi-")), "")


def is_mirror(result: SpectrumResult, settings: PatternSettings) -> bool:
    """Tell whether a spectrum is of a mirror voxel, by the end of its ``voi`` label."""
    return _voi(result).lower().endswith(settings.mirror_suffixes)


def find_reference(
    result: SpectrumResult,
    session: Iterable[SpectrumResult],
    baseline: Iterable[SpectrumResult],
    circumstances: Circumstances,
    norms: Norms | None,
    settings: PatternSettings,
) -> Reference | str:
    """Return the mirror voxel, else the patient's own baseline, else a norm, else why there is none."""
    reasons = []
    for other in session:
        voi = _voi(other).lower()
        stem = next((voi.removesuffix(s) for s in settings.mirror_suffixes if voi.endswith(s)), None)
        if stem is None or stem != _voi(result).lower():
            continue
        lesion = other.voxel.lesion if other.voxel is not None else None
        may, why = mirrored(result, other, settings)
        if (problem := usable(other)) is not None:
            reasons.append(f"the mirror voxel is not usable: {problem}")
        elif not may:
            reasons.append(f"the mirror voxel cannot serve: {'; '.join(why)}")
        elif lesion is not None and lesion > settings.mirror_lesion_fraction:
            reasons.append(f"{lesion:.0%} of the mirror voxel is lesion")
        else:
            return Reference("the mirror voxel of the same session", other)
    for other in baseline:
        if other.name != result.name or usable(other) is not None:
            continue
        may, why = comparable(result, other, settings)
        if may:
            words = f"the patient's own session {other.session}, which may itself have been abnormal"
            return Reference(words, other)
        reasons.append(f"the patient's own session {other.session} cannot serve: {'; '.join(why)}")
    norm = _norm(result, circumstances, norms, settings)
    if isinstance(norm, Reference):
        return norm
    reasons.append(f"no mirror voxel, no earlier spectrum of this voxel to compare with, and {norm}")
    return "; ".join(reasons)


def _norm(
    result: SpectrumResult, circumstances: Circumstances, norms: Norms | None, settings: PatternSettings
) -> Reference | str:
    if norms is None:
        return "no norm that fits age, region and echo time"
    region = region_of(result.voxel.both_sides(), settings) if result.voxel is not None else None
    found: dict[str, Norm] = {}
    reason = ""
    for name in _NORMED:
        norm = norms.lookup(
            name,
            circumstances.age_years,
            region,
            result.field_t,
            result.echo_time_s,
            result.sequence,
        )
        if isinstance(norm, NoNorm):
            reason = reason or norm.reason
        else:
            found[name] = norm
    if not found:
        return reason
    source = "; ".join(sorted({norm.source for norm in found.values()}))
    return Reference(f"the norm for age and region ({source})", norm=found)
