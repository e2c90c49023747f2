"""Products of bacteria: looked for with a wider basis where lactate is stronger than NAA, as in an abscess.

Also where the first fit leaves part of the signal: the usual basis knows little of what an abscess holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from hlhneuro.errors import InputError, StudyError
from hlhneuro.settings import SpectraSettings
from hlhneuro.spectroscopy._core import Fitted, Problem, make_problem, solve
from hlhneuro.spectroscopy.basis import Basis, simulate_basis
from hlhneuro.spectroscopy.detection import Evidence, detect
from hlhneuro.spectroscopy.spectra import Spectrum

__all__ = ["AMINO_ACIDS", "look_for_bacteria"]

AMINO_ACIDS = "AA"  # valine, leucine and isoleucine: their methyl groups near 0.9 ppm cannot be told apart
_PARTS = ("Val", "Leu", "Ile")


def look_for_bacteria(
    problem: Problem, fitted: Fitted, evidence: tuple[Evidence, ...], spectrum: Spectrum
) -> tuple[Problem, Fitted, tuple[Evidence, ...], tuple[tuple[str, Mapping[str, object]], ...]]:
    """Fit once more with acetate, succinate and amino acids where the first fit asks for it.

    Parameters
    ----------
    problem : Problem
    fitted : Fitted
        Its solution.
    evidence : tuple of Evidence
        That of lactate among them.
    spectrum : Spectrum
        What was fitted.

    Returns
    -------
    problem, fitted, evidence, record
        Those of the wider basis if one of its functions can be told from noise, else as they came; the evidence of each
        function that was looked for is added, unless neither basis explains the signal.

    References
    ----------
    Pal D et al. AJNR 2010;31:360. Grand S et al. Radiology 1999;213:785 (amino acids inverted at TE 136 ms).
    """
    settings = problem.settings
    likely = _lactate_exceeds_naa(problem, fitted, evidence)
    # A fit that misses part of the signal does not know what lactate there is.
    if not likely and fitted.unexplained <= settings.good_residual:
        return problem, fitted, evidence, ()
    try:
        extra = _products(problem.basis, spectrum, settings)
    except (InputError, StudyError) as error:
        note = ("products of bacteria", {"looked_for": (), "why": f"not simulated: {error}"})
        return problem, fitted, evidence, (note,)
    wide = make_problem(extra, settings)
    refitted = solve(wide, spectrum.fid)
    wanted = tuple(name for name in extra.names if name not in problem.basis.names)
    found = tuple(detect(wide, refitted, name) for name in wanted)
    own = tuple(detect(wide, refitted, each.metabolite) for each in evidence)
    kept = any(each.evidence_sd >= settings.detection_sd for each in found)
    if not likely:
        kept &= refitted.unexplained <= settings.good_residual and _lactate_exceeds_naa(wide, refitted, own)
    why = "lactate is stronger than NAA" if likely else "part of the signal is left unexplained"
    why += "; the wider basis is kept" if kept else ""
    note = ("products of bacteria", {"looked_for": wanted, "why": why})
    if not kept:
        return problem, fitted, (*evidence, *found) if likely else evidence, (note,)
    return wide, refitted, (*own, *found), (note,)


def _lactate_exceeds_naa(problem: Problem, fitted: Fitted, evidence: tuple[Evidence, ...]) -> bool:
    lactate = next((each for each in evidence if each.metabolite == "Lac"), None)
    if lactate is None or lactate.evidence_sd < problem.settings.detection_sd:
        return False
    naa = [problem.basis.names.index(name) for name in ("NAA", "NAAG") if name in problem.basis.names]
    return lactate.amount > float(fitted.solution.linear.amplitudes[naa].sum())


def _products(basis: Basis, spectrum: Spectrum, settings: SpectraSettings) -> Basis:
    """Return the basis with acetate, succinate and, where their phase tells them from lipid, amino acids."""
    sequence, echo_time_s = basis.sequence or spectrum.sequence, spectrum.echo_time_s or basis.echo_time_s
    if sequence is None or echo_time_s is None:
        raise StudyError("sequence or echo time is not known", remedy="give both")
    inverted = echo_time_s >= settings.amino_acid_echo_s
    made = simulate_basis(
        sequence,
        echo_time_s,
        dwell_time_s=basis.dwell_time_s,
        points=basis.points,
        spectrometer_frequency_mhz=basis.spectrometer_frequency_mhz,
        names=("Ace", "Suc", *(_PARTS if inverted else ())),
        settings=settings,
    )
    extra = {name: made.fid(name) for name in ("Ace", "Suc") if name not in basis.names}
    if inverted:
        extra[AMINO_ACIDS] = np.asarray(sum(made.fid(name) for name in _PARTS))
    return replace(
        basis,
        names=(*extra, *basis.names),
        kinds=(*("metabolite",) * len(extra), *basis.kinds),
        fids=np.concatenate([np.stack(list(extra.values())), basis.fids]) if extra else basis.fids,
    )
