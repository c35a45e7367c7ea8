"""The API page and the package must not drift apart."""

from __future__ import annotations

import re
from pathlib import Path
from pkgutil import walk_packages

import nlp_course

ROOT = Path(__file__).parents[1]
# packages whose members are documented where they are defined
LISTED = re.compile(r"automodule::\s+(nlp_course[\w.]*)")


def documented(page: str) -> set[str]:
    """The modules that a page documents."""
    return set(LISTED.findall(page))


def modules() -> set[str]:
    """All modules of the package that define something of their own."""
    found = walk_packages(nlp_course.__path__, "nlp_course.")
    return {module.name for module in found if not module.ispkg}


def test_the_api_page_documents_every_module() -> None:
    listed = documented((ROOT / "book" / "api.md").read_text("utf-8"))
    missing = sorted(modules() - listed)
    assert not missing, f"book/api.md leaves out {missing}"
    assert listed <= modules(), f"no such modules: {listed - modules()}"


def test_a_missing_module_would_be_noticed() -> None:
    page = (ROOT / "book" / "api.md").read_text("utf-8")
    shorter = page.replace("automodule:: nlp_course.rnn\n", "")
    assert "nlp_course.rnn" in modules() - documented(shorter)
