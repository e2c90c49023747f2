"""A run with lesion masks of the user: they replace ours, all that follows works on them, and the page says whose."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from hlhneuro.cli import main
from hlhneuro.pipeline import RunOutcome, run
from hlhneuro.settings import Settings
from hlhneuro.study import read_table
from tests.conftest import pages_without_pictures

pytestmark = pytest.mark.slow
NAME = "sub-01_ses-{0}_space-FLAIR_label-lesion_mask.nii.gz"


def mask_path(folder: Path, session: str) -> Path:
    return folder / f"sub-01/ses-{session}/anat" / NAME.format(session)


def copy_truth(study: Path, folder: Path, *sessions: str) -> Path:
    """Copy what the phantom knows of its lesions, in the grid of each session's FLAIR."""
    for session in sessions:
        target = mask_path(folder, session)
        target.parent.mkdir(parents=True)
        shutil.copy(study / f"truth/sub-01/ses-{session}" / NAME.format(session), target)
    return folder


def again(outcome: RunOutcome, tmp: Path, study: Path, masks: Path, settings: Settings) -> RunOutcome:
    """Run the first patient with masks on a copy of finished results."""
    if not (tmp / "out").exists():
        shutil.copytree(outcome.out, tmp / "out")
    with pages_without_pictures():
        return run(study, tmp / "out", settings=settings, participants=["01"], derivatives=[masks])


def states(outcome: RunOutcome) -> dict[str, str]:
    return {s.stage: s.state for s in outcome.statuses if not s.session}


@pytest.fixture(scope="module")
def own(
    lean_outcome: RunOutcome, lean_study: Path, tmp_path_factory: pytest.TempPathFactory, coarse: Settings
) -> tuple[RunOutcome, Path]:
    tmp = tmp_path_factory.mktemp("own")
    masks = copy_truth(lean_study, tmp / "masks", "01", "02")
    return again(lean_outcome, tmp, lean_study, masks, coarse), masks


def test_only_what_depends_on_the_masks_is_made_again(own: tuple[RunOutcome, Path]) -> None:
    found = states(own[0])
    assert found["align"] == "skipped"
    assert found["lesions"] == found["change"] == found["native"] == "done"
    assert own[0].exit_status == 0


def test_volumes_and_scanner_grids_hold_the_users_masks(own: tuple[RunOutcome, Path]) -> None:
    outcome, masks = own
    volumes = read_table(outcome.out / "sub-01/sub-01_volumes.tsv")
    volumes = volumes[volumes["structure"] == "lesion_load"].set_index("session")
    for session in ("01", "02"):
        drawn = nib.load(mask_path(masks, session))
        inside = np.asarray(drawn.dataobj) > 0
        drawn_ml = inside.sum() * abs(np.linalg.det(drawn.affine[:3, :3])) / 1000
        row = volumes.loc[session if session in volumes.index else f"ses-{session}"]
        assert float(row["volume_ml"]) == pytest.approx(drawn_ml, rel=0.03)
        assert "supplied by the user" in row["reason"]
        native = nib.load(outcome.out / f"sub-01/ses-{session}/anat" / NAME.format(session))
        back = np.asarray(native.dataobj) > 0
        assert 2 * (back & inside).sum() / (back.sum() + inside.sum()) > 0.85


def test_the_page_and_the_findings_say_whose_masks_they_are(own: tuple[RunOutcome, Path]) -> None:
    folder = own[0].out / "sub-01"
    page = re.sub(r"\s+", " ", (folder / "sub-01_report.html").read_text("utf-8"))
    assert NAME.format("01") in page
    assert "supplied by the user" in page
    assert "segmented jointly" not in page
    findings = json.loads((folder / "sub-01_findings.json").read_text("utf-8"))["findings"]
    said = {f["code"]: f["reason"] for f in findings if f["sessions"] in (["01"], ["01", "02"])}
    for code in ("lesion_present", "affected_territory_count", "lesion_load_change"):
        assert "supplied by the user" in said[code]


def test_masks_are_in_the_provenance(own: tuple[RunOutcome, Path]) -> None:
    anat = own[0].out / "sub-01/ses-01/anat"
    sidecar = json.loads((anat / "sub-01_ses-01_space-subject_label-lesion_mask.json").read_text("utf-8"))
    assert "bids:lesionmasks:sub-01/ses-01/anat/" + NAME.format("01") in json.dumps(sidecar)


def test_a_changed_mask_repeats_lesions_and_what_follows(
    own: tuple[RunOutcome, Path], lean_study: Path, coarse: Settings
) -> None:
    outcome, masks = own
    unchanged = again(outcome, outcome.out.parent, lean_study, masks, coarse)
    assert states(unchanged)["lesions"] == "skipped"
    image = nib.load(mask_path(masks, "02"))
    empty = nib.Nifti1Image(np.zeros(image.shape, np.uint8), image.affine)
    empty.to_filename(mask_path(masks, "02"))
    changed = again(outcome, outcome.out.parent, lean_study, masks, coarse)
    assert (states(changed)["align"], states(changed)["lesions"]) == ("skipped", "done")
    assert changed.exit_status == 0  # no lesion is an answer
    findings = json.loads((outcome.out / "sub-01/sub-01_findings.json").read_text("utf-8"))["findings"]
    answers = {f["code"]: f["answer"] for f in findings if f["sessions"] == ["02"]}
    assert answers["lesion_present"] == "absent"


def test_sessions_without_a_usable_mask_are_not_assessable_and_the_rest_goes_on(
    lean_outcome: RunOutcome, lean_study: Path, tmp_path: Path, coarse: Settings
) -> None:
    masks = copy_truth(lean_study, tmp_path / "masks", "01")
    outcome = again(lean_outcome, tmp_path, lean_study, masks, coarse)
    assert outcome.exit_status == 1
    (row,) = [s for s in outcome.troubles if s.stage == "lesions"]
    assert (row.session, row.state) == ("02", "not assessable")
    assert "no lesion mask supplied for ses-02" in row.reason
    image = nib.load(mask_path(masks, "01"))
    nib.Nifti1Image(np.asarray(image.dataobj) * np.float32(-3), image.affine).to_filename(mask_path(masks, "01"))
    outcome = again(lean_outcome, tmp_path, lean_study, masks, coarse)
    (row,) = [s for s in outcome.troubles if s.stage == "read"]
    for word in (NAME.format("01"), "found: -3, 0", "Remedy"):
        assert word in row.reason
    assert {s.session for s in outcome.troubles if s.stage == "lesions"} == {"01", "02"}
    assert (outcome.out / "sub-01/sub-01_report.html").is_file()


def test_check_says_which_session_has_a_mask(
    lean_study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    masks = copy_truth(lean_study, tmp_path / "masks", "01")
    main(["check", str(lean_study), "--derivatives", str(masks)])
    said = capsys.readouterr().out
    assert NAME.format("01")[:20] in said
    assert "no lesion mask" in said
