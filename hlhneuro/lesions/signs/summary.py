"""What the signs of single lesions make of a session: one finding for each question."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import fields

from hlhneuro.answers import Answer, Finding
from hlhneuro.lesions.signs.table import QUESTIONS, WHOLE, LesionSigns, Measure, Sign
from hlhneuro.settings import SignSettings

__all__ = ["sign_findings"]

REMARKS = {
    "restricted_diffusion": "days since intrathecal methotrexate bear on what it means",
    "raised_diffusion": "lesions of haemophagocytic lymphohistiocytosis show either direction",
    "susceptibility": "the magnitude does not tell blood from calcium; a phase image, susceptibility map or CT would",
}
# The setting that says what counts, of the session (compared with the value of the finding) or of each lesion.
SESSION_LIMITS = {"mass_effect": "midline_mm", "leptomeningeal_enhancement": "sulcal_present"}
LESION_LIMITS = {
    "contrast_enhancement": "enhancing_fraction",
    "restricted_diffusion": "restricted_fraction",
    "raised_diffusion": "raised_fraction",
    "t1_hypointensity": "hypointense_fraction",
    "susceptibility": "dark_fraction",
    "volume_loss": "loss_fraction",
}
NAMED = 12  # lesions that a sentence names


def sign_findings(signs: LesionSigns | None, session: str, settings: SignSettings | None = None) -> Iterator[Finding]:
    """Answer every question about signs for one session.

    Present if it is in any lesion (or of the session as a whole); absent if it is in none that could be assessed.
    """
    settings = settings or SignSettings()
    for code, label in QUESTIONS.items():
        found = signs.of(session, code) if signs is not None else ()
        if signs is None:
            answer, reason, value = Answer.NOT_ASSESSABLE, "the signs of the lesions were not measured", None
        elif not found:
            answer, reason, value = _nothing(code)
        else:
            answer, reason, value = _summed(code, found)
        limit, source = (None, "") if answer is Answer.NOT_ASSESSABLE else _limit(code, settings, value)
        yield Finding(
            code,
            label,
            answer,
            reason,
            "session",
            (session,),
            value=value.value if value else None,
            standard_uncertainty=value.sd if value else None,
            unit=value.unit if value else "",
            threshold=limit,
            threshold_source=source,
        )


def _limit(code: str, settings: SignSettings, value: Measure | None) -> tuple[float | None, str]:
    """Return what the value was compared with, if it was, and in words what counts and why."""
    name = SESSION_LIMITS.get(code) or LESION_LIMITS[code]
    limit = float(getattr(settings, name))
    source = next(str(field.metadata["source"]) for field in fields(settings) if field.name == name)
    if code in SESSION_LIMITS:
        return (limit if value else None), source
    return None, f"{100 * limit:g} % of a lesion, and more than chance shows ({source})"


def _nothing(code: str) -> tuple[Answer, str, Measure | None]:
    if code == "volume_loss":
        why = "no lesion has left a place that it held at an earlier session; a later session may supply it"
        return Answer.NOT_ASSESSABLE, why, None
    return Answer.NOT_ASSESSABLE, "nothing was measured", None


def _summed(code: str, found: Sequence[Sign]) -> tuple[Answer, str, Measure | None]:
    whole = [sign for sign in found if sign.lesion == WHOLE]
    lesions = [sign for sign in found if sign.lesion != WHOLE]
    by_answer = {answer: [sign for sign in lesions if sign.answer is answer] for answer in Answer}
    present, open_ = by_answer[Answer.PRESENT], by_answer[Answer.NOT_ASSESSABLE]
    judged = [sign for sign in found if sign.answer is not Answer.NOT_ASSESSABLE]
    if not judged:
        reasons = list(dict.fromkeys(sign.reason for sign in found))
        return Answer.NOT_ASSESSABLE, "; ".join(reasons[:2]), next(iter(_measures(whole)), None)
    parts = [sign.reason for sign in whole]
    if lesions:
        named = ", ".join(f"{s.lesion} ({s.kind})" if s.kind else str(s.lesion) for s in present[:NAMED])
        more = f" and {len(present) - NAMED} more" if len(present) > NAMED else ""
        parts.append(f"in {len(present)} of {len(lesions)} lesions{f': {named}{more}' if present else ''}")
    if open_:
        parts.append(f"{len(open_)} not assessable ({open_[0].reason})")
    if any(sign.answer is Answer.PRESENT for sign in found):
        parts += [REMARKS[code]] if code in REMARKS else []
        return Answer.PRESENT, "; ".join(parts), _total(whole, present)
    return Answer.ABSENT, "; ".join(parts), _total(whole, present)


def _measures(signs: Sequence[Sign]) -> list[Measure]:
    return [sign.measures[0] for sign in signs if sign.measures]


def _total(whole: Sequence[Sign], present: Sequence[Sign]) -> Measure | None:
    """Return the session's own measure, or the volume that shows the sign over all lesions that have it."""
    own = _measures(whole)
    if own:
        return own[0]
    volumes = [one for sign in present for one in sign.measures if one.unit == "ml"]
    if not volumes:
        return None
    sd = math.sqrt(math.fsum((one.sd or 0.0) ** 2 for one in volumes))
    return Measure("volume_ml", math.fsum(one.value for one in volumes), sd, "ml")
