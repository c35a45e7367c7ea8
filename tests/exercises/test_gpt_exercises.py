"""The checks of chapter 15 pass right answers and refuse wrong ones."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from nlp_course.exercises import grade

Merges = Sequence[tuple[str, str]]


def by_autograd(
    E: Tensor, ids: Tensor, targets: Tensor, s: Tensor, g: Tensor
) -> Tensor:
    """Both shares, each from a graph of its own."""
    matrix = E.clone().requires_grad_()
    F.cross_entropy(s @ matrix.T, targets).backward()
    (F.embedding(ids, matrix) * g).sum().backward()
    assert matrix.grad is not None
    return matrix.grad


def join(tokens: list[str], left: str, right: str) -> list[str]:
    done: list[str] = []
    for token in tokens:
        if done and (done[-1], token) == (left, right):
            done[-1] = left + right
        else:
            done.append(token)
    return done


def by_rank(word: str, merges: Merges) -> list[str]:
    """The earliest merge that is possible, again and again."""
    tokens = list(word)
    while True:
        pairs = list(itertools.pairwise(tokens))
        ranks = [k for k, pair in enumerate(merges) if pair in pairs]
        if not ranks:
            return tokens
        tokens = join(tokens, *merges[ranks[0]])


@pytest.mark.parametrize(
    ("key", "answer"),
    [
        ("15-predict", (2, 2 / 3, 1)),
        ("15-predict", [2, 0.667, 1]),
        ("15-derive", by_autograd),
        ("15-build", by_rank),
    ],
)
def test_right_answers_pass(key: str, answer: Any) -> None:
    assert grade(key, answer).passed, grade(key, answer)


@pytest.mark.parametrize(
    ("answer", "part"),
    [
        ((1, 2 / 3, 1), "reach"),
        ((3, 2 / 3, 1), "first"),
        ((2, 0.5, 1), "second"),
        ((2, 2 / 3, 2), "the temperature comes first"),
        ((2, 2 / 3, 3), "third"),
        ((2, 2 / 3), "three numbers"),
        ((float("nan"),) * 3, "first"),
    ],
)
def test_wrong_predictions_are_refused(answer: Any, part: str) -> None:
    found = grade("15-predict", answer)
    assert not found.passed
    assert part in found.message


def shares(
    E: Tensor, ids: Tensor, targets: Tensor, s: Tensor, g: Tensor
) -> tuple[Tensor, Tensor]:
    p = (s @ E.T).softmax(dim=-1)
    writing = (p - F.one_hot(targets, len(E))).T @ s
    return writing, torch.zeros_like(E).index_add(0, ids, g)


def overwriting(
    E: Tensor, ids: Tensor, targets: Tensor, s: Tensor, g: Tensor
) -> Tensor:
    writing, _ = shares(E, ids, targets, s, g)
    reading = torch.zeros_like(E)
    reading[ids] = g
    return writing / len(ids) + reading


WRONG_GRADIENTS: dict[str, Callable[..., Any]] = {
    "the share from reading": lambda *v: shares(*v)[1],
    "the share from writing; ": lambda *v: shares(*v)[0] / len(v[1]),
    "a mean over the tokens": lambda *v: sum(shares(*v)),
    "the sum of both": overwriting,
    "is off by": lambda *v: shares(*v)[0] / len(v[1]) - shares(*v)[1],
    "has shape": lambda *v: by_autograd(*v).T,
}


@pytest.mark.parametrize("part", WRONG_GRADIENTS)
def test_wrong_gradients_are_refused(part: str) -> None:
    found = grade("15-derive", WRONG_GRADIENTS[part])
    assert not found.passed
    assert part in found.message


def longest_match(word: str, merges: Merges) -> list[str]:
    """Reads from the left, always the longest token that is known."""
    known = {left + right for left, right in merges}
    tokens = []
    while word:
        n = max(
            [n for n in range(2, len(word) + 1) if word[:n] in known],
            default=1,
        )
        tokens.append(word[:n])
        word = word[n:]
    return tokens


def last_first(word: str, merges: Merges) -> list[str]:
    """The merges in the wrong order."""
    tokens = list(word)
    for left, right in reversed(merges):
        tokens = join(tokens, left, right)
    return tokens


def once(word: str, merges: Merges) -> list[str]:
    """Only the first place of every pair."""
    tokens = list(word)
    for left, right in merges:
        for k in range(len(tokens) - 1):
            if (tokens[k], tokens[k + 1]) == (left, right):
                tokens[k : k + 2] = [left + right]
                break
    return tokens


WRONG_TOKENS: dict[str, tuple[Callable[..., Any], str]] = {
    "longest match": (longest_match, "in the order in which"),
    "last first": (last_first, "in the order in which"),
    "once": (once, "in the order in which"),
    "letters": (lambda word, merges: list(word), "in the order in which"),
    "the word": (lambda word, merges: [word], "in the order in which"),
    "loses": (lambda word, merges: by_rank(word, merges)[:1], "again"),
    "text": (lambda word, merges: " ".join(by_rank(word, merges)), "a list"),
}


@pytest.mark.parametrize("name", WRONG_TOKENS)
def test_wrong_tokens_are_refused(name: str) -> None:
    answer, part = WRONG_TOKENS[name]
    found = grade("15-build", answer)
    assert not found.passed
    assert part in found.message
