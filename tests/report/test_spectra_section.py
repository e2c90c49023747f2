"""What the page shows of one spectrum beyond its fit: how it was prepared, and what a report has to state."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hlhneuro.errors import NotAssessable
from hlhneuro.report import SubjectResults, assess, figures, write_report
from hlhneuro.report.gallery import Gallery
from hlhneuro.report.sections import spectra
from hlhneuro.spectroscopy import SpectrumResult
from hlhneuro.spectroscopy.preprocessing import Stage
from tests.report.conftest import make_fit

PPM = np.linspace(5.5, 0.0, 300)
PEAK = np.exp(-(((PPM - 2.0) / 0.05) ** 2))
COURSES = {
    "shifts_hz": np.array([0.0, 1.0, 9.0, 0.5]),
    "shifts_sd_hz": np.full(4, 0.1),
    "phases_deg": np.zeros(4),
    "phases_sd_deg": np.ones(4),
    "weights": np.array([0.3, 0.3, 0.0, 0.4]),
}
STAGES = (
    Stage("transients", PPM, 0.8 * PEAK, PEAK, COURSES),
    Stage("residual water removal", PPM, PEAK + 90 * np.exp(-(((PPM - 4.65) / 0.1) ** 2)), PEAK),
)


def test_every_step_is_drawn_before_and_after() -> None:
    figure = figures.preparation_steps(STAGES, "ses-01")
    titles = [ax.get_title("left") for ax in figure.axes]
    assert titles[::2] == ["transients", "residual water removal"]
    assert "1 left out" in titles[1]
    for ax, stage in zip(figure.axes[::2], STAGES, strict=True):
        before, after = (line.get_ydata() for line in ax.lines)
        np.testing.assert_array_equal(before, stage.before)
        np.testing.assert_array_equal(after, stage.after)
        assert ax.get_ylim()[1] < 2.0  # residual water is cut off, metabolites fill the panel


def test_a_spectrum_that_came_prepared_has_no_such_figure() -> None:
    with pytest.raises(NotAssessable):
        figures.preparation_steps((), "ses-01")


def test_the_page_gets_the_steps_and_the_table(results: SubjectResults) -> None:
    record = (
        ("transients", {"count": 4, "drift_hz": 1.0, "rejected": [2]}),
        ("residual water removal", {"removed": 1}),
    )
    fit = replace(make_fit(), stages=STAGES, record=record)
    table = pd.DataFrame({"section": ["hardware"], "item": ["model"], "value": ["not stated in the data"]})
    spectrum = SpectrumResult("01", "svs", 0.03, "press", True, fit, None, (), reporting=table)
    shown = replace(results, spectra=(spectrum,))
    facts = spectra.facts(shown)
    row, (steps,) = (
        facts["voxels"][0]["spectra"][0],
        spectra.pictures(shown, facts, Gallery(60))["voxels"][0]["steps"],
    )
    assert steps.source.startswith("data:image/png")
    assert "4 transients aligned over 1\u00a0Hz, 1 left out" in steps.alt
    assert row["steps"] == [
        {"name": "transients", "transients": 4, "drift_hz": 1.0, "left_out": 1},
        {"name": "residual water removal"},
    ]
    assert row["reporting"] == [{"section": "hardware", "item": "model", "value": "not stated in the data"}]


def test_both_are_on_the_page_and_folded_away(
    results: SubjectResults, only: Callable[..., None], tmp_path: Path
) -> None:
    table = pd.DataFrame({"section": ["hardware"], "item": ["model"], "value": ["<b>One</b>"]})
    spectra = tuple(replace(one, fit=replace(one.fit, stages=STAGES), reporting=table) for one in results.spectra[:1])
    shown = replace(results, spectra=spectra)
    only("spectra", "quality")
    page = write_report(shown, assess(shown, (), ()), tmp_path / "page.html").read_text("utf-8")
    section = page[page.index('id="spectra"') : page.index('id="quality"')]
    assert "<details><summary>Preparation of voi-lesion, before and after</summary>" in section
    assert "<details><summary>What a report of voi-lesion has to state (MRSinMRS)</summary>" in section
    assert "&lt;b&gt;One&lt;/b&gt;" in section


def test_a_fit_without_steps_shows_none(results: SubjectResults) -> None:
    spectrum = SpectrumResult("01", "svs", 0.03, "press", True, make_fit(), None, ())
    shown = replace(results, spectra=(spectrum,))
    facts = spectra.facts(shown)
    assert spectra.pictures(shown, facts, Gallery(60))["voxels"][0]["steps"] == [None]
    assert facts["voxels"][0]["spectra"][0]["reporting"] == []


# ------------------------------------------------------------------------------------------------ what it tells


def test_echo_times_of_one_voxel_stand_together_short_ones_first(results: SubjectResults) -> None:
    first = results.spectra[0]
    long = replace(first, name="acq-long_voi-lesion", echo_time_s=0.144)
    short = replace(first, name="acq-short_voi-lesion", echo_time_s=0.03)
    assert first.voxel is not None
    moved = replace(first.voxel, mask=np.roll(first.voxel.mask, 2, axis=0))
    aside = replace(first, name="run-2_voi-lesion", voxel=moved)
    told = spectra.facts(replace(results, spectra=(long, short, aside)))["voxels"]
    names = [[row["name"] for row in voxel["spectra"]] for voxel in told]
    assert names == [["acq-short_voi-lesion", "acq-long_voi-lesion"], ["run-2_voi-lesion"]]
    assert [row["echo_time_ms"] for row in told[0]["spectra"]] == pytest.approx([30, 144])


def test_what_is_not_detected_has_its_limit(results: SubjectResults) -> None:
    """The ratio that a signal of that uncertainty would have had to reach."""
    facts = spectra.facts(results)
    rows = {row["name"]: row for row in facts["voxels"][0]["spectra"][0]["metabolites"]}
    lipid = rows["Lip13"]
    assert lipid["detected"] is False
    assert lipid["ratio_limit"] == pytest.approx(facts["detection_sd"] * lipid["ratio_sd"])
    assert rows["tNAA"]["detected"] is True
    assert rows["tNAA"]["ratio_limit"] is None


def test_overlap_of_voxels_is_told_and_what_forbids_a_comparison(results: SubjectResults) -> None:
    (row,) = spectra.facts(results)["overlaps"]
    assert (row["before"], row["after"], row["overlap_percent"]) == ("01", "02", 100.0)
    assert row["compared"] is False  # the fixture does not tell its field strength
    assert "the field is not known of both spectra" in row["reasons"]


def test_what_the_voxel_holds_adds_up(results: SubjectResults) -> None:
    held = spectra.facts(results)["voxels"][0]["voxel"]["parts"]
    assert [part["name"] for part in held] == ["grey matter", "white matter", "CSF", "lesion"]
    assert sum(part["percent"] for part in held) == pytest.approx(100)


def test_bars_stand_for_ratios_and_hollow_ones_for_what_is_not_detected(results: SubjectResults) -> None:
    figure = figures.ratio_bars(results)
    bars = {ax.get_title("left"): ax.patches for ax in figure.axes}
    naa, lipid = bars["tNAA / tCr"], bars["lipid, 1.3 ppm / tCr"]
    assert [bar.get_height() for bar in naa] == pytest.approx([10 / 7, 6 / 7])
    assert all(bar.get_facecolor()[:3] == (1, 1, 1) for bar in lipid)
    assert not any(bar.get_facecolor()[:3] == (1, 1, 1) for bar in naa)
    with pytest.raises(NotAssessable, match="no spectrum"):
        figures.ratio_bars(replace(results, spectra=()))


def test_parts_of_a_fit_carry_their_bound(results: SubjectResults) -> None:
    parts = figures.spectrum_fit(make_fit(), "sub-01").axes[2]
    written = [text.get_text() for text in parts.texts]
    assert "tNAA 4\u00a0%" in written
    assert "Lac 6\u00a0%" in written
    assert "lipids" in written  # the table of the fixture has no sum of lipids
