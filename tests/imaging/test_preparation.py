"""What can be odd about one session: cut heads, mirrored files, brains from elsewhere, contrasts that fail."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from hlhneuro.imaging import Grid, prepare
from hlhneuro.imaging.brain_engines import GivenBrain
from hlhneuro.imaging.field_of_view import cut_brain
from hlhneuro.imaging.registration import Match
from hlhneuro.imaging.transforms import AffineTransform
from hlhneuro.settings import PrepareSettings
from tests.imaging.conftest import EDGE, rigid

SETTINGS = PrepareSettings(working_voxel_mm=EDGE, n4_voxel_size_mm=9.0, n4_iterations=(20,))


def dice(a, b):
    return 2 * (a & b).sum() / (a.sum() + b.sum())


@pytest.fixture(scope="module")
def flair(head):
    return head("FLAIR", bias=0.2)


@pytest.fixture(scope="module")
def session(flair):
    return prepare("01", {"FLAIR": flair}, SETTINGS)


def test_one_contrast_is_enough(session, anatomy):
    assert dice(session.brain_masks["FLAIR"], anatomy[1]["brain"] > 0.5) > 0.94
    assert session.problems == ()


def test_a_file_that_runs_from_right_to_left_gives_the_same(flair, session):
    affine = flair.affine @ np.array([[-1, 0, 0, flair.data.shape[0] - 1], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    mirrored = dataclasses.replace(flair, data=np.ascontiguousarray(flair.data[::-1]), affine=affine)
    again = prepare("01", {"FLAIR": mirrored}, SETTINGS)
    np.testing.assert_array_equal(again.brain_masks["FLAIR"][::-1], session.brain_masks["FLAIR"])
    np.testing.assert_allclose(again.volumes["FLAIR"].data[::-1], session.volumes["FLAIR"].data, rtol=1e-4)


def test_a_head_that_is_cut_at_the_vertex_is_finished_and_said(flair, anatomy):
    kept = anatomy[0].shape[2] - 14  # the template's brain reaches to 80 mm, the images now to 63
    cut = dataclasses.replace(flair, data=np.ascontiguousarray(flair.data[:, :, :kept]))
    session = prepare("01", {"FLAIR": cut}, SETTINGS)
    assert dice(session.brain_masks["FLAIR"], (anatomy[1]["brain"] > 0.5)[:, :, :kept]) > 0.92
    (said,) = session.notes
    assert "01 FLAIR: the field of view ends inside the brain: top" in said
    assert session.problems == session.notes


def test_sides_are_named_by_where_they_lie_and_not_by_the_file():
    mask = np.zeros((40, 40, 40), dtype=bool)
    mask[:20, 5:35, 5:35] = True
    for sign, side in ((1, "left"), (-1, "right")):
        (said,) = cut_brain(mask, Grid(mask.shape, np.diag([2.0 * sign, 2, 2, 1])), None, 1000.0)
        assert f"{side}, cut over 36 cm2" in said
    assert cut_brain(mask, Grid(mask.shape, np.diag([2.0, 2, 2, 1])), None, 4000.0) == ()


def test_a_brain_mask_from_elsewhere_takes_the_place_of_ours(flair, session, anatomy):
    truth = anatomy[1]["brain"] > 0.5
    given = GivenBrain(truth, anatomy[0], "FLAIR", "mine.nii.gz", ("drawn by hand",))
    found = prepare("01", {"FLAIR": flair}, SETTINGS, brain=given)
    assert dice(found.brain_masks["FLAIR"], truth) > 0.985
    assert found.notes == ("01: drawn by hand",)
    away = dataclasses.replace(given, grid=Grid(truth.shape, rigid((0, 0, 0), (90, 0, 0)).matrix @ flair.affine))
    refused = prepare("01", {"FLAIR": flair}, SETTINGS, brain=away)
    np.testing.assert_array_equal(refused.brain_masks["FLAIR"], session.brain_masks["FLAIR"])
    assert "mine.nii.gz was not used" in refused.problems[-1]
    assert "scanner space" in refused.problems[-1]


def test_a_reference_that_nothing_fits_gives_way(head, monkeypatch):
    fine, refused = (Match(AffineTransform.identity(), 0.1, 1.2, 0.95, 1.0, found) for found in (1.0, 0.1))
    monkeypatch.setattr(
        "hlhneuro.imaging.preparation.match_brains",
        lambda fixed, moving, *_: refused if "FLAIR" in {fixed.contrast, moving.contrast} else fine,
    )
    session = prepare("02", {name: head(name) for name in ("FLAIR", "T1w", "T2w")}, SETTINGS)
    assert session.reference == "T2w"
    assert set(session.volumes) == {"T1w", "T2w"}
    (problem,) = session.problems
    assert problem.startswith("session 02 FLAIR could not be aligned to 02 T2w")


def test_an_image_for_susceptibility_is_aligned_and_has_no_say(flair, session, head):
    swi = dataclasses.replace(head("T1w"), contrast="SWI")
    both = prepare("01", {"SWI": swi, "FLAIR": flair}, SETTINGS)
    assert both.reference == "FLAIR"
    assert set(both.to_reference) == {"FLAIR", "SWI"}
    np.testing.assert_array_equal(both.brain_masks["FLAIR"], session.brain_masks["FLAIR"])
    assert prepare("01", {"SWI": swi}, SETTINGS).reference == "SWI"
