"""The checks of chapter 07 pass right answers and refuse wrong ones."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from nlp_course.exercises import grade


def unseen(counts: Tensor, shorter: Tensor) -> Tensor:
    n, d = counts.sum(), (counts > 0).sum()
    return d / (n + d) * shorter[counts == 0].sum()


def bigram(ids: Tensor, V: int) -> Tensor:
    counts = torch.bincount(ids, minlength=V).double()
    d = (counts > 0).sum()
    unigram = (counts + d / V) / (len(ids) + d)
    pairs = torch.bincount(ids[:-1] * V + ids[1:], minlength=V * V)
    pairs = pairs.view(V, V).double()
    n_c = pairs.sum(dim=1, keepdim=True)
    d_c = (pairs > 0).sum(dim=1, keepdim=True)
    mixed = (pairs + d_c * unigram) / (n_c + d_c)
    return torch.where(n_c > 0, mixed, unigram)


def stub(*_inputs: Any) -> Any: ...


@pytest.mark.parametrize(
    ("key", "answer"),
    [
        ("07-predict", (100, 3.5)),
        ("07-predict", [100.0, 3.5]),
        ("07-derive", unseen),
        ("07-build", bigram),
    ],
)
def test_right_answers_pass(key: str, answer: Any) -> None:
    assert grade(key, answer).passed, grade(key, answer)


@pytest.mark.parametrize("key", ["07-derive", "07-build"])
def test_a_stub_is_called_unanswered(key: str) -> None:
    assert "not answered yet" in grade(key, stub).message


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        ((50, 3.5), "square"),
        ((100, 7), "shorter"),
        ((100, 4), "how many vectors"),
        ((100, True), "number"),
    ],
)
def test_wrong_predictions_are_explained(answer: Any, hint: str) -> None:
    result = grade("07-predict", answer)
    assert not result.passed
    assert hint in result.message


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda c, _p: (c > 0).sum() / (c.sum() + (c > 0).sum()), "seen"),
        (lambda c, p: p[c == 0].sum(), "alone"),
        (
            lambda c, p: c.sum() * p[c == 0].sum() / (c.sum() + (c > 0).sum()),
            "different ones",
        ),
        (lambda _c, _p: torch.tensor(0.1), "off by"),
        (lambda c, p: (c > 0).sum() * p / c.sum(), "shape"),
    ],
)
def test_wrong_shares_are_explained(answer: Any, hint: str) -> None:
    result = grade("07-derive", answer)
    assert not result.passed
    assert hint in result.message


def uniform(_ids: Tensor, V: int) -> Tensor:
    return torch.full((V, V), 1 / V).double()


def no_zero_check(ids: Tensor, V: int) -> Tensor:
    pairs = torch.bincount(ids[:-1] * V + ids[1:], minlength=V * V)
    pairs = pairs.view(V, V).double()
    n_c, d_c = pairs.sum(1, keepdim=True), (pairs > 0).sum(1, keepdim=True)
    return (pairs + d_c / V) / (n_c + d_c)


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda ids, V: bigram(ids, V).T, "sum to 1"),
        (no_zero_check, "0/0"),
        (uniform, "off by"),
        (lambda ids, V: bigram(ids, V)[0], "shape"),
        (lambda ids, V: bigram(ids[:-1], V), "off by"),
    ],
)
def test_wrong_bigrams_are_explained(answer: Any, hint: str) -> None:
    result = grade("07-build", answer)
    assert not result.passed
    assert hint in result.message
