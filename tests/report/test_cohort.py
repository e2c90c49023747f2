"""The cohort's page: known counts and medians, everyone in it, and nothing silent about what is missing."""

from __future__ import annotations

import itertools
import json
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from hlhneuro.errors import NotAssessable
from hlhneuro.report import assess, figures, tables_of, write_group_report
from hlhneuro.report.account.findings import plain_json
from hlhneuro.report.cohort import COHORT_SECTIONS, Cohort, cohort_account
from hlhneuro.report.figures import cohort as drawn
from hlhneuro.report.gallery import Gallery, Shown
from hlhneuro.report.tables.per_patient import (
    by_label,
    group_names,
    groups_of,
    lesion_loads,
    patient_courses,
    ratio_courses,
)
from hlhneuro.settings import ReportSettings
from tests.report.invented import DIAGNOSES, invented_cohort
from tests.report.test_html import EVIL, Page
from tests.report.walker import misfits_of

STATUS = pd.DataFrame(
    [
        {"subject": "02", "session": "01", "stage": "prepare", "state": "failed", "reason": "no finite signal"},
        {"subject": "01", "session": None, "stage": "align", "state": "done", "reason": None},
    ]
)


@pytest.fixture(scope="module")
def one(results, findings):
    return tables_of(results, findings)


@pytest.fixture(scope="module")
def twelve(one):
    return invented_cohort(one, 12)


@pytest.fixture(scope="module")
def many(one):
    """More patients than a legend names, more intervals than a figure holds."""
    return invented_cohort(one, 31)


@pytest.fixture(scope="module")
def nothing_assessed(empty_results):
    return tables_of(empty_results, assess(empty_results))


@pytest.fixture(autouse=True)
def coarse_template(results, monkeypatch):
    """Of the real template there is a test of its own: it takes long to load."""
    made = replace(results.aligned, sessions=()), results.lesions.territories
    monkeypatch.setattr(drawn, "template_territories", lambda: made)
    monkeypatch.setattr(drawn, "template_brain", lambda: (results.aligned.sessions[0].volumes["T1w"], None))


@pytest.fixture
def undrawn(monkeypatch):
    """A page of words: every picture is an empty one."""
    for kind in ("image", "vector"):
        monkeypatch.setattr(Gallery, kind, lambda _, draw, caption, alt: Shown(caption, alt, "data:image/png;base64,"))


def facts_of(key, tables):
    section = next(section for section in COHORT_SECTIONS if section.key == key)
    return plain_json(section.facts(Cohort.of(tables)))


def page_of(tables, tmp_path, settings=None):
    path = write_group_report(tables, tmp_path / "group" / "report.html", settings)
    return path.read_text(encoding="utf-8"), json.loads(path.with_suffix(".json").read_text("utf-8"))


def several(*parts):
    return {
        name: pd.concat([part[name] for part in parts if len(part[name])] or [parts[0][name]], ignore_index=True)
        for name in parts[0]
    }


def test_courses_are_the_loads_of_geometry(one):
    """Spheres of known radius: first and last load and the change between, which is that of the whole course."""
    course = patient_courses(one).iloc[0]
    loads = one["volumes"].query("structure == 'lesion_load'")["volume_ml"].to_numpy(dtype=float)
    assert (course["first_ml"], course["last_ml"]) == (loads[0], loads[2])
    assert course["sessions"] == 3
    assert pd.isna(course["net_ml"])  # three sessions, and their whole course was not measured
    whole = one["intervals"].iloc[:1].assign(span="course", net_ml=7.5)
    assert patient_courses(one | {"intervals": pd.concat([one["intervals"], whole])}).iloc[0]["net_ml"] == 7.5


def test_days_count_from_the_first_session_even_where_it_has_no_load(one):
    later = one["volumes"][one["volumes"]["session"] != "01"]
    assert list(lesion_loads(one | {"volumes": later})["days"]) == [35.0, 119.0]


