"""The viewer shows the right volumes at the right place and side, and nothing on the page but it can run."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest
from scipy.spatial import cKDTree

from hlhneuro.report import embedded, html
from hlhneuro.report.account.assessment import assess
from hlhneuro.report.figures.style import COLOURS
from hlhneuro.report.sections import SECTIONS, viewer
from tests.report.browser import CHROMIUM, DRAWN_BY_CPU, WITHOUT_3D, Browser
from tests.report.walker import misfits_of

EVIL = "</script><script>alert(1)</script>"
MARKER_MM = 35.0  # so far to the right of the middle


def shown_on(results, label="01", contrast="FLAIR"):
    """Return what the page carries of one contrast of one session, as nibabel reads it."""
    facts = viewer.facts(results)
    blocks, data = viewer._packed(results, results.aligned, facts)
    number = [session.label for session in results.aligned.sessions].index(label)
    column = [row["name"] for row in facts["contrasts"]].index(contrast)
    return image_of(blocks[data["sessions"][number]["images"][column]])


def image_of(block):
    return nib.Nifti1Image.from_bytes(gzip.decompress(base64.b64decode(block)))


def with_settings(results, **changed):
    report = replace(results.settings.report, **changed)
    return replace(results, settings=replace(results.settings, report=report))


@pytest.fixture(scope="module")
def marked(results):
    """A bright cube in the right half of every brain on T1w; two sessions at a time are shown."""
    aligned, middle = results.aligned, viewer.facts(results)["places"][-1]
    centre = np.array([middle["x_mm"] + MARKER_MM, middle["y_mm"], middle["z_mm"]])
    near = np.all(np.abs(aligned.grid.points_mm() - centre) < 14, axis=-1)
    sessions = []
    for session in aligned.sessions:
        old = session.volumes["T1w"]
        data = np.where(near, np.float32(1.0), np.float32(0.5) * old.data / old.data.max())
        sessions.append(replace(session, volumes={**session.volumes, "T1w": replace(old, data=data)}))
    return with_settings(replace(results, aligned=replace(aligned, sessions=tuple(sessions))), viewer_panes=2)


@pytest.fixture(scope="module")
def only_viewer():
    """Write pages of two sections: the others have tests of their own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(html, "SECTIONS", tuple(section for section in SECTIONS if section.key in ("summary", "viewer")))
        yield


@pytest.fixture(scope="module")
def page(marked, only_viewer, tmp_path_factory):
    return written(marked, tmp_path_factory.mktemp("viewer"))


def written(results, folder):
    return html.write_report(results, assess(results), folder / "page.html")


# ---- what is carried


def test_values_are_those_of_the_aligned_images_to_one_grey_step(results):
    session = results.aligned.session("01")
    dark, bright = next(
        (row["black_at"], row["white_at"]) for row in viewer.facts(results)["contrasts"] if row["name"] == "FLAIR"
    )
    image = shown_on(results)
    values = image.get_fdata()
    points = nib.affines.apply_affine(image.affine, np.argwhere(values >= dark - 1e-6))
    index = np.rint(nib.affines.apply_affine(np.linalg.inv(results.aligned.grid.affine), points)).astype(int)
    true = np.clip(session.volumes["FLAIR"].data[tuple(index.T)], dark, bright)
    step = (bright - dark) / 63
    # The two grids of 3 mm are half a voxel apart at most; flat tissue agrees to half a step of grey.
    assert np.median(np.abs(values[values >= dark - 1e-6] - true)) < 3 * step
    assert values.max() <= bright + 1e-5


def test_no_voxel_away_from_the_brain_is_carried(results):
    bright = tuple(
        replace(
            session,
            volumes={"FLAIR": replace(session.volumes["FLAIR"], data=np.ones(results.aligned.grid.shape, np.float32))},
        )
        for session in results.aligned.sessions
    )
    image = shown_on(replace(results, aligned=replace(results.aligned, sessions=bright)))
    carried = np.asarray(image.dataobj.get_unscaled()) > 0
    points = nib.affines.apply_affine(image.affine, np.argwhere(carried))
    brain = nib.affines.apply_affine(results.aligned.grid.affine, np.argwhere(results.aligned.brain_mask))
    gaps, _ = cKDTree(brain).query(points)
    assert gaps.max() < 3.0 + np.sqrt(3) * 3.0  # the margin, and a voxel of this coarse grid


