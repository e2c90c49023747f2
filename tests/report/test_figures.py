"""Pictures show the right side on the right side, keep to their scale, and are the same on every run."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from hlhneuro.errors import NotAssessable
from hlhneuro.report import figures, tables_of
from hlhneuro.report.figures.slices import AXIAL, CORONAL, Frame, background_of, choose_slices, draw_slice, scale_bar
from hlhneuro.report.figures.style import CHANGE_COLOURS, new_figure
from hlhneuro.report.figures.timeline import session_places
from tests.report.conftest import SPHERES, make_fit


@pytest.fixture
def frame(results):
    return Frame.of(results.aligned, [background_of(session) for session in results.aligned.sessions])


def test_the_patients_left_is_on_the_right_of_the_picture(results, frame):
    """A white blob on the patient's left (negative x) has to be drawn right of the middle."""
    grid = results.aligned.grid
    points = grid.points_mm()
    blob = (np.linalg.norm(points - np.array([-40.0, -20.0, 28.0]), axis=-1) < 12).astype(np.float32)
    index = round((28.0 - grid.affine[2, 3]) / grid.affine[2, 2])
    figure = new_figure(3, 3)
    ax = figure.subplots()
    draw_slice(ax, replace(frame, window=(0.0, 1.0)), blob, AXIAL, index)
    grey = np.asarray(Image.open(BytesIO(figures.png_bytes(figure, 80))).convert("L"), dtype=float)
    place = ax.get_window_extent().transformed(figure.dpi_scale_trans.inverted())
    middle = [round(edge * 80) for edge in place.intervalx]
    inside = grey[:, middle[0] + 2 : middle[1] - 2]
    inside = inside[(inside < 250).any(axis=1) & (inside.min(axis=1) < 5)]
    columns = np.flatnonzero((inside > 128).any(axis=0))
    assert columns.size
    assert columns.min() > inside.shape[1] / 2


def test_slices_are_drawn_in_millimetres(results, frame):
    figure = new_figure(3, 3)
    ax = figure.subplots()
    draw_slice(ax, frame, results.aligned.sessions[0].volumes["FLAIR"].data, AXIAL, 30)
    left, right = ax.get_xlim()
    assert left > right  # x falls from the patient's right to left
    assert left - right == pytest.approx(frame.width_mm(AXIAL))
    brain = np.argwhere(results.aligned.brain_mask)
    size = (brain[:, 0].max() - brain[:, 0].min() + 1) * 3.0
    assert frame.width_mm(AXIAL) == pytest.approx(size + 12.0, abs=0.1)
    scale_bar(ax)
    (bar,) = [line for line in ax.lines if line.get_linewidth() == 2]
    assert np.ptp(np.asarray(bar.get_xdata(), dtype=float)) == pytest.approx(50.0)


def test_slices_go_through_the_lesions(results):
    grid = results.aligned.grid
    heights = [grid.affine[2, 3] + 3.0 * index for index in choose_slices(results, AXIAL, 2, 12.0)]
    for centre in (SPHERES[0][0], SPHERES[2][0]):
        assert min(abs(height - centre[2]) for height in heights) < 9.0


def test_slices_keep_their_distance_and_exist_without_lesions(results):
    bare = replace(results, lesions=None, change=None)
    for given in (results, bare):
        for axis in (AXIAL, CORONAL):
            chosen = choose_slices(given, axis, 4, 12.0)
            assert len(chosen) == 4
            assert min(np.diff(chosen)) * 3.0 >= 12.0


def test_sessions_share_one_grey_window(results, frame):
    values = np.concatenate([s.volumes["FLAIR"].data[results.aligned.brain_mask] for s in results.aligned.sessions])
    assert frame.window == pytest.approx(np.percentile(values, (1, 99.7)))


def test_session_panels_are_titled_with_date_and_age(results):
    figure = figures.session_panels(results)
    titles = [ax.get_title() for ax in figure.axes[:3]]
    assert titles[1] == "ses-02 · FLAIR\n2019-04-08 · 4.6\u00a0years"
    written = {text.get_text() for text in figure.axes[0].texts}
    assert {"R", "L", "50 mm"} <= written
    assert len(figure.axes) == 3 * (results.settings.report.panel_slices + 1)


def test_a_session_without_lesions_says_so(results):
    lesions = replace(results.lesions, sessions=results.lesions.sessions[:1], not_assessable={"02": "no FLAIR"})
    figure = figures.session_panels(replace(results, lesions=lesions))
    assert "lesions not assessable" in figure.axes[1].get_title()


def test_change_legend_names_every_kind_with_its_volume(results):
    interval = results.change.intervals[0]
    (legend,) = figures.change_panels(results, interval).legends
    texts = [text.get_text() for text in legend.get_texts()]
    assert texts == [f"{kind} {getattr(interval, f'{kind}_ml'):.1f} ml" for kind in CHANGE_COLOURS]


