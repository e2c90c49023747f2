"""Ratios of the main metabolites at every session, with their errors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from hlhneuro.errors import NotAssessable
from hlhneuro.report.figures.style import COLOURS, INK, MUTED, new_figure, tidy
from hlhneuro.report.results import SubjectResults
from hlhneuro.spectroscopy import SpectrumResult

__all__ = ["RATIOS", "ratio_bars"]

RATIOS = {"tNAA": "tNAA", "tCho": "tCho", "mI": "mI", "Glx": "Glx", "Lac": "lactate", "Lip13": "lipid, 1.3 ppm"}
SERIES = (
    (COLOURS["blue"], ""),
    (COLOURS["orange"], "////"),
    (COLOURS["green"], "...."),
    (COLOURS["purple"], "xxxx"),
    (COLOURS["sky"], "\\\\\\\\"),
)
MOST_BARS = (12, 30)  # in one panel, that can still be told apart in a sixth and in a third of the page


def ratio_bars(results: SubjectResults, *, width_in: float = 9.4) -> Figure:
    """Draw ratios to total creatine as bars, one panel per metabolite, sessions from left to right.

    An error bar is one standard uncertainty; a hollow bar was not told from noise; an acquisition has one colour and
    hatch. A session without a usable fit of that acquisition has no bar.

    Parameters
    ----------
    results : SubjectResults
    width_in : float

    Raises
    ------
    NotAssessable
        If no spectrum has a usable fit.
    """
    fitted = [one for one in results.spectra if one.fit and one.fit.quality.get("verdict") != "not usable"]
    if not fitted:
        raise NotAssessable("no spectrum has a usable fit", remedy="see what was not done, and why")
    sessions = list(dict.fromkeys(one.session for one in results.spectra))
    series = list(dict.fromkeys(_series(one) for one in sorted(fitted, key=_order)))
    rows = 1 + sum(len(sessions) * len(series) > most for most in MOST_BARS)
    figure = new_figure(width_in, 0.45 + 1.75 * rows)
    panels = figure.subplots(rows, len(RATIOS) // rows, squeeze=False).ravel()
    for ax, (name, title) in zip(panels, RATIOS.items(), strict=True):
        _panel(ax, name, fitted, sessions, series)
        ax.set_title(f"{title} / tCr", fontsize=8.5, color=INK, loc="left")
    keys = [
        Patch(facecolor=colour, hatch=hatch, edgecolor="white", label=told)
        for (colour, hatch), told in zip(_looks(len(series)), series, strict=True)
    ]
    keys.append(Patch(facecolor="white", edgecolor=MUTED, label="hollow: not told from noise"))
    figure.legend(handles=keys, loc="outside upper left", ncols=3, fontsize=8, frameon=False, labelcolor=INK)
    return figure


def _looks(count: int) -> list[tuple[str, str]]:
    return [SERIES[place % len(SERIES)] for place in range(count)]


def _order(spectrum: SpectrumResult) -> tuple[str, float, str]:
    return spectrum.place, spectrum.echo_time_s or 0.0, spectrum.name


def _series(spectrum: SpectrumResult) -> str:
    """Return what is drawn in one colour: the same acquisition of the same place."""
    echo = "TE unknown" if spectrum.echo_time_s is None else f"TE {1e3 * spectrum.echo_time_s:.0f} ms"
    return f"{spectrum.name}, {echo}"


def _panel(
    ax: Axes, name: str, fitted: Sequence[SpectrumResult], sessions: Sequence[str], series: Sequence[str]
) -> None:
    width = 0.8 / len(series)
    for spectrum in fitted:
        table = spectrum.fit.concentrations if spectrum.fit else None
        if table is None or name not in set(table["metabolite"]):
            continue
        found = table[table["metabolite"] == name].iloc[0].to_dict()
        value, sd = float(found["ratio_to_tcr"]), float(found["ratio_sd"])
        if not np.isfinite(value):
            continue
        place = series.index(_series(spectrum))
        colour, hatch = SERIES[place % len(SERIES)]
        x = sessions.index(spectrum.session) + (place - (len(series) - 1) / 2) * width
        solid = bool(found["detected"])
        ax.bar(
            x,
            value,
            0.92 * width,
            facecolor=colour if solid else "white",
            edgecolor="white" if solid else colour,
            hatch=hatch if solid else "",
            linewidth=0 if solid else 1.0,
        )
        ax.errorbar(x, value, sd, color=INK, linewidth=1.0, capsize=2.0)
    tidy(ax)
    ax.axhline(0, color=MUTED, linewidth=0.8)
    few = len(sessions) <= 4
    ax.set_xticks(range(len(sessions)), sessions, rotation=0 if few else 90)
    ax.set_xlim(-0.6, len(sessions) - 0.4)
    ax.yaxis.set_major_locator(MaxNLocator(4))