def test_lesions_and_change_lie_where_the_results_have_them(results):
    facts = viewer.facts(results)
    blocks, data = viewer._packed(results, results.aligned, facts)
    grid = results.aligned.grid
    for number, session in enumerate(results.aligned.sessions):
        told = data["sessions"][number]
        pairs = [(told["lesions"], results.lesions.session(session.label).mask.astype(int))]
        if number:
            pairs.append((told["changes"], results.change.intervals[number - 1].codes.astype(int)))
        for name, truth in pairs:
            image = image_of(blocks[name])
            codes = np.asarray(image.dataobj)
            assert image.header["intent_code"] == 1002
            assert set(np.unique(codes)) == set(np.unique(truth))
            for code in set(np.unique(truth)) - {0}:
                centres = [
                    nib.affines.apply_affine(affine, np.argwhere(array == code)).mean(axis=0)
                    for affine, array in ((image.affine, codes), (grid.affine, truth))
                ]
                assert np.linalg.norm(centres[0] - centres[1]) < 2.0
    assert data["sessions"][0]["changes"] is None


def test_every_place_to_go_to_lies_in_a_lesion(results):
    inside = np.linalg.inv(results.aligned.grid.affine)
    any_lesion = np.logical_or.reduce([session.mask for session in results.lesions.sessions])
    places = [place for place in viewer.facts(results)["places"] if place["lesion"] is not None]
    assert len(places) == 3
    for place in places:
        at = np.rint(nib.affines.apply_affine(inside, [place[f"{axis}_mm"] for axis in "xyz"])).astype(int)
        assert any_lesion[tuple(at)]


def test_contrasts_are_those_that_sessions_share(results):
    first, *others = results.aligned.sessions
    alone = replace(first, volumes={**first.volumes, "SWI": first.volumes["T1w"]})
    facts = viewer.facts(replace(results, aligned=replace(results.aligned, sessions=(alone, *others))))
    assert [row["name"] for row in facts["contrasts"]] == ["FLAIR", "T1w"]
    lacking = replace(others[0], volumes={"T1w": others[0].volumes["T1w"]})
    facts = viewer.facts(replace(results, aligned=replace(results.aligned, sessions=(first, lacking, *others[1:]))))
    assert [row["name"] for row in facts["contrasts"]] == ["T1w", "FLAIR"]  # what all have comes first


@pytest.mark.parametrize(("sessions", "budget_mb"), [(3, 1.3), (12, 1.6), (12, 2.0)])
def test_many_sessions_get_coarser_volumes_and_stay_in_their_share(results, sessions, budget_mb):
    first = results.aligned.sessions[0]
    many = tuple(replace(first, label=f"{number:02d}") for number in range(sessions))
    crowded = with_settings(results, viewer_max_mb=budget_mb, viewer_voxel_mm=(3.0, 4.0, 5.0, 6.0))
    crowded = replace(crowded, aligned=replace(results.aligned, sessions=many))
    facts = viewer.facts(crowded)
    assert facts["voxel_mm"] > 3.0 or facts["left_out"]
    blocks, _ = viewer._packed(crowded, crowded.aligned, facts)
    assert sum(map(len, blocks.values())) < budget_mb * 1e6
    assert facts["panes"] == min(sessions, 6)


def test_a_session_whose_lesions_are_not_assessable_says_so(results):
    without = replace(results.lesions, sessions=results.lesions.sessions[:2], not_assessable={"03": "too little brain"})
    change = replace(results.change, intervals=results.change.intervals[:1])
    told = viewer.facts(replace(results, lesions=without, change=change))["sessions"]
    assert [(row["lesions"], row["since"], row["no_change"]) for row in told] == [
        (True, "", "there is no earlier session"),
        (True, "01", ""),
        (False, "", "lesions are not assessable"),
    ]


