"""The axis of time that figures share: where sessions and days stand, and the labels of the sessions."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from hlhneuro.report.figures.style import HAIRLINE, INK, MUTED
from hlhneuro.report.words import age_text
from hlhneuro.study.layout import Session

__all__ = ["Places", "TimeAxis", "label_sessions", "session_places"]

Places = dict[str, float]

TREATMENT_COLUMNS = ("treatment", "treatments", "therapy", "event", "events")
DAYS, AGES = "days since the first session", "age (years)"
ORDER = "order of the sessions (dates are not known)"
# Expert-set: how far the axis reaches beyond the sessions for events and observations; at least so many days.
REACH, LEAST_REACH_DAYS = 0.5, 60.0
LEAST_SPAN_DAYS = 14.0
MOST_LEVELS = 3  # of labels above each other
CHARACTER_IN = 0.066  # width of a character of a label, at its size
LABEL_SIZE = 7.5


@dataclass(frozen=True)
class TimeAxis:
    """Where sessions, and days where dates are known, stand on the axis of time.

    Parameters
    ----------
    places : mapping of session label to float
    unit : str
        What the axis is.
    first : date, optional
        The day that is 0; None where the axis is not one of days.
    low, high : float
        Its ends.
    """

    places: Mapping[str, float]
    unit: str
    first: dt.date | None
    low: float
    high: float

    @classmethod
    def of(cls, sessions: Sequence[Session], days: Iterable[int] = ()) -> TimeAxis:
        """Return the axis of the sessions that reaches as far as the given days, if they are not too far.

        Parameters
        ----------
        sessions : sequence of Session
        days : iterable of int
            Of events and observations, since the first session; left out where the axis is not one of days.
        """
        places, unit = session_places(sessions)
        first, last = min(places.values(), default=0.0), max(places.values(), default=0.0)
        if unit == DAYS:
            reach = max(REACH * (last - first), LEAST_REACH_DAYS)
            near = [float(day) for day in days if first - reach <= day <= last + reach]
            first, last = min([first, *near]), max([last, *near])
            if last - first < LEAST_SPAN_DAYS:
                middle = (first + last) / 2
                first, last = middle - LEAST_SPAN_DAYS / 2, middle + LEAST_SPAN_DAYS / 2
        margin = 0.05 * (last - first) or 1.0
        day = min((s.date for s in sessions if s.date), default=None) if unit == DAYS else None
        return cls(places, unit, day, first - margin, last + margin)

    @property
    def dated(self) -> bool:
        """Whether days have a place on it."""
        return self.first is not None

    @property
    def span(self) -> float:
        """Length of the axis."""
        return self.high - self.low

    def ticks(self, ax: Axes) -> None:
        """Label the axis below: days, with their date; years; or nothing but what it is."""
        ax.set_xlim(self.low, self.high)
        if self.first is None:
            if self.unit == ORDER:
                ax.set_xticks([])
            ax.set_xlabel(self.unit, fontsize=8.5, color=MUTED)
            return
        steps = [1, 1.5, 2, 3, 5, 10]
        days = MaxNLocator(8, steps=steps, integer=True).tick_values(self.low, self.high)
        days = [day for day in days if self.low <= day <= self.high]
        ax.set_xticks(days, [f"{day:.0f}\n{self.first + dt.timedelta(days=int(day))}" for day in days])
        ax.set_xlabel(f"{self.unit}, and date", fontsize=8.5, color=MUTED)

    def head(self, ax: Axes, sessions: Sequence[Session], width_in: float) -> None:
        """Write label, date and age above each session; how many found no room stands beside them."""
        ax.set_xlim(self.low, self.high)
        ax.set_ylim(0, 1)
        ax.axis("off")
        levels = self._levels(sessions, width_in)
        left_out = sum(level is None for _, level in levels)
        if left_out:
            text = f"{left_out} sessions lie\ntoo close for\na label"
            ax.text(1.02, 1.0, text, transform=ax.transAxes, va="top", fontsize=LABEL_SIZE, color=MUTED)
        for session, level in levels:
            place = self.places[session.label]
            if level is None:
                continue
            top = 1 - level / self.levels(sessions, width_in)
            ax.text(
                place,
                top,
                "\n".join(_head_lines(session)),
                ha="center",
                va="top",
                fontsize=LABEL_SIZE,
                color=INK,
                linespacing=1.25,
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},
                zorder=3,
            )
            ax.plot([place, place], [0, top - 0.1], color=HAIRLINE, linewidth=0.8, zorder=1)

    def levels(self, sessions: Sequence[Session], width_in: float) -> int:
        """Return how many levels of labels the sessions need above each other."""
        return 1 + max((level or 0 for _, level in self._levels(sessions, width_in)), default=0)

    def _levels(self, sessions: Sequence[Session], width_in: float) -> list[tuple[Session, int | None]]:
        """Give each session the highest level with room for its label; None where all are full."""
        ends: list[float] = []
        found: list[tuple[Session, int | None]] = []
        for session in sorted(sessions, key=lambda one: self.places[one.label]):
            centre = (self.places[session.label] - self.low) / self.span * width_in
            half = CHARACTER_IN * max(map(len, _head_lines(session))) / 2 + 0.04
            level = next((n for n, end in enumerate(ends) if centre - half >= end), len(ends))
            if level < MOST_LEVELS:
                ends[level : level + 1] = [centre + half]
            found.append((session, level if level < MOST_LEVELS else None))
        return found


def _head_lines(session: Session) -> list[str]:
    date = session.date.isoformat() if session.date else "date unknown"
    return [f"ses-{_short(session.label)}", date, age_text(session.age_years)]


def _short(label: str, most: int = 12) -> str:
    return label if len(label) <= most else f"{label[: most - 1]}…"


def session_places(sessions: Sequence[Session]) -> tuple[Places, str]:
    """Return where each session stands on the axis of time, and what the axis is."""
    dates = [session.date for session in sessions]
    known = [date for date in dates if date is not None]
    if known and len(known) == len(sessions):
        first = min(known)
        return {s.label: float((s.date - first).days) for s in sessions if s.date}, DAYS
    ages = [session.age_years for session in sessions if session.age_years is not None]
    if ages and len(ages) == len(sessions) and len(set(ages)) == len(ages):
        return {s.label: s.age_years for s in sessions if s.age_years is not None}, AGES
    return {s.label: float(i) for i, s in enumerate(sessions)}, ORDER


def label_sessions(ax: Axes, sessions: Sequence[Session], places: Places) -> None:
    """Write label, date, age and treatment under each session; labels that would touch go to a lower level."""
    low, high = ax.get_xlim()
    texts = {session.label: _session_lines(session) for session in sessions}
    deepest = max(len(lines) for lines in texts.values())
    ends: list[float] = []  # where the last label of each level ends, in parts of the axis
    ticks, labels = [], []
    for session in sorted(sessions, key=lambda session: places[session.label]):
        lines = texts[session.label]
        centre = (places[session.label] - low) / (high - low)
        half = 0.0062 * max(map(len, lines)) + 0.008
        level = next((i for i, end in enumerate(ends) if centre - half >= end), len(ends))
        ends[level : level + 1] = [centre + half]
        ticks.append(places[session.label])
        labels.append("\n" * (level * deepest) + "\n".join(lines))
    ax.set_xticks(ticks, labels)
    ax.tick_params(axis="x", labelsize=8, labelcolor=INK)


def _session_lines(session: Session) -> list[str]:
    lines = [f"ses-{session.label}", session.date.isoformat() if session.date else "date unknown"]
    lines.append(age_text(session.age_years))
    for name in TREATMENT_COLUMNS:
        text = session.covariates.get(name, "")
        lines += [part.strip()[:24] for part in text.replace(";", ",").split(",") if part.strip()]
    return lines
