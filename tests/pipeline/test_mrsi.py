"""A spectroscopic grid in a study: from the file to maps, tables and the page."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from pandas.testing import assert_frame_equal

from hlhneuro.errors import NotAssessable
from hlhneuro.phantom.mrsi import GridPlan, make_grid, save_grid
from hlhneuro.pipeline import RunOutcome, load_results, run
from hlhneuro.pipeline.ledger import Ledger
from hlhneuro.pipeline.mrsi import run_mrsi
from hlhneuro.pipeline.saved import load_subject
from hlhneuro.pipeline.task import SubjectRun
from hlhneuro.report import SubjectResults, figures
from hlhneuro.report.tables.grid_rows import grid_rows
from hlhneuro.settings import Settings
from hlhneuro.spectroscopy import GridResult, VoxelState, content_of_grid
from hlhneuro.study import open_study, read_table
from tests.conftest import empty_pictures

SHAPE, VOXEL_MM = (7, 7, 1), np.array([12.0, 12.0, 14.0])
STEM = "sub-01_ses-02_acq-slab"


@pytest.fixture(scope="module")
def with_grid(
    lean: tuple[Path, RunOutcome], coarse: Settings, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Path, np.ndarray]:
    """One patient of the small study with a grid through the largest lesion, and all that was made of it."""
    root = tmp_path_factory.mktemp("mrsi")
    study, out = root / "study", root / "results"
    shutil.copytree(lean[0], study)
    shutil.copytree(lean[1].out, out)
    shutil.rmtree(study / "sub-02")
    affine, volumes = _slab(out)
    made = make_grid(
        GridPlan(SHAPE, affine, 0.03, 1.7, water_reference=True, lesion_profile="necrotic"), volumes, seed=5
    )
    made.fids[0] = 0.0
    folder = study / "sub-01" / "ses-02" / "mrs"
    save_grid(folder / f"{STEM}_mrsi.nii.gz", made)
    save_grid(folder / f"{STEM}_mrsref.nii.gz", made, water=True)
    with empty_pictures():
        outcome = run(study, out, settings=coarse)
    assert not [status for status in outcome.statuses if status.state == "failed"]
    return study, out, volumes["inflamed"]


def _slab(out: Path) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return the affine of a slab around the lesions, and what the results say its voxels hold."""
    results = load_subject(out, "01")
    assert results.aligned is not None
    assert results.lesions is not None
    session, lesions = results.aligned.session("02"), results.lesions.session("02")
    assert session is not None
    assert lesions is not None
    to_subject, grid = session.to_subject[session.reference], results.aligned.grid
    centre = to_subject.inverse().map(grid.affine[:3, :3] @ np.argwhere(lesions.mask).mean(axis=0) + grid.affine[:3, 3])
    affine = np.diag([*VOXEL_MM, 1.0])
    affine[:3, 3] = centre - VOXEL_MM * (np.array(SHAPE) - 1) / 2
    held = content_of_grid(affine, SHAPE, to_subject, grid, session.brain_mask, results.lesions.tissue, lesions.mask)
    names = {"gm": held.gm, "wm": held.wm, "csf": held.csf, "inflamed": held.lesion}
    return affine, {name: np.nan_to_num(part) * held.brain for name, part in names.items()}


def test_the_maps_lie_where_the_grid_lies_and_say_what_they_hold(with_grid: tuple[Path, Path, np.ndarray]) -> None:
    study, out, _ = with_grid
    folder = out / "sub-01" / "ses-02" / "mrs"
    raw = nib.load(study / "sub-01" / "ses-02" / "mrs" / f"{STEM}_mrsi.nii.gz")
    ratio = nib.load(folder / f"{STEM}_desc-ratio_mrsi.nii.gz")
    assert np.allclose(ratio.affine, raw.affine)
    assert ratio.shape[:3] == SHAPE
    told = json.loads((folder / f"{STEM}_desc-ratio_mrsi.json").read_text("utf-8"))
    names = told["Description"].partition("order: ")[2].split(", ")
    assert len(names) == ratio.shape[3]
    assert f"bids:raw:sub-01/ses-02/mrs/{STEM}_mrsi.nii.gz" in told["Sources"]
    creatine = np.asarray(ratio.dataobj)[..., names.index("tCr")]
    assert np.allclose(creatine[np.isfinite(creatine)], 1.0)
    state = np.asarray(nib.load(folder / f"{STEM}_desc-quality_dseg.nii.gz").dataobj)
    assert (state[0] == VoxelState.EMPTY).all()
    assert (state == VoxelState.GOOD).sum() > 15
    on_anatomy = nib.load(folder / f"{STEM}_space-subject_label-tNAA_desc-ratio_mrsi.nii.gz")
    values = np.unique(np.asarray(on_anatomy.dataobj))
    own = np.asarray(ratio.dataobj)[..., names.index("tNAA")]
    assert np.isin(values[np.isfinite(values)], own.astype(np.float32)).all()  # nearest neighbour invents nothing


