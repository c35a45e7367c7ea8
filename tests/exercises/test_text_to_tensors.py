"""The checks of chapter 00 take right answers and refuse all others."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor

from nlp_course.exercises import grade
from nlp_course.losses import cross_entropy

KEYS = ("00-predict", "00-derive", "00-build")


def verdict(key: str, answer: Any) -> str:
    """The message for an answer that must be refused."""
    result = grade(key, answer)
    assert not result.passed, result
    return result.message


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("answer", [0, 1, True, "yes", [], {}])
def test_constants_are_refused(key: str, answer: Any) -> None:
    verdict(key, answer)


def stub(*_arguments: Any) -> None:
    raise NotImplementedError


@pytest.mark.parametrize("key", ["00-derive", "00-build"])
def test_stubs_are_refused(key: str) -> None:
    assert verdict(key, stub) == "not answered yet"
    assert "not answered" in verdict(key, lambda *_: None)
    assert "not answered" in verdict(key, lambda *_: ...)


@pytest.mark.parametrize("answer", [3.98, 3.981, 1000 ** (1 / 5)])
def test_predict_takes_the_fifth_root(answer: float) -> None:
    grade("00-predict", answer).require()


@pytest.mark.parametrize("answer", [4, 3.9, 1000, 5000, float("nan"), "3.98"])
def test_predict_refuses_other_numbers(answer: Any) -> None:
    verdict("00-predict", answer)


def test_predict_explains_the_usual_mistake() -> None:
    assert "divide the loss" in verdict("00-predict", 200)


def masked_gradient(scores: Tensor, targets: Tensor, mask: Tensor) -> Tensor:
    o = torch.nn.functional.one_hot(targets, scores.shape[-1])
    p = torch.softmax(scores, -1)
    return mask.unsqueeze(-1) * (p - o) / mask.sum()


def test_derive_takes_the_formula() -> None:
    grade("00-derive", masked_gradient).require()


def test_derive_takes_autograd() -> None:
    def answer(scores: Tensor, targets: Tensor, mask: Tensor) -> Tensor:
        scores.requires_grad_()
        return torch.autograd.grad(
            cross_entropy(scores, targets, mask), scores
        )[0]

    grade("00-derive", answer).require()


def test_derive_takes_a_solution_in_single_precision() -> None:
    def answer(scores: Tensor, targets: Tensor, mask: Tensor) -> Tensor:
        return masked_gradient(scores.float(), targets, mask)

    grade("00-derive", answer).require()


def without_mask(scores: Tensor, targets: Tensor, mask: Tensor) -> Tensor:
    return masked_gradient(scores, targets, torch.ones_like(mask))


def sum_not_mean(scores: Tensor, targets: Tensor, mask: Tensor) -> Tensor:
    return masked_gradient(scores, targets, mask) * mask.sum()


def over_positions(scores: Tensor, targets: Tensor, mask: Tensor) -> Tensor:
    return sum_not_mean(scores, targets, mask) / mask.numel()


def over_texts(scores: Tensor, targets: Tensor, mask: Tensor) -> Tensor:
    return sum_not_mean(scores, targets, mask) / len(mask)


def mean_of_means(scores: Tensor, targets: Tensor, mask: Tensor) -> Tensor:
    total = sum_not_mean(scores, targets, mask)
    return total / mask.sum(1)[:, None, None] / len(mask)


def upside_down(scores: Tensor, targets: Tensor, mask: Tensor) -> Tensor:
    return -masked_gradient(scores, targets, mask)


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (without_mask, "padding"),
        (sum_not_mean, "how many"),
        (over_positions, "how many"),
        (over_texts, "how many"),
        (mean_of_means, "off by"),
        (upside_down, "sign"),
        (lambda s, t, m: torch.zeros_like(s), "off by"),
        (lambda s, t, m: torch.softmax(s, -1), "padding"),
        (lambda s, t, m: s * float("nan"), "off by"),
        (lambda s, t, m: masked_gradient(s, t, m).sum(-1), "shape"),
        (lambda s, t, m: masked_gradient(s, t, m)[0], "shape"),
        (lambda s, t, m: masked_gradient(s, t, m).tolist(), "tensor"),
        (lambda s, t, m: 0.5, "tensor"),
        (lambda s: s, "raised TypeError"),
    ],
    ids=map(str, range(14)),
)
def test_derive_refuses(answer: Any, hint: str) -> None:
    assert hint in verdict("00-derive", answer)


def join_pairs(tokens: list[str], times: int) -> list[str]:
    tokens = list(tokens)
    for _ in range(times):
        pairs = Counter(pairwise(tokens))
        if not pairs:
            break
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        joined, place = [], 0
        while place < len(tokens):
            width = 2 if tuple(tokens[place : place + 2]) == best else 1
            joined.append("".join(tokens[place : place + width]))
            place += width
        tokens = joined
    return tokens


def test_build_takes_a_right_answer() -> None:
    grade("00-build", join_pairs).require()


def test_build_takes_a_tuple() -> None:
    grade("00-build", lambda t, n: tuple(join_pairs(t, n))).require()


def first_on_a_tie(tokens: list[str], times: int) -> list[str]:
    """Right but for ties, where it takes the pair met first."""
    tokens = list(tokens)
    for _ in range(times):
        pairs = Counter(pairwise(tokens)).most_common(1)
        if not pairs:
            break
        best, place = pairs[0][0], 0
        while place < len(tokens) - 1:
            if (tokens[place], tokens[place + 1]) == best:
                tokens[place : place + 2] = ["".join(best)]
            place += 1
    return tokens


def in_place(tokens: list[str], times: int) -> list[str]:
    tokens[:] = join_pairs(tokens, times)
    return tokens


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda t, n: list(t), "should be"),
        (lambda t, n: ["".join(t)], "should be"),
        (lambda t, n: "".join(t).split(" "), "put together"),
        (lambda t, n: join_pairs(t, 1), "should be"),
        (lambda t, n: join_pairs(t, n + 1), "should be"),
        (lambda t, n: [], "put together"),
        (lambda t, n: "".join(t), "list"),
        (lambda t, n: 7, "list"),
        (lambda t, n: [1, 2], "list"),
        (first_on_a_tie, "should be"),
        (in_place, "leave the given list"),
    ],
    ids=map(str, range(11)),
)
def test_build_refuses(answer: Any, hint: str) -> None:
    assert hint in verdict("00-build", answer)
