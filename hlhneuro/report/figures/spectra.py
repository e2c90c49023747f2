"""The fitted spectrum, how it was prepared, and where its voxel lies on the anatomy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from hlhneuro.errors import NotAssessable
from hlhneuro.report.figures.style import COLOURS, HAIRLINE, INK, MUTED, new_figure, tidy
from hlhneuro.spectroscopy import SpectrumFit
from hlhneuro.spectroscopy.preprocessing import Stage

__all__ = ["preparation_steps", "spectrum_fit"]

# Where the peaks that are read by eye stand, in ppm: Govindaraju 2000; lipid after the LCModel simulations.
PEAKS_PPM = {"mI": 3.55, "Cho": 3.20, "Cr": 3.03, "NAA": 2.01, "Lac, Lip": 1.31, "Lip": 0.90}
ASIDE_PT = {"Cho": -3, "Cr": 3}  # neighbours that would write over each other
LIPID, MACROMOLECULE = "tLip", "tMM"
# What is drawn apart, from top to bottom, always in this order: name in the table, basis functions in it.
GROUPS = {
    "tNAA": ("NAA", "NAAG"),
    "tCr": ("Cr", "PCr"),
    "tCho": ("GPC", "PCho", "Cho"),
    "mI": ("mI",),
    "Glx": ("Glu", "Gln"),
    "Lac": ("Lac",),
}
KINDS = {"lip": LIPID, "mm": MACROMOLECULE, "mac": MACROMOLECULE}  # how names of broad signals begin
SHOWN_AS = {LIPID: "lipids", MACROMOLECULE: "macromol.", "others": "others"}
LINES: dict[str, tuple[str, str]] = {
    "Lac": (COLOURS["vermillion"], "-"),
    LIPID: (COLOURS["orange"], "-"),
    MACROMOLECULE: (COLOURS["purple"], "--"),
    "others": (MUTED, "-"),
}
NAMES_IN, NOISE_SD = 0.95, 2.0
LARGEST_BOUND_PERCENT = 100.0  # a larger bound says no more than that nothing is known


def spectrum_fit(fit: SpectrumFit, title: str, *, width_in: float = 8.0) -> Figure:
    """Draw one spectrum as it was fitted.

    From top to bottom: residual, with a grey band of twice the noise; data with fit and baseline; what the fit is made
    of, with the Cramer-Rao bound of each part. The chemical shift runs from high to low; residual and data share one
    scale.

    Parameters
    ----------
    fit : SpectrumFit
    title : str
        Shown above the figure.
    width_in : float
    """
    data, model, base = fit.data.real, fit.fit.real, fit.baseline.real
    span = float(np.ptp(model)) or 1.0
    low, top = float(min(data.min(), base.min())) - 0.04 * span, float(max(data.max(), model.max())) + 0.16 * span
    noise = _noise(fit, data - model)
    reach = 1.1 * max(float(np.abs(data - model).max()), NOISE_SD * noise, 0.05 * span)
    figure = new_figure(width_in, 5.2, layout=None)
    room = {"left": 0.33 / width_in, "right": 1 - NAMES_IN / width_in, "bottom": 0.095, "top": 0.93, "hspace": 0.07}
    heights = (float(np.clip(4 * 2 * reach / (top - low), 0.5, 4)), 4, 2.6)
    residual, main, parts = figure.subplots(3, 1, sharex=True, height_ratios=heights, gridspec_kw=room)
    main.plot(fit.ppm, data, color="#8a949c", linewidth=0.9, label="data")
    main.plot(fit.ppm, model, color=COLOURS["vermillion"], linewidth=1.2, label="fit")
    main.plot(fit.ppm, base, color=COLOURS["blue"], linewidth=1.0, linestyle="--", label="baseline")
    main.set_ylim(low, top)
    residual.plot(fit.ppm, data - model, color=INK, linewidth=0.6)
    residual.axhspan(-NOISE_SD * noise, NOISE_SD * noise, color=HAIRLINE, linewidth=0, zorder=0)
    reach = heights[0] / 4 * (top - low) / 2  # the same scale as the data
    residual.set_ylim(-reach, reach)
    _name_peaks(main, fit, span)
    _components(parts, fit)
    for ax, label in ((residual, "residual"), (main, "signal"), (parts, "components")):
        tidy(ax, grid=False)
        ax.set_yticks([])
        ax.spines["left"].set_visible(False)
        ax.set_ylabel(label, fontsize=7.5, color=MUTED)
    figure.legend(handles=main.lines[:3], loc="upper right", ncols=3, fontsize=8, frameon=False, labelcolor=INK)
    parts.set_xlim(float(fit.ppm.max()), float(fit.ppm.min()))
    parts.set_xlabel("chemical shift (ppm)", fontsize=9, color=INK)
    figure.align_ylabels()
    figure.suptitle(title, fontsize=10, color=INK, x=0.02, ha="left")
    return figure


def _noise(fit: SpectrumFit, residual: NDArray[np.float64]) -> float:
    """Return the standard deviation of the noise as the quality of the fit tells it; 0 where it does not."""
    ratio = fit.quality.get("residual_ratio")
    return float(np.std(residual)) / float(ratio) if isinstance(ratio, int | float) and ratio > 0 else 0.0


def _name_peaks(ax: Axes, fit: SpectrumFit, span: float) -> None:
    """Write the names of the main peaks over them; lactate and lipid share a place and get their own heights."""
    data = np.maximum(fit.data.real, fit.fit.real)
    for name, place in PEAKS_PPM.items():
        if not fit.ppm.min() < place < fit.ppm.max():
            continue
        near = float(data[np.abs(fit.ppm - place) < 0.06].max(initial=float(data.min())))
        ax.annotate(
            name,
            (place, near + 0.02 * span),
            xytext=(ASIDE_PT.get(name, 0), 8),
            textcoords="offset points",
            ha="center",
            fontsize=8,
            color=INK,
            arrowprops={"arrowstyle": "-", "color": MUTED, "linewidth": 0.6},
        )


def _parts_of(fit: SpectrumFit) -> dict[str, NDArray[np.float64]]:
    """Return what the fit is made of, summed into what is read as one signal."""
    group_of = {name: group for group, names in GROUPS.items() for name in names}
    found: dict[str, NDArray[np.float64]] = {}
    for name, values in fit.components.items():
        kind = next((kind for start, kind in KINDS.items() if name.lower().startswith(start)), "others")
        group = group_of.get(name, kind)
        found[group] = found.get(group, np.zeros(fit.ppm.size)) + values.real
    return {name: found[name] for name in (*GROUPS, LIPID, MACROMOLECULE, "others") if name in found}


def _components(ax: Axes, fit: SpectrumFit) -> None:
    """Stack the parts of the fit, each with its name and its bound at the right edge."""
    parts = _parts_of(fit)
    bounds = dict(zip(fit.concentrations["metabolite"], fit.concentrations["crlb_percent"], strict=True))
    step = 0.45 * max((float(np.abs(values).max()) for values in parts.values()), default=1.0) or 1.0
    for row, (name, values) in enumerate(reversed(parts.items())):
        colour, style = LINES.get(name, (INK, "-"))
        ax.plot(fit.ppm, values + row * step, color=colour, linestyle=style, linewidth=0.8)
        if name in KINDS.values():
            ax.fill_between(fit.ppm, row * step, values + row * step, color=colour, alpha=0.3, linewidth=0)
        bound = bounds.get(name)
        certain = bound is not None and np.isfinite(bound) and bound < LARGEST_BOUND_PERCENT
        text = f"{SHOWN_AS.get(name, name)} {bound:.0f}\u00a0%" if certain else SHOWN_AS.get(name, name)
        ax.annotate(
            text,
            (1.01, row * step),
            xycoords=("axes fraction", "data"),
            va="center",
            fontsize=7.5,
            color=INK,
            annotation_clip=False,
        )


def preparation_steps(stages: Sequence[Stage], title: str) -> Figure:
    """Draw the spectrum before and after each step of its preparation, and the course of its transients.

    Coils are drawn in units of their noise (the best single coil, then all); everything else in units of the data. A
    signal that stands far over the metabolites, residual water, is cut off.

    Parameters
    ----------
    stages : sequence of Stage
    title : str
        Shown above the figure.

    Raises
    ------
    NotAssessable
        If no step changed the spectrum: it came averaged, without a water reference.
    """
    if not stages:
        raise NotAssessable("the spectrum came prepared: no step changed it", remedy="give the raw transients")
    tall = 0.95 + 1.75 * len(stages)
    figure = new_figure(8.0, tall, layout=None)
    room = {"left": 0.02, "right": 0.98, "bottom": 0.45 / tall, "top": 1 - 0.5 / tall, "wspace": 0.16, "hspace": 0.55}
    rows = figure.subplots(len(stages), 2, squeeze=False, width_ratios=(3, 2), gridspec_kw=room)
    for (left, right), stage in zip(rows, stages, strict=True):
        _before_after(left, stage)
        if stage.courses:
            _course(right, stage)
        else:
            _before_after(right, stage, (1.8, 3.6))
            right.set_title("1.8 to 3.6 ppm", fontsize=8, color=MUTED, loc="left")
    for ax in rows[-1]:
        if ax is rows[-1][0] or not stages[-1].courses:
            ax.set_xlabel("chemical shift (ppm)", fontsize=8, color=INK)
    figure.text(0.02, 1 - 0.08 / tall, title, fontsize=10, color=INK, va="top")
    return figure


def _before_after(ax: Axes, stage: Stage, part: tuple[float, float] | None = None) -> None:
    low, high = part or (float(stage.ppm.min()), float(stage.ppm.max()))
    shown = (stage.ppm >= low) & (stage.ppm <= high)
    ax.plot(stage.ppm[shown], stage.before[shown], color="#8a949c", linewidth=0.8, label="before")
    ax.plot(stage.ppm[shown], stage.after[shown], color=COLOURS["blue"], linewidth=0.9, label="after")
    metabolites = (stage.ppm > 1.8) & (stage.ppm < 3.6)
    curves = np.concatenate([stage.before[metabolites], stage.after[metabolites]])
    top = 1.3 * max(float(curves.max()), 1e-300)
    ax.set_ylim(min(1.2 * float(curves.min()), -0.15 * top), top)
    ax.set_xlim(high, low)
    tidy(ax, grid=False)
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    if part is None:
        ax.set_title(stage.name, fontsize=9, color=INK, loc="left")
        ax.legend(loc="upper right", fontsize=7, frameon=False, labelcolor=INK)


def _course(ax: Axes, stage: Stage) -> None:
    """Draw the frequency of each transient with its uncertainty; crosses were left out."""
    shift, sd = stage.courses["shifts_hz"], stage.courses["shifts_sd_hz"]
    number = np.arange(1, shift.size + 1)
    kept = stage.courses["weights"] > 0
    ax.errorbar(number[kept], shift[kept], sd[kept], fmt="o", markersize=2.5, linewidth=0.7, color=COLOURS["blue"])
    tidy(ax)
    span = max(float(np.ptp(shift[kept])), 1.0)
    low, high = float(shift[kept].min()) - 0.4 * span, float(shift[kept].max()) + 0.4 * span
    places = np.clip(shift[~kept], low, high)  # one that was far off is drawn at the edge
    ax.plot(number[~kept], places, "x", markersize=6, markeredgewidth=1.8, color=COLOURS["vermillion"], clip_on=False)
    ax.set_ylim(low, high)
    ax.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    phase = float(np.ptp(stage.courses["phases_deg"][kept]))
    left_out = f", {int((~kept).sum())} left out (×)" if (~kept).any() else ""
    ax.set_title(f"shift of each{left_out}; phases over {phase:.0f}°", fontsize=8, color=MUTED, loc="left")
    ax.set_ylabel("Hz", fontsize=8, color=MUTED)
    ax.set_xlabel("transient", fontsize=8, color=MUTED)
