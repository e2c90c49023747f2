"""Deformations against a known smooth one, on the template's own tissue in made-up contrasts."""

from __future__ import annotations

import dataclasses
import importlib.util

import numpy as np
import pytest

from hlhneuro.errors import StudyError
from hlhneuro.imaging.deformation import judge_deformation, register_deformable, register_deformable_pair
from hlhneuro.imaging.outliers import tissue_levels, unlike_tissue
from hlhneuro.imaging.template import mni152, template_maps
from hlhneuro.imaging.transforms import AffineTransform, DisplacementTransform
from hlhneuro.imaging.volumes import Grid, Volume
from hlhneuro.settings import AlignSettings

EDGE = 4.0
SETTINGS = dataclasses.replace(AlignSettings(), deformable_iterations="40x20")
IDENTITY = AffineTransform.identity()
LOW = AffineTransform.translation([-90, -126, -72])
GRID = Grid((46, 55, 46), LOW.matrix @ np.diag([EDGE, EDGE, EDGE, 1.0]))
LEVELS = {"T1w": {"gm": 340.0, "wm": 500.0, "csf": 130.0}, "T2w": {"gm": 330.0, "wm": 230.0, "csf": 700.0}}


def waves(amplitude_mm: float) -> DisplacementTransform:
    points = GRID.points_mm().astype(float)
    shift = [np.sin(2 * np.pi * points[..., a] / 110 + a) for a in range(3)]
    return DisplacementTransform((amplitude_mm * np.stack(shift, axis=-1)).astype(np.float32), GRID, IDENTITY)


TRUTH = waves(4.0)


def brain_as(contrast: str, transform=IDENTITY, seed: int = 0) -> tuple[Volume, np.ndarray]:
    """The template's tissue in one contrast, each point showing what lies where the transform leads."""
    maps = template_maps(GRID, transform)
    data = sum(level * maps[name] for name, level in LEVELS[contrast].items())
    brain = maps["brain"] > 0.5
    data = np.where(brain, data + np.random.default_rng(seed).normal(0, 8, GRID.shape), 0)
    return Volume(data.astype(np.float32), GRID.affine, contrast), brain


def error_mm(found, mask) -> np.ndarray:
    points = GRID.points_mm()[mask]
    return np.linalg.norm(found.map(points) - TRUTH.map(points), axis=-1)


def test_the_template_painted_in_the_contrast_of_the_image_follows_it():
    image, brain = brain_as("T2w", TRUTH)
    maps = template_maps(GRID, IDENTITY)
    levels, _ = tissue_levels(image.data, {name: maps[name] for name in ("gm", "wm", "csf")}, brain)
    model = mni152().painted(levels)
    found = register_deformable(image, model, brain, SETTINGS, start=IDENTITY)
    assert error_mm(IDENTITY, brain).mean() > 4
    assert error_mm(found, brain).mean() < 1.2
    verdict = judge_deformation(found, (image, model), (brain, mni152().brain), brain, SETTINGS)
    assert verdict.accepted, verdict.reason


def test_two_sessions_meet_half_way_whichever_is_first():
    first, brain = brain_as("T1w", TRUTH)
    second, other = brain_as("T1w", seed=1)
    quick = dataclasses.replace(SETTINGS, deformable_iterations="25x8")
    pair = register_deformable_pair(first, second, (brain, other), quick)
    swapped = register_deformable_pair(second, first, (other, brain), quick)
    np.testing.assert_array_equal(swapped.forward.displacement_mm, pair.backward.displacement_mm)
    assert error_mm(pair.forward, brain & other).mean() < 1.0
    assert pair.gap_mm < 1.0
    assert pair.left_mm < 0.1
    assert pair.folding == 0
    inside = brain & other
    truth = TRUTH.jacobian()[inside]
    assert np.corrcoef(pair.jacobian[inside], truth)[0, 1] > 0.7
    assert pair.jacobian[inside].mean() == pytest.approx(truth.mean(), abs=0.02)


def test_a_fold_and_a_worse_match_are_refused():
    image, brain = brain_as("T1w")
    images, brains = (image, mni152().images["T1w"]), (brain, mni152().brain)
    wrong = judge_deformation(waves(8.0), images, brains, brain, SETTINGS)
    assert not wrong.accepted
    assert "share less than by the affine" in wrong.reason
    folded = waves(0.0)
    folded.displacement_mm[..., 0] = 12 * np.sin(GRID.points_mm()[..., 0] / 6)
    verdict = judge_deformation(folded, images, brains, brain, SETTINGS)
    assert not verdict.accepted
    assert "folds in" in verdict.reason


def test_a_lesion_is_unlike_tissue_and_a_healthy_brain_is_not():
    image, brain = brain_as("T2w", TRUTH)
    maps = template_maps(GRID, IDENTITY)
    tissue = {name: maps[name] for name in ("gm", "wm", "csf")}
    assert unlike_tissue(image.data, tissue, brain, EDGE, SETTINGS).mean() < 0.001
    ball = np.linalg.norm(GRID.points_mm() - np.array([28.0, -20, 30], dtype=np.float32), axis=-1) < 12
    dark = Volume(np.where(ball & brain, 20, image.data).astype(np.float32), GRID.affine, "T2w")
    found = unlike_tissue(dark.data, tissue, brain, EDGE, SETTINGS)
    assert found[ball].mean() > 0.95
    assert found[~ball].mean() < 0.02
    none = dataclasses.replace(SETTINGS, outlier_most=0.0)
    assert not unlike_tissue(dark.data, tissue, brain, EDGE, none).any()


def test_an_unknown_or_absent_engine_is_named():
    image, brain = brain_as("T1w")
    for engine, absent in (("elastix", True), ("ants", importlib.util.find_spec("ants") is None)):
        if absent:
            with pytest.raises(StudyError, match=f"deformable_engine.*{engine}.*Remedy"):
                register_deformable(
                    image, image, brain, dataclasses.replace(SETTINGS, deformable_engine=engine), start=IDENTITY
                )


def test_the_other_engine_finds_the_same_and_repeats_itself():
    pytest.importorskip("ants", reason="the engine ants needs the extra 'ants'")
    image, brain = brain_as("T1w", TRUTH)
    settings = dataclasses.replace(SETTINGS, deformable_engine="ants", deformable_iterations="20x5")
    found, again = (
        register_deformable(image, mni152().painted(LEVELS["T1w"]), brain, settings, start=IDENTITY) for _ in range(2)
    )
    np.testing.assert_array_equal(found.displacement_mm, again.displacement_mm)
    assert error_mm(found, brain).mean() < 1.5


def test_the_levels_of_tissue_are_read_from_the_image():
    image, brain = brain_as("T2w")
    maps = template_maps(GRID, IDENTITY)
    levels, spread = tissue_levels(image.data, {name: maps[name] for name in ("gm", "wm", "csf")}, brain)
    assert levels == pytest.approx(LEVELS["T2w"], rel=0.02)
    assert spread == pytest.approx(8, rel=0.2)
