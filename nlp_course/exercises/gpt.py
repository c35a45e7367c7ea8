"""Checks of the exercises of chapter 15, ``15_gpt``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from nlp_course.exercises.grading import (
    WrongAnswer,
    exercise,
    expect_number,
    expect_several,
    expect_tensor,
)
from nlp_course.training.seeds import seeded


@exercise("15-predict")
def predict(answer: Any) -> str:
    """How many tokens top-p keeps, and with what probability."""
    expect_several(answer, 3, say="give three numbers, in the order asked for")
    if answer[0] == 1:
        raise WrongAnswer(
            "one token has 0.5, which is less than 0.7: the fewest that "
            "*reach* 0.7 are kept"
        )
    expect_number(
        answer[0], 2, hint="first: add up from the likeliest on, to 0.7"
    )
    expect_number(
        answer[1],
        2 / 3,
        hint="second: what is kept must add up to 1 again",
    )
    if answer[2] == 2:
        raise WrongAnswer(
            "third: the temperature comes first, and changes the shares that "
            "top-p adds up"
        )
    expect_number(
        answer[2], 1, hint="third: at the temperature 1/2 p becomes p² / sum"
    )
    return (
        "right: top-p keeps as many as it needs, and a low temperature "
        "leaves it fewer"
    )


class _Tied(NamedTuple):
    """A tiny language model, its loss taken apart."""

    E: Tensor  # (V, D), the leaf
    ids: Tensor  # (T,)
    targets: Tensor  # (T,)
    s: Tensor  # (T, D)
    g: Tensor  # (T, D), dL/dx
    wanted: Tensor  # (V, D), dL/dE


Gradient = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor], Tensor]


@exercise("15-derive")
def derive(answer: Gradient) -> str:
    """The gradient of a matrix that reads and writes, against autograd."""
    for seed, (V, D, T) in enumerate(((5, 3, 4), (4, 2, 9))):
        case = _tied(seed, V, D, T)
        found = answer(case.E.detach(), case.ids, case.targets, case.s, case.g)
        _explain_gradient(found, case)
        expect_tensor(found, case.wanted, what="the gradient")
    return "right: one share from reading and one from writing"


def _tied(seed: int, V: int, D: int, T: int) -> _Tied:
    with seeded(seed):
        E = torch.randn(V, D, dtype=torch.float64, requires_grad=True)
        W = torch.randn(D, D, dtype=torch.float64)
        ids, targets = torch.randint(V, (2, T))
    ids[-1] = ids[0]  # a token that is read twice
    x = F.embedding(ids, E)  # (T, D)
    s = torch.tanh(x.cumsum(dim=0) @ W)  # each from those up to it
    loss = F.cross_entropy(s @ E.T, targets)
    g, wanted = torch.autograd.grad(loss, (x, E))
    return _Tied(E, ids, targets, s.detach(), g, wanted)


def _explain_gradient(found: Any, case: _Tied) -> None:
    """Name the usual mistakes: a share left out, or rows overwritten."""
    if not isinstance(found, Tensor) or found.shape != case.wanted.shape:
        return
    found, E, T = found.detach().double(), case.E.detach(), len(case.ids)
    p = (case.s @ E.T).softmax(dim=-1)
    right = F.one_hot(case.targets, len(E)).double()
    writing = (p - right).T @ case.s  # (V, D), summed over the tokens
    reading = torch.zeros_like(E).index_add(0, case.ids, case.g)
    overwritten = torch.zeros_like(E)
    overwritten[case.ids] = case.g
    wrong = {
        "that is the share from reading; the same matrix also writes": reading,
        "that is the share from writing; the same matrix also reads": (
            writing / T
        ),
        "the loss is a mean over the tokens: the share from writing is too "
        "large": writing + reading,
        "a token that is read twice gets the sum of both, not the last of "
        "them": writing / T + overwritten,
    }
    for message, gradient in wrong.items():
        if torch.allclose(found, gradient):
            raise WrongAnswer(message)


Merges = Sequence[tuple[str, str]]
_LEARNED: Merges = (
    ("e", "s"), ("es", "t"), ("l", "o"), ("lo", "w"), ("n", "e"), ("w", "est"),
)  # fmt: skip
_WORDS: tuple[tuple[str, Merges, list[str]], ...] = (
    ("lowest", _LEARNED, ["low", "est"]),
    ("newest", _LEARNED, ["ne", "west"]),
    ("slow", _LEARNED, ["s", "low"]),
    # "w" and "est" both wait for each other: the earlier merge goes first
    ("lowwest", _LEARNED, ["low", "west"]),
    ("x", _LEARNED, ["x"]),
    ("abab", (("a", "b"), ("ab", "ab")), ["abab"]),
    ("aaa", (("a", "a"),), ["aa", "a"]),
    ("abc", (("b", "c"), ("a", "b")), ["a", "bc"]),
    ("", _LEARNED, []),
)


@exercise("15-build")
def build(answer: Callable[[str, Merges], list[str]]) -> str:
    """A word in subwords, by the merges that were learned."""
    for word, merges, wanted in _WORDS:
        found: Any = answer(word, list(merges))
        if found is None or found is ...:
            raise WrongAnswer(
                "not answered yet: the function returned nothing"
            )
        if not isinstance(found, list):
            kind = type(found).__name__
            raise WrongAnswer(f"the tokens must be a list, not {kind}")
        if "".join(map(str, found)) != word:
            raise WrongAnswer(
                f"the tokens of {word!r} must make up the word again, but "
                f"are {found}"
            )
        if found != wanted:
            raise WrongAnswer(
                f"{word!r} became {found} instead of {wanted} with the "
                f"merges {list(merges)}; apply them in the order in which "
                "they were learned, each from left to right"
            )
    return "right: the merges in their order are the whole tokenizer"
