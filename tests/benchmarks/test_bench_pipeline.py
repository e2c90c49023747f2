"""Seconds and memory of whole commands: ``make bench`` runs it."""

from __future__ import annotations

import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

pytestmark = pytest.mark.benchmark


def timed(*arguments: str) -> tuple[float, float, subprocess.CompletedProcess[str]]:
    """Run the command; return its seconds and the largest memory of any child so far in GB."""
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "hlhneuro.cli", *arguments], capture_output=True, text=True, check=False
    )
    seconds = time.perf_counter() - start
    return seconds, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e6, done


def test_demo(sample_data: Path, tmp_path: Path) -> None:
    seconds, gb, done = timed("demo", str(tmp_path / "demo"), "--study", str(sample_data), "--jobs", "2")
    print(f"\ndemo: {seconds:.0f} s, {gb:.1f} GB, exit {done.returncode}")
    assert done.returncode == 0, done.stderr


def test_patient01(real_data: Path, tmp_path: Path) -> None:
    raw, study = real_data / "ms_longitudinal" / "patient01" / "raw", tmp_path / "study"
    for visit in ("1", "2"):
        folder = study / "sub-01" / f"ses-0{visit}" / "anat"
        folder.mkdir(parents=True)
        for source, suffix in (("T1W", "T1w"), ("T2W", "T2w"), ("FLAIR", "FLAIR")):
            shutil.copy(raw / f"study{visit}_{source}.nii.gz", folder / f"sub-01_ses-0{visit}_{suffix}.nii.gz")
    (study / "dataset_description.json").write_text('{"Name": "bench", "BIDSVersion": "1.10.0"}')
    (study / "participants.tsv").write_text("participant_id\tage\nsub-01\t35\n")
    (study / "sub-01" / "sub-01_sessions.tsv").write_text(
        "session_id\tacq_time\nses-01\t2010-01-01T00:00:00\nses-02\t2011-01-01T00:00:00\n"
    )
    seconds, gb, done = timed("run", str(study), str(tmp_path / "out"), "participant", "--jobs", "2")
    print(f"\npatient01, raw files to report: {seconds:.0f} s, {gb:.1f} GB, exit {done.returncode}")
    assert (tmp_path / "out" / "sub-01" / "sub-01_report.html").is_file(), done.stderr


def test_fit(sample_data: Path, tmp_path: Path) -> None:
    lines = []
    for path in sorted(sample_data.glob("sub-*/ses-*/mrs/*_svs.nii.gz")):
        out = tmp_path / path.name.removesuffix(".nii.gz")
        seconds, _, done = timed("fit", str(path), "--out", str(out))
        assert done.returncode == 0, done.stderr
        lines.append((seconds, float(pd.read_csv(out / "qc.tsv", sep="\t")["fit_seconds"].iloc[0])))
    frame = pd.DataFrame(lines, columns=["process", "fit"])
    print(f"\nfit of {len(frame)}: median {frame.fit.median() * 1e3:.0f} ms, worst {frame.fit.max() * 1e3:.0f} ms; "
          f"whole process, basis simulated: median {frame.process.median():.1f} s")  # fmt: skip
