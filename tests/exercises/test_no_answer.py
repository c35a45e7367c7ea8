"""What is no answer is refused, in every exercise of the book."""

from __future__ import annotations

from typing import Any

import pytest

from nlp_course.exercises import exercises, grade


def stub(*_inputs: Any) -> Any: ...


def raises(*_inputs: Any) -> Any:
    raise NotImplementedError


def echoes(*inputs: Any) -> Any:
    return inputs[0] if inputs else None


NO_ANSWERS = {
    "None": None,
    "dots": ...,
    "zero": 0,
    "a number": 1234.5,
    "a word": "half",
    "nothing in brackets": (),
    "three times nothing": (None, None, None),
    "a stub": stub,
    "a stub that raises": raises,
    "its own input": echoes,
}


@pytest.mark.parametrize("key", exercises())
@pytest.mark.parametrize("answer", NO_ANSWERS.values(), ids=NO_ANSWERS)
def test_no_answer_is_refused(key: str, answer: Any) -> None:
    assert not grade(key, answer).passed


def test_every_chapter_has_exercises_of_three_levels() -> None:
    levels: dict[str, set[str]] = {}
    for key in exercises():
        chapter, _, level = key.partition("-")
        levels.setdefault(chapter, set()).add(level)
    assert len(levels) >= 14
    for chapter, found in levels.items():
        assert len(found) >= 3, chapter
