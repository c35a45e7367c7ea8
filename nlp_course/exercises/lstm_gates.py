"""Checks of the exercises of chapter 05, ``05_lstm_gates``."""

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
from nlp_course.training.seeds import seeded

_ONE_LAYER = 20 * 10 + 20 * 20 + 20  # W, U and b of one layer


@exercise("05-predict")
def predict(answer: Any) -> str:
    """Weights of an LSTM with D=10, H=20: today's, and that of 1997."""
    expect_several(
        answer, 2, say="give two numbers: (with, without a forget gate)"
    )
    hint = "how many layers are there, each as large as a plain cell?"
    if answer[0] == 4 * (_ONE_LAYER + 20):
        hint = "that counts PyTorch's second bias, which adds nothing"
    expect_number(answer[0], 4 * _ONE_LAYER, hint=hint)
    expect_number(
        answer[1], 3 * _ONE_LAYER, hint="which layer is missing then?"
    )
    return "right: four layers of 620 weights, and three without the gate"


@exercise("05-derive")
def derive(answer: Callable[..., Tensor]) -> str:
    """dL/dc_{t-1} with the gates held fixed, against autograd."""
    for seed in range(3):
        with seeded(seed):
            f, o = torch.rand(2, 3, 4).double().unbind()
            new, from_h, from_c = torch.randn(3, 3, 4).double()
            before = torch.randn(3, 4).double().requires_grad_()
        c = f * before + new
        loss = (o * torch.tanh(c) * from_h).sum() + (c * from_c).sum()
        (wanted,) = torch.autograd.grad(loss, before)
        with torch.no_grad():
            found = answer(f, o, c.detach(), from_h, from_c)
        _explain(found, f, o, c.detach(), from_h, from_c)
        expect_tensor(found, wanted, what="the gradient")
    return "right: both ways into c_t, and then the forget gate"


def _explain(
    found: Any,
    f: Tensor,
    o: Tensor,
    c: Tensor,
    from_h: Tensor,
    from_c: Tensor,
) -> None:
    """Name the usual mistakes."""
    slope = 1 - torch.tanh(c) ** 2
    mistakes = {
        "the way through h_t is missing": f * from_c,
        "the way along the cell state is missing": f * o * slope * from_h,
        "that is dL/dc_t; one more factor leads to c_{t-1}": (
            from_c + o * slope * from_h
        ),
        "the slope of tanh at c_t is missing": f * (from_c + o * from_h),
    }
    for hint, wrong in mistakes.items():
        if (
            isinstance(found, Tensor)
            and found.shape == wrong.shape
            and torch.allclose(found.double(), wrong)
        ):
            raise WrongAnswer(hint)


@exercise("05-build")
def build(answer: Callable[..., Any]) -> str:
    """A step with i = 1 - f: values, and gradients of everything."""
    for seed in range(3):
        B, H = 2 + seed, 3
        with seeded(seed):
            wx = torch.randn(B, 3 * H).double()
            h, c = torch.randn(2, B, H).double()
            U = torch.randn(3 * H, H).double()
            b = torch.randn(3 * H).double()
            weigh = torch.randn(2, B, H).double()
        inputs = [t.requires_grad_() for t in (wx, h, c, U, b)]
        found = answer(*inputs)
        if found is None or found is ...:
            raise WrongAnswer(
                "not answered yet: the function returned nothing"
            )
        if not isinstance(found, tuple | list) or len(found) != 2:
            raise WrongAnswer("return the two states (h, c)")
        wanted = _coupled(*inputs)
        for name, ours, theirs in zip("hc", found, wanted, strict=True):
            expect_tensor(ours, theirs, what=f"the state {name}")
            if not ours.requires_grad:
                raise WrongAnswer("the states must keep their gradient")
        grads = [
            torch.autograd.grad(
                sum((s * w).sum() for s, w in zip(pair, weigh, strict=True)),
                inputs,
                allow_unused=True,
            )
            for pair in (found, wanted)
        ]
        names = ("W x", "h", "c", "U", "b")
        for name, ours, theirs in zip(names, *grads, strict=True):
            if ours is None:
                raise WrongAnswer(f"no gradient reaches {name}")
            expect_tensor(ours, theirs, what=f"the gradient of {name}")
    return "right: three layers do; the cell state is now a running average"


def _coupled(
    wx: Tensor, h: Tensor, c: Tensor, U: Tensor, b: Tensor
) -> tuple[Tensor, Tensor]:
    a_f, a_c, a_o = (wx + h @ U.T + b).chunk(3, dim=-1)
    f = torch.sigmoid(a_f)
    c = f * c + (1 - f) * torch.tanh(a_c)
    return torch.sigmoid(a_o) * torch.tanh(c), c
