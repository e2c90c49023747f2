"""Reports from the results alone: the raw data and the study are gone."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

import hlhneuro
from hlhneuro.cli import main
from hlhneuro.errors import InputError, StudyError
from hlhneuro.pipeline import RunOutcome, run
from hlhneuro.settings import Settings, load_settings
from hlhneuro.study import read_table
from tests.conftest import empty_pictures
from tests.pipeline.conftest import checksums

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def alone(lean: tuple[Path, RunOutcome], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results of both patients in another place, without the study."""
    out = tmp_path_factory.mktemp("alone") / "results"
    shutil.copytree(lean[1].out, out)
    return out


@pytest.fixture
def second(alone: Path, tmp_path: Path) -> Path:
    """The results of the second patient alone, to be damaged."""
    shutil.copytree(alone / "sub-02", tmp_path / "out" / "sub-02")
    return tmp_path / "out"


@pytest.fixture
def no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a page looks like is not asked here."""
    monkeypatch.setattr("hlhneuro.pipeline.subject.write_report", lambda _r, _f, path: path.write_text("page", "utf-8"))


def told(folder: Path) -> Path:
    return folder / "sub-02" / "stages" / "study.json"


def rewrite(path: Path, **fields: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | fields), "utf-8")


def test_every_page_account_and_table_comes_out_byte_for_byte(alone: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = checksums(alone)
    written = [path for path in alone.glob("sub-01/sub-*") if "status" not in path.name]
    assert len(written) > 20
    for path in written:
        path.unlink()
    call = ["run", str(alone / "nowhere"), str(alone), "participant", "--reports-only", "--participant-label", "01"]
    assert main(call) == 0
    after = checksums(alone)
    changed = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    assert not {name for name in changed if "status" not in name}
    assert set(read_table(alone / "status.tsv")["state"]) == {"skipped", "done"}
    assert "sub-01_report.html" in capsys.readouterr().out


def test_a_page_is_made_from_what_the_two_verbs_return(alone: Path, tmp_path: Path) -> None:
    results, account = hlhneuro.load_subject(alone, "sub-02"), hlhneuro.load_findings(alone, "02")
    with empty_pictures():  # the test above compares them
        page = hlhneuro.write_report(results, account, tmp_path / "page.html")
    of_the_run = (alone / "sub-02" / "sub-02_report.html").read_text("utf-8")
    assert page.read_text("utf-8") == re.sub(r'"(data:image/[a-z+]+;base64,)[^"]*"', r'"\1"', of_the_run)
    assert results.settings.align.voxel_size_mm == 2.0  # of the run, not the default


@pytest.mark.usefixtures("no_pictures")
def test_new_settings_change_the_page_and_not_what_was_measured(second: Path) -> None:
    told_before = told(second).read_bytes()
    changed = load_settings(None, ["report.image_dpi=30", "report.panel_slices=1", "align.voxel_size_mm=9"])
    assert run("nowhere", second, reports_only=True, settings=changed).exit_status == 0
    shown = hlhneuro.load_findings(second, "02").settings
    assert shown["report"]["image_dpi"] == 30
    assert shown["align"]["voxel_size_mm"] == 2.0
    assert told(second).read_bytes() == told_before


@pytest.mark.usefixtures("no_pictures")
@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda out: told(out).unlink(), ["sub-02/stages/study.json", "no complete results"]),
        (lambda out: rewrite(told(out), store=99), ["study.json", "another version", "99"]),
        (lambda out: rewrite(told(out), told={"subject": {}}), ["study.json", "damaged"]),
        (lambda out: told(out).write_text("{"), ["study.json", "cannot be read"]),
        (lambda out: (out / "sub-02" / "stages" / "lesions.json").unlink(), ["lesions.json", "missing"]),
        (
            lambda out: next(out.rglob("*ses-03_space-subject_label-lesion_mask.nii.gz")).unlink(),
            ["label-lesion_mask.nii.gz", "missing"],
        ),
        (lambda out: rewrite(out / "sub-02" / "stages" / "volumes.json", payload={}), ["volumes.json", "KeyError"]),
    ],
)
def test_half_a_store_is_named_and_the_page_that_is_there_stays(
    second: Path, damage: Callable[[Path], object], words: list[str]
) -> None:
    before = (second / "sub-02" / "sub-02_report.html").read_bytes()
    damage(second)
    outcome = run("nowhere", second, reports_only=True)
    assert outcome.exit_status == 1
    (trouble,) = outcome.troubles
    for word in (*words, "Remedy: run it without --reports-only"):
        assert word in trouble.reason
    assert str(second) not in trouble.reason
    assert (second / "sub-02" / "sub-02_report.html").read_bytes() == before
    assert trouble.reason in (second / "status.tsv").read_text("utf-8")
    with pytest.raises(InputError, match="Remedy"):
        hlhneuro.load_subject(second, "02")


@pytest.mark.usefixtures("no_pictures")
def test_others_get_their_pages_and_an_account_says_what_is_wrong_with_it(second: Path) -> None:
    shutil.copytree(second / "sub-02", second / "sub-03")
    told(second).unlink()
    account = second / "sub-02" / "sub-02_findings.json"
    rewrite(account, schema_version="1")
    with pytest.raises(InputError, match=r"findings\.json: schema_version"):
        hlhneuro.load_findings(second, "02")
    account.write_text("[]", "utf-8")
    with pytest.raises(InputError, match=r"findings\.json: the account cannot be read"):
        hlhneuro.load_findings(second, "02")
    outcome = run("nowhere", second, reports_only=True)
    assert {(s.subject, s.stage) for s in outcome.troubles} == {("02", "report")}
    assert ("03", "report") not in {(s.subject, s.stage) for s in outcome.troubles}


def test_a_wrong_call_is_told_what_to_choose(alone: Path, tmp_path: Path) -> None:
    for call in (hlhneuro.load_subject, hlhneuro.load_findings):
        with pytest.raises(StudyError, match="choose from: 01, 02"):
            call(alone, "99")
    for arguments, says in (
        ({"participants": ["99"]}, "choose from: 01, 02"),
        ({"sessions": ["01"]}, "leave it out"),
    ):
        with pytest.raises(StudyError, match=says):
            run("nowhere", alone, reports_only=True, **arguments)  # type: ignore[arg-type]
    with pytest.raises(StudyError, match="no results here"):
        run("nowhere", tmp_path / "out", reports_only=True)
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("no_pictures")
def test_the_page_says_when_the_study_tells_otherwise_by_now(lean_study: Path, second: Path) -> None:
    study = second.parent / "study"
    shutil.copytree(lean_study, study, ignore=shutil.ignore_patterns("truth", "*.nii.gz", "sub-01"))
    people = study / "participants.tsv"
    for path in study.rglob("*.json"):
        if "ses-" in path.name:
            (path.parent / path.name.replace(".json", ".nii.gz")).write_bytes(b"")
    run_again = {"participants": ["02"], "reports_only": True}
    assert run(study, second, dry_run=True, **run_again).exit_status == 0  # type: ignore[arg-type]
    assert not [s for s in run(study, second, **run_again).statuses if s.stage == "study"]  # type: ignore[arg-type]
    people.write_text(people.read_text("utf-8").replace("\tF\t", "\tM\t").replace("\tF", "\tM"), "utf-8")
    visits = study / "sub-02" / "sub-02_sessions.tsv"
    first, *rows = visits.read_text("utf-8").splitlines()
    visits.write_text("\n".join([first, rows[0], rows[1].replace("ses-03\t20", "ses-03\t19")]) + "\n", "utf-8")
    (study / "phenotype").mkdir(exist_ok=True)
    (study / "phenotype" / "treatment.tsv").write_text("participant_id\tevent\tstart_date\nsub-02\tHSCT\t2020-01-01\n")
    outcome = run(study, second, **run_again)  # type: ignore[arg-type]
    (stale,) = (s.reason for s in outcome.troubles if s.stage == "study")
    for word in ("participants.tsv", "ses-03", "treatment and events", "without --reports-only"):
        assert word in stale
    account = hlhneuro.load_findings(second, "02")
    assert [f.code for f in account.findings if f.reason == stale] == ["stage_study"]


def test_a_run_that_is_stopped_leaves_nothing_to_report_from(
    lean_study: Path, second: Path, coarse: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("hlhneuro.pipeline.subject.run_volumes", stopped)
    page = (second / "sub-02" / "sub-02_report.html").read_bytes()
    with pytest.raises(KeyboardInterrupt):
        run(lean_study, second, participants=["02"], settings=replace(coarse))
    assert not told(second).exists()
    assert not list(second.rglob("*.part"))
    assert (second / "sub-02" / "sub-02_report.html").read_bytes() == page
    (trouble,) = run("nowhere", second, reports_only=True).troubles
    assert "no complete results" in trouble.reason
