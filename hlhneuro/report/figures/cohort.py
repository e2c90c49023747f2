"""All patients of a study: courses of load and ratios, change per interval, groups, how often a territory is hit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from hlhneuro.errors import NotAssessable
from hlhneuro.imaging.template import template_brain
from hlhneuro.lesions.territories import template_territories, territories
from hlhneuro.report.figures.choropleth import class_of, count_classes, slices_showing, tinted
from hlhneuro.report.figures.sheet import AXIAL, CONVENTION, CORONAL, Row, View, draw_sheet
from hlhneuro.report.figures.style import COLOURS, HAIRLINE, INK, MUTED, legend_beside, new_figure, tidy
from hlhneuro.report.tables.per_patient import (
    RATIOS,
    by_label,
    groups_of,
    lesion_loads,
    patient_courses,
    ratio_courses,
)
from hlhneuro.settings import ReportSettings

__all__ = [
    "INTERVALS_SHOWN",
    "group_comparison",
    "interval_changes",
    "load_trajectories",
    "ratio_trajectories",
    "territory_frequency",
    "territory_frequency_map",
    "territory_hits",
]

Tables = Mapping[str, pd.DataFrame]
CYCLE = ("blue", "vermillion", "green", "orange", "purple", "sky", "black")
MARKERS = "osD^vPX"
WIDTH_IN = 9.8
NAMED, INTERVALS_SHOWN = 14, 60  # patients that a legend can name; rows of a figure that fits one page
DAYS = "days since the first session"
SEE = "see who could not be assessed, and why"
LETTERS_OF_A_GROUP = 26
# Slices of the template: more than for a patient, because nothing else tells where the territories are.
TEMPLATE_SLICES, TEMPLATE_GAP_MM = ((AXIAL, 6), (CORONAL, 5)), 12.0


def load_trajectories(tables: Tables) -> Figure:
    """Draw the lesion load of every patient, over the days since the first session and over age.

    Raises
    ------
    NotAssessable
        If no patient has a lesion load.
    """
    table = lesion_loads(tables)
    if table.empty:
        raise NotAssessable("no patient has a lesion load", remedy=SEE)
    figure = new_figure(WIDTH_IN, 3.9)
    looks = _looks(table["subject"])
    panels = figure.subplots(1, 2, sharey=True)
    for ax, column, label in zip(panels, ("days", "age_years"), (DAYS, "age (years)"), strict=True):
        known = table[table[column].notna()]
        for subject, own in known.groupby("subject", sort=False):
            order = own.sort_values(column, kind="stable")
            _line(ax, order[column], order["volume_ml"], order["volume_sd_ml"], looks[str(subject)])
        if known.empty:
            _nothing(ax, "not known of any session")
        tidy(ax)
        ax.set_xlabel(label, fontsize=9, color=INK)
    panels[0].set_ylim(bottom=0)
    panels[0].set_ylabel("lesion load (ml)", fontsize=9, color=INK)
    _name_patients(figure, looks)
    return figure


def _looks(subjects: pd.Series[Any]) -> dict[str, dict[str, Any]]:
    """Return colour and marker of each patient; more than a legend can name are all alike."""
    labels = by_label(subjects.astype(str))
    if len(labels) > NAMED:
        return {label: {"color": MUTED, "marker": "o", "alpha": 0.55} for label in labels}
    looks = zip(labels, cycle(CYCLE), range(len(labels)), strict=False)
    return {
        label: {"color": COLOURS[colour], "marker": MARKERS[number // len(CYCLE)]} for label, colour, number in looks
    }


def _line(
    ax: Axes, x: pd.Series[Any], y: pd.Series[Any], sd: pd.Series[Any], look: Mapping[str, Any], **more: Any
) -> None:
    values, errors = y.to_numpy(dtype=float), sd.fillna(0).to_numpy(dtype=float)
    style = {"markersize": 4.5, "linewidth": 1.2, "capsize": 2, **look, **more}
    ax.errorbar(x.to_numpy(dtype=float), values, yerr=errors, **style)


def _nothing(ax: Axes, text: str) -> None:
    ax.text(0.5, 0.5, text, transform=ax.transAxes, ha="center", va="center", fontsize=8, color=MUTED)


def _name_patients(figure: Figure, looks: Mapping[str, Mapping[str, Any]]) -> None:
    if len(looks) > NAMED:
        return
    handles = [
        Line2D([], [], markersize=4.5, linewidth=1.2, label=f"sub-{name}", **look) for name, look in looks.items()
    ]
    figure.legend(handles=handles, loc="outside right upper", fontsize=8, frameon=False, labelcolor=INK)


def ratio_trajectories(tables: Tables, settings: ReportSettings | None = None) -> Figure:
    """Draw tNAA, tCho and lactate over tCr of every patient over the days since the first session.

    One row of panels per class of echo time, because ratios depend on it; a hollow marker was not told from noise.
    Spectra that are not usable are left out.

    Raises
    ------
    NotAssessable
        If there is no usable spectrum.
    """
    limits = (settings or ReportSettings()).echo_classes_s
    table = ratio_courses(tables, limits)
    table = table[table["days"].notna()]
    if table.empty:
        raise NotAssessable("no patient has a usable spectrum on a known date", remedy=SEE)
    classes, looks = sorted(set(table["echo_class"])), _looks(table["subject"])
    figure = new_figure(WIDTH_IN, 0.4 + 2.4 * len(classes))
    panels = figure.subplots(len(classes), len(RATIOS), sharex=True, squeeze=False)
    for row, echo_class in zip(panels, classes, strict=True):
        for ax, name in zip(row, RATIOS, strict=True):
            own = table[(table["echo_class"] == echo_class) & (table["metabolite"] == name)]
            for (subject, _), line in own.groupby(["subject", "spectrum"], sort=False):
                _line(ax, line["days"], line["ratio_to_tcr"], line["ratio_sd"], looks[str(subject)], markersize=0)
                _points(ax, line, looks[str(subject)])
            if own.empty:
                _nothing(ax, "not fitted")
            times = sorted({f"{1000 * float(time):.0f}" for time in own["echo_time_s"]}, key=float)
            ax.set_title(f"{name}/tCr" + (f", TE {', '.join(times)} ms" if times else ""), fontsize=9, color=INK)
            ax.margins(y=0.12)
            tidy(ax)
    for ax in panels[-1]:
        ax.set_xlabel(DAYS, fontsize=9, color=INK)
    for row in panels:
        row[0].set_ylabel("ratio", fontsize=9, color=INK)
    _name_patients(figure, looks)
    return figure


def _points(ax: Axes, line: pd.DataFrame, look: Mapping[str, Any]) -> None:
    found = line["detected"].astype("boolean").fillna(False).to_numpy(dtype=bool)
    for kept, fill in ((found, look["color"]), (~found, "white")):
        ax.plot(line["days"].to_numpy(dtype=float)[kept], line["ratio_to_tcr"].to_numpy(dtype=float)[kept],
                linestyle="none", marker=look["marker"], color=look["color"], markerfacecolor=fill, markersize=4.5,
                zorder=4)  # fmt: skip


def interval_changes(tables: Tables) -> Figure:
    """Draw the change of the load in every interval with its error; a bar through zero spans what is within error.

    Raises
    ------
    NotAssessable
        If no interval was measured.
    """
    table = tables["intervals"]
    table = table[table["net_ml"].notna() & (table["span"] == "interval")]
    if table.empty:
        raise NotAssessable("no interval was measured", remedy=SEE)
    largest = table["net_ml"].abs().sort_values(ascending=False, kind="stable").index[:INTERVALS_SHOWN]
    shown = table.loc[table.index.isin(largest)]
    figure = new_figure(WIDTH_IN, 1.0 + 0.22 * len(shown))
    ax = figure.subplots()
    y = np.arange(len(shown))
    net, limit = (shown[name].to_numpy(dtype=float) for name in ("net_ml", "smallest_real_change_ml"))
    ax.barh(y, 2 * limit, left=-limit, height=0.62, color="#dfe4e8", label="within the measurement error")
    beyond = np.abs(net) > limit
    sd = shown["net_sd_ml"].to_numpy(dtype=float)
    for kept, colour, marker, label in (
        (beyond & (net > 0), "vermillion", "o", "more"),
        (beyond & (net < 0), "blue", "s", "less"),
        (~beyond, "black", "|", "within error"),
    ):
        if kept.any():
            ax.errorbar(net[kept], y[kept], xerr=sd[kept], color=COLOURS[colour], marker=marker, linestyle="none",
                        markersize=6, capsize=2, label=label)  # fmt: skip
    ax.axvline(0, color=MUTED, linewidth=0.8)
    days = ["" if pd.isna(d) else f", {int(d)} d" for d in shown["days"]]
    names = zip(shown["subject"], shown["before"], shown["after"], days, strict=True)
    ax.set_yticks(y, [f"sub-{s}: ses-{b} to ses-{a}{d}" for s, b, a, d in names])
    ax.invert_yaxis()
    tidy(ax, grid=False)
    ax.tick_params(axis="y", labelcolor=INK)
    ax.grid(axis="x", color=HAIRLINE, linewidth=0.6)
    ax.set_xlabel("change of the lesion load (ml)", fontsize=9, color=INK)
    legend_beside(ax)
    return figure


def group_comparison(tables: Tables, column: str) -> Figure:
    """Draw load at the first session and change over the course by group: every patient a point, medians as bars.

    No test is made: groups are small, and they differ in more than their name.

    Parameters
    ----------
    tables : mapping of str to DataFrame
    column : str
        ``sex``, or a column of participants.tsv.

    Raises
    ------
    NotAssessable
        If no patient has both a group and a load.
    """
    groups, courses = groups_of(tables), patient_courses(tables)
    if column not in groups:
        raise NotAssessable(f"there is no column {column!r} in participants.tsv", remedy="choose one that is there")
    named = courses.assign(group=courses["subject"].map(groups[column])).dropna(subset=["group"])
    if named.empty:
        raise NotAssessable("no patient has both a group and a lesion load", remedy=SEE)
    names = sorted(set(named["group"].astype(str)))
    figure = new_figure(WIDTH_IN, 1.3 + 0.42 * len(names))
    panels = figure.subplots(1, 2, sharey=True)
    titles = ("load at the first session (ml)", "change from first to last session (ml)")
    for ax, measure, title in zip(panels, ("first_ml", "net_ml"), titles, strict=True):
        for place, name in enumerate(names):
            values = named.loc[named["group"].astype(str) == name, measure].dropna().to_numpy(dtype=float)
            _group(ax, place, np.sort(values), COLOURS[CYCLE[place % len(CYCLE)]])
        ax.axvline(0, color=MUTED, linewidth=0.8)
        tidy(ax, grid=False)
        ax.grid(axis="x", color=HAIRLINE, linewidth=0.6)
        ax.set_xlabel(title, fontsize=9, color=INK)
    panels[0].set_yticks(range(len(names)), [_short(name) for name in names])
    panels[0].set_ylim(len(names) - 0.5, -0.5)
    panels[0].tick_params(axis="y", labelcolor=INK)
    figure.suptitle(f"by {column}", fontsize=9.5, color=INK, x=0.01, ha="left")
    return figure


def _group(ax: Axes, place: int, values: np.ndarray[Any, Any], colour: str) -> None:
    """Draw the points of one group, spread so that none hides another, its median and its count."""
    if len(values):
        spread = 0.24 * ((np.arange(len(values)) % 5) - 2) / 2 if len(values) > 1 else np.zeros(1)
        ax.plot(values, place + spread, "o", color=colour, markersize=5, alpha=0.85, markeredgecolor="white",
                markeredgewidth=0.4)  # fmt: skip
        middle = float(np.median(values))
        ax.plot([middle, middle], [place - 0.38, place + 0.38], color=INK, linewidth=2)
    ax.text(1.01, place, f"n = {len(values)}", transform=ax.get_yaxis_transform(), va="center", fontsize=7.5,
            color=MUTED)  # fmt: skip


def _short(name: str) -> str:
    return name if len(name) <= LETTERS_OF_A_GROUP else f"{name[: LETTERS_OF_A_GROUP - 2]} .."


def territory_hits(tables: Tables) -> pd.DataFrame:
    """Return in how many patients each territory is affected at any session: ``territory, side, patients``."""
    table = tables["territories"]
    hit = table[table["affected"].astype("boolean").fillna(False).astype(bool)]
    counts = hit.groupby(["territory", "side"])["subject"].nunique()
    places = table[["territory", "side"]].drop_duplicates().itertuples(index=False)
    rows = [(name, side, int(counts.get((name, side), 0))) for name, side in places]
    return pd.DataFrame(rows, columns=["territory", "side", "patients"])


def territory_frequency(tables: Tables) -> Figure:
    """Draw how many patients have a lesion in each territory at any session, left and right apart.

    Raises
    ------
    NotAssessable
        If territories were measured in nobody.
    """
    table, total = _hits(tables)
    names = list(dict.fromkeys(table["territory"]))
    figure = new_figure(WIDTH_IN, 1.0 + 0.27 * len(names))
    ax = figure.subplots()
    y = np.arange(len(names))
    sides = [side for side in ("left", "right", "midline") if side in set(table["side"])]
    sides += sorted({str(side) for side in table["side"].dropna()} - set(sides))
    for side, colour, shift in zip(
        sides, ("sky", "blue", "black", "green", "purple"), (-0.2, 0.2, 0, 0, 0), strict=False
    ):
        counts = table[table["side"] == side].set_index("territory")["patients"]
        height = 0.36 if side in ("left", "right") else 0.5
        ax.barh(y + shift, [int(counts.get(name, 0)) for name in names], height, color=COLOURS[colour], label=side)
    ax.set_yticks(y, names)
    ax.invert_yaxis()
    ax.set_xlim(0, total)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    tidy(ax, grid=False)
    ax.tick_params(axis="y", labelcolor=INK)
    ax.grid(axis="x", color=HAIRLINE, linewidth=0.6)
    ax.set_xlabel(f"patients with a lesion there at any session (of {total})", fontsize=9, color=INK)
    legend_beside(ax)
    return figure


def _hits(tables: Tables) -> tuple[pd.DataFrame, int]:
    if tables["territories"].empty:
        raise NotAssessable("territories were measured in nobody", remedy=SEE)
    return territory_hits(tables), tables["territories"]["subject"].nunique()


def territory_frequency_map(tables: Tables) -> Figure:
    """Draw on the template (MNI152) in how many patients each territory is affected at any session.

    Raises
    ------
    NotAssessable
        If territories were measured in nobody, or are affected in nobody.
    """
    hits, total = _hits(tables)
    codes = {(t.name, t.side): t.label for t in territories()}
    places = zip(hits["territory"], hits["side"], hits["patients"], strict=True)
    counts = {codes[name, side]: count for name, side, count in places if count and (name, side) in codes}
    if not counts:
        raise NotAssessable("no territory is affected in any patient", remedy="see the table of territories")
    limits, classes = count_classes(max(counts.values()))
    colours = {label: classes[class_of(count, limits)][0] for label, count in counts.items()}
    template, regions = template_territories()
    view, (image, _) = View.of(template), template_brain()
    window, rows = view.window(image), []
    for axis, tiles in _template_slices(view, regions):
        drawn = []
        for index in tiles:
            grey, brain = view.grey(image.data, window, axis, index), view.plane(view.brain, axis, index)
            drawn.append(view.tile(tinted(grey, view.plane(regions, axis, index), colours, brain), axis, index))
        rows.append(Row(tuple(drawn)))
    note = f"patients with a lesion in the territory at any session, of {total}; MNI152; {CONVENTION}"
    key = [(colour, f"{words} patient{'' if words == '1' else 's'}") for colour, words in classes]
    return draw_sheet(rows, view.voxel_mm, note, key=key)


def _template_slices(view: View, regions: np.ndarray[Any, Any]) -> list[tuple[int, Sequence[int]]]:
    """Return the same slices for every cohort: those that between them show most of all territories."""
    every = {t.label for t in territories()}
    gap = max(round(TEMPLATE_GAP_MM / view.voxel_mm), 1)
    return [(axis, slices_showing(regions, every, axis, count, gap)) for axis, count in TEMPLATE_SLICES]
