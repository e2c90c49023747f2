"""Lesion masks that the user supplies: found by name, refused with a reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from hlhneuro.errors import StudyError
from hlhneuro.study import Subject, check_mask_folders, find_brain_masks, find_lesion_masks, open_study
from tests.study.builders import StudyBuilder, write_nifti


@pytest.fixture
def subjects(tmp_path: Path) -> tuple[Subject, ...]:
    study = StudyBuilder(tmp_path / "study")
    for session in ("01", "02"):
        study.image("anat/FLAIR.nii.gz", session=session)
        study.image("anat/T1w.nii.gz", session=session)
    study.image("anat/T2w.nii.gz", subject="02", session=None)
    return open_study(study.root).subjects


def put(root: Path, name: str, folder: str = "sub-01/ses-01/anat") -> Path:
    return write_nifti(root / "masks" / folder / name)


@pytest.mark.parametrize(
    ("folder", "name", "contrast"),
    [
        ("sub-01/ses-01/anat", "sub-01_ses-01_label-lesion_mask.nii.gz", ""),
        ("sub-01/ses-01/anat", "sub-01_ses-01_space-FLAIR_desc-manual_label-lesion_mask.nii.gz", "FLAIR"),
        ("sub-01/ses-01/anat", "sub-01_ses-01_space-T1w_label-lesion_probseg.nii.gz", "T1w"),
        ("sub-01/ses-01/anat", "sub-01_ses-01_space-orig_label-lesion_dseg.nii", ""),
        ("sub-01/ses-01", "space-flair_seg-lst.nii.gz", "FLAIR"),
        ("sub-01/ses-01/anat", "sub-01_ses-01_space-t1_seg-lst.nii.gz", "T1w"),
        ("sub-01/ses-01/anat", "space-orig_desc-annotated_seg-lst.nii.gz", ""),
    ],
)
def test_the_names_of_bids_and_of_other_programs_are_known(
    tmp_path: Path, subjects: tuple[Subject, ...], folder: str, name: str, contrast: str
) -> None:
    path = put(tmp_path, name, folder)
    found = find_lesion_masks([tmp_path / "masks"], subjects)
    assert list(found["01"]) == ["01"]
    assert (found["01"]["01"].path, found["01"]["01"].contrast) == (path, contrast)
    assert found["02"] == {}
    check_mask_folders([tmp_path / "masks"], subjects)


@pytest.mark.parametrize("name", ["seg.mgz", "samseg.mgz"])
def test_what_samseg_writes_is_found(tmp_path: Path, subjects: tuple[Subject, ...], name: str) -> None:
    path = tmp_path / "masks/sub-01/ses-02" / name
    path.parent.mkdir(parents=True)
    path.touch()
    assert find_lesion_masks([tmp_path / "masks"], subjects)["01"]["02"].path == path


def test_a_mask_goes_before_its_probabilities(tmp_path: Path, subjects: tuple[Subject, ...]) -> None:
    put(tmp_path, "sub-01_ses-01_label-lesion_probseg.nii.gz")
    path = put(tmp_path, "sub-01_ses-01_label-lesion_mask.nii.gz")
    put(tmp_path, "space-flair_seg-lst.nii.gz")
    assert find_lesion_masks([tmp_path / "masks"], subjects)["01"]["01"].path == path


def test_a_study_without_session_folders_has_none_in_its_derivatives(
    tmp_path: Path, subjects: tuple[Subject, ...]
) -> None:
    put(tmp_path, "sub-02_label-lesion_mask.nii.gz", "sub-02/anat")
    put(tmp_path, "sub-01_label-lesion_mask.nii.gz", "sub-01/anat")  # of which of the two sessions?
    found = find_lesion_masks([tmp_path / "masks"], subjects)
    assert len(found["02"]) == 1
    assert found["01"] == {}


def test_the_file_of_another_subject_or_session_is_not_taken(tmp_path: Path, subjects: tuple[Subject, ...]) -> None:
    put(tmp_path, "sub-02_ses-01_label-lesion_mask.nii.gz")
    put(tmp_path, "sub-01_ses-02_label-lesion_mask.nii.gz")
    assert find_lesion_masks([tmp_path / "masks"], subjects)["01"] == {}


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (("sub-01_ses-01_space-MNI152_label-lesion_mask.nii.gz",), "scanner space"),
        (("sub-01_ses-01_space-T2w_label-lesion_mask.nii.gz",), "scanner space"),  # the session has no T2w
        (
            ("sub-01_ses-01_label-lesion_mask.nii.gz", "sub-01_ses-01_desc-b_label-lesion_mask.nii.gz"),
            "more than one lesion mask",
        ),
    ],
)
def test_masks_that_cannot_be_meant_are_refused(
    tmp_path: Path, subjects: tuple[Subject, ...], names: tuple[str, ...], says: str
) -> None:
    for name in names:
        put(tmp_path, name)
    with pytest.raises(StudyError, match=says) as caught:
        find_lesion_masks([tmp_path / "masks"], subjects)
    assert caught.value.remedy
    assert caught.value.found


def test_a_folder_holds_masks_of_either_kind_or_both(tmp_path: Path, subjects: tuple[Subject, ...]) -> None:
    put(tmp_path, "sub-01_ses-01_desc-brain_mask.nii.gz")
    lesions = write_nifti(tmp_path / "more/sub-01/ses-01/anat/sub-01_ses-01_label-lesion_mask.nii.gz")
    folders = [tmp_path / "masks", tmp_path / "more"]
    check_mask_folders(folders, subjects)
    assert list(find_brain_masks(folders, subjects)["01"]) == ["01"]
    assert find_lesion_masks(folders, subjects)["01"]["01"].path == lesions
    (tmp_path / "none").mkdir()
    with pytest.raises(StudyError, match="no brain mask and no lesion mask"):
        check_mask_folders([*folders, tmp_path / "none"], subjects)
    with pytest.raises(StudyError, match="no such folder"):
        check_mask_folders([tmp_path / "nowhere"], subjects)
