"""Every figure: a function that takes results and returns a matplotlib Figure, without global state.

Pages and notebooks call the same functions. A figure that cannot be drawn raises `hlhneuro.errors.NotAssessable`.
"""

from __future__ import annotations

from hlhneuro.report.figures.accuracy import detection_curves, lactate_curves, reliability
from hlhneuro.report.figures.cohort import interval_changes, load_trajectories, territory_frequency
from hlhneuro.report.figures.mrsi import grid_quality, metabolite_maps
from hlhneuro.report.figures.quality import (
    brain_outlines,
    contrast_outlines,
    midspace_slices,
    session_outlines,
    template_outlines,
)
from hlhneuro.report.figures.slices import change_panels, session_panels
from hlhneuro.report.figures.spectra import preparation_steps, spectrum_fit, voxel_location
from hlhneuro.report.figures.style import png_bytes, save_svg
from hlhneuro.report.figures.territories import territory_load
from hlhneuro.report.figures.timeline import timeline
from hlhneuro.report.figures.volumes import volume_course

__all__ = [
    "brain_outlines",
    "change_panels",
    "contrast_outlines",
    "detection_curves",
    "grid_quality",
    "interval_changes",
    "lactate_curves",
    "load_trajectories",
    "metabolite_maps",
    "midspace_slices",
    "png_bytes",
    "preparation_steps",
    "reliability",
    "save_svg",
    "session_outlines",
    "session_panels",
    "spectrum_fit",
    "template_outlines",
    "territory_frequency",
    "territory_load",
    "timeline",
    "volume_course",
    "voxel_location",
]
