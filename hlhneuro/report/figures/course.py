"""The course of one patient: load, change, brain volume, spectral ratios, observations and treatment on one axis."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from hlhneuro.errors import NotAssessable
from hlhneuro.report.figures.event_lanes import (
    LANE_IN,
    MOST_LANES,
    draw_lanes,
    draw_observations,
    observation_rows,
)
from hlhneuro.report.figures.style import CHANGE_COLOURS, COLOURS, HAIRLINE, INK, MUTED, new_figure, tidy
from hlhneuro.report.figures.time_axis import TimeAxis
from hlhneuro.report.results import SubjectResults
from hlhneuro.report.time_line import COVERAGE, FOLLOWED, time_line

__all__ = ["timeline"]

WIDTH_IN, LEFT_IN, RIGHT_IN, BOTTOM_IN = 9.5, 2.05, 1.3, 0.62
LEVEL_IN = 0.5  # of the labels of sessions
SERIES = (("blue", "o"), ("orange", "s"), ("green", "D"), ("purple", "^"), ("sky", "v"), ("black", "P"))
MOST_VALUES = 6  # points whose value is written beside them

Row = dict[str, Any]
Draw = Callable[[Axes], None]


@dataclass(frozen=True)
class _Panel:
    """One row of the picture."""

    title: str
    height_in: float
    draw: Draw
    gap_in: float = 0.14


def timeline(results: SubjectResults, *, width_in: float = WIDTH_IN) -> Figure:
    """Draw the course over time, row by row on one axis.

    Rows are lesion load, what appeared and went, change of brain volume, ratios of metabolites, symptoms and
    cerebrospinal fluid, treatment and events; a row of which nothing is known is left out. The axis is in days since
    the first session; where a date is missing, in years of age; where that is missing too, the order of the sessions:
    treatment and observations then have no place. Bars are 95 % intervals. Everything drawn is in
    `hlhneuro.report.time_line.time_line`.

    Parameters
    ----------
    results : SubjectResults
    width_in : float

    Raises
    ------
    NotAssessable
        If there is nothing that could be drawn over time.
    """
    told, sessions = time_line(results), results.subject.sessions
    days = [day for lane in told["lanes"] for span in lane["spans"] for day in (span["start_day"], span["end_day"])]
    days += [one["day"] for one in told["observations"]]
    axis = TimeAxis.of(sessions, [day for day in days if day is not None])
    panels = list(_panels(told, axis))
    if not panels or not sessions:
        raise NotAssessable("nothing is known that could be drawn over time", remedy="see what was not done, and why")
    inner_in = width_in - LEFT_IN - RIGHT_IN
    head_in = LEVEL_IN * axis.levels(sessions, inner_in)
    height_in = head_in + sum(panel.height_in + panel.gap_in for panel in panels) + BOTTOM_IN
    figure = new_figure(width_in, height_in, layout=None)

    def place(top_in: float, high_in: float) -> Axes:
        box = (LEFT_IN / width_in, 1 - (top_in + high_in) / height_in, inner_in / width_in, high_in / height_in)
        ax = figure.add_axes(box)
        ax.patch.set_alpha(0.0)
        return ax

    axis.head(place(0.03, head_in - 0.03), sessions, inner_in)
    top_in = head_in
    for panel in panels:
        top_in += panel.gap_in
        ax = place(top_in, panel.height_in)
        panel.draw(ax)
        _frame(ax, panel, axis, inner_in)
        top_in += panel.height_in
    axis.ticks(ax)
    ax.tick_params(axis="x", bottom=True, labelbottom=True, labelsize=7.5, labelcolor=MUTED, length=3)
    ends = (1 - head_in / height_in, 1 - top_in / height_in)
    _session_lines(figure, axis, ends, (LEFT_IN / width_in, inner_in / width_in))
    return figure


def _panels(told: Row, axis: TimeAxis) -> Iterator[_Panel]:
    if told["loads"]:
        yield _Panel("Lesion load\n(ml)", 1.25, lambda ax: _loads(ax, told, axis), 0.1)
    if told["changes"]:
        yield _Panel("Change of lesions\n(ml)", 1.15, lambda ax: _changes(ax, told["changes"], axis))
    if told["brain"]:
        yield _Panel("Brain volume,\nchange (%)", 0.8, lambda ax: _brain(ax, told["brain"], axis))
    if told["spectra"]:
        for number, title in enumerate(_followed(told["spectra"])):
            key = told["spectra"] if number == 0 else ()
            draw = _ratio_row(title, told["spectra"], key, axis)
            yield _Panel(
                f"{title} / tCr", 0.62 if len(told["spectra"]) < 3 else 0.8, draw, 0.14 if number == 0 else 0.09
            )
    if not axis.dated:
        if told["lanes"] or told["observations"] or told["unplaced"]:
            yield _Panel("Treatment, events", 0.24, lambda ax: _no_place(ax, axis))
        return
    if rows := observation_rows(told["observations"]):
        yield _Panel("", LANE_IN * len(rows), lambda ax: _observed(ax, rows, axis))
    if lanes := told["lanes"]:
        last = max(axis.places.values())
        shown = lanes[:MOST_LANES]
        yield _Panel("", LANE_IN * len(shown), lambda ax: draw_lanes(ax, shown, axis, last))
        if left := len(lanes) - len(shown):
            yield _Panel("", 0.18, lambda ax: _remark(ax, axis, f"and {left} more: see the clinical record"), 0.02)


def _frame(ax: Axes, panel: _Panel, axis: TimeAxis, inner_in: float) -> None:
    ax.set_xlim(axis.low, axis.high)
    lanes = not panel.title
    tidy(ax, grid=not lanes)
    ax.spines["bottom"].set_visible(False)
    ax.spines["left"].set_visible(not lanes)
    ax.tick_params(axis="x", bottom=False, labelbottom=False)
    ax.tick_params(axis="y", labelsize=8 if lanes else 7.5, labelcolor=INK if lanes else MUTED, length=0)
    if panel.title:
        words = panel.title.partition("\n")
        ax.text(
            -0.5 / inner_in, 0.5, "".join(words), transform=ax.transAxes, ha="right", va="center", fontsize=8.5,
            color=INK, linespacing=1.3,
        )  # fmt: skip


def _session_lines(figure: Figure, axis: TimeAxis, ends: tuple[float, float], across: tuple[float, float]) -> None:
    """Draw one line per session from its label to the axis below."""
    left, width = across
    for place in axis.places.values():
        x = left + width * (place - axis.low) / axis.span
        line = Line2D([x, x], list(ends), transform=figure.transFigure, color=HAIRLINE, linewidth=0.9, zorder=-1)
        figure.add_artist(line)


def _bars(sds: Sequence[float | None]) -> list[float]:
    return [COVERAGE * (sd or 0.0) for sd in sds]


def _loads(ax: Axes, told: Row, axis: TimeAxis) -> None:
    rows = sorted((r for r in told["loads"] if r["label"] in axis.places), key=lambda r: axis.places[r["label"]])
    x, y = [axis.places[row["label"]] for row in rows], [row["load_ml"] for row in rows]
    colour = COLOURS["vermillion"]
    bars = _bars([row["load_sd_ml"] for row in rows])
    ax.errorbar(x, y, yerr=bars, color=colour, linewidth=1.5, capsize=3, zorder=3)
    for row, here, value in zip(rows, x, y, strict=True):
        full = row["confidence"] == "full"
        ax.plot(here, value, "o", color=colour, markersize=5.5, markerfacecolor=colour if full else "white", zorder=4)
        if len(rows) <= MOST_VALUES:
            ax.annotate(f"{value:.1f}", (here, value), xytext=(7, 4), textcoords="offset points", fontsize=8, color=INK)
    missing = [place for label, place in axis.places.items() if label not in {row["label"] for row in rows}]
    ax.plot(missing, [0.06] * len(missing), "x", color=MUTED, markersize=5, transform=ax.get_xaxis_transform())
    ax.set_ylim(0, 1.22 * max((a + b for a, b in zip(y, bars, strict=True)), default=1.0) or 1.0)
    ax.yaxis.set_major_locator(MaxNLocator(4))
    keys = [Line2D([], [], color=colour, marker="o", markersize=5, label="95 % interval")]
    if any(row["confidence"] != "full" for row in rows):
        keys.append(_key(colour, "o", "reduced confidence", hollow=True))
    if missing:
        keys.append(_key(MUTED, "x", "not assessable"))
    _legend(ax, keys)


def _changes(ax: Axes, rows: Sequence[Row], axis: TimeAxis) -> None:
    """Stack what came above zero and what went below it, in the middle of each interval."""
    unknown = []
    for row in rows:
        start, end = axis.places.get(row["before"]), axis.places.get(row["after"])
        if start is None or end is None:
            continue
        middle = (start + end) / 2
        if row["reason"]:
            unknown.append(middle)
            continue
        ax.plot([start, end], [0, 0], color=MUTED, linewidth=2.2, solid_capstyle="butt", zorder=1)
        width = min(max(0.5 * (end - start), 0.012 * axis.span), 0.07 * axis.span)
        for sign, kinds in ((1, ("enlarged", "new")), (-1, ("shrunk", "resolved"))):
            base = 0.0
            for kind in kinds:
                height = sign * row[f"{kind}_ml"]
                ax.bar(middle, height, width, bottom=base, color=CHANGE_COLOURS[kind], edgecolor="white", linewidth=0.5,
                       zorder=2)  # fmt: skip
                base += height
    ax.axhline(0, color=MUTED, linewidth=0.8)
    ax.margins(y=0.15)
    if ax.get_ylim()[0] > -0.05 * ax.get_ylim()[1]:
        ax.set_ylim(bottom=-0.12 * ax.get_ylim()[1])
    ax.plot(unknown, [0.06] * len(unknown), "x", color=MUTED, markersize=5, transform=ax.get_xaxis_transform())
    ax.yaxis.set_major_locator(MaxNLocator(4))
    keys: list[Line2D | Patch] = [
        Patch(color=CHANGE_COLOURS[kind], label=kind) for kind in ("new", "enlarged", "shrunk", "resolved")
    ]
    _legend(ax, [*keys, *([_key(MUTED, "x", "not assessable")] if unknown else [])])


def _brain(ax: Axes, rows: Sequence[Row], axis: TimeAxis) -> None:
    """Draw the change of each interval over its length, with the interval of its error in the middle."""
    steroids = False
    for row in rows:
        start, end = axis.places.get(row["before"]), axis.places.get(row["after"])
        if start is None or end is None:
            continue
        value, bar = row["change_percent"], COVERAGE * row["change_sd_percent"]
        colour = COLOURS["blue"]
        ax.plot([start, end], [value, value], color=colour, linewidth=2.0, solid_capstyle="butt", zorder=3)
        face = "white" if row["steroids"] else colour
        ax.errorbar((start + end) / 2, value, yerr=bar, color=colour, marker="o", markersize=4.5, markerfacecolor=face,
                    capsize=3, linewidth=1.3, zorder=4)  # fmt: skip
        steroids |= row["steroids"]
    ax.axhline(0, color=MUTED, linewidth=0.8, zorder=1)
    ax.margins(y=0.2)
    ax.yaxis.set_major_locator(MaxNLocator(3))
    keys = [_key(COLOURS["blue"], "o", "95 % interval")]
    if steroids:
        keys.append(_key(COLOURS["blue"], "o", "under steroids", hollow=True))
    _legend(ax, keys)


def _followed(spectra: Sequence[Row]) -> list[str]:
    known = {title for one in spectra for point in one["points"] for title in point["ratios"]}
    return [title for title in FOLLOWED if title in known]


def _ratio_row(title: str, spectra: Sequence[Row], keys: Sequence[Row], axis: TimeAxis) -> Draw:
    return lambda ax: _ratios(ax, title, spectra, keys, axis)


def _ratios(ax: Axes, title: str, spectra: Sequence[Row], keys: Sequence[Row], axis: TimeAxis) -> None:
    """Draw one ratio of every voxel and echo time; series lie a little beside each other."""
    tops, bottoms = [0.0], [0.0]
    for number, one in enumerate(spectra):
        points = [(p["label"], p["ratios"][title]) for p in one["points"] if title in p["ratios"]]
        points = sorted((p for p in points if p[0] in axis.places), key=lambda p: axis.places[p[0]])
        shift = (number - (len(spectra) - 1) / 2) * 0.009 * axis.span
        x, y = [axis.places[label] + shift for label, _ in points], [ratio["ratio_to_tcr"] for _, ratio in points]
        bars = _bars([ratio["ratio_sd"] for _, ratio in points])
        colour, marker = COLOURS[SERIES[number % len(SERIES)][0]], SERIES[number % len(SERIES)][1]
        ax.errorbar(x, y, yerr=bars, color=colour, linewidth=1.2, elinewidth=1.0, capsize=2.5, zorder=3)
        for here, value, (_, ratio) in zip(x, y, points, strict=True):
            face = colour if ratio["detected"] else "white"
            ax.plot(here, value, marker, color=colour, markersize=4.5, markerfacecolor=face, zorder=4)
        tops += [min(value + bar, 3 * max(y)) for value, bar in zip(y, bars, strict=True)]
        bottoms += y
    top = 1.15 * max(tops) or 1.0
    ax.set_ylim(min(1.1 * min(bottoms), -0.07 * top), top)  # markers at zero are whole
    ax.yaxis.set_major_locator(MaxNLocator(3))
    if keys:
        named = [_key(COLOURS[SERIES[n % len(SERIES)][0]], SERIES[n % len(SERIES)][1], _series(one, spectra))
                 for n, one in enumerate(keys)]  # fmt: skip
        hollow = any(not r["detected"] for one in spectra for p in one["points"] for r in p["ratios"].values())
        _legend(ax, [*named, *([_key(MUTED, "o", "not told from noise", hollow=True)] if hollow else [])])


def _series(one: Row, spectra: Sequence[Row]) -> str:
    echo = "TE unknown" if one["echo_time_ms"] is None else f"TE {one['echo_time_ms']:.0f} ms"
    voxel = one["voxel"].removeprefix("voi-")
    alone = len({other["voxel"] for other in spectra}) == 1
    return echo if alone else f"{voxel[:16]}\n{echo}"


def _observed(ax: Axes, rows: Sequence[tuple[str, list[tuple[float, Any]]]], axis: TimeAxis) -> None:
    draw_observations(ax, rows, axis)
    values = [value for _, seen in rows for _, value in seen]
    keys = []
    if any(value is True or value == "abnormal" for value in values):
        keys.append(_key(COLOURS["vermillion"], "o", "present, abnormal"))
    if any(value is False or value == "normal" for value in values):
        keys.append(_key(INK, "o", "absent, normal", hollow=True))
    if "not decided" in values:
        keys.append(_key(INK, "$?$", "fluid not decided"))
    if keys:
        _legend(ax, keys)


def _no_place(ax: Axes, axis: TimeAxis) -> None:
    _remark(ax, axis, "no place on this axis: the sessions need dates; see the clinical record")


def _remark(ax: Axes, axis: TimeAxis, text: str) -> None:
    ax.set_xlim(axis.low, axis.high)
    ax.set_yticks([])
    ax.text(0.0, 0.5, text, transform=ax.transAxes, va="center", fontsize=8, color=MUTED)


def _key(colour: str, marker: str, label: str, *, hollow: bool = False) -> Line2D:
    face = "white" if hollow else colour
    return Line2D([], [], color=colour, marker=marker, markerfacecolor=face, markersize=5, linestyle="", label=label)


def _legend(ax: Axes, handles: Sequence[Line2D | Patch]) -> None:
    ax.legend(
        handles=list(handles), loc="upper left", bbox_to_anchor=(1.0, 1.06), fontsize=7.5, frameon=False,
        labelcolor=INK, handlelength=1.2, handletextpad=0.5, labelspacing=0.35, borderaxespad=0.3,
    )  # fmt: skip
