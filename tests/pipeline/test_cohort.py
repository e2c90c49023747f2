"""The group step: all patients' tables under each other, and a damaged file costs nobody else anything."""

from __future__ import annotations

import shutil
import warnings
from pathlib import Path

import pandas as pd
import pytest

from hlhneuro.pipeline import load_results
from hlhneuro.pipeline.cohort import run_group
from hlhneuro.report import COLUMNS, Findings, columns_of
from hlhneuro.study import Provenance, read_table, write_json, write_table

MADE = Provenance("findings", {}, {}, "0")


def write_patient(out: Path, label: str) -> Path:
    """Write the tables of one patient with one session, of which only date and load are known."""
    folder = out / f"sub-{label}"
    rows = {
        "visits": {"session": "01", "date": "2020-01-01", "age_years": 3.5, "patient_diagnosis": f"<b>{label}</b>"},
        "volumes": {"session": "01", "structure": "lesion_load", "volume_ml": 4.0, "volume_sd_ml": 0.2},
    }
    for name, columns in COLUMNS.items():
        if name == "findings":
            account = Findings(label, None, (), (), (), (), (), (), {}, "0").to_json()
            write_json(folder / f"sub-{label}_findings.json", account, MADE)
            continue
        known = [{"subject": label, **rows[name]}] if name in rows else []
        extra = [column for row in known for column in row if column not in columns]
        table = pd.DataFrame(known, columns=[*columns, *extra])
        write_table(folder / f"sub-{label}_{name}.tsv", table, columns_of(name, table), MADE)
    return folder


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("results")
    for label in ("01", "02", "03"):
        write_patient(folder, label)
    return folder


@pytest.fixture
def out(written: Path, tmp_path: Path) -> Path:
    return shutil.copytree(written, tmp_path / "out")


def test_visits_of_all_patients_lie_in_one_table(out: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        visits = load_results(out)["visits"]
    assert list(visits["subject"]) == ["01", "02", "03"]
    assert list(visits["patient_diagnosis"]) == ["<b>01</b>", "<b>02</b>", "<b>03</b>"]
    assert [status.state for status in run_group(out)] == ["done"]
    assert list(read_table(out / "group" / "visits.tsv")["age_years"]) == [3.5] * 3
    assert "<b>" not in (out / "group" / "report.html").read_text("utf-8")


def damage(out: Path, how: str) -> str:
    """Damage a file of sub-02 and return what the message has to name."""
    folder = out / "sub-02"
    volumes, findings = folder / "sub-02_volumes.tsv", folder / "sub-02_findings.json"
    if how == "empty":
        volumes.write_text("")
    elif how == "binary":
        volumes.write_bytes(b"\xff\xfe\x00\x01")
    elif how == "column":
        table = read_table(volumes).drop(columns=["volume_ml"])
        write_table(volumes, table, COLUMNS["volumes"], MADE)
    elif how == "number":
        volumes.write_text(volumes.read_text("utf-8").replace("4.0", "5.0"))
    elif how == "half":
        volumes.write_text(volumes.read_text("utf-8")[:-30])
    elif how == "missing":
        volumes.unlink()
    elif how == "cut":
        findings.write_text(findings.read_text("utf-8")[:100])
    elif how == "list":
        findings.write_text("[]")
    else:
        findings.write_text(findings.read_text("utf-8").replace('"schema_version": "', '"schema_version": "9'))
    return findings.name if how in ("cut", "list", "version") else "volumes"


@pytest.mark.parametrize("how", ["empty", "binary", "half", "column", "number", "missing", "cut", "list", "version"])
def test_a_damaged_file_of_one_patient_is_told_and_the_others_are_shown(out: Path, how: str) -> None:
    named = damage(out, how)
    with pytest.warns(UserWarning, match="sub-02 is left out in part") as told:
        tables = load_results(out)
    assert named in str(told[0].message)
    assert set(tables["visits"]["subject"]) == {"01", "02", "03"}


def test_the_page_tells_of_a_damaged_file_and_shows_the_others(out: Path) -> None:
    damage(out, "half")
    statuses = list(run_group(out))
    assert [(status.subject, status.state) for status in statuses] == [("02", "failed"), ("", "done")]
    assert "Remedy: " in statuses[0].reason
    page = (out / "group" / "report.html").read_text("utf-8")
    assert "Not all results of sub-02 could be read" in page
    assert "sub-02/sub-02_volumes.tsv" in page
    assert str(out) not in page  # no path of this machine
    for label in ("sub-01", "sub-02", "sub-03"):
        assert label in page
