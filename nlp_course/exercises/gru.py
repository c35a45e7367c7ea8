"""Checks of the exercises of chapter 06, ``06_gru``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from nlp_course.exercises.grading import (
    WrongAnswer,
    exercise,
    expect_number,
    expect_several,
    expect_tensor,
)
from nlp_course.gru import GRU, gru_cell
from nlp_course.training.seeds import seeded

DOUBLE: dict[str, Any] = {"dtype": torch.float64}


@exercise("06-predict")
def predict(answer: Any) -> str:
    """Three states of one unit: h_{t-1} = 0.5, W x + b = 0, U h + b_U = 2."""
    expect_several(
        answer, 3, say="give three numbers, one for each pair of gates"
    )
    expect_number(answer[0], 0.5, hint="first: what has weight 1 - z = 0?")
    expect_number(answer[1], 0.0, hint="second: what does r = 0 leave over?")
    expect_number(
        answer[2], 0.45, hint="third: does r touch the part that z keeps?"
    )
    return (
        "right: z alone decides how much of the old state stays; with r = 0 "
        "nine tenths of it are still there"
    )


Jacobian = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor], Tensor]


@exercise("06-derive")
def derive(answer: Jacobian) -> str:
    """The Jacobian of one step, against autograd."""
    for seed, H in enumerate((1, 3, 4)):
        with seeded(seed):
            wx, h = torch.randn(3 * H, **DOUBLE), torch.randn(H, **DOUBLE)
            U, b_U = torch.randn(3 * H, H, **DOUBLE), torch.randn(H, **DOUBLE)

        def step(
            h: Tensor, wx: Tensor = wx, U: Tensor = U, b_U: Tensor = b_U
        ) -> Tensor:
            return gru_cell(wx, h, U, b_U).h

        wanted = torch.autograd.functional.jacobian(step, h)
        z, r, candidate, _ = gru_cell(wx, h, U, b_U)
        found = answer(h, z, r, candidate, U, b_U)
        _explain(found, wanted, torch.diag(z))
        expect_tensor(found, wanted, what="the Jacobian")
    return (
        "right: diag(z) is the direct way; the other three lead through the "
        "update gate, the candidate and the reset gate"
    )


def _explain(found: Any, wanted: Tensor, direct: Tensor) -> None:
    """Name the usual mistakes: only the direct way, or the transpose."""
    if not isinstance(found, Tensor) or found.shape != wanted.shape:
        return
    if torch.allclose(found.to(wanted.dtype), direct):
        raise WrongAnswer(
            "diag(z) is the direct way only; z, r and the candidate depend "
            "on h_{t-1} too"
        )
    if len(wanted) > 1 and torch.allclose(found.to(wanted.dtype), wanted.T):
        raise WrongAnswer(
            "that is the transpose; row i holds the derivatives of unit i"
        )


@exercise("06-build")
def build(answer: Callable[[nn.GRU, Tensor], Tensor]) -> str:
    """The other GRU, from PyTorch's weights; values and gradients."""
    for seed, (B, T, D, H) in enumerate(((2, 5, 3, 4), (1, 1, 2, 3))):
        with seeded(seed):
            theirs = nn.GRU(D, H, batch_first=True, **DOUBLE)
            x = torch.randn(B, T, D, **DOUBLE)
            weigh = torch.randn(B, T, H, **DOUBLE)
        ours = GRU.from_torch(theirs, reset="before")
        wanted, found = ours(x).states, answer(theirs, x)
        if isinstance(found, Tensor) and found.shape == wanted.shape:
            _explain_form(found, theirs(x)[0])
        expect_tensor(found, wanted, what="the tensor of states")
        if not found.requires_grad:
            raise WrongAnswer("the states must keep their gradient")
        theirs_U = dict(theirs.named_parameters())["weight_hh_l0"]
        got = torch.autograd.grad(
            (found * weigh).sum(), theirs_U, allow_unused=True
        )[0]
        if got is None:
            raise WrongAnswer("no gradient reaches PyTorch's weights")
        due = torch.autograd.grad((wanted * weigh).sum(), ours.stack[0].U)[0]
        expect_tensor(got, due, what="the gradient of U")
    return "right: the same weights, another function"


def _explain_form(found: Tensor, after: Tensor) -> None:
    if torch.allclose(found.detach().double(), after):
        raise WrongAnswer(
            "that is PyTorch's own form: the reset gate acts after U_n there"
        )
