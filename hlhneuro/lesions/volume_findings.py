"""Whether brain and ventricles changed in volume, answered for every interval."""

from __future__ import annotations

from collections.abc import Iterator

from hlhneuro.answers import Answer, Finding
from hlhneuro.lesions.volumes import STRUCTURES, StructureChange, VolumeChange, VolumeInterval

__all__ = ["volume_findings"]

QUESTIONS = {
    "brain": ("brain_volume_change", "Has the brain changed in volume beyond growth?"),
    "ventricles": ("ventricle_volume_change", "Have the ventricles changed in volume beyond growth?"),
}
STEROIDS = (
    "steroid-confounded: steroids shrink the brain and widen the ventricles, which recover after them (Okuno 1981, "
    "Merke 2005)"
)
RETEST = "the error of position, noise and field is from synthetic repeats; a real repeat may hold more"


def volume_findings(volumes: VolumeChange | None, sessions: tuple[str, ...]) -> tuple[Finding, ...]:
    """Answer for every interval whether brain and ventricles changed beyond error and growth.

    Where no growth is known for the ages, or they are not known, the raw change is the value and there is no verdict.
    """
    if volumes is None or not volumes.intervals:
        why = "volume change was not measured" if volumes is None else "volume change needs two sessions"
        why += "; needs a 3-D T1w of one protocol and scanner at two sessions"
        return tuple(
            Finding(code, question, Answer.NOT_ASSESSABLE, why, "subject", sessions)
            for code, question in QUESTIONS.values()
        )
    return tuple(finding for interval in volumes.intervals for finding in _interval(interval, volumes))


def _interval(interval: VolumeInterval, volumes: VolumeChange) -> Iterator[Finding]:
    sessions = (interval.before, interval.after)
    for structure in STRUCTURES:
        code, question = QUESTIONS[structure]
        change = interval.change(structure)
        if change is None:
            why = interval.reason or "the ventricles are so small that they are all border: nothing to measure"
            yield Finding(code, question, Answer.NOT_ASSESSABLE, why, "interval", sessions)
            continue
        excess, sd = change.excess_log_change, change.excess_log_change_sd
        remarks = _remarks(interval, structure, volumes)
        raw = _raw(change)
        if excess is None or sd is None:
            why = "growth unknown: no published rate for these ages, or the age is not on record; so no verdict"
            value, error, answer, limit = change.log_change, change.log_change_sd, Answer.NOT_ASSESSABLE, None
        else:
            value, error, limit = excess, sd, volumes.coverage_factor * sd
            answer = Answer.PRESENT if abs(excess) > limit else Answer.ABSENT
            why = (
                f"expected {100 * (change.expected_log_change or 0):+.2f} % ({change.expected_source}), "
                f"excess {100 * excess:+.2f} %" + ("" if answer is Answer.PRESENT else ", within error")
            )
        yield Finding(
            code,
            question,
            answer,
            "; ".join([raw, why, *remarks]),
            "interval",
            sessions,
            value=100 * value,
            standard_uncertainty=100 * error,
            unit="%",
            threshold=None if limit is None else 100 * limit,
            threshold_source=""
            if limit is None
            else f"{volumes.coverage_factor:g} standard uncertainties of the excess",
        )


def _raw(change: StructureChange) -> str:
    return (
        f"measured {100 * change.log_change:+.2f} % (SD {100 * change.log_change_sd:.2f}; logarithmic), "
        f"{change.change_ml:+.1f} ml (SD {change.change_sd_ml:.1f})"
    )


def _remarks(interval: VolumeInterval, structure: str, volumes: VolumeChange) -> list[str]:
    told = []
    if interval.steroids:
        told.append(f"{STEROIDS}: {interval.steroid_reason}")
    elif interval.steroids is None:
        told.append(f"steroids: {interval.steroid_reason}")
    if interval.doubt:
        told.append(interval.doubt)
    if interval.whole and structure in volumes.closing_log_change:
        told.append(f"differs from the sum of the steps by {100 * volumes.closing_log_change[structure]:+.2f} %")
    return [*told, RETEST]
