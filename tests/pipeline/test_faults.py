"""Bad input: each fault gets its line, the rest of the study still finishes, and the exit status says so."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from hlhneuro.cli import main
from hlhneuro.phantom import write_study
from hlhneuro.pipeline import RunOutcome, run
from hlhneuro.settings import Settings
from hlhneuro.study import open_study
from tests.conftest import empty_pictures
from tests.pipeline.conftest import only_the_main_contrasts

pytestmark = pytest.mark.slow


def anat(study: Path, session: str, contrast: str) -> Path:
    return study / f"sub-01/ses-{session}/anat/sub-01_ses-{session}_{contrast}.nii.gz"


def svs(study: Path, session: str) -> Path:
    return study / f"sub-01/ses-{session}/mrs/sub-01_ses-{session}_acq-short_svs.nii.gz"


def rewrite(path: Path, change: Callable[[np.ndarray], np.ndarray]) -> None:
    image = nib.load(path)
    data = change(np.asarray(image.dataobj, dtype=np.float32))
    nib.save(nib.Nifti1Image(data, image.affine), path)


def edit_sidecar(path: Path, **fields: object) -> None:
    """Change fields in the sidecar and in the file's own header; None takes a field away."""
    sidecar = path.with_name(path.name.replace(".nii.gz", ".json"))
    content = json.loads(sidecar.read_text("utf-8")) | fields
    sidecar.write_text(json.dumps({k: v for k, v in content.items() if v is not None}), "utf-8")
    image = nib.load(path)
    for number, extension in enumerate(image.header.extensions):
        if extension.get_code() == 44:
            header = json.loads(extension.get_content()) | fields
            header = {k: v for k, v in header.items() if v is not None}
            image.header.extensions[number] = nib.nifti1.Nifti1Extension(44, json.dumps(header).encode())
    data = np.asarray(image.dataobj)
    nib.save(nib.Nifti2Image(data, image.affine, image.header) if isinstance(image, nib.Nifti2Image)
             else nib.Nifti1Image(data, image.affine, image.header), path)  # fmt: skip


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One patient, three sessions, nearly everything wrong that can be wrong; a second patient is well."""
    study = write_study(tmp_path_factory.mktemp("broken") / "study", subjects=2, sessions=3, seed=5, fast=True)
    only_the_main_contrasts(study)
    for visit in ("02", "03"):
        shutil.rmtree(study / "sub-02" / f"ses-{visit}")
    for path in study.glob("sub-02/ses-01/anat/*_T?w.*"):  # one contrast is enough to be well
        path.unlink()
    for contrast in ("T1w", "T2w"):
        anat(study, "01", contrast).unlink()
    truncated = anat(study, "02", "T2w")
    truncated.write_bytes(truncated.read_bytes()[:4000])
    rewrite(anat(study, "02", "T1w"), lambda data: np.full_like(data, np.nan))
    rewrite(anat(study, "03", "FLAIR"), lambda data: np.stack([data, data, data], axis=-1))
    edit_sidecar(svs(study, "01"), EchoTime=None)
    edit_sidecar(svs(study, "02"), EchoTime=30)
    return study


@pytest.fixture(scope="module")
def outcome(broken: Path, tmp_path_factory: pytest.TempPathFactory, coarse: Settings) -> RunOutcome:
    with empty_pictures():
        return run(broken, tmp_path_factory.mktemp("out"), settings=coarse)


def said(outcome: RunOutcome, session: str, stage: str) -> str:
    rows = [s.reason for s in outcome.troubles if (s.subject, s.session, s.stage) == ("01", session, stage)]
    return "\n".join(rows)


def test_the_exit_status_says_that_something_failed(outcome: RunOutcome) -> None:
    assert outcome.exit_status == 1


def test_the_other_patient_is_complete(outcome: RunOutcome) -> None:
    assert {s.state for s in outcome.statuses if s.subject == "02"} == {"done"}
    assert (outcome.out / "sub-02" / "sub-02_report.html").is_file()


@pytest.mark.parametrize(
    ("session", "stage", "words"),
    [
        ("02", "read", ("T2w.nii.gz", "Remedy")),  # truncated
        ("02", "read", ("T1w.nii.gz", "finite")),  # a volume of NaN
        ("03", "read", ("FLAIR.nii.gz", "not a 3-D image", "split")),
        ("01", "spectra", ("EchoTime",)),  # no echo time
        ("02", "spectra", ("EchoTime", "30", "seconds")),  # milliseconds
    ],
)
def test_a_fault_is_named_with_its_file_field_value_and_remedy(
    outcome: RunOutcome, session: str, stage: str, words: tuple[str, ...]
) -> None:
    reason = said(outcome, session, stage)
    for word in words:
        assert word in reason


def test_no_fault_of_the_input_is_taken_for_a_fault_of_the_program(outcome: RunOutcome) -> None:
    assert not [s.reason for s in outcome.statuses if "fault of the program" in s.reason]


def test_the_rest_of_the_patient_is_finished(outcome: RunOutcome) -> None:
    folder = outcome.out / "sub-01"
    page = (folder / "sub-01_report.html").read_text("utf-8")
    for session in ("01", "02", "03"):
        assert list((folder / f"ses-{session}" / "anat").glob("*label-lesion_mask.nii.gz")), session
    assert list((folder / "ses-03" / "mrs").glob("*concentrations.tsv"))
    assert "EchoTime" in page
    findings = json.loads((folder / "sub-01_findings.json").read_text("utf-8"))
    assert {"present", "absent", "not assessable"} >= {f["answer"] for f in findings["findings"]}


def test_lesions_of_each_session_rest_on_what_it_has(outcome: RunOutcome) -> None:
    """Two sessions have only their FLAIR, the third has no FLAIR; the other patient came once."""
    anat = outcome.out / "sub-01"
    reasons = {}
    for finding in json.loads((anat / "sub-01_findings.json").read_text("utf-8"))["findings"]:
        if finding["code"] == "lesion_present":
            reasons[finding["sessions"][0]] = finding["reason"]
    assert "FLAIR alone" in reasons["02"]
    assert "no FLAIR" in reasons["03"]
    once = json.loads((outcome.out / "sub-02" / "sub-02_findings.json").read_text("utf-8"))["findings"]
    assert not [f["code"] for f in once if f["scope"] == "interval" and f["answer"] != "not assessable"]
    assert {f["answer"] for f in once if f["code"] == "lesion_present"} <= {"present", "absent"}


@pytest.mark.parametrize("dates", [("2024-03-01", "2024-03-01"), ("2024-04-01", "2024-03-01")])
def test_equal_or_swapped_dates_are_said(sample_data: Path, tmp_path: Path, dates: tuple[str, str]) -> None:
    study = tmp_path / "study"
    shutil.copytree(sample_data, study, ignore=shutil.ignore_patterns("truth", "sub-02", "ses-03"))
    table = study / "sub-01" / "sub-01_sessions.tsv"
    table.write_text(f"session_id\tacq_time\tage\nses-01\t{dates[0]}\t4\nses-02\t{dates[1]}\t4.1\n", "utf-8")
    (study / "participants.tsv").write_text("participant_id\tsex\nsub-01\tM\n", "utf-8")
    subject = open_study(study).subjects[0]
    problems = " ".join([*subject.problems, *(p for session in subject.sessions for p in session.problems)])
    assert "date" in problems
    if dates[0] > dates[1]:
        assert [session.label for session in subject.sessions] == ["02", "01"]


def test_an_empty_study_is_exit_status_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    assert main(["run", str(tmp_path / "empty"), str(tmp_path / "out"), "participant"]) == 2
    assert main(["run", str(tmp_path / "nowhere"), str(tmp_path / "out"), "participant"]) == 2
    said = capsys.readouterr().err
    assert "Remedy" in said
    assert "Traceback" not in said
