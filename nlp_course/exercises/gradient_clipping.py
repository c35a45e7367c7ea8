"""Checks of the exercises of chapter 03, ``03_gradient_clipping``."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from nlp_course.clipping import clip_gradient_norm
from nlp_course.exercises.grading import (
    WrongAnswer,
    exercise,
    expect_number,
    expect_several,
    expect_tensor,
)
from nlp_course.training.seeds import generator, seeded

Loss = Callable[[Tensor], Tensor]


@exercise("03-predict")
def predict(answer: Any) -> str:
    """Norms 3, 4 and 12, clipped together at 6.5."""
    expect_several(answer, 3, say="give three numbers: (for W, for U, for b)")
    hint = "compute the norm of all three together first"
    if tuple(answer) == (3, 4, 6.5):
        hint = "that clips each by itself; together they have one norm"
    elif tuple(answer) == (3, 4, 12):
        hint = "together they are longer than the threshold"
    for found, norm in zip(answer, (3.0, 4.0, 12.0), strict=True):
        expect_number(found, norm / 2, hint=hint)
    return "together the norm is 13, twice the threshold: all are halved"


@exercise("03-derive")
def derive(answer: Callable[[float, int], Any]) -> str:
    """Cosine between (a, 1, ..., 1) and (1, 1, ..., 1)."""
    for a, n in ((2.0, 2), (10.0, 3), (3.5, 100), (1e6, 10_000)):
        found = answer(a, n)
        if found is None or found is ...:
            raise WrongAnswer(
                "not answered yet: the function returned nothing"
            )
        if isinstance(found, Tensor) and found.numel() == 1:
            found = found.item()
        before = torch.ones(n, dtype=torch.float64)
        before[0] = a
        right = before.sum() / (before.norm() * math.sqrt(n))
        hint = f"for a = {a:g}, n = {n}: product over the two lengths"
        expect_number(found, right.item(), hint=hint)
    return "as a grows, the cosine tends to one over the root of n"


@exercise("03-build")
def build(
    answer: Callable[[list[nn.Parameter], Loss, Sequence[Tensor], float], Any],
) -> str:
    """Gradients of several parts, added up and clipped once."""
    # a threshold that acts, one that cuts some parts only, one that is idle
    for seed, threshold in enumerate((0.01, 0.5, 1e6)):
        wanted, norm, _ = _whole(seed, threshold)
        network, loss_of, parts = _case(seed)
        found = answer(list(network.parameters()), loss_of, parts, threshold)
        if found is None or found is ...:
            raise WrongAnswer(
                "not answered yet: return the norm before clipping"
            )
        for parameter, gradient in zip(
            network.parameters(), wanted, strict=True
        ):
            if parameter.grad is None:
                raise WrongAnswer("a parameter has no gradient afterwards")
            _explain(parameter.grad, gradient, len(parts))
            expect_tensor(parameter.grad, gradient, what="the gradient")
        found = torch.as_tensor(found, dtype=torch.float64)
        _explain(found, norm, len(parts))
        expect_tensor(found, norm, what="the norm before clipping")
    return "one gradient, one norm, one factor, however it was collected"


def _case(seed: int) -> tuple[nn.Linear, Loss, list[Tensor]]:
    """A network with an old gradient, its loss and three unlike parts."""
    with seeded(seed):
        network = nn.Linear(3, 2, dtype=torch.float64)
    rng = generator(seed)
    parts = [
        size * torch.randn(4, 3, generator=rng, dtype=torch.float64)
        for size in (0.1, 1.0, 5.0)
    ]
    for parameter in network.parameters():
        parameter.grad = torch.ones_like(parameter)

    def loss_of(part: Tensor) -> Tensor:
        loss: Tensor = network(part).pow(2).sum(dim=1).mean()
        return loss

    return network, loss_of, parts


def _whole(seed: int, threshold: float) -> tuple[list[Tensor], Tensor, Loss]:
    """The same from the whole batch at once."""
    network, loss_of, parts = _case(seed)
    network.zero_grad()
    loss_of(torch.cat(parts)).backward()
    norm = clip_gradient_norm(network.parameters(), threshold)
    gradients = [p.grad for p in network.parameters() if p.grad is not None]
    return gradients, norm, loss_of


def _explain(found: Tensor, wanted: Tensor, parts: int) -> None:
    """Name the usual mistake of the size."""
    if found.shape == wanted.shape and torch.allclose(found, parts * wanted):
        raise WrongAnswer(
            "that is the gradient of the sum of the losses, not of the mean"
        )
