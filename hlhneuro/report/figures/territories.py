"""Lesion load by territory, side and session."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from hlhneuro.errors import NotAssessable
from hlhneuro.report.figures.style import HAIRLINE, INK, MUTED, new_figure
from hlhneuro.report.results import SubjectResults

__all__ = ["territory_load"]


def territory_load(results: SubjectResults) -> Figure:
    """Draw a table of territories by sessions, left and right apart, coloured by the part of the territory with lesion.

    The number in a cell is the lesion volume in millilitres.

    Raises
    ------
    NotAssessable
        If territories could not be measured.
    """
    table = results.change.territories if results.change else pd.DataFrame()
    if table.empty:
        raise NotAssessable("load by territory is not known", remedy="see what was not done, and why")
    names = list(dict.fromkeys(table["territory"]))
    sessions = [s.label for s in results.subject.sessions if s.label in set(table["session"].astype(str))]
    figure = new_figure(3.2 + 1.5 * len(sessions), 1.0 + 0.27 * len(names))
    ax = figure.subplots()
    top = max(float(table["load_fraction"].max()), 0.01)
    for column, session in enumerate(sessions):
        own = table[table["session"].astype(str) == session]
        for row, name in enumerate(names):
            _cells(ax, own[own["territory"] == name], 2.3 * column, row, top)
        for offset, side in ((0.5, "left"), (1.5, "right")):
            ax.text(2.3 * column + offset, -0.25, side, ha="center", fontsize=7, color=MUTED)
        ax.text(2.3 * column + 1, -0.95, f"ses-{session}", ha="center", fontsize=8.5, color=INK)
    ax.set_xlim(-0.1, 2.3 * len(sessions))
    ax.set_ylim(len(names), -1.4)
    ax.set_yticks(np.arange(len(names)) + 0.5, names)
    ax.set_xticks([])
    ax.tick_params(axis="y", length=0, labelsize=8, labelcolor=INK)
    ax.spines[:].set_visible(False)
    ax.text(0, len(names) + 0.15, f"numbers: lesion in ml; darkest: {100 * top:.1f} % of the territory", fontsize=7,
            color=MUTED, va="top", clip_on=False)  # fmt: skip
    ax.set_ylim(len(names) + 0.8, -1.4)
    return figure


def _cells(ax: Axes, rows: pd.DataFrame, x: float, y: float, top: float) -> None:
    """Draw the cells of one territory at one session; a territory on the midline spans both columns."""
    columns = {"left": (x, 1.0), "right": (x + 1.0, 1.0)}
    for row in rows.to_dict(orient="records"):
        start, width = columns.get(str(row["side"]), (x, 2.0))
        load, fraction = float(row["load_ml"]), float(row["load_fraction"])
        shade = 0.75 * fraction / top if np.isfinite(fraction) else 0.0
        colour = colormaps["Blues"](shade) if load > 0 else "#fafbfc"
        ax.add_patch(Rectangle((start, y), width, 1.0, facecolor=colour, edgecolor=HAIRLINE, linewidth=0.6))
        text = "n/a" if not np.isfinite(load) else "·" if load == 0 else "<0.1" if load < 0.05 else f"{load:.1f}"
        ink = "white" if shade > 0.55 else INK if load > 0 else MUTED
        ax.text(start + width / 2, y + 0.52, text, ha="center", va="center", fontsize=7.5, color=ink)
