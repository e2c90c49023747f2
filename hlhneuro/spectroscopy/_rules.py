"""The rules of the data file, and the three-valued logic that applies them."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from hlhneuro.answers import Answer

__all__ = ["Rule", "apply", "rules"]


@dataclass(frozen=True)
class Rule:
    """One pattern: which signs have to be present, at least one of which, and which absent."""

    code: str
    label: str
    means: str
    evidence: str
    all_of: tuple[str, ...]
    any_of: tuple[str, ...]
    none_of: tuple[str, ...]
    strong_with: tuple[str, ...]


@cache
def rules() -> tuple[Rule, ...]:
    """Return the patterns of ``patterns.toml``, in its order."""
    data = tomllib.loads(files("hlhneuro.spectroscopy").joinpath("patterns.toml").read_text(encoding="utf-8"))

    def names(entry: Mapping[str, Any], key: str) -> tuple[str, ...]:
        return tuple(entry.get(key, ()))

    return tuple(
        Rule(
            code=p["code"],
            label=p["label"],
            means=p["means"],
            evidence=f"{data['source']}; {p['evidence']}",
            all_of=names(p, "all_of"),
            any_of=names(p, "any_of"),
            none_of=names(p, "none_of"),
            strong_with=names(p, "strong_with"),
        )
        for p in data["patterns"]
    )


def apply(rule: Rule, answers: Mapping[str, Answer]) -> tuple[Answer, tuple[str, ...]]:
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
