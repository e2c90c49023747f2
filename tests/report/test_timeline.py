"""The time line: everything that is known on one axis, whatever is missing, and the same numbers in the account."""

from __future__ import annotations

import datetime as dt
import json
import warnings
from dataclasses import replace

import pytest

from hlhneuro.errors import NotAssessable
from hlhneuro.report import figures
from hlhneuro.report.figures.event_lanes import MOST_LANES, lane_name
from hlhneuro.report.figures.time_axis import MOST_LEVELS, TimeAxis
from hlhneuro.report.results import SubjectResults
from hlhneuro.report.time_line import time_line
from hlhneuro.settings import Settings
from hlhneuro.study import Amount, ClinicalRecord, Observation, Session, Subject, TreatmentEvent

DAY = dt.date(2020, 1, 10)


def day(number):
    return DAY + dt.timedelta(number)


def event(name, start, end=None):
    return TreatmentEvent("01", name, None if start is None else day(start), None if end is None else day(end))


def visits(*days, age=4.0):
    return tuple(
        Session("01", f"{number:02d}", day(at), age + at / 365.25, (), (), ())
        for number, at in enumerate(days, start=1)
    )


EVENTS = (
    event("dexamethasone", -5),
    event("etoposide", -5, 20),
    event("Etoposide", 15, 40),
    event("HSCT", 60),
    event("seizure", None),
    event("levetiracetam", -4000, -2),
    event("physiotherapy", 9000),
    event("a drug whose name does not end before the picture does", 3, 9),
    event("$x_1$ <script>alert(1)</script>", 4),
    event("טיפול", 5),
    event("治疗", 6),
)
OBSERVATIONS = (
    Observation("01", day(-3), True, {"csf_cells_per_ul": Amount(30.0), "csf_protein_mg_per_l": Amount(200.0)}),
    Observation("01", day(20), False, {"csf_cells_per_ul": Amount(2.0), "csf_protein_mg_per_l": Amount(200.0)}),
    Observation("01", day(40), None, {"csf_cells_per_ul": Amount(2.0), "donor_chimerism_percent": Amount(97.0)}),
    Observation("01", None, True),
)


def clinical_only(sessions, events=EVENTS, observations=OBSERVATIONS):
    record = ClinicalRecord(events, observations)
    return SubjectResults(Subject("01", None, sessions), *([None] * 3), (), (), Settings(), "0", clinical=record)


def written(figure):
    return [text.get_text() for ax in figure.axes for text in (*ax.texts, *ax.get_yticklabels())]


def fits(figure):
    figure.canvas.draw()
    tight = figure.get_tightbbox()
    width, height = figure.get_size_inches()
    slack = 0.03
    return tight.x0 > -slack and tight.y0 > -slack and tight.x1 < width + slack and tight.y1 < height + slack


@pytest.mark.parametrize(
    "sessions",
    [
        visits(0, 30, 200),
        visits(0),
        visits(0, 3, 9, 14, 20, 45, 80, 160, 163, 240, 330, 420),
        tuple(replace(one, date=None) for one in visits(0, 30, 200)),
        tuple(replace(one, date=None, age_years=None) for one in visits(0, 30)),
        tuple(replace(one, label=f"{one.label}averyverylonglabelofasession") for one in visits(0, 30)),
    ],
    ids=["dates", "one session", "twelve sessions", "ages", "order", "long labels"],
)
def test_it_is_drawn_whatever_is_known_of_time_and_nothing_is_cut_off(sessions):
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a letter that the font does not have is one
        figure = figures.timeline(clinical_only(sessions))
        assert fits(figure)
    if sessions[0].date is None:
        assert any("the sessions need dates" in text for text in written(figure))
    else:
        assert {"dexamethasone", "etoposide", "neurological symptoms", "97"} <= set(written(figure))


def test_images_and_spectra_stand_on_the_same_axis_as_treatment(results):
    record = ClinicalRecord(tuple(replace(one, start=None if one.start is None else one.start) for one in EVENTS))
    figure = figures.timeline(replace(results, clinical=record))
    assert fits(figure)
    limits = {ax.get_xlim() for ax in figure.axes}
    assert len(limits) == 1
    text = "\n".join(written(figure))
    for title in ("Lesion load", "Change of lesions", "tNAA / tCr", "Lac / tCr", "lipid / tCr"):
        assert title in text


