"""Grids of spectra: reading, start field, fits, masks, places."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hlhneuro.errors import InputError
from hlhneuro.imaging import Grid
from hlhneuro.imaging.transforms import AffineTransform
from hlhneuro.phantom.mrsi import DWELL_TIME_S, GridPlan, MadeGrid, flat_head, make_grid, save_grid
from hlhneuro.phantom.scanner import rigid
from hlhneuro.phantom.spectra import FREQUENCY_MHZ
from hlhneuro.settings import SpectraSettings
from hlhneuro.spectroscopy import (
    Basis,
    GridContent,
    GridFit,
    Spectrum,
    SpectrumGrid,
    VoxelState,
    add_broad_signals,
    content_of_grid,
    fit_mrsi,
    fit_spectrum,
    lay_on_anatomy,
    load_mrsi,
    place_voxel,
    regions_of,
    simulate_basis,
    voxels_on_anatomy,
)
from hlhneuro.spectroscopy._core import make_problem
from hlhneuro.spectroscopy._start_field import find_start_field

SETTINGS = SpectraSettings()


def plan(n: int = 16, **changes: object) -> GridPlan:
    edge = 208.0 / n
    made = GridPlan((n, n, 1), np.diag([edge, edge, 15.0, 1.0]), echo_time_s=0.03, repetition_time_s=1.7, noise=2.0)
    return replace(made, **changes)


def grid_of(made: MadeGrid, *, water: bool = False) -> SpectrumGrid:
    data = made.water if water else made.fids
    assert data is not None
    dimensions = ("DIM_COIL",) if made.plan.coils > 1 else ()
    fids = data if dimensions else data[..., 0]
    middle = tuple(n // 2 for n in fids.shape[:3])
    facts = Spectrum(
        fids[middle], dimensions, DWELL_TIME_S, FREQUENCY_MHZ[3.0], "1H", made.plan.affine, 0.03, 1.7, "press"
    )
    return SpectrumGrid(fids, made.plan.affine, facts)


@pytest.fixture(scope="module")
def basis() -> Basis:
    return simulate_basis(
        "press", 0.03, dwell_time_s=DWELL_TIME_S, points=1024, spectrometer_frequency_mhz=FREQUENCY_MHZ[3.0]
    )


@pytest.fixture(scope="module")
def head() -> MadeGrid:
    return make_grid(plan(), flat_head((16, 16, 1)), seed=1)


def brain_of(made: MadeGrid) -> np.ndarray:
    return sum(made.volumes[name] for name in ("gm", "wm", "csf", "inflamed")) > 0.5


# ------------------------------------------------------------------------------------------------ the object


def test_a_voxel_knows_its_place(head: MadeGrid) -> None:
    voxel = grid_of(head).voxel((3, 5, 0))
    assert np.array_equal(voxel.fid, head.fids[3, 5, 0, :, 0])
    assert voxel.affine[:3, 3] == pytest.approx([3 * 13.0, 5 * 13.0, 0.0])
    assert voxel.volume_ml == pytest.approx(13 * 13 * 15 / 1000)


def test_axes_that_do_not_fit_are_refused(head: MadeGrid) -> None:
    grid = grid_of(head)
    with pytest.raises(InputError, match="axes"):
        SpectrumGrid(grid.fids[..., :512], grid.affine, grid.facts)


def test_a_saved_grid_is_read_back(tmp_path: Path, head: MadeGrid) -> None:
    holes = replace(head, fids=head.fids.copy())
    holes.fids[0], holes.fids[1, 1, 0, 5] = 0.0, np.nan
    save_grid(tmp_path / "a_mrsi.nii.gz", holes)
    grid = load_mrsi(tmp_path / "a_mrsi.nii.gz")
    assert (grid.shape, grid.echo_time_s, grid.sequence) == ((16, 16, 1), 0.03, "press")
    assert np.allclose(grid.affine, head.plan.affine)
    assert not grid.has_signal[0].any()
    assert not grid.has_signal[1, 1, 0]
    assert grid.has_signal.sum() == 15 * 16 - 1
    assert np.allclose(grid.fids[2:], head.fids[2:, ..., 0], rtol=1e-5, atol=1e-3)


def test_coils_are_kept(tmp_path: Path) -> None:
    made = make_grid(plan(3, coils=4), flat_head((3, 3, 1)), seed=2)
    save_grid(tmp_path / "a_mrsi.nii.gz", made)
    grid = load_mrsi(tmp_path / "a_mrsi.nii.gz")
    assert grid.facts.dimensions == ("DIM_COIL",)
    assert grid.fids.shape == (3, 3, 1, 1024, 4)


def test_a_grid_without_any_signal_says_so(tmp_path: Path, head: MadeGrid) -> None:
    save_grid(tmp_path / "a_mrsi.nii.gz", replace(head, fids=0 * head.fids))
    with pytest.raises(InputError, match=r"zero everywhere.*"):
        load_mrsi(tmp_path / "a_mrsi.nii.gz")


# ------------------------------------------------------------------------------------------- the start field


def start_field(grid: SpectrumGrid, chosen: np.ndarray, basis: Basis):
    return find_start_field(grid.fids[chosen], chosen, make_problem(add_broad_signals(basis), SETTINGS), 1.0)


def test_start_values_follow_the_field_of_the_phantom(head: MadeGrid, basis: Basis) -> None:
    chosen = brain_of(head)
    found = start_field(grid_of(head), chosen, basis)
    assert np.ptp(head.shift_hz[chosen]) > 15  # there is something to follow
    assert np.abs(found.shift_hz - head.shift_hz)[chosen].max() < 2.5


def test_a_voxel_of_noise_follows_its_neighbours(head: MadeGrid, basis: Basis) -> None:
    grid = grid_of(head)
    fids = grid.fids.copy()
    rng = np.random.default_rng(3)
    places = [(6, 8, 0), (9, 9, 0), (8, 5, 0)]
    for place in places:
        fids[place] = 3.0 * (rng.standard_normal(1024) + 1j * rng.standard_normal(1024))
    found = start_field(replace(grid, fids=fids), brain_of(head), basis)
    for place in places:
        assert found.shift_hz[place] == pytest.approx(head.shift_hz[place], abs=2.5)


def test_start_values_do_not_depend_on_the_order_of_voxels(head: MadeGrid, basis: Basis) -> None:
    grid, chosen = grid_of(head), brain_of(head)
    there = start_field(grid, chosen, basis)
    back = start_field(replace(grid, fids=grid.fids[::-1]), chosen[::-1], basis)
    assert np.array_equal(there.shift_hz, back.shift_hz[::-1])
    assert np.allclose(there.phase_rad, back.phase_rad[::-1])


# -------------------------------------------------------------------------------------------------- the fits


@pytest.fixture(scope="module")
def part() -> np.ndarray:
    """A few voxels: in the lesion, in white matter, in cortex near the scalp."""
    mask = np.zeros((16, 16, 1), dtype=bool)
    for place in ((4, 9), (5, 9), (10, 7), (11, 7), (10, 8), (8, 2), (12, 11)):
        mask[(*place, 0)] = True
    return mask


@pytest.fixture(scope="module")
def fitted(head: MadeGrid, basis: Basis, part: np.ndarray) -> GridFit:
    grid = grid_of(head)
    fids = grid.fids.copy()
    fids[0] = 0.0
    mask = part.copy()
    mask[0, 0] = True  # asked for, but empty
    return fit_mrsi(replace(grid, fids=fids), basis, brain=mask)


def test_ratios_are_those_of_the_phantom(fitted: GridFit, head: MadeGrid, part: np.ndarray) -> None:
    creatine = head.total("Cr", "PCr")
    for name, parts in {"tNAA": ("NAA", "NAAG"), "tCho": ("GPC", "PCho"), "mI": ("mI",), "Lac": ("Lac",)}.items():
        truth = (head.total(*parts)[part]) / creatine[part]
        error = np.abs(fitted.map(name)[part] - truth) / fitted.map(name, "ratio_sd")[part]
        assert error.max() < 4
        assert np.median(error) < 1.5
    lactate = fitted.map("Lac")
    assert lactate[4, 9, 0] > 3 * lactate[10, 7, 0]  # the hot spot


def test_a_voxel_gets_the_fit_it_would_have_alone(fitted: GridFit, head: MadeGrid, basis: Basis) -> None:
    for index in ((5, 9, 0), (11, 7, 0)):
        table = fit_spectrum(grid_of(head).voxel(index), basis).concentrations.set_index("metabolite")
        for name in ("tNAA", "tCr", "tCho", "mI", "Glx", "Lac"):
            apart = fitted.map(name, "concentration")[index] - table.concentration[name]
            assert abs(apart) < 0.3 * table.sd[name], name
            assert fitted.map(name, "crlb")[index] == pytest.approx(table.sd[name], rel=0.15)


def test_empty_voxels_and_those_outside_are_told_apart_and_not_numbers(fitted: GridFit, part: np.ndarray) -> None:
    assert (fitted.state[0] == VoxelState.EMPTY).all()
    assert (fitted.state[1:][~part[1:]] == VoxelState.OUTSIDE).all()
    assert np.isin(fitted.state[part], (VoxelState.GOOD, VoxelState.USABLE)).all()
    assert np.isnan(fitted.ratio[~part]).all()
    assert np.isfinite(fitted.snr[part]).all()
    assert not fitted.trusted("tNAA", SETTINGS)[~part].any()


def test_linewidths_grow_where_the_phantom_is_broad(fitted: GridFit) -> None:
    assert fitted.linewidth_hz[12, 11, 0] > fitted.linewidth_hz[10, 7, 0]


def test_noise_is_not_usable_and_says_why(head: MadeGrid, basis: Basis) -> None:
    grid = grid_of(head)
    rng = np.random.default_rng(0)
    fids = grid.fids.copy()
    fids[7, 7, 0] = 4.0 * (rng.standard_normal(1024) + 1j * rng.standard_normal(1024))
    mask = np.zeros(grid.shape, dtype=bool)
    mask[7:9, 7] = True
    found = fit_mrsi(replace(grid, fids=fids), basis, brain=mask)
    assert found.state[7, 7, 0] == VoxelState.NOT_USABLE
    assert "signal-to-noise" in found.reasons[7, 7, 0]
    assert found.state[8, 7, 0] in (VoxelState.GOOD, VoxelState.USABLE)


def test_concentrations_come_out_with_the_water_of_each_voxel(basis: Basis) -> None:
    made = make_grid(plan(8, water_reference=True, noise=1.0), flat_head((8, 8, 1)), seed=4)
    held = {name: made.volumes[name] for name in ("gm", "wm", "csf")} | {"lesion": made.volumes["inflamed"]}
    total = sum(held.values())
    mask = np.zeros((8, 8, 1), dtype=bool)
    mask[5, 3], mask[2, 4] = True, True
    tissue = {name: np.where(total > 0, part / np.where(total > 0, total, 1), np.nan) for name, part in held.items()}
    found = fit_mrsi(grid_of(made), basis, water=grid_of(made, water=True), brain=mask, tissue=tissue)
    assert found.unit == SETTINGS.concentration_unit
    truth = made.total("Cr", "PCr")
    for index in ((5, 3, 0), (2, 4, 0)):
        assert found.map("tCr", "concentration")[index] == pytest.approx(truth[index], rel=0.15)
        assert found.map("tCr", "sd")[index] > found.map("tCr", "crlb")[index]  # the scale is uncertain as well


def test_coils_of_each_voxel_are_combined_with_its_own_water(basis: Basis) -> None:
    made = make_grid(plan(8, water_reference=True, coils=4), flat_head((8, 8, 1)), seed=4)
    mask = np.zeros((8, 8, 1), dtype=bool)
    mask[5, 3], mask[2, 4] = True, True
    found = fit_mrsi(grid_of(made), basis, water=grid_of(made, water=True), brain=mask)
    assert found.unit == "i.u."  # tissue is not told
    assert dict(found.record)["coil combination"]["coils"] == 4
    truth = made.total("NAA", "NAAG") / np.where(made.total("Cr", "PCr") > 0, made.total("Cr", "PCr"), 1)
    assert (np.abs(found.map("tNAA") - truth)[mask] < 4 * found.map("tNAA", "ratio_sd")[mask]).all()
    assert np.abs(found.shift_hz[mask]).max() < 0.5  # the phase of the water holds the offset and takes it away


# ------------------------------------------------------------------------------------------------- bad input


def test_conjugated_data_are_refused(head: MadeGrid, basis: Basis, part: np.ndarray) -> None:
    grid = grid_of(head)
    with pytest.raises(InputError, match="conjugated"):
        fit_mrsi(replace(grid, fids=grid.fids.conj()), basis, brain=part)


def test_a_water_reference_of_another_place_is_refused(head: MadeGrid, basis: Basis) -> None:
    grid = grid_of(head)
    moved = replace(grid, affine=grid.affine + np.pad([[0, 0, 0, 4.0]], ((0, 3), (0, 0))))
    with pytest.raises(InputError, match="does not lie on the voxels"):
        fit_mrsi(grid, basis, water=moved)


def test_a_mask_that_misses_the_grid_is_refused(head: MadeGrid, basis: Basis) -> None:
    with pytest.raises(InputError, match="no voxel"):
        fit_mrsi(grid_of(head), basis, brain=np.zeros((16, 16, 1), dtype=bool))


def test_without_a_basis_the_echo_time_is_asked_for(head: MadeGrid, part: np.ndarray) -> None:
    grid = grid_of(head)
    unknown = replace(grid, facts=replace(grid.facts, echo_time_s=None))
    with pytest.raises(InputError, match="EchoTime"):
        fit_mrsi(unknown, brain=part)


# -------------------------------------------------------------------------------------------- masks, regions


def grid_fit(ratio: np.ndarray, crlb: np.ndarray) -> GridFit:
    """Two maps, a metabolite in one and creatine of eight in the other."""
    both = np.stack([8 * ratio, np.full(ratio.shape, 8.0)], axis=-1)
    bound = np.stack([crlb, np.full(ratio.shape, 0.2)], axis=-1)
    flat = np.ones(ratio.shape)
    state = np.full(ratio.shape, VoxelState.GOOD, dtype=np.uint8)
    return GridFit(
        ("tNAA", "tCr"), both, bound, bound, both / 8, bound / 8, "a.u.", flat, flat, flat, flat, state, {}, np.eye(4)
    )


def test_a_voxel_that_lost_its_naa_is_kept() -> None:
    ratio = np.full((5, 5, 1), 1.4)
    ratio[2, 2, 0] = 0.1  # its bound is 50 % of what is left, and as good as anywhere
    crlb = np.full((5, 5, 1), 0.4)
    crlb[4, 4, 0] = 6.0
    trusted = grid_fit(ratio, crlb).trusted("tNAA", SETTINGS)
    assert trusted[2, 2, 0]
    assert not trusted[4, 4, 0]
    assert trusted.sum() == 24


def test_regions_are_means_of_lesion_and_of_normal_voxels() -> None:
    ratio = np.full((5, 5, 1), 1.4)
    ratio[:, :1] = 0.5
    lesion = np.where(ratio < 1, 0.8, 0.0)
    lesion[:, 1] = 0.3  # neither
    one = np.ones((5, 5, 1))
    content = GridContent(one, one - lesion, 0 * one, 0 * one, lesion)
    table = regions_of(grid_fit(ratio, np.full((5, 5, 1), 0.4)), content, SETTINGS).set_index("region")
    assert table.ratio_to_tcr["lesion"] == pytest.approx(0.5)
    assert table.ratio_to_tcr["normal_appearing"] == pytest.approx(1.4)
    assert list(table.voxels) == [5, 15]
    assert table.ratio_sd["lesion"] == pytest.approx(0.05 / np.sqrt(5))


def test_regions_without_an_anatomy_say_why() -> None:
    table = regions_of(grid_fit(np.ones((2, 2, 1)), np.ones((2, 2, 1))), None, SETTINGS)
    assert table.ratio_to_tcr.isna().all()
    assert table.reason.str.contains("not known").all()


# --------------------------------------------------------------------------------------------------- places


def test_the_content_of_a_voxel_is_that_of_the_single_voxel_rules() -> None:
    shape = (24, 26, 20)
    grid = Grid(shape, np.diag([2.0, 2.0, 2.0, 1.0]))
    x = np.broadcast_to(np.arange(24)[:, None, None], shape)
    z = np.broadcast_to(np.arange(20), shape)
    lesion = (x < 9) & (z > 12)
    tissue = {name: mask.astype(np.float32) for name, mask in {"gm": x < 8, "wm": x >= 8, "csf": x < 0}.items()}
    to_subject = rigid(np.array([4.0, -3.0, 8.0]), np.array([3.0, -1.0, 2.0]))
    affine = np.diag([12.0, 12.0, 15.0, 1.0])
    affine[:3, 3] = (8.0, 8.0, 12.0)
    found = content_of_grid(affine, (2, 3, 1), to_subject, grid, np.ones(shape, dtype=bool), tissue, lesion)
    for index in np.ndindex(2, 3, 1):
        move = np.eye(4)
        move[:3, 3] = index
        single = place_voxel(affine @ move, to_subject, grid, tissue, lesion)
        for name in ("gm", "wm", "lesion"):
            assert getattr(found, name)[index] == pytest.approx(getattr(single, name), abs=0.06)
        assert found.gm[index] + found.wm[index] + found.csf[index] + found.lesion[index] == pytest.approx(1.0)


def test_a_voxel_outside_the_images_holds_no_brain() -> None:
    grid = Grid((10, 10, 10), np.eye(4))
    brain = np.ones(grid.shape, dtype=bool)
    found = content_of_grid(np.diag([5.0, 5.0, 5.0, 1.0]), (3, 1, 1), AffineTransform.identity(), grid, brain)
    assert found.brain[2, 0, 0] < 0.6
    far = np.diag([5.0, 5.0, 5.0, 1.0])
    far[:3, 3] = 100.0
    assert content_of_grid(far, (1, 1, 1), AffineTransform.identity(), grid, brain).brain.sum() == 0


def test_a_map_on_the_anatomy_keeps_values_and_places() -> None:
    to_subject = rigid(np.array([0.0, 0.0, 20.0]), np.array([2.0, 1.0, 0.0]))
    affine = np.diag([6.0, 7.0, 10.0, 1.0])
    target = Grid((40, 40, 12), np.diag([1.0, 1.0, 1.0, 1.0]))
    values = np.arange(12, dtype=float).reshape(3, 4, 1)
    valid = values != 5
    laid = lay_on_anatomy(values, valid, voxels_on_anatomy(affine, (3, 4, 1), to_subject, target))
    for index in np.ndindex(3, 4, 1):
        centre = to_subject.map(affine[:3, :3] @ np.array(index, dtype=float))
        place = tuple(np.round(centre).astype(int))
        if min(place) >= 0:
            expected = values[index] if valid[index] else np.nan
            assert np.array_equal(laid[place], np.float32(expected), equal_nan=True)
    assert np.isnan(laid[-1, -1, -1])
