"""Right answers pass, and nothing else does."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from nlp_course.exercises import grade
from nlp_course.gradients import chain_gradients, sigmoid_slope, state_jacobian
from nlp_course.rnn import RNN


def residual(w: Tensor, x: Tensor, target: Tensor) -> Tensor:
    u = [x]
    for w_d in w:
        u.append(u[-1] + torch.sigmoid(w_d * u[-1]))
    upstream, gradients = 2 * (u[-1] - target), []
    for d in reversed(range(len(w))):
        slope = sigmoid_slope(w[d] * u[d])
        gradients.append(upstream * slope * u[d])
        upstream = upstream * (1 + slope * w[d])
    return torch.stack(gradients[::-1])


def by_step(rnn: RNN, x: Tensor, v: Tensor) -> Tensor:
    states = rnn(x).states[0].detach()
    delta, norms = v, [v.norm()]
    for J in state_jacobian(states, rnn.U.detach())[1:].flip(0):
        delta = J.T @ delta
        norms.append(delta.norm())
    return torch.stack(norms[::-1])


def immediate(rnn: RNN, x: Tensor, v: Tensor) -> Tensor:
    norms = torch.zeros(x.shape[1], dtype=v.dtype)
    norms[-1] = v.norm()
    return norms


def untransposed(rnn: RNN, x: Tensor, v: Tensor) -> Tensor:
    states = rnn(x).states[0].detach()
    delta, norms = v, [v.norm()]
    for J in state_jacobian(states, rnn.U.detach())[1:].flip(0):
        delta = J @ delta
        norms.append(delta.norm())
    return torch.stack(norms[::-1])


def stub(*_: Any) -> None:
    """What the reader is given."""


RIGHT = {
    "02-predict": (0.5**10, 4),
    "02-derive": residual,
    "02-build": by_step,
}
WRONG = [
    ("02-predict", None),
    ("02-predict", ...),
    ("02-predict", 4),
    ("02-predict", (0.25**10, 4)),
    ("02-predict", (0.5**10, 1)),
    ("02-predict", (0.5**9, 4)),
    ("02-derive", stub),
    ("02-derive", chain_gradients),
    ("02-derive", lambda w, x, target: torch.zeros_like(w)),
    ("02-derive", lambda w, x, target: residual(w, x, target)[:1]),
    ("02-build", stub),
    ("02-build", immediate),
    ("02-build", untransposed),
    ("02-build", lambda *a: by_step(*a).flip(0)),
    ("02-build", lambda rnn, x, v: torch.ones(x.shape[1])),
]


@pytest.mark.parametrize("key", RIGHT)
def test_right_answers_pass(key: str) -> None:
    grade(key, RIGHT[key]).require()


@pytest.mark.parametrize(
    "key, answer", WRONG, ids=[f"{k}-{n}" for n, (k, _) in enumerate(WRONG)]
)
def test_wrong_answers_do_not(key: str, answer: Any) -> None:
    assert not grade(key, answer).passed


def test_the_immediate_derivative_is_named() -> None:
    assert "immediate" in grade("02-build", immediate).message
