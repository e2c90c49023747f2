"""How well and how fast images are aligned: `pytest -m benchmark tests/benchmarks/test_bench_imaging.py -s`."""

from __future__ import annotations

import multiprocessing
import resource
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from hlhneuro.imaging import AffineTransform, Grid, align, load_itk, load_volume, prepare, resample_mask
from hlhneuro.imaging.resampling import resample
from hlhneuro.imaging.volumes import Volume
from hlhneuro.settings import AlignSettings, PrepareSettings
from tests.imaging.conftest import rigid

SHARED = Path(__file__).parents[2].parent / "shared/data/ms_longitudinal"
NAMES = {"FLAIR": "FLAIR", "T1w": "T1W", "T2w": "T2W"}

pytestmark = [
    pytest.mark.benchmark,
    pytest.mark.realdata,
    pytest.mark.skipif(not SHARED.exists(), reason="the Ljubljana longitudinal scans are not part of the project"),
]


def load(patient: str, study: int) -> dict[str, Volume]:
    files = {c: SHARED / f"patient{patient}/raw/study{study}_{name}.nii.gz" for c, name in NAMES.items()}
    return {c: load_volume(path, c) for c, path in files.items() if path.exists() and path.stat().st_size}


def moved_sessions(count: int) -> list[dict[str, Volume]]:
    """Patient01 again and again: both visits in turn, each on its own slices after a motion, with fresh noise."""
    rng = np.random.default_rng(1)
    sessions = []
    for n in range(count):
        motion = rigid(tuple(rng.uniform(-5, 5, 3)), tuple(rng.uniform(-5, 5, 3)))
        session = {}
        for contrast, volume in load("01", 1 + n % 2).items():
            data = resample(volume.data, volume.grid, volume.grid, motion.inverse(), "cubic") if n > 1 else volume.data
            noise = rng.normal(0, 0.01 * float(np.percentile(volume.data, 95)), data.shape)
            session[contrast] = Volume((data + noise).astype(np.float32), volume.affine, contrast)
        sessions.append(session)
    return sessions


def dice(a, b):
    return 2 * (a & b).sum() / (a.sum() + b.sum())


@pytest.mark.parametrize("patient", ["01", "03"])
def test_two_sessions_from_files_to_series(patient):
    begun = time.perf_counter()
    sessions = [prepare(f"0{n}", load(patient, n), PrepareSettings(), workers=2) for n in (1, 2)]
    prepared = time.perf_counter()
    series = align(sessions, AlignSettings(), workers=2)
    ended = time.perf_counter()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"\npatient{patient}: prepare {prepared - begun:.0f} s, align {ended - prepared:.0f} s, peak {peak:.2f} GB")
    for quality in (*sessions[0].quality, *sessions[1].quality, *series.quality):
        print(f"  {quality.moving} to {quality.fixed}: {quality.reason}")
    folder = SHARED / f"patient{patient}/coregistered"
    image = nib.load(folder / "brainmask.nii.gz")
    truth, grid = np.asarray(image.dataobj) > 0, Grid(image.shape, image.affine)
    to_raw = [load_itk(folder / f"study{n}_FLAIR_to_common_space.txt") for n in (1, 2)]
    for n, (session, carried) in enumerate(zip(series.sessions, to_raw, strict=True), 1):
        native = session.native_grids["FLAIR"]
        mine = resample_mask(session.brain_mask, series.grid, native, session.to_subject["FLAIR"])
        theirs = resample_mask(truth, grid, native, carried.inverse())
        print(f"  brain mask of study {n}: Dice {dice(mine, theirs):.3f}")
    first, second = (session.to_subject["FLAIR"] for session in series.sessions)
    points = AffineTransform(series.grid.affine).map(np.argwhere(series.brain_mask)[::50])
    gap = second.inverse().map(points) - to_raw[1].map(to_raw[0].inverse().map(first.inverse().map(points)))
    gap_mm = np.linalg.norm(gap, axis=1)
    print(f"  FLAIR 1 to 2 against the data set: mean {gap_mm.mean():.2f} mm, largest {gap_mm.max():.2f} mm")
    assert len(series.sessions) == 2


def measure(count: int) -> str:
    """Prepare sessions of three contrasts two at a time, as the pipeline does, and align them; say what it took."""
    raw = moved_sessions(count)
    begun = time.perf_counter()
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        jobs = [pool.submit(prepare, f"{n}", images, PrepareSettings()) for n, images in enumerate(raw)]
        sessions = [job.result() for job in jobs]
    prepared = time.perf_counter()
    own = (
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss + 2 * resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    )
    del raw, jobs
    series = align(sessions, AlignSettings(), workers=2)
    ended = time.perf_counter()
    assert len(series.sessions) == count
    peak = max(own, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss) / 1e6
    pairs = sum("template" not in quality.fixed for quality in series.quality)
    return f"{count:8d} {prepared - begun:10.1f} {ended - prepared:8.1f} {pairs:8d} {peak:8.2f}"


def test_time_and_memory_by_number_of_sessions():
    print("\nsessions  prepare s  align s  matches  peak GB")
    for count in (2, 4, 8):
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
            print(pool.submit(measure, count).result(), flush=True)
