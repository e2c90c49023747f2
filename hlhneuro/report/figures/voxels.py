"""Where a spectrum comes from: its voxel on the anatomy."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from hlhneuro.errors import NotAssessable
from hlhneuro.report.figures.sheet import CONVENTION, PLANES, Row, View, draw_sheet
from hlhneuro.report.figures.slices import background_of
from hlhneuro.report.figures.style import COLOURS
from hlhneuro.report.results import SubjectResults
from hlhneuro.spectroscopy import SpectrumResult

__all__ = ["voxel_location"]


def voxel_location(results: SubjectResults, spectrum: SpectrumResult) -> Figure:
    """Draw the spectroscopy voxel on the session's anatomy, in three planes through its centre.

    Raises
    ------
    NotAssessable
        If the session is not aligned or the voxel lies outside the images.
    """
    aligned = results.aligned
    session = aligned.session(spectrum.session) if aligned else None
    if aligned is None or session is None or spectrum.voxel is None or not spectrum.voxel.mask.any():
        raise NotAssessable(
            "the voxel cannot be shown on the anatomy",
            remedy="add an image of the same session that shares its scanner space with the spectrum",
        )
    background = background_of(session, prefer=("T1w", "T2w", "FLAIR"))
    view = View.of(aligned)
    window = view.window(background)
    centre = np.round(np.argwhere(spectrum.voxel.mask).mean(axis=0)).astype(int)
    lesions = results.lesions.session(spectrum.session) if results.lesions else None
    tiles = []
    for axis, plane in PLANES.items():
        index = int(centre[axis])
        outlines = [view.edge_of(spectrum.voxel.mask, axis, index, COLOURS["yellow"], 1.6)]
        if lesions is not None:
            outlines.insert(0, view.edge_of(lesions.mask, axis, index, COLOURS["vermillion"], 0.8))
        tiles.append(view.tile(view.grey(background.data, window, axis, index), axis, index, *outlines, title=plane))
    drawn = (
        f"spectroscopy voxel (yellow){' and lesions (orange)' if lesions is not None else ''} on {background.contrast}"
    )
    return draw_sheet([Row(tuple(tiles))], view.voxel_mm, f"{drawn}; {CONVENTION}", width_in=8.0)
