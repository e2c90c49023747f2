"""A whole study, as a user runs it."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from hlhneuro.errors import StudyError
from hlhneuro.pipeline import RunOutcome, load_results, run
from hlhneuro.report import COLUMNS
from hlhneuro.settings import Settings, TemplateSettings
from hlhneuro.study import read_table
from tests.conftest import pages_without_pictures
from tests.pipeline.conftest import checksums

pytestmark = pytest.mark.slow


def test_a_clean_study_ends_well(lean_outcome: RunOutcome) -> None:
    assert lean_outcome.exit_status == 0, [vars(status) for status in lean_outcome.troubles]
    status = read_table(lean_outcome.out / "status.tsv")
    assert set(status["subject"]) == {"01", "02"}
    assert set(status["state"]) == {"done"}


@pytest.mark.parametrize(
    "name",
    [
        "dataset_description.json",
        ".bidsignore",
        "status.tsv",
        "logs/sub-01.log",
        "sub-01/sub-01_report.html",
        "sub-01/sub-01_findings.json",
        *(f"sub-01/sub-01_{table}.tsv" for table in COLUMNS if table != "findings"),
        "sub-01/anat/sub-01_space-subject_desc-brain_mask.nii.gz",
        "sub-01/ses-02/anat/sub-01_ses-02_space-subject_desc-preproc_FLAIR.nii.gz",
        "sub-01/ses-02/anat/sub-01_ses-02_space-subject_label-lesion_mask.nii.gz",
        "sub-01/ses-02/anat/sub-01_ses-02_space-subject_label-lesion_probseg.nii.gz",
        "sub-01/ses-02/anat/sub-01_ses-02_space-subject_desc-lesions_dseg.nii.gz",
        "sub-01/ses-02/anat/sub-01_ses-02_space-subject_desc-change_dseg.nii.gz",
        "sub-01/ses-02/anat/sub-01_ses-02_space-subject_desc-change_dseg.tsv",
        "sub-01/ses-02/anat/sub-01_ses-02_space-FLAIR_desc-brain_mask.nii.gz",
        "sub-01/ses-02/anat/sub-01_ses-02_space-FLAIR_label-lesion_mask.nii.gz",
        "sub-01/ses-02/anat/sub-01_ses-02_space-FLAIR_desc-change_dseg.nii.gz",
        "sub-01/ses-02/anat/sub-01_ses-02_from-T1w_to-subject_mode-image_xfm.txt",
        "sub-01/ses-02/mrs/sub-01_ses-02_acq-short_desc-fit_concentrations.tsv",
        "sub-01/ses-02/mrs/sub-01_ses-02_acq-short_desc-fit_qc.tsv",
        "sub-01/ses-02/mrs/sub-01_ses-02_acq-short_desc-fit_svs.svg",
        "sub-01/ses-02/mrs/sub-01_ses-02_acq-short_desc-voxel_mask.nii.gz",
    ],
)
def test_the_published_file_is_there(lean_outcome: RunOutcome, name: str) -> None:
    assert (lean_outcome.out / name).is_file()


def test_every_image_and_table_says_what_it_was_made_from(lean_outcome: RunOutcome) -> None:
    paths = [*lean_outcome.out.rglob("*.nii.gz"), *lean_outcome.out.rglob("*.tsv")]
    assert len(paths) > 50
    for path in paths:
        sidecar = json.loads(path.with_name(re.sub(r"\.(nii\.gz|tsv)$", ".json", path.name)).read_text("utf-8"))
        assert {"Sources", "Settings", "Version"} <= set(sidecar), path


def test_masks_in_the_scanner_grid_lie_on_the_raw_image(lean_outcome: RunOutcome, lean_study: Path) -> None:
    raw = nib.load(lean_study / "sub-01/ses-02/anat/sub-01_ses-02_FLAIR.nii.gz")
    carried = nib.load(lean_outcome.out / "sub-01/ses-02/anat/sub-01_ses-02_space-FLAIR_label-lesion_mask.nii.gz")
    assert carried.shape == raw.shape
    np.testing.assert_allclose(carried.affine, raw.affine, atol=1e-4)
    mask, image = np.asarray(carried.dataobj) > 0, raw.get_fdata()
    brain = np.asarray(
        nib.load(lean_outcome.out / "sub-01/ses-02/anat/sub-01_ses-02_space-FLAIR_desc-brain_mask.nii.gz").dataobj
    )
    assert image[mask].mean() > 1.2 * image[brain > 0].mean()  # FLAIR lesions are bright


def test_lesion_load_agrees_with_the_truth_of_the_phantom(lean_outcome: RunOutcome, lean_study: Path) -> None:
    truth = read_table(lean_study / "truth" / "lesions.tsv")
    load = truth.groupby(["participant_id", "session_id"])["volume_ml"].sum()
    found = load_results(lean_outcome.out)["volumes"]
    for (participant, session), true_ml in load.items():
        rows = found[(found["subject"] == participant[4:]) & (found["session"] == session[4:])]
        got = float(rows.loc[rows["structure"] == "lesion_load", "volume_ml"].iloc[0])
        assert got == pytest.approx(true_ml, rel=0.5, abs=3.0), (participant, session)  # 2 mm images


def test_a_second_run_skips_everything_and_changes_nothing(
    lean_study: Path, lean_outcome: RunOutcome, coarse: Settings
) -> None:
    before = checksums(lean_outcome.out / "sub-01")
    with pages_without_pictures():  # the page is made again, which is no matter here
        again = run(lean_study, lean_outcome.out, participants=["sub-01"], settings=coarse)
    assert {s.state for s in again.statuses if s.stage in {"align", "lesions", "change", "spectra"}} == {"skipped"}
    after = checksums(lean_outcome.out / "sub-01")
    changed = {name for name in before if before[name] != after.get(name)}
    assert not {name for name in changed if "status" not in name and "findings" not in name and "report" not in name}


def test_the_group_step_gathers_all_subjects(lean_outcome: RunOutcome) -> None:
    outcome = run("nowhere", lean_outcome.out, "group")  # results are enough
    assert outcome.exit_status == 0
    lesions = read_table(lean_outcome.out / "group" / "lesions.tsv")
    assert set(lesions["subject"]) == {"01", "02"}
    assert "<html" in (lean_outcome.out / "group" / "report.html").read_text("utf-8")


def test_results_do_not_depend_on_the_number_of_workers(
    lean_study: Path, lean_outcome: RunOutcome, coarse: Settings, tmp_path: Path
) -> None:
    """One process did all the work before; now subjects have one each, and so have the sessions of a subject."""
    study = shutil.copytree(lean_study, tmp_path / "study")
    for folder in [*study.glob("sub-01/ses-*/anat"), *study.glob("sub-01/ses-*/dwi"), study / "sub-01" / "ses-02"]:
        shutil.rmtree(folder)
    outcome = run(study, tmp_path / "two", settings=coarse, jobs=2)
    assert {status.subject for status in outcome.statuses if (status.stage, status.state) == ("report", "done")} == {
        "01",
        "02",
    }
    one, two = checksums(lean_outcome.out / "sub-02"), checksums(tmp_path / "two" / "sub-02")
    assert one == two


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"participants": ["99"]}, "no such subject"),
        ({"sessions": ["99"]}, "no such session"),
        ({"level": "everything"}, "unknown level"),
        ({"jobs": 0}, "--jobs"),
        ({"settings": Settings(template=TemplateSettings(path="absent"))}, "no such folder"),
    ],
)
def test_a_wrong_call_is_refused(lean_study: Path, tmp_path: Path, arguments: dict[str, object], says: str) -> None:
    with pytest.raises(StudyError, match=says):
        run(lean_study, tmp_path / "out", **arguments)  # type: ignore[arg-type]


def test_results_are_not_written_over_the_study(lean_study: Path) -> None:
    with pytest.raises(StudyError, match="over the study"):
        run(lean_study, lean_study)


def test_a_dry_run_writes_nothing(lean_study: Path, tmp_path: Path) -> None:
    outcome = run(lean_study, tmp_path / "out", dry_run=True)
    assert len(outcome.statuses) == 4
    assert not (tmp_path / "out").exists()


def test_tables_of_an_empty_folder_are_asked_for(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="run STUDY OUT"):
        load_results(tmp_path)
