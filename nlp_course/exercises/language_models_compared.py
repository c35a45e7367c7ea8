"""Checks of the exercises of chapter 16, ``16_language_models_compared``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

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


@exercise("16-predict")
def predict(answer: Any) -> str:
    """Reach of four layers, answers in a batch, passes for a gap."""
    expect_several(answer, 3, say="give three numbers, one for each question")
    if answer[0] == 64:
        raise WrongAnswer(
            "64 is the reach of one layer; what it reads there has looked "
            "back itself, one layer below"
        )
    expect_number(
        answer[0], 256, hint="first: each layer leads one memory further back"
    )
    expect_number(answer[1], 300, hint="second: 15 in 100 of all tokens")
    expect_number(
        answer[2], 1000, hint="third: one whole sentence for each candidate"
    )
    return (
        "right: reach is cheap, answers are few, and looking right with a "
        "model that looks left costs a pass for every candidate"
    )


LogProbabilities = Callable[[Tensor], Tensor]
Fill = Callable[[LogProbabilities, Tensor, int, int], Tensor]


@exercise("16-derive")
def derive(answer: Fill) -> str:
    """A gap filled from both sides by a model that looks to the left."""
    for seed, (V, T) in enumerate(((3, 4), (4, 3), (5, 1))):
        log_p, joint = _random_language(V, T, seed)
        for place in range(T):
            ids = torch.randint(V, (T,), generator=generator(seed + place))
            at: list[Any] = ids.tolist()
            at[place] = slice(None)
            wanted = joint[tuple(at)]
            wanted = wanted / wanted.sum()
            found = answer(log_p, ids.clone(), place, V)
            _explain_fill(found, wanted, _wrong_fills(log_p, ids, place, V))
            expect_tensor(found, wanted, what="the tensor of probabilities")
    return (
        "right: the words after the gap judge every candidate, because each "
        "of them was predicted with the candidate in its context"
    )


def _random_language(V: int, T: int, seed: int) -> tuple[Any, Tensor]:
    """A joint distribution of T words, and its conditionals as a model."""
    joint = torch.rand((V,) * T, generator=generator(seed), **DOUBLE)
    joint = joint / joint.sum()

    def log_p(ids: Tensor) -> Tensor:
        """``log p`` of every word after those before it, ``(B, T)``."""
        if ids.dim() != 2 or ids.shape[1] != T:
            raise ValueError(f"ids must be (batch, {T}), not {ids.shape}")
        rows = []
        for row in ids.tolist():
            rest, found = joint, []
            for word in row:
                totals = rest.reshape(V, -1).sum(dim=1)
                found.append(totals[word] / totals.sum())
                rest = rest[word]
            rows.append(torch.stack(found).log())
        return torch.stack(rows)

    return log_p, joint


def _wrong_fills(
    log_p: LogProbabilities, ids: Tensor, place: int, V: int
) -> dict[str, Tensor]:
    """The usual mistakes, by what to say about them."""
    tried = ids.repeat(V, 1)
    tried[:, place] = torch.arange(V)
    scores = log_p(tried)  # (V, T)
    whole = scores.sum(dim=1)
    return {
        "this uses the words before the gap alone; those after it judge the "
        "candidates, too": scores[:, place].softmax(dim=0),
        "this uses the words after the gap alone; the ones before it count "
        "as well": scores[:, place + 1 :].sum(dim=1).softmax(dim=0),
        "only the next word after the gap has judged; all later ones do": (
            scores[:, place : place + 2].sum(dim=1).softmax(dim=0)
        ),
        "these are the probabilities of whole sentences; divide by their "
        "sum": whole.exp(),
        "these are logarithms": whole.log_softmax(dim=0),
    }


def _explain_fill(
    found: Any, wanted: Tensor, wrong: dict[str, Tensor]
) -> None:
    if not isinstance(found, Tensor) or found.shape != wanted.shape:
        return
    found = found.detach().to(wanted.dtype)
    if torch.allclose(found, wanted):
        return
    for message, values in wrong.items():
        if torch.allclose(found, values):
            raise WrongAnswer(message)


@exercise("16-build")
def build(answer: Callable[[Tensor, int], Tensor]) -> str:
    """The mask between the two: full for a prefix, causal after it."""
    for seed, (B, T) in enumerate(((3, 5), (1, 1), (4, 6))):
        lengths = torch.randint(1, T + 1, (B,), generator=generator(seed))
        if B == 3:
            lengths = torch.tensor([2, 5, 1])
        wanted = _prefix_mask(lengths, T)
        found = answer(lengths.clone(), T)
        _explain_mask(found, wanted, lengths)
        expect_tensor(found, wanted, what="the mask")
    return (
        "right: the prefix is read as BERT reads, the rest is written as GPT "
        "writes, by one stack of layers"
    )


def _prefix_mask(lengths: Tensor, T: int) -> Tensor:
    in_prefix = torch.arange(T) < lengths[:, None, None]  # (B, 1, T)
    return in_prefix | causal_mask(T)  # (B, T, T)


def _explain_mask(found: Any, wanted: Tensor, lengths: Tensor) -> None:
    """Name the usual mistakes."""
    if not isinstance(found, Tensor) or found.shape != wanted.shape:
        return
    if found.dtype != torch.bool:
        raise WrongAnswer(
            "a mask holds booleans, True where attention is allowed, not "
            f"{found.dtype}"
        )
    T = wanted.shape[-1]
    keys = (torch.arange(T) < lengths[:, None, None]).expand_as(wanted)
    wrong = {
        "that is the opposite: True means allowed here": ~wanted,
        "this is the causal mask; within its prefix a word may look "
        "ahead": causal_mask(T).expand_as(wanted),
        "the prefix is seen, but the words after it do not see one "
        "another": keys,
        "the words after the prefix must see it, too": (keys & keys.mT)
        | (causal_mask(T) & ~keys),
        "every word sees one word too many of the prefix": _prefix_mask(
            lengths + 1, T
        ),
    }
    for message, mask in wrong.items():
        if torch.equal(found, mask) and not torch.equal(mask, wanted):
            raise WrongAnswer(message)
