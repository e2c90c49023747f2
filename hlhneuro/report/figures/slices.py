"""Slices of the brain: every session beside the others, the change map, and the check of the registration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm, ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import NDArray

from hlhneuro.errors import NotAssessable
from hlhneuro.imaging.alignment import AlignedSeries, AlignedSession
from hlhneuro.imaging.volumes import Volume
from hlhneuro.lesions.change import ChangeCode, IntervalChange
from hlhneuro.report.figures.style import CHANGE_COLOURS, COLOURS, INK, MUTED, new_figure
from hlhneuro.report.results import SubjectResults
from hlhneuro.report.words import number, session_title

__all__ = ["change_panels", "registration_check", "session_panels"]

SAGITTAL, CORONAL, AXIAL = 0, 1, 2
MARGIN_MM = 6.0
# Sessions are followed on FLAIR, where inflammation shows best; then whatever there is.
FOLLOWED = ("FLAIR", "T2w", "T1w")
CONVENTION = "radiological: patient's left is on the right"


@dataclass(frozen=True)
class Frame:
    """The part of the subject grid that is drawn, and the grey window.

    Parameters
    ----------
    affine : array, shape (4, 4)
        Voxel index to RAS+ mm; its axes are the anatomical ones.
    low, high : array, shape (3,)
        First and one past the last voxel that is drawn, per axis.
    window : (float, float)
        Intensity shown black and white.
    """

    affine: NDArray[np.float64]
    low: NDArray[np.int64]
    high: NDArray[np.int64]
    window: tuple[float, float]

    @classmethod
    def of(cls, aligned: AlignedSeries, volumes: Sequence[Volume]) -> Frame:
        """Frame the brain; the window is common to all volumes, so that sessions compare by eye."""
        size = np.asarray(aligned.grid.voxel_size_mm)
        inside = np.argwhere(aligned.brain_mask)
        if len(inside) == 0:
            inside = np.array([[0, 0, 0], np.array(aligned.grid.shape) - 1])
        margin = np.ceil(MARGIN_MM / size).astype(int)
        low = np.maximum(inside.min(axis=0) - margin, 0)
        high = np.minimum(inside.max(axis=0) + margin + 1, aligned.grid.shape)
        mask = aligned.brain_mask if aligned.brain_mask.any() else np.ones(aligned.grid.shape, dtype=bool)
        values = np.concatenate([volume.data[mask] for volume in volumes])
        dark, bright = np.percentile(values, (1, 99.7))
        return cls(aligned.grid.affine, low, high, (float(dark), float(max(bright, dark + 1e-6))))

    def cut(self, data: NDArray[Any], axis: int, index: int) -> NDArray[Any]:
        """Return the slice as rows x columns, rows upwards."""
        box = tuple(slice(a, b) for a, b in zip(self.low, self.high, strict=True))
        plane: NDArray[Any] = np.take(data[box], index - int(self.low[axis]), axis=axis).T
        return plane

    def extent_mm(self, axis: int) -> tuple[float, float, float, float]:
        """Return the edges of the slice in millimetres: left, right, bottom, top in increasing coordinates."""
        first, second = (a for a in range(3) if a != axis)
        step = np.diag(self.affine)[:3]
        start = self.affine[:3, 3] + (self.low - 0.5) * step
        stop = self.affine[:3, 3] + (self.high - 0.5) * step
        return float(start[first]), float(stop[first]), float(start[second]), float(stop[second])

    def width_mm(self, axis: int) -> float:
        """Return the width of a slice."""
        left, right, _, _ = self.extent_mm(axis)
        return right - left

    def height_mm(self, axis: int) -> float:
        """Return the height of a slice."""
        _, _, bottom, top = self.extent_mm(axis)
        return top - bottom

    def position(self, axis: int, index: int) -> str:
        """Return where the slice lies, in words."""
        place_mm = float(self.affine[axis, 3] + index * self.affine[axis, axis])
        return f"{'xyz'[axis]} = {number(place_mm, 0, signed=True)} mm"


def background_of(session: AlignedSession, prefer: Sequence[str] = FOLLOWED) -> Volume:
    """Return the volume to draw on: the first preferred contrast that the session has, else its reference."""
    name = next((contrast for contrast in prefer if contrast in session.volumes), session.reference)
    return session.volumes.get(name) or next(iter(session.volumes.values()))


def draw_slice(ax: Axes, frame: Frame, data: NDArray[Any], axis: int, index: int) -> None:
    """Draw one grey slice in millimetres; x runs from the patient's right to left as radiologists look at it."""
    left, right, bottom, top = frame.extent_mm(axis)
    ax.imshow(
        frame.cut(data, axis, index),
        cmap="gray",
        vmin=frame.window[0],
        vmax=frame.window[1],
        origin="lower",
        extent=(left, right, bottom, top),
        interpolation="bilinear",
    )
    ax.set_xlim(right, left)  # for sagittal slices this turns the face to the left
    ax.set_ylim(bottom, top)
    ax.set_facecolor("black")
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[:].set_visible(False)


