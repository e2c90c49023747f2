"""The probability map says the same as the mask, and less where the border is less certain."""

import numpy as np

from hlhneuro.lesions.extent import Border
from hlhneuro.lesions.probability import lesion_probability
from hlhneuro.settings import LesionSettings
from tests.lesions.made import SHAPE, box, made

LESION = ((10, 8, 6), (18, 16, 14))


def stated(contrast):
    mask = box(LESION)
    series, _ = made(mask, contrast=contrast)
    share = np.where(mask, np.float32(0.9), np.float32(0.2))
    border = Border(mask, share, (2, 2, 2))
    missed = np.full(SHAPE, 0.3, np.float32)
    return mask, lesion_probability(missed, border, mask, series.sessions[0], "FLAIR", LesionSettings())


def test_mask_and_probability_agree():
    mask, probability = stated(0.4)
    assert np.array_equal(probability >= 0.5, mask)
    assert probability[0, 0, 0] == np.float32(0.3)  # far from it one may have been missed


def test_a_faint_lesion_is_less_certain_inside_and_less_impossible_around():
    mask, strong = stated(0.4)
    _, faint = stated(0.1)
    beside = (9, 12, 10)
    assert faint[mask].mean() < strong[mask].mean()
    assert faint[beside] > strong[beside]
