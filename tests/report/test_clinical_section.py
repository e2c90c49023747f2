"""The clinical record on the page: every word as text, every number from the account, also where nothing is known."""

from __future__ import annotations

import datetime as dt
import html
import json
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from hlhneuro.report import assess, write_report
from hlhneuro.report.results import SubjectResults
from hlhneuro.report.sections import clinical
from hlhneuro.settings import Settings
from hlhneuro.spectroscopy.results import SpectrumResult
from hlhneuro.study import Amount, ClinicalRecord, Observation, Session, Subject, TreatmentEvent
from tests.report.walker import misfits_of, ready_made, sections_of

DAY = dt.date(2020, 1, 10)
NASTY = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "{{ 7 * 7 }}",
    "ואז פרכוס",
    "高熱、意識障害",
    "a & b < c",
)


def day(number):
    return DAY + dt.timedelta(number)


@pytest.fixture(scope="module")
def results():
    visits = (
        Session("01", "01", day(0), 4.0, (), (), (), (), {"anaesthesia": "no anaesthesia"}),
        Session("01", "02", day(40), 4.11, (), (), (), (), {}),
    )
    events = [TreatmentEvent("01", text, day(number), None, text) for number, text in enumerate(NASTY)]
    events += [
        TreatmentEvent("01", "intrathecal methotrexate", day(33), None, "12 mg"),
        TreatmentEvent("01", "dexamethasone", day(-3), day(20), "10 mg/m2"),
        TreatmentEvent("01", "seizure", None),
    ]
    amounts = {"csf_cells_per_ul": Amount(31.0), "csf_protein_mg_per_l": Amount(640.0)}
    observations = (
        Observation("01", day(-2), True, amounts, NASTY[0]),
        Observation(
            "01",
            day(38),
            False,
            {"csf_cells_per_ul": Amount(5.0, "<"), "donor_chimerism_percent": Amount(25.0)},
            NASTY[3],
        ),
        Observation("01", None, None, {"ferritin_ug_per_l": Amount(100000.0, ">")}),
    )
    record = ClinicalRecord(tuple(events), observations, (f"clinical.tsv, row 4: {NASTY[1]}",), (NASTY[2],))
    return SubjectResults(Subject("01", "F", visits), *([None] * 3), (), (), Settings(), "0", clinical=record)


@pytest.fixture(scope="module")
def written(results, tmp_path_factory):
    account = assess(results)
    page = write_report(results, account, tmp_path_factory.mktemp("page") / "page.html").read_text(encoding="utf-8")
    return page, json.loads(json.dumps(account.to_json()))


class Tags(HTMLParser):
    """The tags of a page and their attributes."""

    def __init__(self, page):
        super().__init__()
        self.found = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))


def test_what_stands_in_cells_is_shown_as_text_and_never_runs(written):
    page, _ = written
    for text in NASTY:
        assert html.escape(text, quote=False) in page.replace("&#34;", '"')
    assert "<script>alert" not in page
    assert "49" not in sections_of(page)["clinical"].texts
    tags = Tags(page).found
    assert not any(name.startswith("on") for _, attributes in tags for name in attributes)
    assert not any(attributes.get("src") == "x" for _, attributes in tags)


def test_text_of_any_direction_keeps_its_own(written):
    cells = [attributes for tag, attributes in Tags(written[0]).found if tag in ("td", "th") and "dir" in attributes]
    assert len(cells) == 2 * 9 + 3
    assert {attributes["dir"] for attributes in cells} == {"auto"}


def test_every_number_is_in_the_account_and_is_one(written):
    page, account = written
    wrong = misfits_of(page, account)
    assert {key: wrong[key] for key in ("clinical", "timeline") if key in wrong} == {}
    facts = account["sections"]["clinical"]
    own_words = {"event", "detail", "note"}
    assert [text for text in ready_made(facts) if text.partition(":")[0] not in own_words] == []
    assert list(ready_made(account["sections"]["timeline"])) == []


def test_values_beyond_a_limit_are_marked_and_bounds_are_kept(written):
    rows = sections_of(written[0])["clinical"].table("observations").rows
    text = ["  ".join(row) for row in rows]
    assert "▲ 31" in text[0]
    assert "<5" in text[1]
    assert "? 25" in text[1]
    assert "▲ >100000" in text[2]
    assert "unknown" in text[2]


def test_the_parts_of_involvement_stand_in_columns_of_their_own(written, results):
    rows = sections_of(written[0])["clinical"].table("involvement").rows
    assert [cell.split(" |")[0] for cell in rows[0][1:]] == ["present", "present", "not assessable", "present"]
    assert [cell.split(" |")[0] for cell in rows[1][1:]] == [
        "absent",
        "not assessable",
        "not assessable",
        "not assessable",
    ]
    mimics = sections_of(written[0])["clinical"].table("mimics").rows
    methotrexate = next(row for row in mimics if row[0].startswith("intrathecal"))
    assert "7 days before" in methotrexate[2]


def test_what_changes_spectra_stands_beside_the_sessions_that_have_some(results):
    spectra = (SpectrumResult("02", "svs", 0.03, "press", False, None, None, (), "no signal"),)
    (told,) = clinical.facts(replace(results, spectra=spectra))["confounders"]
    assert told["label"] == "02"
    assert any("intrathecal methotrexate, 7 days before" in text for text in told["told"])
    assert any("seizure, day not known" in text for text in told["told"])
    assert not any(text.startswith("dexamethasone") for text in told["told"])  # ended 20 days before


def test_without_a_record_the_section_says_what_to_write(tmp_path):
    visit = Session("01", "01", None, None, (), (), ())
    bare = SubjectResults(Subject("01", None, (visit,)), *([None] * 3), (), (), Settings(), "0")
    assert clinical.facts(bare)["observations"] == []
    page = write_report(bare, assess(bare), tmp_path / "page.html").read_text(encoding="utf-8")
    text = " ".join(sections_of(page)["clinical"].texts)
    assert "write phenotype/clinical.tsv" in text
    assert "write phenotype/treatment.tsv" in text
    assert "It would be asked" in text  # the questions once, not a table of them without one answer
    assert "treatment.tsv" in clinical.layout(assess(bare))["unknown"]
    assert "clinical" not in misfits_of(page, assess(bare).to_json())
