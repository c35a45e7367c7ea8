"""Links inside the book lead somewhere; the page of evidence to its cells."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import yaml
from playwright.sync_api import Browser

from tests.book.pages import HTML, NAMES, PAGES, ROOT
from tests.book.visit import opened

ADDRESSES = ("href", "src", "data", "poster", "xlink:href")
EVIDENCE = "book/evidence"


@dataclass
class Marks(HTMLParser):
    """The ids of a page and the addresses that it names."""

    ids: set[str] = field(default_factory=set)
    links: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(
        self, tag: str, attrs: list[tuple[str, str | None]]
    ) -> None:
        """Note what one element names and what it points to."""
        for key, value in attrs:
            if value and (key == "id" or (tag, key) == ("a", "name")):
                self.ids.add(value)
            elif value and key in ADDRESSES:
                self.links.append(value)


@cache
def marks(path: Path) -> Marks:
    """Read a page."""
    found = Marks()
    found.feed(path.read_text("utf-8"))
    return found


def broken(page: Path, link: str) -> str | None:
    """Say what is wrong with a link of a page, or return None."""
    parts = urlsplit(link)
    if parts.scheme or parts.netloc:
        return None  # to the world outside, or data
    target = page
    if parts.path:
        target = (page.parent / unquote(parts.path)).resolve()
    if target.is_dir():
        target /= "index.html"
    if not target.is_file():
        return f"{link}: there is no such file"
    fragment = unquote(parts.fragment)
    if not fragment or target.suffix != ".html":
        return None
    if fragment in marks(target).ids:
        return None
    return f"{link}: there is no such place on that page"


def broken_links(page: Path) -> list[str]:
    """List the links of a page that lead nowhere."""
    links = sorted(set(marks(page).links))
    return [text for link in links if (text := broken(page, link))]


@pytest.mark.usefixtures("html")
@pytest.mark.parametrize("name", PAGES)
def test_links_lead_somewhere(name: str) -> None:
    found = broken_links(HTML / f"{name}.html")
    assert not found, "\n".join([f"{name}.html:", *found])


@pytest.mark.usefixtures("html")
@pytest.mark.skipif(EVIDENCE not in NAMES, reason="the book has no evidence")
def test_evidence_has_a_row_for_each_claim() -> None:
    links = marks(HTML / f"{EVIDENCE}.html").links
    linked = sorted(
        parts.fragment.removeprefix("claim-")
        for parts in map(urlsplit, links)
        if parts.fragment.startswith("claim-")
    )
    chapters = {Path(name).name for name in NAMES}
    claims = yaml.safe_load((ROOT / "book/claims.yml").read_text("utf-8"))
    assert linked == sorted(
        key for key, claim in claims.items() if claim["chapter"] in chapters
    )


@pytest.mark.skipif(EVIDENCE not in NAMES, reason="the book has no evidence")
def test_evidence_leads_to_the_cell(browser: Browser, home: str) -> None:
    with opened(browser, f"{home}/{EVIDENCE}.html", home) as (page, _):
        link = page.locator("article td a").first
        target = str(link.get_attribute("href")).partition("#")[2]
        link.click()
        page.wait_for_url(f"**/*#{target}")
        box = page.locator(f"[id='{target}']")
        box.wait_for(state="visible")
        assert page.evaluate("scrollY") > 0
