"""What people write into tables and names: shown as text, told where it cannot be used, and never where or who."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from hlhneuro.pipeline import RunOutcome, load_findings, run
from hlhneuro.report import StageStatus
from hlhneuro.settings import SpectraSettings
from hlhneuro.spectroscopy import SpectrumResult
from hlhneuro.study import Scan, Session
from tests.conftest import empty_pictures
from tests.report.conftest import make_fit

SCRIPT = "<script>alert('x')</script>"
IMAGE = '"><img src=x onerror=alert(1)>&amp;'
HEBREW, ARABIC, CHINESE = "טיפול בדקסמתזון 10 mg/m2", "تخدير (سيفوفلوران)", "地塞米松"
SECRETS = ("Sarah", "Miller", "2016-05-04", "20160504", "MRN-77", "St. Elsewhere")


def write(path: Path, *rows: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join("\t".join(row.split("|")) for row in rows) + "\n", "utf-8")
    return path


def spectrum(study: Path, subject: str, session: str, **sidecar: object) -> Path:
    path = study / f"sub-{subject}/ses-{session}/mrs/sub-{subject}_ses-{session}_svs.nii.gz"
    write(path.with_name(path.name.replace(".nii.gz", ".json")), json.dumps({"EchoTime": 0.03, **sidecar}))
    path.write_bytes(b"")
    return path


@pytest.fixture(scope="module", autouse=True)
def _words_alone() -> Iterator[None]:
    with empty_pictures():
        yield


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three patients: twelve sessions; a broken image, a Hebrew folder, no table of sessions; nothing at all."""
    root = tmp_path_factory.mktemp("mess") / "Miller study"
    write(root / "dataset_description.json", '{"Name": "mess", "BIDSVersion": "1.10.0"}')
    write(
        root / "participants.tsv",
        "participant_id|sex|patient_name|birth_date|MRN|note",
        f"sub-01|F|Sarah Miller|2016-05-04|MRN-77|{SCRIPT}",
        f"sub-02|F|Miller|2016-05-04|n/a|{CHINESE}",
        "sub-03|n/a|n/a|n/a|n/a|n/a",
    )
    visits = [f"ses-{n:02}|2021-{n:02}-01|{4 + n / 12:.2f}|{IMAGE}|{HEBREW}|Sarah" for n in range(1, 13)]
    visits[4] = visits[4].replace("2021-05-01", "2021-04-01")  # the day of the session before
    write(root / "sub-01/sub-01_sessions.tsv", "session_id|acq_time|age|scanner|טיפול|given_name", *visits)
    for n in range(1, 13):
        person = {"PatientName": "Sarah^Miller", "PatientBirthDate": "20160504", "InstitutionName": "St. Elsewhere"}
        if n in (1, 12):
            spectrum(root, "01", f"{n:02}", **person)
        else:
            (root / f"sub-01/ses-{n:02}/mrs").mkdir(parents=True)
    write(
        root / "phenotype/treatment.tsv",
        "participant_id|event|start_date|end_date|detail|patient_name",
        f"sub-01|{SCRIPT}|2021-02-01|n/a|{ARABIC}|Sarah Miller",
        f"sub-01|{CHINESE}|2021-03-01|2021-06-01|{HEBREW}|Sarah Miller",
        f"sub-01|dexamethasone|01.02.2021|n/a|{IMAGE}|Sarah Miller",
    )
    for session in ("01", "מבחן"):
        spectrum(root, "02", session)
    image = root / "sub-02/ses-01/anat/sub-02_ses-01_T1w.nii.gz"
    image.parent.mkdir()
    image.write_bytes(b"no image")
    (root / "sub-03").mkdir()
    (root / "sub-ילד").mkdir()
    return root


def fitted(scan: Scan, session: Session, *_: object) -> SpectrumResult:
    assert isinstance(_[-1], SpectraSettings)
    return SpectrumResult(session.label, "svs", 0.03, "press", False, make_fit(), None, ())


said: list[StageStatus] = []


@pytest.fixture(scope="module")
def outcome(study: Path) -> RunOutcome:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hlhneuro.pipeline.spectra.fit_scan", fitted)
        return run(study, study.parent / "out of Sarah", on_status=said.append)


def page(outcome: RunOutcome, subject: str) -> str:
    return (outcome.out / f"sub-{subject}" / f"sub-{subject}_report.html").read_text("utf-8")


def test_every_patient_has_a_page_whatever_is_missing(outcome: RunOutcome) -> None:
    assert outcome.exit_status == 1
    assert not [s.reason for s in outcome.statuses if "fault of the program" in s.reason]
    for subject in ("01", "02", "03"):
        assert ("report", "done") in {(s.stage, s.state) for s in outcome.statuses if s.subject == subject}
        assert "</html>" in page(outcome, subject)


def test_what_is_missing_or_contradicts_itself_is_told(outcome: RunOutcome) -> None:
    for subject, words in {
        "01": ["same date 2021-04-01", "is no date", "holds no images and no spectra", "the subject has no image"],
        "02": ["letters A-Z", "T1w.nii.gz", "sub-02_sessions.tsv", "age at ses-01 is unknown"],
        "03": ["sub-03 holds no images and no spectra"],
    }.items():
        for word in words:
            assert word in page(outcome, subject), (subject, word)
    assert [s.reason for s in said if not s.subject and "sub-ילד/ is not read" in s.reason]
    answers = {f.code: f for f in load_findings(outcome.out, "01").findings}
    for code in ("alignment", "lesions", "lesion_change"):
        assert answers[code].answer.value == "not assessable"
        assert answers[code].reason


def test_text_of_a_table_is_text_on_the_page(outcome: RunOutcome) -> None:
    shown = page(outcome, "01")
    assert not re.search(r"<script>alert|<img src=x", shown)
    for text in ("&lt;script&gt;alert(", "&lt;img src=x onerror=alert(1)&gt;&amp;amp;"):
        assert text in shown
    for text in (HEBREW, ARABIC):  # what is written the other way does not turn the words beside it
        assert re.search(rf'(<bdi>|dir="auto">){re.escape(text)}', shown)
    assert CHINESE in (outcome.out / "sub-02" / "sub-02_visits.tsv").read_text("utf-8")


def test_no_result_tells_who_the_patient_is_or_where_files_lie(outcome: RunOutcome, study: Path) -> None:
    files = [path for path in outcome.out.rglob("*") if path.is_file()]
    assert len(files) > 50
    for path in files:
        text = path.read_text("utf-8")
        found = [word for word in (*SECRETS, str(study.parent), str(Path.home())) if word in text]
        if path.name == "dataset_description.json":  # where the study lies, seen from here: BIDS wants it
            found = [word for word in found if word != "Miller"]
        assert not found, (path, found)
    told = page(outcome, "01")
    for column in ("patient_name", "given_name", "PatientName"):
        assert column in told  # that it has to be removed
    assert "bids:raw:sub-02/ses-01/anat/sub-02_ses-01_T1w.nii.gz" in page(outcome, "02")


def test_what_failed_is_told_again_in_the_same_words(outcome: RunOutcome) -> None:
    folder = outcome.out / "sub-02"
    before = {path.name: path.read_bytes() for path in folder.glob("sub-02_*") if "status" not in path.name}
    assert run("nowhere", outcome.out, participants=["02"], reports_only=True).exit_status == 1
    assert before == {path.name: path.read_bytes() for path in folder.glob("sub-02_*") if "status" not in path.name}
