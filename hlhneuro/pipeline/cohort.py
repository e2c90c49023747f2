"""The group step and the way back from files to tables."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

import hlhneuro
from hlhneuro.errors import InputError, StudyError
from hlhneuro.report import COLUMNS, Findings, StageStatus, columns_of, findings_table, write_group_report
from hlhneuro.settings import ReportSettings
from hlhneuro.study import Provenance, file_sha256, is_sealed, read_table, write_table

__all__ = ["load_results", "run_group"]

AGAIN = "make it again: `hlhneuro run STUDY OUT participant --reports-only`"


@dataclass(frozen=True)
class Gathered:
    """Tables of all subjects by name, the files they come from, and the statuses of what could not be read."""

    tables: dict[str, pd.DataFrame]
    files: dict[str, tuple[Path, ...]]
    unreadable: tuple[StageStatus, ...]


def load_results(out: str | Path) -> dict[str, pd.DataFrame]:
    """Return the tables of all subjects, tidy, by name: all of `hlhneuro.report.COLUMNS`.

    ``visits`` holds dates, ages, scanners and the covariates of the study: the others join it by subject and session.
    A file that cannot be read is left out, with a warning that names it.

    Parameters
    ----------
    out : path
        Output folder of a run.

    Returns
    -------
    dict of str to DataFrame
        The columns and their units are in `hlhneuro.report.columns_of` and ``docs/outputs.md``.

    Raises
    ------
    StudyError
        If the folder holds no results.
    """
    gathered = gather(Path(out))
    for status in gathered.unreadable:
        warnings.warn(f"sub-{status.subject} is left out in part: {status.reason}", stacklevel=2)
    return gathered.tables


def gather(out: Path) -> Gathered:
    """Read what the subjects' folders hold; what cannot be read becomes a status, and the rest goes on.

    Raises
    ------
    StudyError
        If the folder holds no results.
    """
    if not files_of(out, "findings"):
        raise StudyError("no results here", path=out, remedy="run `hlhneuro run STUDY OUT participant` first")
    tables, files, unreadable = {}, {}, list(_missing(out))
    for name, columns in COLUMNS.items():
        frames, read = [], []
        for path in files_of(out, name):
            try:
                frames.append(read_result(path, name))
                read.append(path)
            except InputError as error:
                unreadable.append(_failed(path.parent, str(error.in_file(path.relative_to(out)))))
        frames = [frame for frame in frames if not frame.empty]
        tables[name] = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=list(columns))
        files[name] = tuple(read)
    return Gathered(tables, files, tuple(unreadable))


def _missing(out: Path) -> Iterator[StageStatus]:
    """Tell of subjects of whom some tables are there and others are not."""
    there = {name: {path.parent for path in files_of(out, name)} for name in COLUMNS}
    for folder in sorted(set.union(*there.values())):
        if names := [name for name in COLUMNS if folder not in there[name]]:
            yield _failed(folder, f"not there: {', '.join(names)}. Remedy: {AGAIN}")


def _failed(folder: Path, reason: str) -> StageStatus:
    return StageStatus(folder.name.removeprefix("sub-"), "", "group", "failed", reason)


def files_of(out: Path, table: str) -> list[Path]:
    """Return the files of all subjects that hold one table."""
    extension = "json" if table == "findings" else "tsv"
    return sorted(out.glob(f"sub-*/sub-*_{table}.{extension}"))


def read_result(path: Path, name: str) -> pd.DataFrame:
    """Return one table of one subject.

    Raises
    ------
    InputError
        If the file is damaged, or does not hold what this version writes.
    """
    if name == "findings":
        try:
            table = findings_table(Findings.from_json(json.loads(path.read_text("utf-8"))))
        except (OSError, ValueError, AttributeError) as error:
            raise InputError("the findings cannot be read", path=path, found=error, remedy=AGAIN) from error
    else:
        table = read_table(path)
    if not is_sealed(path):
        raise InputError("the file is not as it was written: cut or edited", path=path, remedy=AGAIN)
    if missing := [column for column in COLUMNS[name] if column not in table]:
        raise InputError("columns are missing", path=path, field=", ".join(missing), remedy=AGAIN)
    return table


def run_group(out: Path, settings: ReportSettings | None = None) -> Iterator[StageStatus]:
    """Write the tables of all subjects and the cohort page."""
    gathered = gather(out)
    yield from gathered.unreadable
    for name, table in gathered.tables.items():
        sources = {f"bids::{path.relative_to(out).as_posix()}": file_sha256(path) for path in gathered.files[name]}
        provenance = Provenance("group", sources, {}, hlhneuro.__version__)
        write_table(out / "group" / f"{name}.tsv", table, columns_of(name, table), provenance)
    status = read_table(out / "status.tsv") if (out / "status.tsv").is_file() else pd.DataFrame()
    failed = pd.DataFrame([vars(one) for one in gathered.unreadable])
    shown = pd.concat([frame for frame in (status, failed) if not frame.empty] or [status], ignore_index=True)
    write_group_report(gathered.tables | {"status": shown}, out / "group" / "report.html", settings)
    yield StageStatus("", "", "group", "done")
