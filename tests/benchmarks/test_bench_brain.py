"""Brain masks and bias fields, accuracy and seconds: `pytest -m benchmark tests/benchmarks/test_bench_brain.py -s`."""

from __future__ import annotations

import importlib.util
import time
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from hlhneuro.imaging import AffineTransform, Grid, align, load_itk, load_volume, prepare, resample_mask
from hlhneuro.imaging.bias import correct_bias
from hlhneuro.imaging.template import template_maps
from hlhneuro.imaging.volumes import Volume
from hlhneuro.settings import AlignSettings, PrepareSettings

SHARED = Path(__file__).parents[2].parent / "shared/data/ms_longitudinal"
NAMES = {"FLAIR": "FLAIR", "T1w": "T1W", "T2w": "T2W"}
ENGINES = [
    "opening",
    pytest.param(
        "deepbet", marks=pytest.mark.skipif(not importlib.util.find_spec("deepbet"), reason="deepbet is not installed")
    ),
]

pytestmark = pytest.mark.benchmark


def dice(a, b):
    return 2 * (a & b).sum() / (a.sum() + b.sum())


@pytest.mark.realdata
@pytest.mark.skipif(not SHARED.exists(), reason="the Ljubljana longitudinal scans are not part of the project")
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("patient", ["01", "03"])
def test_brain_masks_of_two_sessions(patient, engine):
    """Each session on its own, and after all sessions of the subject have voted."""
    folder = SHARED / f"patient{patient}"
    image = nib.load(folder / "coregistered/brainmask.nii.gz")
    truth, grid = np.asarray(image.dataobj) > 0, Grid(image.shape, image.affine)
    sessions = []
    for n in (1, 2):
        files = {c: folder / f"raw/study{n}_{name}.nii.gz" for c, name in NAMES.items()}
        volumes = {c: load_volume(path, c) for c, path in files.items() if path.exists() and path.stat().st_size}
        if engine == "deepbet" and "T1w" not in volumes:
            pytest.skip("the first session of this patient has no T1w image")
        begun = time.process_time()
        sessions.append(prepare(f"0{n}", volumes, PrepareSettings(brain_engine=engine), age_years=40.0))
        print(f"\npatient{patient} {engine} study {n}: {time.process_time() - begun:.0f} s of one processor")
    series = align(sessions, AlignSettings())
    volumes_ml = []
    for n, session in enumerate(sessions, 1):
        native = session.volumes["FLAIR"].grid
        to_native = load_itk(folder / f"coregistered/study{n}_FLAIR_to_common_space.txt").inverse()
        want = resample_mask(truth, grid, native, to_native)
        placed = series.session(session.label)
        voted = resample_mask(placed.brain_mask, series.grid, native, placed.to_subject["FLAIR"])
        masks = (session.brain_masks["FLAIR"], voted, want)
        volumes_ml.append([float(mask.sum()) * native.voxel_volume_ml for mask in masks])
        print(f"  study {n}: Dice {dice(masks[0], want):.3f} alone, {dice(voted, want):.3f} after the vote")
    for what, (first, second) in zip(("alone", "after the vote", "reference"), np.transpose(volumes_ml), strict=True):
        print(f"  {what}: {first:.0f} and {second:.0f} ml, {200 * abs(first - second) / (first + second):.2f} % apart")


FIELDS = {
    "used": {},
    "4 mm, 40 40 30": {"n4_voxel_size_mm": 4.0, "n4_iterations": (40, 40, 30)},
    "5 mm, 40 40 30": {"n4_voxel_size_mm": 5.0, "n4_iterations": (40, 40, 30)},
    "8 mm, 40 40 30": {"n4_voxel_size_mm": 8.0, "n4_iterations": (40, 40, 30)},
    "6 mm, 40 40": {"n4_voxel_size_mm": 6.0, "n4_iterations": (40, 40)},
    "4 mm, 50 50 50 50": {"n4_voxel_size_mm": 4.0, "n4_iterations": (50, 50, 50, 50)},
}


def test_known_bias_fields():
    """Smooth fields of 15 % (SD) on the template's anatomy with a lesion and noise, 3 mm slices: what N4 leaves."""
    affine = np.diag([1.0, 1.0, 3.0, 1.0])
    affine[:3, 3] = (-90, -126, -72)
    grid = Grid((181, 217, 61), affine)
    maps = template_maps(grid, AffineTransform.identity())
    brain, points = maps["brain"] > 0.5, grid.points_mm()
    lesion = np.linalg.norm(points - np.float32([26, -20, 26]), axis=-1) < 12
    cases = []
    for seed in (1, 2):
        rng = np.random.default_rng(seed)
        field = np.zeros(grid.shape)
        for _ in range(6):
            wave = rng.normal(size=3)
            wave /= np.linalg.norm(wave) * rng.uniform(180, 360)
            field += rng.normal() * np.cos(2 * np.pi * (points @ wave + rng.uniform()))
        field = 0.15 * (field - field[brain].mean()) / field[brain].std()
        for contrast, (white, grey, fluid, bright) in {
            "FLAIR": (300, 380, 60, 560),
            "T1w": (500, 340, 130, 300),
        }.items():
            clean = np.where(lesion, bright, white * maps["wm"] + grey * maps["gm"] + fluid * maps["csf"])
            noisy = np.abs(clean * np.exp(field) + rng.normal(0, 8, grid.shape)).astype(np.float32)
            cases.append((Volume(noisy, affine, contrast), field))
    print()
    for name, changed in FIELDS.items():
        settings, left = replace(PrepareSettings(), **changed), []
        begun = time.process_time()
        for volume, field in cases:
            corrected = correct_bias(volume, brain, settings)
            found = np.log(np.maximum(volume.data, 1)[brain] / np.maximum(corrected.data, 1)[brain])
            left.append(100 * float((found - field[brain]).std()))
        seconds = (time.process_time() - begun) / len(cases)
        print(f"{name:18} leaves {np.mean(left):.1f} % (worst {max(left):.1f}), {seconds:.1f} s an image")
        if name == "used":
            assert np.mean(left) < 5
