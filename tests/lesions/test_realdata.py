"""Scans that nobody in this project made; the truth is a consensus of readers."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from scipy import ndimage

from hlhneuro.imaging.alignment import AlignedSeries, AlignedSession
from hlhneuro.imaging.volumes import Grid, Volume
from hlhneuro.lesions import segment_lesions
from hlhneuro.settings import LesionSettings
from tests.lesions.synthetic import EYE, dice, template

CASE = Path(__file__).parents[2].parent / "shared/data/ms_cross_sectional/patient26"
TAIL = "_N4_noneck_reduced_winsor_regtoFLAIR_brain_N4_regtoMNI.nii.gz"

pytestmark = [
    pytest.mark.realdata,
    pytest.mark.skipif(not CASE.exists(), reason="scans that are not part of the project are not there"),
]


def canonical(path):
    return nib.as_closest_canonical(nib.load(path))


def carried(data, grid, to):
    matrix = np.linalg.inv(grid.affine) @ to.affine
    return ndimage.affine_transform(data, matrix[:3, :3], matrix[:3, 3], to.shape, order=1)


def one_patient():
    """Return the series of one session, and what three readers agree on."""
    reference = canonical(CASE / f"FLAIR{TAIL}")
    grid = Grid(reference.shape, reference.affine)
    coarse, _, maps = template()
    maps = {name: np.clip(carried(data, coarse, grid), 0, 1) for name, data in maps.items()}
    brain = ndimage.binary_fill_holes(np.abs(reference.get_fdata()) > 1e-6)
    white = brain & (maps["wm"] > 0.9)
    volumes, noise = {}, {}
    for name, contrast in (("FLAIR", "FLAIR"), ("T1", "T1w"), ("T2", "T2w")):
        data = canonical(CASE / f"{name}{TAIL}").get_fdata(dtype=np.float32)
        data = np.where(brain, data / np.median(data[white]), 0).astype(np.float32)
        volumes[contrast] = Volume(data, grid.affine, contrast)
        noise[contrast] = float(1.4826 * np.median(np.abs(data - ndimage.uniform_filter(data, 3))[white]))
    session = AlignedSession("01", "FLAIR", volumes, brain, {}, {}, {"FLAIR": grid}, noise)
    series = AlignedSeries(grid, (session,), brain, EYE, maps)
    return series, canonical(next(CASE.glob("GOLD_STANDARD*"))).get_fdata() > 0.5


def test_lesions_of_one_patient_agree_with_three_readers():
    series, truth = one_patient()
    found = segment_lesions(series, LesionSettings(), {"01": 35.0}).sessions[0]
    assert dice(found.mask, truth) > 0.5  # one case: a check, not a target
