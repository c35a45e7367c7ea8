"""One progress bar, live in a notebook and plain everywhere else."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sized
from typing import Any, TypeVar

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


def progress(
    iterable: Iterable[T],
    description: str,
    *,
    note: Callable[[], str] | None = None,
    done: int = 0,
) -> Iterable[T]:
    """Show how far a loop has come: ``for x in progress(xs, "training")``.

    A widget in a live notebook; elsewhere a line on standard error, which
    neither the book nor the tests keep.  ``note()`` is asked after each item
    for what else is to be shown; ``done`` items were taken earlier.
    """
    live = _in_notebook() and not is_static()
    bar = notebook_tqdm if live else tqdm
    options: dict[str, Any] = {"desc": description, "leave": False}
    if done and isinstance(iterable, Sized):
        options |= {"initial": done, "total": done + len(iterable)}
    shown = bar(iterable, **options)
    return shown if note is None else _noted(shown, note)


def _noted(bar: Any, note: Callable[[], str]) -> Iterator[Any]:
    for item in bar:
        yield item
        bar.set_postfix_str(note(), refresh=False)
