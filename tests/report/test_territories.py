"""Territories: what is told is what was measured, and a colour stands where its territory lies."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb

from hlhneuro.errors import NotAssessable
from hlhneuro.report import assess, figures, html, write_report
from hlhneuro.report.figures.choropleth import (
    CLASS_COLOURS,
    CLASS_INKS,
    class_of,
    count_classes,
    percent_classes,
    slices_showing,
    tinted,
)
from hlhneuro.report.figures.sheet import AXIAL, View
from hlhneuro.report.sections import territories
from tests.report.test_html import Page
from tests.report.walker import misfits_of


@pytest.fixture(scope="module")
def facts(results):
    return territories.facts(results)


def test_facts_are_the_loads_as_measured(facts, results):
    table = results.change.territories.set_index(["territory", "side", "session"])
    labels = [session["label"] for session in facts["sessions"]]
    assert [session["affected"] for session in facts["sessions"]] == [2, 3, 2]
    for row in facts["rows"]:
        for label, cell in zip(labels, row["cells"], strict=True):
            own = table.loc[(row["territory"], row["side"], label)]
            assert cell["load_ml"] == own["load_ml"]
            assert cell["load_percent"] == pytest.approx(100 * own["load_ml"] / row["territory_ml"])
            assert cell["affected"] == own["affected"]
    deep = facts["rows"][0]["cells"]
    assert deep[0]["change_ml"] is None
    assert deep[1]["change_ml"] == pytest.approx(deep[1]["load_ml"] - deep[0]["load_ml"])
    assert deep[1]["change_sd_ml"] == pytest.approx(np.hypot(0.2, 0.2))
    assert facts["literature"]["cut_off_regions"] == 4.5


def test_sessions_that_cannot_be_compared_have_no_change(results):
    first, second, third = results.lesions.sessions
    lesions = replace(results.lesions, sessions=(first, replace(second, contrasts=("T2w",)), third))
    told = territories.facts(replace(results, lesions=lesions))
    reasons = {row["after"] for row in told["not_compared"]}
    for row in told["rows"]:
        for session, cell in zip(told["sessions"], row["cells"], strict=True):
            assert (cell["change_ml"] is None) == (session["label"] == "01" or session["label"] in reasons)


def test_a_limit_belongs_to_the_class_below_it():
    assert [class_of(value, (1, 5, 20, 50)) for value in (0.1, 1, 1.1, 5, 20, 50, 50.1, 100)] == [
        0,
        0,
        1,
        1,
        2,
        3,
        4,
        4,
    ]
    assert len(percent_classes((1, 5, 20, 50))) == len(CLASS_COLOURS)


@pytest.mark.parametrize("most", [1, 2, 3, 5, 6, 7, 12, 60])
def test_classes_of_counts_hold_every_count_once(most):
    limits, classes = count_classes(most)
    assert len(classes) == len(limits) + 1 <= len(CLASS_COLOURS)
    assert len({colour for colour, _ in classes}) == len(classes)
    for count in range(1, most + 1):
        words = classes[class_of(count, limits)][1]
        low, _, high = words.partition(" to ")
        assert int(low) <= count <= int(high or low)


def test_numbers_on_a_colour_can_be_read():
    def luminance(colour):
        channels = np.array(to_rgb(colour))
        linear = np.where(channels <= 0.03928, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
        return float(linear @ [0.2126, 0.7152, 0.0722])

    for back, ink in zip(CLASS_COLOURS, CLASS_INKS, strict=True):
        dark, light = sorted((luminance(back), luminance(ink)))
        assert (light + 0.05) / (dark + 0.05) >= 4.5
    assert list(map(luminance, CLASS_COLOURS)) == sorted(map(luminance, CLASS_COLOURS), reverse=True)


def test_slices_show_each_territory_where_it_is_widest():
    labels = np.zeros((20, 20, 40), np.int16)
    labels[5:15, 5:15, 8:11] = 11
    labels[8:12, 8:12, 11:14] = 11
    labels[2:6, 2:6, 25:28] = 22
    first, second = slices_showing(labels, {11, 22}, AXIAL, 2, 3)
    assert first in (8, 9, 10)
    assert second in (25, 26, 27)
    assert slices_showing(labels, {33}, AXIAL, 2, 3) == []


def test_a_colour_lies_where_its_territory_lies(results):
    """The right frontal territory is on the left of the picture, and nothing else has its colour."""
    view, regions = View.of(results.aligned), results.lesions.territories
    index = view.index_at(AXIAL, 0.7)
    labels = view.plane(regions, AXIAL, index)
    brain = view.plane(view.brain, AXIAL, index)
    picture = tinted(np.full(labels.shape, 0.5), labels, {12: CLASS_COLOURS[4]}, brain)
    red = (picture[..., 0] > 0.6) & (picture[..., 2] < 0.4)
    np.testing.assert_array_equal(red, labels == 12)
    assert np.nonzero(red)[1].max() <= labels.shape[1] / 2
    assert (picture[~brain] == 0).all()


def test_the_map_names_sessions_sides_and_its_scale(results):
    figure = figures.territory_map(results)
    written = [text.get_text() for text in figure.axes[0].texts]
    assert any(text.startswith("ses-02 · 2019-04-08 · 4.6") and "3 territories affected" in text for text in written)
    assert {"R", "L", "50 mm"} <= set(written)
    assert "patient's left is on the right" in " ".join(written).replace("\n", " ")
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == [words for _, words in percent_classes((1, 5, 20, 50))]


def test_twelve_sessions_fit_the_page(results):
    tables = [results.change.territories.assign(session=f"{n:02d}") for n in range(1, 13)]
    table = pd.concat([own.drop_duplicates(["territory", "side"]) for own in tables])
    sessions = tuple(replace(results.subject.sessions[0], label=f"{n:02d}") for n in range(1, 13))
    many = replace(
        results, subject=replace(results.subject, sessions=sessions), change=replace(results.change, territories=table)
    )
    figure = figures.territory_load(many)
    figure.canvas.draw()
    box = figure.get_tightbbox()
    assert box.x0 > -0.03
    assert box.x1 < figure.get_figwidth() + 0.03
    assert min(text.get_fontsize() for text in figure.axes[0].texts) >= 5.5


@pytest.fixture(scope="module")
def unaffected(results):
    table = results.change.territories.assign(load_ml=0.0, load_fraction=0.0, lesions=0, affected=False)
    return replace(results, change=replace(results.change, territories=table))


@pytest.fixture
def section_alone(monkeypatch):
    """A page of this section only: quick, and untouched by the others."""
    monkeypatch.setattr(html, "SECTIONS", [section for section in html.SECTIONS if section.key == "territories"])


def test_no_affected_territory_is_said_in_words(unaffected, section_alone, tmp_path):
    with pytest.raises(NotAssessable, match="no territory is affected"):
        figures.territory_map(unaffected)
    text = Page(write_report(unaffected, assess(unaffected), tmp_path / "x.html").read_text()).text
    assert "No territory is affected at any session." in text


def test_every_number_of_the_section_is_in_the_account(results, findings, section_alone, tmp_path):
    text = write_report(results, findings, tmp_path / "x.html").read_text()
    assert "territories" not in misfits_of(text, json.loads(json.dumps(findings.to_json())))
    pictures = Page(text).of("img")
    assert len(pictures) == 2
    assert "deep white matter left 3.8\u00a0%" in pictures[0]["alt"]


def test_nothing_assessed_is_said_with_words(empty_results, section_alone, tmp_path):
    text = Page(write_report(empty_results, assess(empty_results), tmp_path / "x.html").read_text()).text
    assert "Load by territory is not known" in text
