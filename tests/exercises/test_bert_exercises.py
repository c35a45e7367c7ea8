"""The checks of chapter 14 pass right answers and refuse wrong ones."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from nlp_course.exercises import grade


def slope(a: Tensor) -> Tensor:
    """By central differences."""
    step = 1e-6
    both = [(a + s) * torch.special.ndtr(a + s) for s in (step, -step)]
    found: Tensor = (both[0] - both[1]) / (2 * step)
    return found


def pack(
    first: list[int], second: list[int], longest: int, *,
    firsts: int = 2, last: bool = True, from_start: bool = False,
    second_first: bool = False,
) -> tuple[list[int], list[int]]:  # fmt: skip
    """A right answer, with places for mistakes."""
    a, b = list(first), list(second)
    for _ in range(max(0, len(a) + len(b) + 3 - longest)):
        cut = b if b and (len(b) >= len(a) or second_first) else a
        cut.pop(0 if from_start else -1)
    ids = [1, *a, 2, *b] + [2] * last
    return ids, [0] * (len(a) + firsts) + [1] * (len(ids) - len(a) - firsts)


@pytest.mark.parametrize(
    ("key", "answer"),
    [
        ("14-predict", (150, 120, 15)),
        ("14-predict", [150.0, 120.0, 15.0]),
        ("14-derive", slope),
        ("14-build", pack),
    ],
)
def test_right_answers_pass(key: str, answer: Any) -> None:
    assert grade(key, answer).passed, grade(key, answer)


@pytest.mark.parametrize(
    ("answer", "part"),
    [
        ((1000, 120, 15), "every chosen word"),
        ((150, 800, 15), "not of all"),
        ((150, 150, 15), "80 in 100"),
        ((150, 120, 30), "half of them"),
        ((150, 120, 0), "neither masked nor replaced"),
        ((150, 120), "three numbers"),
        ((float("nan"),) * 3, "first"),
    ],
)
def test_wrong_predictions_are_refused(answer: Any, part: str) -> None:
    found = grade("14-predict", answer)
    assert not found.passed
    assert part in found.message


def phi(a: Tensor) -> Tensor:
    return torch.exp(-(a**2) / 2) / math.sqrt(2 * math.pi)


def of_tanh(a: Tensor) -> Tensor:
    a = a.clone().requires_grad_()
    return torch.autograd.grad(F.gelu(a, approximate="tanh").sum(), a)[0]


ndtr = torch.special.ndtr
WRONG_SLOPES: dict[str, Callable[[Tensor], Any]] = {
    "that is Φ(a), the gate": ndtr,
    "the other one is missing": lambda a: a * phi(a),
    "is multiplied by a": lambda a: ndtr(a) + phi(a),
    "approximation with tanh": of_tanh,
    "factor 1/√(2π)": lambda a: ndtr(a) + a * torch.exp(-(a**2) / 2),
    "is off by": lambda a: ndtr(a) - a * phi(a),
    "has shape": lambda a: (ndtr(a) + a * phi(a)).flatten()[:1],
}


@pytest.mark.parametrize("part", WRONG_SLOPES)
def test_wrong_slopes_are_refused(part: str) -> None:
    found = grade("14-derive", WRONG_SLOPES[part])
    assert not found.passed
    assert part in found.message


def changes_its_input(
    first: list[int], second: list[int], longest: int
) -> tuple[list[int], list[int]]:
    found = pack(first, second, longest)
    first.clear()
    return found


WRONG_PACKINGS: dict[str, Callable[..., Any]] = {
    "tokens, but only": lambda a, b, n: pack(a, b, 99),
    "begins with [CLS]": lambda a, b, n: tuple(
        part[1:] for part in pack(a, b, n)
    ),
    "behind *each* text": lambda a, b, n: pack(a, b, n, last=False),
    "the first [SEP] belong": lambda a, b, n: pack(a, b, n, firsts=1),
    "[CLS] and the first": lambda a, b, n: pack(a, b, n, firsts=0),
    "tokens would fit": lambda a, b, n: pack(a, b, n - 1),
    "cut the last token": lambda a, b, n: pack(a, b, n, from_start=True),
    "of the longer text": lambda a, b, n: pack(a, b, n, second_first=True),
    "have been changed": changes_its_input,
    "one for each": lambda a, b, n: (pack(a, b, n)[0], [0]),
    "must be a list": lambda a, b, n: (torch.tensor([1]), [0]),
    "two lists": lambda a, b, n: pack(a, b, n)[0],
}


@pytest.mark.parametrize("part", WRONG_PACKINGS)
def test_wrong_packings_are_refused(part: str) -> None:
    found = grade("14-build", WRONG_PACKINGS[part])
    assert not found.passed
    assert part in found.message, found.message
