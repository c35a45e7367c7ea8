"""Checks of the exercises of chapter 09, ``09_attention``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from nlp_course.attention.core import attend
from nlp_course.attention.scores import dot_scores
from nlp_course.exercises.grading import (
    WrongAnswer,
    exercise,
    expect_number,
    expect_several,
    expect_tensor,
)
from nlp_course.training.seeds import generator

DOUBLE: Any = {"dtype": torch.float64}


@exercise("09-predict")
def predict(answer: Any) -> str:
    """The weight of a score ln 5 beside ln 1 and ln 2; shifted; doubled."""
    expect_several(
        answer, 3, say="give three numbers: as it is, shifted, doubled"
    )
    expect_number(answer[0], 5 / 8, hint="first: e to the power ln 5 is 5")
    expect_number(
        answer[1], 5 / 8, hint="second: what happens to a common factor?"
    )
    expect_number(answer[2], 25 / 30, hint="third: 2 ln 5 = ln 25")
    return (
        "right: only differences between scores count, and larger scores "
        "make sharper weights"
    )


@exercise("09-derive")
def derive(answer: Callable[[Tensor, Tensor, Tensor], Tensor]) -> str:
    """The gradient of every source state, against autograd."""
    for seed, (N, H) in enumerate(((3, 4), (5, 1), (1, 2))):
        rng = generator(seed)
        s, g = torch.randn(2, H, generator=rng, **DOUBLE).unbind()
        h = torch.randn(N, H, generator=rng, **DOUBLE).requires_grad_()
        context = attend(dot_scores(s[None], h), h).context[0]
        (wanted,) = torch.autograd.grad(context @ g, h)
        h = h.detach()
        found = answer(s, h, g)
        _explain(found, wanted, (h @ s).softmax(dim=0)[:, None] * g)
        expect_tensor(found, wanted, what="the gradient")
    return "right: once as a term of the sum, once through its score"


def _explain(found: Any, wanted: Tensor, as_value: Tensor) -> None:
    """Name the usual mistakes: one of the two ways forgotten."""
    if not isinstance(found, Tensor) or found.shape != wanted.shape:
        return
    if torch.allclose(wanted, as_value):  # one word: there is one way only
        return
    found = found.to(wanted.dtype)
    if torch.allclose(found, as_value):
        raise WrongAnswer(
            "that is the state as a term of the sum; it acts through its "
            "score, too"
        )
    if torch.allclose(found, wanted - as_value):
        raise WrongAnswer(
            "that is the way through the score; the state is a term of the "
            "sum, too"
        )


Local = Callable[[Tensor, Tensor, Tensor, Tensor, int], tuple[Tensor, Tensor]]


@exercise("09-build")
def build(answer: Local) -> str:
    """Attention in a window: values, weights and gradients."""
    cases = ((2, 3, 5, 4, 1), (1, 2, 3, 2, 0), (3, 4, 6, 2, 9))
    for seed, (B, T, N, H, width) in enumerate(cases):
        rng = generator(seed)
        queries = torch.randn(B, T, H, generator=rng, **DOUBLE)
        states = torch.randn(B, N, H, generator=rng, **DOUBLE)
        lengths = torch.randint(1, N + 1, (B,), generator=rng)
        centres = torch.randint(N, (B, T), generator=rng)
        leaves = [queries.requires_grad_(), states.requires_grad_()]
        found = answer(queries, states, lengths, centres, width)
        if not isinstance(found, tuple) or len(found) != 2:
            raise WrongAnswer("return two tensors: the context, the weights")
        wanted = _local(queries, states, lengths, centres, width)
        for name, one, two in zip(
            ("context", "weights"), found, wanted, strict=True
        ):
            _explain_nan(name, one)
            expect_tensor(one, two, what=f"the tensor of {name}")
        _check_gradients(found[0], wanted[0], leaves)
    return "right: a window is one more condition of the mask"


def _local(
    queries: Tensor,
    states: Tensor,
    lengths: Tensor,
    centres: Tensor,
    width: int,
) -> tuple[Tensor, Tensor]:
    places = torch.arange(states.shape[1])
    near = (places - centres.unsqueeze(-1)).abs() <= width
    real = (places < lengths.unsqueeze(-1)).unsqueeze(1)
    context, weights = attend(dot_scores(queries, states), states, near & real)
    return context, weights


def _explain_nan(name: str, found: Any) -> None:
    if isinstance(found, Tensor) and found.isnan().any():
        raise WrongAnswer(
            f"the {name} hold NaN: where nothing is allowed, all scores are "
            "-inf and a plain softmax divides 0 by 0"
        )


def _check_gradients(
    found: Tensor, wanted: Tensor, leaves: list[Tensor]
) -> None:
    if not found.requires_grad:
        raise WrongAnswer("the context must keep its gradient")
    weigh = torch.linspace(-1, 2, wanted.numel(), **DOUBLE).view_as(wanted)
    due = torch.autograd.grad((wanted * weigh).sum(), leaves)
    got = torch.autograd.grad((found * weigh).sum(), leaves, allow_unused=True)
    for name, one, two in zip(("queries", "states"), got, due, strict=True):
        if one is None:
            raise WrongAnswer(f"no gradient reaches the {name}")
        expect_tensor(one, two, what=f"the gradient of the {name}")
