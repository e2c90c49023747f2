"""Single signs in a fitted spectrum: each present, absent or not assessable, with the numbers it rests on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hlhneuro.answers import Answer
from hlhneuro.settings import PatternSettings
from hlhneuro.spectroscopy.results import SpectrumResult

__all__ = [
    "EXPERT",
    "WATER_UNITS",
    "Amount",
    "Reference",
    "Sign",
    "amount_of",
    "level_signs",
    "merge_signs",
    "seen",
    "usable",
]

EXPERT = "expert-set, not validated in HLH"
WATER_UNITS = ("mmol/kg", "mM", "i.u.")


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
class Amount:
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


def amount_of(result: SpectrumResult, name: str) -> Amount | None:
    if result.fit is None:
        return None
    table = result.fit.concentrations
    rows = table[table["metabolite"] == name]
    if rows.empty:
        return None
    row = rows.iloc[0]
    return Amount(
        float(row["concentration"]),
        float(row["sd"]),
        float(row["ratio_to_tcr"]),
        float(row["ratio_sd"]),
        str(row["unit"]),
        bool(row["detected"]),
    )


def seen(result: SpectrumResult, name: str, words: str, relevant_ratio: float, source: str) -> Sign:
    """Answer whether a signal is there that a healthy spectrum lacks.

    Absent means: one of the size that matters would have been seen.
    """
    amount = amount_of(result, name)
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
    own, other = amount_of(result, name), amount_of(reference.result, name)
    if own is None or other is None:
        return f"{name} is not in both fits"
    if own.unit == other.unit and own.unit in WATER_UNITS:
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
    return Sign(answer, words, ratio, sd, "relative to the reference", limit, EXPERT)


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
    return Sign(answer, words, highest.value, highest.uncertainty, highest.unit, settings.all_low_ratio, EXPERT)


# -------------------------------------------------------------------------------------- several echo times


def merge_signs(signs: Sequence[Sign]) -> Sign:
    """Return the first sign, in order of echo time, that is answered; the first if none is."""
    return next((sign for sign in signs if sign.answer is not Answer.NOT_ASSESSABLE), signs[0])
