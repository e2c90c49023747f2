from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from hlhneuro.imaging.bias import correct_bias
from hlhneuro.imaging.brain import agree, dilate, erode, is_extracted, rough_brain, signed_distance_mm
from hlhneuro.settings import PrepareSettings
from tests.imaging.conftest import EDGE

SETTINGS = PrepareSettings(n4_voxel_size_mm=6.0)


def dice(a, b):
    return 2 * (a & b).sum() / (a.sum() + b.sum())


@pytest.mark.parametrize("contrast", ["FLAIR", "T1w", "T2w"])
def test_the_brain_is_found_under_the_scalp(head, anatomy, contrast):
    assert dice(rough_brain(head(contrast), SETTINGS), anatomy[1]["brain"] > 0.5) > 0.92


def test_an_extracted_brain_is_told_from_a_head(head, anatomy):
    whole = head("T1w")
    assert not is_extracted(whole, SETTINGS)
    brain = np.where(anatomy[1]["brain"] > 0.5, whole.data, 0).astype(np.float32)
    assert is_extracted(dataclasses.replace(whole, data=brain), SETTINGS)
    defaced = np.where(anatomy[1]["brain"] + anatomy[1]["scalp"] > 0.3, whole.data, 0).astype(np.float32)
    assert not is_extracted(dataclasses.replace(whole, data=defaced), SETTINGS)


def test_a_known_bias_field_is_removed(head, anatomy):
    white = anatomy[1]["wm"] > 0.9
    clean, biased = head("T1w"), head("T1w", bias=0.4)
    corrected = correct_bias(biased, anatomy[1]["brain"] > 0.5, SETTINGS)
    before, after = (float(np.std(np.log(image.data[white] / clean.data[white]))) for image in (biased, corrected))
    assert before > 0.1
    assert after < 0.2 * before
    assert corrected.steps[-1].name == "n4"
    np.testing.assert_array_equal(corrected.data, correct_bias(biased, anatomy[1]["brain"] > 0.5, SETTINGS).data)


def ball(radius_mm, shift=0.0):
    axis = (np.arange(40) - 19.5) * EDGE
    x, y, z = np.meshgrid(axis - shift, axis, axis, indexing="ij")
    return np.sqrt(x**2 + y**2 + z**2) < radius_mm


def test_distances_and_balls_are_in_millimetres():
    mask = ball(30)
    assert erode(mask, 9, EDGE).sum() == pytest.approx(ball(21).sum(), rel=0.12)
    assert dilate(mask, 9, EDGE).sum() == pytest.approx(ball(39).sum(), rel=0.12)
    distance = signed_distance_mm(mask, EDGE, limit_mm=100)
    # The voxel nearest to the centre lies half a diagonal off it.
    assert distance.max() == pytest.approx(30 - np.sqrt(3) * EDGE / 2, abs=EDGE / 2)
    assert distance[0, 19, 19] == pytest.approx(30 - 58.5, abs=EDGE)


def test_masks_that_are_shifted_agree_on_the_middle():
    together = agree([ball(30, -6), ball(30, 6)], EDGE)
    # The mean of the distances is zero at 30 mm along the shift and at 29.4 mm across it; a voxel has 3 mm.
    assert dice(together, ball(30)) > 0.95
    np.testing.assert_array_equal(together, together[::-1])
