"""Lactate and the lipid that shares its place: in one spectrum, and over all echo times of a voxel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from hlhneuro.answers import Answer
from hlhneuro.settings import PatternSettings
from hlhneuro.spectroscopy._bacteria import AMINO_ACIDS
from hlhneuro.spectroscopy._signs import EXPERT, RATIO_UNIT, WATER_UNITS, Sign, amount_of, merge_signs, seen
from hlhneuro.spectroscopy.detection import Evidence, JointEvidence, joint_evidence
from hlhneuro.spectroscopy.results import SpectrumResult

__all__ = ["Verdict", "bacteria_signs", "evidence_of", "judge_voxel", "lactate_sign", "lipid_sign"]

_LACTATE_SOURCE = "Lunsing 2017, Eur Radiol: Lac/Cr 0.22"
_UNKNOWN = (0.0, np.inf)


def lactate_sign(result: SpectrumResult, settings: PatternSettings) -> Sign:
    """Answer whether lactate is raised in one spectrum.

    References
    ----------
    Lange T et al. Pitfalls in lactate measurements at 3T. AJNR 2006;27:895.
    """
    evidence = evidence_of(result, "Lac")
    least_sd = evidence.standard_deviation if evidence is not None else 0.0
    sign = seen(result, "Lac", "lactate", settings.lactate_ratio, _LACTATE_SOURCE, least_sd)
    if evidence is not None and sign.answer is not Answer.PRESENT and evidence.evidence_sd < -settings.lactate_sd:
        sign = replace(sign, reason=f"{sign.reason}; a signal in its place has the opposite phase")
    if sign.answer is Answer.ABSENT and _may_cancel(result, settings):
        return replace(
            sign,
            answer=Answer.NOT_ASSESSABLE,
            reason="lactate not excluded: with PRESS at this field and echo time its inverted doublet can cancel; "
            "TE 288 ms, a short echo time or semi-LASER would tell",
        )
    return sign


def lipid_sign(result: SpectrumResult, settings: PatternSettings) -> Sign:
    """Answer whether mobile lipids at 1.3 ppm are present in one spectrum."""
    sign = seen(result, "Lip13", "lipid at 1.3 ppm", settings.lipid_ratio, EXPERT)
    if sign.answer is Answer.ABSENT and result.echo_time_s is not None and result.echo_time_s > settings.lipid_echo_s:
        why = f"at TE {result.echo_time_s * 1e3:.0f} ms lipid has decayed: a short echo time would tell"
        return replace(sign, answer=Answer.NOT_ASSESSABLE, reason=why)
    return sign


def evidence_of(result: SpectrumResult, name: str) -> Evidence | None:
    """Return the likelihood ratio that the fit recorded; from its bound where it recorded none; None without a fit."""
    for step, facts in _record(result):
        if step == "detection" and facts.get("metabolite") == name:
            return Evidence.from_record(facts)
    amount = amount_of(result, name)
    if amount is None or not amount.sd > 0:
        return None
    return Evidence(name, amount.value, amount.sd, amount.value / amount.sd)


def bacteria_signs(result: SpectrumResult, settings: PatternSettings) -> dict[str, Sign]:
    """Answer whether products of bacteria are there, which are looked for where lactate is stronger than NAA."""
    looked = next((facts for step, facts in _record(result) if step == "products of bacteria"), None)
    return {
        "acetate_succinate": _product(result, ("Ace", "Suc"), "acetate and succinate", looked, settings),
        "amino_acids": _product(result, (AMINO_ACIDS,), "amino acids", looked, settings),
    }


def _product(
    result: SpectrumResult,
    names: tuple[str, ...],
    words: str,
    looked: Mapping[str, object] | None,
    settings: PatternSettings,
) -> Sign:
    found = [e for step, facts in _record(result) if step == "detection" and facts.get("metabolite") in names
             for e in (Evidence.from_record(facts),)]  # fmt: skip
    if found:
        best = max(found, key=lambda each: each.evidence_sd)
        there = best.evidence_sd >= settings.lactate_sd
        more = "told from noise" if there else "not told from noise, which does not exclude an abscess"
        return Sign(
            Answer.PRESENT if there else Answer.ABSENT,
            f"{best.metabolite} with evidence of {best.evidence_sd:.1f} sd: {more}",
            best.evidence_sd,
            unit="sd",
            threshold=settings.lactate_sd,
            source=EXPERT,
        )
    if looked is None:
        return Sign(Answer.ABSENT, f"{words} not looked for: lactate is not stronger than NAA")
    if looked["looked_for"]:
        return Sign(Answer.NOT_ASSESSABLE, f"{words} are told by their inversion at an echo time of 136 to 144 ms")
    return Sign(Answer.NOT_ASSESSABLE, str(looked["why"]))


def _record(result: SpectrumResult) -> tuple[tuple[str, Mapping[str, Any]], ...]:
    return result.fit.record if result.fit is not None else ()


def _may_cancel(result: SpectrumResult, settings: PatternSettings) -> bool:
    """Tell whether refocusing pulses of unknown bandwidth may have taken lactate's doublet away.

    Where the basis knows their bandwidth, the doublet it expects is as small as the one that is measured.
    """
    if any("refocusing bandwidth" in str(facts.get("source")) for step, facts in _record(result) if step == "basis"):
        return False
    echo, field = result.echo_time_s, result.field_t
    inverted = echo is not None and settings.inverted_echo_low_s <= echo <= settings.inverted_echo_high_s
    strong = field is None or field >= settings.cancellation_field_t
    return inverted and strong and result.sequence in ("press", None)


# --------------------------------------------------------------------------------------------- all echo times


@dataclass(frozen=True)
class Verdict:
    """What all spectra of one voxel and session say about 1.3 ppm.

    Parameters
    ----------
    lactate : Sign
        Is lactate raised?
    lipid : Sign
    verified : Sign
        Is the signal lactate's doublet, with the phase that coupling gives at a long echo time?
    """

    lactate: Sign
    lipid: Sign
    verified: Sign


def judge_voxel(members: Sequence[tuple[SpectrumResult, Sign, Sign]], settings: PatternSettings) -> Verdict:
    """Join the spectra of one voxel in one session.

    Parameters
    ----------
    members : sequence of (SpectrumResult, Sign, Sign)
        In order of echo time, with the spectrum's own signs of lactate and of lipid.
    """
    lipid = merge_signs([fat for _, _, fat in members])
    known = [(r, e) for r, _, _ in members if r.echo_time_s is not None and (e := evidence_of(r, "Lac")) is not None]
    long = [(r, e) for r, e in known if (r.echo_time_s or 0.0) >= settings.inverted_echo_low_s]
    own = merge_signs([sign for _, sign, _ in members])
    if not long:
        why = "no spectrum at a long echo time, where lactate's doublet has turned over or back and lipid has decayed"
        unverified = replace(own, reason=f"{own.reason}; not verified at a long echo time")
        return Verdict(unverified if own.answer is Answer.PRESENT else own, lipid, Sign(Answer.NOT_ASSESSABLE, why))
    joint = _join(known, settings)
    best = max(evidence.evidence_sd for _, evidence in long)
    there = joint.evidence_sd >= settings.lactate_sd
    numbers = f"evidence over all echo times {joint.evidence_sd:.1f} sd, at the long ones {best:.1f} sd"
    if there and best >= settings.lactate_long_sd and joint.misfit_sd <= settings.lactate_misfit_sd:
        both = " with lipid" if lipid.answer is Answer.PRESENT else ""
        sized = _sized(own, members, numbers, single=len(known) == 1)
        size = ", below the size that matters" if sized.answer is Answer.ABSENT else ""
        verified = Sign(Answer.PRESENT, f"verified lactate{both}{size}: {numbers}", joint.evidence_sd, unit="sd",
                        threshold=settings.lactate_sd, source=EXPERT)  # fmt: skip
        return Verdict(sized, lipid, verified)
    lost = any(_may_cancel(r, settings) for r, _ in long)
    if there or own.answer is Answer.PRESENT:
        hint = ", where its doublet may cancel" if lost else ""
        why = f"a signal like lactate at one echo time, not confirmed at the other{hint}: {numbers}"
        doubt = replace(own, answer=Answer.NOT_ASSESSABLE, reason=why)
        # What is below the size that matters is so whatever it is.
        return Verdict(own if own.answer is Answer.ABSENT else doubt, lipid, doubt)
    if own.answer is Answer.ABSENT:
        what = "lipid only" if lipid.answer is Answer.PRESENT else "no lactate"
        return Verdict(own, lipid, Sign(Answer.ABSENT, f"{what}: {numbers}", joint.evidence_sd, unit="sd",
                                        threshold=settings.lactate_sd, source=EXPERT))  # fmt: skip
    return Verdict(own, lipid, Sign(Answer.NOT_ASSESSABLE, f"{own.reason}; {numbers}"))


def _sized(own: Sign, members: Sequence[tuple[SpectrumResult, Sign, Sign]], numbers: str, *, single: bool) -> Sign:
    """Return whether lactate that is there is raised: its size is read where a spectrum can tell it."""
    how = "with the phase that coupling gives at the long echo time" if single else "at short and long echo time"
    told = next((s for _, s, _ in members if s.answer is Answer.PRESENT), own)
    if told.answer is not Answer.PRESENT and told.unit == RATIO_UNIT and told.threshold is not None:
        value, sd = told.value or 0.0, told.uncertainty or 0.0
        if value + sd < told.threshold:
            why = f"{told.reason}; verified {how}, below the size that matters"
            return replace(told, answer=Answer.ABSENT, reason=why)
        if value < told.threshold:
            return replace(told, answer=Answer.NOT_ASSESSABLE, reason=f"{told.reason}; verified: {how} ({numbers})")
    return replace(told, answer=Answer.PRESENT, reason=f"{told.reason}; verified: {how} ({numbers})")


def _join(known: Sequence[tuple[SpectrumResult, Evidence]], settings: PatternSettings) -> JointEvidence:
    scales = [_scale(result) for result, _ in known]
    units = {unit for _, unit in scales}
    if units == {"ratio"} or (len(units) == 1 and units <= set(WATER_UNITS)):
        spectra = [evidence.scaled(factor) for (_, evidence), (factor, _) in zip(known, scales, strict=True)]
        parts = [_visible(result, known[0][0], settings) for result, _ in known]
    else:  # without a common unit only the signs are known
        spectra, parts = [evidence for _, evidence in known], [_UNKNOWN] * len(known)
    low, high = parts[0]
    unknown = [_UNKNOWN] * (len(known) - 1)
    visible = unknown if _UNKNOWN in parts else [(a / high, b / low) for a, b in parts[1:]]
    return joint_evidence(spectra, [(1.0, 1.0), *visible])


def _scale(result: SpectrumResult) -> tuple[float, str]:
    """Return by what to multiply amounts so that echo times of a session can be compared, and the unit that gives."""
    amount = amount_of(result, "Lac")
    if amount is not None and amount.unit in WATER_UNITS:
        return 1.0, amount.unit
    creatine = amount_of(result, "tCr")
    if creatine is not None and creatine.detected and creatine.value > 0:
        return 1.0 / creatine.value, "ratio"
    return 1.0, ""


def _visible(result: SpectrumResult, first: SpectrumResult, settings: PatternSettings) -> tuple[float, float]:
    """Return the least and the greatest part of lactate's amount that may show at this echo time."""
    if result.echo_time_s is None or first.echo_time_s is None:
        return _UNKNOWN
    apart = float(np.exp(settings.lactate_relaxation_per_s * (result.echo_time_s - first.echo_time_s)))
    return (settings.cancellation_left if _may_cancel(result, settings) else 1.0) / apart, apart