def test_spectrum_runs_from_high_to_low_shift_and_names_peaks_where_they_stand():
    figure = figures.spectrum_fit(make_fit(), "sub-01")
    residual, main, _ = figure.axes
    assert main.get_xlim()[0] > main.get_xlim()[1]
    places = {text.get_text(): text.xy[0] for text in main.texts}
    assert places["NAA"] == pytest.approx(2.008, abs=0.02)
    assert places["Cho"] == pytest.approx(3.2, abs=0.02)
    fit = make_fit()
    np.testing.assert_allclose(residual.lines[0].get_ydata(), (fit.data - fit.fit).real)


def test_no_label_is_cut_off(results):
    """Everything that is written lies inside the sheet."""
    tables = tables_of_all(results)
    drawn = [
        figures.timeline(results),
        figures.session_panels(results),
        figures.change_panels(results, results.change.intervals[0]),
        figures.territory_load(results),
        figures.spectrum_fit(make_fit(), "ses-01, voi-lesion"),
        figures.voxel_location(results, results.spectra[0]),
        figures.registration_check(results),
        figures.load_trajectories(tables),
        figures.interval_changes(tables),
        figures.territory_frequency(tables),
    ]
    for number, figure in enumerate(drawn):
        figure.canvas.draw()
        tight = figure.get_tightbbox()
        width, height = figure.get_size_inches()
        slack = 0.03
        assert tight.x0 > -slack, number
        assert tight.y0 > -slack, number
        assert tight.x1 < width + slack, number
        assert tight.y1 < height + slack, number


def tables_of_all(results):
    from hlhneuro.report import assess

    return tables_of(results, assess(results))


def test_close_sessions_do_not_write_over_each_other(results):
    import datetime as dt

    days = (0, 2, 120)
    first = results.subject.sessions[0].date
    sessions = tuple(
        replace(session, date=first + dt.timedelta(days=day))
        for session, day in zip(results.subject.sessions, days, strict=True)
    )
    figure = figures.timeline(replace(results, subject=replace(results.subject, sessions=sessions)))
    figure.canvas.draw()
    labels = [label.get_text() for label in figure.axes[-1].get_xticklabels()]
    assert labels[1].startswith("\n")
    assert not labels[2].startswith("\n")


def test_time_axis_falls_back_from_dates_to_ages_to_order(results):
    sessions = results.subject.sessions
    assert session_places(sessions)[0] == {"01": 0.0, "02": 35.0, "03": 119.0}
    undated = [replace(session, date=None) for session in sessions]
    assert session_places(undated) == ({"01": 4.5, "02": 4.6, "03": 4.83}, "age (years)")
    unknown = [replace(session, age_years=None) for session in undated]
    assert session_places(unknown)[0] == {"01": 0.0, "02": 1.0, "03": 2.0}
    assert "not known" in session_places(unknown)[1]


def test_what_cannot_be_drawn_says_so(results, empty_results):
    for draw in (figures.timeline, figures.session_panels, figures.territory_load, figures.registration_check):
        with pytest.raises(NotAssessable):
            draw(empty_results)
    with pytest.raises(NotAssessable, match="voxel"):
        figures.voxel_location(replace(results, aligned=None), results.spectra[0])
    single = replace(results, aligned=replace(results.aligned, sessions=results.aligned.sessions[:1]))
    with pytest.raises(NotAssessable, match="one session"):
        figures.registration_check(single)


def test_figures_are_the_same_in_threads_and_on_every_run(results):
    def draw(_):
        spectrum = figures.save_svg(figures.spectrum_fit(make_fit(), "sub-01"))
        return spectrum, figures.png_bytes(figures.change_panels(results, results.change.intervals[0]), 50)

    with ThreadPoolExecutor(4) as pool:
        drawn = list(pool.map(draw, range(4)))
    assert all(one == drawn[0] for one in drawn)


def test_svg_is_the_same_in_another_process():
    code = (
        "from tests.report.conftest import make_fit\n"
        "from hlhneuro.report.figures import save_svg, spectrum_fit\n"
        "import hashlib; print(hashlib.sha256(save_svg(spectrum_fit(make_fit(), 'x')).encode()).hexdigest())"
    )
    import hashlib
    import os
    from pathlib import Path

    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=root,
        env=os.environ | {"PYTHONHASHSEED": "123", "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=True,
    )
    here = figures.save_svg(figures.spectrum_fit(make_fit(), "x"))
    assert done.stdout.strip() == hashlib.sha256(here.encode()).hexdigest()
    assert "<dc:date>" not in here
