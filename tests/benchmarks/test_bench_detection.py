"""How much lactate is found, and how often it is where there is none; run with ``pytest -m benchmark -s``."""

from __future__ import annotations

import itertools
from pathlib import Path

import pandas as pd
import pytest

from hlhneuro.answers import Answer
from hlhneuro.report import figures
from hlhneuro.settings import PatternSettings, SpectraSettings
from hlhneuro.spectroscopy import SpectrumResult, fit_spectrum, spectrum_findings
from tests.spectroscopy.made_voxels import HEALTHY, Voxel, acquire, basis

pytestmark = pytest.mark.benchmark

IMAGES = Path(__file__).parents[2] / "docs" / "images"
SHORT_S, LONG_S = 0.030, 0.144
LIPIDS, LINEWIDTHS_HZ, SNRS, HUMPS = (0.0, 2.0, 8.0, 20.0), (4.0, 9.0), (10.0, 20.0, 40.0), (0.0, 0.3)
LACTATES = (0.5, 1.0, 2.0, 3.0)
EMPTY_DRAWS, FULL_DRAWS = 10, 2


def measured(voxel: Voxel, seed: tuple[int, ...]) -> list[SpectrumResult]:
    """Fit one voxel at both echo times."""
    results = []
    for (spectrum, water), echo_time_s in zip(acquire(voxel, (SHORT_S, LONG_S), seed), (SHORT_S, LONG_S), strict=True):
        fit = fit_spectrum(
            spectrum, basis(echo_time_s), water=water, tissue=(0.5, 0.5, 0.0), settings=SpectraSettings()
        )
        name = f"acq-{1e3 * echo_time_s:.0f}"
        results.append(SpectrumResult("01", name, echo_time_s, "press", True, fit, None, ()))
    return results


def said(results: list[SpectrumResult]) -> dict[str, bool]:
    """Return whether lactate is said to be there by each echo time alone and by both."""
    alone = [bool(r.fit.concentrations.set_index("metabolite").detected["Lac"]) for r in results if r.fit is not None]
    joint = next(f for f in spectrum_findings(results, None, PatternSettings()) if f.code == "lactate_verified")
    return {"TE 30": alone[0], "TE 144": alone[1], "TE 30 + 144": joint.answer is Answer.PRESENT}


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    rows = []
    for number, cell in enumerate(itertools.product(LIPIDS, LINEWIDTHS_HZ, SNRS, HUMPS)):
        lipid, linewidth, snr, hump = cell
        for lactate, draws in ((0.0, EMPTY_DRAWS), *((amount, FULL_DRAWS) for amount in LACTATES)):
            for draw in range(draws):
                # In every other voxel macromolecules differ much and half of the inverted doublet cancels.
                voxel = Voxel(
                    HEALTHY | {"Lac": lactate}, lipid, variation=(0.1, 0.4)[draw % 2], hump=hump,
                    linewidth_hz=linewidth, snr=snr, lost_at_144=(0.0, 0.5)[draw % 2],
                )  # fmt: skip
                answers = said(measured(voxel, (7, number, int(10 * lactate), draw)))
                facts = {"lipid": lipid, "linewidth_hz": linewidth, "snr": snr, "hump": hump, "lactate": lactate}
                rows += [facts | {"echo_times": how, "found": found} for how, found in answers.items()]
    return pd.DataFrame(rows)


def test_lactate_is_not_found_where_there_is_none(table):
    empty = table[table.lactate == 0]
    for by in ("lipid", "linewidth_hz", "snr", "hump"):
        print(
            "\nfalse positives in per cent\n", (100 * empty.pivot_table("found", by, "echo_times")).round(1).to_string()
        )
    counts = empty.groupby("echo_times").found.agg(["sum", "count"])
    print(counts.to_string())
    assert counts["count"].min() >= 300
    assert (counts["sum"] <= 0.01 * counts["count"]).all()
    # Lipid without lactate is never verified as lactate.
    assert not empty[(empty.lipid > 0) & (empty.echo_times == "TE 30 + 144")].found.any()


def test_lactate_that_matters_is_found(table):
    full = table[table.lactate > 0]
    for by in ("lipid", "snr"):
        found = 100 * full.pivot_table("found", [by, "echo_times"], "lactate")
        print(f"\nfound in per cent, mmol/kg, by {by}\n", found.round(0).to_string())
    clean = full[(full.lipid <= 2) & (full.snr >= 20) & (full.lactate >= 2)]
    assert clean[clean.echo_times == "TE 30 + 144"].found.mean() >= 0.9
    (IMAGES / "lactate.png").write_bytes(figures.png_bytes(figures.lactate_curves(table), dpi=110))
