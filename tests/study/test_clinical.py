"""The time line: intervals, treatment, and when volume loss may come from steroids."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlhneuro.study._values import names_a_person, natural_key, parse_age_years, parse_date
from hlhneuro.study.clinical import (
    ClinicalRecord,
    age_months,
    age_on,
    covariates_by_session,
    intervals_days,
    read_clinical,
)
from hlhneuro.study.layout import Session, Subject, open_study
from hlhneuro.study.observations import Amount, Observation
from hlhneuro.study.treatment import TreatmentEvent, read_treatment, steroid_confounded

DAY = dt.date(2021, 6, 1)


def session(date=DAY, age=None, label="01", **covariates):
    return Session("01", label, date, age, (), (), (), (), covariates)


@given(st.dates())
def test_every_date_is_read_as_written(date):
    assert parse_date(date.isoformat()) == date
    assert parse_date(f" {date.isoformat()}T13:59:59.123456+02:00 ") == date


@given(st.floats(0, 120))
def test_ages_agree_between_units(years):
    assert parse_age_years(f"{years:.9f}") == pytest.approx(years, abs=1e-8)
    assert parse_age_years(f"{years * 12:.9f}", "Months") == pytest.approx(years, abs=1e-8)
    assert parse_age_years(f"{years * 365.25:.9f}", "day") == pytest.approx(years, abs=1e-8)


@given(st.lists(st.integers(0, 10**6), unique=True))
def test_labels_sort_as_people_count(numbers):
    assert sorted((f"v{number}" for number in numbers), key=natural_key) == [f"v{n}" for n in sorted(numbers)]


@pytest.mark.parametrize(
    "column", ["name", "Patient Name", "first_name", "DOB", "birth_date", "DateOfBirth", "patient_id", "MRN", "e-mail"]
)
def test_columns_that_name_a_person(column):
    assert names_a_person(column)


@pytest.mark.parametrize(
    "column",
    ["participant_id", "session_id", "scanner_name", "birth_weight", "treatment", "genotype", "age", "EchoTime"],
)
def test_columns_that_do_not(column):
    assert not names_a_person(column)


def test_intervals_count_calendar_days():
    sessions = (session(dt.date(2020, 2, 28), label="01"), session(dt.date(2020, 3, 1), label="02"), session(None))
    assert intervals_days(Subject("01", None, sessions)) == (2, None)  # 2020 is a leap year


def test_age_in_months():
    assert age_months(session(age=1.5)) == 18
    assert age_months(session()) is None


def test_the_covariates_of_the_session_win():
    subject = Subject("01", None, (session(scanner="B"),), (), {"scanner": "A", "genotype": "PRF1"})
    assert covariates_by_session(subject) == {"01": {"scanner": "B", "genotype": "PRF1"}}


def dexamethasone(start, end):
    return TreatmentEvent("01", "Dexamethasone", start, end)


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (dt.date(2021, 5, 1), None, True),
        (dt.date(2021, 5, 1), dt.date(2021, 7, 1), True),
        (dt.date(2021, 1, 1), DAY - dt.timedelta(90), True),
        (dt.date(2021, 1, 1), DAY - dt.timedelta(91), False),
        (DAY, DAY, True),
        (DAY + dt.timedelta(1), None, False),
        (None, None, None),
    ],
)
def test_steroids_confound_until_three_months_after(start, end, expected):
    answer, why = steroid_confounded(session(), [dexamethasone(start, end)])
    assert answer is expected
    assert why


def test_silence_about_steroids_is_no_absence():
    assert steroid_confounded(session())[0] is None
    assert steroid_confounded(session(), [TreatmentEvent("01", "etoposide", DAY)])[0] is None
    assert steroid_confounded(session(None), [dexamethasone(DAY, DAY)])[0] is None
    other = TreatmentEvent("02", "dexamethasone", dt.date(2021, 5, 1))
    assert steroid_confounded(session(), [other])[0] is None


@pytest.mark.parametrize(
    ("covariates", "expected"),
    [
        ({"treatment": "etoposide, dexamethasone 10 mg/m2"}, True),
        ({"treatment": "methylprednisolone"}, True),
        ({"dexamethasone": "yes"}, True),
        ({"dexamethasone": "no"}, None),
        ({"treatment": "no dexamethasone"}, None),
        ({"treatment": "etoposide"}, None),
    ],
)
def test_steroids_named_in_sessions_tsv(covariates, expected):
    assert steroid_confounded(session(**covariates))[0] is expected


def test_treatment_is_read_from_both_places(build):
    build.image("anat/T1w.nii.gz")
    build.text(
        "phenotype/treatment.tsv",
        "participant_id\tevent\tstart_date\tend_date\tdetail\r\n"
        "sub-01\tHSCT\t2021-05-01\tn/a\tmatched donor\r\n"
        "sub-09\tHSCT\t2021-05-01\tn/a\tn/a\r\n"
        "sub-01\tetoposide\tspring\t2021-05-02\tn/a\r\n"
        "sub-01\tATG\t2021-05-03\t2021-05-01\tn/a\r\n"
        "n/a\tATG\t2021-05-03\tn/a\tn/a\r\n",
    )
    build.text("sub-01/sub-01_events.tsv", "event\tstart_date\ndexamethasone\t2021-01-01\n")
    events, problems = read_treatment(open_study(build.root))
    assert [(event.event, event.start, event.end, event.detail) for event in events] == [
        ("dexamethasone", dt.date(2021, 1, 1), None, ""),
        ("HSCT", dt.date(2021, 5, 1), None, "matched donor"),
        ("ATG", dt.date(2021, 5, 3), None, ""),
        ("etoposide", None, dt.date(2021, 5, 2), ""),
    ]
    for words in ("lists 09", "'spring' is no date", "before start_date", "row 6"):
        assert any(words in problem for problem in problems), words


def test_a_study_without_treatment_tables_has_none(build):
    build.image("anat/T1w.nii.gz")
    assert read_treatment(open_study(build.root)) == ((), ())
    build.text("phenotype/treatment.tsv", "id\tdrug\n1\tx\n")
    events, (problem,) = read_treatment(open_study(build.root))
    assert events == ()
    assert "event, participant_id, start_date are missing" in problem


def test_the_record_of_a_patient_holds_only_what_concerns_the_patient(build):
    for subject in ("01", "02"):
        build.image("anat/T1w.nii.gz", subject=subject)
    build.text(
        "phenotype/treatment.tsv",
        "participant_id\tevent\tstart_date\tdose\nsub-01\tHSCT\tspring\t1\nsub-02\tHSCT\t2021-05-01\t1\nsub-9\tx\tn/a\t1\n",
    )
    build.text("sub-02/sub-02_clinical.tsv", "date\tferritin_ug_per_l\n2021-05-02\t700\n2021-05-03\tmany\n")
    study = open_study(build.root)
    one, two = (read_clinical(study, study.subject(label)) for label in ("01", "02"))
    assert [event.subject for event in one.events + two.events] == ["01", "02"]
    assert (len(one.observations), len(two.observations)) == (0, 2)
    assert ["'spring'" in text for text in one.problems] == [True]
    assert ["'many'" in text for text in two.problems] == [True]
    for record in (one, two):
        assert ["dose" in text for text in record.remarks] == [True]


def test_the_nearest_observation_is_the_one_that_says_it():
    days = (DAY - dt.timedelta(3), DAY + dt.timedelta(3), DAY + dt.timedelta(1))
    amounts = ({"ferritin_ug_per_l": Amount(1.0)}, {"ferritin_ug_per_l": Amount(2.0)}, {})
    seen = [Observation("01", day, None, amount) for day, amount in zip(days, amounts, strict=True)]
    record = ClinicalRecord(observations=(Observation("01", None, True), *seen))
    assert record.nearest(session(), 7, "ferritin_ug_per_l") == (seen[0], 3)  # equally near: the earlier
    assert record.nearest(session(), 2, "ferritin_ug_per_l") is None
    assert record.nearest(session(), 7, "neurological_symptoms") is None  # only an undated one says it
    assert record.nearest(session(None), 7, "ferritin_ug_per_l") is None
    both = ClinicalRecord(observations=(Observation("01", DAY, False), Observation("01", DAY, True)))
    assert both.nearest(session(), 7, "neurological_symptoms") == (both.observations[1], 0)


def test_the_age_on_a_day_comes_from_the_nearest_session():
    subject = Subject("01", None, (session(dt.date(2020, 1, 1), 4.0), session(None, 9.0), session(dt.date(2022, 1, 1))))
    assert age_on(subject, dt.date(2021, 1, 1)) == pytest.approx(5.0, abs=0.01)
    assert age_on(subject, dt.date(2010, 1, 1)) == 0.0
    assert age_on(subject, None) is None
    assert age_on(Subject("01", None, (session(None, 9.0),)), DAY) is None
