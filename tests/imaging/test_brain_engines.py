from __future__ import annotations

import sys
import types

import nibabel as nib
import numpy as np
import pytest

from hlhneuro.errors import InputError, StudyError
from hlhneuro.imaging.brain_engines import check_engine, find_with_deepbet, load_brain_mask
from hlhneuro.imaging.volumes import Volume

AFFINE = np.diag([-2.0, 2.0, 3.0, 1.0])
INSIDE = np.zeros((10, 12, 8), dtype=bool)
INSIDE[3:7, 4:9, 2:6] = True


def mask_file(path, data, dtype=np.float32):
    nib.save(nib.Nifti1Image(np.asarray(data).astype(dtype), AFFINE), path)
    return path


@pytest.mark.parametrize(("top", "dtype"), [(1, np.uint8), (255, np.uint8), (255, np.int16)])
def test_a_mask_of_two_values_is_taken_as_it_is(tmp_path, top, dtype):
    brain = load_brain_mask(mask_file(tmp_path / "m.nii.gz", INSIDE * top, dtype), "T1w")
    np.testing.assert_array_equal(brain.mask, INSIDE)
    np.testing.assert_allclose(brain.grid.affine, AFFINE)
    assert (brain.contrast, brain.notes) == ("T1w", ())


def test_probabilities_are_cut_at_one_half_and_it_is_said(tmp_path):
    brain = load_brain_mask(mask_file(tmp_path / "m.nii.gz", np.where(INSIDE, 0.7, 0.2)))
    np.testing.assert_array_equal(brain.mask, INSIDE)
    assert "one half" in brain.notes[0]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (np.zeros(INSIDE.shape), "no signal"),
        (INSIDE * 0.2 + INSIDE[::-1] * 0.2, "empty"),
        (np.arange(INSIDE.size).reshape(INSIDE.shape) % 5, "labels"),
        (INSIDE - 0.5 * ~INSIDE, "labels"),
    ],
)
def test_what_is_no_mask_is_named_with_a_remedy(tmp_path, data, says):
    with pytest.raises(InputError, match=says) as caught:
        load_brain_mask(mask_file(tmp_path / "m.nii.gz", data))
    assert "m.nii.gz" in str(caught.value)
    assert caught.value.remedy


def test_an_unknown_engine_is_named_with_those_that_there_are():
    with pytest.raises(StudyError, match=r"opening, deepbet"):
        check_engine("magic")


def test_an_engine_that_is_not_installed_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "deepbet", None)
    with pytest.raises(StudyError, match=r"pip install hlhneuro\[deepbet\]"):
        check_engine("deepbet")


class StandIn:
    """Answers as deepbet does: on the nearest RAS+ grid."""

    def __init__(self, no_gpu):
        assert no_gpu

    def run(self, image):
        image = nib.as_closest_canonical(image)
        mask = nib.Nifti1Image((image.get_fdata() > 5).astype(np.uint8), image.affine)
        return image, mask, 1.0


@pytest.mark.parametrize(("age", "says"), [(None, "unknown"), (4.0, "4.0 years"), (30.0, "")])
def test_the_network_is_asked_about_the_t1w_image(monkeypatch, age, says):
    monkeypatch.setitem(sys.modules, "deepbet", types.SimpleNamespace(BrainExtraction=StandIn))
    volume = Volume(np.where(INSIDE, 10, 1).astype(np.float32), AFFINE, "T1w")
    found = find_with_deepbet({"T1w": volume}, age)
    # The file runs from right to left; the answer from left to right.
    np.testing.assert_array_equal(found.mask, INSIDE[::-1])
    np.testing.assert_allclose(found.grid.affine[:3, 3], [-18, 0, 0])
    assert found.contrast == "T1w"
    assert (says in found.notes[0]) if says else not found.notes
    with pytest.raises(InputError, match="needs a T1w"):
        find_with_deepbet({"FLAIR": volume}, age)
