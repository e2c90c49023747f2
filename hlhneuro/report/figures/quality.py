"""Do the images lie on each other? Outlines of one on the other, checkerboards, the brain mask and the template."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy import ndimage as ndi

from hlhneuro.errors import NotAssessable
from hlhneuro.imaging.series import AlignedSession, RegistrationQuality
from hlhneuro.imaging.volumes import Volume
from hlhneuro.report.figures.sheet import CONVENTION, PLANES, Outline, Plane, Row, View, draw_sheet
from hlhneuro.report.figures.slices import FOLLOWED, background_of, require_aligned
from hlhneuro.report.figures.style import COLOURS
from hlhneuro.report.registrations import parts_of, template_verdicts, verdict_text, verdicts_between
from hlhneuro.report.results import SubjectResults
from hlhneuro.report.words import session_title
from hlhneuro.settings import ReportSettings

__all__ = ["brain_outlines", "contrast_outlines", "midspace_slices", "session_outlines", "template_outlines"]

MIDDLE = 0.5
EDGES, BRAIN, WHITE = COLOURS["yellow"], COLOURS["sky"], COLOURS["vermillion"]


def contrast_outlines(results: SubjectResults, label: str) -> Figure:
    """Draw every contrast of a session against the session's reference, one row each.

    Left, the reference with the edges of the other contrast; right, squares of both in turn. The slices go through the
    middle of the brain. A contrast that could not be aligned has its reason instead of pictures.

    Parameters
    ----------
    results : SubjectResults
    label : str
        Session label.

    Raises
    ------
    NotAssessable
        If the session is not aligned or has one contrast only.
    """
    aligned = require_aligned(results)
    session = aligned.session(label)
    if session is None:
        raise NotAssessable(f"ses-{label} is not aligned", remedy="see what was not done, and why")
    if not session.quality:
        raise NotAssessable(
            f"ses-{label} has one contrast only ({session.reference})", remedy="there is nothing to align it with"
        )
    view, fixed = View.of(aligned), session.volumes[session.reference]
    rows = []
    for quality in session.quality:
        name = parts_of(quality.moving)[1]
        heading = f"{session_title(results, label)} · {name} on {session.reference} · {verdict_text(quality)}"
        moving = session.volumes.get(name)
        rows.append(Row((), heading) if moving is None else _compared(view, fixed, moving, heading, results))
    note = (
        f"left: the reference with the edges of the other image (yellow); right: squares of both in turn; {CONVENTION}"
    )
    return draw_sheet(rows, view.voxel_mm, note)


def session_outlines(results: SubjectResults) -> Figure:
    """Draw every session against the one before it, as `contrast_outlines` does for contrasts.

    Raises
    ------
    NotAssessable
        If fewer than two sessions are aligned.
    """
    aligned = require_aligned(results)
    if len(aligned.sessions) < 2:
        raise NotAssessable("only one session is aligned", remedy="there is nothing to compare it with")
    view, rows = View.of(aligned), []
    for before, after in pairwise(aligned.sessions):
        fixed, moving = _same_contrast(before, after)
        shown = fixed.contrast if fixed.contrast == moving.contrast else f"{moving.contrast} on {fixed.contrast}"
        verdicts = verdicts_between(aligned, before.label, after.label)
        heading = f"{session_title(results, after.label)} on {session_title(results, before.label)} · {shown}"
        rows.append(_compared(view, fixed, moving, f"{heading} · {_told(verdicts)}", results))
    note = f"left: the earlier session with the edges of the later (yellow); right: squares of both; {CONVENTION}"
    return draw_sheet(rows, view.voxel_mm, note)


def brain_outlines(results: SubjectResults) -> Figure:
    """Draw the edge of the brain mask on every session's reference, in three planes at several positions.

    Raises
    ------
    NotAssessable
        If no session is aligned.
    """
    aligned, view = require_aligned(results), View.of(require_aligned(results))
    rows = []
    for session in aligned.sessions:
        volume = session.volumes[session.reference]
        window = view.window(volume)
        tiles = []
        for axis, index in _cuts(view, results.settings.report.quality_positions):
            edge = view.edge_of(session.brain_mask, axis, index, BRAIN, 0.8)
            tiles.append(view.tile(view.grey(volume.data, window, axis, index), axis, index, edge))
        millilitres = float(session.brain_mask.sum()) * aligned.grid.voxel_volume_ml
        heading = f"{session_title(results, session.label)} · {session.reference} · {millilitres:.0f} ml"
        rows.append(Row(tuple(tiles), heading))
    return draw_sheet(rows, view.voxel_mm, f"edge of the brain mask (blue); {CONVENTION}")


def template_outlines(results: SubjectResults) -> Figure:
    """Draw the template's white matter and brain, carried to the patient, on the mean image of all sessions.

    Raises
    ------
    NotAssessable
        If no session is aligned, or the template's maps are not there.
    """
    aligned, view = require_aligned(results), View.of(require_aligned(results))
    if not aligned.template_maps:
        raise NotAssessable("the template was not carried to the patient", remedy="see what was not done, and why")
    verdicts = template_verdicts(aligned)
    name = parts_of(verdicts[0].moving)[1] if verdicts else ""
    if not any(name in session.volumes for session in aligned.sessions):
        name = _common_contrast(aligned.sessions)
    volumes = [session.volumes[name] for session in aligned.sessions if name in session.volumes]
    window = view.window(*volumes)
    tiles = []
    for axis, index in _cuts(view, results.settings.report.quality_positions):
        planes = {tissue: view.plane(image, axis, index) for tissue, image in aligned.template_maps.items()}
        brain = Outline(np.sum(list(planes.values()), axis=0), 0.5, BRAIN, 0.7)
        outlines = [brain, Outline(planes["wm"], 0.5, WHITE, 0.7)] if "wm" in planes else [brain]
        grey = np.mean([view.grey(volume.data, window, axis, index) for volume in volumes], axis=0)
        tiles.append(view.tile(grey, axis, index, *outlines))
    heading = f"mean {name} of {len(volumes)} of {len(aligned.sessions)} aligned sessions"
    heading += "".join(f" · {verdict_text(verdict)}" for verdict in verdicts)
    note = f"edge of the template's white matter (red) and of its brain (blue); {CONVENTION}"
    return draw_sheet([Row(tuple(tiles), heading)], view.voxel_mm, note)


def midspace_slices(results: SubjectResults, label: str) -> Figure:
    """Draw one session in three planes; the figures of all sessions lie exactly on each other, to be looked at in turn.

    Raises
    ------
    NotAssessable
        If the session is not aligned.
    """
    aligned = require_aligned(results)
    session = aligned.session(label)
    if session is None:
        raise NotAssessable(f"ses-{label} is not aligned", remedy="see what was not done, and why")
    view, name = View.of(aligned), _common_contrast(aligned.sessions)
    volume = session.volumes.get(name) or background_of(session)
    window = view.window(volume)
    tiles = [view.tile(view.grey(volume.data, window, axis, i), axis, i) for axis, i in _cuts(view, (MIDDLE,))]
    heading = f"{session_title(results, label)} · {volume.contrast}"
    return draw_sheet([Row(tuple(tiles), heading)], view.voxel_mm, CONVENTION, width_in=7.0)


def _compared(view: View, fixed: Volume, moving: Volume, heading: str, results: SubjectResults) -> Row:
    """Return the outlines of one image on the other in three planes, then both in squares."""
    settings = results.settings.report
    windows = view.window(fixed), view.window(moving)
    outlined, boards = [], []
    for axis, index in _cuts(view, (MIDDLE,)):
        one, other = (
            view.grey(volume.data, window, axis, index) for volume, window in zip((fixed, moving), windows, strict=True)
        )
        edges = edges_of(view.plane(moving.data, axis, index), view.plane(view.brain, axis, index), view, settings)
        outlined.append(view.tile(one, axis, index, edges))
        squares = _squares(one.shape, settings.checkerboard_mm / view.voxel_mm)
        boards.append(view.tile(np.where(squares, one, other), axis, index))
    return Row((*outlined, *boards), heading)


def edges_of(plane: Plane, brain: NDArray[np.bool_], view: View, settings: ReportSettings) -> Outline:
    """Return the edges of the tissue in a slice: where the steepness is greatest across them.

    References
    ----------
    Marr D, Hildreth E. Theory of edge detection. Proc R Soc Lond B 1980; 207: 187-217.
    """
    sigma = settings.edge_sigma_mm / view.voxel_mm
    steep = ndi.gaussian_gradient_magnitude(plane.astype(np.float64), sigma)
    limit = np.quantile(steep[brain], 1 - settings.edge_part) if brain.any() else np.inf
    curved = ndi.gaussian_laplace(plane.astype(np.float64), sigma)
    return Outline(np.ma.masked_array(curved, mask=(steep < limit) | ~brain), 0.0, EDGES, 0.6)


def _cuts(view: View, positions: Sequence[float]) -> list[tuple[int, int]]:
    """Return axial, coronal and sagittal slices at fixed parts of the brain's extent: the same rule for everyone."""
    return [(axis, view.index_at(axis, part)) for axis in PLANES for part in positions]


def _told(verdicts: Sequence[RegistrationQuality]) -> str:
    if not verdicts:
        return "not matched directly; both lie in the common space through other sessions"
    return "; ".join(verdict_text(verdict) for verdict in verdicts)


def _same_contrast(first: AlignedSession, second: AlignedSession) -> tuple[Volume, Volume]:
    """Return the same contrast of both sessions where there is one, else what each shows best."""
    shared = [name for name in (*FOLLOWED, *first.volumes) if name in first.volumes and name in second.volumes]
    if shared:
        return first.volumes[shared[0]], second.volumes[shared[0]]
    return background_of(first), background_of(second)


def _common_contrast(sessions: Sequence[AlignedSession]) -> str:
    """Return the contrast that most sessions have, of those the one that shows most."""
    names = list(dict.fromkeys((*FOLLOWED, *(name for session in sessions for name in session.volumes))))
    return max(names, key=lambda name: sum(name in session.volumes for session in sessions))


def _squares(shape: tuple[int, ...], edge: float) -> NDArray[np.bool_]:
    rows, columns = ((np.arange(length) // edge).astype(int) for length in shape)
    board: NDArray[np.bool_] = (rows[:, None] + columns) % 2 == 0
    return board
