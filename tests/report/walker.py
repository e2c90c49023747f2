"""Walks a page as a reader does: every number that is shown must stand in its part of the account."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

__all__ = [
    "Branch",
    "Part",
    "Rows",
    "Table",
    "Token",
    "Tokens",
    "branch_of",
    "misfits_of",
    "misfits_of_table",
    "ready_made",
    "sections_of",
]

VOID = {"img", "input", "br", "meta", "link", "hr", "source", "wbr"}
INLINE = {"span", "strong", "em", "b", "i", "a", "sub", "sup", "code", "abbr"}
SPOKEN = ("alt", "aria-label", "title", "placeholder")
UNSEEN = {"script", "style", "title", "template"}
# Parts of the page outside its sections, by their tag.
OUTSIDE = {"header": "head", "nav": "contents", "footer": "foot"}
TOP = ("head", "contents", "foot", "summary", "findings")
# Names with digits of their own, and a key of the keyboard.
NAMES = re.compile(r"\b1H\b|\b[23]-?D\b|WebGL 2|BSD 2-Clause|\b0 shows the whole brain")

# A number with decimals, with a unit behind a no-break space, or with its error.
READY_MADE = re.compile(r"[−+-]?\d+\.\d+(\s*\S{1,12})?|[−+-]?\d+\u00a0\S{1,20}|[^:;]{0,30}±.{0,30}")
TOKEN = re.compile(
    r"(?P<date>\d{4}-\d{2}-\d{2})"
    r"|(?P<verbatim>10\.\d{4,}/\S+|\d+(?:\.\d+){2,})"
    r"|(?P<label>\bses-\w+)"
    r"|(?P<name>[^\W\d]\w*(?:[-_]\w+)*\*?)"  # T1w, tNAA, acq-short, MNI152: no numbers
    r"|(?P<glued>\d+(?:\.\d+)?-?(?!e[+-]?\d)[^\W\d]\w*)"
    r"|(?P<number>(?<![\w.])[+-]?(?:\d{1,3}(?:,\d{3})+|\d+)?(?:\.\d+|(?<=\d))(?:e[+-]?\d+)?)"
)


@dataclass(frozen=True)
class Token:
    """One number as it is shown, with the word that follows."""

    text: str
    kind: str
    unit: str = ""


class Tokens(list[Token]):
    """The numbers in a text; digits that belong to a word are none."""

    def __init__(self, text: str) -> None:
        plain = NAMES.sub(" ", re.sub(r"[\u00a0\u202f\u2009]", " ", text).replace("−", "-"))
        found = []
        for match in TOKEN.finditer(plain):
            kind = match.lastgroup or ""
            if kind == "name":
                continue
            unit = re.match(r"\s*([^\W\d]+)", plain[match.end() :])
            shown = match[0].lstrip("+").replace(",", "") if kind == "number" else match[0]
            found.append(Token(shown, kind, unit[1] if unit else ""))
        super().__init__(found)


@dataclass
class Table:
    """A table as it is shown: cells as text, row by row."""

    classes: str
    head: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)


@dataclass
class Part:
    """What one section shows."""

    texts: list[str] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)

    def table(self, name: str) -> Table:
        """Return the table of that class."""
        return next(table for table in self.tables if name in table.classes.split())


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.parts: dict[str, Part] = {}
        self._open: list[tuple[str, str]] = []  # tag and, where it opens a part of the page, its name
        self._text = ""
        self._cell: list[str] | None = None
        self._in_head = False

    @property
    def _part(self) -> Part:
        name = next((name for _, name in reversed(self._open) if name), "outside")
        return self.parts.setdefault(name, Part())

    def _flush(self) -> None:
        text = " ".join(self._text.split(" ")).strip()
        if text and not UNSEEN & {tag for tag, _ in self._open}:
            self._part.texts.append(text)
            if self._cell is not None:
                self._cell.append(text)
        self._text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag not in INLINE:
            self._flush()
        if tag not in VOID:
            name = found.get("id") if tag == "section" else OUTSIDE.get(tag, "")
            self._open.append((tag, name or ""))
        if tag == "table":
            self._part.tables.append(Table(found.get("class") or ""))
        elif tag in ("thead", "tbody"):
            self._in_head = tag == "thead"
        elif tag == "tr" and not self._in_head:
            self._part.tables[-1].rows.append([])
        elif tag in ("td", "th"):
            self._cell = []
        self._part.texts.extend(found[name] or "" for name in SPOKEN if found.get(name))

    def handle_data(self, data: str) -> None:
        self._text += data

    def handle_endtag(self, tag: str) -> None:
        if tag not in INLINE:
            self._flush()
        if tag in ("td", "th") and self._cell is not None:
            table, text = self._part.tables[-1], " | ".join(self._cell)
            (table.head if self._in_head else table.rows[-1]).append(text)
            self._cell = None
        while self._open and self._open.pop()[0] != tag:
            pass


def sections_of(page: str) -> dict[str, Part]:
    """Return what each section of a page shows: texts, words for pictures, tables."""
    reader = _Reader()
    reader.feed(page)
    return reader.parts


class Branch:
    """A branch of the account: numbers, and the numbers within its texts."""

    def __init__(self, *values: Any) -> None:
        self.numbers: set[float] = set()
        self.ages_years: set[float] = set()
        self.verbatim: set[str] = set()
        self._rounded: dict[int, set[str]] = {}
        for value in values:
            self._take(value)

    def _take(self, value: Any, key: str = "") -> None:
        if isinstance(value, Mapping):
            for name, inner in value.items():
                self._take(str(name))
                self._take(inner, str(name))
        elif isinstance(value, list | tuple):
            for inner in value:
                self._take(inner, key)
        elif isinstance(value, str):
            self.verbatim.update(token.text for token in Tokens(value))
        elif isinstance(value, int | float) and not isinstance(value, bool):
            self.numbers.add(float(value))
            if key == "age_years":
                self.ages_years.add(float(value))

    def holds(self, token: Token) -> bool:
        """Say whether a number is in a text of the branch, or is a number of it, rounded to the decimals shown."""
        if token.text in self.verbatim:
            return True
        if token.kind != "number":
            return False
        places = decimals_of(token.text)
        if token.unit.startswith("month") and token.text in {rounded(12 * age, 0) for age in self.ages_years}:
            return True
        if places not in self._rounded:
            self._rounded[places] = {rounded(value, places) for value in self.numbers}
        return token.text in self._rounded[places]


def decimals_of(text: str) -> int:
    """Return how many decimals a number shows."""
    return len(text.partition(".")[2])


def rounded(value: float, decimals: int) -> str:
    """Return the number with so many decimals; a zero has no sign."""
    text = f"{value:.{decimals}f}"
    return text.lstrip("-") if float(text) == 0 else text


def branch_of(account: Mapping[str, Any], key: str) -> Branch:
    """Return what a section of the page may show."""
    labels = [f"ses-{session['label']}" for session in account["sessions"]]
    own = account["sections"].get(key if key in account["sections"] else "summary" if key in TOP else "", {})
    if key == "clinical":  # it lays out the findings of its kind
        return Branch(labels, own, account["sessions"], [f for f in account["findings"] if f["kind"] == "clinical"])
    if key not in TOP:
        quoted = [finding for finding in account["findings"] if finding["kind"] == key]  # spectra repeat their answers
        return Branch(labels, own, quoted)
    top = {name: value for name, value in account.items() if name not in ("sections", "settings", "Provenance")}
    return Branch(labels, own, top)


def misfits_of(page: str, account: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return, for each section, the numbers that its branch of the account does not hold, in their context."""
    found: dict[str, list[str]] = {}
    for key, part in sections_of(page).items():
        branch = branch_of(account, key)
        wrong = [f"{t.text!r} in {text[:160]!r}" for text in part.texts for t in Tokens(text) if not branch.holds(t)]
        if wrong:
            found[key] = wrong
    return found


