"""The built book, a server for it, one browser, and a visit to each page.

Without a browser these tests are skipped, and fail where CI is set.  Another
copy of the project can be tested: COURSE_BOOK=directory pytest tests/book
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.book.pages import HTML, ROOT
from tests.book.server import serve
from tests.book.visit import ARGUMENTS, Visit, visit
from tools.build_book import pages
from tools.doctor import browser_problem, find_browser
from tools.run_tests import in_ci


def missing() -> list[str]:
    """Name the pages that have not been built."""
    return [page.name for page in pages(ROOT) if not page.html.is_file()]


def pytest_itemcollected(item: pytest.Item) -> None:
    """All tests of a page go to one process, which visits it once."""
    callspec = getattr(item, "callspec", None)
    if callspec is not None and "name" in callspec.params:
        item.add_marker(pytest.mark.xdist_group(str(callspec.params["name"])))


@pytest.hookimpl(trylast=True)  # after -k has chosen
def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Let one test say that the book was not built, not each of them."""
    here = Path(__file__).parent
    ours = [item for item in items if item.path.is_relative_to(here)]
    if missing():
        config.hook.pytest_deselected(items=ours[1:])
        items[:] = [item for item in items if item not in ours[1:]]


@pytest.fixture(scope="session")
def html() -> Path:
    """The folder of the built book."""
    if absent := ", ".join(missing()):
        message = f"not built: {absent}; run `make book` first"
        pytest.fail(message, pytrace=False)
    return HTML


@pytest.fixture(scope="session")
def home(html: Path) -> Iterator[str]:
    """The address of the built book."""
    with serve(html) as address:
        yield address


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One browser for all tests."""
    if problem := browser_problem(os.environ):
        if in_ci(os.environ):
            pytest.fail(problem)
        pytest.skip(f"NOT TESTED: {problem}")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=find_browser(os.environ), args=ARGUMENTS
        )
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def visits(browser: Browser, home: str) -> Callable[[str], Visit]:
    """What was found on a page; each is visited once, when first asked."""

    @cache
    def visited(name: str) -> Visit:
        return visit(browser, f"{home}/{name}.html", home)

    return visited
