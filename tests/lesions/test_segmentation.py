from functools import cache

import numpy as np
import pytest

from hlhneuro.lesions import segment_lesions
from hlhneuro.settings import LesionSettings
from tests.lesions.synthetic import SPHERES, dice, series, session, template, truth

ALL = tuple(SPHERES.values())


@cache
def segment(*contrasts, spheres=ALL, ages=(("01", 6.0),), step_mm=2):
    one = session("01", spheres, 1, contrasts, step_mm=step_mm)
    return segment_lesions(series(one), LesionSettings(), dict(ages))


@pytest.mark.parametrize(
    ("contrasts", "confidence"),
    [
        (("FLAIR", "T1w", "T2w"), "full"),
        (("FLAIR", "T1w"), "full"),
        (("FLAIR",), "reduced"),
        (("T2w",), "reduced"),
        (("T2w", "T1w"), "reduced"),
    ],
)
def test_known_spheres_are_found_with_every_subset_of_contrasts(contrasts, confidence):
    found = segment(*contrasts).sessions[0]
    assert dice(found.mask, truth(ALL)) > 0.7  # partial-volume voxels at the edge are counted whole
    assert found.confidence == confidence
    assert set(found.contrasts) == set(contrasts)


def test_volume_agrees_with_the_spheres():
    found = segment("FLAIR", "T1w", "T2w").sessions[0]
    expected_ml = sum(4 / 3 * np.pi * radius**3 for _, radius in ALL) / 1000
    assert found.volume_ml == pytest.approx(expected_ml, rel=0.2)
    assert 0 < found.volume_sd_ml < 0.2 * found.volume_ml


def test_a_brain_without_lesions_has_none():
    found = segment("FLAIR", "T1w", "T2w", spheres=()).sessions[0]
    assert not found.mask.any()
    assert found.volume_ml == found.volume_sd_ml == 0


def test_mask_is_where_the_probability_is_at_least_one_half_and_tissue_excludes_it():
    result = segment("FLAIR", "T1w", "T2w")
    found = result.sessions[0]
    assert (found.probability[found.mask] >= 0.5).all()
    assert found.probability.min() >= 0
    assert found.probability.max() <= 1
    assert all(not image[found.mask].any() for image in result.tissue.values())


def test_t1_alone_is_not_assessable_and_says_what_would_help():
    result = segment("T1w")
    assert result.sessions == ()
    assert "FLAIR" in result.not_assessable["01"]


@pytest.mark.parametrize(
    ("ages", "word"), [((("01", 1.0),), "24 months"), ((("01", None),), "age unknown"), ((), "unknown")]
)
def test_age_lowers_confidence(ages, word):
    found = segment("FLAIR", "T1w", ages=ages, step_mm=3).sessions[0]
    assert found.confidence == "reduced"
    assert word in found.reason


def test_choroid_plexus_inside_the_ventricle_is_no_lesion():
    grid, _, _ = template()
    ventricle = ((-24.0, -40.0, 12.0), 3.0)  # atrium of the left lateral ventricle on MNI152
    found = segment("FLAIR", "T1w", "T2w", spheres=(*ALL, ventricle)).sessions[0]
    x, y, z = np.round(np.linalg.solve(grid.affine, (*ventricle[0], 1.0))[:3]).astype(int)
    assert not found.mask[x, y, z]
