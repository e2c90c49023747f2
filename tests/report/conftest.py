"""One synthetic patient of known numbers: spheres for lesions in a template brain, Lorentzian lines for a spectrum."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from nilearn.datasets import (
    load_mni152_brain_mask,
    load_mni152_gm_template,
    load_mni152_template,
    load_mni152_wm_template,
)

from hlhneuro.answers import Answer, Finding
from hlhneuro.imaging.alignment import AlignedSeries, AlignedSession, RegistrationQuality
from hlhneuro.imaging.transforms import AffineTransform
from hlhneuro.imaging.volumes import Grid, Step, Volume
from hlhneuro.lesions.change import IntervalChange, LesionChange
from hlhneuro.lesions.series import LesionSeries, SessionLesions
from hlhneuro.report import html
from hlhneuro.report.account.assessment import assess
from hlhneuro.report.html import write_report
from hlhneuro.report.results import StageStatus, SubjectResults
from hlhneuro.report.sections import SECTIONS
from hlhneuro.settings import ReportSettings, Settings
from hlhneuro.spectroscopy.fitting import SpectrumFit
from hlhneuro.spectroscopy.results import SpectrumResult
from hlhneuro.spectroscopy.voxel import VoxelComposition
from hlhneuro.study.layout import Session, Subject

LABELS = ("01", "02", "03")
DATES = (dt.date(2019, 3, 4), dt.date(2019, 4, 8), dt.date(2019, 7, 1))
AGES_YEARS = (4.5, 4.6, 4.83)
# Centre (RAS mm), radius (mm) per session, 0 where the lesion is not there.
SPHERES = (
    ((-30.0, -20.0, 28.0), (9.0, 13.0, 10.0), "deep white matter", "left"),
    ((28.0, 10.0, 28.0), (0.0, 10.0, 10.0), "frontal subcortical white matter", "right"),
    ((-20.0, -60.0, -32.0), (8.0, 8.0, 0.0), "cerebellar white matter and dentate", "left"),
)
LINES_PPM = {
    "NAA": (2.008,),
    "Cr": (3.027, 3.913),
    "Cho": (3.2,),
    "mI": (3.52, 3.6),
    "Lac": (1.286, 1.342),
    "Lip13": (1.28,),
}


@pytest.fixture(scope="session")
def template():
    head = load_mni152_template(resolution=3)
    grid = Grid(head.shape, np.asarray(head.affine, dtype=np.float64))
    images = {"T1w": head, "gm": load_mni152_gm_template(resolution=3), "wm": load_mni152_wm_template(resolution=3)}
    arrays = {name: np.asarray(image.get_fdata(), dtype=np.float32) for name, image in images.items()}
    arrays["brain"] = load_mni152_brain_mask(resolution=3).get_fdata() > 0
    arrays["csf"] = np.where(arrays["brain"], np.clip(1 - arrays["gm"] - arrays["wm"], 0, 1), 0).astype(np.float32)
    return grid, arrays


def spheres_of(grid: Grid, session: int) -> np.ndarray:
    """Lesion identity per voxel at one session."""
    points, identity = grid.points_mm(), np.zeros(grid.shape, dtype=np.int32)
    for number, (centre, radii, _, _) in enumerate(SPHERES, start=1):
        identity[np.linalg.norm(points - np.array(centre), axis=-1) < radii[session]] = number
    return identity


def _aligned(grid: Grid, arrays: dict[str, np.ndarray], identities: dict[str, np.ndarray]) -> AlignedSeries:
    sessions = []
    for label in LABELS:
        flair = np.where(arrays["brain"], 0.5 * arrays["gm"] + 0.4 * arrays["wm"], 0.0) + 0.35 * (identities[label] > 0)
        steps = (Step("n4", {}),)
        volumes = {
            "FLAIR": Volume(flair.astype(np.float32), grid.affine, "FLAIR", steps),
            "T1w": Volume(arrays["T1w"], grid.affine, "T1w", steps),
        }
        everywhere = np.ones(grid.shape, dtype=bool)
        quality = RegistrationQuality(
            f"ses-{label} T1w", f"ses-{label} FLAIR", 1.21, 0.97, float("nan"), True, "overlap"
        )
        sessions.append(
            AlignedSession(
                label=label,
                reference="FLAIR",
                volumes=volumes,
                brain_mask=arrays["brain"],
                coverage=dict.fromkeys(volumes, everywhere),
                to_subject=dict.fromkeys(volumes, AffineTransform(np.eye(4))),
                native_grids=dict.fromkeys(volumes, grid),
                noise_sd=dict.fromkeys(volumes, 0.03),
                quality=(quality,),
            )
        )
    between = RegistrationQuality("ses-02 FLAIR", "ses-01 FLAIR", 1.18, 0.98, 0.21, True, "inverse consistent")
    maps = {name: arrays[name] for name in ("gm", "wm", "csf")}
    return AlignedSeries(grid, tuple(sessions), arrays["brain"], AffineTransform(np.eye(4)), maps, (between,))


def _lesions(grid: Grid, arrays: dict[str, np.ndarray], identities: dict[str, np.ndarray]) -> LesionSeries:
    sessions = []
    for label in LABELS:
        mask = identities[label] > 0
        sessions.append(
            SessionLesions(
                label=label,
                probability=mask.astype(np.float32),
                mask=mask,
                volume_ml=float(mask.sum() * grid.voxel_volume_ml),
                volume_sd_ml=0.6,
                contrasts=("FLAIR", "T1w"),
                confidence="full",
                reason="FLAIR and T1w",
            )
        )
    tissue = {name: np.where(identities["01"] > 0, 0, arrays[name]).astype(np.float32) for name in ("gm", "wm", "csf")}
    return LesionSeries(grid, tuple(sessions), tissue, _territories(grid, arrays["brain"]), {})


def _territories(grid: Grid, brain: np.ndarray) -> np.ndarray:
    """Three pieces of brain, one around each sphere: right, left above, left below (as `SPHERES` has it)."""
    x, _, z = np.moveaxis(grid.points_mm(), -1, 0)
    return np.where(brain, np.where(x > 0, 12, np.where(z > -10, 61, 161)), 0).astype(np.int16)


def _change(grid: Grid, identities: dict[str, np.ndarray]) -> LesionChange:
    intervals = []
    for before, after in pairwise(LABELS):
        old, new = identities[before] > 0, identities[after] > 0
        codes = np.zeros(grid.shape, dtype=np.uint8)
        grown = np.isin(identities[after], np.unique(identities[before][old]))
        left = np.isin(identities[before], np.unique(identities[after][new]))
        codes[new & ~old] = np.where(grown[new & ~old], 2, 1)
        codes[new & old] = 3
        codes[old & ~new] = np.where(left[old & ~new], 4, 5)
        parts = [float((codes == code).sum() * grid.voxel_volume_ml) for code in range(1, 6)]
        net = float((int(new.sum()) - int(old.sum())) * grid.voxel_volume_ml)
        intervals.append(IntervalChange(before, after, codes, *parts, net, 0.85, 1.96 * 0.85))
    rows, territories = [], []
    for session, label in enumerate(LABELS):
        for number, (centre, radii, territory, side) in enumerate(SPHERES, start=1):
            volume = float((identities[label] == number).sum() * grid.voxel_volume_ml)
            status = "first" if session == 0 else "new" if radii[session - 1] == 0 else "resolved"
            if session and radii[session] and radii[session - 1]:
                step = radii[session] - radii[session - 1]
                status = "enlarged" if step > 0 else "shrunk" if step < 0 else "stable"
            if radii[session] or (session and radii[session - 1]):
                rows.append((number, label, territory, side, volume, 0.2, status, *centre))
            territories.append((label, territory, side, 80.0, volume, volume / 80.0, int(volume > 0), volume > 0))
    columns = ["lesion", "session", "territory", "side", "volume_ml", "volume_sd_ml", "status", "x_mm", "y_mm", "z_mm"]
    regions = ["session", "territory", "side", "territory_ml", "load_ml", "load_fraction", "lesions", "affected"]
    return LesionChange(
        tuple(intervals), identities, pd.DataFrame(rows, columns=columns), pd.DataFrame(territories, columns=regions)
    )


def make_fit(scale: float = 1.0) -> SpectrumFit:
    """Return Lorentzian lines of known place and height on a gentle baseline, with seeded noise."""
    ppm = np.linspace(4.2, 0.2, 900)
    heights = {"NAA": 10.0 * scale, "Cr": 7.0, "Cho": 6.0, "mI": 3.0, "Lac": 4.0, "Lip13": 3.0}
    components = {}
    for name, places in LINES_PPM.items():
        width = 0.08 if name == "Lip13" else 0.03
        components[name] = heights[name] * sum(1 / (1 + 1j * (ppm - place) / width) for place in places)
    baseline = (1.5 + np.cos(ppm)).astype(complex)
    fit = sum(components.values()) + baseline
    noise = np.random.default_rng(7).normal(scale=0.25, size=(2, ppm.size))
    tcr = heights["Cr"]
    rows = [
        (name, value, "institutional units", 0.055 * value, 5.5, value / tcr, 0.08 * value / tcr, name != "Lip13")
        for name, value in heights.items()
    ]
    rows += [("tNAA", heights["NAA"], "institutional units", 0.4, 4.0, heights["NAA"] / tcr, 0.07, True)]
    rows += [("tCho", heights["Cho"], "institutional units", 0.3, 5.0, heights["Cho"] / tcr, 0.05, True)]
    columns = ["metabolite", "concentration", "unit", "sd", "crlb_percent", "ratio_to_tcr", "ratio_sd", "detected"]
    quality = {
        "snr": 40.0,
        "linewidth_hz": 5.1,
        "linewidth_ppm": 0.041,
        "shift_ppm": 0.002,
        "phase0_deg": -3.0,
        "residual_ratio": 1.1,
        "fit_seconds": 0.2,
        "verdict": "good",
        "reasons": "",
    }
    record = (("residual water removal", {"removed": 3}), ("basis", {"source": "simulated press TE 30 ms"}))
    return SpectrumFit(
        ppm,
        fit + noise[0] + 1j * noise[1],
        fit,
        baseline,
        components,
        pd.DataFrame(rows, columns=columns),
        quality,
        record,
    )


def _spectrum(grid: Grid, label: str, scale: float) -> SpectrumResult:
    inside = np.all(np.abs(grid.points_mm() - np.array([-30.0, -20.0, 28.0])) < 10.0, axis=-1)
    voxel = VoxelComposition(inside, 8.0, 1.0, 0.2, 0.5, 0.05, 0.25)
    lactate = Finding(
        code="lactate",
        label="Lactate in the spectrum",
        answer=Answer.PRESENT,
        reason="doublet at 1.31 ppm, CRLB 6 %",
        scope="spectrum",
        sessions=(label,),
        subject_of="voi-lesion",
        value=4.0 / 7.0,
        standard_uncertainty=0.05,
        threshold_source="expert-set, not validated in HLH",
    )
    return SpectrumResult(label, "voi-lesion", 0.03, "press", False, make_fit(scale), voxel, (lactate,))


IMAGING_FINDINGS = (
    Finding(
        code="lesion_load_change",
        label="Lesion load changed beyond the measurement error",
        answer=Answer.PRESENT,
        reason="net change above 1.96 standard uncertainties",
        scope="interval",
        sessions=("01", "02"),
        value=8.4,
        standard_uncertainty=0.85,
        unit="ml",
        threshold=1.67,
        threshold_source="expert-set: 1.96 standard uncertainties",
    ),
    Finding(
        code="restricted_diffusion",
        label="Restricted diffusion in a lesion",
        answer=Answer.NOT_ASSESSABLE,
        reason="no ADC map; add a diffusion scan",
        scope="subject",
    ),
    Finding(
        code="posterior_fossa",
        label="Lesion in the brainstem",
        answer=Answer.ABSENT,
        reason="no lesion voxel in midbrain, pons or medulla",
        scope="session",
        sessions=("03",),
    ),
)


@pytest.fixture(scope="session")
def results(template) -> SubjectResults:
    grid, arrays = template
    identities = {label: spheres_of(grid, session) for session, label in enumerate(LABELS)}
    sessions = tuple(
        Session("01", label, date, age, (), (), (), covariates={"treatment": "dexamethasone"} if label == "02" else {})
        for label, date, age in zip(LABELS, DATES, AGES_YEARS, strict=True)
    )
    statuses = (
        *(StageStatus("01", label, "prepare", "done") for label in LABELS),
        StageStatus("01", "", "align", "done"),
        StageStatus("01", "", "lesions", "done"),
        StageStatus("01", "", "change", "done"),
        *(StageStatus("01", label, "spectra", "done") for label in LABELS[:2]),
        StageStatus("01", "03", "spectra", "failed", "the file holds no signal; export it again"),
    )
    return SubjectResults(
        subject=Subject("01", "male", sessions, covariates={"diagnosis": "HLH, familial"}),
        aligned=_aligned(grid, arrays, identities),
        lesions=_lesions(grid, arrays, identities),
        change=_change(grid, identities),
        spectra=(_spectrum(grid, "01", 1.0), _spectrum(grid, "02", 0.6)),
        statuses=statuses,
        settings=Settings(report=ReportSettings(image_dpi=50, panel_slices=2)),  # small, to be quick
        version="0.1.0",
    )


@pytest.fixture(scope="session")
def findings(results):
    spectral = [finding for spectrum in results.spectra for finding in spectrum.findings]
    return assess(results, IMAGING_FINDINGS, spectral)


@pytest.fixture(scope="session")
def page(results, findings, made_once) -> str:
    """The page of that patient, with all its pictures."""

    def make(folder):
        return write_report(results, findings, folder / "sub-01_report.html").read_text(encoding="utf-8")

    return made_once("page", make)


@pytest.fixture
def only(monkeypatch):
    """Return a function that leaves pages no sections but those: the others are drawn elsewhere."""

    def choose(*keys):
        monkeypatch.setattr(html, "SECTIONS", tuple(section for section in SECTIONS if section.key in keys))

    return choose


@pytest.fixture(scope="session")
def empty_results(results):
    """One session of which nothing could be used."""
    subject = replace(results.subject, sessions=(replace(results.subject.sessions[0], date=None, age_years=None),))
    failed = StageStatus("01", "01", "prepare", "failed", "ses-01 T1w: no finite signal")
    return replace(results, subject=subject, aligned=None, lesions=None, change=None, spectra=(), statuses=(failed,))
