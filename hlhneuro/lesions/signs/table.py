"""What the signs of lesions are kept as: one record per lesion, session and sign, and a tidy table of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import pandas as pd

from hlhneuro.answers import Answer

__all__ = ["QUESTIONS", "SIGN_COLUMNS", "WHOLE", "LesionSigns", "Measure", "Sign", "unanswered"]

WHOLE = 0
"""Lesion number of a sign of the session as a whole."""

QUESTIONS = {
    "contrast_enhancement": "Do lesions take up contrast medium?",
    "leptomeningeal_enhancement": "Do the leptomeninges take up contrast medium?",
    "restricted_diffusion": "Is diffusion restricted within lesions?",
    "raised_diffusion": "Is diffusion raised within lesions?",
    "t1_hypointensity": "Are lesions dark on T1w?",
    "susceptibility": "Are there signs of haemorrhage or calcification?",
    "mass_effect": "Do lesions displace the midline or press on the ventricles?",
    "volume_loss": "Is there fluid where lesions were?",
}
SIGN_COLUMNS = (
    "session", "lesion", "sign", "answer", "kind", "measure", "value", "standard_uncertainty", "unit", "reason",
)  # fmt: skip


@dataclass(frozen=True)
class Measure:
    """One number of a sign.

    Parameters
    ----------
    name : str
    value : float
    sd : float or None
        Standard uncertainty, in the same unit.
    unit : str
        Empty for a ratio or fraction.
    """

    name: str
    value: float
    sd: float | None = None
    unit: str = ""


@dataclass(frozen=True)
class Sign:
    """One sign of one lesion at one session.

    Parameters
    ----------
    lesion : int
        Identity of the lesion (see `LesionChange`), `WHOLE` for the session.
    session : str
    sign : str
        One of `QUESTIONS`.
    answer : Answer
    reason : str
        What it rests on; for *not assessable*, what is missing and what would supply it.
    kind : str
        Form of a sign that is present, for example ``ring``.
    measures : tuple of Measure
        The one that decides comes first.
    """

    lesion: int
    session: str
    sign: str
    answer: Answer
    reason: str
    kind: str = ""
    measures: tuple[Measure, ...] = ()

    def measure(self, name: str) -> Measure | None:
        """Return the measure of that name, or None."""
        return next((one for one in self.measures if one.name == name), None)


@dataclass(frozen=True)
class LesionSigns:
    """Signs of all lesions at all sessions, in order of session, sign and lesion."""

    signs: tuple[Sign, ...] = field(default=())

    def of(self, session: str, sign: str = "", lesion: int | None = None) -> tuple[Sign, ...]:
        """Return the signs of a session, narrowed down to one sign or one lesion."""
        return tuple(
            one
            for one in self.signs
            if one.session == session and sign in ("", one.sign) and lesion in (None, one.lesion)
        )

    def table(self) -> pd.DataFrame:
        """Return one row per lesion, session, sign and measure (one without a measure where there is none)."""
        rows = [
            (s.session, s.lesion, s.sign, s.answer.value, s.kind, m.name, m.value, m.sd, m.unit, s.reason)
            for s in self.signs
            for m in (s.measures or (Measure("", float("nan")),))
        ]
        return pd.DataFrame(rows, columns=list(SIGN_COLUMNS))


def unanswered(lesions: Iterable[int], session: str, sign: str, why: str) -> list[Sign]:
    """Say of each of these lesions that a sign is not assessable."""
    return [Sign(lesion, session, sign, Answer.NOT_ASSESSABLE, why) for lesion in lesions]
