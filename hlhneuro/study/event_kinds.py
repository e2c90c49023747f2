"""What the words of treatment tables and of columns of sessions.tsv mean: kinds of events, from a data file."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

__all__ = ["EventKind", "event_kind", "event_kinds", "kind_of"]

# "no dexamethasone" is no steroid, "conditioning before HSCT" no transplantation; "post-HSCT seizure" is a seizure.
_NOT_ITSELF = re.compile(
    r"\b(?:(?:no|not|without|off|stopped|ohne|never)\s+(?:\w+\s+)?"
    r"|(?:pre|before|prior to|after|post|since|until|for|awaiting|planned)[ -]+(?:(?:the|an?)\s+)?)$",
    re.IGNORECASE,
)
_UNKNOWN = re.compile(
    r"\s*(?:unknown|unclear|n\.?k\.?|\?+|not (?:yet )?(?:known|recorded|documented|stated|sure)\b.*|)\s*", re.IGNORECASE
)
_DENIAL = re.compile(r"\s*(?:(?:no|none|not|without|off)\b.*|0(?:\.0*)?|false|n/a)\s*", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True)
class EventKind:
    """What the words of a table may mean; ``event_kinds.toml`` lists them all.

    Parameters
    ----------
    name : str
    group : str
        How the time line shows it: ``steroid, drug, intrathecal, transplant, procedure`` or ``complication``.
    words : pattern
    goes_on : bool
        Whether an event without an end is taken to go on.
    in_detail : bool
        Whether the detail of an event may name it.
    of_day : bool
        Whether a column of ``sessions.tsv`` that names it speaks of the day of the session.
    """

    name: str
    group: str
    words: re.Pattern[str]
    goes_on: bool = False
    in_detail: bool = False
    of_day: bool = True

    def named_in(self, text: str) -> bool:
        """Return whether a text names the kind, and does not deny it."""
        return any(_NOT_ITSELF.search(text[: found.start()]) is None for found in self.words.finditer(text))

    def covers(self, event: str, detail: str = "") -> bool:
        """Return whether an event of these words is of the kind."""
        return self.named_in(event) or (self.in_detail and self.named_in(f"{event} {detail}"))

    def in_covariate(self, column: str, cell: str) -> tuple[str, ...]:
        """Return what a column of ``sessions.tsv`` says of the kind: parts of its cell, or a column not denied."""
        parts = [part.strip() for part in re.split(r"[,;]", cell)]
        if named := tuple(part for part in parts if self.named_in(part)):
            return named
        if self.named_in(column.replace("_", " ")) and not (_DENIAL.fullmatch(cell) or _UNKNOWN.fullmatch(cell)):
            return (f"{column}: {cell.strip()}",)
        return ()

    def denied_in_covariate(self, column: str, cell: str) -> bool:
        """Return whether a column of ``sessions.tsv`` says that there was none of the kind."""
        if not self.named_in(column.replace("_", " ")) or _UNKNOWN.fullmatch(cell):
            return False
        return _DENIAL.fullmatch(cell) is not None


@cache
def event_kinds() -> tuple[EventKind, ...]:
    """Return all kinds, in the order of the data file."""
    text = files("hlhneuro.study").joinpath("event_kinds.toml").read_text(encoding="utf-8")
    return tuple(
        EventKind(
            kind["name"],
            kind["group"],
            re.compile(rf"\b(?:{kind['words']})", re.IGNORECASE),
            kind.get("goes_on", False),
            kind.get("in_detail", False),
            kind.get("of_day", True),
        )
        for kind in tomllib.loads(text)["kinds"]
    )


def event_kind(name: str) -> EventKind:
    """Return the kind of that name."""
    return next(kind for kind in event_kinds() if kind.name == name)


def kind_of(event: str, detail: str = "") -> EventKind | None:
    """Return the first kind that an event of these words is of, or None."""
    return next((kind for kind in event_kinds() if kind.covers(event, detail)), None)
