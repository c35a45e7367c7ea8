"""A verdict is right, wrong or open; no answer breaks the notebook."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor

from nlp_course.exercises import (
    Grade,
    NotSolvedError,
    exercises,
    grade,
    grading,
)
from nlp_course.exercises.grading import (
    WrongAnswer,
    exercise,
    expect_choice,
    expect_number,
    expect_tensor,
)


@pytest.fixture
def sheet(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Only one exercise, whose right answer is a function that doubles."""
    checks: dict[str, grading.Check] = {}
    monkeypatch.setattr(grading, "_CHECKS", checks)
    monkeypatch.setattr(grading, "exercises", lambda: checks)

    @exercise("double")
    def double(answer: Any) -> str:
        if answer(3) != 6:
            raise WrongAnswer("twice 3 is not < 6")
        return "2 & 3"

    yield


def raising(error: BaseException) -> Any:
    def answer(_number: int) -> int:
        raise error

    return answer


@pytest.mark.usefixtures("sheet")
def test_a_right_answer_is_praised() -> None:
    result = grade("double", lambda n: 2 * n)
    assert result == Grade("double", True, "2 & 3")
    assert str(result) == repr(result) == "✓ double: 2 & 3"
    assert result.require() is result


OPEN = "not answered yet"


@pytest.mark.usefixtures("sheet")
@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (None, OPEN),
        (..., OPEN),
        (raising(NotImplementedError()), OPEN),
        (lambda n: n, "twice 3 is not < 6"),
        (raising(ValueError("oops")), "your code raised ValueError: oops"),
        (raising(AssertionError("no")), "your code raised AssertionError"),
        (raising(RecursionError()), "your code raised RecursionError"),
        (7, "your code raised TypeError: 'int' object is not callable"),
        (lambda: 6, "your code raised TypeError"),
    ],
    ids=range(9),
)
def test_another_answer_is_a_verdict_not_an_error(
    answer: Any, message: str
) -> None:
    result = grade("double", answer)
    assert not result.passed
    assert result.message.startswith(message)
    assert str(result).startswith("✗ double: ")
    with pytest.raises(NotSolvedError, match="✗ double: "):
        result.require()


@pytest.mark.usefixtures("sheet")
def test_the_reader_can_still_stop_a_long_run() -> None:
    with pytest.raises(KeyboardInterrupt):
        grade("double", raising(KeyboardInterrupt()))


@pytest.mark.usefixtures("sheet")
def test_in_a_notebook_a_verdict_is_a_box() -> None:
    right = grade("double", lambda n: 2 * n)._repr_mimebundle_()
    wrong = grade("double", lambda n: n)._repr_mimebundle_()
    assert right["text/plain"] == "✓ double: 2 & 3"
    assert "course-grade-right" in right["text/html"]
    assert "2 &amp; 3" in right["text/html"]
    assert "course-grade-open" in wrong["text/html"]
    assert "is not &lt; 6" in wrong["text/html"]


@pytest.mark.usefixtures("sheet")
@pytest.mark.parametrize("answer", [None, 1])
def test_an_unknown_exercise_is_named(answer: Any) -> None:
    with pytest.raises(KeyError, match="no exercise 'triple'") as caught:
        grade("triple", answer)
    assert "double" in str(caught.value)


@pytest.mark.usefixtures("sheet")
def test_an_exercise_has_one_check() -> None:
    with pytest.raises(ValueError, match="two checks for exercise 'double'"):
        exercise("double")(lambda answer: "praise")


# --- what checks are made of ------------------------------------------------


@pytest.mark.parametrize("right", [3.0, 0.02, -1e-4, 1e6, 5])
def test_a_number_may_be_off_by_a_thousandth_of_itself(right: float) -> None:
    for answer in (right, right * 1.0009, right * 0.9991):
        expect_number(answer, right, hint="look again")
    for answer in (right * 1.002, right * 0.998, -right, 0, 2 * right + 1):
        with pytest.raises(WrongAnswer, match="is not it; look again"):
            expect_number(answer, right, hint="look again")