def test_two_voxels_and_two_echo_times_stay_apart(results):
    made = tuple(
        replace(one, name=f"acq-{echo}_voi-{voxel}", echo_time_s=seconds)
        for one in results.spectra
        for echo, seconds in (("short", 0.03), ("long", 0.144))
        for voxel in ("thalamus", "frontal")
    )
    results = replace(results, spectra=made)
    series = time_line(results)["spectra"]
    assert [(one["voxel"], one["echo_time_ms"]) for one in series] == [
        ("voi-frontal", 30.0), ("voi-frontal", 144.0), ("voi-thalamus", 30.0), ("voi-thalamus", 144.0),
    ]  # fmt: skip
    figure = figures.timeline(results)
    labels = [text.get_text() for ax in figure.axes if ax.get_legend() for text in ax.get_legend().get_texts()]
    assert {"frontal\nTE 30 ms", "thalamus\nTE 144 ms"} <= set(labels)
    assert fits(figure)


def test_every_number_that_is_drawn_is_in_the_account(results):
    told = json.loads(json.dumps(time_line(replace(results, clinical=ClinicalRecord(EVENTS, OBSERVATIONS)))))
    assert [row["load_ml"] for row in told["loads"]] == [one.volume_ml for one in results.lesions.sessions]
    assert told["changes"][0]["new_ml"] == results.change.intervals[0].new_ml
    ratio = told["spectra"][0]["points"][0]["ratios"]["tNAA"]
    assert ratio == {"ratio_to_tcr": pytest.approx(10 / 7), "ratio_sd": 0.07, "detected": True}
    assert [session["day"] for session in told["sessions"]] == [0, 35, 119]


def test_what_the_lanes_say():
    told = time_line(clinical_only(visits(0, 30)))
    lanes = {lane["name"]: lane for lane in told["lanes"]}
    assert [(span["start_day"], span["end_day"]) for span in lanes["etoposide"]["spans"]] == [(-5, 20), (15, 40)]
    assert lanes["dexamethasone"]["spans"][0]["goes_on"]
    assert not lanes["HSCT"]["spans"][0]["goes_on"]
    assert told["unplaced"] == ["seizure"]
    assert [one["fluid"] for one in told["observations"]] == ["abnormal", "normal", "not decided", None]
    assert [one["day"] for one in told["observations"]] == [-3, 20, 40, None]
    undated = tuple(replace(one, date=None) for one in visits(0, 30))
    assert time_line(clinical_only(undated))["lanes"] == []


def test_names_that_cannot_be_written_are_told_by_their_day():
    def name(text):
        return lane_name({"name": text, "spans": [{"start": "2020-01-15"}]})

    assert name("HSCT") == "HSCT"
    assert name("$a$") == r"\$a\$"
    assert name("a" * 40) == "a" * 26 + "…"
    for text in ("טיפול", "治疗"):
        assert name(text) == "from 2020-01-15, see record"


def test_many_lanes_are_cut_and_it_is_said():
    many = tuple(event(f"drug {number}", number) for number in range(MOST_LANES + 7))
    assert "and 7 more: see the clinical record" in written(figures.timeline(clinical_only(visits(0, 30), many)))


def test_far_events_do_not_stretch_the_axis_and_near_ones_do():
    assert TimeAxis.of(visits(0, 100), [-4000, 9000]).span == pytest.approx(TimeAxis.of(visits(0, 100)).span)
    near = TimeAxis.of(visits(0, 100), [-40, 130])
    assert near.low < -40 < 130 < near.high


def test_labels_of_close_sessions_go_to_lower_levels_or_are_said_to_be_left_out():
    axis = TimeAxis.of(visits(0, 2, 120))
    assert axis.levels(visits(0, 2, 120), 6.0) == 2
    crowd = visits(0, 1, 2, 3, 4, 5, 400)
    axis = TimeAxis.of(crowd)
    assert axis.levels(crowd, 6.0) == MOST_LEVELS
    assert any("3 sessions lie" in text for text in written(figures.timeline(clinical_only(crowd))))


def test_the_same_results_give_the_same_picture():
    made = clinical_only(visits(0, 30))
    assert figures.save_svg(figures.timeline(made)) == figures.save_svg(figures.timeline(made))


def test_where_nothing_is_known_it_says_so():
    for sessions in ((), visits(0)):
        with pytest.raises(NotAssessable):
            figures.timeline(clinical_only(sessions, (), ()))
