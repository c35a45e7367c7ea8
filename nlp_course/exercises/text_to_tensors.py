"""Checks of the exercises of chapter 00, ``00_text_to_tensors``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from nlp_course.data.batches import length_mask
from nlp_course.exercises.grading import (
    WrongAnswer,
    exercise,
    expect_number,
    expect_tensor,
)
from nlp_course.losses import cross_entropy
from nlp_course.training.seeds import generator

_PER_WORD, _LETTERS = 1000.0, 5


@exercise("00-predict")
def predict(answer: Any) -> str:
    """Perplexity per character of a model that has 1000 per word."""
    hint = "the loss is a mean; its total does not change when it is spelled"
    if answer == _PER_WORD / _LETTERS:
        hint = "divide the loss, not the perplexity: it is an exponential"
    expect_number(answer, _PER_WORD ** (1 / _LETTERS), hint=hint)
    return (
        "the same nats are spread over five characters, and the mean is in "
        "the exponent: the fifth root of 1000"
    )


@exercise("00-derive")
def derive(answer: Any) -> str:
    """Gradient of the masked mean with respect to the scores."""
    shapes = ((2, 3, 4), (3, 5, 2), (4, 2, 6))
    for seed, (batch, time, size) in enumerate(shapes):
        rng = generator(seed)
        scores = torch.randn(
            batch, time, size, generator=rng, dtype=torch.float64
        )
        targets = torch.randint(size, (batch, time), generator=rng)
        lengths = torch.randint(1, time, (batch,), generator=rng)
        lengths[0] = time
        mask = length_mask(lengths, time)
        wanted = _gradient(scores, targets, mask)
        found = answer(scores.clone(), targets.clone(), mask.clone())
        _explain(found, wanted, mask)
        expect_tensor(found, wanted, what="your gradient")
    return (
        "p minus one-hot where a token stands, 0 on padding, and divided by "
        "the number of tokens that count"
    )


def _gradient(scores: Tensor, targets: Tensor, mask: Tensor) -> Tensor:
    leaf = scores.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(cross_entropy(leaf, targets, mask), leaf)
    return gradient


def _explain(found: Any, wanted: Tensor, mask: Tensor) -> None:
    """Name the usual mistakes, so that the reader finds them."""
    if not isinstance(found, Tensor) or found.shape != wanted.shape:
        return
    found = found.detach().to(wanted.dtype)
    if found[~mask].abs().max() > 1e-9:
        raise WrongAnswer(
            "a score on padding moves the loss nowhere, so its gradient is 0"
        )
    if torch.allclose(found, -wanted, atol=1e-6):
        raise WrongAnswer("the sign is the other way round")
    for count in (1, mask.numel(), len(mask)):
        factor = int(mask.sum()) / count
        if torch.allclose(found, wanted * factor, atol=1e-6):
            raise WrongAnswer(
                "the direction is right, the size is not: by how many "
                "tokens is the sum divided?"
            )


@exercise("00-build")
def build(answer: Any) -> str:
    """Join the most frequent pair of neighbours, again and again."""
    for text, times in _texts():
        given = list(text)
        found = answer(given, times)
        if given != list(text):
            raise WrongAnswer("leave the given list as it was; return a copy")
        if found is None or found is ...:
            raise WrongAnswer(
                "not answered yet: the function returned nothing"
            )
        _compare(found, _merge(list(text), times), text, times)
    return (
        "nothing is lost, and frequent strings have become single tokens: "
        "this is byte-pair encoding"
    )


def _texts() -> list[tuple[str, int]]:
    """Texts by hand for ties and overlaps, and a few drawn ones."""
    drawn = []
    for seed in range(5):
        picks = torch.randint(3, (40,), generator=generator(seed))
        drawn.append(("".join("ab "[i] for i in picks.tolist()), 2 + seed))
    return [
        ("the cat sat on the mat", 0),
        ("the cat sat on the mat", 1),
        ("the cat sat on the mat", 4),
        ("aaaaa", 1),
        ("xyab", 1),
        ("ab", 9),
        *drawn,
    ]


def _compare(found: Any, wanted: list[str], text: str, times: int) -> None:
    case = f"{text!r}, {times} times"
    if not isinstance(found, list | tuple) or not all(
        isinstance(token, str) for token in found
    ):
        raise WrongAnswer("return a list of strings")
    if "".join(found) != text:
        raise WrongAnswer(f"put together, your tokens do not give {text!r}")
    if list(found) != wanted:
        raise WrongAnswer(
            f"for {case} the tokens should be {wanted}, not {list(found)}"
        )


def _merge(tokens: Sequence[str], times: int) -> list[str]:
    """Reference: on a tie the pair that is first in the alphabet."""
    tokens = list(tokens)
    for _ in range(times):
        pairs = Counter(pairwise(tokens))
        if not pairs:
            break
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        joined: list[str] = []
        for token in tokens:
            fresh = bool(joined) and (joined[-1], token) == best
            # "aaa": the pair just made is one token and joins no further
            if fresh:
                joined[-1] += token
            else:
                joined.append(token)
        tokens = joined
    return tokens
