"""Which water reference is for what."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hlhneuro.study import water_references_of


@dataclass(frozen=True)
class Named:
    path: Path
    entities: dict[str, str]


@dataclass(frozen=True)
class Visit:
    water_references: tuple[Named, ...]


def scan(**entities: str) -> Any:
    return Named(Path("_".join(entities.values()) or "plain"), {"sub": "01", "ses": "01", **entities})


def found(spectrum: Any, *references: Any) -> list[str | None]:
    session: Any = Visit(references)
    return [ref.path.name if ref is not None else None for ref in water_references_of(spectrum, session)]


def test_a_reference_of_the_same_name_is_for_quantification_and_nothing_else_is_said() -> None:
    assert found(scan(acq="short"), scan(acq="long"), scan(acq="short")) == ["short", None]
    assert found(scan(), scan()) == ["plain", None]


def test_labels_of_bids_tell_two_references_apart() -> None:
    assert found(scan(), scan(acq="ecc"), scan(acq="conc")) == ["conc", "ecc"]
    assert found(scan(acq="short"), scan(acq="shortECC"), scan(acq="short")) == ["short", "shortECC"]
    assert found(scan(acq="short", voi="left"), scan(acq="ecc", voi="right")) == [None, None]


def test_a_reference_that_was_made_for_one_spectrum_wins() -> None:
    assert found(scan(acq="short"), scan(acq="ecc"), scan(acq="shortecc")) == [None, "shortecc"]


def test_another_spectrum_s_reference_is_not_taken() -> None:
    assert found(scan(acq="short"), scan(acq="long"), scan(acq="longecc")) == [None, None]
