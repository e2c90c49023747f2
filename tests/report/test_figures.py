"""Pictures show the right side on the right side, keep to their scale, and are the same on every run."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import ndimage as ndi

from hlhneuro.errors import NotAssessable
from hlhneuro.report import figures, tables_of
from hlhneuro.report.figures.sheet import AXIAL, CORONAL, MARGIN_MM, PLANES, Row, View, draw_sheet
from hlhneuro.report.figures.slices import choose_slices
from hlhneuro.report.figures.style import CHANGE_COLOURS
from hlhneuro.report.figures.time_axis import session_places
from tests.report.conftest import SPHERES, make_fit


@pytest.fixture(scope="module")
def view(results):
    return View.of(results.aligned)


def test_the_patients_left_is_on_the_right_of_the_picture(results, view):
    """A white blob on the patient's left (negative x), high and in front, has to be drawn where radiologists expect."""
    points = results.aligned.grid.points_mm()
    centre = np.array([-40.0, 20.0, 28.0])
    blob = (np.linalg.norm(points - centre, axis=-1) < 12).astype(np.float32)
    # Part of the picture from its left and from its top, where 0.5 is the middle.
    expected = {"axial": (1, 0), "coronal": (1, 0), "sagittal": (0, 0)}
    for axis, plane in PLANES.items():
        index = round((centre[axis] - view.affine[axis, 3]) / view.voxel_mm)
        seen = view.plane(blob, axis, index)
        rows, columns = np.nonzero(seen)
        right, down = columns.mean() > seen.shape[1] / 2, rows.mean() > seen.shape[0] / 2
        assert (right, down) == expected[plane]
        assert view.tile(seen, axis, index).letters == (("A", "P") if plane == "sagittal" else ("R", "L"))


def test_sheets_are_drawn_to_scale(results, view):
    """The bar is 50 mm long in the same units as the tiles, and a tile is the brain with its margin."""
    tile = view.tile(view.plane(results.aligned.sessions[0].volumes["FLAIR"].data, AXIAL, 30), AXIAL, 30)
    brain = np.argwhere(results.aligned.brain_mask)
    size_mm = (brain[:, 0].max() - brain[:, 0].min() + 1) * 3.0
    assert tile.picture.shape[1] * view.voxel_mm == pytest.approx(size_mm + 2 * MARGIN_MM)
    (ax,) = draw_sheet([Row((tile, tile))], view.voxel_mm, "note").axes
    assert ax.get_xlim() == (0, 2 * tile.picture.shape[1])
    (bar,) = [line for line in ax.lines if line.get_linewidth() == 2]
    assert np.ptp(np.asarray(bar.get_xdata(), dtype=float)) * view.voxel_mm == pytest.approx(50.0)
    (image,) = ax.get_images()
    left, right, low, high = image.get_extent()
    rows, columns, _ = image.get_array().shape  # a voxel is as wide as it is tall
    assert (low - high, right - left) == pytest.approx((rows, columns))
    assert columns == 2 * tile.picture.shape[1]


def test_nothing_is_drawn_far_from_the_brain(results, view):
    """A face lies outside the margin: what is bright everywhere stays black there."""
    bright = np.ones(results.aligned.grid.shape, dtype=np.float32)
    for axis in PLANES:
        index = view.index_at(axis, 0.5)
        shown = view.grey(bright, (0.0, 1.0), axis, index) > 0
        brain = view.plane(view.brain, axis, index)
        away_mm = ndi.distance_transform_edt(~brain) * view.voxel_mm
        assert shown[brain].all()
        assert not shown[away_mm > MARGIN_MM].any()
    nothing = np.zeros_like(results.aligned.brain_mask)
    sessions = tuple(replace(session, brain_mask=nothing) for session in results.aligned.sessions)
    with pytest.raises(NotAssessable, match="without one no image"):
        View.of(replace(results.aligned, brain_mask=nothing, sessions=sessions))


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


def test_sessions_share_one_grey_window(results, view):
    volumes = [session.volumes["FLAIR"] for session in results.aligned.sessions]
    values = np.concatenate([volume.data[results.aligned.brain_mask] for volume in volumes])
    assert view.window(*volumes) == pytest.approx(np.percentile(values, (1, 99.7)), abs=0.02)


