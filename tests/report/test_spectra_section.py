"""What the page shows of one spectrum beyond its fit: how it was prepared, and what a report has to state."""

from __future__ import annotations

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
    row, steps = facts["spectra"][0], spectra.pictures(shown, facts, Gallery(60))["spectra"][0]["steps"]
    assert steps.source.startswith("data:image/png")
    assert "4 transients aligned over 1.0 Hz, 1 left out" in steps.alt
    assert row["reporting"] == [{"section": "hardware", "item": "model", "value": "not stated in the data"}]


def test_both_are_on_the_page_and_folded_away(results: SubjectResults, tmp_path: Path) -> None:
    table = pd.DataFrame({"section": ["hardware"], "item": ["model"], "value": ["<b>One</b>"]})
    spectra = tuple(replace(one, fit=replace(one.fit, stages=STAGES), reporting=table) for one in results.spectra[:1])
    shown = replace(results, spectra=spectra)
    page = write_report(shown, assess(shown, (), ()), tmp_path / "page.html").read_text("utf-8")
    section = page[page.index('id="spectra"') : page.index('id="quality"')]
    assert "<details><summary>Preparation, before and after</summary>" in section
    assert "<details><summary>What a report has to state (MRSinMRS)</summary>" in section
    assert "&lt;b&gt;One&lt;/b&gt;" in section


def test_a_fit_without_steps_shows_none(results: SubjectResults) -> None:
    spectrum = SpectrumResult("01", "svs", 0.03, "press", True, make_fit(), None, ())
    shown = replace(results, spectra=(spectrum,))
    facts = spectra.facts(shown)
    row = facts["spectra"][0]
    assert spectra.pictures(shown, facts, Gallery(60))["spectra"][0]["steps"] is None
    assert row["reporting"] == []
