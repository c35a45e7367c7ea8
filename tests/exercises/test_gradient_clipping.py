"""The checks of chapter 03 pass right answers and refuse wrong ones."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from nlp_course.clipping import clip_gradient_norm, clip_gradient_value
from nlp_course.exercises import grade

Loss = Callable[[Tensor], Tensor]
Weights = list[nn.Parameter]


def cosine(a: float, n: int) -> float:
    return (a + n - 1) / (math.sqrt(n) * math.sqrt(a**2 + n - 1))


def cosine_tensor(a: float, n: int) -> Tensor:
    return torch.tensor(cosine(a, n), dtype=torch.float64)


def collect(
    weights: Weights,
    loss_of: Loss,
    parts: Sequence[Tensor],
    threshold: float,
    clip: Any = clip_gradient_norm,
    mean: bool = True,
    forget: bool = True,
) -> Any:
    for weight in weights:
        if forget:
            weight.grad = None
    for part in parts:
        (loss_of(part) / (len(parts) if mean else 1)).backward()
    return clip(weights, threshold)


def clip_each_part(
    weights: Weights,
    loss_of: Loss,
    parts: Sequence[Tensor],
    threshold: float,
) -> Any:
    norm = torch.zeros(())
    for weight in weights:
        weight.grad = None
    for part in parts:
        (loss_of(part) / len(parts)).backward()
        norm = clip_gradient_norm(weights, threshold)
    return norm


def clip_each_tensor(weights: Weights, threshold: float) -> Tensor:
    norms = [clip_gradient_norm(w, threshold) for w in weights]
    whole: Tensor = torch.linalg.vector_norm(torch.stack(norms))
    return whole


def by_value(weights: Weights, threshold: float) -> Tensor:
    norm = clip_gradient_norm(weights, math.inf)
    clip_gradient_value(weights, threshold)
    return norm


def norm_after(weights: Weights, threshold: float) -> Tensor:
    clip_gradient_norm(weights, threshold)
    return clip_gradient_norm(weights, math.inf)


def no_return(weights: Weights, threshold: float) -> None:
    clip_gradient_norm(weights, threshold)


def variant(**changes: Any) -> Any:
    def answer(*arguments: Any) -> Any:
        return collect(*arguments, **changes)

    return answer


def stub(*_inputs: Any) -> Any: ...


@pytest.mark.parametrize(
    ("key", "answer"),
    [
        ("03-predict", (1.5, 2, 6)),
        ("03-predict", [1.5, 2.0, 6.0]),
        ("03-derive", cosine),
        ("03-derive", cosine_tensor),
        ("03-build", collect),
        ("03-build", variant(clip=torch.nn.utils.clip_grad_norm_)),
    ],
)
def test_right_answers_pass(key: str, answer: Any) -> None:
    assert grade(key, answer).passed, grade(key, answer)


@pytest.mark.parametrize("key", ["03-derive", "03-build"])
def test_a_stub_is_called_unanswered(key: str) -> None:
    assert "not answered yet" in grade(key, stub).message


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        ((3, 4, 6.5), "each by itself"),
        ((3, 4, 12), "longer than the threshold"),
        ((6.5, 6.5, 6.5), "together first"),
        ((1.5, 2), "three numbers"),
        ((1.5, 2, None), "give a number"),
    ],
)
def test_predictions_get_a_hint(answer: Any, hint: str) -> None:
    verdict = grade("03-predict", answer)
    assert not verdict.passed
    assert hint in verdict.message


@pytest.mark.parametrize(
    "answer",
    [
        lambda a, n: 1.0,
        lambda a, n: 1 / math.sqrt(n),
        lambda a, n: (a + n - 1) / (n * math.sqrt(a**2 + n - 1)),
        lambda a, n: (a + n) / (math.sqrt(n) * math.sqrt(a**2 + n)),
    ],
    ids=["one", "limit", "length", "count"],
)
def test_wrong_cosines_are_refused(answer: Any) -> None:
    assert "product over the two lengths" in grade("03-derive", answer).message


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (variant(mean=False), "not of the mean"),
        (variant(forget=False), "the gradient is off"),
        (clip_each_part, "off"),
        (variant(clip=clip_each_tensor), "the gradient is off"),
        (variant(clip=by_value), "the gradient is off"),
        (variant(clip=norm_after), "the norm before clipping is off"),
        (variant(clip=no_return), "not answered yet"),
        (variant(clip=lambda _w, _t: torch.zeros(())), "off"),
    ],
    ids=[
        "sum",
        "old gradient",
        "each part",
        "each tensor",
        "by value",
        "norm after",
        "no norm",
        "not clipped",
    ],
)
def test_wrong_collections_are_refused(answer: Any, hint: str) -> None:
    verdict = grade("03-build", answer)
    assert not verdict.passed
    assert hint in verdict.message
