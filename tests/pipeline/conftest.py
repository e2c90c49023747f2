"""A small phantom study and its results, made once for all test processes."""

from __future__ import annotations

import hashlib
import os
import pickle
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from filelock import FileLock

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
def lean(tmp_path_factory: pytest.TempPathFactory, coarse: Settings) -> tuple[Path, RunOutcome]:
    """Two invented patients with two sessions each, at 2 mm, and all that was made of them; no test may change either.

    The first has FLAIR, T1w and spectra, the second no T1w, to save time. The first test process that comes makes it,
    the others read it.
    """
    own = tmp_path_factory.getbasetemp()
    shared = own.parent if os.environ.get("PYTEST_XDIST_WORKER") else own
    kept = shared / "lean.pickle"
    with FileLock(str(kept) + ".lock"):
        if not kept.exists():
            study = write_study(shared / "lean" / "study", subjects=2, sessions=2, seed=3, fast=True)
            only_the_main_contrasts(study)
            for path in [*study.glob("sub-02/ses-*/anat/*_T?w.*"), *study.glob("sub-01/ses-*/anat/*_T2w.*")]:
                path.unlink()
            outcome = run(study, shared / "lean" / "results", settings=coarse, jobs=2)
            kept.write_bytes(pickle.dumps((study, outcome)))
    found: tuple[Path, RunOutcome] = pickle.loads(kept.read_bytes())
    return found


@pytest.fixture(scope="session")
def lean_study(lean: tuple[Path, RunOutcome]) -> Path:
    """The study alone."""
    return lean[0]


@pytest.fixture(scope="session")
def lean_outcome(lean: tuple[Path, RunOutcome], tmp_path_factory: pytest.TempPathFactory) -> RunOutcome:
    """All of the lean study, two subjects at a time; a copy that this test process may run again."""
    outcome = lean[1]
    out = tmp_path_factory.mktemp("out") / "results"
    shutil.copytree(outcome.out, out)
    return replace(outcome, out=out)


def only_the_main_contrasts(study: Path) -> None:
    """Leave out diffusion and the image after gadolinium, to save time."""
    for path in [*study.glob("sub-*/ses-*/dwi/*"), *study.glob("sub-*/ses-*/anat/*ce-gadolinium*")]:
        path.unlink()


def checksums(folder: Path) -> dict[str, str]:
    """Checksums of everything a run wrote, logs left out."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and "logs" not in path.parts)
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
