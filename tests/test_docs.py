"""The documents say what the code does."""

from __future__ import annotations

from pathlib import Path

import pytest

import hlhneuro
from hlhneuro.pipeline.runs import STATUS_COLUMNS
from hlhneuro.report import COLUMNS, FIT_COLUMNS, MRSINMRS_COLUMNS, QC_COLUMNS

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("columns", [STATUS_COLUMNS, FIT_COLUMNS, QC_COLUMNS, MRSINMRS_COLUMNS, *COLUMNS.values()])
def test_every_column_is_explained_in_the_outputs_document(columns: dict[str, tuple[str, str]]) -> None:
    text = (ROOT / "docs" / "outputs.md").read_text("utf-8")
    for name, (unit, meaning) in columns.items():
        assert f"| `{name}` | {unit} | {meaning} |" in text


def test_the_readme_starts_with_the_two_commands_and_shows_a_picture_that_is_there() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    assert text.index("make demo") < text.index("make test") < text.index("## What comes out")
    assert (ROOT / "docs" / "images" / "report.png").stat().st_size < 1_000_000


def test_the_version_is_the_same_everywhere() -> None:
    for name in ("pyproject.toml", "CITATION.cff", "CHANGELOG.md"):
        assert hlhneuro.__version__ in (ROOT / name).read_text("utf-8"), name


def test_every_module_is_in_the_architecture_document() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    rooms = [path for path in (ROOT / "hlhneuro").iterdir() if path.is_dir() and (path / "__init__.py").is_file()]
    for room in rooms:
        for module in room.glob("[a-z]*.py"):
            assert f"`{module.stem}`" in text, f"{room.name}/{module.name}"
