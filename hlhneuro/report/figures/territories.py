"""Lesion load by territory, side and session: as a table of coloured cells, and on the patient's own brain."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from hlhneuro.errors import NotAssessable
from hlhneuro.lesions.territories import territories
from hlhneuro.report.figures.choropleth import (
    CLASS_COLOURS,
    CLASS_INKS,
    class_of,
    percent_classes,
    slices_showing,
    tinted,
)
from hlhneuro.report.figures.sheet import AXIAL, CONVENTION, CORONAL, Row, View, draw_sheet
from hlhneuro.report.figures.slices import background_of, require_aligned
from hlhneuro.report.figures.style import HAIRLINE, INK, MUTED, new_figure
from hlhneuro.report.results import SubjectResults
from hlhneuro.report.words import session_title

__all__ = ["territory_load", "territory_map"]

WIDTH_IN, NAMES_IN, ROW_IN = 9.8, 2.7, 0.27
SESSION_GAP = 0.25  # of the width of a cell
NOT_COUNTED = "#fafbfc"


def territory_load(results: SubjectResults) -> Figure:
    """Draw a table of territories by sessions, left and right apart, coloured by the part of the territory with lesion.

    The number in a cell is the lesion volume in millilitres. A cell without a colour does not count as affected.

    Raises
    ------
    NotAssessable
        If territories could not be measured.
    """
    table = _measured(results)
    names, sessions = list(dict.fromkeys(table["territory"])), _sessions(results, table)
    figure = new_figure(WIDTH_IN, 1.15 + ROW_IN * len(names), layout=None)
    height = figure.get_figheight()
    ax = figure.add_axes((NAMES_IN / WIDTH_IN, 0.5 / height, 1 - (NAMES_IN + 0.1) / WIDTH_IN, 1 - 1.1 / height))
    step = 2 + SESSION_GAP
    cell_in = (WIDTH_IN - NAMES_IN - 0.1) / (step * len(sessions))
    size = min(8.5, 26 * cell_in)  # four digits fit
    limits = results.settings.report.territory_classes_percent
    for column, session in enumerate(sessions):
        own = table[table["session"].astype(str) == session]
        for row, name in enumerate(names):
            _cells(ax, own[own["territory"] == name], step * column, row, limits, size)
        for offset, side in ((0.5, "left"), (1.5, "right")):
            text = side if cell_in > 0.4 else side[0].upper()
            ax.text(step * column + offset, -0.12, text, ha="center", va="bottom", fontsize=size, color=MUTED)
        title = f"ses-{session}" if cell_in < 0.6 else session_title(results, session).replace(" · ", "\n", 1)
        ax.text(step * column + 1, -0.75, title, ha="center", va="bottom", fontsize=min(8.5, size + 0.5), color=INK)
    ax.set_xlim(-0.02, step * len(sessions) - SESSION_GAP + 0.02)
    ax.set_ylim(len(names) + 0.03, 0)
    ax.set_yticks(np.arange(len(names)) + 0.5, names)
    ax.set_xticks([])
    ax.tick_params(axis="y", length=0, labelsize=8.5, labelcolor=INK)
    ax.spines[:].set_visible(False)
    handles = [Patch(color=colour, label=words) for colour, words in percent_classes(limits)]
    figure.legend(handles=handles, loc="lower center", ncols=len(handles), fontsize=8, frameon=False, labelcolor=INK,
                  title="numbers: lesion (ml); colour: part of the territory that is lesion, where it counts as "
                  "affected", title_fontsize=8)  # fmt: skip
    return figure


def territory_map(results: SubjectResults, labels: Sequence[str] | None = None) -> Figure:
    """Draw the affected territories of each session on its image, coloured by the part of them that is lesion.

    One row per session, the same axial and coronal slices in all: those that show most of the territories that are
    affected at any session. The outline is that of the lesions.

    Parameters
    ----------
    results : SubjectResults
    labels : sequence of str, optional
        Sessions to show; all in which lesions were assessed if left out.

    Raises
    ------
    NotAssessable
        If territories could not be measured, or none is affected.
    """
    aligned, table = require_aligned(results), _measured(results)
    if results.lesions is None:
        raise NotAssessable("lesions could not be assessed", remedy="see what was not done, and why")
    codes = {(t.name, t.side): t.label for t in territories()}
    affected = table[table["affected"].astype(bool)]
    wanted = {codes[place] for place in zip(affected["territory"], affected["side"], strict=True) if place in codes}
    if not wanted:
        raise NotAssessable("no territory is affected at any session", remedy="see the table of territories")
    settings, view, regions = results.settings.report, View.of(aligned), results.lesions.territories
    gap = max(round(settings.slice_spacing_mm / view.voxel_mm), 1)
    wished = ((AXIAL, settings.territory_slices[0]), (CORONAL, settings.territory_slices[1]))
    places = [(axis, index) for axis, count in wished for index in slices_showing(regions, wanted, axis, count, gap)]
    limits, rows = settings.territory_classes_percent, []
    for session in aligned.sessions:
        found = results.lesions.session(session.label)
        if found is None or (labels is not None and session.label not in labels):
            continue
        own = affected[affected["session"].astype(str) == session.label]
        colours = {
            codes[name, side]: CLASS_COLOURS[class_of(100 * part, limits)]
            for name, side, part in zip(own["territory"], own["side"], own["load_fraction"], strict=True)
            if (name, side) in codes
        }
        background = background_of(session)
        window, tiles = view.window(background), []
        for axis, index in places:
            grey = view.grey(background.data, window, axis, index)
            picture = tinted(grey, view.plane(regions, axis, index), colours, view.plane(view.brain, axis, index))
            tiles.append(view.tile(picture, axis, index, view.edge_of(found.mask, axis, index, "black", 0.7)))
        heading = f"{session_title(results, session.label)} · {background.contrast} · {len(own)} territories affected"
        rows.append(Row(tuple(tiles), heading))
    note = f"colour: part of the territory that is lesion; black line: lesions; {CONVENTION}"
    return draw_sheet(rows, view.voxel_mm, note, key=percent_classes(limits))


def _measured(results: SubjectResults) -> pd.DataFrame:
    table = results.change.territories if results.change else pd.DataFrame()
    if table.empty:
        raise NotAssessable("load by territory is not known", remedy="see what was not done, and why")
    return table


def _sessions(results: SubjectResults, table: pd.DataFrame) -> list[str]:
    known = set(table["session"].astype(str))
    return [session.label for session in results.subject.sessions if session.label in known]


def _cells(ax: Axes, rows: pd.DataFrame, x: float, y: float, limits: Sequence[float], size: float) -> None:
    """Draw the cells of one territory at one session; a territory on the midline spans both columns."""
    columns = {"left": (x, 1.0), "right": (x + 1.0, 1.0)}
    for row in rows.to_dict(orient="records"):
        start, width = columns.get(str(row["side"]), (x, 2.0))
        load, fraction = float(row["load_ml"]), float(row["load_fraction"])
        shade = class_of(100 * fraction, limits) if row["affected"] and np.isfinite(fraction) else None
        colour = NOT_COUNTED if shade is None else CLASS_COLOURS[shade]
        ax.add_patch(Rectangle((start, y), width, 1.0, facecolor=colour, edgecolor=HAIRLINE, linewidth=0.6))
        text = "n/a" if not np.isfinite(load) else "·" if load == 0 else "<0.1" if load < 0.05 else f"{load:.1f}"
        ink = MUTED if shade is None else CLASS_INKS[shade]
        ax.text(start + width / 2, y + 0.5, text, ha="center", va="center", fontsize=size, color=ink)