def test_zero_is_zero() -> None:
    expect_number(0, 0.0, hint="look again")
    with pytest.raises(WrongAnswer):
        expect_number(1e-4, 0.0, hint="look again")


@pytest.mark.parametrize("answer", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_not_it(answer: float) -> None:
    with pytest.raises(WrongAnswer, match="is not it"):
        expect_number(answer, 1.0, hint="")


@pytest.mark.parametrize(
    "answer", [True, "3", [3], 3j, torch.tensor(3.0), object]
)
def test_a_number_is_a_number(answer: Any) -> None:
    with pytest.raises(WrongAnswer, match="give a number, not"):
        expect_number(answer, 3.0, hint="")


def test_one_of_several_choices() -> None:
    choices = ("up", "down")
    expect_choice("up", choices, "up", hint="")
    with pytest.raises(WrongAnswer, match="'down' is not it; look"):
        expect_choice("down", choices, "up", hint="look")
    for other in ("left", "Up", 0, None, True, ["up"], torch.ones(2)):
        with pytest.raises(WrongAnswer, match="choose one of up, down"):
            expect_choice(other, choices, "up", hint="")


WANTED = torch.tensor([[1.0, 2.0], [3.0, 4.0]], dtype=torch.float64)


@pytest.mark.parametrize(
    "found",
    [
        WANTED,
        WANTED.float(),
        WANTED.long(),
        WANTED + 9e-7,
        WANTED.clone().requires_grad_(),
    ],
    ids=range(5),
)
def test_a_tensor_may_have_another_dtype(found: Tensor) -> None:
    expect_tensor(found, WANTED, what="your state")
    expect_tensor(found, WANTED.requires_grad_(), what="your state")


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (None, "returned nothing"),
        (..., "returned nothing"),
        (WANTED.tolist(), "your state must be a tensor, not list"),
        (1.0, "your state must be a tensor, not float"),
        (WANTED[0], r"has shape \(2,\), but should have \(2, 2\)"),
        (WANTED[None], r"has shape \(1, 2, 2\)"),
        (torch.tensor(1.0), r"has shape \(\)"),
        (WANTED + 1e-5, "your state is off by up to 1e-05"),
        (-WANTED, "is off by up to 8"),
        (WANTED * math.nan, "is off by up to nan"),
        (WANTED * math.inf, "is off by up to inf"),
        (WANTED * torch.tensor([1.0, math.nan]), "is off by up to nan"),
    ],
    ids=range(12),
)
def test_another_tensor_is_refused(found: Any, words: str) -> None:
    with pytest.raises(WrongAnswer, match=words):
        expect_tensor(found, WANTED, what="your state")


def test_truth_values_and_empty_tensors_are_compared_too() -> None:
    mask = torch.tensor([True, False])
    expect_tensor(mask, mask, what="your mask")
    with pytest.raises(WrongAnswer, match="off by up to 1"):
        expect_tensor(~mask, mask, what="your mask")
    expect_tensor(torch.zeros(0, 2), torch.zeros(0, 2), what="your batch")


# --- the exercises of the book ----------------------------------------------

JUNK: list[Any] = [
    None, ..., 0, 1, True, math.nan, "", "yes", (), [], {}, [None, None],
    (0, 0), torch.tensor(0.0), torch.zeros(2, 2), object(),
    lambda *_args: None, lambda *_args: ..., lambda *_args: 0,
    lambda *_args: torch.tensor(0.0), lambda *args: args[0] if args else 0,
    raising(NotImplementedError()),
]  # fmt: skip


def test_there_are_exercises() -> None:
    assert len(exercises()) >= 3


@pytest.mark.parametrize("key", sorted(exercises()))
def test_no_exercise_of_the_book_is_passed_by_accident(key: str) -> None:
    for answer in JUNK:
        result = grade(key, answer)
        assert not result.passed, answer
        assert result.message
