from __future__ import annotations

from pathlib import Path

import pytest

from hlhneuro.phantom import Head, make_head, write_study


@pytest.fixture(scope="session")
def head() -> Head:
    """A coarse head, made once."""
    return make_head(7, brain_scale=0.92, voxel_mm=2.0)


@pytest.fixture(scope="session")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A coarse random study of one patient, written once."""
    return write_study(tmp_path_factory.mktemp("phantom") / "study", subjects=1, sessions=2, seed=3, fast=True)