def test_ratios_of_different_echo_times_are_kept_apart(one):
    spectra = one["spectra"]
    long = spectra.assign(spectrum="acq-long", echo_time_s=0.144)
    table = ratio_courses(one | {"spectra": pd.concat([spectra, long])}, (0.06, 0.2))
    assert set(table.loc[table["spectrum"] == "acq-long", "echo_class"]) == {1}
    assert set(table.loc[table["spectrum"] != "acq-long", "echo_class"]) == {0}
    unusable = ratio_courses(one | {"spectra": spectra.assign(verdict="not usable")}, (0.06, 0.2))
    assert unusable.empty


def test_labels_are_ordered_as_numbers():
    assert by_label(["10", "2", "b", "1", "a", "2"]) == ["1", "2", "10", "a", "b"]


def test_columns_that_divide_a_cohort():
    groups = pd.DataFrame(
        {"sex": list("FFMM"), "code": list("abcd"), "same": list("xxxx"), "score": ["1", "2", None, "2"]}
    )
    chosen, passed_over = group_names(groups, (), (2, 6))
    assert chosen == ["sex", "score"]
    assert set(passed_over) == {"code", "same"}
    assert group_names(groups, ("code", "absent"), (2, 6))[0] == ["code"]
    assert "no such column" in group_names(groups, ("absent",), (2, 6))[1]["absent"]


def test_medians_and_counts_of_groups(twelve):
    account = facts_of("groups", twelve)
    column = next(column for column in account["columns"] if column["name"] == "diagnosis")
    assert [row["group"] for row in column["rows"]] == sorted(DIAGNOSES)
    assert sum(row["patients"] for row in column["rows"]) == 12
    courses, groups = patient_courses(twelve), groups_of(twelve)
    for row in column["rows"]:
        own = courses[courses["subject"].map(groups["diagnosis"]) == row["group"]]["first_ml"]
        assert row["first_ml"]["median"] == pytest.approx(np.median(own))
        assert (row["first_ml"]["low"], row["first_ml"]["high"]) == (own.min(), own.max())


def test_a_territory_counts_once_per_patient(twelve):
    hits = drawn.territory_hits(twelve)
    table = twelve["territories"]
    for territory, side, patients in hits.itertuples(index=False):
        own = table[(table["territory"] == territory) & (table["side"] == side) & table["affected"]]
        assert patients == own["subject"].nunique()
    assert 0 < hits["patients"].max() <= 12


def test_the_map_has_sides_scale_and_counts(twelve):
    figure = figures.territory_frequency_map(twelve)
    written = [text.get_text() for text in figure.axes[0].texts]
    assert {"R", "L", "50 mm"} <= set(written)
    assert any("of 12" in text and "MNI152" in text for text in written)
    (legend,) = figure.legends
    assert legend.get_texts()[0].get_text().startswith("1")


def test_the_page_is_complete_self_contained_and_in_order(one, tmp_path):
    tables = invented_cohort(one, 3)
    text, account = page_of(tables | {"status": STATUS}, tmp_path)
    parsed = Page(text)
    sections = [attributes["id"] for attributes in parsed.of("section")]
    assert sections == [section.key for section in COHORT_SECTIONS] == list(account["sections"])
    assert {link["href"][1:] for link in parsed.of("a")} == set(sections)
    assert not {"script", "link", "iframe"} & {tag for tag, _ in parsed.tags}
    assert all(len(picture["alt"]) > 40 for picture in parsed.of("img"))
    assert all(picture["src"].startswith("data:image/") for picture in parsed.of("img"))
    assert all(header.get("scope") in {"col", "row"} for header in parsed.of("th"))
    levels = [int(tag[1]) for tag, _ in parsed.tags if re.fullmatch("h[1-6]", tag)]
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    assert "Cohort of 3\u00a0patients" in parsed.text
    for label in tables["visits"]["subject"].unique():
        assert f"sub-{label}" in parsed.text
    assert not re.search(r"\bp\s*[<=]\s*0?\.\d", parsed.text)  # no tests of significance


def test_every_number_of_the_page_is_in_its_account(twelve, undrawn, tmp_path):
    text, account = page_of(twelve | {"status": STATUS}, tmp_path)
    assert misfits_of(text, walked(account)) == {}


