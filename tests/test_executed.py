"""What the tests ran serves a build, as long as nothing has changed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest

from nlp_course import executed

ROOT = Path(__file__).parents[1]


def notebook(*cells: str) -> dict[str, Any]:
    """Code cells that have been run, with no outputs; JSON."""
    made = [
        {
            "cell_type": "code",
            "execution_count": number,
            "id": f"cell-{number}",
            "metadata": {},
            "outputs": [],
            "source": source.splitlines(keepends=True),
        }
        for number, source in enumerate(cells, start=1)
    ]
    words = {"cell_type": "markdown", "id": "words", "metadata": {}}
    return {
        "cells": [{**words, "source": ["# Words"]}, *made],
        "metadata": {
            "kernelspec": {"name": "python3", "display_name": "Python 3"}
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name in ("nlp_course", "book", "notebooks"):
        (tmp_path / name).mkdir()
    (tmp_path / "nlp_course" / "a.py").write_text("x = 1\n")
    (tmp_path / "book" / "claims.yml").write_text("a: 1\n")
    (tmp_path / "constraints.txt").write_text("torch==1\n")
    return tmp_path


def written(project: Path, *cells: str) -> Path:
    path = project / "notebooks" / "00_a.ipynb"
    path.write_text(json.dumps(notebook(*cells)), "utf-8")
    return path


def test_a_run_is_found_until_something_changes(project: Path) -> None:
    path = written(project, "print(1)")
    assert executed.kept(project, path) is None
    run = notebook("print(1)")
    run["cells"][1]["outputs"] = [
        {"output_type": "stream", "name": "stdout", "text": "1\n"}
    ]
    executed.keep(project, path, run)
    found = executed.kept(project, path)
    assert found is not None
    assert json.loads(found.read_text("utf-8")) == run
    written(project, "print(2)")  # the code has changed
    assert executed.kept(project, path) is None
    written(project, "print(1)")
    assert executed.kept(project, path) is not None
    for name in ("nlp_course/a.py", "book/claims.yml", "constraints.txt"):
        before = (project / name).read_text()
        (project / name).write_text(before + "# changed\n")
        assert executed.kept(project, path) is None, name
        (project / name).write_text(before)
    assert executed.kept(project, path) is not None


def test_a_run_of_other_sources_is_dropped(project: Path) -> None:
    path = written(project, "print(1)")
    executed.keep(project, path, notebook("print(1)"))
    (project / "nlp_course" / "a.py").write_text("x = 2\n")
    executed.keep(project, path, notebook("print(1)"))
    folders = list((project / executed.KEPT).iterdir())
    assert [f.name for f in folders] == [executed.fingerprint(project)]
    assert [f.name for f in folders[0].iterdir()] == [path.name]


def run_nbval(project: Path, *options: str) -> int:
    """Test the notebooks of a project as this one's are tested."""
    text = (ROOT / "conftest.py").read_text("utf-8")
    (project / "conftest.py").write_text(text, "utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    nbval = ["--nbval", "--nbval-current-env", "notebooks", *options]
    done = subprocess.run(
        [*command, *nbval],
        cwd=project,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    return done.returncode


SHOWS = (
    "from IPython.display import HTML, display\n"
    "display(HTML('<b>shown</b>'))\nprint('said')\n2 + 2"
)


def test_what_nbval_ran_is_kept_whole(project: Path) -> None:
    path = project / "notebooks" / "00_a.ipynb"
    made = notebook("x = 20", SHOWS, "x + 1")
    outputs: list[list[dict[str, Any]]] = [
        [],
        [
            {
                "output_type": "display_data",
                "metadata": {},
                "data": {"text/plain": "<IPython.core.display.HTML object>"},
            },
            {"output_type": "stream", "name": "stdout", "text": "said\n"},
            {
                "output_type": "execute_result",
                "execution_count": 2,
                "metadata": {},
                "data": {"text/plain": "4"},
            },
        ],
        [
            {
                "output_type": "execute_result",
                "execution_count": 3,
                "metadata": {},
                "data": {"text/plain": "21"},
            }
        ],
    ]
    for cell, given in zip(made["cells"][1:], outputs, strict=True):
        cell["outputs"] = given
    path.write_text(json.dumps(made), "utf-8")
    assert run_nbval(project) == 0
    found = executed.kept(project, path)
    assert found is not None
    run = nbformat.read(found, as_version=4)
    nbformat.validate(run)
    shown, said, value = run.cells[2].outputs
    assert shown.data["text/html"] == "<b>shown</b>"
    assert (said.text, value.data["text/plain"]) == ("said\n", "4")
    assert run.cells[3].outputs[0].data["text/plain"] == "21"


def test_what_failed_or_ran_in_part_is_not_kept(project: Path) -> None:
    path = written(project, "print(1)", "x = 1")  # prints what is not stored
    assert run_nbval(project) == 1
    assert executed.kept(project, path) is None
    path = written(project, "x = 1", "y = 2")
    chosen = f"--deselect=notebooks/{path.name}::Cell 0"
    assert run_nbval(project, chosen) == 0
    assert executed.kept(project, path) is None
    assert run_nbval(project) == 0
    assert executed.kept(project, path) is not None
