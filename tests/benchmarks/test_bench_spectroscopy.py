"""Accuracy and speed of the spectroscopy room; run with ``pytest -m benchmark -s``."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hlhneuro.settings import SpectraSettings
from hlhneuro.spectroscopy import Spectrum, add_broad_signals, fit_spectrum, read_basis, simulate_basis
from hlhneuro.spectroscopy.basis import _metabolite_fid

pytestmark = pytest.mark.benchmark

CHALLENGE = Path(__file__).parents[2].parent / "shared" / "data" / "mrs_challenge"
needs_challenge = pytest.mark.skipif(not CHALLENGE.is_dir(), reason="fitting challenge data not here")
MAJOR = ("tNAA", "tCr", "tCho", "mI", "Glu", "Gln", "Glx")
MINOR = ("GSH", "GABA", "Asc", "Tau", "Lac", "Asp", "PE", "NAAG", "sIns", "Ala")
TRUTH_NAMES = {"tNAA": "NAA+NAAG", "tCr": "Cr+PCr", "tCho": "GPC+PCho", "mI": "Ins", "Glx": "Glu+Gln"}


def raw(path):
    values = np.array(path.read_text().split("$END")[-1].split(), float)
    return values[::2] + 1j * values[1::2]


@pytest.mark.realdata
@needs_challenge
def test_challenge_errors_and_time():
    basis = read_basis(CHALLENGE / "basis" / "press3T_30ms.BASIS")
    truth = pd.read_csv(CHALLENGE / "truth_1_to_7.csv", index_col=0)
    fits, seconds = {}, []
    for i in range(1, 8):
        facts = ((), 1 / 4000, 123.2, "1H", np.diag([20.0, 20, 20, 1]), 0.03, 10.0, "press")
        pair = [Spectrum(raw(CHALLENGE / "datasets" / f"dataset{i}.{end}"), *facts) for end in ("RAW", "H2O")]
        fit = fit_spectrum(pair[0], basis, water=pair[1])
        fits[i] = fit.concentrations.set_index("metabolite").concentration
        seconds.append(float(fit.quality["fit_seconds"]))
    found = pd.DataFrame(fits)
    known = truth.rename(columns=lambda c: int(float(c)))
    scale = float((known.loc["Cr+PCr"] / found.loc["tCr"]).median())
    error = {
        name: float((100 * (found.loc[name] * scale / known.loc[TRUTH_NAMES.get(name, name)] - 1).abs()).mean())
        for name in (*MAJOR, *MINOR)
    }
    major, minor = (np.mean([error[n] for n in names]) for names in (MAJOR, MINOR))
    print("\n" + "  ".join(f"{name} {value:.0f} %" for name, value in error.items()))
    print(
        f"major {major:.1f} %, minor (single functions) {minor:.1f} %, median {1e3 * np.median(seconds):.0f} ms a fit"
    )
    assert major < 10


def test_basis_is_simulated_within_seconds():
    _metabolite_fid.cache_clear()
    started = time.perf_counter()
    made = simulate_basis("press", 0.03, dwell_time_s=5e-4, points=2048, spectrometer_frequency_mhz=123.2)
    seconds = time.perf_counter() - started
    print(f"\n{len(made.names)} metabolites, PRESS, 2048 points: {seconds:.2f} s")
    assert seconds < 3


def test_bounds_are_calibrated_on_made_spectra():
    # If bounds are right, 68 % of errors lie within one: the 68th percentile of |error| / bound is one.
    content = {
        **{"NAA": 8.0, "NAAG": 1.0, "Cr": 4.0, "PCr": 4.0, "GPC": 1.0, "PCho": 0.5, "mI": 5.0, "Glu": 8.0, "Gln": 2.5},
        **{"Lac": 1.0, "GSH": 1.2, "Tau": 1.5, "MM09": 1.5, "MM12": 1.0, "MM14": 1.5, "MM17": 1.0, "MM20": 2.5},
    }
    basis = simulate_basis("press", 0.03, dwell_time_s=5e-4, points=1024, spectrometer_frequency_mhz=123.2)
    whole = add_broad_signals(basis)
    t = np.arange(1024) * 5e-4
    clean = sum(value * whole.fid(name) for name, value in content.items()) * np.exp(-9.0 * t - 40.0 * t * t)
    truth = content | {"tNAA": 9.0, "tCr": 8.0, "tCho": 1.5, "Glx": 10.5}
    pulls: dict[str, list[float]] = {}
    for seed in range(60):
        rng = np.random.default_rng(seed)
        fid = clean + 1.0 * (rng.standard_normal(1024) + 1j * rng.standard_normal(1024))
        made = Spectrum(fid, (), 5e-4, 123.2, "1H", np.eye(4) * 20, 0.03, 2.0, "press")
        table = fit_spectrum(made, basis, settings=SpectraSettings()).concentrations.set_index("metabolite")
        for name in ("tNAA", "tCr", "tCho", "mI", "Glx", "Lac", "GSH", "Tau"):
            pulls.setdefault(name, []).append(abs(table.concentration[name] - truth[name]) / table.sd[name])
    percentile = {name: float(np.percentile(values, 68)) for name, values in pulls.items()}
    print("\n68th percentile of |error| / bound: " + "  ".join(f"{n} {p:.2f}" for n, p in percentile.items()))
    assert 0.6 < np.median(list(percentile.values())) < 1.5
