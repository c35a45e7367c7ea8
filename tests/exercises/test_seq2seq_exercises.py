"""The checks of chapter 08 pass right answers and refuse wrong ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from nlp_course.exercises import grade
from nlp_course.seq2seq import Seq2Seq, translation_loss

KEYS = ["08-predict", "08-derive", "08-build"]


def gradient(logits: Tensor, target: Tensor, lengths: Tensor) -> Tensor:
    """By autograd, unlike the chapter."""
    leaf = logits.clone().requires_grad_()
    loss = translation_loss(leaf, target, lengths)
    return torch.autograd.grad(loss, leaf)[0]


def write(model: Seq2Seq, x: Tensor, n: Tensor, most: int) -> list[int]:
    """All words so far at once, unlike the chapter."""
    words = [2]
    while len(words) <= most and words[-1] != 3:
        logits = model(x, n, torch.tensor([words]))
        words.append(int(logits[0, -1].argmax()))
    return words[1:]


@pytest.mark.parametrize(
    ("key", "answer"),
    [
        ("08-predict", (0.2, 0.36)),
        ("08-predict", [0.5 * 0.4, 0.4 * 0.9]),
        ("08-derive", gradient),
        ("08-build", write),
        ("08-build", lambda *a: torch.tensor(write(*a))),
    ],
)
def test_right_answers_pass(key: str, answer: Any) -> None:
    assert grade(key, answer).passed, grade(key, answer)


def stub(*_inputs: Any) -> Any: ...


def raises(*_inputs: Any) -> Any:
    raise NotImplementedError


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("answer", [None, ..., stub, raises, 0, "", []])
def test_stubs_do_not_pass(key: str, answer: Any) -> None:
    assert not grade(key, answer).passed


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ((0.36, 0.2), "greedy: multiply the likeliest"),
        ((0.2, 0.2), "two beams: follow both"),
        ((0.5, 0.4), "greedy: multiply"),
        (0.2, "give two probabilities"),
    ],
)
def test_wrong_predictions_are_told(answer: Any, message: str) -> None:
    assert message in grade("08-predict", answer).message


def not_divided(logits: Tensor, target: Tensor, lengths: Tensor) -> Tensor:
    return gradient(logits, target, lengths) * lengths.sum()


def padding_counted(logits: Tensor, target: Tensor, lengths: Tensor) -> Tensor:
    u = torch.nn.functional.one_hot(target, logits.shape[-1])
    return (logits.softmax(dim=-1) - u) / lengths.sum()


def upside_down(logits: Tensor, target: Tensor, lengths: Tensor) -> Tensor:
    return -gradient(logits, target, lengths)


def nothing(logits: Tensor, _target: Tensor, _lengths: Tensor) -> Tensor:
    return torch.zeros_like(logits)


def shifted(logits: Tensor, target: Tensor, lengths: Tensor) -> Tensor:
    return gradient(logits, target.roll(1, dims=1), lengths)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (not_divided, "divided by the number of real words"),
        (padding_counted, "padding has no part"),
        (shifted, "the gradient is off"),
        (upside_down, "the gradient is off"),
        (lambda y, w, n: gradient(y, w, n)[0], "has shape"),
        (nothing, "the gradient is off"),
    ],
)
def test_wrong_gradients_are_told(
    answer: Callable[[Tensor, Tensor, Tensor], Tensor], message: str
) -> None:
    assert message in grade("08-derive", answer).message


def without_end(*inputs: Any) -> list[int]:
    return [word for word in write(*inputs) if word != 3]


def goes_on(model: Seq2Seq, x: Tensor, n: Tensor, most: int) -> list[int]:
    words = write(model, x, n, most)
    return words + [4] * (most - len(words))


def feeds_nothing_back(
    model: Seq2Seq, x: Tensor, n: Tensor, most: int
) -> list[int]:
    state = model.encode(x, n)
    words: list[int] = []
    while len(words) < most and 3 not in words:
        logits, state = model.step(torch.tensor([2]), state)
        words.append(int(logits[0].argmax()))
    return words


def starts_elsewhere(
    model: Seq2Seq, x: Tensor, n: Tensor, most: int
) -> list[int]:
    state, word = model.encode(x, n), 1
    words: list[int] = []
    while len(words) < most and word != 3:
        logits, state = model.step(torch.tensor([word]), state)
        word = int(logits[0].argmax())
        words.append(word)
    return words


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (without_end, "keep the end mark"),
        (goes_on, "goes on after the end mark"),
        (lambda *a: [*write(*a), 4, 4, 4, 4, 4, 4], "but max_steps is"),
        (feeds_nothing_back, "feed back the word"),
        (starts_elsewhere, "start from <s>"),
        (lambda *a: [4], "is not it"),
        (lambda *a: "un", "give a list of ids"),
    ],
)
def test_wrong_decoders_are_told(
    answer: Callable[..., Any], message: str
) -> None:
    grade_of = grade("08-build", answer)
    assert not grade_of.passed
    assert message in grade_of.message
