"""Pages are whole, closed to the outside, readable without pictures, and never silent about what is missing."""

from __future__ import annotations

import base64
import hashlib
import itertools
import re
from dataclasses import replace
from functools import cache
from html.parser import HTMLParser

import numpy as np
import pytest

from hlhneuro.answers import Answer
from hlhneuro.report import assess, write_report
from hlhneuro.report.methods import methods_of
from hlhneuro.report.sections import SECTIONS
from tests.conftest import empty_pictures
from tests.report.conftest import IMAGING_FINDINGS
from tests.report.walker import misfits_of

# Course, panels, 2 changes, 2 x territories, ratios, 2 x (spectrum, voxel); sessions, 3 in turn, 3 x contrasts, brain,
# template.
PICTURES = 20
EVIL = "<script>alert('x')</script><img src=https://example.org/x.png onerror=alert(1)>"


class Page(HTMLParser):
    """What a browser would find: tags in order, ids, and the text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


read = cache(Page)  # a page with its pictures takes a while


def page_of(results, tmp_path, imaging=(), spectral=()):
    path = write_report(results, assess(results, imaging, spectral), tmp_path / "page.html")
    return path.read_text(encoding="utf-8")


def test_the_page_is_self_contained(page):
    assert len(page) < 10e6
    parsed = read(page)
    assert not {"link", "iframe", "object", "embed", "form"} & {tag for tag, _ in parsed.tags}
    for tag, attributes in parsed.tags:
        for name in ("src", "href", "srcset", "data", "action"):
            if name in attributes:
                assert attributes[name].startswith(("data:image/", "#")), (tag, attributes[name][:60])
        assert not any(name.startswith("on") for name in attributes)
        assert "style" not in attributes  # the policy would drop it
    assert not re.search(r"@import|url\(", re.search(r"<style>(.*?)</style>", page, re.DOTALL).group(1))


def test_the_policy_allows_nothing_but_the_own_style_and_embedded_images(page):
    style = re.search(r"<style>(.*?)</style>", page, re.DOTALL).group(1)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    (policy,) = [meta["content"] for meta in read(page).of("meta") if "http-equiv" in meta]
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert f"'sha256-{digest}'" in policy
    assert "unsafe" not in policy


def test_the_page_is_the_same_on_every_run(results, findings, page, tmp_path):
    again = write_report(results, findings, tmp_path / "other name.html").read_text(encoding="utf-8")
    assert again == page


def test_headings_go_down_one_level_at_a_time(page):
    levels = [int(tag[1]) for tag, _ in read(page).tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))


def test_contents_lead_to_every_section(page, findings):
    parsed = read(page)
    targets = {attributes["href"][1:] for attributes in parsed.of("a")}
    sections = [attributes["id"] for attributes in parsed.of("section")]
    assert sections == [section.key for section in SECTIONS if section.key in findings.sections]
    assert set(sections) == targets


def test_every_picture_has_words(page):
    pictures = read(page).of("img")
    assert len(pictures) == PICTURES
    assert all(len(picture["alt"]) > 30 for picture in pictures)


def test_words_for_pictures_hold_no_numbers_of_their_own(page, findings):
    """The rest of the page is walked without its pictures, in `test_numbers`."""
    assert misfits_of(page, findings.to_json()) == {}


def test_sessions_in_one_place_are_chosen_by_keyboard_and_have_words(page):
    """Radio buttons of one group with labels: Tab reaches them and the arrow keys go through them, without a script."""
    parsed = read(page)
    buttons = [button for button in parsed.of("input") if button["type"] == "radio"]
    assert len(buttons) == 3
    assert {button["name"] for button in buttons} == {"flicker"}
    assert ["checked" in button for button in buttons] == [True, False, False]
    assert [label["for"] for label in parsed.of("label") if "for" in label] == [button["id"] for button in buttons]
    assert len(parsed.of("fieldset")) == len(parsed.of("legend")) == 1


def test_tables_have_headers_with_a_scope(page):
    assert all(header.get("scope") in {"col", "colgroup", "row"} for header in read(page).of("th"))


def test_colours_of_text_have_enough_contrast(page):
    """WCAG AA: 4.5 to 1 for text."""
    colours = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", page))

    def luminance(colour):
        channels = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
        linear = np.where(channels <= 0.03928, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
        return float(linear @ [0.2126, 0.7152, 0.0722])

    pairs = [("ink", "paper"), ("muted", "paper"), ("muted", "soft"), ("ink", "soft"), ("accent", "paper")]
    pairs += [(f"{answer}-ink", f"{answer}-bg") for answer in ("present", "absent", "unknown")]
    for front, back in pairs:
        dark, light = sorted((luminance(colours[front]), luminance(colours[back])))
        assert (light + 0.05) / (dark + 0.05) >= 4.5, (front, back)


def test_every_finding_stands_in_the_page_with_its_answer_in_words(page, findings):
    text = read(page).text
    for finding in findings.findings:
        assert finding.label in text
        assert finding.answer.value in text
    assert "For research use only" in text


def test_numbers_of_the_load_stand_with_error_and_unit(page, results):
    for session in results.lesions.sessions:
        assert f"{session.volume_ml:.2f}\u00a0±\u00a00.60\u00a0ml" in page
    assert "within error" in page.lower()


@pytest.fixture
def words_alone():
    """Pictures are made, and what is in their files is not asked."""
    with empty_pictures():
        yield


@pytest.fixture
def without_images(results, words_alone):
    """What a test of words needs: no picture of the brain is made."""
    return replace(results, aligned=None)


def test_a_change_below_its_error_is_called_within_error(without_images, tmp_path):
    results = without_images
    interval = replace(results.change.intervals[0], net_ml=1.0, net_sd_ml=0.85, smallest_real_change_ml=1.67)
    text = page_of(replace(results, change=replace(results.change, intervals=(interval,))), tmp_path)
    assert '<span class="verdict within-error">within error</span>' in text


@pytest.mark.parametrize("place", ["label", "treatment", "reason", "spectrum", "territory"])
def test_text_from_a_study_is_shown_and_never_run(without_images, tmp_path, place):
    imaging, results = IMAGING_FINDINGS, without_images
    if place == "label":
        results = replace(results, subject=replace(results.subject, label=EVIL))
    elif place == "treatment":
        session = replace(results.subject.sessions[0], covariates={"scanner": EVIL}, problems=(EVIL,))
        results = replace(results, subject=replace(results.subject, sessions=(session, *results.subject.sessions[1:])))
    elif place == "reason":
        imaging = [replace(finding, reason=EVIL, label=EVIL) for finding in IMAGING_FINDINGS]
    elif place == "spectrum":
        results = replace(results, spectra=(replace(results.spectra[0], name=EVIL, fit=None, reason=EVIL),))
    else:
        lesions = results.change.lesions.assign(territory=EVIL)
        results = replace(results, change=replace(results.change, lesions=lesions))
    text = page_of(results, tmp_path, imaging)
    parsed = Page(text)
    assert not parsed.of("script")
    assert all(picture["src"].startswith("data:") for picture in parsed.of("img"))
    assert "alert('x')" in parsed.text


MISSING = {
    "alignment": {"aligned": None, "lesions": None, "change": None},
    "lesions": {"lesions": None, "change": None},
    "change": {"change": None},
    "spectra": {"spectra": ()},
    "everything": {"aligned": None, "lesions": None, "change": None, "spectra": ()},
}


@pytest.mark.parametrize(("missing", "sessions"), list(zip(MISSING, (1, 3, 1, 3, 3), strict=True)))
@pytest.mark.usefixtures("words_alone")
def test_a_page_without_some_part_is_complete_and_says_what_is_missing(results, tmp_path, missing, sessions):
    left = replace(results, **MISSING[missing], statuses=())
    if sessions == 1:
        left = replace(left, subject=replace(left.subject, sessions=left.subject.sessions[:1]))
    found = assess(left)
    parsed = Page(page_of(left, tmp_path))
    assert len(parsed.of("section")) == len(found.sections)
    assert "not assessable" in parsed.text
    assert any(finding.answer is Answer.NOT_ASSESSABLE for finding in found.findings)
    for finding in found.findings:
        assert finding.label in parsed.text


def test_one_session_of_which_nothing_could_be_used(empty_results, tmp_path):
    text = Page(page_of(empty_results, tmp_path)).text
    assert "no finite signal" in text
    assert "One session only" in text
    assert "age unknown" in text


def test_a_spectrum_without_a_fit_says_why(without_images, tmp_path):
    results = without_images
    broken = replace(results.spectra[0], fit=None, voxel=None, reason="echo time missing; add EchoTime to the sidecar")
    assert "Echo time missing; add EchoTime" in page_of(replace(results, spectra=(broken,)), tmp_path)


def test_a_page_that_would_grow_too_large_gets_smaller_pictures(results, page, tmp_path):
    bare = len(re.sub("<script.*?</script>", "", page, flags=re.DOTALL))  # volumes have tests of their own
    report = replace(results.settings.report, max_page_mb=0.9 * bare / 1e6, viewer_max_mb=0.1)
    text = page_of(replace(results, settings=replace(results.settings, report=report)), tmp_path)
    assert len(text) < 0.9 * bare
    assert len(Page(text).of("img")) == PICTURES


def test_methods_tell_only_what_ran(results, empty_results):
    full, empty = methods_of(results), methods_of(empty_results)
    told = " ".join(text for _, text in full.paragraphs)
    assert "N4" in told
    assert "midspace" in told
    assert "of the same voxel" not in told  # no water reference was used
    assert [title for title, _ in empty.paragraphs] == ["Data"]
    cited = [int(n) for group in re.findall(r"\[([\d, ]+)\]", told) for n in group.split(", ")]
    assert sorted(set(cited)) == list(range(1, len(full.references) + 1))
    assert list(dict.fromkeys(cited)) == sorted(set(cited))  # numbered as they come


def test_methods_name_water_only_where_it_was_used(results):
    spectra = tuple(replace(spectrum, water_reference=True) for spectrum in results.spectra)
    told = methods_of(replace(results, spectra=spectra))
    assert any("Gasparovic" in reference for reference in told.references)


def test_settings_stand_with_their_source(page, results):
    assert "report.panel_slices" in page
    assert "expert-set" in page
