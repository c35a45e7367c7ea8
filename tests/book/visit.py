"""One visit to a page, and everything that was found wrong on it.

Loading a page and setting its formulas takes a second, asking it something a
few milliseconds: so each page is visited once, in a wide, a middle and a
narrow window and in both themes, and the tests read what was found.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Browser, Page, Response

PROBE = Path(__file__).with_name("probe.js").read_text("utf-8")
WINDOWS = {"wide": 1280, "middle": 768, "phone": 390}  # pixels
HEIGHT = 900
CONTRAST = 4.5  # of the letters in a figure: WCAG 2, level AA
LETTERS = 8.0  # their least height on a phone, in CSS pixels

# Nothing is asked of the makers of Chromium, and no other host is known.
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]
# Formulas are set after the page has loaded.
SETTLE = """async () => {
  await window.MathJax?.startup?.promise;
  await document.fonts.ready;
  await new Promise((done) => requestAnimationFrame(() => done()));
}"""
IN_WIDE = ("head", "maths", "raw", "problematic", "ids", "code")
IN_FIGURES = ("described", "cut", "overlaps")

Axes = list[dict[str, Any]]


@dataclass
class Log:
    """What a page did while it was open."""

    home: str
    requests: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def listen(self, page: Page) -> None:
        """Write down what the page asks for and complains of."""
        page.on("request", lambda request: self._requested(request.url))
        page.on("response", self._answered)
        page.on("pageerror", lambda e: self.errors.append(f"script: {e}"))
        page.on("popup", lambda p: self.errors.append(f"window: {p.url}"))
        page.on("dialog", lambda d: self._dialogue(d.message, d.dismiss))
        page.on("console", lambda m: self._said(m.type, m.text))

    def _requested(self, url: str) -> None:
        local = url.startswith((f"{self.home}/", "data:", "blob:"))
        if not local:
            self.requests.append(f"asked for {url}")

    def _answered(self, response: Response) -> None:
        if response.status >= 400:
            path = urlsplit(response.url).path
            self.errors.append(f"{response.status} for {path}")

    def _dialogue(self, message: str, dismiss: Any) -> None:
        self.errors.append(f"dialogue: {message}")
        dismiss()

    def _said(self, kind: str, text: str) -> None:
        if kind == "error":
            self.errors.append(f"console: {text}")


@dataclass(frozen=True)
class Visit:
    """The complaints about one page by check, and what axe found."""

    problems: dict[str, list[str]]
    axe: dict[str, Axes]


def probe(page: Page, check: str, *arguments: float) -> list[str]:
    """Ask a page for the complaints of one check of ``probe.js``."""
    if page.evaluate("!window.courseProbe"):
        page.evaluate(PROBE)
    call = "([check, given]) => window.courseProbe[check](...given)"
    found: list[str] = page.evaluate(call, [check, list(arguments)])
    return found


def axe(page: Page, **choice: Any) -> Axes:
    """The violations that axe finds on a page, by its own rules or some."""
    if page.evaluate("!window.axe"):
        page.evaluate(AXE_SCRIPT)
    options = {"resultTypes": ["violations"], "preload": False, **choice}
    call = "async (options) => (await axe.run(options)).violations"
    found: Axes = page.evaluate(call, options)
    return found


@contextmanager
def opened(
    browser: Browser, url: str, home: str
) -> Iterator[tuple[Page, Log]]:
    """Open a page in a wide window, in the light theme, and let it settle."""
    context = browser.new_context(
        viewport={"width": WINDOWS["wide"], "height": HEIGHT},
        color_scheme="light",
        reduced_motion="reduce",
    )
    page = context.new_page()
    log = Log(home)
    log.listen(page)
    page.goto(url)
    page.evaluate(SETTLE)
    try:
        yield page, log
    finally:
        context.close()


def resize(page: Page, width: int) -> None:
    """Give the window another width, and wait for the new layout."""
    page.set_viewport_size({"width": width, "height": HEIGHT})
    page.evaluate(SETTLE)


def dress(page: Page, theme: Literal["light", "dark"]) -> None:
    """Change the theme of the reader's system, and wait for the page's."""
    page.emulate_media(color_scheme=theme, reduced_motion="reduce")
    wanted = f"document.documentElement.dataset.theme === '{theme}'"
    page.wait_for_function(wanted, timeout=5000)
    page.evaluate(SETTLE)


def inspect(page: Page, log: Log) -> dict[str, list[str]]:
    """List the complaints about an open page, by check."""
    probe(page, "unfold")
    found = {name: probe(page, name) for name in IN_WIDE + IN_FIGURES}
    found["faint-light"] = probe(page, "faint", CONTRAST)
    light = probe(page, "inks")
    dress(page, "dark")
    found["faint-dark"] = probe(page, "faint", CONTRAST)
    dark = probe(page, "inks")
    pairs = zip(light, dark, strict=True)
    found["theme"] = [f"in both themes {a}" for a, b in pairs if a == b]
    for name, width in WINDOWS.items():
        resize(page, width)
        found[f"sideways-{name}"] = probe(page, "sideways")
    found["small-on-phone"] = probe(page, "small", LETTERS)
    return found | {"network": log.requests, "errors": log.errors}


def audit(page: Page) -> dict[str, Axes]:
    """Let axe look at an open page, in both themes and on a phone.

    The page is spoilt afterwards: see ``thin`` and ``prune`` in ``probe.js``.
    """
    contrast = "color-contrast"  # by far the slowest rule
    probe(page, "unfold")
    probe(page, "thin")
    resize(page, WINDOWS["phone"])
    phone = axe(page, runOnly=["scrollable-region-focusable"])
    resize(page, WINDOWS["wide"])
    dress(page, "light")
    light = axe(page, rules={contrast: {"enabled": False}})
    probe(page, "prune")
    light += axe(page, runOnly=[contrast])
    dress(page, "dark")
    dark = axe(page, runOnly=[contrast])
    return {"light": light, "dark": dark, "phone": phone}


def visit(browser: Browser, url: str, home: str) -> Visit:
    """Look at a page from all sides."""
    with opened(browser, url, home) as (page, log):
        return Visit(inspect(page, log), audit(page))


CHECKS = (
    "network",
    "errors",
    *IN_WIDE,
    *IN_FIGURES,
    *(f"sideways-{name}" for name in WINDOWS),
    "small-on-phone",
    "faint-light",
    "faint-dark",
    "theme",
)
