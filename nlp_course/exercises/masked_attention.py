"""Checks of the exercises of chapter 12, ``12_masked_attention``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from nlp_course.attention.core import masked_softmax
from nlp_course.attention.masks import causal_mask
from nlp_course.exercises.grading import (
    WrongAnswer,
    exercise,
    expect_number,
    expect_several,
    expect_tensor,
)
from nlp_course.training.seeds import generator

DOUBLE: dict[str, Any] = {"dtype": torch.float64}


@exercise("12-predict")
def predict(answer: Any) -> str:
    """Word 2 of 4 with the scores ln 3, 0, 5, 5, three ways."""
    expect_several(answer, 3, say="give three numbers, one for each question")
    expect_number(answer[0], 0.75, hint="first: exp(ln 3) = 3, exp(0) = 1")
    expect_number(
        answer[1], 0.5, hint="second: a score of 0 counts as exp(0) = 1"
    )
    expect_number(
        answer[2], 2 / 3, hint="third: what is lost is what words 3, 4 had"
    )
    return (
        "right: two hidden words took a third of the weight, and gave "
        "nothing or too much for it"
    )


@exercise("12-derive")
def derive(answer: Callable[[Tensor], Tensor]) -> str:
    """The gate that makes causal attention a recurrent network."""
    for seed, (T, size) in enumerate(((6, 1.0), (1, 1.0), (5, 900.0))):
        s = size * torch.randn(T, generator=generator(seed), **DOUBLE)
        s.requires_grad_()
        # the last entry of row t: the share of word t among words 1 to t
        wanted = masked_softmax(s.expand(T, T), causal_mask(T)).diagonal()
        found = answer(s)
        if size > 1 and isinstance(found, Tensor) and found.isnan().any():
            raise WrongAnswer(
                "NaN for scores in the hundreds: exp overflows; stay with "
                "logarithms (torch.logcumsumexp)"
            )
        if isinstance(found, Tensor) and found.shape == wanted.shape:
            _explain_gate(found, s.detach())
        expect_tensor(found, wanted, what="the tensor of gates")
        if T > 1:
            _expect_gradient(found, wanted, s)
    return (
        "right: the first gate is 1, and the state is the running average "
        "that the softmax of every prefix would give"
    )


def _explain_gate(found: Tensor, s: Tensor) -> None:
    if len(s) > 1 and torch.allclose(found.detach().double(), s.softmax(-1)):
        raise WrongAnswer(
            "these are the weights of the last word; the gate at step t "
            "divides by a sum over the words 1 to t only"
        )


def _expect_gradient(found: Tensor, wanted: Tensor, s: Tensor) -> None:
    if not found.requires_grad:
        raise WrongAnswer("the gates must keep their gradient")
    weigh = torch.linspace(1, 2, len(s), **DOUBLE)
    got = torch.autograd.grad((found * weigh).sum(), s, allow_unused=True)[0]
    due = torch.autograd.grad((wanted * weigh).sum(), s)[0]
    expect_tensor(got, due, what="the gradient for the scores")


@exercise("12-build")
def build(answer: Callable[[Tensor], Tensor]) -> str:
    """A mask for several texts in one row."""
    fixed = torch.tensor([[1, 1, 1, 2, 2, 3], [4, 4, 5, 5, 5, 5]])
    for seed in range(3):
        runs = torch.randint(2, (3, 7), generator=generator(seed))
        for texts in (fixed, runs.cumsum(-1), fixed[:1, :1]):
            T = texts.shape[1]
            same = texts.unsqueeze(2) == texts.unsqueeze(1)
            wanted = same & causal_mask(T)
            found = answer(texts.clone())
            _explain_mask(found, wanted, same)
            expect_tensor(found, wanted, what="the mask")
    return (
        "right: every text is read as if it stood alone, and no place in "
        "the batch is wasted on padding"
    )


def _explain_mask(found: Any, wanted: Tensor, same: Tensor) -> None:
    """Name the usual mistakes."""
    if not isinstance(found, Tensor) or found.shape != wanted.shape:
        return
    if found.dtype != torch.bool:
        raise WrongAnswer(
            f"a mask holds booleans, True where attention is allowed, not "
            f"{found.dtype}"
        )
    if wanted.shape[-1] == 1 or torch.equal(found, wanted):
        return
    if torch.equal(found, ~wanted):
        raise WrongAnswer("that is the opposite: True means allowed here")
    if torch.equal(found, same):
        raise WrongAnswer("the texts are kept apart, but the future is seen")
    if torch.equal(found, causal_mask(wanted.shape[-1]).expand_as(wanted)):
        raise WrongAnswer("a text still sees the texts before it in its row")
