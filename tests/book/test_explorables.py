"""Sliders: they move by keyboard and by mouse, and the picture follows."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page

from tests.book.pages import CHAPTERS
from tests.book.visit import PROBE, opened

State = dict[str, Any]


def state(page: Page, number: int) -> State:
    """What an explorable shows and says at the moment."""
    if page.evaluate("!window.courseProbe"):
        page.evaluate(PROBE)
    call = "(k) => window.courseProbe.explorable(k)"
    found: State = page.evaluate(call, number)
    return found


def expected_frame(now: State) -> int:
    """The number of the frame for the places of the sliders."""
    frame = 0
    for place, last in zip(now["places"], now["last"], strict=True):
        frame = frame * (last + 1) + place
    return frame


def disagreements(now: State) -> list[str]:
    """Say where picture, slider and words do not agree."""
    found = []
    if now["shown"] != [expected_frame(now)]:
        found.append(f"at {now['places']} it shows frames {now['shown']}")
    pairs = zip(now["values"], now["places"], strict=True)
    values = [texts[place] for texts, place in pairs]
    if now["spoken"] != values:
        found.append(f"it speaks {now['spoken']}, not {values}")
    if now["written"] != values:
        found.append(f"it writes {now['written']}, not {values}")
    return found


def step(page: Page, number: int, slider: int, place: int) -> list[str]:
    """What is wrong after a step that had to bring a slider to a place."""
    now = state(page, number)
    found = disagreements(now)
    if now["places"][slider] != place:
        found.append(f"it is at {now['places'][slider]}, not {place}")
    return found


def by_keyboard(
    page: Page, control: Locator, at: tuple[int, int]
) -> list[str]:
    """Move one slider with its keys, from end to end."""
    number, slider = at
    last = state(page, number)["last"][slider]
    control.focus()
    found, pictures = [], []
    steps = {"Home": 0, "ArrowRight": 1, "ArrowLeft": 0, "End": last}
    for key, place in steps.items():
        page.keyboard.press(key)
        found += [f"{key}: {w}" for w in step(page, number, slider, place)]
        pictures.append(state(page, number)["picture"])
    if len({pictures[0], pictures[1], pictures[3]}) < min(3, last + 1):
        found.append("the picture does not change")
    return found


def ends(control: Locator) -> tuple[float, float, float]:
    """Left end, right end and height of a slider in the window."""
    control.evaluate("(e) => e.scrollIntoView({behavior: 'instant'})")
    box = control.bounding_box()
    assert box is not None, "a slider has no place on the page"
    left, right = box["x"] + 8, box["x"] + box["width"] - 8
    return left, right, box["y"] + box["height"] / 2


def by_mouse(page: Page, control: Locator, at: tuple[int, int]) -> list[str]:
    """Click on the left end of one slider, and drag it to the right end."""
    number, slider = at
    last = state(page, number)["last"][slider]
    left, right, height = ends(control)
    page.mouse.click(left, height)
    found = [f"click: {w}" for w in step(page, number, slider, 0)]
    if ends(control) != (left, right, height):
        found.append("the slider moves away when the picture changes")
    page.mouse.move(left, height)
    page.mouse.down()
    page.mouse.move((left + right) / 2, height)
    page.mouse.move(right, height)
    page.mouse.up()
    return found + [f"drag: {w}" for w in step(page, number, slider, last)]


def problems(page: Page) -> list[str]:
    """Move every slider of a page."""
    found = []
    roots = page.locator(".course-explore")
    for number in range(roots.count()):
        start = state(page, number)
        found += [
            f"explorable {number + 1}: {w}" for w in disagreements(start)
        ]
        controls = roots.nth(number).get_by_role("slider")
        if controls.count() != len(start["places"]):
            found.append(f"explorable {number + 1}: not every slider is seen")
            continue
        for slider in range(len(start["places"])):
            control, at = controls.nth(slider), (number, slider)
            wrong = by_keyboard(page, control, at) + by_mouse(
                page, control, at
            )
            where = f"explorable {number + 1}, slider {slider + 1}"
            found += [f"{where}: {what}" for what in wrong]
    return found


@pytest.mark.parametrize("name", CHAPTERS)
def test_sliders_move(browser: Browser, home: str, name: str) -> None:
    with opened(browser, f"{home}/{name}.html", home) as (page, log):
        assert page.locator(".course-explore").count(), "nothing to explore"
        found = problems(page)
    assert not found + log.errors, "\n".join([name, *found, *log.errors])


def unscripted(page: Page) -> list[str]:
    """What is wrong with the explorables of a page without its script."""
    found = []
    roots = page.locator(".course-explore")
    for number in range(roots.count()):
        root = roots.nth(number)
        frames = root.locator(".course-frame").filter(visible=True).count()
        sliders = root.locator("input").filter(visible=True).count()
        if (frames, sliders) != (1, 0):
            found.append(f"{frames} pictures and {sliders} sliders are shown")
    return found


@pytest.mark.parametrize("name", CHAPTERS)
def test_without_javascript_there_is_a_picture(
    browser: Browser, home: str, name: str
) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{home}/{name}.html")
    found = unscripted(page)
    context.close()
    assert not found, f"{name}.html: {found}"
