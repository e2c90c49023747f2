"""Lesion masks that the user supplies: what their values mean, where they lie, and what follows from them."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from hlhneuro.answers import Answer
from hlhneuro.errors import InputError
from hlhneuro.imaging.series import AlignedSeries
from hlhneuro.imaging.transforms import AffineTransform
from hlhneuro.imaging.volumes import Grid
from hlhneuro.lesions import (
    ChangeCode,
    GivenLesions,
    LesionSeries,
    lesion_findings,
    load_lesion_mask,
    measure_change,
    supplied_lesions,
)
from hlhneuro.settings import ChangeSettings, LesionSettings
from tests.lesions.synthetic import SPHERES, dice, series, session, sphere, template, truth

LEFT, RIGHT = SPHERES["left"], SPHERES["right"]
SHAPE = (12, 12, 12)
QUICK = LesionSettings(em_iterations=2, em_voxels=10_000)  # the tissue is not what is tested here


def saved(folder: Path, data: np.ndarray, name: str = "sub-01_label-lesion_mask.nii.gz") -> Path:
    image = (nib.MGHImage if name.endswith("mgz") else nib.Nifti1Image)(data, np.diag([2.0, 2, 2, 1]))
    image.to_filename(folder / name)
    return folder / name


def block(value: float, dtype: type = np.float32) -> np.ndarray:
    data = np.zeros(SHAPE, dtype)
    data[2:5, 2:5, 2:5] = value
    return data


def whole_brain(*labels: int) -> np.ndarray:
    data = np.zeros(SHAPE, np.int32)
    for i, label in enumerate((2, 3, 41, 42, 77, *labels)):
        data[2:5, 2:5, i] = label
    return data


@pytest.mark.parametrize(
    ("data", "name", "volume_voxels", "meaning"),
    [
        (block(1), "a.nii.gz", 27, "0 and 1"),
        (block(1, np.uint8), "a.nii.gz", 27, "0 and 1"),
        (block(255, np.uint8), "a.nii.gz", 27, "0 and 255"),
        (block(0.7), "a.nii.gz", 27, "probabilities"),
        (block(0.3), "a.nii.gz", 0, "probabilities"),
        (block(0), "a.nii.gz", 0, "0 and 1"),
        (whole_brain(99), "seg.mgz", 9, "label 99"),
        (whole_brain(99), "sub-01_desc-samseg_label-lesion_dseg.nii.gz", 9, "label 99"),
        (block(3, np.uint8), "space-flair_desc-annotated_seg-lst.nii.gz", 27, "LST-AI"),
    ],
)
def test_values_with_a_meaning_are_read(
    tmp_path: Path, data: np.ndarray, name: str, volume_voxels: int, meaning: str
) -> None:
    given = load_lesion_mask(saved(tmp_path, data, name), "FLAIR")
    assert (given.share >= 0.5).sum() == volume_voxels
    assert meaning in given.meaning
    assert (given.contrast, given.source) == ("FLAIR", name)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (block(-1), "labels or intensities"),
        (block(np.nan), "not finite"),
        (block(3), "labels or intensities"),
        (block(1) + 2 * np.roll(block(1), 5, 0), "labels or intensities"),  # 1 and 2: which is lesion?
        (block(37.5), "labels or intensities"),
        (whole_brain(), "whole brain without lesions"),
    ],
)
def test_other_values_are_refused_with_what_was_found(tmp_path: Path, data: np.ndarray, says: str) -> None:
    with pytest.raises(InputError, match=says) as caught:
        load_lesion_mask(saved(tmp_path, data))
    assert caught.value.found
    assert caught.value.remedy
    assert caught.value.path is not None


def test_a_file_that_is_no_image_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.nii.gz").write_bytes(b"no image")
    with pytest.raises(InputError, match="cannot be read"):
        load_lesion_mask(tmp_path / "a.nii.gz")


def given(spheres: tuple, grid: Grid | None = None, to_subject: AffineTransform | None = None) -> GivenLesions:
    """Spheres as a mask on another grid, which `to_subject` carries to that of the series."""
    grid = grid or template()[0]
    where = AffineTransform(grid.affine) if to_subject is None else to_subject.after(AffineTransform(grid.affine))
    points = where.map(np.moveaxis(np.indices(grid.shape), 0, -1))
    share = np.zeros(grid.shape, np.float32)
    for centre, radius in spheres:
        share[np.linalg.norm(points - np.array(centre), axis=-1) <= radius] = 1
    return GivenLesions(share, grid, "FLAIR", "mine.nii.gz", "0 and 1")


def supplied(aligned: AlignedSeries, masks: dict[str, GivenLesions], **refused: str) -> LesionSeries:
    return supplied_lesions(aligned, masks, refused, QUICK)


def test_a_mask_in_another_grid_keeps_its_place_and_volume() -> None:
    """Thick slices, turned against the subject grid: the image's own transform brings them back, once."""
    turn = np.eye(4)
    turn[:3, :3] = Rotation.from_euler("xyz", [8, -5, 12], degrees=True).as_matrix()
    turn[:3, 3] = 4, -3, 6
    to_subject = AffineTransform(turn)
    affine = np.diag([0.9, 0.9, 4.0, 1])
    affine[:3, 3] = -60, -50, -20
    grid = Grid((130, 100, 26), affine)
    one = session("01", (LEFT, RIGHT), 1, ("FLAIR",))
    one = type(one)(**(vars(one) | {"to_subject": dict.fromkeys(one.volumes, to_subject)}))
    mask = given((LEFT, RIGHT), grid, to_subject)
    found = supplied(series(one), {"01": mask}).sessions[0]
    assert dice(found.mask, truth((LEFT, RIGHT))) > 0.85
    assert found.volume_ml == pytest.approx(mask.share.sum() * grid.voxel_volume_ml, rel=0.05)


