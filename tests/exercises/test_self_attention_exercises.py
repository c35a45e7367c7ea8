"""The checks of chapter 10 pass right answers and refuse wrong ones."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from nlp_course.attention.positions import sinusoidal_positions
from nlp_course.exercises import grade


def score_gradient(weights: Tensor, values: Tensor, g: Tensor) -> Tensor:
    """By the mixture itself, in a form unlike that of the chapter."""
    mixture = weights @ values  # (B, T, d)
    apart = values.unsqueeze(1) - mixture.unsqueeze(2)  # (B, T, N, d)
    return weights * (apart * g.unsqueeze(2)).sum(-1)


def turn(x: Tensor, sign: int = 1, base: float = 10_000.0) -> Tensor:
    """With complex numbers: a sine and a cosine are one number."""
    d, steps = x.shape[-1], torch.arange(x.shape[1], dtype=torch.float64)
    speed = base ** (-torch.arange(0, d, 2, dtype=torch.float64) / d)
    angle = sign * steps[:, None] * speed
    # sin + i cos goes backwards round the circle
    pair = torch.complex(x[..., 0::2], x[..., 1::2])
    turned = pair * torch.polar(torch.ones_like(angle), -angle)
    return torch.stack([turned.real, turned.imag], dim=-1).flatten(-2)


@pytest.mark.parametrize(
    ("key", "answer"),
    [
        ("10-predict", (1, 0.2, 4)),
        ("10-predict", [1.0, 1 / 5, 4.0]),
        ("10-derive", score_gradient),
        ("10-build", turn),
    ],
)
def test_right_answers_pass(key: str, answer: Any) -> None:
    assert grade(key, answer).passed, grade(key, answer)


@pytest.mark.parametrize(
    "answer",
    [
        (0, 0.2, 4),
        (1, 0.25, 4),  # the word itself left out
        (1, 0.2, 2),
        (1, 0.2),
        (True, 0.2, 4),
        (float("nan"),) * 3,
    ],
)
def test_wrong_predictions_are_refused(answer: Any) -> None:
    assert not grade("10-predict", answer).passed


WRONG_GRADIENTS = {
    "of the weights": lambda a, v, g: g @ v.mT,
    "diagonal only": lambda a, v, g: a * (g @ v.mT),
    "sigmoid's slope": lambda a, v, g: a * (1 - a) * (g @ v.mT),
    "sign": lambda a, v, g: -score_gradient(a, v, g),
    "plain mean": lambda a, v, g: (
        a * (g @ v.mT - (g @ v.mT).mean(-1, keepdim=True))
    ),
    "over queries": lambda a, v, g: (
        a * (g @ v.mT - (a * (g @ v.mT)).sum(-2, keepdim=True))
    ),
    "weights": lambda a, v, g: a,
    "zeros": lambda a, v, g: 0 * a,
    "turned": lambda a, v, g: score_gradient(a, v, g).mT,
}


@pytest.mark.parametrize("name", WRONG_GRADIENTS)
def test_wrong_gradients_are_refused(name: str) -> None:
    assert not grade("10-derive", WRONG_GRADIENTS[name]).passed


def added(x: Tensor) -> Tensor:
    table = sinusoidal_positions(x.shape[1], x.shape[2], dtype=x.dtype)
    return x + table


WRONG_TURNS = {
    "nothing": lambda x: x,
    "added": added,
    "backwards": lambda x: turn(x, sign=-1),
    "detached": lambda x: turn(x).detach(),
    "half detached": lambda x: turn(x.detach()) + 0 * x,
    "another base": lambda x: turn(x, base=1000.0),
    "counted from 1": lambda x: turn(
        torch.cat([torch.zeros_like(x[:, :1]), x], dim=1)
    )[:, 1:],
    "halves for pairs": lambda x: turn(
        x.unflatten(-1, (2, -1)).mT.flatten(-2)
    ),
    "last word": lambda x: turn(x)[:, -1],
}


@pytest.mark.parametrize("name", WRONG_TURNS)
def test_wrong_turns_are_refused(name: str) -> None:
    assert not grade("10-build", WRONG_TURNS[name]).passed


def test_the_usual_mistakes_are_named() -> None:
    message = {
        name: grade("10-derive", answer).message
        for name, answer in WRONG_GRADIENTS.items()
    }
    assert "further back" in message["of the weights"]
    assert "diagonal of the softmax alone" in message["diagonal only"]
    assert (
        "wrong way round"
        in grade("10-build", WRONG_TURNS["backwards"]).message
    )
    assert "x itself" in grade("10-build", WRONG_TURNS["nothing"]).message
