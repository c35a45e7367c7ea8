"""Checks of the exercises of chapter 07, ``07_recurrent_cells_compared``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from nlp_course.exercises.grading import (
    WrongAnswer,
    exercise,
    expect_number,
    expect_several,
    expect_tensor,
)
from nlp_course.ngrams import NGrams
from nlp_course.training.seeds import generator


@exercise("07-predict")
def predict(answer: Any) -> str:
    """Units of an LSTM with an RNN's weights, and what it keeps."""
    expect_several(
        answer, 2, say="give two numbers: (units, times as much kept)"
    )
    hint = "four square matrices of its own size: what is a quarter of 200²?"
    if answer[0] == 50:
        hint = "the weights grow with the square of the units"
    expect_number(answer[0], 100, hint=hint)
    hint = "how many vectors does a step of the LSTM keep, and how long?"
    if answer[1] == 7:
        hint = "seven vectors, but each is shorter than that of the RNN"
    expect_number(answer[1], 3.5, hint=hint)
    return "right: half the units, and seven vectors of half the length"


@exercise("07-derive")
def derive(answer: Callable[..., Tensor]) -> str:
    """The share of all tokens that never followed a context."""
    rng = generator(0)
    for size in (2, 5, 9):
        counts = torch.randint(0, 4, (size,), generator=rng)
        counts[0], counts[-1] = 3, 0
        shorter = torch.rand(size, generator=rng, dtype=torch.float64)
        shorter = shorter / shorter.sum()
        found = answer(counts.clone(), shorter.clone())
        n, d = counts.sum(), (counts > 0).sum()
        unseen = shorter[counts == 0].sum()
        wrong = {
            "that is all that goes to the shorter model; the tokens that "
            "were seen get a part of it too": d / (n + d),
            "n(c) counts tokens, d(c) counts different ones": n
            * unseen
            / (n + d),
            "that is their share in the shorter model alone": unseen,
        }
        _refuse_mistakes(found, wrong)
        expect_tensor(found, d * unseen / (n + d), what="the share")
    return "right: what the shorter model gives them, scaled by d/(n + d)"


@exercise("07-build")
def build(answer: Callable[..., Tensor]) -> str:
    """A Witten–Bell bigram model as a matrix, against the package."""
    for seed in range(3):
        V = 4 + seed
        # the last id never occurs, the one before it only at the end
        ids = torch.randint(V - 2, (40,), generator=generator(seed))
        ids[-1] = V - 2
        found = answer(ids.clone(), V)
        model = NGrams(2, V).fit(ids)
        wanted = torch.stack(
            [model.probabilities(torch.tensor([c])) for c in range(V)]
        )
        _explain_matrix(found, wanted)
        expect_tensor(found, wanted, what="the matrix")
    return "right: every row sums to 1, also those of unknown contexts"


def _explain_matrix(found: Any, wanted: Tensor) -> None:
    """Name the usual mistakes."""
    if not isinstance(found, Tensor) or found.shape != wanted.shape:
        return
    if not torch.isfinite(found).all():
        raise WrongAnswer(
            "a context that nothing ever followed gives 0/0; the shorter "
            "model stands in for it"
        )
    if not torch.allclose(found.sum(dim=1).double(), wanted.sum(dim=1)):
        raise WrongAnswer("row c must hold p(w | c) and sum to 1 over w")


def _refuse_mistakes(found: Any, wrong: dict[str, Tensor]) -> None:
    for hint, value in wrong.items():
        if (
            isinstance(found, Tensor)
            and found.shape == value.shape
            and torch.allclose(found.double(), value.double())
        ):
            raise WrongAnswer(hint)
