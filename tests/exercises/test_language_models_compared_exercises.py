"""The checks of chapter 16 pass right answers and refuse wrong ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from nlp_course.attention.masks import causal_mask
from nlp_course.exercises import grade

LogP = Callable[[Tensor], Tensor]


def one_by_one(log_p: LogP, ids: Tensor, place: int, V: int) -> Tensor:
    """Every candidate in a sentence of its own, in float32."""
    found = []
    for word in range(V):
        ids[place] = word
        found.append(log_p(ids[None]).sum())
    return torch.stack(found).float().softmax(dim=0)


def fill(
    log_p: LogP, ids: Tensor, place: int, V: int, *,
    first: int = 0, last: int | None = None, end: str = "softmax",
) -> Tensor:  # fmt: skip
    """All candidates in one batch, with places for mistakes."""
    tried = ids.repeat(V, 1)
    tried[:, place] = torch.arange(V)
    steps = log_p(tried)
    stop = steps.shape[1] if last is None else place + last
    begin = place if first == 1 else place + 1 if first == 2 else 0
    scores = steps[:, begin:stop].sum(dim=1)
    ends = {
        "softmax": scores.softmax(0),
        "exp": scores.exp(),
        "log": scores.log_softmax(0),
    }
    return ends[end]


def by_rows(lengths: Tensor, T: int, more: int = 0) -> Tensor:
    """Text by text, query by query."""
    mask = torch.zeros(len(lengths), T, T)
    for b, n in enumerate(lengths.tolist()):
        for t in range(T):
            mask[b, t, : max(n + more, t + 1)] = 1
    return mask > 0


def keys_only(lengths: Tensor, T: int) -> Tensor:
    """The prefix for all, and nothing else."""
    keys = torch.arange(T) < lengths[:, None, None]
    return keys.expand(-1, T, -1).clone()


def apart(lengths: Tensor, T: int) -> Tensor:
    """The prefix for itself, the rest for itself."""
    keys = keys_only(lengths, T)
    return (keys & keys.mT) | (causal_mask(T) & ~keys)


@pytest.mark.parametrize(
    ("key", "answer"),
    [
        ("16-predict", (256, 300, 1000)),
        ("16-predict", [256.0, 300.0, 1000.0]),
        ("16-derive", one_by_one),
        ("16-derive", fill),
        # what stands before the gap is the same for all candidates
        ("16-derive", lambda *a: fill(*a, first=1)),
        ("16-build", by_rows),
    ],
)
def test_right_answers_pass(key: str, answer: Any) -> None:
    assert grade(key, answer).passed, grade(key, answer)


@pytest.mark.parametrize(
    ("key", "answer", "message"),
    [
        ("16-predict", (64, 300, 1000), "reach of one layer"),
        ("16-predict", (256, 2000, 1000), "15 in 100"),
        ("16-predict", (256, 300, 1), "each candidate"),
        ("16-predict", (256, 300), "three numbers"),
        ("16-predict", 256, "three numbers"),
        ("16-derive", lambda *a: fill(*a, last=1), "before the gap alone"),
        ("16-derive", lambda *a: fill(*a, first=2), "after the gap alone"),
        ("16-derive", lambda *a: fill(*a, last=2), "only the next word"),
        ("16-derive", lambda *a: fill(*a, end="exp"), "whole sentences"),
        ("16-derive", lambda *a: fill(*a, end="log"), "logarithms"),
        ("16-derive", lambda p, i, t, V: torch.ones(V) / V, "off by"),
        ("16-derive", lambda p, i, t, V: torch.ones(V + 1), "shape"),
        ("16-derive", lambda p, i, t, V: None, "not answered"),
        ("16-derive", lambda p, i, t, V: p(i), "raised ValueError"),
        ("16-build", lambda n, T: ~by_rows(n, T), "opposite"),
        (
            "16-build",
            lambda n, T: causal_mask(T).expand(len(n), T, T),
            "causal mask",
        ),
        ("16-build", keys_only, "one another"),
        ("16-build", apart, "must see it"),
        ("16-build", lambda n, T: by_rows(n, T, 1), "one word too many"),
        ("16-build", lambda n, T: by_rows(n, T).int(), "booleans"),
        ("16-build", lambda n, T: by_rows(n, T)[:, :1], "shape"),
        ("16-build", lambda n, T: torch.ones(len(n), T, T) > 0, "off by"),
        ("16-build", lambda n, T: ..., "not answered"),
    ],
)
def test_wrong_answers_are_named(key: str, answer: Any, message: str) -> None:
    verdict = grade(key, answer)
    assert not verdict.passed
    assert message in verdict.message, verdict
