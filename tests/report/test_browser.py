"""What a browser makes of a page: it asks nobody, logs nothing, and can be read, reached by keyboard and printed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.report.browser import CHROMIUM, WITHOUT_3D, Browser

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here to look at pages with")

A4_PX = 703  # 186 mm between the margins of the page, at 96 pixels per inch
OWN = "not an origin"
TAB = {"key": "Tab", "code": "Tab", "windowsVirtualKeyCode": 9}
# WCAG 2.1, 1.4.3: luminance of two colours, 4.5 to 1 for text, 3 to 1 for large text.
FAINT = """(() => {
  const parts = colour => colour.match(/[\\d.]+/g).map(Number);
  const over = (front, back) => {
    const alpha = front[3] ?? 1;
    return [0, 1, 2].map(i => alpha * front[i] + (1 - alpha) * back[i]);
  };
  const light = colour => {
    const [r, g, b] = colour.map(c => c / 255).map(c => c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = element => {
    if (!element) return [255, 255, 255];
    const own = parts(getComputedStyle(element).backgroundColor);
    return (own[3] ?? 1) === 1 ? own.slice(0, 3) : over(own, behind(element.parentElement));
  };
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let seen = 0;
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement, text = walker.currentNode.data.trim();
    if (!text || element.closest("script, style") || !element.checkVisibility()) continue;
    const style = getComputedStyle(element), back = behind(element), front = over(parts(style.color), back);
    const [dark, bright] = [light(front), light(back)].sort((a, b) => a - b);
    const size = parseFloat(style.fontSize), large = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
    seen += 1;
    if ((bright + 0.05) / (dark + 0.05) < (large ? 3 : 4.5)) found.push(text.slice(0, 40) + " " + style.color);
  }
  return {seen, found};
})()"""
WIDER = """[...document.querySelectorAll("main *, header *")].filter(e => !e.closest(".scroll") && e.checkVisibility()
  && e.getBoundingClientRect().right > document.documentElement.clientWidth + 1).map(e => e.outerHTML.slice(0, 80))"""
CUT = """[...document.querySelectorAll(".scroll")]
  .filter(e => e.checkVisibility() && e.scrollWidth > e.clientWidth + 1)"""


@pytest.fixture(scope="module")
def seen(page: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    folder = tmp_path_factory.mktemp("browser")
    path, log = folder / "page.html", folder / "net.json"
    path.write_text(page, encoding="utf-8")
    found = SimpleNamespace(browser=Browser(*WITHOUT_3D, f"--log-net-log={log}"), path=path, log=log)
    found.browser.open(path)
    yield found
    if found.browser:
        found.browser.close()


@pytest.fixture(scope="module")
def at_work(seen: SimpleNamespace) -> Browser:
    browser: Browser = seen.browser
    browser.run("document.querySelectorAll('details').forEach(one => one.open = true)")
    return browser


def lay_out(browser: Browser, width: int, media: str = "screen") -> None:
    browser.call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
    browser.call("Emulation.setEmulatedMedia", media=media)


def test_nothing_but_the_page_itself_is_asked_for_and_nothing_is_logged(seen: SimpleNamespace) -> None:
    assert seen.browser.told == []
    assert [url for url in seen.browser.asked if not url.startswith(("data:", seen.path.as_uri()))] == []


def test_the_policy_forbids_to_ask(seen: SimpleNamespace) -> None:
    """Whatever would get into a page: it is the policy that refuses, and not a missing network."""
    refused = seen.browser.run(
        """new Promise(done => {
          const refused = [];
          document.addEventListener("securitypolicyviolation", event => {
            refused.push(event.effectiveDirective);
            if (refused.length === 2) done(refused.sort());
          });
          fetch("https://example.org/").catch(() => 0);
          new Image().src = "https://example.org/x.png";
        })"""
    )
    assert refused == ["connect-src", "img-src"]
    seen.browser.told.clear()  # it has complained of these two


def test_all_text_has_enough_contrast(at_work: Browser) -> None:
    lay_out(at_work, 1280)
    told = at_work.run(FAINT)
    assert told["seen"] > 500
    assert told["found"] == []


def test_every_picture_has_words_and_was_drawn(at_work: Browser) -> None:
    pictures = at_work.run("[...document.images].map(one => [one.alt, one.naturalWidth])")
    assert len(pictures) > 10
    assert all(len(words) > 30 and wide > 50 for words, wide in pictures)


@pytest.mark.parametrize("width", [1280, 800, 400])
def test_nothing_is_wider_than_the_window(at_work: Browser, width: int) -> None:
    lay_out(at_work, width)
    assert at_work.run(WIDER) == []
    assert at_work.run("document.documentElement.scrollWidth") <= width


def test_what_scrolls_can_be_reached_by_keyboard(at_work: Browser) -> None:
    lay_out(at_work, 800)
    assert at_work.run(f"{CUT}.every(one => one.tabIndex === 0 && one.getAttribute('aria-label'))")
    assert at_work.run("[...document.querySelectorAll('summary, a[href], input')].every(one => one.tabIndex >= 0)")


def test_the_first_stop_of_the_keyboard_leads_to_the_summary_and_is_seen(at_work: Browser) -> None:
    lay_out(at_work, 1280)
    at_work.run("scrollTo(0, 0)")
    for kind in ("keyDown", "keyUp"):
        at_work.call("Input.dispatchKeyEvent", type=kind, **TAB)
    place, left, outline = at_work.run(
        "[document.activeElement.hash, document.activeElement.getBoundingClientRect().left,"
        " parseFloat(getComputedStyle(document.activeElement).outlineWidth)]"
    )
    assert (place, left >= 0, outline >= 2) == ("#summary", True, True)


def test_names_are_used_once_and_what_is_named_is_there(at_work: Browser) -> None:
    names = at_work.run("[...document.querySelectorAll('[id]')].map(one => one.id)")
    assert len(names) == len(set(names))
    asked = at_work.run(
        "[...document.querySelectorAll('[aria-labelledby]')].map(e => e.getAttribute('aria-labelledby'))"
    )
    assert set(asked) <= set(names)
    assert at_work.run("document.documentElement.lang") == "en"
    assert at_work.run("[...document.querySelectorAll('table')].every(t => t.caption || t.closest('[aria-label]'))")


def test_on_paper_all_is_open_and_nothing_is_cut(seen: SimpleNamespace) -> None:
    browser: Browser = seen.browser
    browser.run("document.querySelectorAll('details').forEach(one => one.open = false)")
    lay_out(browser, A4_PX, "print")
    try:
        assert browser.run(WIDER) == []
        assert browser.run(f"{CUT}.map(one => one.ariaLabel)") == []
        closed = "[...document.querySelectorAll('details')].filter(one => one.offsetHeight < 60).length"
        assert browser.run(closed) == 0
        hidden = "[...document.querySelectorAll('.toc, .skip, #viewer')].every(one => !one.checkVisibility())"
        assert browser.run(hidden)
        assert browser.run("[...document.querySelectorAll('.flicker img')].every(one => one.checkVisibility())")
    finally:
        lay_out(browser, 1280)


def test_no_connection_was_opened(seen: SimpleNamespace) -> None:
    """The log of the whole browser, not of the page alone; it is complete when the browser has ended."""
    seen.browser.close()
    seen.browser = None
    asked = [event.get("params", {}) for event in json.loads(Path(seen.log).read_text("utf-8"))["events"]]
    by_pages = [one for one in asked if one.get("initiator", OWN) != OWN]  # the browser itself looks for the time
    assert [one["url"] for one in by_pages if not one["url"].startswith(("data:", "file:"))] == []
