"""Which pattern is named for spectra of known content; run with ``pytest -m benchmark -s``."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest

from hlhneuro.answers import Answer
from hlhneuro.settings import PatternSettings, SpectraSettings
from hlhneuro.spectroscopy import SpectrumResult, VoxelComposition, fit_spectrum, spectrum_findings
from tests.spectroscopy.made_voxels import HEALTHY, Voxel, acquire, basis

pytestmark = pytest.mark.benchmark

ECHO_TIMES_S = (0.030, 0.144)
CHOICES = {"TE 30": ("acq-30",), "TE 144": ("acq-144",), "TE 30 + 144": ("acq-30", "acq-144")}
FIELDS_T, SNRS, LINEWIDTHS_PPM = (1.5, 3.0), (10.0, 20.0, 40.0), (0.035, 0.075)
DRAWS = {"normal": 10, "necrotic": 10}  # three of the others
OTHERS = 3
PLACE = VoxelComposition(np.ones((1, 1, 1), bool), 8.0, 1.0, 0.5, 0.5, 0.0, 0.0)


def _times(lipid: float = 0.0, rest: float = 1.0, **changes: float) -> tuple[dict[str, float], float]:
    content = {name: amount * changes.get(name, rest) for name, amount in HEALTHY.items()}
    return content | {name: amount for name, amount in changes.items() if name not in HEALTHY}, lipid


# Parts of the healthy concentrations; what a healthy voxel lacks in mmol/kg, lipid over healthy tCr. Expert-set.
TRUTHS = {
    "normal": _times(Lac=0.4),
    "inflammatory": _times(NAA=0.7, NAAG=0.7, GPC=1.4, PCho=1.4, Glu=1.15, Gln=1.8, Lac=5.0),
    "necrotic": _times(12.0, rest=0.45, NAA=0.28, NAAG=0.28, Cr=0.4, PCr=0.4, Lac=8.0),
    "NAA only": _times(NAA=0.6, NAAG=0.6, Lac=0.4),
    "lactate only": _times(Lac=5.0),
    "abscess": _times(2.0, rest=0.05, Lac=12.0, Ace=8.0, Suc=4.0, Val=4.0, Leu=4.0, Ile=4.0),
    "neoplasm": _times(10.0, NAA=0.3, NAAG=0.3, Cr=0.8, PCr=0.8, GPC=2.5, PCho=2.5, Lac=3.0),
}


def measured(truth: str, session: str, cell: tuple[float, float, float], seed: tuple[int, ...]) -> list[SpectrumResult]:
    field_t, snr, linewidth_ppm = cell
    rng = np.random.default_rng([11, *seed])
    content, lipid = TRUTHS[truth]
    content = {name: amount * rng.lognormal(0, 0.05) for name, amount in content.items()}  # no two people are alike
    hz = linewidth_ppm * (123.2 if field_t == 3.0 else 63.87)
    voxel = Voxel(content, lipid, hump=0.1, linewidth_hz=hz, snr=snr, field_t=field_t)
    results = []
    for (spectrum, water), echo_time_s in zip(acquire(voxel, ECHO_TIMES_S, seed), ECHO_TIMES_S, strict=True):
        fit = fit_spectrum(
            spectrum, basis(echo_time_s, field_t), water=water, tissue=(0.5, 0.5, 0.0), settings=SpectraSettings()
        )
        name = f"acq-{1e3 * echo_time_s:.0f}"
        results.append(SpectrumResult(session, name, echo_time_s, "press", True, fit, PLACE, ()))
    return results


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    rows = []
    for number, cell in enumerate(itertools.product(FIELDS_T, SNRS, LINEWIDTHS_PPM)):
        for draw in range(max(DRAWS.values())):
            before = measured("normal", "01", cell, (number, draw, 0))
            for code, truth in enumerate(TRUTHS, start=1):
                if draw >= DRAWS.get(truth, OTHERS):
                    continue
                now = measured(truth, "02", cell, (number, draw, code))
                for choice, names in CHOICES.items():
                    chosen = [result for result in now if result.name in names]
                    found = spectrum_findings(chosen, before, PatternSettings())
                    called = {
                        f.code.removeprefix("pattern_"): f.answer is Answer.PRESENT
                        for f in found
                        if f.code.startswith("pattern_")
                    }
                    rows.append({"truth": truth, "echo_times": choice, **called, "none": not any(called.values())})
    return pd.DataFrame(rows)


def test_patterns_of_known_content(table):
    for choice, own in table.groupby("echo_times"):
        counts = 100 * own.drop(columns="echo_times").groupby("truth").mean()
        print(f"\n{choice}: per cent of voxels for which a pattern is named")
        print(counts.loc[list(TRUTHS)].round(0).astype(int).to_string())
    print(table.groupby("truth").size().to_string())
    assert not table[table.truth == "necrotic"].normal.any()
    normal = table[table.truth == "normal"]
    assert len(normal) >= 300
    assert normal.inflammatory_necrotic.mean() <= 0.01
    both = table[table.echo_times == "TE 30 + 144"]
    assert both[both.truth == "necrotic"].inflammatory_necrotic.mean() >= 0.5
