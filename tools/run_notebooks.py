"""Run notebooks in place and keep of their outputs what a test can compare.

    python -m tools.run_notebooks [-j 2] [notebooks/01_….ipynb …]
    python -m tools.run_notebooks --check [notebooks/01_….ipynb …]

Texts and execution counts are stored; pictures, widgets, progress bars and
whatever names this machine are not.  A notebook that fails is left as it was.
``--check`` runs and writes nothing: it says which notebooks are not as this
program would have left them.
"""

from __future__ import annotations

import argparse
import copy
import os
import sys
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellControlSignal, DeadKernelError

NOTEBOOKS = Path("notebooks")
KEPT_DATA = {
    "text/plain",
    "text/markdown",
    "text/latex",
    "application/papermill.record/text/plain",
    "application/vnd.nlp-course.claim+json",
}
KEPT_CELL_METADATA = {"tags", "mystnb"}
NOTEBOOK_METADATA = {
    "kernelspec": {
        "display_name": "Python 3 (ipykernel)",
        "language": "python",
        "name": "python3",
    },
    "language_info": {"name": "python"},
}
SETTINGS = {
    "NLP_COURSE_STATIC": "1",
    "OMP_NUM_THREADS": "1",
    "PYDEVD_DISABLE_FILE_VALIDATION": "1",
}

Node = Any  # nbformat's dictionaries, whose keys are attributes too


class NotebookFailed(Exception):
    """A cell of a notebook did not run to its end."""


@dataclass(frozen=True)
class Outcome:
    """What became of one notebook."""

    path: Path
    seconds: float
    problem: str | None = None

    def line(self) -> str:
        """Describe the outcome in one line (or more, if it failed)."""
        if self.problem:
            return f"FAILED {self.path}: {self.problem}"
        return f"ran {self.path} in {self.seconds:.1f} s"


def subset(mapping: Node, keys: Iterable[str]) -> Node:
    """Copy the entries of a dictionary that have one of the keys."""
    wanted = set(keys)
    return nbformat.from_dict(
        {key: value for key, value in mapping.items() if key in wanted}
    )


def clean_output(output: Node) -> Node | None:
    """Keep the part of an output that is the same everywhere, if any."""
    if output.output_type == "stream":
        return None if output.name == "stderr" else output
    if output.output_type == "error":  # its traceback names this machine
        output.traceback = [f"{output.ename}: {output.evalue}"]
        return output
    output.data = subset(output.data, KEPT_DATA)
    output.metadata = subset(output.metadata, {"scrapbook"})
    return output


def clean(notebook: Node) -> Node:
    """Strip a notebook, in place, of all that only one machine sees."""
    notebook.metadata = nbformat.from_dict(copy.deepcopy(NOTEBOOK_METADATA))
    for cell in notebook.cells:
        cell.metadata = subset(cell.metadata, KEPT_CELL_METADATA)
        if cell.cell_type == "code":
            cleaned = map(clean_output, cell.outputs)
            cell.outputs = [output for output in cleaned if output is not None]
    return notebook


def code_cells(notebook: Node) -> list[Node]:
    """List the code cells that have something to run."""
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    return [cell for cell in cells if cell.source.strip()]


def complaints(notebook: Node) -> list[str]:
    """Say in what a stored notebook differs from one that was just run."""
    found = []
    if clean(copy.deepcopy(notebook)) != notebook:
        found.append("it stores more than texts")
    counts = [cell.execution_count for cell in code_cells(notebook)]
    if counts != list(range(1, len(counts) + 1)):
        found.append(f"its execution counts are {counts}, not 1, 2, 3 …")
    for cell in code_cells(notebook):
        types = {output.output_type for output in cell.outputs}
        if "error" in types and "raises-exception" not in tags(cell):
            found.append(f"In [{cell.execution_count}] stores an error")
    return found


def tags(cell: Node) -> list[str]:
    """List the tags of a cell."""
    return list(cell.metadata.get("tags", []))


def last_lines(error: Exception, number: int = 4) -> str:
    """Shorten a cell's error to its name and the end of its message."""
    name = getattr(error, "ename", "") or type(error).__name__
    text = str(getattr(error, "evalue", "") or error)
    lines = [line for line in text.splitlines() if line.strip()]
    return "\n    ".join([f"{name}:", *lines[-number:]])


def execute(notebook: Node, directory: Path, timeout: int = 1200) -> None:
    """Run every cell of a notebook in place; name the cell that fails."""
    current = 0

    def started(cell: Node, cell_index: int) -> None:
        nonlocal current
        current = cell_index

    client = NotebookClient(
        notebook,
        timeout=timeout,
        kernel_name="python3",
        coalesce_streams=True,
        record_timing=False,
        resources={"metadata": {"path": str(directory)}},
        on_cell_start=started,
    )
    try:
        client.execute()
    except (CellControlSignal, DeadKernelError) as error:
        first = notebook.cells[current].source.strip().split("\n")[0]
        where = f"cell {current + 1} (`{first}`)"
        raise NotebookFailed(f"{where}\n    {last_lines(error)}") from error


def write(notebook: Node, path: Path) -> None:
    """Replace the file at one stroke, and only if anything changed."""
    text = nbformat.writes(notebook).rstrip("\n") + "\n"
    if text == path.read_text(encoding="utf-8"):
        return
    scratch = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        scratch.write_text(text, encoding="utf-8")
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)


def run(path: Path) -> Outcome:
    """Run one notebook, clean it and write it back."""
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    began = time.monotonic()
    problem = None
    try:
        notebook = nbformat.read(path, as_version=4)
        execute(notebook, path.parent)
        write(clean(notebook), path)
    except NotebookFailed as failure:
        problem = str(failure)
    return Outcome(path, time.monotonic() - began, problem)


def check(path: Path) -> Outcome:
    """Compare a notebook with what :func:`run` would have left."""
    found = complaints(nbformat.read(path, as_version=4))
    remedy = f"; run `make notebooks NB={path}`" if found else ""
    return Outcome(path, 0.0, "; ".join(found) + remedy if found else None)


def run_all(paths: Sequence[Path], jobs: int) -> list[Outcome]:
    """Run notebooks, several at a time, telling of each as it ends."""
    say = partial(print, flush=True)
    if jobs == 1 or len(paths) == 1:
        outcomes = []
        for path in paths:
            outcomes.append(run(path))
            say(outcomes[-1].line())
        return outcomes
    with ProcessPoolExecutor(jobs) as pool:
        futures = [pool.submit(run, path) for path in paths]
        for future in futures:
            future.add_done_callback(lambda done: say(done.result().line()))
        return [future.result() for future in futures]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run or check the notebooks given, or all of them."""
    parser = argparse.ArgumentParser(description="Run notebooks in place.")
    parser.add_argument("notebooks", nargs="*", type=Path)
    parser.add_argument("-j", "--jobs", type=int, default=2)
    parser.add_argument("--check", action="store_true", help="write nothing")
    options = parser.parse_args(arguments)
    paths = options.notebooks or sorted(NOTEBOOKS.glob("*.ipynb"))
    absent = [str(path) for path in paths if not path.is_file()]
    if absent or not paths:
        print("No such notebook:", ", ".join(absent) or f"{NOTEBOOKS}/*.ipynb")
        return 1
    if options.check:
        outcomes = [check(path) for path in paths]
        print(*(o.line() for o in outcomes if o.problem), sep="\n", end="")
    else:
        outcomes = run_all(paths, options.jobs)
    return int(any(outcome.problem for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main())