def walked(account):
    """Return the account in the form of a patient's, as the walker takes it."""
    return account | {"sessions": [{"label": f"{n:02d}"} for n in range(1, 4)], "findings": []}


def test_a_reason_stands_once_with_its_patients(twelve):
    rows = facts_of("unknown", twelve)["rows"]
    adc = [row for row in rows if row["reason"].startswith("no ADC map")]
    assert len(adc) == 1
    assert adc[0]["count"] == 12
    assert adc[0]["of"] == ["Restricted diffusion in a lesion"]


def test_reasons_that_differ_in_numbers_only_stand_together():
    reasons = ["02 FLAIR: 3.4 mm are missing", "02 FLAIR: 12 mm are missing", "the file is empty"]
    rows = [
        {"subject": f"{n}", "session": "02", "stage": "s", "state": "failed", "reason": r}
        for n, r in enumerate(reasons)
    ]
    told = facts_of("not_done", {"status": pd.DataFrame(rows)})["rows"]
    assert [(row["reason"], row["count"], row["example"]) for row in told] == [
        ("FLAIR: 3.4 mm are missing", 2, True),
        ("the file is empty", 1, False),
    ]


def test_patients_of_whom_nothing_is_known_stand_beside_the_others(one, nothing_assessed, undrawn, tmp_path):
    lone = {name: table.assign(subject="02") for name, table in nothing_assessed.items()}
    text, account = page_of(several(one, lone) | {"status": STATUS}, tmp_path)
    assert [row["subject"] for row in account["sections"]["summary"]["rows"]] == ["01", "02"]
    text = Page(text).text
    for words in ("sub-02", "No finite signal", "One session only", "not assessable"):
        assert words in text


def without(tables, *names):
    return tables | {name: tables[name].iloc[:0] for name in names}


CASES = {
    "one patient": lambda one, none: one,
    "no spectra": lambda one, none: without(one, "spectra", "mrsi"),
    "nothing assessable": lambda one, none: none,
    "nobody": lambda one, none: without(one, *one),
    "no table at all": lambda one, none: {},
    "no visits": lambda one, none: without(one, "visits"),
}


@pytest.mark.parametrize("case", CASES)
def test_any_cohort_gives_a_whole_page(one, nothing_assessed, undrawn, tmp_path, case):
    tables = CASES[case](one, nothing_assessed)
    text, account = page_of(tables, tmp_path)
    assert len(Page(text).of("section")) == len(COHORT_SECTIONS)
    assert len(text) < 10e6
    assert misfits_of(text, walked(account)) == {}


def test_the_largest_intervals_are_shown_and_that_is_said(many, undrawn):
    facts = facts_of("change", many)
    assert (facts["measured"], facts["shown"]) == (62, 60)
    section = next(section for section in COHORT_SECTIONS if section.key == "change")
    assert "Shown are the 60 largest." in section.pictures(Cohort.of(many), facts, Gallery(50))["change"].caption
    assert not figures.load_trajectories(many).legends  # nobody is named


@pytest.mark.parametrize("place", ["subject", "diagnosis", "reason", "label", "scanner", "column"])
def test_text_of_a_study_is_shown_and_never_run(one, undrawn, tmp_path, place):
    tables = several(one, {name: table.assign(subject="02") for name, table in one.items()})
    if place == "subject":
        tables = {name: table.assign(subject=table["subject"].replace("01", EVIL)) for name, table in tables.items()}
    elif place in ("reason", "label"):
        tables["findings"] = tables["findings"].assign(**{place: EVIL})
    elif place == "column":
        tables["visits"] = tables["visits"].rename(columns={"patient_diagnosis": f"patient_{EVIL}"})
    else:
        column = "patient_diagnosis" if place == "diagnosis" else "scanner"
        visits = tables["visits"]
        tables["visits"] = visits.assign(**{column: visits[column].mask(visits["subject"] == "01", EVIL)})
    settings = ReportSettings(group_columns=("diagnosis",) if place == "diagnosis" else ())
    parsed = Page(page_of(tables, tmp_path, settings)[0])
    assert not parsed.of("script")
    assert all(picture["src"].startswith("data:") for picture in parsed.of("img"))
    assert all(link["href"].startswith("#") for link in parsed.of("a"))
    assert "alert('x')" in parsed.text


