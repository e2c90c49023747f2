"""Data whose truth is known."""

from hlhneuro.phantom.anatomy import Head, make_head
from hlhneuro.phantom.cases import Patient, Visit, random_patient, sample_patients
from hlhneuro.phantom.lesions import LesionCourse, LesionMap, Moment, map_lesions
from hlhneuro.phantom.spectra import PROFILES, SpectrumPlan, VoxelPlan, VoxelWater, make_spectrum
from hlhneuro.phantom.study import write_sample_study, write_study

__all__ = [
    "PROFILES",
    "Head",
    "LesionCourse",
    "LesionMap",
    "Moment",
    "Patient",
    "SpectrumPlan",
    "Visit",
    "VoxelPlan",
    "VoxelWater",
    "make_head",
    "make_spectrum",
    "map_lesions",
    "random_patient",
    "sample_patients",
    "write_sample_study",
    "write_study",
]
