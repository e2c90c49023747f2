"""The group step and the way back from files to tables."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

import hlhneuro
from hlhneuro.errors import StudyError
from hlhneuro.report import COLUMNS, Findings, StageStatus, findings_table, write_group_report
from hlhneuro.study import Provenance, file_sha256, read_table, write_table

__all__ = ["load_results", "run_group"]


def load_results(out: str | Path) -> dict[str, pd.DataFrame]:
    """Return the tables of all subjects, tidy, by name: all of `hlhneuro.report.COLUMNS`.

    Parameters
    ----------
    out : path
        Output folder of a run.

    Returns
    -------
    dict of str to DataFrame
        The columns and their units are in `hlhneuro.report.COLUMNS` and ``docs/outputs.md``.

    Raises
    ------
    StudyError
        If the folder holds no results.
    """
    out = Path(out)
    if not files_of(out, "findings"):
        raise StudyError("no results here", path=out, remedy="run `hlhneuro run STUDY OUT participant` first")
    tables = {}
    for name, columns in COLUMNS.items():
        frames = [frame for path in files_of(out, name) if not (frame := _read(path)).empty]
        tables[name] = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=list(columns))
    return tables


def files_of(out: Path, table: str) -> list[Path]:
    """Return the files of all subjects that hold one table."""
    extension = "json" if table == "findings" else "tsv"
    return sorted(out.glob(f"sub-*/sub-*_{table}.{extension}"))


def _read(path: Path) -> pd.DataFrame:
    if path.suffix == ".tsv":
        return read_table(path)
    return findings_table(Findings.from_json(json.loads(path.read_text("utf-8"))))


def run_group(out: Path) -> Iterator[StageStatus]:
    """Write the tables of all subjects and the cohort page."""
    tables = load_results(out)
    status = read_table(out / "status.tsv") if (out / "status.tsv").is_file() else pd.DataFrame()
    for name, table in tables.items():
        sources = {f"bids::{path.relative_to(out).as_posix()}": file_sha256(path) for path in files_of(out, name)}
        provenance = Provenance("group", sources, {}, hlhneuro.__version__)
        write_table(out / "group" / f"{name}.tsv", table, COLUMNS[name], provenance)
    write_group_report(tables | {"status": status}, out / "group" / "report.html")
    yield StageStatus("", "", "group", "done")
