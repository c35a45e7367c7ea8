"""The checks of chapter 13 pass right answers and refuse wrong ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from nlp_course.attention.masks import causal_mask
from nlp_course.exercises import grade
from nlp_course.transformer import DecoderLayer

ROOT = 3**0.5


def by_jacobian(normed: Tensor, deviation: Tensor, g: Tensor) -> Tensor:
    """Row by row, with the whole matrix."""
    D = normed.shape[1]
    eye, ones = torch.eye(D), torch.ones(D, D) / D
    rows = [
        (eye - ones - torch.outer(n, n) / D) @ v / r
        for n, r, v in zip(normed, deviation, g, strict=True)
    ]
    return torch.stack(rows)


def steps(
    layer: DecoderLayer, x: Tensor, memory: Tensor, mask: Tensor | None,
    *, causal: bool = True, keys: str = "memory", post: bool = True,
) -> Tensor:  # fmt: skip
    """The layer from its parts, with places for mistakes."""
    past = causal_mask(x.shape[1]) if causal else None
    source = {"memory": memory, "x": x}[keys]
    parts: list[tuple[Any, Callable[[Tensor], Any]]] = [
        (layer.attention_path.norm, lambda v: layer.attention(v, mask=past)),
        (
            layer.cross_path.norm,
            lambda v: layer.cross_attention(v, source, mask=mask),
        ),
        (layer.feed_forward_path.norm, layer.feed_forward),
    ]
    for norm, part in parts:
        x = norm(x + part(x)) if post else x + part(norm(x))
    return x


@pytest.mark.parametrize(
    ("key", "answer"),
    [
        ("13-predict", (ROOT, ROOT, 0.0)),
        ("13-predict", [1.732, 1.732, 0]),
        ("13-derive", lambda *v: by_jacobian(*(t.float() for t in v))),
        ("13-build", steps),
    ],
)
def test_right_answers_pass(key: str, answer: Any) -> None:
    assert grade(key, answer).passed, grade(key, answer)


@pytest.mark.parametrize(
    ("answer", "part"),
    [
        ((1.5, 1.5, 0.0), "divides it by D"),
        ((1.0, ROOT, 0.0), "first"),
        ((ROOT, 6.9, 0.0), "second"),
        ((ROOT, ROOT, 1.0), "third"),
        ((ROOT, ROOT), "three numbers"),
        ((float("nan"),) * 3, "first"),
    ],
)
def test_wrong_predictions_are_refused(answer: Any, part: str) -> None:
    found = grade("13-predict", answer)
    assert not found.passed
    assert part in found.message


def mean(v: Tensor) -> Tensor:
    return v.mean(dim=-1, keepdim=True)


WRONG_GRADIENTS = {
    "treated as constants": lambda n, r, g: g / r,
    "the deviation depends on x": lambda n, r, g: (g - mean(g)) / r,
    "the mean depends on x": lambda n, r, g: (g - n * mean(g * n)) / r,
    "divided by the deviation": lambda n, r, g: g - mean(g) - n * mean(g * n),
    "is off by": lambda n, r, g: (
        (g - mean(g) - n * (g * n).sum(-1, keepdim=True) / (n.shape[1] - 1))
        / r
    ),
    "has shape": lambda n, r, g: ((g - mean(g) - n * mean(g * n)) / r)[0],
}


@pytest.mark.parametrize("part", WRONG_GRADIENTS)
def test_wrong_gradients_are_refused(part: str) -> None:
    found = grade("13-derive", WRONG_GRADIENTS[part])
    assert not found.passed
    assert part in found.message


WRONG_LAYERS: dict[str, Callable[..., Any]] = {
    "may not look ahead": lambda *v: steps(*v, causal=False),
    "padding of the source": lambda a, b, c, d: steps(a, b, c, None),
    "is off by": lambda *v: steps(*v, post=False),
    "keys and values of cross-attention": lambda a, b, c, d: steps(
        a, b, b, causal_mask(b.shape[1])
    ),
    "keep their gradient": lambda *v: steps(*v).detach(),
    "has shape": lambda *v: steps(*v)[:, -1],
}


@pytest.mark.parametrize("part", WRONG_LAYERS)
def test_wrong_layers_are_refused(part: str) -> None:
    found = grade("13-build", WRONG_LAYERS[part])
    assert not found.passed
    assert part in found.message
