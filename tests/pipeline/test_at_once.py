"""Several runs write into one output folder at the same time, each a subject of its own."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from hlhneuro.pipeline import runs
from hlhneuro.report import StageStatus
from hlhneuro.study import read_table, write_table


def ends(out: Path, subject: str) -> None:
    """What a run does when its subject is through."""
    runs._check_writable(out)
    runs._write_statuses(out, subject, [StageStatus(subject, "", stage, "done") for stage in ("align", "report")])
    runs.write_status(out)


def test_who_writes_last_has_seen_the_rows_of_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other run ends, and writes the common table, after this one has read and before it writes."""
    others = ["02"]

    def late(path: Path, *rest: Any) -> Path:
        if path.name == "status.tsv" and others:
            ends(tmp_path, others.pop())
        return write_table(path, *rest)

    monkeypatch.setattr(runs, "write_table", late)
    ends(tmp_path, "01")
    assert list(read_table(tmp_path / "status.tsv")["subject"]) == ["01", "01", "02", "02"]


def test_many_at_once_leave_one_whole_table(tmp_path: Path) -> None:
    subjects = [f"{n:02}" for n in range(8)]
    with ThreadPoolExecutor(len(subjects)) as pool:
        list(pool.map(lambda subject: ends(tmp_path, subject), subjects))
    table = read_table(tmp_path / "status.tsv")
    assert list(table["subject"]) == [subject for subject in subjects for _ in range(2)]
    assert not list(tmp_path.rglob(".*"))
