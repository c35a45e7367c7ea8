"""Every page, in every window and theme: nothing missing, nothing broken."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, expect

from tests.book.pages import HTML, NAMES, PAGES
from tests.book.visit import CHECKS, Visit, opened

HEAVY = 3_000_000  # bytes of HTML: a page must open on a phone


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("check", CHECKS)
def test_nothing_is_wrong(
    visits: Callable[[str], Visit], name: str, check: str
) -> None:
    found = visits(name).problems[check]
    assert not found, "\n".join([f"{name}.html, {check}:", *found])


@pytest.mark.usefixtures("html")
@pytest.mark.parametrize("name", NAMES)
def test_a_page_is_not_heavy(name: str) -> None:
    size = (HTML / f"{name}.html").stat().st_size
    assert size < HEAVY, f"{name}.html weighs {size / 1e6:.1f} MB"


def test_the_root_leads_to_the_first_page(browser: Browser, home: str) -> None:
    with opened(browser, f"{home}/{NAMES[0]}.html", home) as (page, _):
        page.goto(f"{home}/")
        page.wait_for_url(f"{home}/{NAMES[0]}.html")


def test_the_search_finds_a_word_and_asks_nobody(
    browser: Browser, home: str
) -> None:
    address = f"{home}/search.html?q=the"
    with opened(browser, address, home) as (page, log):
        page.goto(f"{home}/search.html?q=network")
        expect(page.locator("#search-results li a").first).to_be_visible()
    assert not log.requests + log.errors
