"""Change of brain and ventricle volume over time, with its error and what growth would do."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hlhneuro.errors import NotAssessable
from hlhneuro.lesions.volumes import STRUCTURES, VolumeChange, VolumeInterval
from hlhneuro.report.figures.style import COLOURS, HAIRLINE, INK, MUTED, legend_beside, new_figure, tidy
from hlhneuro.report.figures.time_axis import Places, label_sessions, session_places
from hlhneuro.report.results import SubjectResults
from hlhneuro.report.time_line import COVERAGE

__all__ = ["volume_course"]

TITLES = {"brain": "Brain parenchyma", "ventricles": "Ventricles"}
LINE_COLOURS = {"brain": COLOURS["blue"], "ventricles": COLOURS["vermillion"]}


@dataclass(frozen=True)
class _Point:
    """Logarithmic change since the start of its line, measured and expected (None if not known)."""

    place: float
    change: float = 0.0
    sd: float = 0.0
    expected: float | None = 0.0
    expected_sd: float = 0.0


def volume_course(results: SubjectResults) -> Figure:
    """Draw the change of brain and ventricles since the first session, one panel each, on the axis of `timeline`.

    The line adds the changes from session to session, its bars are 95 % intervals of the sum; the diamond is the change
    from the first to the last session, measured by itself. Behind them lies what a healthy person of that age would do
    (95 % interval of one person), where that is known, and the intervals in which steroids may have moved the volumes.

    Raises
    ------
    NotAssessable
        If no change of volume was measured.
    """
    volumes = results.volumes
    if volumes is None or not volumes.measured:
        told = [interval.reason for interval in volumes.intervals if interval.reason] if volumes else []
        raise NotAssessable(
            told[0] if told else "volume change needs two sessions", remedy="a 3-D T1w of one protocol at two sessions"
        )
    places, unit = session_places(results.subject.sessions)
    figure = new_figure(8.6, 5.4)
    axes = figure.subplots(len(STRUCTURES), 1, sharex=True)
    for ax, structure in zip(axes, STRUCTURES, strict=True):
        for place in places.values():
            ax.axvline(place, color=HAIRLINE, linewidth=0.8, zorder=0)
        ax.axhline(0, color=MUTED, linewidth=0.8, zorder=1)
        _steroids(ax, volumes, places)
        _panel(ax, volumes, structure, places)
        ax.set_title(TITLES[structure], fontsize=9, color=INK, loc="left")
        ax.set_ylabel("change since start (%)", fontsize=9, color=INK)
        ax.margins(y=0.15)
        tidy(ax)
        legend_beside(ax)
    spread = max(places.values()) - min(places.values()) or 1.0
    axes[-1].set_xlim(min(places.values()) - 0.1 * spread, max(places.values()) + 0.1 * spread)
    label_sessions(axes[-1], results.subject.sessions, places)
    axes[-1].set_xlabel(unit, fontsize=9, color=INK)
    figure.align_ylabels()
    return figure


def _percent(log_change: float) -> float:
    return 100 * math.expm1(log_change)


def _steroids(ax: Axes, volumes: VolumeChange, places: Places) -> None:
    label = "steroids: volumes may\nrise or fall without\nloss of tissue"
    for interval in _known(volumes, places):
        if interval.steroids and not interval.whole:
            span = places[interval.before], places[interval.after]
            ax.axvspan(*span, facecolor=COLOURS["yellow"], alpha=0.18, linewidth=0, zorder=0, label=label)
            label = ""


def _known(volumes: VolumeChange, places: Places) -> Iterator[VolumeInterval]:
    return (i for i in volumes.intervals if i.before in places and i.after in places)


def _panel(ax: Axes, volumes: VolumeChange, structure: str, places: Places) -> None:
    steps = [interval for interval in _known(volumes, places) if not interval.whole]
    for interval in steps:
        if interval.change(structure) is None:
            middle = (places[interval.before] + places[interval.after]) / 2
            ax.text(middle, 0.04, "not assessable", transform=ax.get_xaxis_transform(), ha="center", fontsize=7,
                    color=MUTED)  # fmt: skip
    for number, line in enumerate(_lines(steps, structure, places)):
        _expected(ax, line, label=not number)
        _measured(ax, [(p.place, p.change, p.sd) for p in line], LINE_COLOURS[structure], "o",
                  "" if number else "measured,\n95 % interval")  # fmt: skip
    whole = next((i for i in _known(volumes, places) if i.whole), None)
    change = whole.change(structure) if whole else None
    if whole and change:
        beside = places[whole.after] + 0.015 * (max(places.values()) - min(places.values()))
        _measured(
            ax, [(beside, change.log_change, change.log_change_sd)], INK, "D", "first to last,\nmeasured by itself"
        )


def _measured(ax: Axes, points: list[tuple[float, float, float]], colour: str, marker: str, label: str) -> None:
    x = [place for place, _, _ in points]
    middle, low, high = ([_percent(c + k * COVERAGE * sd) for _, c, sd in points] for k in (0, -1, 1))
    bars = [[m - b for m, b in zip(middle, low, strict=True)], [t - m for m, t in zip(middle, high, strict=True)]]
    fill = "white" if marker == "D" else colour
    ax.errorbar(x, middle, yerr=bars, color=colour, marker=marker, markerfacecolor=fill, markersize=5, linewidth=1.4,
                capsize=3, zorder=4, label=label)  # fmt: skip


def _expected(ax: Axes, line: Iterable[_Point], *, label: bool) -> None:
    known = [(p.place, p.expected, p.expected_sd) for p in line if p.expected is not None]
    if len(known) < 2:
        ax.text(0.01, 0.94, "growth at these ages is not known", transform=ax.transAxes, va="top", fontsize=7,
                color=MUTED)  # fmt: skip
        return
    x = [place for place, _, _ in known]
    low, high = ([_percent(e + sign * COVERAGE * sd) for _, e, sd in known] for sign in (-1, 1))
    text = "healthy person of that age,\n95 % interval" if label else ""
    ax.fill_between(x, low, high, color="#b9c2c9", alpha=0.45, linewidth=0, zorder=2, label=text)
    ax.plot(x, [_percent(e) for _, e, _ in known], color=MUTED, linestyle="--", linewidth=1.0, zorder=3)


def _lines(steps: Iterable[VolumeInterval], structure: str, places: Places) -> Iterator[list[_Point]]:
    """Add up consecutive steps; a step that was not measured ends a line, and the next one starts at 0."""
    line: list[_Point] = []
    for step in steps:
        change = step.change(structure)
        if change is None:
            if line:
                yield line
            line = []
            continue
        line = line or [_Point(places[step.before])]
        last = line[-1]
        growth, growth_sd = change.expected_log_change, change.expected_log_change_sd
        line.append(
            _Point(
                places[step.after],
                last.change + change.log_change,
                math.hypot(last.sd, change.log_change_sd),
                None if growth is None or last.expected is None else last.expected + growth,
                last.expected_sd + (growth_sd or 0.0),  # who grows fast in one interval does so in the next
            )
        )
    if line:
        yield line
