"""A small phantom study and its results, made once per test process."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from hlhneuro.phantom import write_study
from hlhneuro.pipeline import RunOutcome, run
from hlhneuro.settings import Settings, load_settings

COARSE = (
    "align.voxel_size_mm=2.0",
    "align.working_voxel_mm=2.5",
    "prepare.working_voxel_mm=2.5",
    "prepare.n4_iterations=[5, 5]",
)


@pytest.fixture(scope="session")
def coarse() -> Settings:
    """Settings for images of 2 mm, quick rather than exact."""
    return load_settings(None, COARSE)


@pytest.fixture(scope="session")
def lean_study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two invented patients with two sessions each, at 2 mm."""
    study = write_study(tmp_path_factory.mktemp("lean") / "study", subjects=2, sessions=2, seed=3, fast=True)
    only_the_main_contrasts(study)
    return study


@pytest.fixture(scope="session")
def lean_outcome(lean_study: Path, tmp_path_factory: pytest.TempPathFactory, coarse: Settings) -> RunOutcome:
    """All of the lean study, two subjects at a time."""
    return run(lean_study, tmp_path_factory.mktemp("out") / "results", settings=coarse, jobs=2)


def only_the_main_contrasts(study: Path) -> None:
    """Leave out diffusion and the image after gadolinium, to save time."""
    for path in [*study.glob("sub-*/ses-*/dwi/*"), *study.glob("sub-*/ses-*/anat/*ce-gadolinium*")]:
        path.unlink()


def checksums(folder: Path) -> dict[str, str]:
    """Checksums of everything a run wrote, logs left out."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and "logs" not in path.parts)
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