def outline(
    ax: Axes, frame: Frame, mask: NDArray[np.bool_], axis: int, index: int, *, colour: str, linewidth: float
) -> None:
    """Draw the edge of a mask on a slice."""
    plane = frame.cut(mask, axis, index)
    if plane.any() and not plane.all():
        ax.contour(
            plane.astype(float),
            levels=[0.5],
            colors=[colour],
            linewidths=linewidth,
            origin="lower",
            extent=frame.extent_mm(axis),
        )


def letters(ax: Axes, axis: int) -> None:
    """Write which side is which at both edges of a slice."""
    ends = ("A", "P") if axis == SAGITTAL else ("R", "L")
    for x, align, letter in ((0.02, "left", ends[0]), (0.98, "right", ends[1])):
        ax.text(x, 0.5, letter, transform=ax.transAxes, ha=align, va="center", color="white", fontsize=8, weight="bold")


def scale_bar(ax: Axes, length_mm: float = 50.0) -> None:
    """Draw a bar of known length in the lower left corner."""
    right, left = ax.get_xlim()
    bottom, top = ax.get_ylim()
    width = abs(right - left)
    start = right - np.sign(right - left) * 0.05 * width
    end = start - np.sign(right - left) * length_mm
    y = bottom + 0.04 * (top - bottom)
    ax.plot([start, end], [y, y], color="white", linewidth=2, solid_capstyle="butt")
    ax.text(
        (start + end) / 2, y + 0.015 * (top - bottom), f"{length_mm:.0f} mm", color="white", fontsize=7, ha="center"
    )


def choose_slices(results: SubjectResults, axis: int, count: int, spacing_mm: float) -> list[int]:
    """Return the slices through the largest load and change, apart from each other, from low to high.

    A lesion voxel of any session counts one and a voxel that changed one more; where there is neither, the slices are
    spread evenly over the brain.
    """
    aligned = _require_aligned(results)
    others = tuple(a for a in range(3) if a != axis)
    score = np.zeros(aligned.grid.shape[axis])
    for session in results.lesions.sessions if results.lesions else ():
        score += session.mask.sum(axis=others)
    for interval in results.change.intervals if results.change else ():
        score += ((interval.codes > 0) & (interval.codes != ChangeCode.STABLE)).sum(axis=others)
    gap = max(round(spacing_mm / aligned.grid.voxel_size_mm[axis]), 1)
    chosen: list[int] = []
    while len(chosen) < count and score.max() > 0:
        best = int(score.argmax())
        chosen.append(best)
        score[max(best - gap + 1, 0) : best + gap] = 0
    if len(chosen) < count:
        inside = np.flatnonzero(aligned.brain_mask.any(axis=others))
        first, last = (int(inside[0]), int(inside[-1])) if len(inside) else (0, aligned.grid.shape[axis] - 1)
        for fraction in (0.5, 0.65, 0.35, 0.8, 0.2):
            index = round(first + fraction * (last - first))
            if len(chosen) < count and all(abs(index - other) >= gap for other in chosen):
                chosen.append(index)
    return sorted(chosen)


def _require_aligned(results: SubjectResults) -> AlignedSeries:
    if results.aligned is None or not results.aligned.sessions:
        raise NotAssessable("no session could be aligned", remedy="see what was not done, and why")
    return results.aligned


