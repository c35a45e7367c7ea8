"""A build counts only when every page that was promised is there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tools import build_book

TOC = """
format: jb-book
root: book/intro
parts:
  - caption: Chapters
    chapters:
      - file: notebooks/01_one
        sections:
          - file: book/more
"""


@pytest.fixture
def book(tmp_path: Path) -> Path:
    """Make sources and, as if a build had run, their pages."""
    (tmp_path / "_toc.yml").write_text(TOC)
    for name in ("book/intro.md", "notebooks/01_one.ipynb", "book/more.md"):
        source = tmp_path / name
        source.parent.mkdir(exist_ok=True)
        source.write_text("")
        page = tmp_path / "_build" / "html" / Path(name).with_suffix(".html")
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text("")
    return tmp_path


def test_every_entry_is_a_page(book: Path) -> None:
    names = [page.name for page in build_book.pages(book)]
    assert sorted(names) == ["book/intro", "book/more", "notebooks/01_one"]
    assert build_book.problems(build_book.pages(book)) == []


def test_the_closing_lines_say_how_many_and_where(
    book: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert build_book.conclude(book, 0, 123.4) == 0
    said = capsys.readouterr().out
    assert "Built 3 pages in 2 min 3 s." in said
    assert "_build/html/index.html" in said


def test_a_missing_page_fails_although_the_builder_was_content(
    book: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (book / "_build" / "html" / "book" / "more.html").unlink()
    assert build_book.conclude(book, 0, 1.0) == 1
    assert "book/more: no page was built" in capsys.readouterr().out


def test_a_page_of_an_earlier_build_does_not_count(book: Path) -> None:
    source = book / "notebooks" / "01_one.ipynb"
    later = source.stat().st_mtime + 10
    os.utime(source, (later, later))
    (problem,) = build_book.problems(build_book.pages(book))
    assert "older than its source" in problem


def test_an_entry_without_a_source_is_a_problem(book: Path) -> None:
    (book / "book" / "more.md").unlink()
    (problem,) = build_book.problems(build_book.pages(book))
    assert "no such file" in problem


def test_a_book_without_pages_is_a_problem() -> None:
    assert build_book.problems([]) == ["_toc.yml names no page"]


def test_the_builder_s_failure_is_passed_on(book: Path) -> None:
    assert build_book.conclude(book, 3, 1.0) == 3


def test_a_builder_that_builds_nothing_is_caught(
    book: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (book / "_build" / "html" / "book" / "intro.html").unlink()
    monkeypatch.setattr(build_book, "run_jupyter_book", lambda root: 0)
    assert build_book.main(["--root", str(book)]) == 1


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (59.6, "1 min 0 s"), (7.2, "7 s")]
)
def test_duration(seconds: float, text: str) -> None:
    assert build_book.duration(seconds) == text
