"""Slices of the brain: every session beside the others, and the map of what changed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from numpy.typing import NDArray

from hlhneuro.errors import NotAssessable
from hlhneuro.imaging.alignment import AlignedSeries, AlignedSession
from hlhneuro.imaging.volumes import Volume
from hlhneuro.lesions.change import ChangeCode, IntervalChange
from hlhneuro.report.figures.sheet import AXIAL, CONVENTION, CORONAL, Plane, Row, Tile, View, draw_sheet
from hlhneuro.report.figures.style import CHANGE_COLOURS, COLOURS
from hlhneuro.report.results import SubjectResults
from hlhneuro.report.words import session_title

__all__ = ["background_of", "change_panels", "choose_slices", "require_aligned", "session_panels"]

# Sessions are followed on FLAIR, where inflammation shows best; then whatever there is.
FOLLOWED = ("FLAIR", "T2w", "T1w")
COLUMN_IN, PAGE_IN = 2.2, 10.0
BELOW_EACH_OTHER = 3  # sessions; more of them would make a page of one figure
OPACITY = 0.85


def background_of(session: AlignedSession, prefer: Sequence[str] = FOLLOWED) -> Volume:
    """Return the volume to draw on: the first preferred contrast that the session has, else its reference."""
    name = next((contrast for contrast in prefer if contrast in session.volumes), session.reference)
    return session.volumes.get(name) or next(iter(session.volumes.values()))


def choose_slices(results: SubjectResults, axis: int, count: int, spacing_mm: float) -> list[int]:
    """Return the slices through the largest load and change, apart from each other, from low to high.

    A lesion voxel of any session counts one and a voxel that changed one more; where there is neither, the slices are
    spread evenly over the brain.
    """
    aligned = require_aligned(results)
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


def require_aligned(results: SubjectResults) -> AlignedSeries:
    """Return the aligned sessions.

    Raises
    ------
    NotAssessable
        If there is none.
    """
    if results.aligned is None or not results.aligned.sessions:
        raise NotAssessable("no session could be aligned", remedy="see what was not done, and why")
    return results.aligned


def session_panels(results: SubjectResults, labels: Sequence[str] | None = None) -> Figure:
    """Draw all sessions in the same slices, with brain and lesion outlines.

    Shown are axial slices through the largest load and change, and one coronal slice. Up to three sessions lie below
    each other, more stand side by side; all that show the same contrast share one grey window.

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
    aligned = require_aligned(results)
    sessions = [session for session in aligned.sessions if labels is None or session.label in labels]
    view, windows, places = View.of(aligned), _windows(aligned), _places(results)

    def tile(session: AlignedSession, axis: int, index: int, *, titled: bool) -> Tile:
        background = background_of(session)
        outlines = [view.edge_of(session.brain_mask, axis, index, COLOURS["sky"], 0.5)]
        lesions = results.lesions.session(session.label) if results.lesions else None
        if lesions is not None:
            outlines.append(view.edge_of(lesions.mask, axis, index, COLOURS["vermillion"], 1.0))
        title = _title(results, session.label, background.contrast, known=lesions is not None) if titled else ""
        grey = view.grey(background.data, windows[background.contrast], axis, index)
        return view.tile(grey, axis, index, *outlines, title=title)

    note, width_in = f"brain (blue) and lesions (orange); {CONVENTION}", PAGE_IN
    if len(sessions) <= BELOW_EACH_OTHER:
        rows = [Row(tuple(tile(one, *at, titled=at == places[0]) for at in places)) for one in sessions]
    else:
        order = [*reversed(places[:-1]), places[-1]]
        rows = [Row(tuple(tile(one, *at, titled=at == order[0]) for one in sessions)) for at in order]
        width_in = min(COLUMN_IN * len(sessions), PAGE_IN)
    return draw_sheet(rows, view.voxel_mm, note, width_in=width_in)


def _windows(aligned: AlignedSeries) -> dict[str, tuple[float, float]]:
    """Return one grey window per contrast, the same in every figure of the subject."""
    view, backgrounds = View.of(aligned), [background_of(session) for session in aligned.sessions]
    names = dict.fromkeys(volume.contrast for volume in backgrounds)
    return {name: view.window(*(volume for volume in backgrounds if volume.contrast == name)) for name in names}


def _places(results: SubjectResults) -> list[tuple[int, int]]:
    """Return axial slices from low to high, then one coronal slice, where there is most to see."""
    count, spacing = results.settings.report.panel_slices, results.settings.report.slice_spacing_mm
    wanted = ((AXIAL, count), (CORONAL, 1))
    return [(axis, index) for axis, number in wanted for index in choose_slices(results, axis, number, spacing)]


def _title(results: SubjectResults, label: str, contrast: str, *, known: bool) -> str:
    head, *rest = session_title(results, label).split(" · ")
    return f"{head} · {contrast}\n{' · '.join(rest)}" + ("" if known else "\nlesions not assessable")


def change_panels(results: SubjectResults, interval: IntervalChange) -> Figure:
    """Draw the change map of one interval on the later session, with its legend and the volume of each kind.

    Raises
    ------
    NotAssessable
        If the later session is not aligned.
    """
    aligned = require_aligned(results)
    session = aligned.session(interval.after)
    if session is None:
        raise NotAssessable(f"ses-{interval.after} is not aligned", remedy="see what was not done, and why")
    view, background = View.of(aligned), background_of(session)
    window = _windows(aligned)[background.contrast]
    tiles: list[Tile] = []
    for axis, index in _places(results):
        grey = view.grey(background.data, window, axis, index)
        tiles.append(view.tile(_painted(grey, view.plane(interval.codes, axis, index)), axis, index))
    volumes = {name: float(getattr(interval, f"{name}_ml")) for name in CHANGE_COLOURS}
    key = [(colour, f"{name} {volumes[name]:.1f} ml") for name, colour in CHANGE_COLOURS.items()]
    note = f"{CONVENTION}; drawn on {session_title(results, interval.after)} {background.contrast}"
    return draw_sheet([Row(tuple(tiles))], view.voxel_mm, note, key=key)


def _painted(grey: Plane, codes: NDArray[np.uint8]) -> Plane:
    """Lay the colours of the change codes (1 new .. 5 resolved, as in `CHANGE_COLOURS`) over a grey slice."""
    colours = np.array([(0.0, 0.0, 0.0), *map(to_rgb, CHANGE_COLOURS.values())])
    opacity = OPACITY * (codes > 0)[..., None]
    painted: Plane = (1 - opacity) * grey[..., None] + opacity * colours[codes]
    return painted
