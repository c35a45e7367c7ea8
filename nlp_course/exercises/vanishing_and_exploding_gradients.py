"""Checks of ``02_vanishing_and_exploding_gradients``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from nlp_course.exercises.grading import (
    WrongAnswer,
    exercise,
    expect_number,
    expect_several,
    expect_tensor,
)
from nlp_course.rnn import RNN
from nlp_course.training.seeds import seeded

_DOUBLE = torch.float64


@exercise("02-predict")
def predict(answer: Any) -> str:
    """The bound of ten layers with weight 2, and the weight that breaks it."""
    expect_several(
        answer, 2, say="give two numbers: (largest |dy/dx|, smallest |w|)"
    )
    expect_number(
        answer[0],
        0.5**10,
        hint="one layer multiplies by w times a slope of at most 1/4",
    )
    expect_number(
        answer[1], 4.0, hint="when can w times the largest slope exceed 1?"
    )
    return "right: (2/4)^10 is less than a thousandth, and |w| > 4 is needed"


@exercise("02-derive")
def derive(answer: Callable[[Tensor, Tensor, Tensor], Tensor]) -> str:
    """Gradients of a chain with residual paths, against autograd."""
    for seed in range(3):
        with seeded(seed):
            w = 2 * torch.randn(4 + seed, dtype=_DOUBLE)
            x, target = (
                torch.randn((), dtype=_DOUBLE),
                torch.rand((), dtype=_DOUBLE),
            )
        leaf = w.clone().requires_grad_()
        u = x
        for w_d in leaf:
            u = u + torch.sigmoid(w_d * u)
        (wanted,) = torch.autograd.grad((u - target) ** 2, leaf)
        with torch.no_grad():
            found = answer(w, x, target)
        expect_tensor(found, wanted, what="the gradient")
    return "right: each layer multiplies by 1 + w σ′ in place of w σ′"


@exercise("02-build")
def build(answer: Callable[[RNN, Tensor, Tensor], Tensor]) -> str:
    """Norm of the total derivative of the last step's loss, step by step."""
    for seed in range(3):
        with seeded(seed):
            rnn = RNN(3, 4, dtype=_DOUBLE)
            x = torch.randn(1, 5 + seed, 3, dtype=_DOUBLE)
            readout = torch.randn(4, dtype=_DOUBLE)
        wanted = _norms_by_step(rnn, x, readout)
        found = answer(rnn, x, readout)
        if isinstance(found, Tensor) and found.shape == wanted.shape:
            early = found.detach()[:-1]
            if not early.any():
                raise WrongAnswer(
                    "zero before the last step: that is the immediate "
                    "derivative; follow the later states as well"
                )
        expect_tensor(found, wanted, what="the norms")
    return "right: one transposed Jacobian for each step back"


def _norms_by_step(rnn: RNN, x: Tensor, readout: Tensor) -> Tensor:
    states, h = [], None
    for t in range(x.shape[1]):
        h = rnn(x[:, t : t + 1], h).last
        h.retain_grad()
        states.append(h)
    (states[-1] @ readout).sum().backward()
    gradients = [state.grad for state in states]
    rnn.zero_grad()
    return torch.stack([g.norm() for g in gradients if g is not None])