def session_panels(results: SubjectResults, labels: Sequence[str] | None = None) -> Figure:
    """Draw sessions side by side in the same slices, with brain and lesion outlines.

    Rows are axial slices through the largest load and change and one coronal slice, columns are sessions; all share one
    grey window.

    Parameters
    ----------
    results : SubjectResults
    labels : sequence of str, optional
        Sessions to show; all aligned sessions if left out.

    Raises
    ------
    NotAssessable
        If no session is aligned.
    """
    aligned = _require_aligned(results)
    sessions = [session for session in aligned.sessions if labels is None or session.label in labels]
    settings = results.settings.report
    rows = [
        (AXIAL, i) for i in reversed(choose_slices(results, AXIAL, settings.panel_slices, settings.slice_spacing_mm))
    ]
    rows += [(CORONAL, i) for i in choose_slices(results, CORONAL, 1, settings.slice_spacing_mm)]
    backgrounds = [background_of(session) for session in sessions]
    frame = Frame.of(aligned, backgrounds)
    figure, axes = _panels(frame, [axis for axis, _ in rows], len(sessions))
    for column, (session, background) in enumerate(zip(sessions, backgrounds, strict=True)):
        lesions = results.lesions.session(session.label) if results.lesions else None
        for row, (axis, index) in enumerate(rows):
            ax = axes[row, column]
            draw_slice(ax, frame, background.data, axis, index)
            outline(ax, frame, session.brain_mask, axis, index, colour=COLOURS["sky"], linewidth=0.5)
            if lesions is not None:
                outline(ax, frame, lesions.mask, axis, index, colour=COLOURS["vermillion"], linewidth=1.0)
            letters(ax, axis)
            if column == 0:
                ax.set_ylabel(frame.position(axis, index), fontsize=8, color=MUTED)
        note = "" if lesions is not None else "\nlesions not assessable"
        axes[0, column].set_title(_wrapped(results, session.label, background.contrast) + note, fontsize=8, color=INK)
    scale_bar(axes[0, 0])
    figure.supxlabel(f"brain (blue) and lesions (orange); {CONVENTION}", fontsize=8, color=MUTED)
    return figure


def _panels(frame: Frame, axes_of_rows: Sequence[int], columns: int) -> tuple[Figure, NDArray[Any]]:
    """Return a figure of equal columns whose rows keep the proportions of their slices."""
    heights = [frame.height_mm(axis) for axis in axes_of_rows]
    column_in = min(2.2, 10.0 / max(columns, 1))
    scale = column_in / frame.width_mm(AXIAL)
    figure = new_figure(column_in * max(columns, 2) + 0.4, sum(heights) * scale + 0.9)
    axes = figure.subplots(len(heights), columns, squeeze=False, height_ratios=heights)
    return figure, axes


def _wrapped(results: SubjectResults, label: str, contrast: str) -> str:
    head, *rest = session_title(results, label).split(" · ")
    return f"{head} · {contrast}\n{' · '.join(rest)}"


