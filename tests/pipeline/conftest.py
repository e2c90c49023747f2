"""Results of the lean study (see `tests/conftest.py`) that a test may change."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from hlhneuro.pipeline import RunOutcome


@pytest.fixture(scope="session")
def lean_study(lean: tuple[Path, RunOutcome]) -> Path:
    """The study alone."""
    return lean[0]


@pytest.fixture(scope="session")
def lean_outcome(lean: tuple[Path, RunOutcome], tmp_path_factory: pytest.TempPathFactory) -> RunOutcome:
    """All of the lean study; a copy that this test process may run again."""
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