def test_every_voxel_has_a_row(with_grid: tuple[Path, Path, np.ndarray]) -> None:
    table = read_table(with_grid[1] / "sub-01" / "ses-02" / "mrs" / f"{STEM}_desc-voxels_qc.tsv")
    assert len(table) == np.prod(SHAPE)
    assert set(table.verdict) <= {state.words for state in VoxelState}
    fractions = table[["voxel_gm", "voxel_wm", "voxel_csf", "voxel_lesion"]].sum(axis=1, skipna=False)
    assert fractions.dropna().to_numpy() == pytest.approx(1.0)


def test_lactate_is_where_the_lesion_is(with_grid: tuple[Path, Path, np.ndarray]) -> None:
    _, out, lesion = with_grid
    table = load_results(out)["mrsi"]
    own = table[table.metabolite == "Lac"].set_index("region")
    assert own.voxels["normal_appearing"] >= 3
    grid = load_subject(out, "01").grids[0]
    assert grid.fit is not None
    fitted = grid.fit.fitted
    assert np.corrcoef(grid.fit.map("Lac")[fitted], lesion[fitted])[0, 1] > 0.6


def test_the_page_shows_the_maps(with_grid: tuple[Path, Path, np.ndarray]) -> None:
    page = (with_grid[1] / "sub-01" / "sub-01_report.html").read_text("utf-8")
    assert 'href="#mrsi"' in page
    assert "Spectroscopic maps" in page
    assert "Maps of metabolite ratios of ses-02, acq-slab over the anatomy" in page


def run_again(study: Path, results: SubjectResults, out: Path, settings: Settings) -> tuple[GridResult, Ledger]:
    """Run the stage alone, on what the stages before it gave."""
    subject = open_study(study).subject("01")
    assert subject is not None
    ledger = Ledger(out / "sub-01", "01")
    task = SubjectRun(open_study(study), subject, out, settings)
    return run_mrsi(task, ledger, results.aligned, results.lesions)[0], ledger


def test_what_is_read_back_is_what_was_computed(
    with_grid: tuple[Path, Path, np.ndarray], coarse: Settings, tmp_path: Path
) -> None:
    study, out, _ = with_grid
    results = load_subject(out, "01")
    computed, first = run_again(study, results, tmp_path, coarse)
    recalled, second = run_again(study, results, tmp_path, coarse)
    assert [status.state for status in (*first.statuses, *second.statuses)] == ["done", "skipped"]
    for found in (recalled, results.grids[0]):  # computed again, it is the same, bit for bit
        assert computed.fit is not None
        assert found.fit is not None
        for name in ("concentration", "sd", "crlb", "ratio", "ratio_sd", "snr", "linewidth_hz", "state", "affine"):
            assert np.array_equal(getattr(computed.fit, name), getattr(found.fit, name), equal_nan=True), name
        assert computed.fit.reasons == found.fit.reasons
        assert found.content is not None
        assert computed.content is not None
        assert np.array_equal(computed.content.lesion, found.content.lesion, equal_nan=True)
        assert_frame_equal(computed.regions, found.regions, check_dtype=False)


def test_a_grid_that_cannot_be_read_says_why(
    with_grid: tuple[Path, Path, np.ndarray], coarse: Settings, tmp_path: Path
) -> None:
    study = tmp_path / "study"
    shutil.copytree(with_grid[0], study)
    (study / "sub-01" / "ses-02" / "mrs" / f"{STEM}_mrsi.nii.gz").write_bytes(b"no image")
    results = load_subject(with_grid[1], "01")
    grid, ledger = run_again(study, results, tmp_path / "out", coarse)
    assert [(status.stage, status.state) for status in ledger.statuses] == [("mrsi", "failed")]
    assert not ledger.crashed
    assert "could not be read" in grid.reason
    assert [row["reason"] for row in grid_rows((grid,))] == [grid.reason]
    with pytest.raises(NotAssessable):
        figures.metabolite_maps(results, grid)


def test_a_reference_of_a_single_voxel_is_not_taken_for_the_grids(
    with_grid: tuple[Path, Path, np.ndarray], coarse: Settings, tmp_path: Path
) -> None:
    study = tmp_path / "study"
    shutil.copytree(with_grid[0], study)
    folder = study / "sub-01" / "ses-02" / "mrs"
    single = next(folder.glob("*acq-short_mrsref.nii.gz"))
    shutil.copy(single, folder / "sub-01_ses-02_acq-conc_mrsref.nii.gz")
    (folder / f"{STEM}_mrsref.nii.gz").unlink()
    grid, _ = run_again(study, load_subject(with_grid[1], "01"), tmp_path / "out", coarse)
    assert grid.fit is not None
    assert (grid.water_reference, grid.fit.unit) == (False, "a.u.")


def test_without_images_the_grid_is_fitted_all_the_same(
    with_grid: tuple[Path, Path, np.ndarray], coarse: Settings, tmp_path: Path
) -> None:
    results = load_subject(with_grid[1], "01")
    grid, _ = run_again(with_grid[0], replace(results, aligned=None, lesions=None), tmp_path, coarse)
    assert grid.fit is not None
    assert grid.fit.unit == "i.u."  # tissue is assumed
    assert grid.content is None
    assert grid.regions.reason.str.contains("not known").all()
    assert not list(tmp_path.rglob("*space-subject*"))
