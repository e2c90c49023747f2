"""The course of one patient: lesion load, what appeared and went, spectral ratios and treatment on one axis of time."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hlhneuro.errors import NotAssessable
from hlhneuro.lesions.interval_findings import incomparable
from hlhneuro.report.figures.style import CHANGE_COLOURS, COLOURS, HAIRLINE, INK, MUTED, legend_beside, new_figure, tidy
from hlhneuro.report.results import SubjectResults
from hlhneuro.report.words import age_text
from hlhneuro.study.layout import Session

__all__ = ["Places", "label_sessions", "session_places", "timeline"]

Places = dict[str, float]

# The ratios that are followed, with the single metabolite that stands in where a fit gives no sum.
FOLLOWED = (("tNAA", "NAA"), ("tCho", "Cho"), ("mI", "Ins"), ("Lac", "Lactate"))
RATIO_COLOURS = ("blue", "green", "purple", "vermillion")
MARKERS = "osD^v"
TREATMENT_COLUMNS = ("treatment", "treatments", "therapy", "event", "events")


def timeline(results: SubjectResults) -> Figure:
    """Draw the course over time, one panel each for load, change and spectral ratios, sessions and treatment below.

    The axis is in days since the first session; where a date is missing, in years of age; where that is missing too,
    the order of the sessions. Error bars are one standard uncertainty.

    Raises
    ------
    NotAssessable
        If no session has a lesion load or a fitted spectrum.
    """
    places, unit = session_places(results.subject.sessions)
    panels: list[tuple[float, Callable[[Axes, SubjectResults, Places], None]]] = []
    if results.lesions and results.lesions.sessions:
        panels.append((2.0, _load_panel))
    if results.change and results.change.intervals:
        panels.append((1.5, _change_panel))
    if any(spectrum.fit is not None for spectrum in results.spectra):
        panels.append((2.0, _ratio_panel))
    if not panels:
        raise NotAssessable(
            "nothing was measured that could be drawn over time", remedy="see what was not done, and why"
        )
    figure = new_figure(8.6, sum(height for height, _ in panels) + 1.3)
    axes = figure.subplots(len(panels), 1, sharex=True, squeeze=False, height_ratios=[h for h, _ in panels])[:, 0]
    for ax, (_, draw) in zip(axes, panels, strict=True):
        for place in places.values():
            ax.axvline(place, color=HAIRLINE, linewidth=0.8, zorder=0)
        draw(ax, results, places)
        tidy(ax)
    spread = max(places.values()) - min(places.values()) or 1.0
    last = axes[-1]
    last.set_xlim(min(places.values()) - 0.1 * spread, max(places.values()) + 0.1 * spread)
    label_sessions(last, results.subject.sessions, places)
    last.set_xlabel(unit, fontsize=9, color=INK)
    figure.align_ylabels()
    return figure


def session_places(sessions: Sequence[Session]) -> tuple[Places, str]:
    """Return where each session stands on the axis of time, and what the axis is."""
    dates = [session.date for session in sessions]
    known = [date for date in dates if date is not None]
    if len(known) == len(sessions):
        first = min(known)
        return {s.label: float((s.date - first).days) for s in sessions if s.date}, "days since the first session"
    ages = [session.age_years for session in sessions if session.age_years is not None]
    if len(ages) == len(sessions) and len(set(ages)) == len(ages):
        return {s.label: s.age_years for s in sessions if s.age_years is not None}, "age (years)"
    return {s.label: float(i) for i, s in enumerate(sessions)}, "order of the sessions (dates are not known)"


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


def _load_panel(ax: Axes, results: SubjectResults, places: Places) -> None:
    known = [session for session in results.lesions.sessions if session.label in places] if results.lesions else []
    ax.errorbar(
        [places[session.label] for session in known],
        [session.volume_ml for session in known],
        yerr=[session.volume_sd_ml for session in known],
        color=COLOURS["vermillion"],
        marker="o",
        markersize=5,
        linewidth=1.4,
        capsize=3,
    )
    for session in known:
        if session.confidence != "full":
            here = (places[session.label], session.volume_ml)
            ax.annotate(" reduced confidence", here, xytext=(4, 5), textcoords="offset points", fontsize=7, color=MUTED)
    missing = [label for label in places if label not in {session.label for session in known}]
    for label in missing:
        _not_assessable(ax, places[label])
    ax.set_ylim(bottom=0)
    ax.margins(y=0.15)
    ax.set_ylabel("lesion load (ml)", fontsize=9, color=INK)


def _not_assessable(ax: Axes, place: float) -> None:
    where = ax.get_xaxis_transform()
    ax.text(place, 0.03, "not\nassessable", transform=where, ha="center", fontsize=7, color=MUTED)


def _change_panel(ax: Axes, results: SubjectResults, places: Places) -> None:
    spread = max(places.values()) - min(places.values()) or 1.0
    for interval in results.change.intervals if results.change else ():
        if interval.before not in places or interval.after not in places:
            continue
        start, end = places[interval.before], places[interval.after]
        if results.lesions and incomparable(results.lesions, interval.before, interval.after):
            _not_assessable(ax, (start + end) / 2)
            continue
        width = min(max(0.6 * (end - start), 0.015 * spread), 0.12 * spread)
        for sign, kinds in ((1, ("enlarged", "new")), (-1, ("shrunk", "resolved"))):
            base = 0.0
            for kind in kinds:
                height = sign * float(getattr(interval, f"{kind}_ml"))
                ax.bar((start + end) / 2, height, width, bottom=base, color=CHANGE_COLOURS[kind], edgecolor="white")
                base += height
    ax.axhline(0, color=MUTED, linewidth=0.8)
    ax.margins(y=0.15)
    ax.set_ylabel("change (ml)", fontsize=9, color=INK)
    for kind in ("new", "enlarged", "shrunk", "resolved"):
        ax.bar(0, 0, 0, color=CHANGE_COLOURS[kind], label=kind)
    legend_beside(ax)


def _ratio_panel(ax: Axes, results: SubjectResults, places: Places) -> None:
    """Draw one line for every followed ratio of every voxel; voxels differ by marker."""
    voxels = sorted({spectrum.name for spectrum in results.spectra if spectrum.fit is not None})
    for voxel, marker in zip(voxels, (MARKERS * len(voxels))[: len(voxels)], strict=True):
        fits = [(s.session, s.fit.concentrations) for s in results.spectra if s.fit is not None and s.name == voxel]
        for names, colour in zip(FOLLOWED, RATIO_COLOURS, strict=True):
            points = [
                (places[session], *found)
                for session, table in fits
                if session in places and (found := _ratio(table, names)) is not None
            ]
            if not points:
                continue
            x, y, sd = zip(*sorted(points), strict=True)
            label = f"{names[0]}/tCr" + (f", {voxel}" if len(voxels) > 1 else "")
            ax.errorbar(
                x,
                y,
                yerr=sd,
                label=label,
                color=COLOURS[colour],
                marker=marker,
                markersize=4.5,
                linewidth=1.2,
                capsize=3,
            )
    ax.set_ylim(bottom=0)
    ax.margins(y=0.15)
    ax.set_ylabel("ratio to tCr", fontsize=9, color=INK)
    legend_beside(ax)


def _ratio(table: pd.DataFrame, names: Sequence[str]) -> tuple[float, float] | None:
    """Return ratio and uncertainty of the first metabolite that the fit has."""
    for name in names:
        rows = table[table["metabolite"] == name]
        if len(rows) and pd.notna(rows["ratio_to_tcr"].iloc[0]):
            sd = rows["ratio_sd"].iloc[0]
            return float(rows["ratio_to_tcr"].iloc[0]), float(sd) if pd.notna(sd) else 0.0
    return None
