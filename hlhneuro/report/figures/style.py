"""What all figures share: colours, a canvas without global state, and files that are the same on every run."""

from __future__ import annotations

import io
import threading
from typing import Literal

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

__all__ = [
    "CHANGE_COLOURS",
    "COLOURS",
    "INK",
    "MUTED",
    "legend_beside",
    "new_figure",
    "png_bytes",
    "save_svg",
    "show_in_notebook",
    "tidy",
]

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

# Expert-set: so many greys show no steps in an image of the brain, and take half the place of 256.
GREYS, COLOURS_KEPT, GREY_WITHIN = 64, 64, 24

# Fonts and settings of matplotlib are shared by all figures of a process: one is drawn at a time.
_drawing = threading.Lock()


def new_figure(width_in: float, height_in: float, layout: Literal["constrained"] | None = "constrained") -> Figure:
    """Return an empty white figure of that size on the Agg canvas; `constrained` cuts no label off."""
    figure = Figure(figsize=(width_in, height_in), layout=layout, facecolor="white")
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
    """Return the figure as a small PNG without a date: 64 greys, and 64 colours for what is not grey."""
    small = io.BytesIO()
    with _drawing:
        canvas = FigureCanvasAgg(figure)
        figure.set_dpi(dpi)
        _freeze(figure)
        canvas.draw()  # type: ignore[no-untyped-call]
        pixels = np.array(canvas.buffer_rgba())[..., :3]  # type: ignore[no-untyped-call]
    _with_palette(pixels).save(small, format="png", dpi=(dpi, dpi))
    return small.getvalue()


def show_in_notebook(dpi: int = 80) -> None:
    """Let the running notebook show every figure as `png_bytes` makes it: a fifth of the size of matplotlib's own.

    Outside of a notebook nothing happens.
    """
    from IPython.core.getipython import get_ipython
    from matplotlib import pyplot

    shell = get_ipython()
    if shell is not None and shell.display_formatter is not None:
        pyplot.switch_backend(mpl.get_backend())  # once loaded, it does not put its own pictures in their place again
        shown = shell.display_formatter.formatters["image/png"]
        shown.for_type(Figure, lambda figure: png_bytes(figure, dpi))


def _with_palette(pixels: NDArray[np.uint8]) -> Image.Image:
    """Give greys and colours palettes of their own, so that thin coloured lines on grey images keep their colour."""
    red, green, blue = (pixels[..., channel] for channel in range(3))
    brightest, darkest = np.maximum(np.maximum(red, green), blue), np.minimum(np.minimum(red, green), blue)
    coloured = brightest - darkest > GREY_WITHIN
    shades = np.rint(np.linspace(0, 255, GREYS)).astype(int)
    places = np.rint(np.arange(256) * ((GREYS - 1) / 255)).astype(np.uint8)[green]
    palette = [int(shade) for shade in shades for _ in range(3)]
    if coloured.any():
        strip = Image.fromarray(pixels[coloured][None])
        # By coverage, not by count: a rare colour may be the one that says something.
        strip = strip.quantize(COLOURS_KEPT, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
        places[coloured] = GREYS + np.asarray(strip)[0]
        palette += strip.getpalette() or []
    image = Image.fromarray(places, mode="P")
    image.putpalette(palette)
    return image


def save_svg(figure: Figure) -> str:
    """Return the figure as SVG text, the same text on every run."""
    text = io.StringIO()
    # Without a salt the names of elements are random; matplotlib takes it from its global settings only.
    with _drawing, mpl.rc_context({"svg.hashsalt": "hlhneuro"}):
        _freeze(figure)
        canvas = FigureCanvasSVG(figure)
        canvas.print_svg(text, metadata={"Date": None, "Creator": None})  # type: ignore[no-untyped-call]
    return text.getvalue()


def _freeze(figure: Figure) -> None:
    """Lay the figure out once and round the places: the last bits of the layout solver differ from run to run."""
    layout = figure.get_layout_engine()
    if layout is None:
        return
    layout.execute(figure)
    figure.set_layout_engine("none")
    for ax in figure.axes:
        left, bottom, width, height = (round(edge, 5) for edge in ax.get_position(original=True).bounds)
        ax.set_position((left, bottom, width, height))
    for text in figure.texts:
        x, y = text.get_position()
        text.set_position((round(x, 5), round(y, 5)))
