"""The notebooks run from top to bottom, show small pictures and use what the package offers."""

from __future__ import annotations

import ast
import base64
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest

import hlhneuro
from hlhneuro.pipeline import RunOutcome

if TYPE_CHECKING:  # only the process that runs the notebooks has to load it
    from jupyter_client import KernelManager

FOLDER = Path(__file__).parents[1] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
OURS = {"hlhneuro", "hlhneuro.phantom", "hlhneuro.report", "hlhneuro.spectroscopy"}
LARGEST_PICTURE = 150_000  # bytes


@pytest.fixture(scope="module")
def kernel(lean: tuple[Path, RunOutcome], recovered: Path) -> Iterator[KernelManager]:
    """One kernel for all, emptied between them: loading the libraries takes longer than most notebooks."""
    from jupyter_client import KernelManager

    study, outcome = lean
    assert recovered == outcome.out.parent / "recovery"  # beside the results, where the notebook looks for it
    manager = KernelManager(kernel_name="python3")
    given = {"HLHNEURO_NOTEBOOK_STUDY": str(study), "HLHNEURO_NOTEBOOK_RESULTS": str(outcome.out)}
    with mock.patch.dict(os.environ, given):
        manager.start_kernel(cwd=str(FOLDER))
    yield manager
    manager.shutdown_kernel(now=True)


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_notebook_runs_and_its_pictures_are_small(path: Path, kernel: KernelManager) -> None:
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(path, as_version=4)
    notebook.cells.insert(0, nbformat.v4.new_code_cell("%reset -f"))
    NotebookClient(notebook, km=kernel, timeout=300).execute()
    pictures = []
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            assert output["output_type"] != "error"
            pictures += [data for kind, data in output.get("data", {}).items() if kind.startswith("image/")]
    assert pictures
    assert max(len(base64.b64decode(data)) for data in pictures) <= LARGEST_PICTURE


def cells_of(path: Path) -> list[dict[str, Any]]:
    cells: list[dict[str, Any]] = json.loads(path.read_text("utf-8"))["cells"]
    return cells


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_notebook_is_kept_without_outputs(path: Path) -> None:
    cells = cells_of(path)
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in cells)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_notebook_uses_only_what_is_public(path: Path) -> None:
    cells = ["".join(cell["source"]) for cell in cells_of(path) if cell["cell_type"] == "code"]
    for node in ast.walk(ast.parse("\n".join(cells))):
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("hlhneuro"):
            assert node.module in OURS
        if isinstance(node, ast.Attribute):
            assert not node.attr.startswith("_")
            if isinstance(node.value, ast.Name) and node.value.id == "hlhneuro":
                assert node.attr in hlhneuro.__all__
