"""Single signs in a fitted spectrum: each present, absent or not assessable, with the numbers it rests on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from hlhneuro.answers import Answer
from hlhneuro.settings import PatternSettings
from hlhneuro.spectroscopy.norms import Norm
from hlhneuro.spectroscopy.results import SpectrumResult

__all__ = [
    "EXPERT",
    "LEVELS",
    "RATIO_UNIT",
    "WATER_UNITS",
    "Amount",
    "Reference",
    "Sign",
    "amount_of",
    "level_signs",
    "merge_signs",
    "relative",
    "seen",
    "usable",
]

EXPERT = "expert-set, not validated in HLH"
WATER_UNITS = ("mmol/kg", "mM", "i.u.")
RATIO_UNIT = "ratio to tCr"


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
class Amount:
    """One row of a fit's table; `scale_sd` is the part of `sd` that comes from the water reference."""

    value: float
    sd: float
    scale_sd: float
    ratio: float
    ratio_sd: float
    unit: str
    detected: bool


@dataclass(frozen=True)
class Reference:
    """What a spectrum is compared with: another spectrum, or (`norm`) published ratios to creatine by metabolite."""

    words: str
    result: SpectrumResult | None = None
    norm: Mapping[str, Norm] = field(default_factory=dict)


def usable(result: SpectrumResult) -> str | None:
    """Return why a spectrum cannot be used, or None if it can."""
    if result.fit is None:
        return result.reason or "the spectrum could not be fitted"
    if result.fit.quality.get("verdict") == "not usable":
        reasons = result.fit.quality.get("reasons", ())
        return "; ".join(str(r) for r in reasons) if isinstance(reasons, list | tuple) else str(reasons)
    return None


def amount_of(result: SpectrumResult, name: str) -> Amount | None:
    """Return the row of a metabolite or sum, or None where the fit has none."""
    if result.fit is None:
        return None
    table = result.fit.concentrations
    rows = table[table["metabolite"] == name]
    if rows.empty:
        return None
    row = rows.iloc[0]
    scale_sd = float(row.get("scale_sd", 0.0))
    return Amount(
        float(row["concentration"]),
        float(row["sd"]),
        scale_sd if np.isfinite(scale_sd) else 0.0,
        float(row["ratio_to_tcr"]),
        float(row["ratio_sd"]),
        str(row["unit"]),
        bool(row["detected"]),
    )


def seen(
    result: SpectrumResult, name: str, words: str, relevant_ratio: float, source: str, least_sd: float = 0.0
) -> Sign:
    """Answer whether a signal is there that a healthy spectrum lacks.

    Absent means: one of the size that matters would have been seen. `least_sd` (in the unit of the fit) is what other
    signals in its place leave open.
    """
    amount = amount_of(result, name)
    if amount is None:
        return Sign(Answer.NOT_ASSESSABLE, f"the basis holds no {words}")
    known = bool(np.isfinite(amount.ratio))
    per = amount.ratio / amount.value if known and amount.value > 0 else _per_creatine(result)
    value, sd = (amount.ratio, max(amount.ratio_sd, least_sd * per)) if known else (amount.value, amount.sd)
    unit = RATIO_UNIT if known else amount.unit
    numbers = f"{words} {value:.2g} ± {sd:.1g} ({unit})"
    if amount.detected:
        # Where creatine is lost there is no ratio; a signal beyond doubt is then present whatever its size.
        if not known or value >= relevant_ratio:
            return Sign(Answer.PRESENT, f"{numbers}: told from noise", value, sd, unit, relevant_ratio, source)
        if value + sd < relevant_ratio:
            why = f"{numbers}: detected, below the size that matters"
            return Sign(Answer.ABSENT, why, value, sd, unit, relevant_ratio, source)
        why = f"{numbers}: detected, but whether it reaches the size that matters is uncertain"
        return Sign(Answer.NOT_ASSESSABLE, why, value, sd, unit, relevant_ratio, source)
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


def _per_creatine(result: SpectrumResult) -> float:
    creatine = amount_of(result, "tCr")
    return 1.0 / creatine.value if creatine is not None and creatine.value > 0 else 0.0


LEVELS = ("naa_reduced", "tcho_raised", "tcho_reduced", "glx_raised", "cho_naa_raised", "all_low")


def level_signs(result: SpectrumResult, reference: Reference | str, settings: PatternSettings) -> dict[str, Sign]:
    """Answer whether NAA, choline, Glx are low or high against the reference."""
    if isinstance(reference, str):
        return {code: Sign(Answer.NOT_ASSESSABLE, f"no reference: {reference}") for code in LEVELS}
    low, high = settings.reduced_ratio, settings.raised_ratio
    return {
        "naa_reduced": _level(result, reference, "tNAA", low, settings, below=True),
        "tcho_raised": _level(result, reference, "tCho", high, settings, below=False),
        "tcho_reduced": _level(result, reference, "tCho", low, settings, below=True),
        "glx_raised": _level(result, reference, "Glx", high, settings, below=False),
        "cho_naa_raised": _choline_over_naa(result, reference, settings),
        "all_low": _all_low(result, reference, settings),
    }


