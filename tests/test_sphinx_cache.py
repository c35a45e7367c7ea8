"""A build runs its notebooks side by side, each once, and reports failures."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import nbformat
import pytest
from sphinx.testing.util import SphinxTestApp

from nlp_course.executed import keep
from nlp_course.sphinx_cache import JOBS, MOST, jobs

CONF = """
extensions = ["myst_nb", "nlp_course.sphinx_ext"]
exclude_patterns = ["_build"]
nb_execution_mode = "cache"
nb_execution_timeout = 60
"""
INDEX = """
# Book

```{toctree}
a
b
```
"""
# each waits until the other has begun: one after another they would fail
MEET = """
import pathlib, time
with open("{name}.runs", "a") as file:
    file.write("x")
end = time.monotonic() + 30
while not pathlib.Path("{other}.runs").exists():
    assert time.monotonic() < end, "the other one never began"
    time.sleep(0.05)
print("ran {name}")
"""


def notebook(path: Path, code: str) -> None:
    kernel = {"name": "python3", "display_name": "", "language": "python"}
    cells = [
        nbformat.v4.new_markdown_cell(f"# {path.stem}"),
        nbformat.v4.new_code_cell(code),
    ]
    made = nbformat.v4.new_notebook(
        cells=cells, metadata={"kernelspec": kernel}
    )
    path.write_text(nbformat.writes(made), "utf-8")


def build(root: Path) -> str:
    """Build, and return the warnings."""
    app: Any = SphinxTestApp("html", srcdir=root, builddir=root / "_build")
    try:
        app.build()
        warnings: str = app.warning.getvalue()
        return warnings
    finally:
        app.cleanup()


@pytest.fixture
def book(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("NLP_COURSE_STATIC", "OMP_NUM_THREADS"):
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("PYDEVD_DISABLE_FILE_VALIDATION", "1")
    monkeypatch.setenv(JOBS, "2")
    (tmp_path / "conf.py").write_text(CONF)
    (tmp_path / "index.md").write_text(INDEX)
    return tmp_path


@pytest.mark.filterwarnings("default")  # Sphinx's own are not ours
def test_notebooks_run_side_by_side_and_once(book: Path) -> None:
    notebook(book / "a.ipynb", MEET.format(name="a", other="b"))
    notebook(book / "b.ipynb", MEET.format(name="b", other="a"))
    build(book)
    for name in "ab":
        assert f"ran {name}" in (book / f"_build/html/{name}.html").read_text()
        assert (book / f"{name}.runs").read_text() == "x"
    build(book)
    assert (book / "a.runs").read_text() == "x", "nothing changed"


@pytest.mark.filterwarnings("default")
def test_what_the_tests_ran_is_not_run_again(book: Path) -> None:
    notebook(book / "a.ipynb", "print('run by', 'the build')")
    notebook(book / "b.ipynb", "open('b.runs', 'a').write('x')")
    run = nbformat.read(book / "b.ipynb", as_version=4)
    output = nbformat.v4.new_output("stream", text="given by the tests")
    run.cells[1].outputs = [output]
    run.cells[1].execution_count = 1
    keep(book, book / "b.ipynb", run)
    build(book)
    page = (book / "_build/html/b.html").read_text()
    assert "given by the tests" in page
    assert not (book / "b.runs").exists()
    assert "run by the build" in (book / "_build/html/a.html").read_text()
    notebook(book / "b.ipynb", "open('b.runs', 'a').write('y')")
    build(book)
    assert (book / "b.runs").read_text() == "y"


@pytest.mark.filterwarnings("default")
def test_a_failure_is_reported_as_ever_and_not_kept(book: Path) -> None:
    notebook(book / "a.ipynb", "print('fine')")
    notebook(book / "b.ipynb", "raise RuntimeError('what went wrong')")
    for _ in range(2):
        warnings = build(book)
        assert "b.ipynb: WARNING: Executing notebook failed" in warnings
        report = book / "_build/html/reports/b.err.log"
        assert "what went wrong" in report.read_text()
        assert "a.ipynb: WARNING: Executing" not in warnings


def test_how_many_run_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(JOBS, raising=False)
    assert jobs() == min(MOST, os.cpu_count() or 1)
    monkeypatch.setenv(JOBS, "7")
    assert jobs() == 7
    for wrong in ("0", "-1", "two", "1.5"):
        monkeypatch.setenv(JOBS, wrong)
        with pytest.raises(ValueError, match=f"{JOBS} must be .* not"):
            jobs()
