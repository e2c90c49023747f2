from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from hlhneuro.errors import InputError, NotAssessable
from hlhneuro.pipeline.ledger import Kept, Ledger
from hlhneuro.pipeline.places import hider


class Stage:
    """Counts how often it is computed; keeps one text file."""

    def __init__(self, folder: Path) -> None:
        self.file, self.computed = folder / "result.txt", 0

    def run(self, ledger: Ledger, fingerprint: str = "a", fault: BaseException | None = None) -> str | None:
        def compute() -> str:
            self.computed += 1
            if fault is not None:
                raise fault
            ledger.note("read", "failed", "one file was broken", "01")
            return "result"

        def keep(result: str) -> Kept:
            self.file.write_text(result)
            return Kept((self.file,), {"length": len(result)})

        return ledger.stage(
            "align", fingerprint, compute=compute, keep=keep, recall=lambda payload: self.file.read_text()
        )


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def states(ledger: Ledger) -> list[tuple[str, str]]:
    return [(status.stage, status.state) for status in ledger.statuses]


def test_a_valid_stage_is_skipped_and_its_failures_are_said_again(stage: Stage, tmp_path: Path) -> None:
    first, second = Ledger(tmp_path, "01"), Ledger(tmp_path, "01")
    assert stage.run(first) == stage.run(second) == "result"
    assert stage.computed == 1
    assert states(first) == [("read", "failed"), ("align", "done")]
    assert states(second) == [("read", "failed"), ("align", "skipped")]


def test_a_changed_fingerprint_or_file_is_computed_again(stage: Stage, tmp_path: Path) -> None:
    stage.run(Ledger(tmp_path, "01"))
    stage.run(Ledger(tmp_path, "01"), fingerprint="b")
    assert stage.computed == 2
    stage.file.write_text("somebody edited this")
    assert stage.run(Ledger(tmp_path, "01"), fingerprint="b") == "result"
    assert stage.computed == 3
    stage.file.unlink()
    stage.run(Ledger(tmp_path, "01"), fingerprint="b")
    assert stage.computed == 4


def test_a_result_that_cannot_be_read_back_is_computed_again(stage: Stage, tmp_path: Path) -> None:
    stage.run(Ledger(tmp_path, "01"))
    record = tmp_path / "stages" / "align.json"
    record.write_text(record.read_text().replace('"result.txt"', '"other.txt"'))
    stage.file.rename(tmp_path / "other.txt")
    again = Ledger(tmp_path, "01")
    assert stage.run(again) == "result"
    assert states(again) == [("read", "failed"), ("align", "done")]


@pytest.mark.parametrize("text", ['{"fingerprint": "a", "fil', "{}", "[]", "null", '{"fingerprint": "a", "files": 1}'])
def test_a_broken_record_is_computed_again(stage: Stage, tmp_path: Path, text: str) -> None:
    stage.run(Ledger(tmp_path, "01"))
    (tmp_path / "stages" / "align.json").write_text(text)
    assert stage.run(Ledger(tmp_path, "01")) == "result"
    assert stage.computed == 2


@pytest.mark.parametrize(
    ("fault", "state", "crashed"),
    [
        (InputError("cannot be read", remedy="copy it again"), "failed", False),
        (NotAssessable("no FLAIR", remedy="acquire one"), "not assessable", False),
        (ZeroDivisionError("bug"), "failed", True),
    ],
)
def test_a_fault_becomes_a_row_that_reports_alone_tell_again_and_a_run_tries_again(
    stage: Stage, tmp_path: Path, fault: Exception, state: str, crashed: bool
) -> None:
    ledger = Ledger(tmp_path, "01")
    assert stage.run(ledger, fault=fault) is None
    assert states(ledger) == [("align", state)]
    assert ledger.statuses[0].reason
    assert ledger.crashed is crashed
    again = Ledger(tmp_path, "01", reports_only=True)
    assert stage.run(again) is None
    assert again.statuses == ledger.statuses
    assert not again.stayed
    assert stage.run(Ledger(tmp_path, "01")) == "result"


def test_reports_only_takes_what_is_there_and_computes_nothing(stage: Stage, tmp_path: Path) -> None:
    stage.run(Ledger(tmp_path, "01"))
    ledger = Ledger(tmp_path, "01", reports_only=True)
    assert stage.run(ledger, fingerprint="other") == "result"
    assert stage.computed == 1
    assert states(ledger) == [("read", "failed"), ("align", "skipped")]


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda folder: (folder / "stages" / "align.json").unlink(), ["align.json", "missing"]),
        (lambda folder: (folder / "stages" / "align.json").write_text('{"finger'), ["align.json", "cannot be read"]),
        (lambda folder: (folder / "result.txt").unlink(), ["result.txt", "missing"]),
        (lambda folder: (folder / "result.txt").write_text("mine"), ["result.txt", "not what the run wrote"]),
    ],
)
def test_reports_only_names_what_is_missing_or_changed(
    stage: Stage, tmp_path: Path, damage: Callable[[Path], object], words: list[str]
) -> None:
    stage.run(Ledger(tmp_path, "01"))
    damage(tmp_path)
    with pytest.raises(InputError, match="without --reports-only") as caught:
        stage.run(Ledger(tmp_path, "01", reports_only=True))
    assert all(word in str(caught.value) for word in words)
    assert stage.computed == 1


@pytest.mark.parametrize("fault", [KeyboardInterrupt(), SystemExit()])
def test_a_stage_that_is_stopped_leaves_no_result(stage: Stage, tmp_path: Path, fault: BaseException) -> None:
    with pytest.raises(type(fault)):
        stage.run(Ledger(tmp_path, "01"), fault=fault)
    assert not (tmp_path / "stages").exists()
    assert stage.run(Ledger(tmp_path, "01")) == "result"


def test_what_is_said_does_not_tell_where_files_lie(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    ledger = Ledger(tmp_path, "01", hide=hider({tmp_path / "study": "bids:raw:", tmp_path: "bids::"}))
    with caplog.at_level("INFO", logger="hlhneuro"):
        ledger.attempt("read", lambda: (tmp_path / "study" / "sub-01" / "x.nii.gz").read_bytes())
        ledger.note("read", "failed", f"{tmp_path}/out/x and {tmp_path}x")
    assert "'bids:raw:sub-01/x.nii.gz'" in ledger.statuses[0].reason
    assert ledger.statuses[1].reason == f"bids::out/x and {tmp_path}x"
    assert str(tmp_path / "study") not in "".join(record.getMessage() for record in caplog.records)
