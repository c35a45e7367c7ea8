"""Notebooks that the tests have run, kept for a build of the book.

The tests run every notebook and compare what it gave; the build needs the
same outputs once more.  What a test run gave is kept under a fingerprint of
everything that it depends on besides the notebook, and is used only as long
as neither that nor any code of the notebook has changed.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
from pathlib import Path
from typing import Any

INPUTS = ("nlp_course/**/*.py", "book/claims.yml", "constraints.txt")
KEPT = Path("_build", "executed")


def fingerprint(root: Path) -> str:
    """A hash of all that a notebook's results depend on besides itself."""
    digest = hashlib.sha256(platform.python_version().encode())
    for pattern in INPUTS:
        for path in sorted(root.glob(pattern)):
            digest.update(path.relative_to(root).as_posix().encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


def keep(root: Path, path: Path, notebook: Any) -> None:
    """Keep a notebook with all outputs of a run; older runs are dropped."""
    folder = _folder(root)
    folder.mkdir(parents=True, exist_ok=True)
    for other in folder.parent.iterdir():
        if other != folder:
            shutil.rmtree(other, ignore_errors=True)
    draft = folder / f"{path.name}.{os.getpid()}.tmp"
    draft.write_text(json.dumps(notebook), "utf-8")
    os.replace(draft, folder / path.name)


def kept(root: Path, path: Path) -> Path | None:
    """The file with the outputs of a notebook; None if it must be run."""
    found = _folder(root) / path.name
    if not found.is_file() or _code(found) != _code(path):
        return None
    return found


def _folder(root: Path) -> Path:
    return root / KEPT / fingerprint(root)


def _code(path: Path) -> list[str]:
    notebook = json.loads(path.read_text("utf-8"))
    return [
        "".join(cell["source"])
        for cell in notebook["cells"]
        if cell["cell_type"] == "code"
    ]
