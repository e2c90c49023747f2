"""What is on disk: a BIDS study, its facts, and where results go."""

from __future__ import annotations

from hlhneuro.study._supplied import check_mask_folders
from hlhneuro.study.brain_masks import BrainMask, find_brain_masks
from hlhneuro.study.checking import CheckRow, StudyCheck, check_study
from hlhneuro.study.clinical import (
    STEROID_EFFECT_DAYS,
    STEROID_EFFECT_SOURCE,
    ClinicalRecord,
    TreatmentEvent,
    age_months,
    covariates_by_session,
    intervals_days,
    read_clinical,
    read_treatment,
    steroid_confounded,
)
from hlhneuro.study.derivatives import (
    Provenance,
    bids_uri,
    derivative_path,
    file_sha256,
    is_current,
    parse_derivative_name,
    read_table,
    sidecar_path,
    write_dataset_description,
    write_image,
    write_json,
    write_table,
    write_text,
)
from hlhneuro.study.layout import Scan, Session, Study, Subject, open_study
from hlhneuro.study.lesion_masks import LesionMask, find_lesion_masks
from hlhneuro.study.metadata import PHYSICAL_RANGES, Acquisition, PhysicalRange, read_acquisition
from hlhneuro.study.mrs_files import RawSpectrum, to_image
from hlhneuro.study.vendor_spectra import SpectrumFacts, convert_spectrum
from hlhneuro.study.water_references import water_references_of

__all__ = [
    "PHYSICAL_RANGES",
    "STEROID_EFFECT_DAYS",
    "STEROID_EFFECT_SOURCE",
    "Acquisition",
    "BrainMask",
    "CheckRow",
    "ClinicalRecord",
    "LesionMask",
    "PhysicalRange",
    "Provenance",
    "RawSpectrum",
    "Scan",
    "Session",
    "SpectrumFacts",
    "Study",
    "StudyCheck",
    "Subject",
    "TreatmentEvent",
    "age_months",
    "bids_uri",
    "check_mask_folders",
    "check_study",
    "convert_spectrum",
    "covariates_by_session",
    "derivative_path",
    "file_sha256",
    "find_brain_masks",
    "find_lesion_masks",
    "intervals_days",
    "is_current",
    "open_study",
    "parse_derivative_name",
    "read_acquisition",
    "read_clinical",
    "read_table",
    "read_treatment",
    "sidecar_path",
    "steroid_confounded",
    "to_image",
    "water_references_of",
    "write_dataset_description",
    "write_image",
    "write_json",
    "write_table",
    "write_text",
]
