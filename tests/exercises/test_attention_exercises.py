"""The checks of chapter 09 pass right answers and refuse wrong ones."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from nlp_course.exercises import grade


def source_gradient(s: Tensor, h: Tensor, g: Tensor) -> Tensor:
    """Row by row, in a form unlike that of the chapter."""
    e = [float(row @ s) for row in h]
    total = sum(math.exp(value) for value in e)
    alpha = [math.exp(value) / total for value in e]
    context = sum((a * row for a, row in zip(alpha, h, strict=True)), 0 * g)
    rows = [
        a * g + a * (row - context).dot(g) * s
        for a, row in zip(alpha, h, strict=True)
    ]
    return torch.stack(rows)


def local(
    queries: Tensor,
    states: Tensor,
    lengths: Tensor,
    centres: Tensor,
    width: int,
    *,
    padding: bool = False,
    shift: int = 0,
) -> tuple[Tensor, Tensor]:
    """Word by word; the options are mistakes."""
    B, T, _ = queries.shape
    N = states.shape[1]
    contexts, weights = [], []
    for b in range(B):
        for t in range(T):
            n = N if padding else int(lengths[b])
            centre = int(centres[b, t]) + shift
            allowed = [i for i in range(n) if abs(i - centre) <= width]
            row = torch.zeros(N, dtype=queries.dtype)
            if allowed:
                scores = states[b, allowed] @ queries[b, t]
                row = row.index_put(
                    (torch.tensor(allowed),), scores.softmax(0)
                )
            weights.append(row)
            contexts.append(row @ states[b])
    return (
        torch.stack(contexts).view(B, T, -1),
        torch.stack(weights).view(B, T, N),
    )


@pytest.mark.parametrize(
    ("key", "answer"),
    [
        ("09-predict", (0.625, 0.625, 25 / 30)),
        ("09-predict", [5 / 8, 5 / 8, 0.8333]),
        ("09-derive", source_gradient),
        ("09-build", local),
    ],
)
def test_right_answers_pass(key: str, answer: Any) -> None:
    assert grade(key, answer).passed, grade(key, answer)


@pytest.mark.parametrize(
    "answer",
    [
        (0.625, 1.0, 0.833),  # shifting taken for sharpening
        (0.625, 0.625, 0.625),
        (0.5, 0.5, 0.5),
        (0.625, 0.625),
        (float("nan"),) * 3,
        (True, True, True),
    ],
)
def test_wrong_predictions_are_refused(answer: Any) -> None:
    assert not grade("09-predict", answer).passed


WRONG_GRADIENTS: dict[str, Any] = {
    "value only": lambda s, h, g: (h @ s).softmax(0)[:, None] * g,
    "score only": lambda s, h, g: (
        source_gradient(s, h, g) - (h @ s).softmax(0)[:, None] * g
    ),
    "context not subtracted": lambda s, h, g: (
        (h @ s).softmax(0)[:, None] * (g + (h @ g)[:, None] * s)
    ),
    "weight forgotten": lambda s, h, g: (
        source_gradient(s, h, g) / (h @ s).softmax(0)[:, None]
    ),
    "query and slope swapped": lambda s, h, g: source_gradient(g, h, s),
    "zeros": lambda s, h, g: 0 * h,
    "transposed": lambda s, h, g: source_gradient(s, h, g).T,
}


@pytest.mark.parametrize("name", WRONG_GRADIENTS)
def test_wrong_gradients_are_refused(name: str) -> None:
    assert not grade("09-derive", WRONG_GRADIENTS[name]).passed


def test_the_usual_mistakes_are_named() -> None:
    value = grade("09-derive", WRONG_GRADIENTS["value only"]).message
    assert "through its score" in value
    score = grade("09-derive", WRONG_GRADIENTS["score only"]).message
    assert "term of the sum" in score
    nan = grade("09-build", WRONG_WINDOWS["plain softmax"]).message
    assert "divides 0 by 0" in nan


def plain_softmax(
    q: Tensor, h: Tensor, n: Tensor, c: Tensor, w: int
) -> tuple[Tensor, Tensor]:
    places = torch.arange(h.shape[1])
    near = (places - c.unsqueeze(-1)).abs() <= w
    mask = near & (places < n.unsqueeze(-1)).unsqueeze(1)
    scores = (q @ h.transpose(1, 2)).masked_fill(~mask, -torch.inf)
    weights = scores.softmax(-1)
    return weights @ h, weights


WRONG_WINDOWS: dict[str, Any] = {
    "plain softmax": plain_softmax,
    "padding": lambda *v: local(*v, padding=True),
    "shifted by one": lambda *v: local(*v, shift=1),
    "no window": lambda q, h, n, c, w: local(q, h, n, c, 99),
    "one too wide": lambda q, h, n, c, w: local(q, h, n, c, w + 1),
    "detached": lambda *v: tuple(x.detach() for x in local(*v)),
    "queries detached": lambda q, *v: local(q.detach(), *v),
    "context only": lambda *v: local(*v)[0],
    "swapped": lambda *v: local(*v)[::-1],
    "masked after the softmax": lambda q, h, n, c, w: (
        local(q, h, n, c, 99)[0],
        local(q, h, n, c, w)[1],
    ),
}


@pytest.mark.parametrize("name", WRONG_WINDOWS)
def test_wrong_windows_are_refused(name: str) -> None:
    assert not grade("09-build", WRONG_WINDOWS[name]).passed
