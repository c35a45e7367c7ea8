"""Readers who do not see, do not point, or read in the dark."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.book.pages import CHAPTERS, NAMES, PAGES
from tests.book.visit import Visit, dress, opened

THEME = "document.documentElement.dataset.theme"


def complaints(violations: list[dict[str, Any]]) -> list[str]:
    """Describe the violations that axe found, a line for each element."""
    return [
        f"{violation['id']}: {' '.join(node['html'].split())[:120]}: "
        f"{' '.join(node['failureSummary'].split())}"
        for violation in violations
        for node in violation["nodes"]
    ]


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("view", ["light", "dark", "phone"])
def test_axe_finds_nothing(
    visits: Callable[[str], Visit], name: str, view: str
) -> None:
    found = complaints(visits(name).axe[view])
    assert not found, "\n".join([f"{name}.html, {view}:", *found])


def test_the_theme_follows_the_system(browser: Browser, home: str) -> None:
    address = f"{home}/{NAMES[0]}.html"
    with opened(browser, address, home) as (page, _):
        assert page.evaluate(THEME) == "light"
        dress(page, "dark")  # waits for the theme
        dress(page, "light")


def test_the_reader_can_choose_the_theme(browser: Browser, home: str) -> None:
    address = f"{home}/{NAMES[0]}.html"
    with opened(browser, address, home) as (page, _):
        for _press in range(3):  # auto, light and dark take turns
            page.get_by_label("Color mode").first.press("Enter")
            if page.evaluate(THEME) == "dark":
                break
        assert page.evaluate(THEME) == "dark"
        page.reload()
        assert page.evaluate(THEME) == "dark", "the choice is forgotten"


def press_open(page: Page, number: int) -> bool:
    """Open a hidden solution with the keyboard; tell whether it opened."""
    solution = page.locator("div.solution").nth(number)
    body = solution.locator("section, .cell, p").last
    if body.is_visible():
        return False
    button = solution.locator("button.toggle-button")
    if not button.count():
        return False
    button.first.press("Enter")
    return body.is_visible()


@pytest.mark.parametrize("name", CHAPTERS)
def test_solutions_are_hidden_and_open_by_keyboard(
    browser: Browser, home: str, name: str
) -> None:
    with opened(browser, f"{home}/{name}.html", home) as (page, _):
        number = page.locator("div.solution").count()
        assert number, "a chapter without solutions"
        stuck = [k + 1 for k in range(number) if not press_open(page, k)]
    assert not stuck, f"{name}.html: solutions {stuck} of {number}"
