"""The patients of the sample study, and random patients of the same kind. All invented."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from hlhneuro.phantom.lesions import LesionCourse, Moment
from hlhneuro.phantom.physics import LESION_STATES
from hlhneuro.phantom.records import Rows, improving_record, progressing_record, random_record
from hlhneuro.phantom.spectra import PROFILES, SpectrumPlan, VoxelPlan

__all__ = ["ALL_CONTRASTS", "Patient", "Visit", "random_patient", "sample_patients"]

ALL_CONTRASTS = ("T1w", "T2w", "FLAIR", "ce-gadolinium_T1w", "ADC")


@dataclass(frozen=True)
class Visit:
    """One session of one invented patient."""

    label: str
    date: dt.date
    age_years: float
    field_t: float
    spectra: tuple[SpectrumPlan, ...] = ()
    contrasts: tuple[str, ...] = ALL_CONTRASTS
    covariates: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Patient:
    """One invented patient.

    Parameters
    ----------
    label, sex : str
    seed : int
        Seeds the head, the lesions' outlines and every image.
    brain_scale : float
        See `hlhneuro.phantom.anatomy.make_head`.
    visits : tuple of Visit
        In order of time.
    lesions : tuple of LesionCourse
    covariates : mapping
        Further columns of ``participants.tsv``.
    events, observations : tuple of mapping
        Rows of the tables of treatment and of clinical observations.
    """

    label: str
    sex: str
    seed: int
    brain_scale: float
    visits: tuple[Visit, ...]
    lesions: tuple[LesionCourse, ...]
    covariates: Mapping[str, str] = field(default_factory=dict)
    events: Rows = ()
    observations: Rows = ()


def _course(
    name: str,
    place: tuple[str, str],
    centre_mm: tuple[float, float, float],
    axes_mm: tuple[float, float, float],
    moments: Mapping[str, tuple[float, str, bool]],
    **how: str,
) -> LesionCourse:
    return LesionCourse(
        name, *place, centre_mm, axes_mm, {label: Moment(*moment) for label, moment in moments.items()}, **how
    )


def sample_patients() -> tuple[Patient, Patient]:
    """Return the two patients of the sample study: one whose disease progresses, one who improves on treatment."""
    return _progressing(), _improving()


def _progressing() -> Patient:
    """Return a boy of four with EBV-triggered X-linked disease, two visits a month apart, at 1.5 T."""
    pv = {"shape": "periventricular", "tissue": "wm"}
    wm = {"tissue": "wm"}
    ball = (1.0, 1.0, 1.0)
    lesions = (
        _course("pv-front-left", ("periventricular white matter", "left"), (-22, 28, 10), (1, 1.4, 1),
                {"01": (4.5, "inflamed", False), "02": (9.5, "inflamed", True)}, **pv),
        _course("pv-trigone-right", ("periventricular white matter", "right"), (28, -46, 16), (1, 1.4, 1),
                {"01": (3.5, "inflamed", True), "02": (6.5, "restricted", True)}, **pv),
        _course("deep-white-left", ("deep white matter", "left"), (-26, -16, 32), (1, 1.6, 1),
                {"01": (1.4, "inflamed", False), "02": (3.0, "inflamed", True)}, **wm),
        _course("parietal-right", ("parietal subcortical white matter", "right"), (36, -42, 40), ball,
                {"01": (0.8, "inflamed", True), "02": (0.8, "inflamed", False)}, **wm),
        _course("putamen-left", ("putamen", "left"), (-26, 4, 1), (0.8, 1.5, 1.2),
                {"01": (1.4, "inflamed", True), "02": (3.6, "necrotic", True)}),
        _course("putamen-right", ("putamen", "right"), (27, 2, 2), (0.8, 1.4, 1.1),
                {"02": (1.3, "restricted", True)}),
        _course("thalamus-right", ("thalamus", "right"), (12, -18, 8), ball,
                {"01": (0.6, "inflamed", False), "02": (0.6, "inflamed", False)}),
        _course("pons", ("pons", "right"), (5, -26, -32), (1.2, 0.9, 1.2), {"02": (0.8, "restricted", True)}),
        _course("cerebellum-left", ("cerebellar white matter and dentate", "left"), (-20, -58, -38), ball,
                {"01": (1.2, "restricted", True), "02": (3.2, "restricted", True)}),
        _course("cerebellum-right", ("cerebellar white matter and dentate", "right"), (22, -60, -36), ball,
                {"02": (1.7, "restricted", True)}),
    )  # fmt: skip
    voxel = VoxelPlan((-26.0, 3.0, 3.0), (18.0, 18.0, 18.0), (8.0, 0.0, 12.0))
    first, second = PROFILES["inflammatory"], PROFILES["necrotic"]
    scanner = {"scanner": "phantom 1.5 T", "field_strength": "1.5", "anaesthesia": "sevoflurane"}
    visits = (
        Visit("01", dt.date(2021, 3, 2), 4.4, 1.5,
              (SpectrumPlan("short", 0.030, 1.5, first, voxel, coils=4, transients=8),
               SpectrumPlan("long", 0.144, 1.5, first, voxel)),
              covariates=scanner | {"treatment": "dexamethasone 10 mg/m2, etoposide"}),
        Visit("02", dt.date(2021, 4, 1), 4.5, 1.5,
              (SpectrumPlan("short", 0.030, 1.5, second, voxel, eddy_current=True),
               SpectrumPlan("long", 0.144, 1.5, second, voxel)),
              covariates=scanner | {"treatment": "dexamethasone 5 mg/m2, etoposide, ciclosporin"}),
    )  # fmt: skip
    about = {"diagnosis": "HLH, X-linked lymphoproliferative disease", "trigger": "Epstein-Barr virus"}
    return Patient("01", "M", 101, 0.91, visits, lesions, about, *progressing_record())


def _improving() -> Patient:
    """Return a girl of nine who improves on treatment over three visits, at 3 T; one scar stays."""
    pv = {"shape": "periventricular", "tissue": "wm"}
    wm = {"tissue": "wm"}
    ball = (1.0, 1.0, 1.0)
    lesions = (
        _course("pv-front-right", ("periventricular white matter", "right"), (22, 26, 12), (1, 1.4, 1),
                {"01": (7.0, "inflamed", True), "02": (3.6, "inflamed", False), "03": (1.2, "inflamed", False)}, **pv),
        _course("pv-trigone-left", ("periventricular white matter", "left"), (-28, -46, 16), (1, 1.4, 1),
                {"01": (5.0, "inflamed", True), "02": (2.4, "inflamed", False), "03": (0.8, "inflamed", False)}, **pv),
        _course("frontal-left", ("frontal subcortical white matter", "left"), (-28, 24, 26), (1, 1.4, 1),
                {"01": (3.5, "restricted", True), "02": (2.2, "necrotic", True), "03": (1.4, "scar", False)}, **wm),
        _course("thalamus-left", ("thalamus", "left"), (-11, -16, 9), ball,
                {"01": (1.5, "inflamed", True), "02": (0.5, "inflamed", False)}),
        _course("putamen-right", ("putamen", "right"), (27, 3, 2), (0.8, 1.4, 1.1),
                {"01": (2.2, "inflamed", True), "02": (1.0, "inflamed", False), "03": (0.3, "inflamed", False)}),
        _course("cerebellum-right", ("cerebellar white matter and dentate", "right"), (20, -58, -37), ball,
                {"01": (2.5, "inflamed", True), "02": (0.9, "inflamed", False)}),
        _course("parietal-left", ("parietal subcortical white matter", "left"), (-34, -46, 40), ball,
                {"01": (1.2, "inflamed", False)}, **wm),
    )  # fmt: skip
    voxel = VoxelPlan((26.0, 2.0, 4.0), (18.0, 20.0, 18.0), (10.0, 0.0, -10.0))
    scanner = {"scanner": "phantom 3 T", "field_strength": "3", "anaesthesia": "no anaesthesia"}
    course = (
        ("01", dt.date(2022, 1, 11), 9.2, "inflammatory", "dexamethasone 10 mg/m2, etoposide"),
        ("02", dt.date(2022, 4, 19), 9.5, "recovering", "dexamethasone 1.25 mg/m2, etoposide"),
        ("03", dt.date(2022, 10, 25), 10.0, "recovered", "treatment finished"),
    )
    visits = []
    for label, date, age, profile, treatment in course:
        spectra = (
            SpectrumPlan("short", 0.030, 2.0, PROFILES[profile], voxel),
            SpectrumPlan("long", 0.288, 2.0, PROFILES[profile], voxel, water_reference=label != "03"),
        )
        contrasts = tuple(c for c in ALL_CONTRASTS if not (label == "02" and c == "FLAIR"))
        visits.append(Visit(label, date, age, 3.0, spectra, contrasts, scanner | {"treatment": treatment}))
    about = {"diagnosis": "HLH, primary (perforin)", "trigger": "unknown"}
    return Patient("02", "F", 202, 0.925, tuple(visits), lesions, about, *improving_record())


# Where random lesions may lie: territory, side (mirrored at random), centre, largest volume in ml, shape, tissue.
_PLACES = (
    ("periventricular white matter", (22.0, 27.0, 11.0), 6.0, "periventricular", "wm"),
    ("periventricular white matter", (28.0, -46.0, 16.0), 5.0, "periventricular", "wm"),
    ("deep white matter", (26.0, -16.0, 32.0), 2.5, "nodular", "wm"),
    ("parietal subcortical white matter", (35.0, -43.0, 40.0), 1.2, "nodular", "wm"),
    ("frontal subcortical white matter", (28.0, 26.0, 26.0), 2.5, "nodular", "wm"),
    ("putamen", (26.5, 3.0, 2.0), 2.5, "nodular", "any"),
    ("thalamus", (12.0, -17.0, 8.0), 1.2, "nodular", "any"),
    ("cerebellar white matter and dentate", (20.0, -58.0, -37.0), 2.5, "nodular", "any"),
    ("pons", (5.0, -26.0, -32.0), 0.8, "nodular", "any"),
)


def random_patient(number: int, sessions: int, seed: int) -> Patient:
    """Return an invented patient whose lesions, course and spectra follow from the seed.

    Parameters
    ----------
    number : int
        Position in the study, from one; gives the label.
    sessions : int
    seed : int
        Of the study.
    """
    rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, number, 3])))
    labels = [f"{n:02d}" for n in range(1, sessions + 1)]
    worsening = bool(rng.random() < 0.5)
    field_t = float(rng.choice([1.5, 3.0]))
    age = float(np.round(rng.uniform(2.5, 14.0), 1))
    side = int(rng.choice([-1, 1]))
    lesions = tuple(
        _random_course(place, labels, worsening, side if place[0] == "putamen" else int(rng.choice([-1, 1])), rng)
        for place in _PLACES
        if place[0] in ("putamen", "periventricular white matter") or rng.random() < 0.7
    )
    ends = ("inflammatory", "necrotic") if worsening else ("inflammatory", "recovered")
    voxel = VoxelPlan((side * 26.0, 3.0, 3.0), (18.0, 18.0, 18.0), (8.0, 0.0, 10.0))
    date, visits = dt.date(2020, 1, 7) + dt.timedelta(days=int(rng.integers(0, 700))), []
    for at, label in enumerate(labels):
        profile = PROFILES[ends[0] if at < max(1, sessions // 2) else ends[1]]
        plan = SpectrumPlan("short", 0.030, 1.5 if field_t < 2 else 2.0, profile, voxel)
        covariates = {
            "scanner": f"phantom {field_t:g} T",
            "field_strength": f"{field_t:g}",
            "anaesthesia": "no anaesthesia",
        }
        covariates["treatment"] = "dexamethasone, etoposide" if at < sessions - 1 or worsening else "treatment finished"
        visits.append(Visit(label, date, round(age, 2), field_t, (plan,), covariates=covariates))
        days = int(rng.integers(28, 120))
        date, age = date + dt.timedelta(days=days), age + days / 365.25
    sex = str(rng.choice(["F", "M"]))
    about = {"diagnosis": "HLH", "trigger": "unknown"}
    scale = float(np.round(rng.uniform(0.90, 0.95), 3))
    # Numbers of their own: the record changes neither images nor spectra.
    own = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, number, 4])))
    record = random_record([visit.date for visit in visits], own, worsening=worsening)
    return Patient(f"{number:02d}", sex, 1000 * seed + number, scale, tuple(visits), lesions, about, *record)


def _random_course(
    place: tuple[str, tuple[float, float, float], float, str, str],
    labels: list[str],
    worsening: bool,
    side: int,
    rng: np.random.Generator,
) -> LesionCourse:
    territory, centre, largest_ml, shape, tissue = place
    share = (
        np.linspace(0.35, 1.0, len(labels))
        if worsening
        else np.linspace(1.0, float(rng.choice([0.0, 0.25])), len(labels))
    )
    if worsening and rng.random() < 0.3:
        share[0] = 0.0  # new at the second visit
    volumes = np.round(share * largest_ml * rng.uniform(0.5, 1.0), 2)
    state = LESION_STATES[int(rng.integers(0, 2))]
    middle = tuple(float(c) for c in np.round(np.array(centre) * (side, 1, 1) + rng.normal(0, 1.0, 3), 1))
    name_side = {-1: "left", 1: "right"}[side]
    moments = {
        label: Moment(float(volume), state, bool(rng.random() < 0.6))
        for label, volume in zip(labels, volumes, strict=True)
    }
    name = f"{territory.replace(' ', '-')}-{name_side}-{'front' if centre[1] > 0 else 'back'}"
    at = (middle[0], middle[1], middle[2])
    return LesionCourse(name, territory, name_side, at, (1.0, 1.3, 1.0), moments, shape, tissue)
