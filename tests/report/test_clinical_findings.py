"""What the clinical record says beside each session: three parts kept apart, mimics, every answer with its reason."""

from __future__ import annotations

import datetime as dt

import pytest

from hlhneuro.answers import Answer, Finding
from hlhneuro.report.account.assessment import assess
from hlhneuro.report.account.clinical import clinical_findings
from hlhneuro.report.account.mimics import mimics
from hlhneuro.report.results import SubjectResults
from hlhneuro.settings import Settings
from hlhneuro.study import STEROID_EFFECT_DAYS, Amount, ClinicalRecord, Observation, Session, Subject, TreatmentEvent

DAY = dt.date(2021, 6, 1)


def session(date=DAY, age=4.0, **covariates):
    return Session("01", "01", date, age, (), (), (), (), covariates)


def event(name, days_before, detail=""):
    return TreatmentEvent("01", name, None if days_before is None else DAY - dt.timedelta(days_before), None, detail)


def observed(days_before=2, symptoms=None, cells=None, protein=None):
    amounts = {"csf_cells_per_ul": cells, "csf_protein_mg_per_l": protein}
    known = {name: Amount(float(value)) for name, value in amounts.items() if value is not None}
    return Observation("01", DAY - dt.timedelta(days_before), symptoms, known)


def results(record=None, visit=None):
    subject = Subject("01", None, (visit or session(),))
    return SubjectResults(subject, None, None, None, (), (), Settings(), "0", clinical=record or ClinicalRecord())


def image(code, answer=Answer.PRESENT, label="01"):
    return Finding(code, f"{code}?", answer, "made", "session", (label,))


def answers(record=None, visit=None, imaging=()):
    return {finding.code: finding for finding in clinical_findings(results(record, visit), imaging)}


def test_without_a_record_every_answer_is_not_assessable_and_says_what_to_add():
    for code, finding in answers().items():
        assert finding.answer is Answer.NOT_ASSESSABLE, code
    assert "phenotype/treatment.tsv" in answers()["seizure_recorded"].reason
    assert "phenotype/clinical.tsv" in answers()["neurological_symptoms"].reason


def test_every_question_is_asked_of_every_session_in_order():
    sessions = (session(), Session("01", "02", None, None, (), (), ()))
    made = results()
    made = SubjectResults(Subject("01", None, sessions), *([None] * 3), (), (), made.settings, "0")
    found = clinical_findings(made)
    codes = [finding.code for finding in found if finding.sessions == ("01",)]
    assert codes == [finding.code for finding in found if finding.sessions == ("02",)]
    assert len(found) == 2 * (7 + len(mimics()))
    assert all(finding.threshold_source for finding in found if finding.threshold is not None)


@pytest.mark.parametrize(
    ("symptoms", "cells", "protein", "group", "answer"),
    [
        (False, 2, 200, 1.0, Answer.ABSENT),
        (True, 2, 200, 2.0, Answer.PRESENT),
        (False, 6, 200, 3.0, Answer.PRESENT),
        (False, 2, 321, 3.0, Answer.PRESENT),
        (True, 50, 900, 4.0, Answer.PRESENT),
        (True, 50, None, 4.0, Answer.PRESENT),  # one of them raised is enough
        (True, 2, None, None, Answer.NOT_ASSESSABLE),  # both have to be known to call it normal
        (None, 50, 900, None, Answer.NOT_ASSESSABLE),
    ],
)
def test_the_group_of_horne_needs_symptoms_and_fluid_and_never_images(symptoms, cells, protein, group, answer):
    record = ClinicalRecord(observations=(observed(2, symptoms, cells, protein),))
    for imaging in ((), (image("lesion_present"),)):
        found = answers(record, imaging=imaging)["horne_group"]
        assert (found.answer, found.value) == (answer, group)
        if group:
            assert "no prognosis follows" in found.reason
            assert "images are no part" in found.threshold_source


def test_the_three_parts_are_kept_apart():
    record = ClinicalRecord(observations=(observed(2, symptoms=False, cells=50, protein=900),))
    found = answers(record, imaging=(image("lesion_present", Answer.ABSENT),))
    assert found["neurological_symptoms"].answer is Answer.ABSENT
    assert found["csf_abnormal"].answer is Answer.PRESENT
    assert found["imaging_abnormal"].answer is Answer.ABSENT
    assert found["csf_cells_raised"].value == 50.0
    assert found["csf_cells_raised"].threshold == 5.0
    assert found["csf_cells_raised"].unit == "per µl"
    assert "2\u00a0days before the session" in found["csf_cells_raised"].reason
    enhancing = (image("lesion_present", Answer.ABSENT), image("leptomeningeal_enhancement"))
    assert answers(imaging=enhancing)["imaging_abnormal"].answer is Answer.PRESENT


def test_only_observations_near_the_session_count():
    far = ClinicalRecord(observations=(observed(15, True, 50, 900),))
    assert answers(far)["csf_abnormal"].answer is Answer.NOT_ASSESSABLE
    assert "within 14 days" in answers(far)["neurological_symptoms"].reason
    near = ClinicalRecord(observations=(observed(-14, True, 50, 900),))
    assert "14\u00a0days after the session" in answers(near)["neurological_symptoms"].reason
    undated = answers(near, session(date=None))
    assert "the date of the session is not known" in undated["csf_cells_raised"].reason


