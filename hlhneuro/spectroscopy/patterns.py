"""From fitted spectra to named signs and patterns: three-valued rules over a reference, never a diagnosis."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from hlhneuro.answers import Answer, Finding
from hlhneuro.settings import PatternSettings
from hlhneuro.spectroscopy._lactate import judge_voxel, lactate_sign, lipid_sign
from hlhneuro.spectroscopy._signs import EXPERT, Reference, Sign, level_signs, merge_signs, usable
from hlhneuro.spectroscopy.results import SpectrumResult

__all__ = ["assess_spectra", "spectrum_findings"]


@dataclass(frozen=True)
class _Rule:
    code: str
    label: str
    means: str
    all_of: tuple[str, ...]
    any_of: tuple[str, ...]
    none_of: tuple[str, ...]
    strong_with: tuple[str, ...]


@cache
def _rules() -> tuple[_Rule, ...]:
    data = tomllib.loads(files("hlhneuro.spectroscopy").joinpath("patterns.toml").read_text(encoding="utf-8"))

    def names(entry: Mapping[str, Any], key: str) -> tuple[str, ...]:
        return tuple(entry.get(key, ()))

    return tuple(
        _Rule(p["code"], p["label"], p["means"], *(names(p, k) for k in ("all_of", "any_of", "none_of", "strong_with")))
        for p in data["patterns"]
    )


def assess_spectra(results: Sequence[SpectrumResult], settings: PatternSettings) -> tuple[Finding, ...]:
    """Answer the questions about every spectrum of a subject.

    Parameters
    ----------
    results : sequence of SpectrumResult
        All sessions, in order of time.
    settings : PatternSettings

    Returns
    -------
    tuple of Finding
        In order of time; the first session with a usable spectrum of the same name is a spectrum's own baseline.
    """
    sessions: dict[str, list[SpectrumResult]] = {}
    for result in results:
        sessions.setdefault(result.session, []).append(result)
    found: list[Finding] = []
    earlier: dict[str, SpectrumResult] = {}
    for current in sessions.values():
        found.extend(spectrum_findings(current, tuple(earlier.values()) or None, settings))
        for result in current:
            if usable(result) is None:
                earlier.setdefault(result.name, result)
    return tuple(found)


def spectrum_findings(
    results: Sequence[SpectrumResult], baseline: Sequence[SpectrumResult] | None, settings: PatternSettings
) -> tuple[Finding, ...]:
    """Answer the questions about the spectra of one session.

    Parameters
    ----------
    results : sequence of SpectrumResult
        One session; a mirror voxel is known by the end of its ``voi`` label (`PatternSettings.mirror_suffixes`).
    baseline : sequence of SpectrumResult, optional
        The patient's own earlier spectra, at most one of each name; None in the first session.
    settings : PatternSettings

    Returns
    -------
    tuple of Finding
        Per spectrum its quality and signs, then per voxel the patterns.
    """
    found: list[Finding] = []
    by_place: dict[str, list[tuple[SpectrumResult, dict[str, Sign]]]] = {}
    for result in results:
        problem = usable(result)
        found.append(_quality(result, problem))
        if problem is not None or _is_mirror(result, settings):
            if problem is not None:
                found.extend(_blank(result, problem))
            continue
        reference = _reference(result, results, baseline or (), settings)
        signs = {
            "lactate": lactate_sign(result, settings),
            "lipid": lipid_sign(result, settings),
            **level_signs(result, reference, settings),
        }
        found.extend(_sign_finding(result, code, sign) for code, sign in signs.items())
        by_place.setdefault(_place(result), []).append((result, signs))
    for place, members in by_place.items():
        found.extend(_patterns(place, members, settings))
    return tuple(found)


# -------------------------------------------------------------------------------------------------- references


def _place(result: SpectrumResult) -> str:
    """Return the voxel of a spectrum: its name without what only tells acquisitions apart."""
    parts = [part for part in result.name.split("_") if not part.startswith(("acq-", "run-"))]
    return "_".join(parts) or "svs"


def _voi(result: SpectrumResult) -> str:
    return next((p[4:] for p in result.name.split("_") if p.startswith("voi-")), "")


def _is_mirror(result: SpectrumResult, settings: PatternSettings) -> bool:
    return _voi(result).lower().endswith(settings.mirror_suffixes)


def _reference(
    result: SpectrumResult,
    session: Iterable[SpectrumResult],
    baseline: Iterable[SpectrumResult],
    settings: PatternSettings,
) -> Reference | str:
    """Return the mirror voxel, else the patient's own baseline, else why there is none."""
    reasons = []
    for other in session:
        voi = _voi(other).lower()
        stem = next((voi.removesuffix(s) for s in settings.mirror_suffixes if voi.endswith(s)), None)
        if stem is None or stem != _voi(result).lower() or not _alike(result, other, settings):
            continue
        lesion = other.voxel.lesion if other.voxel is not None else None
        if usable(other) is not None:
            reasons.append(f"the mirror voxel is not usable: {usable(other)}")
        elif lesion is not None and lesion > settings.mirror_lesion_fraction:
            reasons.append(f"{lesion:.0%} of the mirror voxel is lesion")
        else:
            return Reference(other, "the mirror voxel of the same session")
    for other in baseline:
        if other.name == result.name and usable(other) is None and _alike(result, other, settings):
            return Reference(other, f"the patient's own session {other.session}, which may itself have been abnormal")
    reasons.append(
        "no mirror voxel, no earlier spectrum of this voxel, and no norm that fits age, region and echo time"
    )
    return "; ".join(reasons)


