"""Brain masks that the user supplies: found by name, refused with a reason, part of what a result is made from."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from hlhneuro.cli import main
from hlhneuro.errors import StudyError
from hlhneuro.pipeline.ledger import Ledger
from hlhneuro.pipeline.preparing import read_brain
from hlhneuro.pipeline.task import SubjectRun
from hlhneuro.settings import Settings
from hlhneuro.study import check_mask_folders, find_brain_masks, open_study

STUDY = Path(__file__).parents[2] / "sample_data"


def write_mask(folder: Path, name: str, top: float = 1.0) -> Path:
    path = folder / "sub-01/ses-01/anat" / f"sub-01_ses-01_{name}desc-brain_mask.nii.gz"
    path.parent.mkdir(parents=True, exist_ok=True)
    data = np.zeros((8, 8, 8), dtype=np.float32)
    data[2:6, 2:6, 2:6] = top
    nib.save(nib.Nifti1Image(data, np.eye(4)), path)
    return path


def task_of(folder: Path) -> SubjectRun:
    opened = open_study(STUDY)
    check_mask_folders([folder], opened.subjects)
    masks = find_brain_masks([folder], opened.subjects)
    subject = opened.subjects[0]
    return SubjectRun(opened, subject, folder / "out", Settings(), brain_masks=masks[subject.label])


def test_a_mask_is_found_by_its_name_and_read(tmp_path: Path) -> None:
    path = write_mask(tmp_path, "space-FLAIR_")
    task = task_of(tmp_path)
    assert list(task.brain_masks) == ["01"]
    ledger = Ledger(tmp_path, "01")
    brain = read_brain(task, ledger, task.subject.sessions[0])
    assert brain is not None
    assert (brain.contrast, brain.source, int(brain.mask.sum())) == ("FLAIR", path.name, 64)
    assert read_brain(task, ledger, task.subject.sessions[1]) is None
    assert not ledger.statuses


def test_a_changed_mask_makes_the_saved_alignment_invalid(tmp_path: Path) -> None:
    path = write_mask(tmp_path, "")
    before = task_of(tmp_path).mask_checksums()
    assert list(before) == [f"bids:brainmasks:sub-01/ses-01/anat/{path.name}"]
    write_mask(tmp_path, "", top=255)
    assert task_of(tmp_path).mask_checksums() != before


def test_a_mask_that_cannot_be_used_is_a_row_and_the_session_goes_on(tmp_path: Path) -> None:
    write_mask(tmp_path, "", top=3).write_bytes(b"no image")
    task, ledger = task_of(tmp_path), Ledger(tmp_path, "01")
    assert read_brain(task, ledger, task.subject.sessions[0]) is None
    (row,) = ledger.statuses
    assert (row.state, row.session) == ("failed", "01")
    assert "desc-brain_mask" in row.reason


@pytest.mark.parametrize(
    ("names", "says"),
    [((), "no brain mask"), (("space-MNI152_",), "scanner space"), (("", "space-T1w_"), "more than one")],
)
def test_masks_that_cannot_be_meant_are_refused(names: tuple[str, ...], says: str, tmp_path: Path) -> None:
    for name in names:
        write_mask(tmp_path, name)
    with pytest.raises(StudyError, match=says) as caught:
        task_of(tmp_path)
    assert caught.value.remedy
    with pytest.raises(StudyError, match="no such folder"):
        task_of(tmp_path / "nowhere")


def test_the_command_takes_folders_of_derivatives(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_mask(tmp_path / "masks", "")
    call = ["run", str(STUDY), str(tmp_path / "out"), "participant", "--dry-run", "--derivatives"]
    assert main([*call, str(tmp_path / "masks")]) == 0
    assert main([*call, str(tmp_path / "nowhere")]) == 2
    assert "no such folder of derivatives" in capsys.readouterr().err
