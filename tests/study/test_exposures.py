"""What was on record near a session: what words mean, and how many days lie between."""

from __future__ import annotations

import datetime as dt

import pytest

from hlhneuro.study import Session, TreatmentEvent, denied, event_kind, event_kinds, exposures, kind_of

DAY = dt.date(2021, 6, 1)


def session(date=DAY, **covariates):
    return Session("01", "01", date, None, (), (), (), (), covariates)


def event(name, days_before, last_days_before=None, detail=""):
    start, end = (None if days is None else DAY - dt.timedelta(days) for days in (days_before, last_days_before))
    return TreatmentEvent("01", name, start, end, detail)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Intrathecal methotrexate 12 mg", "intrathecal methotrexate"),
        ("IT-MTX", "intrathecal methotrexate"),
        ("MTX i.t.", "intrathecal methotrexate"),
        ("methotrexate", None),
        ("HSCT, haploidentical", "stem cell transplantation"),
        ("bone marrow transplantation", "stem cell transplantation"),
        ("conditioning before HSCT", None),
        ("pre-HSCT work-up", None),
        ("post-HSCT seizure", "seizure"),
        ("PRES after HSCT", "PRES"),
        ("stopped oral dexamethasone", None),
        ("off-label dexamethasone", "dexamethasone"),
        ("chimerism since the HSCT", None),
        ("PRES", "PRES"),
        ("CMV present in blood", None),
        ("arterial hypertension", "hypertension"),
        ("intracranial hypertension", None),
        ("generalised seizure", "seizure"),
        ("levetiracetam for seizure prophylaxis", None),
        ("general anesthesia", "anaesthesia"),
        ("dexamethasone 10 mg/m2", "dexamethasone"),
        ("prednisolone", "steroid"),
        ("ciclosporin A", "calcineurin inhibitor"),
        ("HLH-2004", "HLH-94 or HLH-2004 treatment"),
        ("ruxolitinib", None),
    ],
)
def test_words_of_a_table(text, kind):
    found = kind_of(text)
    assert (found and found.name) == kind


def test_a_detail_names_only_what_may_stand_there():
    assert kind_of("methotrexate", "intrathecal, 12 mg").name == "intrathecal methotrexate"
    assert kind_of("conditioning", "HSCT in June") is None


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (event("seizure", 2), "seizure, 2 days before"),
        (event("seizure", 1), "seizure, 1 day before"),
        (event("seizure", 0), "seizure, on the day"),
        (event("seizure", -1), "seizure, 1 day after"),
        (event("seizure", 9, 4), "seizure, 4 days before"),
        (event("seizure", 9, -4), "seizure, since 2021-05-23"),
        (event("seizure", None), "seizure, day not known"),
    ],
)
def test_how_long_before_a_session(found, words):
    (one,) = exposures(session(), [found], event_kind("seizure"))
    assert one.in_words() == words


def test_a_course_without_an_end_goes_on_and_a_single_event_does_not():
    (course,) = exposures(session(), [event("dexamethasone", 40)], event_kind("dexamethasone"))
    assert course.in_words() == "dexamethasone, since 2021-04-22, no end known"
    (single,) = exposures(session(), [event("HSCT", 40)], event_kind("stem cell transplantation"))
    assert single.days_before == 40


def test_the_nearest_comes_first_and_other_patients_are_left_out():
    events = [event("seizure", 9), event("seizure", None), event("seizure", 2), TreatmentEvent("02", "seizure", DAY)]
    found = exposures(session(), events, event_kind("seizure"))
    assert [one.days_before for one in found] == [2, 9, None]
    assert [one.days_before for one in exposures(session(None), events[:1], event_kind("seizure"))] == [None]


def test_a_drug_that_the_events_name_is_not_told_twice():
    kind = event_kind("dexamethasone")
    found = exposures(session(treatment="dexamethasone 5 mg/m2, etoposide"), [event("dexamethasone", 9)], kind)
    assert [one.in_words() for one in found] == ["dexamethasone, since 2021-05-23, no end known"]


@pytest.mark.parametrize(
    ("covariates", "named", "denial"),
    [
        ({"anaesthesia": "sevoflurane"}, ["sevoflurane"], ""),
        ({"anaesthesia": "yes"}, ["anaesthesia: yes"], ""),
        ({"anaesthesia": "no anaesthesia"}, [], "anaesthesia: no anaesthesia"),
        ({"anaesthesia": "none"}, [], "anaesthesia: none"),
        ({"treatment": "etoposide, propofol"}, ["propofol"], ""),
        ({"treatment": "etoposide"}, [], ""),
        ({"anaesthesia": "unknown"}, [], ""),
        ({"anaesthesia": "not recorded"}, [], ""),
        ({"anaesthesia": "0"}, [], "anaesthesia: 0"),
    ],
)
def test_columns_of_a_session_count_for_its_day(covariates, named, denial):
    kind = event_kind("anaesthesia")
    assert [one.what for one in exposures(session(**covariates), (), kind)] == named
    assert denied(session(**covariates), kind) == denial


def test_a_transplantation_in_a_column_of_a_session_has_no_day():
    kind = event_kind("stem cell transplantation")
    (one,) = exposures(session(hsct="yes"), (), kind)
    assert (one.days_before, one.in_words()) == (None, "hsct: yes, day not known")
    assert exposures(session(days_since_hsct="45"), (), kind) == ()
    assert exposures(session(hsct="unknown"), (), kind) == ()


def test_every_kind_has_a_group_that_the_time_line_knows():
    groups = {"steroid", "drug", "intrathecal", "transplant", "procedure", "complication"}
    assert {kind.group for kind in event_kinds()} <= groups
    assert len({kind.name for kind in event_kinds()}) == len(event_kinds())