def _alike(first: SpectrumResult, second: SpectrumResult, settings: PatternSettings) -> bool:
    if first.echo_time_s is None or second.echo_time_s is None:
        return first.echo_time_s is second.echo_time_s
    return abs(first.echo_time_s - second.echo_time_s) <= settings.echo_time_match_s


# ---------------------------------------------------------------------------------------------------- findings

_LABELS = {
    "lactate": "Is lactate raised?",
    "lipid": "Are mobile lipids (1.3 ppm) present?",
    "naa_reduced": "Is NAA reduced?",
    "tcho_raised": "Is choline raised?",
    "tcho_reduced": "Is choline reduced?",
    "glx_raised": "Is glutamate plus glutamine raised?",
    "all_low": "Are NAA, creatine and choline all low?",
}


def _sign_finding(result: SpectrumResult, code: str, sign: Sign) -> Finding:
    return Finding(
        code=code,
        label=_LABELS[code],
        answer=sign.answer,
        reason=sign.reason,
        scope="spectrum",
        sessions=(result.session,),
        subject_of=result.name,
        value=sign.value,
        standard_uncertainty=sign.uncertainty,
        unit=sign.unit,
        threshold=sign.threshold,
        threshold_source=sign.source,
    )


def _blank(result: SpectrumResult, why: str) -> list[Finding]:
    return [_sign_finding(result, code, Sign(Answer.NOT_ASSESSABLE, why)) for code in _LABELS]


def _quality(result: SpectrumResult, problem: str | None) -> Finding:
    reasons = result.fit.quality.get("reasons", ()) if result.fit is not None else ()
    words = "; ".join(str(r) for r in reasons) if isinstance(reasons, list | tuple) else str(reasons)
    snr = result.fit.quality.get("snr") if result.fit is not None else None
    return Finding(
        code="spectrum_quality",
        label="Can the spectrum be used?",
        answer=Answer.PRESENT if problem is None else Answer.ABSENT,
        reason=problem or words or "signal, linewidth and fit are within the limits",
        scope="spectrum",
        sessions=(result.session,),
        subject_of=result.name,
        value=float(snr) if isinstance(snr, int | float) else None,
        unit="signal-to-noise ratio" if snr is not None else "",
    )


def _patterns(
    place: str, members: Sequence[tuple[SpectrumResult, Mapping[str, Sign]]], settings: PatternSettings
) -> list[Finding]:
    """Apply the rules to the merged signs of one voxel's spectra."""
    ordered = sorted(members, key=lambda m: (m[0].echo_time_s is None, m[0].echo_time_s or 0.0))
    signs = {code: merge_signs([m[1][code] for m in ordered]) for code in _LABELS}
    verdict = judge_voxel([(m[0], m[1]["lactate"], m[1]["lipid"]) for m in ordered], settings)
    signs |= {"lactate": verdict.lactate, "lipid": verdict.lipid}
    session = ordered[0][0].session
    found = [_verified(place, session, verdict.verified)]
    for rule in _rules():
        answer, deciding = _apply(rule, {code: sign.answer for code, sign in signs.items()})
        told = "; ".join(
            f"{_LABELS[code].rstrip('?')}: {signs[code].answer} ({signs[code].reason})" for code in deciding
        )
        if answer is Answer.PRESENT:
            strong = rule.strong_with and all(signs[c].answer is Answer.PRESENT for c in rule.strong_with)
            grade = (
                " (strong: all supporting signs)" if strong else " (weak: one supporting sign)" * bool(rule.strong_with)
            )
            reason = f"{rule.means}{grade}. {told}"
        else:
            reason = told or "none of the signs that would decide it"
        found.append(
            Finding(
                code=rule.code,
                label=rule.label,
                answer=answer,
                reason=reason,
                scope="session",
                sessions=(session,),
                subject_of=place,
                threshold_source=EXPERT,
            )
        )
    return found


def _verified(place: str, session: str, sign: Sign) -> Finding:
    return Finding(
        code="lactate_verified",
        label="Is the signal at 1.3 ppm verified as lactate?",
        answer=sign.answer,
        reason=sign.reason,
        scope="session",
        sessions=(session,),
        subject_of=place,
        value=sign.value,
        unit=sign.unit,
        threshold=sign.threshold,
        threshold_source=sign.source,
    )


def _apply(rule: _Rule, answers: Mapping[str, Answer]) -> tuple[Answer, tuple[str, ...]]:
    """Return the answer of a rule and the signs that decided it (Kleene's three-valued logic)."""
    parts: list[tuple[Answer, tuple[str, ...]]] = [(answers[code], (code,)) for code in rule.all_of]
    parts += [(_negate(answers[code]), (code,)) for code in rule.none_of]
    if rule.any_of:
        present = tuple(code for code in rule.any_of if answers[code] is Answer.PRESENT)
        unsure = tuple(code for code in rule.any_of if answers[code] is Answer.NOT_ASSESSABLE)
        if present:
            parts.append((Answer.PRESENT, present))
        elif unsure:
            parts.append((Answer.NOT_ASSESSABLE, unsure))
        else:
            parts.append((Answer.ABSENT, rule.any_of))
    for answer in (Answer.ABSENT, Answer.NOT_ASSESSABLE):
        deciding = tuple(code for part, codes in parts if part is answer for code in codes)
        if deciding:
            return answer, deciding
    return Answer.PRESENT, tuple(code for _, codes in parts for code in codes)


def _negate(answer: Answer) -> Answer:
    return {Answer.PRESENT: Answer.ABSENT, Answer.ABSENT: Answer.PRESENT}.get(answer, answer)
