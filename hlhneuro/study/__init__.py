"""What is on disk: a BIDS study, its facts, and where results go."""

from __future__ import annotations

from hlhneuro.study._supplied import check_mask_folders
from hlhneuro.study.brain_masks import BrainMask, find_brain_masks
from hlhneuro.study.checking import CheckRow, StudyCheck, check_study
from hlhneuro.study.clinical import (
    ClinicalRecord,
    age_months,
    age_on,
    covariates_by_session,
    intervals_days,
    read_clinical,
)
from hlhneuro.study.derivatives import (
    Provenance,
    bids_uri,
    derivative_path,
    file_sha256,
    is_current,
    is_sealed,
    parse_derivative_name,
    read_table,
    sidecar_path,
    write_dataset_description,
    write_image,
    write_json,
    write_table,
    write_text,
)
from hlhneuro.study.event_kinds import EventKind, event_kind, event_kinds, kind_of
from hlhneuro.study.exposures import Exposure, denied, exposures
from hlhneuro.study.layout import Scan, Session, Study, Subject, open_study
from hlhneuro.study.lesion_masks import LesionMask, find_lesion_masks
from hlhneuro.study.metadata import PHYSICAL_RANGES, Acquisition, PhysicalRange, read_acquisition
from hlhneuro.study.mrs_files import RawSpectrum, to_image
from hlhneuro.study.observations import (
    CSF_ABNORMAL_BY,
    SYMPTOMS,
    Amount,
    Limit,
    Observation,
    ObservedColumn,
    observed_columns,
    read_observations,
)
from hlhneuro.study.treatment import (
    STEROID_EFFECT_DAYS,
    STEROID_EFFECT_SOURCE,
    TreatmentEvent,
    read_treatment,
    steroid_confounded,
)
from hlhneuro.study.vendor_spectra import SpectrumFacts, convert_spectrum
from hlhneuro.study.water_references import water_references_of

__all__ = [
    "CSF_ABNORMAL_BY",
    "PHYSICAL_RANGES",
    "STEROID_EFFECT_DAYS",
    "STEROID_EFFECT_SOURCE",
    "SYMPTOMS",
    "Acquisition",
    "Amount",
    "BrainMask",
    "CheckRow",
    "ClinicalRecord",
    "EventKind",
    "Exposure",
    "LesionMask",
    "Limit",
    "Observation",
    "ObservedColumn",
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
    "age_on",
    "bids_uri",
    "check_mask_folders",
    "check_study",
    "convert_spectrum",
    "covariates_by_session",
    "denied",
    "derivative_path",
    "event_kind",
    "event_kinds",
    "exposures",
    "file_sha256",
    "find_brain_masks",
    "find_lesion_masks",
    "intervals_days",
    "is_current",
    "is_sealed",
    "kind_of",
    "observed_columns",
    "open_study",
    "parse_derivative_name",
    "read_acquisition",
    "read_clinical",
    "read_observations",
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