def test_what_never_fits_is_left_out_and_said(results, only_viewer, tmp_path):
    small = with_settings(results, viewer_max_mb=0.1)
    assert "too large" in viewer.facts(small)["reason"]
    text = written(small, tmp_path).read_text(encoding="utf-8")
    assert "There is no volume viewer: the volumes of 3 sessions would make the page too large" in text
    assert "<script" not in text
    assert "script-src" not in text


def test_a_page_that_is_too_large_even_so_carries_no_volumes(marked, only_viewer, tmp_path):
    text = written(with_settings(marked, max_page_mb=0.5), tmp_path).read_text(encoding="utf-8")
    assert len(text) < 0.5e6
    assert "with its volumes the page would become too large" in text


def test_without_niivue_the_page_says_why(results, monkeypatch):
    monkeypatch.setattr(viewer, "niivue", lambda: "")
    assert "does not bring niivue" in viewer.facts(results)["reason"]


def test_without_images_there_is_no_such_section(empty_results):
    assert viewer.facts(empty_results) is None


def test_no_brain_mask_no_viewer(results):
    nothing = np.zeros(results.aligned.grid.shape, bool)
    sessions = tuple(replace(session, brain_mask=nothing) for session in results.aligned.sessions)
    facts = viewer.facts(replace(results, aligned=replace(results.aligned, sessions=sessions, brain_mask=nothing)))
    assert "brain mask is empty" in facts["reason"]


# ---- the page as text


def test_the_policy_names_every_script_and_nothing_else_runs(page):
    text = page.read_text(encoding="utf-8")
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text).group(1)
    named = re.findall(r"script-src ([^;]*)", policy)[0].split()
    inline = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    digests = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in inline]
    digests += [base64.b64encode(hashlib.sha256(embedded.niivue().encode()).digest()).decode()]
    assert named == [f"'sha256-{digest}'" for digest in digests]
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert not re.search(r"unsafe|connect-src|worker-src|blob:|https?:", policy)
    types = re.findall(r'<script type="([^"]*)"', text)
    assert set(types) == {"application/json", "application/octet-stream"}  # data: no browser runs them


def test_text_from_a_study_never_becomes_script(marked, only_viewer, tmp_path):
    first, *others = marked.aligned.sessions
    sessions = (replace(first, label=EVIL), *others)
    subject = replace(
        marked.subject, sessions=(replace(marked.subject.sessions[0], label=EVIL), *marked.subject.sessions[1:])
    )
    lesions = marked.change.lesions.assign(territory=EVIL)
    spiked = replace(
        marked,
        subject=subject,
        aligned=replace(marked.aligned, sessions=sessions),
        change=replace(marked.change, lesions=lesions),
    )
    text = written(spiked, tmp_path).read_text(encoding="utf-8")
    assert "alert(1)" in text
    assert EVIL not in text
    assert "<script>alert" not in text
    assert len(re.findall("<script>", text)) == 1


def test_its_numbers_are_in_the_account(page, marked):
    account = json.loads(json.dumps(assess(marked).to_json()))
    assert misfits_of(page.read_text(encoding="utf-8"), account).get("viewer") is None


# ---- the page in a browser

needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here")
OPENED = "['open', 'failed'].includes(document.querySelector('[data-viewer]').dataset.viewer)"
PLACE = "document.querySelector('[data-position]').value"
READINGS = "[...document.querySelectorAll('[data-reading]')].map((line) => line.textContent).join('; ')"


@pytest.fixture(scope="module")
def browser(page):
    """The page with the viewer open: the first session beside the last."""
    browser = Browser(*DRAWN_BY_CPU)
    browser.open(page)
    browser.run("document.querySelector('[data-open]').click()")
    browser.wait(OPENED)
    yield browser
    browser.close()


def choose(browser, name, value):
    """Choose in one of the lists of the viewer."""
    element = f"document.querySelector('[data-{name}]')"
    browser.run(f"{element}.value = {value!r}; {element}.dispatchEvent(new Event('change'))")


def click(browser, name):
    browser.run(f"document.querySelector('[data-{name}]').click()")


def pictures(browser):
    """Return what is drawn of the first and of the last session."""
    return [
        browser.picture(n, "document.querySelector('[data-fill]').dispatchEvent(new Event('input'))") for n in (0, 1)
    ]


