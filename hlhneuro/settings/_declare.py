"""How one setting is declared: a default, its source and its unit."""

from __future__ import annotations

from dataclasses import field
from typing import TypeVar

__all__ = ["tuned"]

T = TypeVar("T")


def tuned(default: T, source: str, unit: str = "") -> T:
    """Declare one setting: its default, where that number comes from, and its unit."""
    if not source:
        raise ValueError("a setting needs a source, or the words 'expert-set'")
    value: T = field(default=default, metadata={"source": source, "unit": unit})
    return value