def written_on(figure):
    return [text.get_text() for ax in figure.axes for text in ax.texts]


def test_session_panels_are_titled_with_date_and_age(results):
    written = written_on(figures.session_panels(results))
    assert "ses-02 · FLAIR\n2019-04-08 · 4.6\u00a0years" in written
    assert {"R", "L", "50 mm"} <= set(written)
    assert sum(" = " in text for text in written) == 3 * (results.settings.report.panel_slices + 1)


def test_a_session_without_lesions_says_so(results):
    lesions = replace(results.lesions, sessions=results.lesions.sessions[:1], not_assessable={"02": "no FLAIR"})
    written = written_on(figures.session_panels(replace(results, lesions=lesions)))
    assert [text[:6] for text in written if "lesions not assessable" in text] == ["ses-02", "ses-03"]


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
        figures.session_outlines(results),
        figures.contrast_outlines(results, "01"),
        figures.brain_outlines(results),
        figures.template_outlines(results),
        figures.midspace_slices(results, "01"),
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


def test_time_axis_falls_back_from_dates_to_ages_to_order(results):
    sessions = results.subject.sessions
    assert session_places(sessions)[0] == {"01": 0.0, "02": 35.0, "03": 119.0}
    undated = [replace(session, date=None) for session in sessions]
    assert session_places(undated) == ({"01": 4.5, "02": 4.6, "03": 4.83}, "age (years)")
    unknown = [replace(session, age_years=None) for session in undated]
    assert session_places(unknown)[0] == {"01": 0.0, "02": 1.0, "03": 2.0}
    assert "not known" in session_places(unknown)[1]


def test_what_cannot_be_drawn_says_so(results, empty_results):
    for draw in (figures.timeline, figures.session_panels, figures.territory_load):
        with pytest.raises(NotAssessable):
            draw(empty_results)
    with pytest.raises(NotAssessable, match="voxel"):
        figures.voxel_location(replace(results, aligned=None), results.spectra[0])


def test_figures_are_the_same_in_threads_and_on_every_run(results):
    def draw(_):
        spectrum = figures.save_svg(figures.spectrum_fit(make_fit(), "sub-01"))
        return spectrum, figures.png_bytes(figures.change_panels(results, results.change.intervals[0]), 50)

    with ThreadPoolExecutor(4) as pool:
        drawn = list(pool.map(draw, range(4)))
    assert all(one == drawn[0] for one in drawn)


def test_detection_curves_show_each_contrast_and_thickness():
    rows = [(s, c, v, v * c > 0.03) for s in (1.0, 4.0) for c in (0.25, 0.5) for v in (0.1, 1.0) for _ in range(4)]
    table = pd.DataFrame(rows, columns=["slice_mm", "contrast", "volume_ml", "found"])
    drawn = figures.save_svg(figures.detection_curves(table))
    for text in ("slices of 4 mm", "+0.25", "true volume (ml)"):
        assert text in drawn
    with pytest.raises(NotAssessable):
        figures.detection_curves(table[:0])


def test_lactate_curves_show_each_amount_of_lipid_and_choice_of_echo_times():
    rows = [(f, a, how, a > 0.5) for f in (0.0, 8.0) for a in (0.0, 2.0) for how in ("TE 30", "TE 144") for _ in "1234"]
    table = pd.DataFrame(rows, columns=["lipid", "lactate", "echo_times", "found"])
    drawn = figures.save_svg(figures.lactate_curves(table))
    for text in ("no lipid", "lipid 8 x tCr", "TE 144", "true lactate (mmol/kg)"):
        assert text in drawn
    with pytest.raises(NotAssessable):
        figures.lactate_curves(table[:0])


def test_reliability_is_drawn_per_thickness():
    stated = np.linspace(0.1, 0.9, 5)
    table = pd.DataFrame({"slice_mm": 1.0, "predicted": stated, "observed": stated**2, "voxels": 1000})
    assert "slices of 1 mm" in figures.save_svg(figures.reliability(table))
    with pytest.raises(NotAssessable):
        figures.reliability(table[:0])


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
