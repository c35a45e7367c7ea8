"""A bar where somebody looks, and nothing in what is kept."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import closing
from functools import partial
from importlib import import_module
from typing import Any

import pytest

# the package has a function of the same name
module: Any = import_module("nlp_course.training.progress")


@pytest.mark.parametrize(
    ("value", "static"),
    [("1", True), ("yes", True), ("0", False), ("", False), (None, False)],
)
def test_one_variable_says_whether_pages_are_static(
    monkeypatch: pytest.MonkeyPatch, value: str | None, static: bool
) -> None:
    if value is None:
        monkeypatch.delenv("NLP_COURSE_STATIC", raising=False)
    else:
        monkeypatch.setenv("NLP_COURSE_STATIC", value)
    assert module.is_static() is static


def test_everything_passes_through(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert list(module.progress(iter("abc"), "reading")) == ["a", "b", "c"]
    said = capsys.readouterr()
    assert said.out == "", "what is printed is kept by the book"
    assert "reading" in said.err


def test_nothing_is_taken_before_it_is_needed() -> None:
    def endless() -> Iterator[int]:
        yield 1
        raise AssertionError("asked for too much")

    assert next(iter(module.progress(endless(), "d"))) == 1


def which_bar(monkeypatch: pytest.MonkeyPatch) -> str:
    def bar(name: str) -> Any:
        def make(items: Iterable[Any], **_options: Any) -> Iterable[Any]:
            used.append(name)
            return items

        return make

    used: list[str] = []
    monkeypatch.setattr(module, "tqdm", bar("plain"))
    monkeypatch.setattr(module, "notebook_tqdm", bar("widget"))
    list(module.progress([1], "d"))
    (name,) = used
    return name


class ZMQInteractiveShell:
    """What IPython calls its shell in a notebook."""


@pytest.mark.parametrize(
    ("shell", "static", "bar"),
    [
        (ZMQInteractiveShell, "0", "widget"),
        (ZMQInteractiveShell, "1", "plain"),
        (object, "0", "plain"),
        (lambda: None, "0", "plain"),
    ],
    ids=["notebook", "book", "terminal", "python"],
)
def test_a_widget_in_a_live_notebook_only(
    monkeypatch: pytest.MonkeyPatch, shell: Any, static: str, bar: str
) -> None:
    monkeypatch.setattr("IPython.get_ipython", shell)
    monkeypatch.setenv("NLP_COURSE_STATIC", static)
    assert which_bar(monkeypatch) == bar


def test_without_ipython_the_bar_is_plain(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "IPython", None)
    monkeypatch.setenv("NLP_COURSE_STATIC", "0")
    assert which_bar(monkeypatch) == "plain"


def test_a_note_is_asked_after_each_item(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NLP_COURSE_STATIC", "0")
    monkeypatch.setattr(
        module, "tqdm", partial(module.tqdm, mininterval=0, miniters=1)
    )
    notes = iter(["loss 3.00", "loss 2.00", "loss 1.00"])
    asked = []

    def note() -> str:
        asked.append(next(notes))
        return asked[-1]

    for k, _ in enumerate(module.progress(range(3), "d", note=note)):
        assert len(asked) == k
    assert "loss 2.00" in capsys.readouterr().err


def test_what_was_done_earlier_counts(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NLP_COURSE_STATIC", "0")
    list(module.progress(range(75, 100), "d", done=75))
    assert "75/100" in capsys.readouterr().err


def test_a_bar_that_is_closed_is_gone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An error that is told after it stands on a line of its own."""
    monkeypatch.setenv("NLP_COURSE_STATIC", "0")
    for note in (None, lambda: "a note"):
        bar = module.progress(range(9), "d", note=note)
        with pytest.raises(KeyError), closing(bar):
            for _ in bar:
                raise KeyError
        assert capsys.readouterr().err.endswith("\r")
        del bar
        assert capsys.readouterr().err == ""
