"""How well the template follows a brain: `pytest -m benchmark tests/benchmarks/test_bench_deformation.py -s`."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage as ndi

from hlhneuro.imaging import AffineTransform, Grid, PreparedSession, Transform, Volume, load_volume, prepare
from hlhneuro.imaging.alignment import align
from hlhneuro.imaging.atlas import choose_template, deform, orient
from hlhneuro.imaging.brain import dilate, signed_distance_mm
from hlhneuro.imaging.deformation import register_deformable_pair
from hlhneuro.imaging.placement import Placed, covering
from hlhneuro.imaging.resampling import resample
from hlhneuro.phantom.anatomy import Head, make_head
from hlhneuro.settings import AlignSettings, PrepareSettings, TemplateSettings

SHARED = Path(__file__).parents[2].parent / "shared/data/ms_longitudinal"
# Tissue intensities: white, grey, fluid, lesion; the last as before six months of age.
TISSUES = {"T1w": (500, 340, 130, 300), "FLAIR": (300, 380, 60, 560), "T2w": (230, 330, 700, 520)}
INFANT = (380, 300, 700, 600)
EDGE = 2.0
LESION_MM = ((28.0, -25.0, 28.0), 18.0)
ALIGN = AlignSettings()
UNMASKED = dataclasses.replace(ALIGN, outlier_most=-1.0)

pytestmark = pytest.mark.benchmark


def session(head: Head, contrasts: dict[str, tuple[int, ...]], lesion: bool) -> PreparedSession:
    wide = dilate(head.brain, EDGE, EDGE)  # brain masks take in some of the fluid around it
    away = np.linalg.norm(head.grid.points_mm() - np.array(LESION_MM[0], dtype=np.float32), axis=-1)
    inside = (away < LESION_MM[1]) & (head.fractions["csf"] < 0.5)
    volumes = {}
    for name, (white, grey, fluid, bright) in contrasts.items():
        f = head.fractions
        data = white * f["wm"] + grey * f["gm"] + fluid * f["csf"]
        data = np.where(inside, bright, data) if lesion else data
        data = np.where(wide, data + np.random.default_rng(0).normal(0, 10, data.shape), 0)
        volumes[name] = Volume(np.maximum(data, 0).astype(np.float32), head.grid.affine, name)
    identity = {name: AffineTransform.identity() for name in volumes}
    return PreparedSession("01", next(iter(volumes)), volumes, dict.fromkeys(volumes, wide), identity, True)


def follow(one: PreparedSession, settings: AlignSettings, age: float) -> tuple[Transform, Transform, float, str]:
    chosen = choose_template(TemplateSettings(), settings, [age])
    placed, affine, _ = orient([Placed(one, AffineTransform.identity())], chosen, settings)
    turn, name = placed[0].to_subject, one.reference
    grid: Grid = covering([(placed[0], name)], EDGE, 8.0)
    mask = resample(one.brain_masks[name], one.volumes[name].grid, grid, turn.inverse(), "linear") > 0.5
    start = time.perf_counter()
    found, verdicts = deform(placed, grid, signed_distance_mm(mask, EDGE), affine, chosen, settings)
    return affine.after(turn), found.after(turn), time.perf_counter() - start, verdicts[0].reason


def errors(head: Head, transform: Transform, mask: np.ndarray) -> np.ndarray:
    truth = np.moveaxis(head.template_mm, 0, -1)[mask]
    return np.linalg.norm(transform.map(head.grid.points_mm()[mask]) - truth, axis=-1)


@pytest.mark.parametrize("size", [0.92, 0.7])
def test_known_deformation_of_the_template(size):
    print(f"\nhead {size} of MNI152: affine, deformed (95th percentile) over the brain; about a lesion of 24 ml")
    for seed in (1, 2):
        head = make_head(seed, brain_scale=size, voxel_mm=EDGE)
        away = np.linalg.norm(head.grid.points_mm() - np.array(LESION_MM[0], dtype=np.float32), axis=-1)
        near = head.brain & (away < LESION_MM[1] + 12)
        for name, contrasts, age in (
            ("T1w + FLAIR", {c: TISSUES[c] for c in ("T1w", "FLAIR")}, 5.0),
            ("FLAIR", {"FLAIR": TISSUES["FLAIR"]}, 5.0),
            ("T2w", {"T2w": TISSUES["T2w"]}, 5.0),
            ("T2w, infant", {"T2w": INFANT}, 0.3),
        ):
            affine, found, seconds, reason = follow(session(head, contrasts, False), ALIGN, age)
            all_of_it = errors(head, found, head.brain)
            row = f"seed {seed} {name}: {errors(head, affine, head.brain).mean():.2f}, "
            row += f"{all_of_it.mean():.2f} ({np.percentile(all_of_it, 95):.2f}) mm, {seconds:.1f} s"
            assert all_of_it.mean() < errors(head, affine, head.brain).mean()
            for told, settings in (("left out", ALIGN), ("counted", UNMASKED)):
                _, found, _, _ = follow(session(head, contrasts, True), settings, age)
                row += f"; lesion {told} {errors(head, found, near).mean():.2f}"
            print(row, "|", reason)


@pytest.mark.realdata
@pytest.mark.skipif(not SHARED.exists(), reason="the Ljubljana longitudinal scans are not part of the project")
def test_patient01_template_and_session_to_session():
    sessions = []
    for visit in (1, 2):
        files = {c: SHARED / f"patient01/raw/study{visit}_{n}.nii.gz" for c, n in (("FLAIR", "FLAIR"), ("T1w", "T1W"))}
        sessions.append(prepare(f"{visit}", {c: load_volume(p, c) for c, p in files.items()}, PrepareSettings()))
    series = align(sessions, ALIGN)
    for verdict in series.quality:
        print(f"\n{verdict.moving} to {verdict.fixed}: {verdict.reason}", end="")
    grid = series.grid
    coarse = Grid(tuple(int(n // 2) for n in grid.shape), grid.affine @ np.diag([2.0, 2, 2, 1]))
    identity = AffineTransform.identity()
    first, second = (
        Volume(resample(s.volumes["T1w"].data, grid, coarse, identity, "linear"), coarse.affine, "T1w")
        for s in series.sessions
    )
    brain = resample(series.brain_mask, grid, coarse, identity, "linear") > 0.5
    start = time.perf_counter()
    pair = register_deformable_pair(first, second, (brain, brain), ALIGN)
    seconds = time.perf_counter() - start
    inner = ndi.binary_erosion(brain, iterations=2)
    moved = np.linalg.norm(pair.forward.displacement_mm[inner], axis=-1)
    low, high = np.percentile(pair.jacobian[inner], (1, 99))
    print(
        f"\nsession to session, 2 mm: directions apart {pair.gap_mm:.3f} mm, after {pair.left_mm:.4f} mm, moved "
        f"{moved.mean():.2f} mm, Jacobian {low:.3f} to {high:.3f}, folding {pair.folding:.4f}, {seconds:.1f} s"
    )
    assert pair.left_mm < 0.05
    assert pair.folding == 0
