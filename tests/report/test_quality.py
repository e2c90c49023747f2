"""Quality: edges lie where they are, failures are findings, and what cannot be shown says why."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

import numpy as np
import pytest

from hlhneuro.answers import Answer
from hlhneuro.errors import NotAssessable
from hlhneuro.imaging import RegistrationQuality
from hlhneuro.report import StageStatus, assess, figures, tables_of, write_report
from hlhneuro.report.figures.quality import edges_of
from hlhneuro.report.figures.sheet import AXIAL, View
from hlhneuro.report.registrations import measures_of, verdict_text
from hlhneuro.report.sections import quality
from hlhneuro.settings import ReportSettings
from tests.report.test_html import Page

BAD = RegistrationQuality("02 T1w", "02 FLAIR", 1.001, 0.41, 7.5, False, "the brains do not overlap (Dice 0.41)")


def answers(results, code):
    """Answer and reason of one question, by session."""
    found = [finding for finding in assess(results).findings if finding.code == code]
    return {finding.sessions[0] if finding.scope == "session" else "": finding for finding in found}


def with_session(results, label, **changes):
    sessions = tuple(
        replace(session, **changes) if session.label == label else session for session in results.aligned.sessions
    )
    return replace(results, aligned=replace(results.aligned, sessions=sessions))


@pytest.fixture
def failed_contrast(results):
    """T1w of session 02 could not be aligned, and was left out, as `prepare` does it."""
    session = results.aligned.session("02")
    volumes = {name: volume for name, volume in session.volumes.items() if name != "T1w"}
    problem = f"02 T1w could not be aligned to 02 FLAIR: {BAD.reason}; the image was left out"
    found = with_session(results, "02", volumes=volumes, quality=(BAD,), problems=(problem,))
    return replace(found, statuses=(*results.statuses, StageStatus("01", "02", "prepare", "failed", problem)))


@pytest.fixture
def failed_session(results):
    """Session 03 matched neither of the others."""
    direct = [
        replace(BAD, moving="03 FLAIR", fixed=f"{other} FLAIR", reason="the images share too little")
        for other in ("01", "02")
    ]
    problem = "session 03 could not be aligned to the other sessions and was left out"
    aligned = replace(
        results.aligned,
        sessions=results.aligned.sessions[:2],
        quality=(*results.aligned.quality, *direct),
        problems=(problem,),
    )
    return replace(results, aligned=aligned, statuses=(StageStatus("01", "", "align", "failed", problem),))


# ------------------------------------------------------------------ findings


def test_images_that_are_aligned_are_answered_present(results):
    for finding in answers(results, "contrasts_aligned").values():
        assert finding.answer is Answer.PRESENT
        assert finding.reason == "T1w to FLAIR, least brain Dice 0.97"
        assert finding.value is None  # the fixture's contrasts were registered in one direction only
    between = answers(results, "session_aligned")
    assert [finding.answer for finding in between.values()] == [Answer.PRESENT] * 3
    assert between["02"].reason.startswith("in one space with ses-01 and ses-03")
    assert (between["02"].value, between["02"].unit) == (0.21, "mm")
    assert between["02"].threshold == results.settings.align.largest_inverse_gap_mm
    assert between["03"].value is None  # it has no direct match


def test_a_contrast_that_failed_is_a_finding_in_plain_words(failed_contrast, only, tmp_path):
    found = answers(failed_contrast, "contrasts_aligned")
    assert [found[label].answer for label in ("01", "02", "03")] == [Answer.PRESENT, Answer.ABSENT, Answer.PRESENT]
    said = "session 02 T1w could not be aligned to FLAIR and was left out: the brains do not overlap (Dice 0.41)"
    assert found["02"].reason == said
    account = assess(failed_contrast)
    assert f"S{said[1:]}." in account.summary
    assert not [finding for finding in account.findings if finding.code == "stage_prepare"]  # not said twice
    entry = next(
        e for e in account.to_json()["findings"] if e["code"] == "contrasts_aligned" and e["sessions"] == ["02"]
    )
    assert json.loads(json.dumps(entry))["answer"] == "absent"
    table = tables_of(failed_contrast, account)["findings"]
    assert said in set(table.loc[table["code"] == "contrasts_aligned", "reason"])
    only("summary", "findings", "quality")
    text = Page(write_report(failed_contrast, account, tmp_path / "page.html").read_text(encoding="utf-8")).text
    assert said[1:] in text
    assert "rejected" in text


def test_a_session_that_failed_is_a_finding(failed_session):
    found = answers(failed_session, "session_aligned")
    assert [found[label].answer for label in ("01", "02", "03")] == [Answer.PRESENT, Answer.PRESENT, Answer.ABSENT]
    assert found["03"].reason.startswith("session 03 could not be aligned: 03 FLAIR to 01 FLAIR: the images share")
    assert "although 03 FLAIR to 01 FLAIR" in found["01"].reason
    inside = answers(failed_session, "contrasts_aligned")["03"]
    assert inside.answer is Answer.NOT_ASSESSABLE
    assert not [finding for finding in assess(failed_session).findings if finding.code == "stage_align"]


def test_of_two_sessions_that_do_not_match_neither_is_aligned(results):
    bad = replace(BAD, moving="02 FLAIR", fixed="01 FLAIR")
    aligned = replace(results.aligned, sessions=results.aligned.sessions[:1], quality=(bad,))
    subject = replace(results.subject, sessions=results.subject.sessions[:2])
    found = answers(replace(results, aligned=aligned, subject=subject), "session_aligned")
    assert [finding.answer for finding in found.values()] == [Answer.ABSENT] * 2


def test_nothing_to_align_is_not_assessable(results):
    single = with_session(results, "01", quality=())
    single = replace(single, aligned=replace(single.aligned, sessions=single.aligned.sessions[:1], quality=()))
    single = replace(single, subject=replace(single.subject, sessions=single.subject.sessions[:1]))
    for code, why in (
        ("contrasts_aligned", "only contrast"),
        ("session_aligned", "no other session"),
        ("template_aligned", "no match with the template"),
    ):
        (finding,) = answers(single, code).values()
        assert finding.answer is Answer.NOT_ASSESSABLE
        assert why in finding.reason


def test_a_session_without_usable_images_says_why(results):
    lost = replace(
        results,
        aligned=replace(results.aligned, sessions=results.aligned.sessions[:2]),
        statuses=(StageStatus("01", "03", "read", "failed", "ses-03 FLAIR: all voxels are zero; export it again"),),
    )
    for code in ("contrasts_aligned", "session_aligned"):
        assert answers(lost, code)["03"].answer is Answer.NOT_ASSESSABLE
        assert "all voxels are zero" in answers(lost, code)["03"].reason


def test_a_doubtful_template_is_a_finding(results):
    match = RegistrationQuality("mean T1w", "MNI152 template", 1.01, 0.55, float("nan"), False, "too little in common")
    finding = answers(replace(results, aligned=replace(results.aligned, quality=(match,))), "template_aligned")[""]
    assert finding.answer is Answer.ABSENT
    assert "could not be aligned with the template" in finding.reason
    assert "mean T1w to MNI152 template: too little in common" in finding.reason
    assert finding.value == 0.55
    refused = replace(match, fixed="deformation of the MNI152 template", reason="it folds; the affine match is used")
    found = replace(results.aligned, quality=(replace(match, accepted=True), refused))
    finding = answers(replace(results, aligned=found), "template_aligned")[""]
    assert finding.answer is Answer.PRESENT
    assert "it folds" in finding.reason


def test_a_template_that_is_not_valid_at_that_age_is_a_finding(results):
    young = replace(results.aligned, template_valid=False, template_reason="age 0.5 years: an adult template")
    finding = answers(replace(results, aligned=young), "template_valid")[""]
    assert (finding.answer, finding.reason) == (Answer.ABSENT, "age 0.5 years: an adult template")
    assert answers(results, "template_valid")[""].answer is Answer.PRESENT
    ageless = replace(results.subject, sessions=tuple(replace(one, age_years=None) for one in results.subject.sessions))
    assert answers(replace(results, subject=ageless), "template_valid")[""].answer is Answer.NOT_ASSESSABLE


# ------------------------------------------------------------------- figures


def test_edges_lie_where_tissue_ends(results):
    """A bright disc of 30 mm radius: every point of its edge lies there, to a part of a voxel."""
    view = View.of(results.aligned)
    centre = np.array([0.0, -20.0, 10.0])
    away = np.linalg.norm(results.aligned.grid.points_mm()[..., :2] - centre[:2], axis=-1)
    # A voxel is as bright as the part of it inside the disc: the edge is known between voxels.
    disc = np.clip((30.0 - away) / view.voxel_mm + 0.5, 0, 1)
    index = round((centre[2] - view.affine[2, 3]) / view.voxel_mm)
    plane, brain = (view.plane(data, AXIAL, index) for data in (disc, view.brain))
    line = edges_of(plane, brain, view, ReportSettings(edge_part=0.05))
    figure = figures.midspace_slices(results, "01")
    contours = figure.axes[0].contour(line.field, [line.level])
    points = np.vstack([path.vertices for path in contours.get_paths()])
    distance = view.plane(away, AXIAL, index)
    rows, columns = np.rint(points[:, 1]).astype(int), np.rint(points[:, 0]).astype(int)
    assert len(points) > 50
    assert np.abs(distance[rows, columns] - 30.0).max() < view.voxel_mm


def test_the_edge_of_a_mask_is_drawn_where_the_mask_is(results):
    figure = figures.brain_outlines(results)
    ax = figure.axes[0]
    sides = [text.get_position()[0] for text in ax.texts if text.get_text() == "R"]
    view = View.of(results.aligned)
    index = view.index_at(AXIAL, results.settings.report.quality_positions[0])
    columns = np.flatnonzero(view.plane(results.aligned.sessions[0].brain_mask, AXIAL, index).any(axis=0))
    first = ax.collections[0].get_paths()[0].vertices
    assert sides
    assert first[:, 0].min() == pytest.approx(columns[0], abs=0.01)  # the edge of the first voxel, not its centre
    assert first[:, 0].max() == pytest.approx(columns[-1] + 1, abs=0.01)


def test_headings_say_which_when_and_how_well(results):
    written = [text.get_text() for text in figures.contrast_outlines(results, "02").axes[0].texts]
    assert written[0] == "ses-02 · 2019-04-08 · 4.6\u00a0years · T1w on FLAIR · accepted (NMI 1.21, Dice 0.970)"
    assert any("radiological" in text for text in written)
    written = [text.get_text() for text in figures.session_outlines(results).axes[0].texts]
    assert "accepted (NMI 1.18, Dice 0.980, gap 0.21\u00a0mm)" in written[0].replace("\n", " ")
    assert any("not matched directly" in text.replace("\n", " ") for text in written)


def test_a_failed_contrast_has_its_reason_instead_of_pictures(failed_contrast):
    figure = figures.contrast_outlines(failed_contrast, "02")
    assert "rejected, the brains do not overlap" in figure.axes[0].texts[0].get_text()
    assert not figure.axes[0].get_images()
    assert not figure.axes[0].lines  # no scale without a picture


def test_pictures_to_be_shown_in_turn_lie_on_each_other(results):
    """The same size, the same places: nothing but the brain may jump."""
    sheets = [figures.midspace_slices(results, label) for label in ("01", "02", "03")]
    assert len({tuple(sheet.get_size_inches()) for sheet in sheets}) == 1
    places = [[(t.get_position(), t.get_text()) for t in sheet.axes[0].texts[1:]] for sheet in sheets]
    assert places[0] == places[1] == places[2]


def test_what_cannot_be_shown_says_why(results, empty_results):
    single = replace(results, aligned=replace(results.aligned, sessions=results.aligned.sessions[:1]))
    lone = with_session(results, "01", quality=())
    bare = replace(results, aligned=replace(results.aligned, template_maps={}))
    for draw, why in (
        (lambda: figures.session_outlines(empty_results), "no session"),
        (lambda: figures.brain_outlines(empty_results), "no session"),
        (lambda: figures.session_outlines(single), "only one session"),
        (lambda: figures.contrast_outlines(lone, "01"), "one contrast only"),
        (lambda: figures.contrast_outlines(results, "99"), "not aligned"),
        (lambda: figures.midspace_slices(results, "99"), "not aligned"),
        (lambda: figures.template_outlines(bare), "not carried"),
    ):
        with pytest.raises(NotAssessable, match=why):
            draw()


# ---------------------------------------------------------------------- page


def test_measures_that_come_later_are_shown_by_their_name():
    @dataclass(frozen=True)
    class Later(RegistrationQuality):
        edge_agreement: float = 0.875

    later = Later(*(getattr(BAD, name) for name in RegistrationQuality.__dataclass_fields__))
    assert measures_of(later)["edge_agreement"][0].title == "Edge agreement"
    assert "edge agreement 0.875" in verdict_text(later)


def test_a_gap_that_was_read_back_as_null_is_no_number():
    assert "gap" not in verdict_text(replace(BAD, inverse_consistency_mm=None))


def test_noise_stands_by_contrast_and_session(results, only, tmp_path):
    found = with_session(results, "02", noise_sd={"FLAIR": 0.0451})
    view = quality.facts(replace(found, lesions=None))
    assert view["contrasts"] == ["FLAIR", "T1w"]
    noise = [session["noise_sd"] for session in view["sessions"]]
    assert noise == [{"FLAIR": 0.03, "T1w": 0.03}, {"FLAIR": 0.0451}, {"FLAIR": 0.03, "T1w": 0.03}]
    only("quality")
    text = Page(write_report(found, assess(found), tmp_path / "page.html").read_text(encoding="utf-8")).text
    assert "0.0451" in text
    assert "n/a" in text