def change_panels(results: SubjectResults, interval: IntervalChange) -> Figure:
    """Draw the change map of one interval on the later session, with its legend and the volume of each kind.

    Raises
    ------
    NotAssessable
        If the later session is not aligned.
    """
    aligned = _require_aligned(results)
    session = aligned.session(interval.after)
    if session is None:
        raise NotAssessable(f"ses-{interval.after} is not aligned", remedy="see what was not done, and why")
    background = background_of(session)
    frame = Frame.of(aligned, [background])
    settings = results.settings.report
    slices = choose_slices(results, AXIAL, settings.panel_slices, settings.slice_spacing_mm)
    columns = [(AXIAL, index) for index in slices]
    columns += [(CORONAL, index) for index in choose_slices(results, CORONAL, 1, settings.slice_spacing_mm)]
    scale = 10.0 / (frame.width_mm(AXIAL) * max(len(columns), 3))
    figure = new_figure(10.0, frame.height_mm(AXIAL) * scale + 0.9)
    axes = figure.subplots(1, len(columns), squeeze=False)[0]
    colours = ListedColormap(list(CHANGE_COLOURS.values()))
    norm = BoundaryNorm(np.arange(0.5, len(CHANGE_COLOURS) + 1), len(CHANGE_COLOURS))
    for ax, (axis, index) in zip(axes, columns, strict=True):
        draw_slice(ax, frame, background.data, axis, index)
        codes = frame.cut(interval.codes, axis, index)
        ax.imshow(
            np.ma.masked_equal(codes, 0),
            cmap=colours,
            norm=norm,
            origin="lower",
            extent=frame.extent_mm(axis),
            interpolation="nearest",
            alpha=0.85,
        )
        left, right, _, _ = frame.extent_mm(axis)
        ax.set_xlim(right, left)
        letters(ax, axis)
        ax.set_title(frame.position(axis, index), fontsize=8, color=MUTED)
    scale_bar(axes[0])
    volumes = {name: float(getattr(interval, f"{name}_ml")) for name in CHANGE_COLOURS}
    figure.legend(
        handles=[Patch(color=CHANGE_COLOURS[name], label=f"{name} {volumes[name]:.1f} ml") for name in CHANGE_COLOURS],
        loc="outside lower center",
        ncols=5,
        fontsize=8,
        frameon=False,
        labelcolor=INK,
        title=f"{CONVENTION}; drawn on {_one_line(results, interval.after)} {background.contrast}",
        title_fontproperties={"size": 8},
    )
    return figure


def _one_line(results: SubjectResults, label: str) -> str:
    return session_title(results, label)


def registration_check(results: SubjectResults) -> Figure:
    """Draw each later session against the first: a checkerboard of both, and the first one's brain edge on the later.

    Raises
    ------
    NotAssessable
        If fewer than two sessions are aligned.
    """
    aligned = _require_aligned(results)
    if len(aligned.sessions) < 2:
        raise NotAssessable("only one session is aligned", remedy="there is nothing to compare it with")
    first, *later = aligned.sessions
    axis = AXIAL
    index = choose_slices(results, axis, 1, results.settings.report.slice_spacing_mm)[0]
    pairs = [(session, *_same_contrast(first, session)) for session in later]
    frame = Frame.of(aligned, [volume for _, one, other in pairs for volume in (one, other)])
    figure, axes = _panels(frame, [axis, axis], len(later))
    board = _checkerboard(aligned.grid.shape, aligned.grid.voxel_size_mm)
    for column, (session, one, other) in enumerate(pairs):
        mixed = np.where(board, one.data, other.data)
        draw_slice(axes[0, column], frame, mixed, axis, index)
        draw_slice(axes[1, column], frame, other.data, axis, index)
        outline(axes[1, column], frame, first.brain_mask, axis, index, colour=COLOURS["yellow"], linewidth=0.9)
        shown = one.contrast if one.contrast == other.contrast else f"{one.contrast} | {other.contrast}"
        axes[0, column].set_title(f"ses-{first.label} and ses-{session.label}\n{shown}", fontsize=8, color=INK)
        for ax in axes[:, column]:
            letters(ax, axis)
    axes[0, 0].set_ylabel("checkerboard", fontsize=8, color=MUTED)
    axes[1, 0].set_ylabel(f"brain edge of ses-{first.label}", fontsize=8, color=MUTED)
    scale_bar(axes[0, 0])
    figure.supxlabel(f"{frame.position(axis, index)}; {CONVENTION}", fontsize=8, color=MUTED)
    return figure


def _same_contrast(first: AlignedSession, second: AlignedSession) -> tuple[Volume, Volume]:
    """Return the same contrast of both sessions where there is one, else what each shows best."""
    shared = [name for name in (*FOLLOWED, *first.volumes) if name in first.volumes and name in second.volumes]
    if shared:
        return first.volumes[shared[0]], second.volumes[shared[0]]
    return background_of(first), background_of(second)


def _checkerboard(
    shape: tuple[int, int, int], voxel_size_mm: tuple[float, float, float], square_mm: float = 20.0
) -> NDArray[np.bool_]:
    tiles = [(np.arange(n) * size // square_mm).astype(int) for n, size in zip(shape, voxel_size_mm, strict=True)]
    x, y, z = np.meshgrid(*tiles, indexing="ij", sparse=True)
    board: NDArray[np.bool_] = (x + y + z) % 2 == 0
    return board
