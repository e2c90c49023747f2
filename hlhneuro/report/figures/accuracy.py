"""How well what is known is found: lesions of known size and contrast, lactate of known amount beside lipid."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator, PercentFormatter
from numpy.typing import NDArray
from scipy.special import erf

from hlhneuro.errors import NotAssessable
from hlhneuro.report.figures.style import COLOURS, HAIRLINE, INK, MUTED, legend_beside, new_figure, tidy

__all__ = ["coverage", "detection_curves", "lactate_curves", "reliability"]

FloatArray = NDArray[np.float64]
CYCLE = (("blue", "o", "-"), ("vermillion", "s", "--"), ("green", "^", "-."), ("purple", "D", ":"), ("black", "v", "-"))


def detection_curves(table: pd.DataFrame) -> Figure:
    """Draw the part of known lesions that was found, by volume, one curve per contrast, one panel per slice thickness.

    Parameters
    ----------
    table : DataFrame
        One row per lesion: ``slice_mm``, ``contrast`` (FLAIR, part of white matter), ``volume_ml``, ``found`` (bool).
        `volume_ml` holds the few volumes that lesions were drawn with.

    Raises
    ------
    NotAssessable
        If the table is empty.

    Notes
    -----
    Bars are 95 % intervals of the part (Wilson, J Am Stat Assoc 1927;22:209).
    """
    if table.empty:
        raise NotAssessable("no known lesion was looked for", remedy="run the bench of lesions")
    thicknesses = sorted(table["slice_mm"].unique())
    figure = new_figure(4.2 * len(thicknesses), 3.4)
    axes = figure.subplots(1, len(thicknesses), sharey=True, squeeze=False)[0]
    for ax, slice_mm in zip(axes, thicknesses, strict=True):
        own = table[table["slice_mm"] == slice_mm]
        for i, (contrast, lesions) in enumerate(own.groupby("contrast", sort=True)):
            colour, marker, line = CYCLE[i % len(CYCLE)]
            counts = lesions.groupby("volume_ml")["found"].agg(["sum", "count"])
            part, low, high = _wilson(counts["sum"].to_numpy(float), counts["count"].to_numpy(float))
            ax.errorbar(
                counts.index.to_numpy(float) * 1.07 ** (i - 1),  # side by side, so that bars can be told apart
                part,
                yerr=np.clip((part - low, high - part), 0, None),
                color=COLOURS[colour],
                marker=marker,
                linestyle=line,
                markersize=5,
                capsize=2,
                label=f"+{contrast:g}",
            )
        ax.set_xscale("log")
        volumes = sorted(own["volume_ml"].unique())
        ax.set_xticks(volumes, [f"{v:g}" for v in volumes])
        ax.xaxis.set_minor_locator(NullLocator())
        ax.set_ylim(-0.03, 1.03)
        ax.yaxis.set_major_formatter(PercentFormatter(1.0))
        ax.set_title(f"FLAIR, slices of {slice_mm:g} mm", fontsize=9, color=INK)
        ax.set_xlabel("true volume (ml)", fontsize=9, color=INK)
        tidy(ax)
    axes[0].set_ylabel("lesions found", fontsize=9, color=INK)
    title = "FLAIR contrast,\npart of white matter"
    axes[-1].legend(
        title=title, title_fontsize=8, fontsize=8, frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0)
    )
    return figure


def lactate_curves(table: pd.DataFrame) -> Figure:
    """Draw how often lactate is said to be there, by its true amount, one curve per echo times, one panel per lipid.

    Parameters
    ----------
    table : DataFrame
        One row per voxel and choice of echo times: ``lipid`` (at 1.3 ppm over tCr), ``lactate`` (mmol/kg),
        ``echo_times`` (words), ``found`` (bool).

    Raises
    ------
    NotAssessable
        If the table is empty.

    Notes
    -----
    Bars are 95 % intervals of the part (Wilson, J Am Stat Assoc 1927;22:209).
    """
    if table.empty:
        raise NotAssessable("no known lactate was looked for", remedy="run the bench of detection")
    amounts = sorted(table["lipid"].unique())
    figure = new_figure(2.6 * len(amounts), 3.2)
    axes = figure.subplots(1, len(amounts), sharey=True, squeeze=False)[0]
    for ax, lipid in zip(axes, amounts, strict=True):
        own = table[table["lipid"] == lipid]
        for i, (echo_times, voxels) in enumerate(own.groupby("echo_times", sort=True)):
            colour, marker, line = CYCLE[i % len(CYCLE)]
            counts = voxels.groupby("lactate")["found"].agg(["sum", "count"])
            part, low, high = _wilson(counts["sum"].to_numpy(float), counts["count"].to_numpy(float))
            ax.errorbar(
                counts.index.to_numpy(float) + 0.04 * (i - 1),  # side by side, so that bars can be told apart
                part,
                yerr=np.clip((part - low, high - part), 0, None),
                color=COLOURS[colour],
                marker=marker,
                linestyle=line,
                markersize=4,
                capsize=2,
                label=str(echo_times),
            )
        ax.set_ylim(-0.03, 1.03)
        ax.yaxis.set_major_formatter(PercentFormatter(1.0))
        ax.set_title(f"lipid {lipid:g} x tCr" if lipid else "no lipid", fontsize=9, color=INK)
        ax.set_xlabel("true lactate (mmol/kg)", fontsize=9, color=INK)
        tidy(ax)
    axes[0].set_ylabel("lactate said to be there", fontsize=9, color=INK)
    axes[0].legend(fontsize=8, frameon=False, loc="lower right")
    return figure


def _wilson(hits: FloatArray, trials: FloatArray, z: float = 1.96) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the part, and the ends of its interval."""
    part = hits / trials
    middle = (part + z**2 / (2 * trials)) / (1 + z**2 / trials)
    half = z * np.sqrt(part * (1 - part) / trials + z**2 / (4 * trials**2)) / (1 + z**2 / trials)
    return part, middle - half, middle + half


