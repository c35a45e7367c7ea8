"""Settings for every test: what nbval compares, and how hypothesis searches.

A stored output is compared with a new one text by text.  Pictures, views,
progress bars and library warnings (stderr) are not compared; a number behind
a claim is, in the text that the claim prints.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from nlp_course import executed

# Set before torch is imported, and inherited by the notebooks' kernels.
os.environ["NLP_COURSE_STATIC"] = "1"
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("PYDEVD_DISABLE_FILE_VALIDATION", "1")

NOT_COMPARED = (
    "image/svg+xml",
    "text/html",
    "stderr",
    "application/papermill.record/image/png",
    "application/papermill.record/image/svg+xml",
    "application/papermill.record/text/html",
    "application/vnd.nlp-course.claim+json",
)

settings.register_profile("local", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")


FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Iterator[None]:
    """Note which notebook has a cell that failed, or was left out."""
    report = yield
    if call.excinfo is not None and item.parent is not None:
        item.parent.stash[FAILED] = True
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(
    item: pytest.Item, nextitem: pytest.Item | None
) -> Iterator[None]:
    """Keep what a notebook gave, once its last cell has passed."""
    done = yield
    last = nextitem is None or nextitem.parent is not item.parent
    if last and hasattr(item, "test_outputs"):  # a cell of nbval
        _keep_run(item)
    return done


def _keep_run(last: Any) -> None:
    cells = [i for i in last.session.items if i.parent is last.parent]
    if last.parent.stash.get(FAILED, False):
        return
    notebook = json.loads(last.path.read_text("utf-8"))
    code = [c for c in notebook["cells"] if c["cell_type"] == "code"]
    if len(code) != len(cells):
        return  # only some cells were chosen
    for cell, item in zip(code, cells, strict=True):
        cell["outputs"] = item.test_outputs
    executed.keep(Path(__file__).parent, last.path, notebook)


def pytest_itemcollected(item: pytest.Item) -> None:
    """Widen nbval's list of output types that it does not compare."""
    notebook = item.parent
    skipped = getattr(notebook, "skip_compare", None)
    if skipped is not None and "stderr" not in skipped:
        notebook.skip_compare = (  # type: ignore[union-attr]
            *skipped,
            *NOT_COMPARED,
        )
