"""One progress bar, live in a notebook and plain everywhere else."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterable, Iterator, Sized
from typing import Any, Protocol, TypeVar

from tqdm import tqdm
from tqdm.notebook import tqdm as notebook_tqdm

T = TypeVar("T")
Shown = TypeVar("Shown", covariant=True)


class Bar(Protocol[Shown]):
    """The items of a loop; closed, it disappears from the screen."""

    def __iter__(self) -> Iterator[Shown]:
        """The items, one after another."""

    def close(self) -> None:
        """Remove what is shown."""


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
) -> Bar[T]:
    """Show how far a loop has come: ``for x in progress(xs, "training")``.

    A widget in a live notebook; elsewhere a line on standard error, which
    neither the book nor the tests keep.  ``note()`` is asked after each item
    for what else is to be shown; ``done`` items were taken earlier.  A loop
    that may be left by an error closes it: ``contextlib.closing``.
    """
    live = _in_notebook() and not is_static()
    bar = notebook_tqdm if live else tqdm
    options: dict[str, Any] = {"desc": description, "leave": False}
    if done and isinstance(iterable, Sized):
        options |= {"initial": done, "total": done + len(iterable)}
    shown = bar(iterable, **options)
    found: Bar[T] = shown if note is None else _noted(shown, note)
    return found


def _noted(bar: Any, note: Callable[[], str]) -> Generator[Any, None, None]:
    with bar:
        for item in bar:
            yield item
            bar.set_postfix_str(note(), refresh=False)
