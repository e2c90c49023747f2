"""Real scans with the skull on: one session, coarse settings, so that it stays quick. Figures are in the benches."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from hlhneuro.imaging import AffineTransform, Grid, load_itk, load_volume, prepare, resample_mask
from hlhneuro.imaging.brain import rough_brain
from hlhneuro.imaging.matching import judge
from hlhneuro.imaging.registration import register_rigid, working_image
from hlhneuro.settings import PrepareSettings

FOLDER = Path(__file__).parents[2].parent / "shared/data/ms_longitudinal/patient01"

pytestmark = [
    pytest.mark.realdata,
    pytest.mark.skipif(not FOLDER.exists(), reason="the Ljubljana longitudinal scans are not part of the project"),
]


@pytest.fixture(scope="module")
def session():
    volumes = {
        contrast: load_volume(FOLDER / f"raw/study1_{name}.nii.gz", contrast)
        for contrast, name in (("FLAIR", "FLAIR"), ("T1w", "T1W"))
    }
    return prepare("01", volumes, PrepareSettings(working_voxel_mm=3.0, n4_voxel_size_mm=6.0, n4_iterations=(20, 20)))


def test_the_brain_is_that_of_the_data_set(session):
    image = nib.load(FOLDER / "coregistered/brainmask.nii.gz")
    to_common = load_itk(FOLDER / "coregistered/study1_FLAIR_to_common_space.txt").inverse()
    mine = session.brain_masks["FLAIR"]
    grid = session.volumes["FLAIR"].grid
    theirs = resample_mask(np.asarray(image.dataobj) > 0, Grid(image.shape, image.affine), grid, to_common)
    assert 2 * (mine & theirs).sum() / (mine.sum() + theirs.sum()) > 0.92


def test_t1_comes_where_the_data_set_brings_it(session):
    # Its own transform (common-space points to raw points) carries scalings and shears of up to half a percent.
    theirs = load_itk(FOLDER / "raw/study1_T1W_intrastudy_to_FLAIR.txt").inverse()
    points = AffineTransform(session.volumes["T1w"].affine).map(np.argwhere(session.brain_masks["T1w"])[::500])
    gap = np.linalg.norm(session.to_reference["T1w"].map(points) - theirs.map(points), axis=1)
    assert gap.mean() < 1.0


def test_two_people_are_told_apart():
    settings = PrepareSettings()
    images = [
        working_image(load_volume(FOLDER.parent / f"{name}_FLAIR.nii.gz", "FLAIR"), 3.0)
        for name in ("patient01/raw/study1", "patient01/raw/study2", "patient03/raw/study1")
    ]
    brains = [rough_brain(image, settings) for image in images]
    own, other = (
        judge(register_rigid(images[0], images[n], brains[0], brains[n]), "02 FLAIR", "01 FLAIR", settings)
        for n in (1, 2)
    )
    assert own.accepted
    assert not other.accepted
    assert "two different people" in other.reason
