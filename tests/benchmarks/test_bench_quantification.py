"""How far water-referenced concentrations are off on the phantom's voxels; ``pytest -m benchmark -s``."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hlhneuro.phantom.physics import LESION_STATES, tissue
from hlhneuro.phantom.placement import voxel_water
from hlhneuro.phantom.spectra import METABOLITE_RELAXATION_S, WATER_MMOL_PER_KG, attenuation
from hlhneuro.settings import SpectraSettings
from hlhneuro.spectroscopy import Spectrum, TissueFractions, water_scale

pytestmark = pytest.mark.benchmark
SETTINGS, REPETITION_S = SpectraSettings(), 2.0
FREQUENCY_MHZ = {1.5: 63.87, 3.0: 127.73}


def recovered(field_t: float, echo_time_s: float, lesion: float, state: str, csf: float) -> dict[str, object]:
    """Return what becomes of 1 mmol/kg in a voxel of known water: error, stated uncertainty, or no answer."""
    rest = 1.0 - lesion - csf
    water = voxel_water({"gm": 0.4 * rest, "wm": 0.6 * rest, "csf": csf, state: lesion}, field_t)
    size = 2 * WATER_MMOL_PER_KG * water.visible(echo_time_s, REPETITION_S)
    time = np.arange(1024) * 5e-4
    facts = ((), 5e-4, FREQUENCY_MHZ[field_t], "1H", np.diag([20.0, 20, 20, 1]), echo_time_s, REPETITION_S, "press")
    reference = Spectrum(size * np.exp(-10.0 * time) + 0j, *facts)
    metabolite = attenuation(*METABOLITE_RELAXATION_S[field_t], echo_time_s, REPETITION_S)
    amplitude = (1.0 - water.fractions.get("csf", 0.0)) * metabolite
    scale = water_scale(reference, reference, SETTINGS, tissue=TissueFractions(0.4 * rest, 0.6 * rest, csf, lesion))
    answered = scale.unit == "mmol/kg"
    factor, relative_sd = scale.of("Tau")  # a metabolite without T2 of its own: the error is that of water alone
    error = factor * amplitude - 1.0 if answered else np.nan
    row = {"field_t": field_t, "te_ms": 1e3 * echo_time_s, "lesion": lesion, "state": state, "csf": csf}
    return row | {"answered": answered, "error": error, "sd": relative_sd if answered else np.nan}


def test_concentrations_from_the_phantoms_water():
    assert tissue("necrotic", 3.0).t2_s > 1.5 * tissue("gm", 3.0).t2_s  # lesion water that is no tissue's
    rows = pd.DataFrame(
        recovered(field_t, echo_time_s, lesion, state, csf)
        for field_t in (1.5, 3.0)
        for echo_time_s in (0.030, 0.144, 0.288)
        for lesion in (0.0, 0.2, 0.5, 0.9)
        for state in LESION_STATES
        for csf in (0.0, 0.1)
    )
    told = rows.groupby(["te_ms", "lesion"]).agg(
        answered=("answered", "mean"),
        worst=("error", lambda e: e.abs().max()),
        median=("error", lambda e: e.abs().median()),
        sd=("sd", "median"),
    )
    print("\n" + (100 * told).round(0).to_string())
    answered = rows[rows.answered]
    pull = (answered.error.abs() / answered.sd).to_numpy()
    print(f"error over stated uncertainty: 68th percentile {np.percentile(pull, 68):.2f}, worst {pull.max():.2f}")
    assert np.percentile(pull, 68) < 1.2
    assert pull.max() < 2.5
    assert answered[answered.te_ms == 30].error.abs().max() < 0.20
