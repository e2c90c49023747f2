"""Single signs in a fitted spectrum: each present, absent or not assessable, with the numbers it rests on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from hlhneuro.answers import Answer
from hlhneuro.settings import PatternSettings
from hlhneuro.spectroscopy.results import SpectrumResult

__all__ = ["Reference", "Sign", "lactate_sign", "level_signs", "lipid_sign", "merge_lactate", "merge_signs", "usable"]

_EXPERT = "expert-set, not validated in HLH"
_WATER_UNITS = ("mmol/kg", "mM", "i.u.")


@dataclass(frozen=True)
class Sign:
    """One answer with what it rests on."""

    answer: Answer
    reason: str
    value: float | None = None
    uncertainty: float | None = None
    unit: str = ""
    threshold: float | None = None
    source: str = ""


@dataclass(frozen=True)
class Reference:
    """What a spectrum is compared with."""

    result: SpectrumResult
    words: str


@dataclass(frozen=True)
class _Amount:
    value: float
    sd: float
    ratio: float
    ratio_sd: float
    unit: str
    detected: bool


def usable(result: SpectrumResult) -> str | None:
    """Return why a spectrum cannot be used, or None if it can."""
    if result.fit is None:
        return result.reason or "the spectrum could not be fitted"
    if result.fit.quality.get("verdict") == "not usable":
        reasons = result.fit.quality.get("reasons", ())
        return "; ".join(str(r) for r in reasons) if isinstance(reasons, list | tuple) else str(reasons)
    return None


def _amount(result: SpectrumResult, name: str) -> _Amount | None:
    if result.fit is None:
        return None
    table = result.fit.concentrations
    rows = table[table["metabolite"] == name]
    if rows.empty:
        return None
    row = rows.iloc[0]
    return _Amount(
        float(row["concentration"]),
        float(row["sd"]),
        float(row["ratio_to_tcr"]),
        float(row["ratio_sd"]),
        str(row["unit"]),
        bool(row["detected"]),
    )


def _field_t(result: SpectrumResult) -> float | None:
    for name, parameters in result.fit.record if result.fit is not None else ():
        if name == "acquisition":
            value = parameters.get("field_t")
            return float(value) if isinstance(value, int | float) else None
    return None


def _seen(result: SpectrumResult, name: str, words: str, relevant_ratio: float, source: str) -> Sign:
    """Answer whether a signal is there that a healthy spectrum lacks.

    Absent means: one of the size that matters would have been seen.
    """
    amount = _amount(result, name)
    if amount is None:
        return Sign(Answer.NOT_ASSESSABLE, f"the basis holds no {words}")
    known = bool(np.isfinite(amount.ratio))
    value, sd = (amount.ratio, amount.ratio_sd) if known else (amount.value, amount.sd)
    unit = "ratio to tCr" if known else amount.unit
    numbers = f"{words} {value:.2g} ± {sd:.1g} ({unit})"
    if amount.detected:
        # Where creatine is lost there is no ratio; a signal beyond doubt is then present whatever its size.
        if known and value + sd < relevant_ratio:
            return Sign(Answer.ABSENT, f"{numbers}: detected, below the size that matters", value, sd, unit,
                        relevant_ratio, source)  # fmt: skip
        return Sign(Answer.PRESENT, f"{numbers}: told from noise", value, sd, unit, relevant_ratio, source)
    if known and value + 2 * sd < relevant_ratio:
        return Sign(Answer.ABSENT, f"{numbers}: not told from noise", value, sd, unit, relevant_ratio, source)
    return Sign(
        Answer.NOT_ASSESSABLE,
        f"{numbers}: not told from noise, but one of the size that matters could have been missed",
        value,
        sd,
        unit,
        relevant_ratio,
        source,
    )


def lactate_sign(result: SpectrumResult, settings: PatternSettings) -> Sign:
    """Answer whether lactate is raised in one spectrum.

    References
    ----------
    Lange T et al. Pitfalls in lactate measurements at 3T. AJNR 2006;27:895.
    """
    sign = _seen(result, "Lac", "lactate", settings.lactate_ratio, "Lunsing 2017, Eur Radiol: Lac/Cr 0.22")
    echo, field = result.echo_time_s, _field_t(result)
    inverted = echo is not None and settings.inverted_echo_low_s <= echo <= settings.inverted_echo_high_s
    cancels = (
        inverted and result.sequence in ("press", None) and (field is None or field >= settings.cancellation_field_t)
    )
    if sign.answer is Answer.ABSENT and cancels:
        return replace(
            sign,
            answer=Answer.NOT_ASSESSABLE,
            reason="lactate not excluded: with PRESS at this field and echo time its inverted doublet can cancel; "
            "TE 288 ms, a short echo time or semi-LASER would tell",
        )
    return sign


def lipid_sign(result: SpectrumResult, settings: PatternSettings) -> Sign:
    """Answer whether mobile lipids at 1.3 ppm are present in one spectrum."""
    sign = _seen(result, "Lip13", "lipid at 1.3 ppm", settings.lipid_ratio, _EXPERT)
    if sign.answer is Answer.ABSENT and result.echo_time_s is not None and result.echo_time_s > settings.lipid_echo_s:
        why = f"at TE {result.echo_time_s * 1e3:.0f} ms lipid has decayed: a short echo time would tell"
        return Sign(Answer.NOT_ASSESSABLE, why, sign.value, sign.uncertainty, sign.unit, sign.threshold, sign.source)
    return sign


def level_signs(result: SpectrumResult, reference: Reference | str, settings: PatternSettings) -> dict[str, Sign]:
    """Answer whether NAA, choline, Glx are low or high against the reference."""
    codes = ("naa_reduced", "tcho_raised", "tcho_reduced", "glx_raised", "all_low")
    if isinstance(reference, str):
        return {code: Sign(Answer.NOT_ASSESSABLE, f"no reference: {reference}") for code in codes}
    low, high = settings.reduced_ratio, settings.raised_ratio
    return {
        "naa_reduced": _level(result, reference, "tNAA", low, below=True),
        "tcho_raised": _level(result, reference, "tCho", high, below=False),
        "tcho_reduced": _level(result, reference, "tCho", low, below=True),
        "glx_raised": _level(result, reference, "Glx", high, below=False),
        "all_low": _all_low(result, reference, settings),
    }


def _relative(result: SpectrumResult, reference: Reference, name: str) -> tuple[float, float, str] | str:
    """Return the amount relative to the reference, its uncertainty and on what scale; or why it is not known."""
    own, other = _amount(result, name), _amount(reference.result, name)
    if own is None or other is None:
        return f"{name} is not in both fits"
    if own.unit == other.unit and own.unit in _WATER_UNITS:
        a, sa, b, sb, scale = own.value, own.sd, other.value, other.sd, "water-referenced"
    else:
        a, sa, b, sb, scale = own.ratio, own.ratio_sd, other.ratio, other.ratio_sd, "ratio to tCr"
    if not (np.isfinite(a) and np.isfinite(b)) or b <= 3 * sb:
        return f"{name} of the reference cannot be told from noise"
    ratio = a / b
    return ratio, float(np.hypot(sa, ratio * sb) / b), scale


def _level(result: SpectrumResult, reference: Reference, name: str, limit: float, *, below: bool) -> Sign:
    relative = _relative(result, reference, name)
    if isinstance(relative, str):
        return Sign(Answer.NOT_ASSESSABLE, relative)
    ratio, sd, scale = relative
    direction = 1.0 if below else -1.0
    beyond = direction * (limit - ratio)
    changed = direction * (1.0 - ratio) > 2 * sd
    words = f"{name} {ratio:.2f} ± {sd:.2f} of {reference.words} ({scale})"
    if beyond >= 0 and changed:
        answer = Answer.PRESENT
    elif beyond + 2 * sd < 0 or (beyond < 0 and sd < abs(1.0 - limit) / 2):
        answer = Answer.ABSENT
    else:
        answer, words = Answer.NOT_ASSESSABLE, f"{words}: too uncertain"
    return Sign(answer, words, ratio, sd, "relative to the reference", limit, _EXPERT)


def _all_low(result: SpectrumResult, reference: Reference, settings: PatternSettings) -> Sign:
    parts = []
    for name in ("tNAA", "tCr", "tCho"):
        relative = _relative(result, reference, name)
        if isinstance(relative, str):
            return Sign(Answer.NOT_ASSESSABLE, relative)
        if relative[2] != "water-referenced":
            return Sign(
                Answer.NOT_ASSESSABLE,
                "loss of creatine cannot be seen in ratios: a water reference of both spectra would tell",
            )
        parts.append(_level(result, reference, name, settings.all_low_ratio, below=True))
    answers = [part.answer for part in parts]
    answer = (
        Answer.ABSENT
        if Answer.ABSENT in answers
        else Answer.NOT_ASSESSABLE
        if Answer.NOT_ASSESSABLE in answers
        else Answer.PRESENT
    )
    highest = max(parts, key=lambda part: part.value or 0.0)
    words = "; ".join(part.reason for part in parts)
    return Sign(answer, words, highest.value, highest.uncertainty, highest.unit, settings.all_low_ratio, _EXPERT)


# -------------------------------------------------------------------------------------- several echo times


def merge_signs(signs: Sequence[Sign]) -> Sign:
    """Return the first sign, in order of echo time, that is answered; the first if none is."""
    return next((sign for sign in signs if sign.answer is not Answer.NOT_ASSESSABLE), signs[0])


def merge_lactate(members: Sequence[tuple[SpectrumResult, Sign]], settings: PatternSettings) -> Sign:
    """Return lactate over all echo times of one voxel: seen at a short one, it has to be confirmed at a long one."""
    long = [(r, s) for r, s in members if r.echo_time_s is not None and r.echo_time_s >= settings.inverted_echo_low_s]
    short = [(r, s) for r, s in members if (r, s) not in long]
    for _, sign in long:
        if sign.answer is Answer.PRESENT:
            seen = any(s.answer is Answer.PRESENT for _, s in short)
            more = "at short and long echo time" if seen else "with the phase that coupling gives at the long echo time"
            return Sign(Answer.PRESENT, f"{sign.reason}; verified: {more}", sign.value, sign.uncertainty, sign.unit,
                        sign.threshold, sign.source)  # fmt: skip
    denied = any(sign.answer is Answer.ABSENT for _, sign in long)
    first = merge_signs([sign for _, sign in short] or [sign for _, sign in long])
    if first.answer is Answer.PRESENT:
        if denied:
            why = f"{first.reason} at the short echo time, but not at the long one"
            return Sign(Answer.NOT_ASSESSABLE, why, first.value, first.uncertainty, first.unit)
        why = f"{first.reason}; not verified at a long echo time"
        return Sign(Answer.PRESENT, why, first.value, first.uncertainty, first.unit, first.threshold, first.source)
    return first
