"""What stands in a page beside words: figures, with words for those who cannot see them, and the scripts it may run."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from matplotlib.figure import Figure

from hlhneuro.errors import NotAssessable
from hlhneuro.report.figures import png_bytes, save_svg

__all__ = ["Gallery", "Script", "Shown"]

T = TypeVar("T")


@dataclass(frozen=True)
class Shown:
    """One figure of a page, or why there is none.

    Parameters
    ----------
    caption, alt : str
        What stands under it, and what it shows in words.
    source : str
        A ``data:`` address; empty if the figure could not be drawn.
    reason : str
        Why not.
    """

    caption: str
    alt: str
    source: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Script:
    """A script that the page may run: nothing else can.

    Parameters
    ----------
    text : str
    inline : bool
        It stands in the page; otherwise another script puts it in when it is needed.
    """

    text: str
    inline: bool = True


@dataclass
class Gallery:
    """Draws figures for one page, and gathers the scripts that it needs.

    Parameters
    ----------
    dpi : int
        Resolution of images.
    vectors_left : int
        How many more figures may be SVG; the rest become PNG, which is smaller for long curves.
    volumes : bool
        Whether the page may carry whole volumes.
    scripts : list of Script
        What the policy of the page has to allow.
    kept : dict
        What does not depend on the resolution, for a page that has to be laid out again.
    """

    dpi: int
    vectors_left: int = 0
    volumes: bool = True
    scripts: list[Script] = field(default_factory=list)
    kept: dict[str, Any] = field(default_factory=dict)

    def once(self, name: str, make: Callable[[], T]) -> T:
        """Return what is kept under that name; make it if it is not there yet."""
        if name not in self.kept:
            self.kept[name] = make()
        made: T = self.kept[name]
        return made

    def image(self, draw: Callable[[], Figure], caption: str, alt: str) -> Shown:
        """Return the figure as PNG, or why it could not be drawn."""
        try:
            data = png_bytes(draw(), self.dpi)
        except NotAssessable as error:
            return Shown(caption, alt, reason=error.problem)
        return Shown(caption, alt, f"data:image/png;base64,{base64.b64encode(data).decode('ascii')}")

    def vector(self, draw: Callable[[], Figure], caption: str, alt: str) -> Shown:
        """Return the figure as SVG while there are vectors left, else as PNG."""
        if self.vectors_left <= 0:
            return self.image(draw, caption, alt)
        try:
            text = save_svg(draw())
        except NotAssessable as error:
            return Shown(caption, alt, reason=error.problem)
        self.vectors_left -= 1
        return Shown(caption, alt, f"data:image/svg+xml;base64,{base64.b64encode(text.encode()).decode('ascii')}")
