"""Lanes of a time line: courses of drugs as bars, single events and observations as markers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from matplotlib.axes import Axes
from matplotlib.font_manager import findfont
from matplotlib.ft2font import FT2Font

from hlhneuro.report.figures.style import COLOURS, HAIRLINE, INK, MUTED
from hlhneuro.report.figures.time_axis import TimeAxis

__all__ = ["LANE_IN", "MOST_LANES", "draw_lanes", "draw_observations", "lane_name", "observation_rows"]

LANE_IN = 0.225
MOST_LANES = 20  # expert-set: more are no picture any more; the clinical record lists them all
LONGEST_NAME = 27
GROUP_COLOURS = {
    "steroid": COLOURS["blue"],
    "drug": COLOURS["sky"],
    "intrathecal": COLOURS["purple"],
    "transplant": COLOURS["green"],
    "procedure": MUTED,
    "complication": COLOURS["vermillion"],
    "other": "#8b98a3",
}
GROUP_MARKERS = {"complication": "D", "transplant": "^", "procedure": "s"}
NEAR = 0.045  # parts of the axis: numbers nearer than this to the one before are left out

Lane = Mapping[str, Any]


def draw_lanes(ax: Axes, lanes: Sequence[Lane], axis: TimeAxis, last_day: float) -> None:
    """Draw one lane per event name, the first at the top.

    Parameters
    ----------
    ax : Axes
    lanes : sequence of mapping
        ``lanes`` of `hlhneuro.report.time_line.time_line`.
    axis : TimeAxis
    last_day : float
        Day of the last session: a course without an end is only known to go on until then.
    """
    _rows(ax, [lane_name(lane) for lane in lanes], axis)
    for row, lane in enumerate(lanes):
        colour = GROUP_COLOURS[lane["group"]]
        for span in lane["spans"]:
            start, end = float(span["start_day"]), span["end_day"]
            if span["goes_on"]:
                _bar(ax, axis, row, start, max(last_day, start), colour)
                _bar(ax, axis, row, max(last_day, start), axis.high, colour, alpha=0.35)
                _edge(ax, axis.high, row, ">", colour)
            elif end is not None and end > start:
                _bar(ax, axis, row, start, float(end), colour)
                if end > axis.high:
                    _edge(ax, axis.high, row, ">", colour)
            elif axis.low <= start <= axis.high:
                marker = GROUP_MARKERS.get(lane["group"], "|")
                width = 2.2 if marker == "|" else 0.6
                ax.plot(
                    start, row, marker, color=colour, markersize=8 if marker == "|" else 7, markeredgewidth=width,
                    markeredgecolor=colour if marker == "|" else "white", zorder=3,
                )  # fmt: skip
            if start < axis.low or (start > axis.high):
                _edge(ax, axis.low if start < axis.low else axis.high, row, "<" if start < axis.low else ">", colour)


def _bar(ax: Axes, axis: TimeAxis, row: int, start: float, end: float, colour: str, *, alpha: float = 1.0) -> None:
    start, end = max(start, axis.low), min(end, axis.high)
    if end > start:
        ax.barh(row, end - start, 0.5, left=start, color=colour, alpha=alpha, linewidth=0, zorder=2)


def _edge(ax: Axes, place: float, row: int, marker: str, colour: str) -> None:
    """Say that it began earlier, or goes on later, than the axis reaches."""
    ax.plot(place, row, marker, color=colour, markersize=5, clip_on=False, zorder=4)


def observation_rows(observations: Sequence[Mapping[str, Any]]) -> list[tuple[str, list[tuple[float, Any]]]]:
    """Return what of the observations has a lane: its title, and day and value of each."""
    rows = []
    for title, key in (
        ("neurological symptoms", "neurological_symptoms"),
        ("cerebrospinal fluid", "fluid"),
        ("donor chimerism (%)", "donor_chimerism_percent"),
    ):
        dated = [one for one in observations if one["day"] is not None and one[key] is not None]
        seen = [(float(one["day"]), one[key]) for one in dated]
        if seen:
            rows.append((title, sorted(seen, key=lambda one: one[0])))
    return rows


def draw_observations(ax: Axes, rows: Sequence[tuple[str, list[tuple[float, Any]]]], axis: TimeAxis) -> None:
    """Draw symptoms and fluid as markers (filled: present or abnormal), chimerism as numbers."""
    _rows(ax, [title for title, _ in rows], axis)
    for row, (title, seen) in enumerate(rows):
        last = axis.low - axis.span
        for day, value in seen:
            if not axis.low <= day <= axis.high:
                _edge(ax, axis.low if day < axis.low else axis.high, row, "<" if day < axis.low else ">", MUTED)
            elif title.startswith("donor"):
                if day - last >= NEAR * axis.span:
                    box = {"facecolor": "white", "edgecolor": "none", "pad": 0.6}
                    ax.text(day, row, f"{value:.0f}", ha="center", va="center", fontsize=7.5, color=INK, bbox=box)
                    last = day
            else:
                _answer(ax, day, row, value)


def _answer(ax: Axes, day: float, row: int, value: object) -> None:
    filled, open_ = value in (True, "abnormal"), value == "not decided"
    ax.plot(
        day, row, marker="o", markersize=6.5, color=COLOURS["vermillion"] if filled else INK,
        markerfacecolor=COLOURS["vermillion"] if filled else "white", markeredgewidth=1.1, linestyle="none", zorder=3,
    )  # fmt: skip
    if open_:
        ax.text(day, row, "?", ha="center", va="center", fontsize=6, color=INK, zorder=4)


def _rows(ax: Axes, names: Sequence[str], axis: TimeAxis) -> None:
    ax.set_xlim(axis.low, axis.high)
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.set_yticks(range(len(names)), names)
    ax.tick_params(axis="y", length=0, labelsize=8, labelcolor=INK)
    for row in range(len(names)):
        ax.axhline(row, color=HAIRLINE, linewidth=0.6, zorder=0)


def lane_name(lane: Lane) -> str:
    """Return the name of a lane as the letters of a figure can write it: shortened, or by its day where they cannot."""
    name = str(lane["name"])
    if not _drawable(name):
        return f"from {lane['spans'][0]['start']}, see record"
    short = name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1].rstrip()}…"
    return short.replace("$", r"\$")  # no formula


def _drawable(text: str) -> bool:
    """Return whether the font has every letter, and writes them from left to right."""
    right_to_left = any("\u0590" <= letter <= "\u08ff" or "\ufb1d" <= letter <= "\ufefc" for letter in text)
    return not right_to_left and all(ord(letter) in _letters() for letter in text)


@cache
def _letters() -> frozenset[int]:
    return frozenset(FT2Font(findfont("DejaVu Sans")).get_charmap())
