"""What all figures share: colours, a canvas without global state, and files that are the same on every run."""

from __future__ import annotations

import io
import threading

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

__all__ = ["CHANGE_COLOURS", "COLOURS", "INK", "MUTED", "legend_beside", "new_figure", "png_bytes", "save_svg", "tidy"]

# Okabe & Ito, "Color universal design" (2008): distinct for all common kinds of colour vision.
COLOURS = {
    "black": "#000000",
    "orange": "#E69F00",
    "sky": "#56B4E9",
    "green": "#009E73",
    "yellow": "#F0E442",
    "blue": "#0072B2",
    "vermillion": "#D55E00",
    "purple": "#CC79A7",
}
INK, MUTED, HAIRLINE = "#22303c", "#5b6770", "#d5dbe0"
CHANGE_COLOURS = {
    "new": COLOURS["vermillion"],
    "enlarged": COLOURS["orange"],
    "stable": "#c9c9c9",
    "shrunk": COLOURS["sky"],
    "resolved": COLOURS["blue"],
}

# Fonts and settings of matplotlib are shared by all figures of a process: one is drawn at a time.
_drawing = threading.Lock()


def new_figure(width_in: float, height_in: float) -> Figure:
    """Return an empty white figure of that size on the Agg canvas, laid out so that no label is cut off."""
    figure = Figure(figsize=(width_in, height_in), layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def tidy(ax: Axes, *, grid: bool = True) -> None:
    """Quiet frame: no box, a faint horizontal grid, small muted tick labels."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.spines[["left", "bottom"]].set_color(HAIRLINE)
    ax.tick_params(labelsize=8, colors=MUTED, length=3)
    ax.set_axisbelow(True)
    if grid:
        ax.grid(axis="y", color=HAIRLINE, linewidth=0.6)


def legend_beside(ax: Axes) -> None:
    """Put the legend to the right of the axes, where it hides nothing."""
    ax.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), fontsize=8, frameon=False, labelcolor=INK)


def png_bytes(figure: Figure, dpi: int) -> bytes:
    """Return the figure as a PNG with at most 256 colours (images of the brain are grey), without a date."""
    raw = io.BytesIO()
    with _drawing:
        _freeze(figure)
        figure.savefig(raw, format="png", dpi=dpi, metadata={"Software": None})
    raw.seek(0)
    small = io.BytesIO()
    with Image.open(raw) as image:
        image.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(small, format="png", optimize=True)
    return small.getvalue()


def save_svg(figure: Figure) -> str:
    """Return the figure as SVG text, the same text on every run."""
    text = io.StringIO()
    # Without a salt the names of elements are random; matplotlib takes it from its global settings only.
    with _drawing, mpl.rc_context({"svg.hashsalt": "hlhneuro"}):
        _freeze(figure)
        figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    return text.getvalue()


def _freeze(figure: Figure) -> None:
    """Lay the figure out once and round the places: the last bits of the layout solver differ from run to run."""
    if figure.get_layout_engine() is None:
        return
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    for ax in figure.axes:
        left, bottom, width, height = (round(edge, 5) for edge in ax.get_position(original=True).bounds)
        ax.set_position((left, bottom, width, height))
    for text in figure.texts:
        x, y = text.get_position()
        text.set_position((round(x, 5), round(y, 5)))
