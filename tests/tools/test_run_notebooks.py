"""What a run leaves in a notebook, and what it must not leave."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest

from tests.tools.notebook_samples import chapter, code, read, write
from tools import run_notebooks

RICH = """
import sys
from IPython.display import display
print("seen")
print("unseen", file=sys.stderr)
display({"text/plain": "plain", "text/html": "<b>", "image/png": "AAAA"},
        metadata={"scrapbook": {"name": "n"}, "width": 3}, raw=True)
"""


def test_a_run_keeps_counts_tags_and_texts_only(tmp_path: Path) -> None:
    cell = code(RICH, "hide-input")
    cell.metadata["mystnb"] = {"figure": {"name": "fig-one"}}
    cell.metadata["slideshow"] = {"slide_type": "slide"}
    path = write(tmp_path / "01_a.ipynb", code("x = 1", "parameters"), cell)
    assert run_notebooks.main([str(path)]) == 0

    first, second = read(path).cells
    assert (first.execution_count, second.execution_count) == (1, 2)
    assert first.metadata == {"tags": ["parameters"]}
    assert set(second.metadata) == {"tags", "mystnb"}
    stream, shown = second.outputs
    assert stream == {
        "output_type": "stream",
        "name": "stdout",
        "text": "seen\n",
    }
    assert shown.data == {"text/plain": "plain"}
    assert shown.metadata == {"scrapbook": {"name": "n"}}
    assert read(path).metadata == run_notebooks.NOTEBOOK_METADATA


@pytest.mark.parametrize(
    "kept",
    [
        "text/markdown",
        "text/latex",
        "application/papermill.record/text/plain",
        "application/vnd.nlp-course.claim+json",
    ],
)
def test_what_the_book_reads_is_kept(kept: str) -> None:
    data = {kept: "value", "image/svg+xml": "<svg/>"}
    output = nbformat.v4.new_output("display_data", data)
    cleaned = run_notebooks.clean_output(output)
    assert cleaned is not None
    assert cleaned.data == {kept: "value"}


def test_an_expected_error_is_kept_without_its_traceback() -> None:
    output = nbformat.v4.new_output(
        "error", ename="E", evalue="v", traceback=["/home/someone/x.py"]
    )
    cleaned = run_notebooks.clean_output(output)
    assert cleaned is not None
    assert cleaned.traceback == ["E: v"]


def test_the_notebook_runs_in_static_mode_in_its_folder(
    tmp_path: Path,
) -> None:
    (tmp_path / "near.txt").write_text("near")
    source = "import os\nprint(os.environ['NLP_COURSE_STATIC'])\n"
    source += "print(open('near.txt').read())"
    path = write(tmp_path / "01_a.ipynb", code(source))
    assert run_notebooks.main([str(path)]) == 0
    assert read(path).cells[0].outputs[0].text == "1\nnear\n"


def test_a_failure_leaves_the_file_and_names_the_cell(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = chapter(tmp_path / "01_good.ipynb")
    cells = [code("x = 1"), code("assert x == 2, 'claim broken'")]
    bad = write(tmp_path / "02_bad.ipynb", *cells)
    before = bad.read_bytes()
    assert run_notebooks.main(["-j", "2", str(good), str(bad)]) == 1
    said = capsys.readouterr().out
    assert f"FAILED {bad}: cell 2" in said
    assert "AssertionError" in said
    assert "claim broken" in said
    assert f"ran {good} in " in said
    assert bad.read_bytes() == before
    assert read(good).cells[1].execution_count == 2
    assert not list(tmp_path.glob(".*")), "no half-written file is left"


def test_an_unchanged_notebook_is_not_written(tmp_path: Path) -> None:
    path = chapter(tmp_path / "01_a.ipynb")
    run_notebooks.main([str(path)])
    before = path.stat().st_mtime_ns
    run_notebooks.main([str(path)])
    assert path.stat().st_mtime_ns == before


def test_check_accepts_what_a_run_leaves_and_nothing_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = chapter(tmp_path / "01_a.ipynb")
    before = path.read_bytes()
    assert run_notebooks.main(["--check", str(path)]) == 1
    assert "execution counts" in capsys.readouterr().out
    assert path.read_bytes() == before
    assert run_notebooks.main([str(path)]) == 0
    assert run_notebooks.main(["--check", str(path)]) == 0


def test_check_finds_a_gap_a_picture_and_an_error(tmp_path: Path) -> None:
    notebook = read(chapter(tmp_path / "01_a.ipynb"))
    notebook = run_notebooks.clean(notebook)
    for count, cell in enumerate(notebook.cells, start=1):
        cell.execution_count = count
    assert run_notebooks.complaints(notebook) == []

    picture = nbformat.v4.new_output("display_data", {"image/png": "AA"})
    error = nbformat.v4.new_output("error", ename="E", evalue="v")
    notebook.cells[1].outputs = [picture, error]
    notebook.cells[1].execution_count = 3
    texts = " ".join(run_notebooks.complaints(notebook))
    for part in ("more than texts", "[1, 3]", "stores an error"):
        assert part in texts


def test_a_notebook_that_is_not_there_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_notebooks.main([str(tmp_path / "none.ipynb")]) == 1
    assert "none.ipynb" in capsys.readouterr().out
