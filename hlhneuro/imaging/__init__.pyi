from .alignment import (
    AlignedSeries,
    AlignedSession,
    PreparedSession,
    RegistrationQuality,
    align,
    prepare,
)
from .resampling import coverage, resample, resample_labels, resample_mask
from .template_files import template_checksums, template_paths
from .transform_files import load_itk, load_linear, load_transform, save_itk, save_transform
from .transforms import AffineTransform, DisplacementTransform, Transform
from .volumes import Grid, Step, Volume, load_volume

__all__ = [
    "AffineTransform",
    "AlignedSeries",
    "AlignedSession",
    "DisplacementTransform",
    "Grid",
    "PreparedSession",
    "RegistrationQuality",
    "Step",
    "Transform",
    "Volume",
    "align",
    "coverage",
    "load_itk",
    "load_linear",
    "load_transform",
    "load_volume",
    "prepare",
    "resample",
    "resample_labels",
    "resample_mask",
    "save_itk",
    "save_transform",
    "template_checksums",
    "template_paths",
]
