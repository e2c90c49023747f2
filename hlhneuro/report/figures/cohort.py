"""All patients of a study: course of the load, change per interval, how often each territory is affected."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from hlhneuro.errors import NotAssessable
from hlhneuro.report.figures.style import COLOURS, HAIRLINE, INK, MUTED, legend_beside, new_figure, tidy

__all__ = ["interval_changes", "load_trajectories", "territory_frequency"]

Tables = Mapping[str, pd.DataFrame]
CYCLE = ("blue", "vermillion", "green", "orange", "purple", "sky", "black")
MARKERS = "osD^vPX"
MAX_NAMED, MAX_ROWS = 14, 60


def load_trajectories(tables: Tables) -> Figure:
    """Draw the lesion load of every patient over the days since the first session.

    Raises
    ------
    NotAssessable
        If no patient has a lesion load.
    """
    table = tables["volumes"]
    table = table[(table["structure"] == "lesion_load") & table["volume_ml"].notna()]
    if table.empty:
        raise NotAssessable("no patient has a lesion load", remedy="see who could not be assessed, and why")
    figure = new_figure(8.6, 4.0)
    ax = figure.subplots()
    named = table["subject"].nunique() <= MAX_NAMED
    for i, (subject, own) in enumerate(table.groupby("subject", sort=True)):
        dates = pd.to_datetime(own["date"], errors="coerce")
        days = (dates - dates.min()).dt.days.to_numpy(dtype=float)
        x = days if np.isfinite(days).all() else np.arange(len(own), dtype=float)
        ax.errorbar(
            x,
            own["volume_ml"].to_numpy(dtype=float),
            yerr=own["volume_sd_ml"].fillna(0).to_numpy(dtype=float),
            color=COLOURS[CYCLE[i % len(CYCLE)]] if named else MUTED,
            marker=MARKERS[i % len(MARKERS)],
            markersize=4.5,
            linewidth=1.2,
            capsize=2,
            alpha=1.0 if named else 0.5,
            label=f"sub-{subject}",
        )
    tidy(ax)
    ax.set_ylim(bottom=0)
    ax.set_xlabel("days since the first session (order of sessions where dates are missing)", fontsize=9, color=INK)
    ax.set_ylabel("lesion load (ml)", fontsize=9, color=INK)
    if named:
        legend_beside(ax)
    return figure


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
        raise NotAssessable("no interval was measured", remedy="see who could not be assessed, and why")
    largest = table["net_ml"].abs().sort_values(ascending=False, kind="stable").index[:MAX_ROWS]
    shown = table.loc[table.index.isin(largest)]
    figure = new_figure(8.6, 1.0 + 0.28 * len(shown))
    ax = figure.subplots()
    y = np.arange(len(shown))
    net, limit = (shown[name].to_numpy(dtype=float) for name in ("net_ml", "smallest_real_change_ml"))
    ax.barh(y, 2 * limit, left=-limit, height=0.62, color="#e8ecef", label="within the measurement error")
    beyond = np.abs(net) > limit
    sd = shown["net_sd_ml"].to_numpy(dtype=float)
    for kept, colour, marker, label in (
        (beyond & (net > 0), "vermillion", "o", "more"),
        (beyond & (net < 0), "blue", "s", "less"),
        (~beyond, "black", "|", "within error"),
    ):
        if kept.any():
            ax.errorbar(
                net[kept],
                y[kept],
                xerr=sd[kept],
                color=COLOURS[colour],
                marker=marker,
                linestyle="none",
                markersize=6,
                capsize=2,
                label=label,
            )
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


def territory_frequency(tables: Tables) -> Figure:
    """Draw how many patients have a lesion in each territory at any session, left and right apart.

    Raises
    ------
    NotAssessable
        If territories were measured in nobody.
    """
    table = tables["territories"]
    if table.empty:
        raise NotAssessable("territories were measured in nobody", remedy="see who could not be assessed, and why")
    hit = table[table["affected"].astype(bool)].drop_duplicates(["subject", "territory", "side"])
    names = list(dict.fromkeys(table["territory"]))
    total = table["subject"].nunique()
    figure = new_figure(8.6, 1.0 + 0.3 * len(names))
    ax = figure.subplots()
    y = np.arange(len(names))
    sides = [side for side in ("left", "right", "midline") if side in set(table["side"])]
    sides += sorted({str(side) for side in table["side"].dropna()} - set(sides))
    for side, colour, shift in zip(
        sides, ("sky", "blue", "black", "green", "purple"), (-0.2, 0.2, 0, 0, 0), strict=False
    ):
        counts = hit[hit["side"] == side].groupby("territory")["subject"].nunique()
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