def reliability(table: pd.DataFrame) -> Figure:
    """Draw how often voxels of a stated lesion probability are lesion.

    Parameters
    ----------
    table : DataFrame
        One row per bin and slice thickness: ``slice_mm``, ``predicted`` (mean stated probability), ``observed`` (part
        that is lesion), ``voxels``.

    Raises
    ------
    NotAssessable
        If the table is empty.
    """
    if table.empty:
        raise NotAssessable("no lesion probability was compared with a truth", remedy="run the bench of lesions")
    figure = new_figure(6.4, 3.8)
    ax, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    ax.plot([0, 1], [0, 1], color=MUTED, linewidth=0.8, label="as stated")
    for (slice_mm, own), (colour, marker, line) in zip(table.groupby("slice_mm", sort=True), CYCLE, strict=False):
        own = own.sort_values("predicted")
        kind = {"color": COLOURS[colour], "marker": marker, "linestyle": line, "markersize": 5}
        ax.plot(own["predicted"], own["observed"], label=f"slices of {slice_mm:g} mm", **kind)
        below.plot(own["predicted"], own["voxels"], **kind)
    for each in (ax, below):
        tidy(each)
        each.set_xlim(-0.02, 1.02)
    ax.set_ylim(-0.02, 1.02)
    ax.set_ylabel("part that is lesion", fontsize=9, color=INK)
    ax.legend(fontsize=8, frameon=False, loc="upper left")
    below.set_yscale("log")
    below.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}".replace(",", "\u202f")))
    below.set_ylabel("voxels", fontsize=9, color=INK)
    below.set_xlabel("stated probability of lesion", fontsize=9, color=INK)
    return figure


def coverage(table: pd.DataFrame) -> Figure:
    """Draw how often the truth lies within a multiple of the stated uncertainty, one curve per quantity.

    A curve above the grey line states too much, one below it too little.

    Parameters
    ----------
    table : DataFrame
        One row per measurement of something known: ``quantity`` (words), ``error`` (measured less true) and ``sd`` (its
        stated standard uncertainty, same unit).

    Raises
    ------
    NotAssessable
        If the table is empty.
    """
    if table.empty:
        raise NotAssessable("nothing measured was compared with a truth", remedy="simulate spectra, or run `recover`")
    multiples = np.linspace(0, 3, 61)
    figure = new_figure(6.4, 3.8)
    ax = figure.subplots()
    ax.plot(multiples, erf(multiples / np.sqrt(2)), color=MUTED, linewidth=0.8, label="as stated (normal errors)")
    for i, (quantity, own) in enumerate(table.groupby("quantity", sort=True)):
        colour, _, line = CYCLE[i % len(CYCLE)]
        away = (own["error"].abs() / own["sd"]).to_numpy(dtype=float)
        part = (away[None, :] <= multiples[:, None]).mean(axis=1)
        ax.plot(multiples, part, color=COLOURS[colour], linestyle=line, label=f"{quantity} (n = {len(own)})")
    for multiple in (1.0, 1.96):
        ax.axvline(multiple, color=HAIRLINE, linewidth=0.8, zorder=0)
    tidy(ax)
    ax.set_xlim(0, 3)
    ax.set_ylim(0, 1.02)
    ax.yaxis.set_major_formatter(PercentFormatter(1.0))
    ax.set_xlabel(
        "half width of the interval, in stated standard uncertainties (lines: 1 and 1.96)", fontsize=9, color=INK
    )
    ax.set_ylabel("truth inside", fontsize=9, color=INK)
    legend_beside(ax)
    return figure
