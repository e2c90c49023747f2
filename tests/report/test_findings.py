"""The account is complete: every question answered, every gap named, and the same after a way through JSON."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from hlhneuro.answers import Answer, Finding
from hlhneuro.errors import InputError
from hlhneuro.lesions.findings import SESSION_QUESTIONS
from hlhneuro.lesions.interval_findings import INTERVAL_QUESTIONS
from hlhneuro.lesions.volume_findings import QUESTIONS as VOLUME_QUESTIONS
from hlhneuro.report import Findings, StageStatus, assess
from hlhneuro.report.account._stages import IMAGING
from tests.report.conftest import IMAGING_FINDINGS

SCHEMA = Path(__file__).parents[2] / "docs" / "findings.schema.json"


def test_sessions_carry_days_since_the_first_from_the_calendar(findings):
    # 4 March to 8 April is 27 + 8 days, to 1 July 27 + 30 + 31 + 30 + 1.
    assert [session.days_since_first for session in findings.sessions] == [0, 35, 119]
    assert [interval.days for interval in findings.intervals] == [35, 84]


def test_a_missing_date_gives_unknown_days_and_says_so(results):
    sessions = (results.subject.sessions[0], replace(results.subject.sessions[1], date=None))
    found = assess(replace(results, subject=replace(results.subject, sessions=sessions)))
    assert found.intervals[0].days is None
    follow_up = next(finding for finding in found.findings if finding.code == "follow_up")
    assert follow_up.answer is Answer.NOT_ASSESSABLE
    assert "ses-02" in follow_up.reason
    assert "sessions.tsv" in follow_up.reason


def test_json_gives_back_the_same_account(findings):
    text = json.dumps(findings.to_json(), allow_nan=False)
    back = Findings.from_json(json.loads(text) | {"Provenance": {"Version": "x"}})
    assert back.to_json() == findings.to_json()
    assert back.findings == findings.findings
    assert back.of_kind("imaging") == findings.of_kind("imaging")


def test_a_value_that_is_not_a_number_is_null_in_json(results):
    odd = replace(IMAGING_FINDINGS[0], value=float("nan"), standard_uncertainty=float("inf"))
    entry = assess(results, [odd]).to_json()["findings"][0]
    assert entry["value"] is None
    assert entry["standard_uncertainty"] is None


@pytest.fixture(scope="module")
def validator():
    """Return a checker of the published schema."""
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema checks the published schema")
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def test_the_account_follows_its_published_schema(validator, findings, empty_results):
    for account in (findings, assess(empty_results)):
        assert [error.message for error in validator.iter_errors(json.loads(json.dumps(account.to_json())))] == []


def test_the_schema_refuses_a_fourth_answer_and_a_load_in_words(validator, findings):
    account = findings.to_json()
    account["findings"][0]["answer"] = "unknown"
    account["sections"]["lesions"]["loads"][0]["load_ml"] = "12.3 ml"
    assert len(list(validator.iter_errors(account))) == 2


def test_every_question_about_images_names_the_stage_that_answers_it():
    asked = {*SESSION_QUESTIONS, *INTERVAL_QUESTIONS, *(code for code, _ in VOLUME_QUESTIONS.values())}
    assert set(IMAGING) == asked


def test_findings_name_the_stages_they_rest_on(findings):
    entries = findings.to_json()["findings"]
    stages = {(one["code"], *one["sessions"]): one["stages"] for one in entries}
    assert stages["lesion_load_change", "01", "02"] == ["change"]
    assert stages["lactate", "02"] == ["spectra_02_voi-lesion"]
    assert stages["session_aligned", "01"] == ["align"]
    assert stages["follow_up", "01", "02", "03"] == ["study"]


def test_a_pattern_rests_on_all_spectra_of_its_session(results):
    signs = [Finding("lipid", "Q?", Answer.ABSENT, "x", "spectrum", ("01",), name) for name in ("long", "short")]
    pattern = Finding("pattern_normal", "Q?", Answer.PRESENT, "x", "session", ("01",), "svs")
    account = assess(results, (), [*signs, pattern]).to_json()
    assert account["findings"][2]["stages"] == ["spectra_01_long", "spectra_01_short"]


def test_the_example_in_the_documents_runs(findings, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "results" / "sub-01"
    folder.mkdir(parents=True)
    (folder / "sub-01_findings.json").write_text(json.dumps(findings.to_json()), encoding="utf-8")
    (example,) = re.findall(r"```python\n(.*?)```", (SCHEMA.parent / "findings.md").read_text("utf-8"), re.DOTALL)
    exec(compile(example, "findings.md", "exec"), {})
    told = capsys.readouterr().out.splitlines()
    assert told[0] == "01 02 8.4 0.85 ml"
    assert len(told) == 4


def test_the_documents_explain_every_key(findings):
    text = (SCHEMA.parent / "findings.md").read_text("utf-8")
    account = findings.to_json()
    left_out = {"schema_version", "software", "research_use_only"}
    for key in [*(set(account) - left_out), *account["findings"][0]]:
        assert f"`{key}`" in text, key
    assert findings.schema_version == json.loads(SCHEMA.read_text("utf-8"))["properties"]["schema_version"]["const"]


def test_an_account_of_another_version_is_refused_by_name(findings):
    with pytest.raises(InputError, match=r"schema_version.*9"):
        Findings.from_json(findings.to_json() | {"schema_version": "9"})


def test_an_incomplete_account_is_an_input_error(findings):
    account = findings.to_json()
    del account["sessions"]
    with pytest.raises(InputError, match="sessions"):
        Findings.from_json(account)


def test_parts_that_are_missing_are_answered_not_assessable_with_the_reason_of_the_stage(empty_results):
    found = {finding.code: finding for finding in assess(empty_results).findings}
    for code in ("alignment", "lesions", "lesion_change", "spectra"):
        assert found[code].answer is Answer.NOT_ASSESSABLE
    assert "no finite signal" in found["alignment"].reason
    assert "one session" in found["lesion_change"].reason
    assert found["follow_up"].answer is Answer.ABSENT


def test_a_failed_stage_is_said_once_and_a_skipped_one_never(results):
    failed = StageStatus("01", "02", "spectra", "failed", "no signal")
    fresh = assess(replace(results, statuses=(failed, failed, StageStatus("01", "01", "spectra", "done"))))
    again = assess(replace(results, statuses=(failed, StageStatus("01", "01", "spectra", "skipped"))))
    assert [finding.code for finding in fresh.findings].count("stage_spectra") == 1
    assert fresh.not_done == (failed,)
    assert fresh == again


def test_every_answer_is_counted(findings):
    counts = findings.to_json()["counts"]
    assert list(counts) == [answer.value for answer in Answer]
    assert sum(counts.values()) == len(findings.findings)
    assert counts["absent"] == sum(finding.answer is Answer.ABSENT for finding in findings.findings)


def test_imaging_findings_run_from_the_patient_to_the_session(findings):
    assert [finding.scope for finding in findings.of_kind("imaging")] == ["subject", "interval", "session"]


def test_problems_of_a_session_are_findings(results):
    odd = replace(results.subject.sessions[0], problems=("FLAIR is there twice",))
    subject = replace(results.subject, sessions=(odd, *results.subject.sessions[1:]))
    found = assess(replace(results, subject=subject))
    assert any(finding.reason == "FLAIR is there twice" for finding in found.findings)


def test_without_sessions_there_still_is_an_account(results):
    bare = replace(results, subject=replace(results.subject, sessions=()), aligned=None, lesions=None, change=None)
    assert "has no session" in assess(replace(bare, spectra=())).summary[0]


def test_a_finding_needs_a_reason():
    with pytest.raises(ValueError, match="no reason"):
        Finding("x", "X?", Answer.ABSENT, "", "subject")