def test_limits_go_by_age_and_an_unknown_age_is_said():
    record = ClinicalRecord(observations=(observed(0, cells=12, protein=600),))
    assert answers(record, session(age=4.0))["csf_protein_raised"].answer is Answer.PRESENT
    young = answers(record, session(age=0.1))
    assert young["csf_protein_raised"].answer is young["csf_cells_raised"].answer is Answer.NOT_ASSESSABLE
    assert "Biou 2000" in young["csf_protein_raised"].threshold_source
    assert "the age is not known" in answers(record, session(age=None))["csf_protein_raised"].reason


@pytest.mark.parametrize(
    ("code", "events", "answer", "days", "words"),
    [
        ("recent_intrathecal_methotrexate", [event("IT MTX", 6)], Answer.PRESENT, 6, "6 days before"),
        (
            "recent_intrathecal_methotrexate",
            [event("IT MTX", 11), event("IT MTX", 2)],
            Answer.PRESENT,
            11,
            "events like a stroke",
        ),
        ("recent_intrathecal_methotrexate", [event("IT MTX", 12)], Answer.ABSENT, None, "12 days before"),
        ("recent_intrathecal_methotrexate", [event("IT MTX", 5)], Answer.ABSENT, None, "5 days before"),
        ("recent_intrathecal_methotrexate", [event("methotrexate", 8)], Answer.ABSENT, None, "not among the 1"),
        ("recent_intrathecal_methotrexate", [event("IT MTX", None)], Answer.NOT_ASSESSABLE, None, "day not known"),
        ("hsct_recorded", [event("HSCT", 29)], Answer.PRESENT, 29, "less than 30 days"),
        ("hsct_recorded", [event("HSCT", 30)], Answer.PRESENT, 30, "30 to 100 days"),
        ("hsct_recorded", [event("HSCT", 100)], Answer.PRESENT, 100, "30 to 100 days"),
        ("hsct_recorded", [event("HSCT", 101)], Answer.PRESENT, 101, "more than 100 days"),
        ("hsct_recorded", [event("HSCT", -5)], Answer.ABSENT, None, "5 days after"),
        ("pres_recorded", [event("PRES", -3)], Answer.PRESENT, 3, "3 days after"),
        ("pres_setting", [event("arterial hypertension", 3)], Answer.PRESENT, 3, "no sign that it is there"),
        ("pres_setting", [event("etoposide", 40)], Answer.PRESENT, 0, "no end known"),
        ("pres_setting", [event("intracranial hypertension", 3)], Answer.ABSENT, None, "not among"),
        ("steroids_recorded", [event("dexamethasone", 40)], Answer.PRESENT, 0, "ventricles widen"),
        ("seizure_recorded", [event("seizure", 7)], Answer.PRESENT, 7, "7 days before"),
        ("seizure_recorded", [event("seizure", 8)], Answer.ABSENT, None, "not at these days"),
    ],
)
def test_mimics_of_a_session(code, events, answer, days, words):
    found = answers(ClinicalRecord(events=tuple(events)))[code]
    assert (found.answer, found.value) == (answer, days)
    assert words in found.reason
    assert found.threshold_source


def test_what_a_session_itself_says_is_an_answer_without_any_event():
    assert answers(visit=session(anaesthesia="propofol"))["anaesthesia_recorded"].answer is Answer.PRESENT
    denied = answers(visit=session(anaesthesia="no anaesthesia"))["anaesthesia_recorded"]
    assert denied.answer is Answer.ABSENT
    assert "no anaesthesia" in denied.reason


def test_restricted_diffusion_is_told_with_the_days_since_methotrexate():
    record = ClinicalRecord(events=(event("methotrexate", 8, "intrathecal"),))
    imaging = (image("restricted_diffusion"), image("lesion_present"))
    account = assess(results(record), imaging)
    by_code = {finding.code: finding for finding in account.findings}
    assert "methotrexate, 8 days before" in by_code["restricted_diffusion"].reason
    assert "Rollins 2004" in by_code["restricted_diffusion"].reason
    assert by_code["lesion_present"].reason == "made"
    assert "restricted diffusion at this session: present" in by_code["recent_intrathecal_methotrexate"].reason
    for events, words in (
        ((event("IT MTX", 30),), "last IT MTX, 30 days before"),
        ((), "write phenotype/treatment.tsv"),
    ):
        found = assess(results(ClinicalRecord(events=events)), imaging).findings
        assert words in next(f.reason for f in found if f.code == "restricted_diffusion")


def test_the_account_holds_the_kind_clinical_and_what_of_the_tables_cannot_be_used():
    record = ClinicalRecord(problems=("clinical.tsv, row 2: csf_cells_per_ul 'many' is no plain number",))
    account = assess(results(record))
    assert {finding.code for finding in account.of_kind("clinical")} == set(answers())
    (problem,) = [finding for finding in account.of_kind("study") if finding.code == "clinical_table_problem"]
    assert (problem.answer, problem.reason) == (Answer.ABSENT, record.problems[0])


def test_every_mimic_names_known_kinds_a_source_and_a_possible_window():
    for mimic in mimics():
        assert mimic.kinds
        assert mimic.source
        assert mimic.from_days <= mimic.to_days
        assert mimic.question.endswith("?")
    steroids = next(mimic for mimic in mimics() if mimic.code == "steroids_recorded")
    assert steroids.to_days == STEROID_EFFECT_DAYS  # as where volumes are judged