def relative(
    result: SpectrumResult, reference: Reference, name: str, settings: PatternSettings
) -> tuple[float, float, str] | str:
    """Return the amount relative to the reference, its uncertainty and on what scale; or why it is not known.

    Of the uncertainty of the water reference, what both spectra share cancels; what one has more than the other stays.
    Each of two acquisitions of unchanged tissue varies by `PatternSettings.visit_sd` on top of noise.
    """
    own = amount_of(result, name)
    if own is None:
        return f"{name} is not in the fit"
    if reference.result is None:
        norm = reference.norm.get(name)
        if norm is None or not np.isfinite(own.ratio):
            return f"no norm of {name}" if norm is None else f"{name} has no ratio: creatine cannot be told from noise"
        part = own.ratio / norm.mean
        people = norm.sd * np.sqrt(1.0 + 1.0 / norm.n)
        return part, float(np.hypot(own.ratio_sd, part * people) / norm.mean), "ratio to tCr"
    other = amount_of(reference.result, name)
    if other is None:
        return f"{name} is not in both fits"
    excess = 0.0
    if own.unit == other.unit and own.unit in WATER_UNITS:
        a, b, scale = own.value, other.value, "water-referenced"
        sa, sb = (float(np.sqrt(max(each.sd**2 - each.scale_sd**2, 0.0))) for each in (own, other))
        parts = [each.scale_sd / each.value if each.value > 0 else 0.0 for each in (own, other)]
        excess = float(np.sqrt(abs(parts[0] ** 2 - parts[1] ** 2)))
    else:
        a, sa, b, sb, scale = own.ratio, own.ratio_sd, other.ratio, other.ratio_sd, "ratio to tCr"
    if not (np.isfinite(a) and np.isfinite(b)) or b <= 3 * sb:
        return f"{name} of the reference cannot be told from noise"
    ratio = a / b
    apart = np.hypot(excess, np.sqrt(2.0) * settings.visit_sd)
    return ratio, float(np.hypot(np.hypot(sa, ratio * sb) / b, ratio * apart)), scale


def _choline_over_naa(result: SpectrumResult, reference: Reference, settings: PatternSettings) -> Sign:
    """Answer from the quotient of two relative amounts, in which the water reference cancels."""
    choline, naa = (relative(result, reference, name, settings) for name in ("tCho", "tNAA"))
    if isinstance(choline, str) or isinstance(naa, str):
        return Sign(Answer.NOT_ASSESSABLE, choline if isinstance(choline, str) else str(naa))
    limit = settings.choline_naa_ratio
    # Where NAA is lost the quotient has no upper end: the difference choline - limit * NAA has one.
    gap, sd = choline[0] - limit * naa[0], float(np.hypot(choline[1], limit * naa[1]))
    words = f"Cho/NAA {choline[0] / max(naa[0], 1e-3):.2f} of {reference.words}"
    if gap > 2 * sd:
        answer = Answer.PRESENT
    elif gap < -2 * sd or (gap < 0 and sd < (limit - 1.0) / 2):
        answer = Answer.ABSENT
    else:
        answer, words = Answer.NOT_ASSESSABLE, f"{words}: too uncertain"
    return Sign(answer, words, choline[0] / max(naa[0], 1e-3), None, "relative to the reference", limit, EXPERT)


def _level(
    result: SpectrumResult,
    reference: Reference,
    name: str,
    limit: float,
    settings: PatternSettings,
    *,
    below: bool,
) -> Sign:
    known = relative(result, reference, name, settings)
    if isinstance(known, str):
        return Sign(Answer.NOT_ASSESSABLE, known)
    ratio, sd, scale = known
    direction = 1.0 if below else -1.0
    beyond = direction * (limit - ratio)
    changed = direction * (1.0 - ratio) > settings.level_sd * sd
    words = f"{name} {ratio:.2f} ± {sd:.2f} of {reference.words} ({scale})"
    if beyond >= 0 and changed:
        answer = Answer.PRESENT
    elif beyond < 0 and settings.level_absent_sd * sd < max(-beyond, abs(1.0 - limit)):
        answer = Answer.ABSENT
    else:
        answer, words = Answer.NOT_ASSESSABLE, f"{words}: too uncertain"
    return Sign(answer, words, ratio, sd, "relative to the reference", limit, EXPERT)


def _all_low(result: SpectrumResult, reference: Reference, settings: PatternSettings) -> Sign:
    parts = []
    for name in ("tNAA", "tCr", "tCho"):
        known = relative(result, reference, name, settings)
        if isinstance(known, str):
            return Sign(Answer.NOT_ASSESSABLE, known)
        if known[2] != "water-referenced":
            return Sign(
                Answer.NOT_ASSESSABLE,
                "loss of creatine cannot be seen in ratios: a water reference of both spectra would tell",
            )
        parts.append(_level(result, reference, name, settings.all_low_ratio, settings, below=True))
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
