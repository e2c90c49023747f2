"""Which template is taken, one that the user brings, and heads of very different size."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from hlhneuro.errors import StudyError
from hlhneuro.imaging.atlas import choose_template
from hlhneuro.imaging.template import match_template, mni152
from hlhneuro.imaging.template_files import load_template, template_checksums
from hlhneuro.imaging.volumes import Volume
from hlhneuro.settings import AlignSettings, TemplateSettings

ALIGN = AlignSettings()
SMALL = np.diag([0.7, 0.7, 0.7, 1.0])  # a newborn's brain has about a third of an adult's volume
TINY = "tpl-Tiny_cohort-2_res-2_"


def save(folder: Path, name: str, data: np.ndarray, affine: np.ndarray) -> None:
    nib.save(nib.Nifti1Image(data.astype(np.float32), affine), folder / f"{TINY}{name}.nii.gz")


@pytest.fixture
def folder(tmp_path) -> Path:
    """A template of reversed contrast: MNI152 made small, under TemplateFlow's names, every second voxel."""
    whole, half = mni152(), slice(None, None, 2)
    affine = SMALL @ whole.grid.affine @ np.diag([2.0, 2, 2, 1])
    parts = {
        "T2w": whole.painted({"gm": 300, "wm": 380, "csf": 700}).data,
        "desc-brain_mask": whole.brain,
        **{f"label-{name.upper()}_probseg": image for name, image in whole.tissue.items()},
    }
    for name, data in parts.items():
        save(tmp_path, name, data[half, half, half], affine)
    return tmp_path


def test_a_small_template_is_read_and_related_to_mni152(folder):
    settings = TemplateSettings(path=str(folder))
    template = load_template(settings, ALIGN)
    assert template.name == "Tiny_cohort-2"
    assert set(template.images) == {"T2w"}
    points = template.grid.points_mm()[template.brain].astype(float)
    truth = points / 0.7
    assert np.linalg.norm(template.to_mni152.map(points) - truth, axis=1).mean() < 2.0
    total = sum(template.tissue.values())
    assert total.max() < 1.001
    assert total[template.brain].min() > 0.49  # at the edge of the mask half of a voxel is brain
    chosen = choose_template(settings, ALIGN, [0.2])
    assert chosen.valid
    assert "Tiny_cohort-2" in chosen.reason
    sums = template_checksums(settings)
    assert len(sums) == 5
    save(folder, "T2w", np.ones((3, 3, 3)), np.eye(4))
    assert template_checksums(settings) != sums


def test_a_brain_a_third_of_the_size_is_found():
    model = mni152()
    data = model.painted({"gm": 300, "wm": 380, "csf": 700}).data  # reversed, as before six months
    image = Volume(data, SMALL @ model.grid.affine, "T2w")
    match = match_template(image, model.brain, ALIGN.registration_margin_mm)
    points = image.grid.points_mm()[model.brain].astype(float)
    assert np.linalg.norm(match.to_template.map(points) - points / 0.7, axis=1).mean() < 1.0
    assert match.overlap > 0.95


@pytest.mark.parametrize(
    ("ages", "valid", "order", "says"),
    [
        ([0.4], False, ("T2w", "T1w"), "not valid"),
        ([3.0, 1.9], False, ("T2w", "T1w"), "age 1.9 years"),
        ([2.0, None], True, ("T1w",), "adult"),
        ([None], True, ("T1w",), "age is unknown"),
    ],
)
def test_an_adult_template_is_not_valid_below_24_months(ages, valid, order, says):
    chosen = choose_template(TemplateSettings(), ALIGN, ages)
    assert (chosen.valid, chosen.order) == (valid, order)
    assert says in chosen.reason


def broken(folder: Path, how: str) -> TemplateSettings:
    image = nib.load(folder / f"{TINY}label-GM_probseg.nii.gz")
    data = image.get_fdata()
    if how == "missing":
        (folder / f"{TINY}label-GM_probseg.nii.gz").unlink()
    elif how == "grid":
        save(folder, "label-GM_probseg", data[:-1], image.affine)
    elif how == "percent":
        save(folder, "label-GM_probseg", 100 * data, image.affine)
    elif how == "sum":
        save(folder, "label-GM_probseg", np.clip(data + 0.8 * (data < 0.2), 0, 1), image.affine)
    elif how == "cohorts":
        (folder / f"{TINY}T2w.nii.gz".replace("cohort-2", "cohort-3")).write_bytes(b"")
    elif how == "image":
        (folder / f"{TINY}T2w.nii.gz").unlink()
    elif how == "noise":
        (folder / f"{TINY}T2w.nii.gz").write_bytes(b"no image")
    elif how == "name":
        return TemplateSettings(path=str(folder), wm="absent.nii.gz")
    elif how == "folder":
        return TemplateSettings(path=str(folder / "absent"))
    return TemplateSettings(path=str(folder))


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ("missing", r"template\.gm: the template has no such file"),
        ("grid", r"template\.gm: lies on another grid"),
        ("percent", r"template\.gm: does not hold probabilities.*0 to 1"),
        ("sum", "sum to more than 1"),
        ("cohorts", r"template\.t2w: several files could be it.*cohort-2.*cohort-3"),
        ("image", "neither a T1w nor a T2w"),
        ("noise", r"template\.t2w"),
        ("name", r"absent\.nii\.gz: template\.wm"),
        ("folder", "no such folder"),
    ],
)
def test_a_template_that_cannot_be_used_names_file_field_and_remedy(folder, how, says):
    with pytest.raises(StudyError, match=rf"{says}.*Remedy"):
        load_template(broken(folder, how), ALIGN)