def coloured(picture, colour):
    """Return the places (row, column) of about that colour."""
    wanted = [int(colour[at : at + 2], 16) for at in (1, 3, 5)]
    return np.argwhere(np.abs(picture - wanted).max(axis=-1) < 60)


@needs_browser
def test_it_opens_without_any_request_and_without_complaint(browser, page):
    assert browser.run("document.querySelector('[data-viewer]').dataset.viewer") == "open"
    assert [address for address in browser.asked if not address.startswith("data:")] == [page.as_uri()]
    assert browser.told == []
    assert all(picture.mean() > 20 for picture in pictures(browser))


@needs_browser
def test_left_is_on_the_right_in_every_session(browser):
    choose(browser, "contrast", "T1w")
    choose(browser, "place", "3")  # the middle of the brain
    browser.wait(f"{READINGS}.split('T1w').length === 3")
    click(browser, "lesions")
    for picture in pictures(browser):
        bright = np.argwhere(picture.min(axis=-1) > 220)
        assert len(bright) > 100  # the marker in the right half of the brain ...
        assert bright[:, 1].max() < 0.5 * picture.shape[1]  # ... is on the left of the picture
    click(browser, "lesions")
    sides = "[...document.querySelectorAll('.side')].slice(0, 2).map((mark) => [mark.textContent, mark.offsetLeft])"
    (first, left), (second, right) = browser.run(sides)
    assert (first, second) == ("R", "L")
    assert left < right
    choose(browser, "contrast", "FLAIR")
    browser.wait(f"{READINGS}.split('FLAIR').length === 3")


@needs_browser
def test_lesions_stand_where_they_are_and_can_be_hidden(browser, marked):
    choose(browser, "place", "0")
    assert viewer.facts(marked)["places"][0]["x_mm"] < 0  # on the patient's left
    assert browser.run(READINGS).count("lesion") == 2
    first = pictures(browser)[0]
    outline = coloured(first, COLOURS["vermillion"])
    assert len(outline) > 20
    assert outline[:, 1].min() > 0.5 * first.shape[1]
    click(browser, "lesions")
    assert not any(len(coloured(picture, COLOURS["vermillion"])) for picture in pictures(browser))
    click(browser, "lesions")


@needs_browser
def test_change_is_drawn_in_its_colours_from_the_second_session_on(browser):
    choose(browser, "place", "2")  # gone at the last session
    click(browser, "changes")
    browser.wait(f"{READINGS}.includes('resolved')")
    assert "there is no earlier session" in browser.run(READINGS)
    first, last = (len(coloured(picture, COLOURS["blue"])) for picture in pictures(browser))
    assert first == 0
    assert last > 50
    click(browser, "changes")
    browser.wait(f"!{READINGS}.includes('resolved')")


@needs_browser
def test_all_pictures_move_and_zoom_together_by_keyboard(browser):
    browser.run("document.querySelectorAll('canvas')[1].focus()")
    before, drawn = browser.run(PLACE), pictures(browser)
    browser.press("ArrowLeft")  # to the patient's right
    x = [float(re.search(r"x = (\S+) mm", text).group(1).replace("−", "-")) for text in (before, browser.run(PLACE))]
    assert x[1] > x[0]
    browser.press("+")
    for old, new in zip(drawn, pictures(browser), strict=True):
        assert np.abs(new - old).mean() > 1
    browser.press("0")
    browser.press("ArrowRight")
    assert browser.run(PLACE) == before
    for old, new in zip(drawn, pictures(browser), strict=True):
        assert np.abs(new - old).mean() < 1


@needs_browser
def test_every_plane_draws_a_brain(browser):
    for plane in ("1", "2", "3", "0"):
        choose(browser, "plane", plane)
        assert all((picture.mean(axis=-1) > 40).mean() > 0.1 for picture in pictures(browser))


@needs_browser
def test_without_webgl_the_page_says_so_in_one_sentence(page):
    browser = Browser(*WITHOUT_3D)
    browser.open(page)
    heights = [
        browser.run(f"document.querySelector('[data-{name}]').offsetHeight") for name in ("absent", "invite", "stage")
    ]
    browser.close()
    assert heights[0] > 0
    assert heights[1:] == [0, 0]
