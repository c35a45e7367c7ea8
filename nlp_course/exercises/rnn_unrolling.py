"""Checks of the exercises of chapter 01, ``01_rnn_unrolling``."""

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


@exercise("01-predict")
def predict(answer: Any) -> str:
    """Number of weights of an RNN with D=10, H=20, for two lengths."""
    expect_several(
        answer, 2, say="give two numbers: (for 5 words, for 500 words)"
    )
    right = sum(p.numel() for p in RNN(10, 20).parameters())
    expect_number(answer[0], right, hint="count W, U and b one by one")
    expect_number(answer[1], right, hint="which weights are new at step 6?")
    return "right: the number of weights does not depend on the length"


@exercise("01-derive")
def derive(answer: Callable[[Tensor, Tensor, Tensor], Tensor]) -> str:
    """The gradient with respect to h_0, against autograd."""
    for seed in range(3):
        with seeded(seed):
            rnn = RNN(3, 4, dtype=torch.float64)
            x = torch.randn(2, 3 + seed, 3, dtype=torch.float64)
            h_0 = torch.randn(2, 4, dtype=torch.float64, requires_grad=True)
            readout = torch.randn(2, 3 + seed, 4, dtype=torch.float64)
        states = rnn(x, h_0).states
        # a loss that is linear in the outputs, so that readout is W_y^T dL/dy
        (wanted,) = torch.autograd.grad((states * readout).sum(), h_0)
        with torch.no_grad():
            found = answer(states.detach(), readout, rnn.U)
        expect_tensor(found, wanted, what="the gradient")
    return "right: U^T times epsilon of the first step, as autograd says"


@exercise("01-build")
def build(answer: Callable[[RNN, Tensor, Tensor], Tensor]) -> str:
    """Right-to-left reading of a padded batch, one sentence at a time."""
    with seeded(0):
        rnn = RNN(3, 4, dtype=torch.float64)
        x = torch.randn(3, 6, 3, dtype=torch.float64)
    lengths = torch.tensor([6, 2, 4])
    wanted = torch.zeros(3, 6, 4, dtype=torch.float64)
    for row, n in enumerate(lengths.tolist()):
        backwards = rnn(x[row : row + 1, :n].flip(1)).states[0]
        wanted[row, :n] = backwards.flip(0)
    found = answer(rnn, x, lengths)
    expect_tensor(found, wanted, what="the states")
    if not found.requires_grad:
        raise WrongAnswer("the states must keep their gradient (no detach)")
    return "right: every sentence is read from its own end"
