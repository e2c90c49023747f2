"""Is a metabolite there? The likelihood of a fit with it over that of a fit without it, in one or several spectra."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls
from scipy.special import chdtrc, ndtri  # not scipy.stats: it takes long to load

from hlhneuro.spectroscopy import _model as nl
from hlhneuro.spectroscopy._core import Fitted, Problem, spread

__all__ = ["Evidence", "JointEvidence", "detect", "detect_listed", "joint_evidence"]


@dataclass(frozen=True)
class Evidence:
    """What one spectrum says about one metabolite.

    Parameters
    ----------
    metabolite : str
    amount : float
        In the unit of the fit; negative where the signal has the opposite phase.
    standard_deviation : float
        Of `amount`, with what the shape of lipid leaves open.
    evidence_sd : float
        Signed root of twice the logarithm of the likelihood ratio. A spectrum without the metabolite exceeds z standard
        deviations as often as a normal variate exceeds z.
    """

    metabolite: str
    amount: float
    standard_deviation: float
    evidence_sd: float

    def scaled(self, factor: float) -> Evidence:
        """Return the same evidence about an amount in another unit."""
        return replace(self, amount=self.amount * factor, standard_deviation=self.standard_deviation * factor)

    @classmethod
    def from_record(cls, facts: Mapping[str, Any]) -> Evidence:
        """Read what `to_record` gave."""
        return cls(**facts)

    def to_record(self) -> Mapping[str, object]:
        """Return plain values, for the record of a fit."""
        return dict(vars(self))


def detect_listed(problem: Problem, fitted: Fitted) -> tuple[Evidence, ...]:
    """Weigh the metabolites of `SpectraSettings.detection_metabolites` that the basis holds, see `detect`."""
    wanted = problem.settings.detection_metabolites
    return tuple(detect(problem, fitted, name) for name in wanted if name in problem.basis.names)


def detect(problem: Problem, fitted: Fitted, name: str) -> Evidence:
    """Weigh a fit with a metabolite against one without it.

    The null is fitted anew from the solution: lipid, macromolecules, line widths, shifts and the baseline may take the
    signal over. Noise, priors and the stiffness of the baseline are the same on both sides. Lines of lipid are never
    quite of the shape that is fitted: a part of what they put in the place of the metabolite is a further error.

    Parameters
    ----------
    problem : Problem
    fitted : Fitted
        Its solution.
    name : str
        A function of the basis.

    Returns
    -------
    Evidence
        In amplitudes of the fit.

    Raises
    ------
    ValueError
        If the basis has no function of that name.

    Notes
    -----
    An amplitude is not negative: without the metabolite, half of the ratios are zero and the others follow chi-square
    with one degree of freedom, so that their root is the upper half of a normal variate.

    References
    ----------
    Self SG, Liang KY. Asymptotic properties of maximum likelihood estimators and likelihood ratio tests under
    nonstandard conditions. J Am Stat Assoc 1987;82:605.
    """
    if name not in problem.basis.names:
        raise ValueError(f"the basis holds no {name}")
    index = problem.basis.names.index(name)
    left = max(fitted.noise_sd, spread(fitted.solution.residual))
    null_model, null_prior, kept = _without(fitted.model, problem.prior, index)
    start = fitted.solution.parameters[kept]
    most = problem.settings.detection_iterations
    null, _ = nl.optimise(start, null_model, fitted.stiffness, null_prior, left, iterations=most, tolerance=1e-5)
    full = nl.evaluate(fitted.solution.parameters, fitted.model, fitted.stiffness, problem.prior, left)
    if null.cost < full.cost:  # the null found a better place: the metabolite may be tried there as well
        there = problem.prior.mean.copy()
        there[kept] = null.parameters
        full, _ = nl.optimise(
            there, fitted.model, fitted.stiffness, problem.prior, left, iterations=most, tolerance=1e-5
        )
    ratio = (null.cost - full.cost) / left**2
    amount = float(full.linear.amplitudes[index])
    if amount <= 0:
        amount, ratio = _opposite(fitted, problem.prior, null, kept, index, left)
    evidence = float(np.sqrt(max(ratio, 0.0)))
    # Away from zero the likelihood knows its width better than the bound, which frees functions that are not there.
    width = abs(amount) / evidence if evidence > 1 else float(np.sqrt(fitted.covariance[index, index]))
    error = float(np.hypot(width, problem.settings.lipid_shape_error * _lipid_in_its_place(problem, full, index)))
    return Evidence(name, amount, error, float(np.copysign(evidence * width / error, amount)))


def _lipid_in_its_place(problem: Problem, point: nl.Solution, index: int) -> float:
    """Return how much of the metabolite the fitted lipid would be if it were taken for it."""
    lipid = np.array([kind == "lipid" for kind in problem.basis.kinds])
    signal = point.functions[:, lipid] @ point.linear.amplitudes[lipid]
    own = point.functions[:, index]
    return abs(float(np.vdot(own, signal).real)) / float(np.vdot(own, own).real)


def _without(model: nl.Model, prior: nl.Prior, index: int) -> tuple[nl.Model, nl.Prior, NDArray[np.bool_]]:
    """Return model and prior without one function, and which parameters they keep."""
    functions = np.arange(model.fids.shape[0]) != index
    kept = np.concatenate([np.ones(nl.COMMON, dtype=bool), functions, functions])
    reduced = nl.Prior(prior.mean[kept], prior.sd[kept], prior.lower[kept], prior.upper[kept])
    pull = None if model.pull is None else model.pull[np.ix_(functions, functions)]
    return replace(model, fids=model.fids[functions], gaussian=model.gaussian[functions], pull=pull), reduced, kept


def _opposite(
    fitted: Fitted, prior: nl.Prior, null: nl.Solution, kept: NDArray[np.bool_], index: int, left: float
) -> tuple[float, float]:
    """Return amplitude and likelihood ratio of the signal with the opposite phase, all else as in the null."""
    sign = np.ones(fitted.model.fids.shape[0])
    sign[index] = -1.0
    pull = None if fitted.model.pull is None else fitted.model.pull * np.outer(sign, sign)
    turned = replace(fitted.model, fids=fitted.model.fids * sign[:, None], pull=pull)
    parameters = prior.mean.copy()
    parameters[kept] = null.parameters
    point = nl.evaluate(parameters, turned, fitted.stiffness, prior, left)
    return -float(point.linear.amplitudes[index]), (null.cost - point.cost) / left**2


@dataclass(frozen=True)
class JointEvidence:
    """What several spectra of one voxel say together about one metabolite.

    Parameters
    ----------
    evidence_sd : float
        As of a single spectrum: how far a normal variate would have to lie out to be as rare.
    amount, standard_deviation : float
        At the first spectrum's echo time, in the unit of the fits.
    misfit_sd : float
        How far the spectra lie from every amount that they could have in common.
    """

    evidence_sd: float
    amount: float
    standard_deviation: float
    misfit_sd: float


def joint_evidence(spectra: Sequence[Evidence], visible: Sequence[tuple[float, float]]) -> JointEvidence:
    """Combine the evidence of spectra of one voxel under one common amount.

    Parameters
    ----------
    spectra : sequence of Evidence
        In one unit, or each in its own where `visible` is (0, inf).
    visible : sequence of (float, float)
        Between which parts of the common amount each spectrum may show; the first is (1, 1).

    Returns
    -------
    JointEvidence

    Notes
    -----
    In units of their standard deviations, the amounts that a common one can give fill a cone. The likelihood ratio is
    the squared length of what the spectra project onto it. Its distribution without the metabolite is a mixture of
    chi-squares: for two spectra the weights follow from the angle of the cone, for more an upper bound is taken, as if
    the cone were the widest.

    References
    ----------
    Shapiro A. Towards a unified theory of inequality constrained testing in multivariate analysis. Int Stat Rev
    1988;56:49. Perlman MD. One-sided testing problems in multivariate analysis. Ann Math Stat 1969;40:549.
    """
    widths = np.array([s.standard_deviation for s in spectra])
    seen = np.array([s.evidence_sd for s in spectra])
    edges = _edges(widths, visible)
    weights, distance = nnls(edges.T, seen)
    statistic = max(float(seen @ seen) - distance**2, 0.0)
    point = edges.T @ weights
    first = widths[0]
    return JointEvidence(_as_normal(statistic, edges), float(point[0] * first), float(first), float(distance))


def _edges(widths: NDArray[np.float64], visible: Sequence[tuple[float, float]]) -> NDArray[np.float64]:
    """Return the edges of the cone, shape (edges, spectra), unit length."""
    corners: list[list[float]] = [[]]
    for low, high in visible:
        ends = (low,) if low == high else (low, high)
        corners = [[*corner, end] for corner in corners for end in ends]
    # An endless range has the spectrum's own axis as its edge.
    rows = [np.isinf(c).astype(float) if np.isinf(c).any() else np.array(c) / widths for c in map(np.array, corners)]
    return np.array([row / np.linalg.norm(row) for row in rows])


def _as_normal(statistic: float, edges: NDArray[np.float64]) -> float:
    """Return how far out a normal variate is as rare as the statistic without the metabolite."""
    size = edges.shape[1]
    if size == 1:
        return float(np.sqrt(statistic))
    if size == 2:
        angle = float(np.arccos(np.clip(np.min(edges @ edges.T), -1.0, 1.0)))
        rare = 0.5 * chdtrc(1, statistic) + angle / (2 * np.pi) * chdtrc(2, statistic)
    else:
        rare = 0.5 * (chdtrc(size - 1, statistic) + chdtrc(size, statistic))
    return float(np.clip(-ndtri(rare), 0.0, None)) if rare > 0 else float(np.sqrt(statistic))