@pytest.fixture(scope="module")
def partly() -> tuple[AlignedSeries, LesionSeries]:
    """Three sessions; the user has masks for the first and the last."""
    aligned = series(*(session(label, (LEFT,), i, ("FLAIR",)) for i, label in enumerate(("01", "02", "03"))))
    grown = (LEFT[0], LEFT[1] + 3)
    return aligned, supplied(aligned, {"01": given((LEFT,)), "03": given((grown, RIGHT))})


def test_sessions_without_a_mask_are_not_mixed_with_ours(partly: tuple[AlignedSeries, LesionSeries]) -> None:
    aligned, lesions = partly
    assert [s.label for s in lesions.sessions] == ["01", "03"]
    assert "no lesion mask supplied for ses-02" in lesions.not_assessable["02"]
    change = measure_change(aligned, lesions, ChangeSettings())
    answers = {(f.code, f.sessions): f for f in lesion_findings(aligned, lesions, change)}
    assert answers["lesion_present", ("02",)].answer is Answer.NOT_ASSESSABLE
    assert answers["lesion_present", ("01",)].answer is Answer.PRESENT
    assert "supplied by the user: mine.nii.gz" in answers["lesion_present", ("01",)].reason
    assert "rater" in answers["lesion_present", ("01",)].reason


def test_change_is_what_the_masks_say(partly: tuple[AlignedSeries, LesionSeries]) -> None:
    aligned, lesions = partly
    before, after = (s.mask for s in lesions.sessions)
    assert np.array_equal(before, given((LEFT,)).share > 0.5)
    (interval,) = measure_change(aligned, lesions, ChangeSettings()).intervals
    assert (interval.before, interval.after) == ("01", "03")
    assert np.array_equal(np.isin(interval.codes, (ChangeCode.NEW, ChangeCode.ENLARGED, ChangeCode.STABLE)), after)
    assert np.array_equal(interval.codes == ChangeCode.ENLARGED, after & ~before & (sphere_of(LEFT, 3) > 0))
    assert interval.net_ml > interval.smallest_real_change_ml > 0


def sphere_of(ball: tuple, more_mm: float) -> np.ndarray:
    return sphere(template()[0], ball[0], ball[1] + more_mm)


def test_tissue_leaves_lesions_out_and_every_volume_has_an_error(partly: tuple[AlignedSeries, LesionSeries]) -> None:
    _, lesions = partly
    union = np.logical_or.reduce([s.mask for s in lesions.sessions])
    assert all(not image[union].any() for image in lesions.tissue.values())
    assert lesions.tissue["wm"].max() > 0.9
    assert all(0 < s.volume_sd_ml < s.volume_ml and s.supplied == "mine.nii.gz" for s in lesions.sessions)


def test_an_empty_mask_is_no_lesion() -> None:
    aligned = series(session("01", (), 1, ("FLAIR",)))
    lesions = supplied(aligned, {"01": given(())})
    change = measure_change(aligned, lesions, ChangeSettings())
    finding = next(f for f in lesion_findings(aligned, lesions, change) if f.code == "lesion_present")
    assert finding.answer is Answer.ABSENT
    assert "the mask is empty" in finding.reason
    assert lesions.sessions[0].volume_ml == lesions.sessions[0].volume_sd_ml == 0


def test_a_mask_outside_the_brain_is_refused_with_the_figure() -> None:
    aligned = series(*(session(label, (LEFT,), 1, ("FLAIR",)) for label in ("01", "02")))
    off = (((-68.0, -100.0, -60.0), 8.0),)
    lesions = supplied(aligned, {"01": given(off), "02": given((LEFT, *off))}, **{})
    assert [s.label for s in lesions.sessions] == []
    assert "0% of" in lesions.not_assessable["01"]
    assert "mine.nii.gz" in lesions.not_assessable["01"]
    partly_out = supplied(aligned, {"02": given(((LEFT[0], 9.0), (off[0][0], 7.0)))}).sessions[0]
    assert "of it lies outside the brain" in partly_out.reason


def test_a_mask_that_could_not_be_read_is_not_replaced_by_ours() -> None:
    aligned = series(*(session(label, (LEFT,), 1, ("FLAIR",)) for label in ("01", "02")))
    lesions = supplied_lesions(aligned, {"02": given((LEFT,))}, {"01": "mine: broken"}, QUICK)
    assert lesions.not_assessable == {"01": "mine: broken"}


def test_the_space_of_an_image_that_could_not_be_used_is_named() -> None:
    mask = given((LEFT,))
    mask = GivenLesions(mask.share, mask.grid, "T2w", mask.source, mask.meaning)
    lesions = supplied(series(session("01", (LEFT,), 1, ("FLAIR",))), {"01": mask})
    for word in ("mine.nii.gz", "space", "found: T2w", "Remedy"):
        assert word in lesions.not_assessable["01"]


def test_a_mask_serves_where_we_could_not_segment() -> None:
    """T1w alone does not show most lesions; the user may have seen them elsewhere."""
    mask = given((LEFT,))
    aligned = series(session("01", (LEFT,), 1, ("T1w",)))
    lesions = supplied(aligned, {"01": GivenLesions(mask.share, mask.grid, "", mask.source, mask.meaning)})
    assert lesions.sessions[0].volume_ml == pytest.approx(1.44, rel=0.1)
    assert lesions.tissue["wm"].max() > 0.9
