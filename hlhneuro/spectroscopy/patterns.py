"""From fitted spectra to named signs and patterns: three-valued rules over a reference, never a diagnosis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hlhneuro.answers import Answer, Finding
from hlhneuro.settings import PatternSettings
from hlhneuro.spectroscopy._lactate import bacteria_signs, judge_voxel, lactate_sign, lipid_sign
from hlhneuro.spectroscopy._reference import Circumstances, find_reference, is_mirror
from hlhneuro.spectroscopy._rules import apply, rules
from hlhneuro.spectroscopy._serial import course_finding
from hlhneuro.spectroscopy._signs import Sign, level_signs, merge_signs, usable
from hlhneuro.spectroscopy.norms import Norms
from hlhneuro.spectroscopy.results import SpectrumResult

__all__ = ["Circumstances", "assess_spectra", "spectrum_findings"]


def assess_spectra(
    results: Sequence[SpectrumResult],
    settings: PatternSettings,
    circumstances: Mapping[str, Circumstances] | None = None,
    norms: Norms | None = None,
) -> tuple[Finding, ...]:
    """Answer the questions about every spectrum of a subject.

    Parameters
    ----------
    results : sequence of SpectrumResult
        All sessions, in order of time.
    settings : PatternSettings
    circumstances : mapping of str to Circumstances, optional
        By session: age, regions of voxels, confounders.
    norms : Norms, optional
        Without them a spectrum is compared with the patient alone.

    Returns
    -------
    tuple of Finding
        In order of time; the first session with a usable spectrum of the same name is a spectrum's own baseline.
        Between two sessions the course of each voxel.
    """
    sessions: dict[str, list[SpectrumResult]] = {}
    for result in results:
        sessions.setdefault(result.session, []).append(result)
    found: list[Finding] = []
    first: dict[str, SpectrumResult] = {}
    latest: dict[str, SpectrumResult] = {}
    for label, current in sessions.items():
        known = (circumstances or {}).get(label, Circumstances())
        found.extend(spectrum_findings(current, tuple(first.values()) or None, settings, known, norms))
        for result in current:
            if usable(result) is not None:
                continue
            if result.name in latest and not is_mirror(result, settings):
                found.append(course_finding(latest[result.name], result, settings))
            first.setdefault(result.name, result)
            latest[result.name] = result
    return tuple(found)


def spectrum_findings(
    results: Sequence[SpectrumResult],
    baseline: Sequence[SpectrumResult] | None,
    settings: PatternSettings,
    circumstances: Circumstances = Circumstances(),  # noqa: B008  (frozen)
    norms: Norms | None = None,
) -> tuple[Finding, ...]:
    """Answer the questions about the spectra of one session.

    Parameters
    ----------
    results : sequence of SpectrumResult
        One session; a mirror voxel is known by the end of its ``voi`` label (`PatternSettings.mirror_suffixes`).
    baseline : sequence of SpectrumResult, optional
        The patient's own earlier spectra, at most one of each name; None in the first session.
    settings : PatternSettings
    circumstances : Circumstances
    norms : Norms, optional

    Returns
    -------
    tuple of Finding
        Per spectrum its quality and signs, then per voxel the patterns.
    """
    found: list[Finding] = []
    by_place: dict[str, list[tuple[SpectrumResult, dict[str, Sign]]]] = {}
    spoilt: dict[str, tuple[SpectrumResult, str]] = {}
    for result in results:
        problem = usable(result)
        found.append(_quality(result, problem))
        if problem is not None:
            found.extend(_sign_finding(result, code, Sign(Answer.NOT_ASSESSABLE, problem)) for code in _LABELS)
            if not is_mirror(result, settings):
                spoilt.setdefault(result.place, (result, problem))
        elif not is_mirror(result, settings):
            reference = find_reference(result, results, baseline or (), circumstances, norms, settings)
            signs = {
                "lactate": lactate_sign(result, settings),
                "lipid": lipid_sign(result, settings),
                **level_signs(result, reference, settings),
                **bacteria_signs(result, settings),
            }
            found.extend(_sign_finding(result, code, sign) for code, sign in signs.items())
            by_place.setdefault(result.place, []).append((result, signs))
    for place, members in by_place.items():
        found.extend(_patterns(place, members, circumstances, settings))
    for place, (result, problem) in spoilt.items():
        if place not in by_place:
            found.extend(_unjudged(place, result.session, problem))
    return tuple(found)


# ---------------------------------------------------------------------------------------------------- findings

_LABELS = {
    "lactate": "Is lactate raised?",
    "lipid": "Are mobile lipids (1.3 ppm) present?",
    "naa_reduced": "Is NAA reduced?",
    "tcho_raised": "Is choline raised?",
    "tcho_reduced": "Is choline reduced?",
    "glx_raised": "Is glutamate plus glutamine raised?",
    "cho_naa_raised": "Is choline over NAA raised?",
    "all_low": "Are NAA, creatine and choline all low?",
    "acetate_succinate": "Are acetate or succinate present?",
    "amino_acids": "Are amino acids at 0.9 ppm present?",
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
    place: str,
    members: Sequence[tuple[SpectrumResult, Mapping[str, Sign]]],
    circumstances: Circumstances,
    settings: PatternSettings,
) -> list[Finding]:
    """Apply the rules to the merged signs of one voxel's spectra."""
    ordered = sorted(members, key=lambda m: (m[0].echo_time_s is None, m[0].echo_time_s or 0.0))
    signs = {code: merge_signs([m[1][code] for m in ordered]) for code in _LABELS}
    verdict = judge_voxel([(m[0], m[1]["lactate"], m[1]["lipid"]) for m in ordered], settings)
    signs |= {"lactate": verdict.lactate, "lipid": verdict.lipid}
    session = ordered[0][0].session
    found = [_verified(place, session, verdict.verified)]
    for rule in rules():
        answer, deciding = apply(rule, {code: sign.answer for code, sign in signs.items()})
        told = "; ".join(
            f"{_LABELS[code].rstrip('?')}: {signs[code].answer} ({signs[code].reason})" for code in deciding
        )
        if answer is Answer.PRESENT:
            strong = rule.strong_with and all(signs[c].answer is Answer.PRESENT for c in rule.strong_with)
            grade = (
                " (strong: all supporting signs)" if strong else " (weak: one supporting sign)" * bool(rule.strong_with)
            )
            beside = "; ".join(circumstances.confounders) if rule.code != "pattern_normal" else ""
            reason = f"{rule.means}{grade}. {told}" + (f". Confounders on the time line: {beside}" if beside else "")
        else:
            reason = told or "none of the signs that would decide it"
        found.append(_pattern_finding(rule.code, rule.label, answer, reason, session, place, rule.evidence))
    return found


def _unjudged(place: str, session: str, problem: str) -> list[Finding]:
    """Say of every pattern that no spectrum of the voxel can be used."""
    unknown = Sign(Answer.NOT_ASSESSABLE, problem)
    return [
        _verified(place, session, unknown),
        *(_pattern_finding(r.code, r.label, unknown.answer, problem, session, place, r.evidence) for r in rules()),
    ]


def _pattern_finding(
    code: str, label: str, answer: Answer, reason: str, session: str, place: str, source: str
) -> Finding:
    return Finding(
        code=code,
        label=label,
        answer=answer,
        reason=reason,
        scope="session",
        sessions=(session,),
        subject_of=place,
        threshold_source=source,
    )


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
