"""The command line, as a user types it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import hlhneuro
from hlhneuro.cli import main


def spectrum(study: Path, name: str = "acq-short_svs") -> str:
    return str(study / f"sub-01/ses-01/mrs/sub-01_ses-01_{name}.nii.gz")


def test_the_installed_command_says_its_version() -> None:
    said = subprocess.run(
        [sys.executable, "-m", "hlhneuro.cli", "--version"], capture_output=True, text=True, check=True
    )
    assert said.stdout.strip() == f"hlhneuro {hlhneuro.__version__}"


def test_every_public_verb_can_be_imported() -> None:
    for name in hlhneuro.__all__:
        assert getattr(hlhneuro, name) is not None
    with pytest.raises(AttributeError, match="diagnose"):
        _ = hlhneuro.diagnose  # type: ignore[attr-defined]


def test_check_says_what_is_missing_and_what_follows(sample_data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(sample_data)]) == 0
    said = " ".join(capsys.readouterr().out.split())
    for word in ("FLAIR", "present", "missing"):
        assert word in said


def test_fit_writes_what_it_promises(sample_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "fit"
    arguments = ["fit", spectrum(sample_data), "--water", spectrum(sample_data, "acq-short_mrsref"), "--out", str(out)]
    assert main([*arguments, "--tissue", "0.5,0.4,0.1"]) == 0
    table = pd.read_csv(out / "concentrations.tsv", sep="\t")
    assert list(table.columns) == [
        "metabolite", "concentration", "unit", "sd", "crlb_percent", "ratio_to_tcr", "ratio_sd", "detected", "scale_sd",
    ]  # fmt: skip
    assert {"NAA", "tNAA", "tCr", "tCho", "Glx", "Lac"} <= set(table["metabolite"])
    quality = pd.read_csv(out / "qc.tsv", sep="\t")
    assert len(quality) == 1
    assert {"snr", "linewidth_hz", "fit_seconds", "verdict", "reasons"} <= set(quality.columns)
    assert json.loads((out / "fit.json").read_text("utf-8"))["ppm"]
    assert (out / "fit.svg").read_text("utf-8").lstrip().startswith("<?xml")
    assert str(out) in capsys.readouterr().out


def test_a_quiet_command_says_errors_only(
    sample_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fit", spectrum(sample_data), "--out", str(tmp_path), "-q"]) == 0
    assert capsys.readouterr() == ("", "")
    assert main(["fit", spectrum(sample_data), "--out", str(tmp_path)]) == 0
    assert "results in" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["fit", "nowhere.nii.gz", "--out", "x"], 1, ["nowhere.nii.gz", "Remedy"]),
        (["check", "nowhere"], 2, ["nowhere", "Remedy"]),
        (["run", "nowhere", "out", "participant", "--set", "align=1"], 2, ["stage.name=value"]),
        (["run", "nowhere", "out", "participant", "--settings", "no.toml"], 2, ["no.toml"]),
    ],
)
def test_a_mistake_gets_a_sentence_and_no_traceback(
    arguments: list[str], status: int, words: list[str], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == status
    said = capsys.readouterr().err
    assert "Traceback" not in said
    for word in words:
        assert word in said
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("text", ["0.5,0.5", "0.5,0.6,0.3", "a,b,c", "-0.5,1.0,0.5"])
def test_tissue_fractions_are_checked(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["fit", "svs.nii.gz", "--out", "x", f"--tissue={text}"])
    assert caught.value.code == 2
    assert "fractions must" in (said := capsys.readouterr().err) or "three numbers" in said


def test_phantom_does_not_write_into_a_folder_that_holds_something(tmp_path: Path) -> None:
    (tmp_path / "kept.txt").write_text("mine")
    assert main(["phantom", str(tmp_path)]) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["kept.txt"]
