"""The time line and the user's controls on their way to the patterns."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pytest

from hlhneuro.answers import Answer
from hlhneuro.pipeline.ledger import Ledger
from hlhneuro.pipeline.spectral_patterns import find_patterns
from hlhneuro.pipeline.task import SubjectRun
from hlhneuro.settings import Settings
from hlhneuro.study import Session, Study, Subject
from tests.spectroscopy.test_patterns import NORMAL, result


@pytest.fixture
def task(tmp_path):
    table = tmp_path / "phenotype" / "treatment.tsv"
    table.parent.mkdir()
    table.write_text(
        "participant_id\tevent\tstart_date\tend_date\tdetail\n"
        "sub-X\tintrathecal methotrexate\t2020-03-05\tn/a\t12 mg\n"
        "sub-Y\tpropofol\t2020-03-10\tn/a\tn/a\n"
    )
    days = dt.date(2020, 2, 1), dt.date(2020, 3, 10)
    visits = tuple(Session("X", f"0{i}", day, 4.0, (), (), ()) for i, day in enumerate(days, start=1))
    patients = tuple(Subject(label, None, visits if label == "X" else ()) for label in ("X", "Y"))
    return SubjectRun(Study(tmp_path, "made", patients), patients[0], tmp_path / "out", Settings())


def ledger_of(task):
    task.folder.mkdir(parents=True)
    return Ledger(task.folder, "X", reports_only=False, notify=lambda status: None)


def test_treatment_before_a_session_stands_beside_its_pattern(task):
    spectra = [result(NORMAL), result(NORMAL | {"Lac": 5.0}, "02")]
    found = find_patterns(task, ledger_of(task), spectra)
    reason = next(f.reason for f in found if f.code == "pattern_lactate_only" and f.sessions == ("02",))
    assert "intrathecal methotrexate, 5 days before" in reason
    assert "propofol, on the day" not in reason


def test_controls_that_cannot_be_read_are_noted_and_the_rest_goes_on(task):
    patterns = replace(task.settings.patterns, norm_controls="nowhere.tsv")
    task = replace(task, settings=replace(task.settings, patterns=patterns))
    ledger = ledger_of(task)
    found = find_patterns(task, ledger, [result(NORMAL | {"Lac": 5.0})])
    assert any(f.code == "lactate" and f.answer is Answer.PRESENT for f in found)
    assert [(s.stage, s.state) for s in ledger.statuses] == [("norms", "failed")]


def test_without_spectra_nothing_is_asked(task):
    assert find_patterns(task, ledger_of(task), ()) == ()
