from __future__ import annotations

from pathlib import Path

import pytest

from tests.study.builders import StudyBuilder


@pytest.fixture
def build(tmp_path: Path) -> StudyBuilder:
    return StudyBuilder(tmp_path / "study")