class Rows:
    """Judges rows of tables: what stands in one row is told by one small part of the account, not here and there.

    Parameters
    ----------
    account : mapping
    key : str
        Section of the page.
    largest : int
        More numbers than this are not one thing any more.
    """

    def __init__(self, account: Mapping[str, Any], key: str, largest: int = 60) -> None:
        labels = [f"ses-{session['label']}" for session in account["sessions"]]
        parts = list(_parts(account["sections"].get(key, {})))
        if key == "findings":
            questions: dict[tuple[str, str], list[Any]] = {}
            for finding in account["findings"]:
                questions.setdefault((finding["label"], finding["subject_of"]), []).append(finding)
            parts += [*account["findings"], *questions.values()]
        branches = (Branch(labels, part) for part in parts)
        self._branches = [branch for branch in branches if len(branch.numbers) + len(branch.verbatim) <= largest]

    def hold(self, tokens: Sequence[Token]) -> bool:
        """Say whether one part holds all of these numbers."""
        return not tokens or any(all(branch.holds(token) for token in tokens) for branch in self._branches)


def _parts(facts: Any) -> Iterator[Any]:
    """Return every mapping and every list of an account, however deep."""
    if isinstance(facts, Mapping | list):
        yield facts
        for inner in facts.values() if isinstance(facts, Mapping) else facts:
            yield from _parts(inner)


def misfits_of_table(rows: Iterable[Sequence[str]], expected: Iterable[Sequence[Sequence[Any]]]) -> list[str]:
    """Compare a table cell by cell with what the account holds for each cell, in order.

    Parameters
    ----------
    rows : iterable of sequence of str
        Cells as they are shown.
    expected : iterable of sequence of sequence
        For each cell its numbers and texts; None stands for nothing.
    """
    wrong = []
    for cells, wanted in zip(rows, expected, strict=True):
        for cell, values in zip(cells, wanted, strict=True):
            shown = [token.text for token in Tokens(cell)]
            told = list(_told(values, shown))
            if shown != told:
                wrong.append(f"{cell!r}: {shown} is not {told}")
    return wrong


def _told(values: Sequence[Any], shown: Sequence[str]) -> Iterator[str]:
    """Return the numbers a cell should show, each rounded to as many decimals as stand at its place."""
    place = 0
    for value in values:
        if isinstance(value, str):
            tokens = [token.text for token in Tokens(value)]
        elif value is None:
            tokens = []
        else:
            decimals = decimals_of(shown[place]) if place < len(shown) else 0
            tokens = [rounded(float(value), decimals)]
        yield from tokens
        place += len(tokens)


def ready_made(facts: Any, key: str = "") -> Iterator[str]:
    """Return the texts of an account that are a number with a unit and should be a number instead."""
    if isinstance(facts, Mapping):
        for name, inner in facts.items():
            if name != "covariates":  # in the words of the study
                yield from ready_made(inner, str(name))
    elif isinstance(facts, list | tuple):
        for inner in facts:
            yield from ready_made(inner, key)
    elif isinstance(facts, str) and READY_MADE.fullmatch(facts):
        yield f"{key}: {facts}"
