from .accuracy import coverage, detection_curves, lactate_curves, reliability
from .cohort import (
    group_comparison,
    interval_changes,
    load_trajectories,
    ratio_trajectories,
    territory_frequency,
    territory_frequency_map,
)
from .course import timeline
from .mrsi import grid_quality, metabolite_maps
from .quality import (
    brain_outlines,
    contrast_outlines,
    midspace_slices,
    session_outlines,
    template_outlines,
)
from .ratios import ratio_bars
from .slices import change_panels, session_panels
from .spectra import preparation_steps, spectrum_fit
from .style import png_bytes, save_svg, show_in_notebook
from .territories import territory_load, territory_map
from .volumes import volume_course
from .voxels import voxel_location

__all__ = [
    "brain_outlines",
    "change_panels",
    "contrast_outlines",
    "coverage",
    "detection_curves",
    "grid_quality",
    "group_comparison",
    "interval_changes",
    "lactate_curves",
    "load_trajectories",
    "metabolite_maps",
    "midspace_slices",
    "png_bytes",
    "preparation_steps",
    "ratio_bars",
    "ratio_trajectories",
    "reliability",
    "save_svg",
    "session_outlines",
    "session_panels",
    "show_in_notebook",
    "spectrum_fit",
    "template_outlines",
    "territory_frequency",
    "territory_frequency_map",
    "territory_load",
    "territory_map",
    "timeline",
    "volume_course",
    "voxel_location",
]
