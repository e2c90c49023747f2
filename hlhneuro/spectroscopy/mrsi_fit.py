"""Fit every voxel of a grid: the model is prepared once, and each voxel starts from what its surroundings say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from hlhneuro.errors import InputError
from hlhneuro.settings import SpectraSettings
from hlhneuro.spectroscopy import _model as nl
from hlhneuro.spectroscopy._core import Fitted, Problem, make_problem, solve, spread
from hlhneuro.spectroscopy._lineshape import solve_prepared
from hlhneuro.spectroscopy._start_field import StartField, find_start_field
from hlhneuro.spectroscopy._tables import rows_of, verdict
from hlhneuro.spectroscopy.basis import Basis
from hlhneuro.spectroscopy.fitting import _linewidth_hz, _suited_basis
from hlhneuro.spectroscopy.mrsi import Index, SpectrumGrid, check_water_grid
from hlhneuro.spectroscopy.preprocessing import Prepared, preprocess
from hlhneuro.spectroscopy.quantification import TissueFractions, WaterScale, water_scale

__all__ = ["GridFit", "VoxelState", "fit_mrsi"]

_Float = NDArray[np.float64]
_WORDS = {"good": 1, "usable": 2, "not usable": 3}


class VoxelState(IntEnum):
    """What became of a voxel; its value is the label in the quality map."""

    OUTSIDE = 0  # not in the brain: not fitted
    GOOD = 1
    USABLE = 2
    NOT_USABLE = 3
    EMPTY = 4  # holds no signal: not assessable
    FAILED = 5  # could not be prepared

    @property
    def words(self) -> str:
        """The state in words."""
        return self.name.lower().replace("_", " ")


@dataclass(frozen=True)
class GridFit:
    """A fitted grid; every map is NaN where a voxel was not fitted.

    Parameters
    ----------
    names : tuple of str
        Basis functions, then sums (tNAA, tCr ..): the last axis of the five arrays below.
    concentration, sd, crlb : array, shape (x, y, z, names)
        In `unit`; standard uncertainty of the fit and of its scale; that of the fit alone, from the Cramer-Rao bound.
    ratio, ratio_sd : array, shape (x, y, z, names)
        Over total creatine, with the bound of the ratio.
    unit : str
    snr, linewidth_hz, shift_hz, residual_ratio : array, shape (x, y, z)
        As in `SpectrumFit.quality`.
    state : uint8 array, shape (x, y, z)
        `VoxelState`.
    reasons : mapping of voxel to str
        Why a voxel is not good.
    affine : array, shape (4, 4)
    record : tuple of (str, mapping)
        What was done, in order.
    """

    names: tuple[str, ...]
    concentration: _Float
    sd: _Float
    crlb: _Float
    ratio: _Float
    ratio_sd: _Float
    unit: str
    snr: _Float
    linewidth_hz: _Float
    shift_hz: _Float
    residual_ratio: _Float
    state: NDArray[np.uint8]
    reasons: Mapping[Index, str]
    affine: _Float
    record: tuple[tuple[str, Mapping[str, object]], ...] = ()

    @property
    def fitted(self) -> NDArray[np.bool_]:
        """Which voxels are good or usable."""
        return np.asarray((self.state == VoxelState.GOOD) | (self.state == VoxelState.USABLE))

    def map(self, name: str, what: str = "ratio") -> _Float:
        """Return the map of one metabolite, shape (x, y, z); `what` is ``concentration``, ``sd``, ``crlb`` .."""
        values: _Float = getattr(self, what)
        return values[..., self.names.index(name)]

    def trusted(self, name: str, settings: SpectraSettings) -> NDArray[np.bool_]:
        """Return where the fit is usable and the bound of that metabolite is small.

        Bounds are judged against what the metabolite has in the grid as a whole, not against the voxel's own value: a
        relative bound would throw away just the voxels that have lost it.

        References
        ----------
        Kreis R. The trouble with quality filtering based on relative Cramer-Rao lower bounds. Magn Reson Med
        2016;75:15.
        """
        good = self.fitted
        if not good.any():
            return good
        typical = float(np.nanmedian(self.map(name, "concentration")[good]))
        creatine = float(np.nanmedian(self.map("tCr", "concentration")[good])) if "tCr" in self.names else typical
        limit = max(settings.mrsi_bound_part * typical, settings.mrsi_bound_part_tcr * creatine)
        return np.asarray(good & (self.map(name, "crlb") <= limit))


def fit_mrsi(
    grid: SpectrumGrid,
    basis: Basis | None = None,
    *,
    water: SpectrumGrid | None = None,
    eddy_reference: SpectrumGrid | None = None,
    brain: NDArray[np.bool_] | None = None,
    tissue: Mapping[str, _Float] | None = None,
    settings: SpectraSettings = SpectraSettings(),  # noqa: B008  (frozen)
    sequence: str | None = None,
    age_years: float | None = None,
) -> GridFit:
    """Preprocess and fit all voxels of a grid with one basis.

    Every voxel gets the fit that `fit_spectrum` would give it; only where it starts from differs: the offset from a
    field that is smooth over neighbours, widths and the rest from a fit of all good voxels put in register and added.

    Parameters
    ----------
    grid : SpectrumGrid
    basis : Basis, optional
        Simulated for the sequence and echo time where none is given.
    water : SpectrumGrid, optional
        Water reference on the same voxels: coil weights and the scale of concentrations.
    eddy_reference : SpectrumGrid, optional
        Water reference for eddy currents; where only one of both is given it serves for both.
    brain : bool array, shape (x, y, z), optional
        Voxels to fit; all that are not empty if left out.
    tissue : mapping, optional
        ``gm, wm, csf, lesion``: volume fractions, shape (x, y, z), NaN where not known; for the water reference.
    sequence : str, optional
        What the data were acquired with; wins over the header.
    age_years : float, optional
        For the water reference: the tissue of infants is not that of adults.

    Returns
    -------
    GridFit

    Raises
    ------
    InputError
        If no voxel can be fitted, or for the reasons that `fit_spectrum` has.

    References
    ----------
    Maudsley AA et al. Advanced magnetic resonance spectroscopic neuroimaging: experts' consensus recommendations. NMR
    Biomed 2021;34:e4309.
    """
    if sequence is not None:
        grid = replace(grid, facts=replace(grid.facts, sequence=sequence.strip().lower()))
    references = (water, eddy_reference)
    for reference in references:
        if reference is not None:
            check_water_grid(grid, reference, settings.mrsi_water_apart_mm)
    full = grid.has_signal
    wanted = full if brain is None else full & brain
    state = np.where(full, VoxelState.OUTSIDE, VoxelState.EMPTY).astype(np.uint8)
    with threadpool_limits(limits=1):  # the matrices are small: threads cost more than they give, and change sums
        prepared, reasons = _prepare(grid, references, wanted, settings)
        for index in reasons:
            state[index] = VoxelState.FAILED
        suited, notes = _suited_basis(grid.facts.with_fid(next(iter(prepared.values())).spectrum.fid), basis, settings)
        problem = make_problem(suited, settings)
        chosen = np.zeros(grid.shape, dtype=bool)
        chosen[tuple(np.array(list(prepared)).T)] = True
        fids = np.stack([one.spectrum.fid for one in prepared.values()])
        field = find_start_field(fids, chosen, problem, settings.mrsi_reach_voxels)
        typical = _reference(fids, field, chosen, problem)
        maps = _Maps(grid.shape, problem)
        for index, one in prepared.items():
            start = _start(typical, problem, one.spectrum.fid, float(field.shift_hz[index]))
            one, fitted = solve_prepared(problem, one, start)
            held = _fractions(tissue, index)
            scale = water_scale(
                one.spectrum, one.water, settings, tissue=held, age_years=age_years, refused=one.refused
            )
            word, why = maps.enter(index, fitted, scale, one.water_ppm)
            state[index] = _WORDS[word]
            if why:
                reasons[index] = "; ".join(why)
    steps = next(iter(prepared.values())).record
    return maps.result(grid, state, reasons, (*steps, *notes))


def _prepare(
    grid: SpectrumGrid,
    references: tuple[SpectrumGrid | None, SpectrumGrid | None],
    wanted: NDArray[np.bool_],
    settings: SpectraSettings,
) -> tuple[dict[Index, Prepared], dict[Index, str]]:
    """Preprocess every voxel by itself; say why one cannot be."""
    prepared: dict[Index, Prepared] = {}
    reasons: dict[Index, str] = {}
    fault: InputError | None = None
    known = [one.has_signal if one is not None else None for one in references]
    for index in grid.indices(wanted):
        water, eddy = (
            one.voxel(index) if one is not None and full is not None and full[index] else None
            for one, full in zip(references, known, strict=True)
        )
        try:
            prepared[index] = preprocess(grid.voxel(index), water, settings, eddy_reference=eddy)
        except InputError as error:
            fault, reasons[index] = error, error.problem
    if fault is not None and len(reasons) > len(prepared):
        raise fault  # what is wrong with most voxels is wrong with the file
    if not prepared:
        raise InputError(
            "no voxel of the grid can be fitted",
            field="data",
            found=f"{int(grid.has_signal.sum())} voxels with signal, {int(wanted.sum())} of them in the brain",
            remedy="check that the grid and the images belong to the same session",
        )
    return prepared, reasons


def _reference(fids: NDArray[np.complex128], field: StartField, chosen: NDArray[np.bool_], problem: Problem) -> Fitted:
    """Fit the sum of the better half of the voxels, each put at the same offset and phase."""
    explained = field.explained[chosen]
    better = explained >= np.median(explained)
    turn = 2j * np.pi * np.outer(field.shift_hz[chosen][better], problem.time_s)
    fid = np.sum(fids[better] * np.exp(turn - 1j * field.phase_rad[chosen][better][:, None]), axis=0)
    return solve(problem, np.asarray(fid))


def _start(reference: Fitted, problem: Problem, fid: NDArray[np.complex128], shift_hz: float) -> Fitted:
    """Return the reference moved to the offset where a voxel is expected, and turned to its phase."""
    whole = np.fft.fftshift(np.fft.fft(fid))
    bins_hz = problem.whole_bins(shift_hz + reference.shift_hz)
    point = reference.solution
    lines = point.functions @ point.linear.amplitudes
    parameters = point.parameters.copy()
    parameters[nl.PHASE0] = np.angle(np.vdot(lines, problem.moved_back(whole, bins_hz)))
    parameters[nl.SHIFT] = shift_hz + reference.shift_hz - bins_hz
    start = replace(reference.start, shift_hz=bins_hz)
    return replace(reference, solution=replace(point, parameters=parameters), start=start)


def _fractions(tissue: Mapping[str, _Float] | None, index: Index) -> TissueFractions | None:
    if tissue is None:
        return None
    gm, wm, csf, lesion = (float(tissue[name][index]) for name in ("gm", "wm", "csf", "lesion"))
    return TissueFractions(gm, wm, csf, lesion) if np.isfinite([gm, wm, csf, lesion]).all() else None


class _Maps:
    """The maps of a grid while they are filled, voxel by voxel."""

    def __init__(self, shape: Index, problem: Problem) -> None:
        self.problem = problem
        rows = rows_of(problem.basis.names, problem.basis.kinds)
        self.names = tuple(name for name, _ in rows)
        self.weights = np.stack([weights for _, weights in rows])
        self.creatine = self.weights[self.names.index("tCr")] if "tCr" in self.names else None
        self.metabolites = np.array([kind == "metabolite" for kind in problem.basis.kinds])
        self.table = {name: np.full((*shape, len(rows)), np.nan) for name in _TABLE}
        self.quality = {name: np.full(shape, np.nan) for name in _QUALITY}
        self.units: dict[Index, WaterScale] = {}

    def enter(
        self, index: Index, fitted: Fitted, scale: WaterScale, water_ppm: float | None
    ) -> tuple[str, tuple[str, ...]]:
        """Write down one voxel; return the verdict and its reasons."""
        point, settings = fitted.solution, self.problem.settings
        amplitudes = point.linear.amplitudes
        both = self.weights @ fitted.covariance
        values = self.weights @ amplitudes
        variance = np.clip(np.sum(both * self.weights, axis=1), 0.0, None)
        self.units[index] = scale
        factor, relative_sd = np.array([[one, part or 0.0] for one, part in map(scale.of, self.names)]).T
        self.table["concentration"][index] = values * factor
        self.table["crlb"][index] = np.sqrt(variance) * factor
        self.table["sd"][index] = np.hypot(np.sqrt(variance), relative_sd * values) * factor
        if self.creatine is not None:
            total = float(self.creatine @ amplitudes)
            spread_of_total = float(self.creatine @ fitted.covariance @ self.creatine)
            if total > settings.detection_sd * np.sqrt(max(spread_of_total, 0.0)):
                ratio = values / total
                delta = variance - 2 * ratio * (both @ self.creatine) + ratio**2 * spread_of_total
                self.table["ratio"][index] = ratio
                self.table["ratio_sd"][index] = np.sqrt(np.clip(delta, 0.0, None)) / total
        detected = amplitudes > settings.detection_sd * np.sqrt(np.clip(np.diag(fitted.covariance), 0.0, None))
        return self._judge(index, fitted, bool(detected[self.metabolites].any()), water_ppm)

    def _judge(self, index: Index, fitted: Fitted, seen: bool, water_ppm: float | None) -> tuple[str, tuple[str, ...]]:
        point = fitted.solution
        narrow = self.metabolites
        hz = self.problem.basis.spectrometer_frequency_mhz
        peak = float(np.max((point.functions[:, narrow] @ point.linear.amplitudes[narrow]).real, initial=0.0))
        found = {
            "snr": peak / (2 * fitted.noise_sd),
            "linewidth_hz": _linewidth_hz(fitted, self.problem.basis),
            "shift_hz": fitted.shift_hz,
            "residual_ratio": spread(point.residual) / fitted.noise_sd,
        }
        for name, value in found.items():
            self.quality[name][index] = value
        width = found["linewidth_hz"] / hz
        return verdict(found["snr"], width, fitted.unexplained, seen, self.problem.settings, water_ppm)

    def result(
        self,
        grid: SpectrumGrid,
        state: NDArray[np.uint8],
        reasons: Mapping[Index, str],
        record: tuple[tuple[str, Mapping[str, object]], ...],
    ) -> GridFit:
        """Return the maps; a voxel whose concentration is in another unit than most keeps its ratios alone."""
        unit = Counter(scale.unit for scale in self.units.values()).most_common(1)[0][0]
        for index, scale in self.units.items():
            if scale.unit != unit:
                for name in ("concentration", "sd", "crlb"):
                    self.table[name][index] = np.nan
        notes = next(scale.notes for scale in self.units.values() if scale.unit == unit)
        record = (*record, ("quantification", {"unit": unit, "notes": notes}))
        return GridFit(
            names=self.names,
            unit=unit,
            state=state,
            reasons=reasons,
            affine=grid.affine,
            record=record,
            **self.table,
            **self.quality,
        )


_TABLE = ("concentration", "sd", "crlb", "ratio", "ratio_sd")
_QUALITY = ("snr", "linewidth_hz", "shift_hz", "residual_ratio")
