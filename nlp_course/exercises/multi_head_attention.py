"""Checks of the exercises of chapter 11, ``11_multi_head_attention``."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from nlp_course.attention.multihead import MultiHeadAttention
from nlp_course.exercises.grading import (
    WrongAnswer,
    exercise,
    expect_number,
    expect_several,
    expect_tensor,
)
from nlp_course.training.seeds import seeded

DOUBLE: dict[str, Any] = {"dtype": torch.float64}


@exercise("11-predict")
def predict(answer: Any) -> str:
    """Entries of W's, and numbers α, for D = 64 and 10 words."""
    expect_several(answer, 3, say="give three numbers")
    four = 4 * 64 * 64
    expect_number(answer[0], four, hint="first: four matrices, of what size?")
    expect_number(
        answer[1], four, hint="second: how many rows has a head's own slice?"
    )
    expect_number(
        answer[2], 800, hint="third: every head has weights of its own"
    )
    return (
        "right: more heads are thinner slices of the same matrices; what "
        "grows is the number of softmaxes"
    )


Merge = Callable[[Tensor, Tensor, Tensor, Tensor, int], Any]


@exercise("11-derive")
def derive(answer: Merge) -> str:
    """The two D × D matrices of every head, against the package."""
    for seed, (heads, d) in enumerate(((1, 3), (2, 2), (3, 4))):
        width = heads * d
        with seeded(seed):
            ours = MultiHeadAttention(width, heads, bias=False, **DOUBLE)
            x = torch.randn(1, 4, width, **DOUBLE)
        matrices = [w.detach() for w in ours.parameters()]
        found = answer(*_four(matrices), heads)
        if found is None or found is ...:
            raise WrongAnswer(
                "not answered yet: the function returned nothing"
            )
        if not isinstance(found, tuple | list) or len(found) != 2:
            raise WrongAnswer("return two tensors: (compare, carry)")
        q, k, v, o = (w.unflatten(0, (heads, d)) for w in _rows(matrices))
        compare = q.mT @ k / math.sqrt(d)  # (A, D, D)
        carry = o.mT @ v
        _explain(found[0], compare, d, heads)
        expect_tensor(found[0], compare, what="the first tensor, compare,")
        expect_tensor(found[1], carry, what="the second tensor, carry,")
        weights = (x @ compare @ x.mT).softmax(dim=-1)
        whole = (weights @ x @ carry.mT).sum(dim=0, keepdim=True)
        expect_tensor(whole, ours(x), what="the output made of your matrices")
    return (
        "right: a head is two D × D matrices of rank d, one that compares "
        "words and one that carries them on"
    )


def _four(matrices: list[Tensor]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    q, k, v, o = matrices
    return q, k, v, o


def _rows(matrices: list[Tensor]) -> list[Tensor]:
    """All four with the slices of the heads as rows."""
    return [*matrices[:3], matrices[3].T]


def _explain(found: Any, wanted: Tensor, d: int, heads: int) -> None:
    """Name the usual mistakes: the transpose, or another root."""
    if not isinstance(found, Tensor) or found.shape != wanted.shape:
        return
    found = found.to(wanted.dtype)
    if torch.allclose(found, wanted.mT):
        raise WrongAnswer(
            "that is the transpose: x_t, who asks, stands on the left"
        )
    for name, factor in (("no root", d), ("the root of D", 1 / heads)):
        if factor != 1 and torch.allclose(found, wanted * math.sqrt(factor)):
            raise WrongAnswer(
                f"your scores have {name}; divide by the root of d, the size "
                "of one head's query"
            )


Shared = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor, int], Tensor]


@exercise("11-build")
def build(answer: Shared) -> str:
    """Heads that share keys and values; values and gradients."""
    for seed, (B, T, heads, d) in enumerate(((2, 5, 3, 2), (1, 4, 2, 3))):
        width = heads * d
        with seeded(seed):
            shapes = [(width, width), (d, width), (d, width), (width, width)]
            weights = [torch.randn(s, **DOUBLE) / 2 for s in shapes]
            x = torch.randn(B, T, width, **DOUBLE)
            weigh = torch.randn(B, T, width, **DOUBLE)
        leaves = [w.requires_grad_() for w in (x, *weights)]
        wanted = _shared(leaves, heads)
        found = answer(x, *_four(weights), heads)
        expect_tensor(found, wanted, what="the output")
        if not found.requires_grad:
            raise WrongAnswer("the output must keep its gradient")
        got = torch.autograd.grad(
            (found * weigh).sum(), leaves, allow_unused=True
        )
        due = torch.autograd.grad((wanted * weigh).sum(), leaves)
        names = ("x", "W_Q", "W_K", "W_V", "W_O")
        for name, a, b in zip(names, got, due, strict=True):
            if a is None:
                raise WrongAnswer(f"no gradient reaches {name}")
            expect_tensor(a, b, what=f"the gradient of {name}")
    return (
        "right: each head has its own queries, all look at the same keys; "
        "there are A times fewer keys and values to keep"
    )


def _shared(leaves: list[Tensor], heads: int) -> Tensor:
    """The package's module with the rows of keys and values repeated."""
    x, W_Q, W_K, W_V, W_O = leaves
    module = MultiHeadAttention(x.shape[-1], heads, bias=False, **DOUBLE)
    weights = {
        "W_Q": W_Q,
        "W_K": W_K.repeat(heads, 1),
        "W_V": W_V.repeat(heads, 1),
        "W_O": W_O,
    }
    output: Tensor = torch.func.functional_call(module, weights, (x,))
    return output
