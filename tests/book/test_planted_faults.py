"""Each check of the pages must find the fault that it is there for.

A small sound page is spoilt in one place at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from playwright.sync_api import Browser, Page

from nlp_course.display import Slider, explore
from tests.book.pages import PROJECT
from tests.book.server import serve
from tests.book.test_accessibility import complaints
from tests.book.test_explorables import problems, unscripted
from tests.book.test_links import broken_links
from tests.book.visit import CHECKS, Log, audit, inspect, opened

COURSE = PROJECT / "book/_static/course"
SCRIPT = (COURSE / "explore.js").read_text("utf-8")
STYLE = (COURSE / "course.css").read_text("utf-8")
SOUND = """<!doctype html>
<html lang="en" data-theme="light">
<head><title>A page</title><link rel="icon" href="data:,">
<style>
a { color: inherit; }
html { color: #1a1a1a; background: #fff; }
html[data-theme="dark"] { color: #e6e6e6; background: #121212; }
</style>
<script>
const dark = matchMedia("(prefers-color-scheme: dark)");
const follow = () => {
  document.documentElement.dataset.theme = dark.matches ? "dark" : "light";
};
dark.addEventListener("change", follow);
follow();
</script></head>
<body><main><article><h1 id="top">A page</h1>
<p>A sentence with <span class="math"><mjx-container>x</mjx-container></span>
and <a href="#top">a link</a>.</p>
<pre>code</pre>
<div class="course-figure"><svg viewBox="0 0 300 100" role="img"
 aria-label="Two words" style="width:300px;max-width:100%">
<rect x="0" y="0" width="9" height="9" fill="none"></rect>
<text x="10" y="30" style="font-size:11px;fill:currentColor">one</text>
<text x="10" y="60" style="font-size:11px;fill:currentColor">two</text>
</svg></div>
</article></main></body></html>
"""
MATHS = "<mjx-container>x</mjx-container>"
WORD = "A sentence"
SECOND = 'x="10" y="60" style="font-size:11px;fill:currentColor"'
RECT = 'width="9" height="9" fill="none"'

GREY = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR42mNo"
    "AAAAggCB2kUIOwAAAABJRU5ErkJggg=="
)
HEAT_MAP = (
    '></rect><image x="0" y="0" width="99" height="99" '
    f'href="data:image/png;base64,{GREY}"'
)

Fault = tuple[str, str, str, str]  # check, what it says, old and new text
FAULTS: list[Fault] = [
    ("head", "no title", "<title>A page</title>", ""),
    ("head", "no lang", ' lang="en"', ""),
    ("head", "<h1>", WORD, "<h1>Another</h1>"),
    ("maths", "0 formulas", MATHS, r"\(x\)"),
    (
        "maths",
        "not understood",
        MATHS,
        "<mjx-container><mjx-merror>x</mjx-merror></mjx-container>",
    ),
    ("raw", "raw TeX", WORD, r"\(x\)"),
    ("raw", 'raw TeX: "$x_t$', WORD, "$x_t$"),
    ("raw", "role", WORD, "{eq}`eq-cell`"),
    ("raw", "directive", WORD, "::: note"),
    ("problematic", "Sphinx", WORD, '<b class="problematic">x</b>'),
    ("ids", "#top", WORD, '<b id="top">x</b>'),
    ("code", "too wide", "code", "<code>" + "x" * 300 + "</code>"),
    ("described", "role=img", ' role="img"', ""),
    ("described", "aria-label", 'aria-label="Two words"', ""),
    ("described", "no size", "width:300px", "width:5px"),
    ("cut", '"two" is cut off', SECOND, SECOND.replace("10", "290")),
    ("overlaps", '"one" and "two"', SECOND, SECOND.replace("60", "33")),
    ("small-on-phone", '"two" is 6.0 px', SECOND, SECOND.replace("11", "6")),
    ("faint-light", '"two"', SECOND, SECOND.replace("currentColor", "#999")),
    ("faint-dark", '"two"', SECOND, SECOND.replace("currentColor", "#555")),
    ("faint-light", '"two" has', RECT, 'width="99" height="99" fill="#444"'),
    ("faint-light", '"two" has a contrast of 4.4', RECT, RECT + HEAT_MAP),
    ("theme", "both themes", 'y="30" style="', 'y="30" fill="#757575" x="'),
    ("sideways-wide", "1280", WORD, '<i style="padding:700px">x</i>'),
    ("sideways-middle", "768", WORD, '<i style="padding:400px">x</i>'),
    ("sideways-phone", "390", WORD, '<i style="padding:200px">x</i>'),
    ("network", "example.org", WORD, '<img src="//example.org/a" alt="">'),
    ("errors", "404 for /no.png", WORD, '<img src="no.png" alt="">'),
    ("errors", "script: ", WORD, "<script>nothing()</script>"),
    ("errors", "console: a", WORD, "<script>console.error('a')</script>"),
    ("errors", "dialogue: a", WORD, "<script>alert('a')</script>"),
    ("errors", "window: ", WORD, "<script>open('about:blank')</script>"),
]
PALE = '<b style="color:#999">pale</b>'
UNREADABLE: list[Fault] = [
    ("light", "image-alt", WORD, '<img src="data:," >'),
    ("light", "color-contrast", "<p>", '<p style="color:#999">'),
    ("light", "color-contrast: <b style", WORD, 9 * "<b>dark</b>" + PALE),
    ("dark", "color-contrast", "<p>", '<p style="color:#555">'),
    ("light", "region", "<main>", "<p>Outside.</p><main>"),
]


def name_of(fault: Fault) -> str:
    """A name for a test: the check and what it says."""
    return f"{fault[0]}: {fault[1]}"


Show = Callable[[str], AbstractContextManager[tuple[Page, Log]]]


@pytest.fixture(scope="module")
def show(
    browser: Browser, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Show]:
    """A function that opens HTML as if it were a page of the book."""
    page = tmp_path_factory.mktemp("book") / "page.html"

    with serve(page.parent) as home:

        def shown(html: str) -> AbstractContextManager[tuple[Page, Log]]:
            page.write_text(html, "utf-8")
            return opened(browser, f"{home}/page.html", home)

        yield shown


def spoilt(old: str, new: str) -> str:
    """The sound page with one change."""
    assert SOUND.count(old) == 1, old
    return SOUND.replace(old, new)


def test_a_sound_page_passes(show: Show) -> None:
    with show(SOUND) as (page, log):
        found = inspect(page, log)
        assert not [lines for lines in audit(page).values() if lines]
    assert set(found) == set(CHECKS)
    assert not [lines for lines in found.values() if lines]


@pytest.mark.parametrize("fault", FAULTS, ids=name_of)
def test_a_fault_is_found(show: Show, fault: Fault) -> None:
    check, says, old, new = fault
    with show(spoilt(old, new)) as (page, log):
        found = inspect(page, log)[check]
    assert any(says in line for line in found), found


@pytest.mark.parametrize("fault", UNREADABLE, ids=name_of)
def test_what_some_cannot_read_is_found(show: Show, fault: Fault) -> None:
    view, rule, old, new = fault
    with show(spoilt(old, new)) as (page, _):
        found = complaints(audit(page)[view])
    assert any(line.startswith(rule) for line in found), found


def test_every_check_has_a_fault_that_it_finds() -> None:
    assert {check for check, *_ in FAULTS} == set(CHECKS)


@pytest.mark.parametrize("link", ["#nowhere", "no.html", "page.html#no"])
def test_a_broken_link_is_found(tmp_path: Path, link: str) -> None:
    page = tmp_path / "page.html"
    page.write_text(SOUND, "utf-8")
    assert broken_links(page) == []
    page.with_name("other.html").write_text(f'<a href="{link}">x</a>')
    assert len(broken_links(page.with_name("other.html"))) == 1


def draw(x: int, y: int) -> Figure:
    """A point."""
    figure, axes = plt.subplots(figsize=(2, 1))
    axes.plot([x], [y], "o")
    return figure


@pytest.fixture(scope="module")
def sliders() -> str:
    """A page with an explorable of two sliders."""
    explorable = explore(
        draw,
        lambda x, y: f"a point at {x}, {y}",
        x=Slider("across", [0, 1, 2]),
        y=Slider("up", [0, 1, 2, 10**12], form="{} m", start=1),
    )
    old = "<pre>code</pre>"
    style, script = f"<style>{STYLE}</style>", f"<script>{SCRIPT}</script>"
    return spoilt(old, style + explorable.to_html() + script)


STUCK = [
    ("shows frames", "frame.hidden = k !== shown;", ""),
    ("shows frames", "k !== shown", "k > shown"),
    ("shows frames", '"input", () =>', '"focus", () =>'),
    ("shows frames", "Number(slider.max) + 1", "Number(slider.max)"),
    ("speaks", '"aria-valuetext", written', '"aria-valuetext", ""'),
    ("writes", "textContent = written", "title = written"),
    ("moves away", "reserveRoom(slider);", ""),
    ("not every slider", '(".course-controls").hidden', "('div').hidden"),
]


def test_sound_sliders_pass(show: Show, sliders: str) -> None:
    with show(sliders) as (page, _):
        assert problems(page) == []


@pytest.mark.parametrize(("says", "old", "new"), STUCK)
def test_a_slider_that_lies_is_found(
    show: Show, sliders: str, says: str, old: str, new: str
) -> None:
    assert old in sliders
    with show(sliders.replace(old, new)) as (page, _):
        found = problems(page)
    assert any(says in line for line in found), found


@pytest.mark.parametrize("old", [' class="course-controls" hidden', " hidden"])
def test_what_is_hidden_only_by_the_script_is_found(
    browser: Browser, sliders: str, old: str
) -> None:
    page = browser.new_page(java_script_enabled=False)
    page.set_content(sliders)
    assert unscripted(page) == []
    page.set_content(sliders.replace(old, ""))
    assert unscripted(page)
    page.close()
