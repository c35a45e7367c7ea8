"""One progress bar, live in a notebook and plain everywhere else."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TypeVar

from tqdm import tqdm
from tqdm.notebook import tqdm as notebook_tqdm

T = TypeVar("T")


def is_static() -> bool:
    """Whether the notebook is being run for the book or as a test.

    Then nothing interactive is made: the variable ``NLP_COURSE_STATIC`` is
    set by the build and by the tests.
    """
    return os.environ.get("NLP_COURSE_STATIC", "") not in ("", "0")


def _in_notebook() -> bool:
    try:
        from IPython import get_ipython
    except ImportError:
        return False
    shell = get_ipython()
    return type(shell).__name__ == "ZMQInteractiveShell"


def progress(iterable: Iterable[T], description: str) -> Iterable[T]:
    """Show how far a loop has come: ``for x in progress(xs, "training")``.

    A widget in a live notebook; elsewhere a line on standard error, which
    neither the book nor the tests keep.
    """
    live = _in_notebook() and not is_static()
    bar = notebook_tqdm if live else tqdm
    shown: Iterable[T] = bar(iterable, desc=description, leave=False)
    return shown
