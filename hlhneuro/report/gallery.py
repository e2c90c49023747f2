"""Figures as they stand in a page: embedded, with a caption and words for those who cannot see them."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass, field

from matplotlib.figure import Figure

from hlhneuro.errors import NotAssessable
from hlhneuro.report.figures import png_bytes, save_svg

__all__ = ["Gallery", "Shown"]


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


@dataclass
class Gallery:
    """Draws figures for one page.

    Parameters
    ----------
    dpi : int
        Resolution of images.
    vectors_left : int
        How many more figures may be SVG; the rest become PNG, which is smaller for long curves.
    """

    dpi: int
    vectors_left: int = field(default=0)

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
