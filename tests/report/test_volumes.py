"""Volume change on the page: the line adds up, bars are 95 % intervals, gaps stay gaps, and every state is told."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from hlhneuro.errors import NotAssessable
from hlhneuro.lesions.volumes import StructureChange, VolumeChange, VolumeInterval
from hlhneuro.report import figures
from hlhneuro.report.figures.style import save_svg
from hlhneuro.report.methods import methods_of
from hlhneuro.report.sections import volumes


def change(structure, log_change, sd=0.002, expected=0.001):
    return StructureChange(
        structure, 1000.0, 1000 * log_change, 1000 * sd, log_change, sd, 0.1, 0.1, expected, 0.001, "Somebody 2001"
    )


def interval(before, after, log_change, **facts):
    changes = (change("brain", log_change), change("ventricles", -5 * log_change, 0.01, None))
    return VolumeInterval(before, after, changes, **facts)


COURSE = VolumeChange(
    (
        interval("01", "02", -0.02, steroids=True),
        interval("02", "03", 0.01, doubt="the scanner is not known"),
        interval("01", "03", -0.011, whole=True),
    ),
    {},
    1.96,
)


def lines(ax):
    return [line for line in ax.lines if len(line.get_xdata()) > 1 and line.get_marker() == "o"]


def test_the_line_adds_up_the_steps(results):
    figure = figures.volume_course(replace(results, volumes=COURSE))
    brain = figure.axes[0]
    (line,) = lines(brain)
    assert np.asarray(line.get_ydata()) == pytest.approx([0, 100 * math.expm1(-0.02), 100 * math.expm1(-0.01)])
    assert brain.get_title(loc="left") == "Brain parenchyma"
    assert "%" in brain.get_ylabel()
    bars = brain.collections[-2].get_segments() if len(brain.collections) > 1 else []
    high = max(float(segment[:, 1].max()) for segment in bars)
    assert high >= 100 * math.expm1(-0.011 + 1.96 * 0.002) - 1e-6


def test_a_step_without_measurement_is_a_gap(results):
    gap = replace(COURSE.intervals[0], changes=(), reason="two scanners")
    figure = figures.volume_course(replace(results, volumes=replace(COURSE, intervals=(gap, COURSE.intervals[1]))))
    (line,) = lines(figure.axes[0])
    assert len(line.get_xdata()) == 2
    assert line.get_ydata()[0] == 0
    assert "not assessable" in [text.get_text() for text in figure.axes[0].texts]


def test_the_figure_is_the_same_on_every_run(results):
    drawn = [save_svg(figures.volume_course(replace(results, volumes=COURSE))) for _ in range(2)]
    assert drawn[0] == drawn[1]


def test_nothing_measured_is_told_with_its_reason(results):
    none = VolumeChange((VolumeInterval("01", "02", (), "two scanners"),), {}, 1.96)
    with pytest.raises(NotAssessable, match="two scanners"):
        figures.volume_course(replace(results, volumes=none))
    assert volumes.facts(replace(results, volumes=none))["reasons"] == ["two scanners"]
    assert volumes.facts(replace(results, volumes=None))["reasons"]


def test_every_interval_and_structure_has_a_row(results):
    view = volumes.facts(replace(results, volumes=COURSE))
    rows = view["rows"]
    assert [(row["structure"], row["verdict"]) for row in rows[:2]] == [
        ("brain", "decrease"),
        ("ventricles", "not assessable"),
    ]
    assert rows[0]["steroids"]
    assert view["remarks"] == [{"text": "the scanner is not known", "intervals": ["ses-02 to ses-03"]}]
    assert rows[0]["measured_percent"] == pytest.approx(-2.0)
    assert rows[0]["excess_percent"] == pytest.approx(-2.1)
    assert rows[1]["expected_percent"] is None
    assert view["coverage_percent"] == pytest.approx(95.0, abs=0.01)
    assert [row["whole"] for row in rows] == [False] * 4 + [True] * 2


def test_methods_name_the_boundary_shift_integral_where_it_was_used(results):
    told = dict(methods_of(replace(results, volumes=COURSE)).paragraphs)
    assert "boundary shift integral" in told["Volumes"]
    assert "Volumes" not in dict(methods_of(replace(results, volumes=None)).paragraphs)
