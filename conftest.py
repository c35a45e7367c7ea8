"""Settings for every test: what nbval compares, and how hypothesis searches.

A stored output is compared with a new one text by text.  Pictures, views,
progress bars and library warnings (stderr) are not compared; a number behind
a claim is, in the text that the claim prints.
"""

from __future__ import annotations

import os

import pytest
from hypothesis import settings

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


def pytest_itemcollected(item: pytest.Item) -> None:
    """Widen nbval's list of output types that it does not compare."""
    notebook = item.parent
    skipped = getattr(notebook, "skip_compare", None)
    if skipped is not None and "stderr" not in skipped:
        notebook.skip_compare = (  # type: ignore[union-attr]
            *skipped,
            *NOT_COMPARED,
        )
