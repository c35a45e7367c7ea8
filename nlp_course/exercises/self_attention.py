"""Checks of the exercises of chapter 10, ``10_self_attention``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from nlp_course.attention.positions import shift_matrix
from nlp_course.exercises.grading import (
    WrongAnswer,
    exercise,
    expect_number,
    expect_several,
    expect_tensor,
)
from nlp_course.training.seeds import seeded

DOUBLE: dict[str, Any] = {"dtype": torch.float64}


@exercise("10-predict")
def predict(answer: Any) -> str:
    """One word alone; five equal keys; twice the length."""
    expect_several(answer, 3, say="give three numbers")
    expect_number(answer[0], 1.0, hint="first: what must weights add up to?")
    expect_number(
        answer[1], 0.2, hint="second: equal keys give equal scores, to whom?"
    )
    expect_number(
        answer[2], 4.0, hint="third: how many pairs do T words make?"
    )
    return (
        "right: weights add up to 1 whatever the scores are; equal scores "
        "share it out equally; and pairs grow with the square"
    )


@exercise("10-derive")
def derive(answer: Callable[[Tensor, Tensor, Tensor], Tensor]) -> str:
    """The gradient that reaches the scores, against autograd."""
    for seed, (B, T, N, d) in enumerate(((1, 1, 2, 1), (2, 3, 5, 4))):
        with seeded(seed):
            scores = torch.randn(B, T, N, **DOUBLE, requires_grad=True)
            values = torch.randn(B, N, d, **DOUBLE)
            from_output = torch.randn(B, T, d, **DOUBLE)
        weights = scores.softmax(dim=-1)
        loss = (weights @ values * from_output).sum()
        (wanted,) = torch.autograd.grad(loss, scores)
        weights = weights.detach()
        found = answer(weights, values, from_output)
        _explain_gradient(found, wanted, weights, from_output @ values.mT)
        expect_tensor(found, wanted, what="the gradient of the scores")
    return (
        "right: a score is pushed up if its value does better than the "
        "weighted mean of all values, in proportion to its weight"
    )


def _explain_gradient(
    found: Any, wanted: Tensor, weights: Tensor, from_weights: Tensor
) -> None:
    """Name the usual mistakes: a part of the softmax left out."""
    if not isinstance(found, Tensor) or found.shape != wanted.shape:
        return
    found = found.detach().to(wanted.dtype)
    if torch.allclose(found, from_weights):
        raise WrongAnswer(
            "that is the gradient of the weights; one step further back "
            "lies the softmax"
        )
    if torch.allclose(found, weights * from_weights):
        raise WrongAnswer(
            "the diagonal of the softmax alone: a higher score also lowers "
            "the weights of all other words"
        )


@exercise("10-build")
def build(answer: Callable[[Tensor], Tensor]) -> str:
    """Queries or keys turned by their positions; values and gradients."""
    for seed, (B, T, d) in enumerate(((1, 2, 2), (2, 6, 8))):
        with seeded(seed):
            x = torch.randn(B, T, d, **DOUBLE, requires_grad=True)
            weigh = torch.randn(B, T, d, **DOUBLE)
        turns = torch.stack([shift_matrix(t, d, **DOUBLE) for t in range(T)])
        wanted = torch.einsum("tij,btj->bti", turns, x)
        found = answer(x)
        _explain_turn(found, x, wanted)
        expect_tensor(found, wanted, what="the turned tensor")
        if not found.requires_grad:
            raise WrongAnswer("the result must keep its gradient")
        got = torch.autograd.grad((found * weigh).sum(), x)[0]
        due = torch.autograd.grad((wanted * weigh).sum(), x)[0]
        expect_tensor(got, due, what="the gradient of the input")
    return (
        "right: turned so, a query and a key have a product that depends on "
        "their distance, not on their places"
    )


def _explain_turn(found: Any, x: Tensor, wanted: Tensor) -> None:
    if not isinstance(found, Tensor) or found.shape != wanted.shape:
        return
    if torch.equal(found.detach().double(), x.detach()):
        raise WrongAnswer("that is x itself; word t has to be turned by R_t")
    places = torch.arange(x.shape[1])
    d = x.shape[2]
    back = torch.stack([shift_matrix(-int(t), d, **DOUBLE) for t in places])
    turned = torch.einsum("tij,btj->bti", back, x)
    if torch.allclose(found.detach().double(), turned.detach()):
        raise WrongAnswer("turned the wrong way round: that is R_{-t}")
