"""From comparable images to what changed."""

from hlhneuro.lesions.change import ChangeCode, IntervalChange, LesionChange, measure_change
from hlhneuro.lesions.external import GivenLesions, load_lesion_mask, supplied_lesions
from hlhneuro.lesions.findings import lesion_findings
from hlhneuro.lesions.segmentation import segment_lesions
from hlhneuro.lesions.series import LesionSeries, SessionLesions
from hlhneuro.lesions.signs import SIGN_COLUMNS, LesionSigns, Measure, Sign, measure_signs
from hlhneuro.lesions.territories import (
    Territory,
    asymmetry_index,
    territories,
    territory_labels,
    territory_load,
    territory_table,
)
from hlhneuro.lesions.tissues import TissueModel, fit_tissues
from hlhneuro.lesions.visits import Visit, visit_of
from hlhneuro.lesions.volumes import StructureChange, VolumeChange, VolumeInterval, measure_volumes

__all__ = [
    "SIGN_COLUMNS",
    "ChangeCode",
    "GivenLesions",
    "IntervalChange",
    "LesionChange",
    "LesionSeries",
    "LesionSigns",
    "Measure",
    "SessionLesions",
    "Sign",
    "StructureChange",
    "Territory",
    "TissueModel",
    "Visit",
    "VolumeChange",
    "VolumeInterval",
    "asymmetry_index",
    "fit_tissues",
    "lesion_findings",
    "load_lesion_mask",
    "measure_change",
    "measure_signs",
    "measure_volumes",
    "segment_lesions",
    "supplied_lesions",
    "territories",
    "territory_labels",
    "territory_load",
    "territory_table",
    "visit_of",
]
