"""Run every kind of test, whatever the ones before gave, and sum up.

    python -m tools.run_tests [stage …]

Each stage is a target of the Makefile.  Without a browser the built pages
are not tested: that is said at the end, loudly, and where CI is set it is a
failure.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tools.build_book import duration
from tools.doctor import browser_problem

STAGES = ("check", "unit", "notebooks-test", "book", "book-check")
NEEDS_BROWSER = "book-check"
BOOK = "book"


@dataclass(frozen=True)
class Result:
    """How one stage ended."""

    stage: str
    status: str  # "ok", "FAILED" or "NOT RUN"
    detail: str  # how long it took, or what was lacking
    remedy: str = ""

    def line(self) -> str:
        """Describe the stage in one line."""
        return f"  {self.stage:<15} {self.status:<8} {self.detail}"


def call_make(stage: str) -> int:
    """Run one target of the Makefile; the book, once built, is not redone."""
    built = ["BUILT=yes"] if stage == NEEDS_BROWSER else []
    make = os.environ.get("MAKE", "make")
    return subprocess.call([make, "--no-print-directory", stage, *built])


def in_ci(environ: Mapping[str, str]) -> bool:
    """Tell whether this is a machine where nothing may be left out."""
    return environ.get("CI", "").lower() not in ("", "0", "false")


def run_stage(
    stage: str,
    before: Sequence[Result],
    environ: Mapping[str, str],
    call: Callable[[str], int],
) -> Result:
    """Run one stage, unless what it stands on is not there."""
    if stage == NEEDS_BROWSER:
        if any(r.stage == BOOK and r.status != "ok" for r in before):
            return Result(stage, "NOT RUN", "the book was not built")
        if problem := browser_problem(environ):
            status = "FAILED" if in_ci(environ) else "NOT RUN"
            return Result(stage, status, "no browser", problem)
    began = time.monotonic()
    print(f"\n=== make {stage}", flush=True)
    status = "FAILED" if call(stage) else "ok"
    return Result(stage, status, duration(time.monotonic() - began))


def verdict(results: Sequence[Result]) -> str:
    """Sum up all stages in one sentence."""
    failed = [r.stage for r in results if r.status == "FAILED"]
    left_out = [r.stage for r in results if r.status == "NOT RUN"]
    if failed:
        return f"FAILED: {', '.join(failed)}."
    if left_out:
        return f"What ran passed. NOT TESTED HERE: {', '.join(left_out)}."
    return "All tests passed."


def run_all(
    stages: Sequence[str],
    environ: Mapping[str, str],
    call: Callable[[str], int] = call_make,
) -> int:
    """Run the stages in order, print the summary, return the status."""
    results: list[Result] = []
    for stage in stages:
        results.append(run_stage(stage, results, environ, call))
    print("\n=== Summary")
    print("\n".join(result.line() for result in results))
    print(verdict(results))
    print("".join(r.remedy + "\n" for r in results if r.remedy), end="")
    sys.stdout.flush()
    return int(any(result.status == "FAILED" for result in results))


if __name__ == "__main__":
    sys.exit(run_all(sys.argv[1:] or STAGES, os.environ))
