from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage as ndi

from hlhneuro.imaging.matching import judge, match_brains
from hlhneuro.imaging.registration import Match, register_rigid
from hlhneuro.imaging.resampling import resample
from hlhneuro.imaging.transforms import AffineTransform
from hlhneuro.imaging.volumes import Volume
from hlhneuro.settings import PrepareSettings
from tests.imaging.conftest import rigid

SETTINGS = PrepareSettings()


@pytest.fixture(scope="module")
def brain(anatomy):
    return anatomy[1]["brain"] > 0.5


def test_a_turned_brain_far_away_is_found_from_either_side(head, anatomy, brain):
    grid, _ = anatomy
    turn, far = rigid((0, 0, 40), (3, -2, 1)), AffineTransform.translation((70, 0, -20))
    turned = resample(brain, grid, grid, turn.inverse(), "linear") > 0.5
    fixed, moving = head("FLAIR"), head("FLAIR", turn, seed=1)
    moving = Volume(moving.data, far.matrix @ moving.affine, "FLAIR")
    match = match_brains(fixed, moving, brain, turned, SETTINGS)
    back = match_brains(moving, fixed, turned, brain, SETTINGS)
    points = AffineTransform(grid.affine).map(np.argwhere(brain)[::20])
    error = np.linalg.norm(match.transform.after(far).after(turn).map(points) - points, axis=1)
    gap = np.linalg.norm(match.transform.after(back.transform).map(points) - points, axis=1)
    assert error.mean() < 0.05
    assert gap.max() < 1e-6
    assert judge(match, "02 FLAIR", "01 FLAIR", SETTINGS).accepted


def test_images_of_unlike_things_are_refused_with_a_reason(head, brain):
    rng = np.random.default_rng(5)
    blobs = ndi.gaussian_filter(rng.normal(size=brain.shape), 3)
    other = Volume((blobs * 1e4 + rng.normal(0, 50, brain.shape) + 500).astype(np.float32), head("FLAIR").affine, "T1w")
    verdict = judge(register_rigid(head("FLAIR"), other, brain, brain), "01 T1w", "01 FLAIR", SETTINGS)
    assert not verdict.accepted
    assert "share too little" in verdict.reason
    assert "two different people" in verdict.reason


def test_a_verdict_names_every_reason():
    bad = Match(AffineTransform.identity(), 9.0, 1.0, 0.1, 1.0, 0.1)
    verdict = judge(bad, "a", "b", SETTINGS)
    for words in ("share too little", "do not overlap", "folds", "directions"):
        assert words in verdict.reason
    mirrored = judge(replace(bad, mirrored=True), "a", "b", SETTINGS)
    assert not mirrored.accepted
    assert mirrored.reason.startswith("the image looks mirrored left to right")


def test_what_was_not_measured_is_no_reason():
    assert judge(Match(AffineTransform.identity(), float("nan"), 1.2, 0.9), "a", "b", SETTINGS).accepted