def test_patients_whose_page_is_there_are_linked(one, undrawn, tmp_path):
    page = tmp_path / "sub-01" / "sub-01_report.html"
    page.parent.mkdir()
    page.write_text("x")
    links = [link["href"] for link in Page(page_of(one, tmp_path)[0]).of("a")]
    assert "../sub-01/sub-01_report.html" in links


def test_results_of_different_settings_are_pointed_out(one, undrawn, tmp_path):
    assert len(facts_of("summary", one)["made_with"]) == 1
    visits = one["visits"]
    mixed = one | {"visits": pd.concat([visits, visits.assign(subject="02", settings="ffffffff")])}
    assert "made with other versions or settings do not compare" in Page(page_of(mixed, tmp_path)[0]).text


def test_the_page_is_the_same_on_every_run(one, undrawn, tmp_path):
    assert page_of(one, tmp_path) == page_of(one, tmp_path / "again")


def test_words_on_coloured_cells_can_be_read(one, undrawn, tmp_path):
    """WCAG AA: 4.5 to 1 for text."""
    text, _ = page_of(one, tmp_path)
    named = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", text))
    rules = re.findall(r"\.(?:state|answer)-[^{]*\{ background: ([^;]+); color: ([^;]+);", text)
    assert len(rules) == 4

    def luminance(colour):
        value = named.get(colour.removeprefix("var(--").removesuffix(")"), colour)
        channels = np.array([int(value[i : i + 2], 16) for i in (1, 3, 5)]) / 255
        linear = np.where(channels <= 0.03928, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
        return float(linear @ [0.2126, 0.7152, 0.0722])

    for back, front in rules:
        dark, light = sorted((luminance(back), luminance(front)))
        assert (light + 0.05) / (dark + 0.05) >= 4.5, (back, front)


def test_quality_is_told_in_words(twelve):
    volumes = twelve["volumes"]
    hit = (volumes["subject"] == "05") & (volumes["structure"] == "lesion_load")
    volumes = volumes.assign(confidence=volumes["confidence"].mask(hit, "reduced"))
    table = facts_of("quality", twelve | {"volumes": volumes, "status": STATUS})
    cells = {row["subject"]: dict(zip(table["columns"], row["cells"], strict=True)) for row in table["rows"]}
    assert cells["05"]["Lesions"] == {"state": "partly", "parts": [{"count": 3, "word": "reduced"}]}
    assert cells["04"]["Lesions"]["state"] == "good"
    assert cells["02"]["Stages"] == {"state": "lost", "parts": [{"count": 1, "word": "failed"}]}
    assert cells["04"]["Stages"]["state"] == "nothing"


def test_a_setting_names_the_groups(twelve):
    settings = ReportSettings(group_columns=("sex", "absent"))
    account = cohort_account(Cohort.of(twelve, settings))["groups"]
    assert [column["name"] for column in account["columns"]] == ["sex"]
    assert account["passed_over"][0]["name"] == "absent"


def test_figures_keep_their_labels_inside(twelve):
    for figure in (figures.ratio_trajectories(twelve), figures.group_comparison(twelve, "diagnosis")):
        figure.canvas.draw()
        tight, (width, height) = figure.get_tightbbox(), figure.get_size_inches()
        assert min(tight.x0, tight.y0) > -0.03
        assert tight.x1 < width + 0.03
        assert tight.y1 < height + 0.03


def test_what_cannot_be_drawn_says_so(nothing_assessed, one):
    for draw in (
        figures.load_trajectories,
        figures.ratio_trajectories,
        figures.interval_changes,
        figures.territory_frequency,
        figures.territory_frequency_map,
    ):
        with pytest.raises(NotAssessable):
            draw(nothing_assessed)
    with pytest.raises(NotAssessable, match="no column"):
        figures.group_comparison(one, "absent")
