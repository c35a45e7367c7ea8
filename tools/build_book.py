"""Build the book, and believe it only when every page is there.

    python -m tools.build_book [--root DIRECTORY]

Warnings are errors.  A page of ``_toc.yml`` that has no fresh HTML is an
error too: some versions of Jupyter Book build nothing and report success.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sphinx_external_toc.parsing import parse_toc_yaml

SUFFIXES = (".ipynb", ".md", ".rst")
FIXED = {  # one thread a process: the same digits everywhere, and no fighting
    "OMP_NUM_THREADS": "1",
    "PYDEVD_DISABLE_FILE_VALIDATION": "1",
}


@dataclass(frozen=True)
class Page:
    """One entry of the table of contents: its source and its HTML."""

    name: str
    source: Path | None
    html: Path

    def problem(self) -> str | None:
        """Say what is wrong with the page, or return None."""
        if self.source is None:
            return f"{self.name}: _toc.yml names it, but there is no such file"
        if not self.html.is_file():
            return f"{self.name}: no page was built"
        if self.html.stat().st_mtime < self.source.stat().st_mtime:
            return f"{self.name}: the page is older than its source"
        return None


def find_source(root: Path, name: str) -> Path | None:
    """Find the file that a name in ``_toc.yml`` stands for."""
    candidates = [root / name]
    candidates += [root / f"{name}{suffix}" for suffix in SUFFIXES]
    return next((path for path in candidates if path.is_file()), None)


def pages(root: Path) -> list[Page]:
    """List the pages that ``_toc.yml`` promises, in reading order."""
    html = root / "_build" / "html"
    return [
        Page(name, find_source(root, name), html / f"{name}.html")
        for name in map(str, parse_toc_yaml(root / "_toc.yml"))
    ]


def problems(promised: Sequence[Page]) -> list[str]:
    """List what is wrong with the pages; none is a problem as well."""
    if not promised:
        return ["_toc.yml names no page"]
    return [text for page in promised if (text := page.problem())]


def run_jupyter_book(root: Path) -> int:
    """Run Jupyter Book, with warnings as errors; return its exit status."""
    start = "import sys; from jupyter_book.cli.main import main; main()"
    command = [sys.executable, "-c", start, "build", ".", "-W", "--keep-going"]
    return subprocess.call(command, cwd=root, env={**FIXED, **os.environ})


def duration(seconds: float) -> str:
    """Write a time as a person would: "7 s", "2 min 3 s"."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def conclude(root: Path, status: int, seconds: float) -> int:
    """Print how the build ended; return the exit status for it."""
    promised = pages(root)
    wrong = problems(promised)
    if status or wrong:
        print(f"\nThe book is NOT built ({duration(seconds)}).")
        print("".join(f"  {line}\n" for line in wrong), end="")
        if status:
            print("  Jupyter Book's own messages are above; notebooks that")
            print("  failed left reports in _build/html/reports.")
        return status or 1
    index = root / "_build" / "html" / "index.html"
    print(f"\nBuilt {len(promised)} pages in {duration(seconds)}.")
    print(f"Open {os.path.relpath(index)}")
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Build the book in the directory given, or here."""
    parser = argparse.ArgumentParser(description="Build the book.")
    parser.add_argument("--root", type=Path, default=Path())
    root = parser.parse_args(arguments).root
    began = time.monotonic()
    status = run_jupyter_book(root)
    sys.stdout.flush()
    return conclude(root, status, time.monotonic() - began)


if __name__ == "__main__":
    sys.exit(main())
