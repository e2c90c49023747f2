"""The group step and the way back from files to tables."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

import hlhneuro
from hlhneuro.errors import StudyError
from hlhneuro.report import COLUMNS, StageStatus, write_group_report
from hlhneuro.study import Provenance, file_sha256, read_table, write_table

__all__ = ["load_results", "run_group"]


def load_results(out: str | Path) -> dict[str, pd.DataFrame]:
    """Return the tables of all subjects, tidy: ``lesions, intervals, territories, volumes, spectra, findings``.

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
    found = {name: sorted(out.glob(f"sub-*/sub-*_{name}.tsv")) for name in COLUMNS}
    if not any(found.values()):
        raise StudyError("no results here", path=out, remedy="run `hlhneuro run STUDY OUT participant` first")
    tables = {}
    for name, paths in found.items():
        frames = [frame for path in paths if not (frame := read_table(path)).empty]
        tables[name] = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=list(COLUMNS[name]))
    return tables


def run_group(out: Path) -> Iterator[StageStatus]:
    """Write the tables of all subjects and the cohort page."""
    tables = load_results(out)
    status = read_table(out / "status.tsv") if (out / "status.tsv").is_file() else pd.DataFrame()
    for name, table in tables.items():
        paths = sorted(out.glob(f"sub-*/sub-*_{name}.tsv"))
        sources = {f"bids::{path.relative_to(out).as_posix()}": file_sha256(path) for path in paths}
        provenance = Provenance("group", sources, {}, hlhneuro.__version__)
        write_table(out / "group" / f"{name}.tsv", table, COLUMNS[name], provenance)
    write_group_report(tables | {"status": status}, out / "group" / "report.html")
    yield StageStatus("", "", "group", "done")
