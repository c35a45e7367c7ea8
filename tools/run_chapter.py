"""Run one chapter with other parameters, without touching the chapter.

    python -m tools.run_chapter 01 -p seed 7 -p scale full

The copy with its outputs goes to ``_build/runs``.  A name that the chapter's
parameters cell does not have is an error (papermill would only log it), and
so is a claim that does not hold.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import papermill
from papermill.cli import _resolve_type as as_papermill_types
from papermill.exceptions import PapermillExecutionError

ANSI = re.compile(r"\x1b\[[0-9;]*m")


class Refused(Exception):
    """The command cannot be carried out, and the message says why."""


def find_chapter(notebooks: Path, chapter: str) -> Path:
    """Find the notebook of a chapter: "1", "01" or the whole name."""
    known = sorted(notebooks.glob("*.ipynb"))
    wanted = Path(chapter).stem
    for path in known:
        if path.stem == wanted or path.stem.split("_")[0] == wanted.zfill(2):
            return path
    names = "".join(f"\n  {path.stem}" for path in known)
    listed = names or f" none: {notebooks} has no notebooks"
    if not chapter:
        raise Refused(f"Which chapter? Say CHAPTER=… with one of:{listed}")
    raise Refused(f"No chapter {chapter!r}. The chapters are:{listed}")


def defaults(notebook: Path) -> dict[str, str]:
    """Read the names and defaults of a notebook's parameters cell."""
    found = papermill.inspect_notebook(str(notebook))
    return {name: str(entry["default"]) for name, entry in found.items()}


def check_names(
    notebook: Path, given: Mapping[str, Any], known: Mapping[str, str]
) -> None:
    """Refuse a parameter that the notebook would never read."""
    unknown = [name for name in given if name not in known]
    if not unknown:
        return
    listed = "".join(f"\n  {name} = {value}" for name, value in known.items())
    raise Refused(
        f"{notebook.stem} has no parameter {', '.join(map(repr, unknown))}. "
        f"Its parameters and their defaults are:{listed or ' none'}"
    )


def typed(pairs: Sequence[Sequence[str]]) -> dict[str, Any]:
    """Give the values the types that papermill's command line gives."""
    return {name: as_papermill_types(value) for name, value in pairs}


def output_path(notebook: Path, given: Mapping[str, Any], runs: Path) -> Path:
    """Name the copy after the chapter and the parameters."""
    parts = [notebook.stem, *(f"{name}={given[name]}" for name in given)]
    name = re.sub(r"[^\w=.+-]+", "_", "-".join(parts))
    return runs / f"{name[:150]}.ipynb"


def explain(error: PapermillExecutionError, copy: Path, lines: int = 6) -> str:
    """Say which cell failed and how, without the whole traceback."""
    text = ANSI.sub("", str(error.evalue))
    tail = [line for line in text.splitlines() if line.strip()][-lines:]
    source = [line for line in str(error.source).splitlines() if line.strip()]
    return "\n".join(
        [
            f"In [{error.exec_count}] failed with {error.ename}:",
            *(f"  {line}" for line in tail),
            "The cell ends with:",
            *(f"  {line}" for line in source[-3:]),
            f"The run up to there, with the whole traceback: {copy}",
        ]
    )


def execute(notebook: Path, given: Mapping[str, Any], copy: Path) -> None:
    """Run the notebook into the copy; refuse a run in which a cell fails."""
    copy.parent.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("NLP_COURSE_STATIC", "1")
    try:
        papermill.execute_notebook(
            str(notebook),
            str(copy),
            parameters=dict(given),
            kernel_name="python3",
            cwd=str(notebook.parent),
            progress_bar=True,
        )
    except PapermillExecutionError as error:
        raise Refused(f"{notebook.stem}: {explain(error, copy)}") from error


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the chapter; the exit status is 1 if anything was refused."""
    parser = argparse.ArgumentParser(
        description="Run one chapter with other parameters."
    )
    parser.add_argument("chapter", nargs="?", default="")
    parser.add_argument(
        "-p", nargs=2, action="append", default=[], metavar=("NAME", "VALUE")
    )
    parser.add_argument("--notebooks", type=Path, default=Path("notebooks"))
    parser.add_argument("--runs", type=Path, default=Path("_build/runs"))
    options = parser.parse_args(arguments)
    try:
        notebook = find_chapter(options.notebooks, options.chapter)
        given = typed(options.p)
        check_names(notebook, given, defaults(notebook))
        copy = output_path(notebook, given, options.runs)
        execute(notebook, given, copy)
    except Refused as refusal:
        print(refusal, file=sys.stderr)
        return 1
    print(f"Every cell ran and every claim held: {copy}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
