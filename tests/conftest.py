"""Fixtures that several rooms use."""

from __future__ import annotations

import os
import pickle
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import pytest
from filelock import FileLock

# Before numpy is loaded: processes side by side whose libraries use all cores wait for each other most of the time.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

from hlhneuro.settings import Settings, load_settings

if TYPE_CHECKING:  # most tests need none of it, and it takes a second to load
    from hlhneuro.pipeline import RunOutcome

ROOT = Path(__file__).parents[1]
T = TypeVar("T")
# The first makes the lean study; what waits for it comes later.
LONGEST = (
    *("test_run", "test_faults", "test_change", "test_alignment", "test_notebooks", "test_saved", "test_lesion_masks"),
    *("test_preparation", "test_findings", "test_bad_input", "test_html", "test_segmentation", "test_registration"),
)


@pytest.fixture(scope="session")
def sample_data() -> Path:
    """The committed sample study."""
    return ROOT / "sample_data"


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Scans of real people that lie beside the project; they are not part of it."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the folder with real scans (../shared/data) is not here")
    return folder


@pytest.fixture(scope="session")
def coarse() -> Settings:
    """Settings for images of 2 mm, quick rather than exact: those of the notebooks."""
    return load_settings(ROOT / "notebooks" / "coarse.toml")


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Callable[[Path], T]], T]:
    """Return a function that makes something in a folder of that name; the other test processes read what it gave."""
    own = tmp_path_factory.getbasetemp()
    shared = own.parent if os.environ.get("PYTEST_XDIST_WORKER") else own

    def get(name: str, make: Callable[[Path], T]) -> T:
        kept = shared / f"{name}.pickle"
        with FileLock(f"{kept}.lock"):
            if not kept.exists():
                kept.write_bytes(pickle.dumps(make(shared / name)))
        found: T = pickle.loads(kept.read_bytes())
        return found

    return get


@pytest.fixture(scope="session")
def lean(
    made_once: Callable[[str, Callable[[Path], tuple[Path, RunOutcome]]], tuple[Path, RunOutcome]],
    sample_data: Path,
    coarse: Settings,
) -> tuple[Path, RunOutcome]:
    """The sample study without some of its images, to save time, and all that came of it; no test may change either.

    The first patient has FLAIR and T1w at two visits, ADC and T1w after gadolinium at the second; the other one has
    FLAIR and T2w at the first and the last. Spectra are all there.
    """

    def make(folder: Path) -> tuple[Path, RunOutcome]:
        from hlhneuro.pipeline import run

        study = lean_copy(sample_data, folder / "study")
        return study, run(study, folder / "results", settings=coarse)

    return made_once("lean", make)


@pytest.fixture(scope="session")
def recovered(
    made_once: Callable[[str, Callable[[Path], Path]], Path], lean: tuple[Path, RunOutcome], coarse: Settings
) -> Path:
    """Known lesions in the images of the second patient of the lean study, and what came back; not to be changed."""

    def make(folder: Path) -> Path:
        from hlhneuro.pipeline import recover

        shutil.copytree(lean[1].out, folder / "as_it_is")
        with pages_without_pictures():
            recover(lean[0], folder, participants=["02"], settings=coarse)
        return folder

    return made_once("lean/recovery", make)


@contextmanager
def pages_without_pictures() -> Iterator[None]:
    """Within this process pages hold all their words and no picture: drawing takes most of a page's time."""
    from hlhneuro.report.gallery import Gallery, Shown

    def left_out(gallery: Gallery, draw: object, caption: str, alt: str) -> Shown:
        return Shown(caption, alt, reason="pictures are not asked for here")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Gallery, "image", left_out)
        patch.setattr(Gallery, "vector", left_out)
        yield


@contextmanager
def empty_pictures() -> Iterator[None]:
    """Within this process figures are made, so that none fails unseen, and their files are empty: half of the time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hlhneuro.report.gallery.png_bytes", lambda *_: b"")
        patch.setattr("hlhneuro.report.gallery.save_svg", lambda *_: "")
        yield


def lean_copy(sample: Path, study: Path) -> Path:
    """Copy the sample study without one visit and without images that take long and that no test looks at."""
    shutil.copytree(sample, study)
    shutil.rmtree(study / "sub-02" / "ses-02")
    for table, gone in (("sub-02/sub-02_sessions.tsv", "ses-02\t"), ("truth/lesions.tsv", "sub-02\tses-02\t")):
        rows = (study / table).read_text("utf-8").splitlines(keepends=True)
        (study / table).write_text("".join(row for row in rows if not row.startswith(gone)), "utf-8")
    left_out = ("sub-01/*/anat/*_T2w.*", "sub-01/ses-01/anat/*ce-gad*", "sub-01/ses-01/dwi/*", "sub-02/*/anat/*_T1w.*")
    for path in (path for pattern in (*left_out, "sub-02/*/dwi/*") for path in study.glob(pattern)):
        path.unlink()
    return study


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Do not load the benchmarks where none of them is asked for."""
    return True if collection_path.name == "benchmarks" and config.option.markexpr == "not benchmark" else None


def pytest_configure(config: pytest.Config) -> None:
    """Let pytest-xdist keep the order below; by itself it begins with the files that hold most tests."""
    if hasattr(config.option, "loadscopereorder"):
        config.option.loadscopereorder = False


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest, so that no test process idles at the end."""
    places = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path.stem, len(places)))
