"""Small notebooks for the tests of the tools."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import nbformat

from tools.run_notebooks import NOTEBOOK_METADATA

PARAMETERS = 'seed = 1  # any number\nscale = "quick"  # or "full"'
CLAIM = 'assert seed < 100, f"claim too-big: the seed is {seed}"\nseed + 1'


def code(source: str, *tags: str) -> Any:
    """Make a code cell with tags."""
    metadata = {"tags": list(tags)} if tags else {}
    return nbformat.v4.new_code_cell(source, metadata=metadata)


def write(path: Path, *cells: Any) -> Path:
    """Write a notebook of these cells, for the kernel of every chapter."""
    path.parent.mkdir(parents=True, exist_ok=True)
    notebook = nbformat.v4.new_notebook(cells=list(cells))
    notebook.metadata.update(copy.deepcopy(NOTEBOOK_METADATA))
    nbformat.write(notebook, path)
    return path


def read(path: Path) -> Any:
    """Read a notebook back."""
    return nbformat.read(path, as_version=4)


def chapter(path: Path) -> Path:
    """Write a notebook with parameters and a claim on them."""
    return write(path, code(PARAMETERS, "parameters"), code(CLAIM))
