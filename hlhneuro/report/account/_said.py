"""What the sentences of the summary are made of: findings that can be looked up, and the codes a sentence rests on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from hlhneuro.answers import Answer, Finding

__all__ = ["Asked", "Said", "and_no"]


@dataclass(frozen=True)
class Said:
    """One sentence, and the codes of the findings it rests on."""

    text: str
    codes: tuple[str, ...] = ()


class Asked:
    """The findings of a patient, by code and session.

    Parameters
    ----------
    findings : sequence of Finding
    """

    def __init__(self, findings: Sequence[Finding]) -> None:
        self.findings = tuple(findings)

    def about(self, code: str, *sessions: str) -> Finding | None:
        """Return the answer to a question about these sessions (about the patient, if none is named)."""
        return next(
            (one for one in self.findings if one.code == code and (one.sessions == sessions or not sessions)), None
        )

    def of(self, codes: Iterable[str], *sessions: str, answer: Answer | None = None) -> list[Finding]:
        """Return the answers to these questions about these sessions, in the order of the questions."""
        found = (self.about(code, *sessions) for code in codes)
        return [one for one in found if one is not None and answer in (None, one.answer)]


def and_no(words: Sequence[str]) -> str:
    """Return ``no a, no b and no c``."""
    return " and ".join(filter(None, [", ".join(f"no {word}" for word in words[:-1]), f"no {words[-1]}"]))
