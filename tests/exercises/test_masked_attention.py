"""The checks of chapter 12 pass right answers and refuse wrong ones."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from nlp_course.exercises import grade


def gates(s: Tensor) -> Tensor:
    """Step by step, unlike the chapter."""
    found = []
    for t in range(len(s)):
        found.append(s[: t + 1].softmax(-1)[-1])
    return torch.stack(found)


def packed(texts: Tensor) -> Tensor:
    """Place by place, unlike the chapter."""
    B, T = texts.shape
    mask = torch.zeros(B, T, T, dtype=torch.bool)
    for b in range(B):
        for t in range(T):
            for i in range(t + 1):
                mask[b, t, i] = texts[b, t] == texts[b, i]
    return mask


@pytest.mark.parametrize(
    ("key", "answer"),
    [
        ("12-predict", (0.75, 0.5, 0.667)),
        ("12-predict", [3 / 4, 1 / 2, 2 / 3]),
        ("12-derive", gates),
        ("12-build", packed),
    ],
)
def test_right_answers_pass(key: str, answer: Any) -> None:
    assert grade(key, answer).passed, grade(key, answer)


@pytest.mark.parametrize(
    "answer",
    [
        (0.5, 0.5, 0.667),  # scores forgotten
        (0.75, 0.75, 1.0),  # zeroed scores taken for the mask
        (0.75, 0.5, 0.333),  # what is lost, not what is left
        (0.75, 0.5),
        (True, 0.5, 0.667),
        (float("nan"),) * 3,
    ],
)
def test_wrong_predictions_are_refused(answer: Any) -> None:
    assert not grade("12-predict", answer).passed


WRONG_GATES = {
    "weights of the last word": lambda s: s.softmax(-1),
    "one minus": lambda s: 1 - gates(s),
    "overflow": lambda s: s.exp() / s.exp().cumsum(-1),
    "detached": lambda s: gates(s).detach(),
    "of the words before": lambda s: gates(s).roll(1),
    "equal shares": lambda s: 1 / torch.arange(1.0, len(s) + 1).double(),
    "equal shares, with a gradient": lambda s: (
        0 * s + 1 / torch.arange(1.0, len(s) + 1).double()
    ),
    "ones": lambda s: torch.ones_like(s),
    "one row": lambda s: gates(s)[:1],
    "stacked": lambda s: gates(s).unsqueeze(0),
}


@pytest.mark.parametrize("name", WRONG_GATES)
def test_wrong_gates_are_refused(name: str) -> None:
    assert not grade("12-derive", WRONG_GATES[name]).passed


def same(texts: Tensor) -> Tensor:
    return texts.unsqueeze(2) == texts.unsqueeze(1)


WRONG_MASKS = {
    "causal only": lambda x: (
        torch.ones(len(x), x.shape[1], x.shape[1]).tril().bool()
    ),
    "same text only": same,
    "opposite": lambda x: ~packed(x),
    "transposed": lambda x: packed(x).mT,
    "diagonal hidden": lambda x: packed(x).tril(-1),
    "numbers": lambda x: packed(x).float(),
    "one sequence": lambda x: packed(x)[0],
    "nothing": lambda x: torch.zeros_like(packed(x)),
    "diagonal only": lambda x: packed(x).triu(),
}


@pytest.mark.parametrize("name", WRONG_MASKS)
def test_wrong_masks_are_refused(name: str) -> None:
    assert not grade("12-build", WRONG_MASKS[name]).passed


@pytest.mark.parametrize(
    ("key", "answer", "text"),
    [
        ("12-derive", WRONG_GATES["weights of the last word"], "words 1 to t"),
        ("12-derive", WRONG_GATES["overflow"], "logcumsumexp"),
        ("12-build", WRONG_MASKS["opposite"], "opposite"),
        ("12-build", WRONG_MASKS["same text only"], "future is seen"),
        ("12-build", WRONG_MASKS["causal only"], "texts before it"),
        ("12-build", WRONG_MASKS["numbers"], "holds booleans"),
    ],
)
def test_the_usual_mistakes_are_named(
    key: str, answer: Any, text: str
) -> None:
    assert text in grade(key, answer).message
