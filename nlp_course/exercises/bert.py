"""Checks of the exercises of chapter 14, ``14_bert``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

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

DOUBLE: dict[str, Any] = {"dtype": torch.float64}


@exercise("14-predict")
def predict(answer: Any) -> str:
    """What becomes of 1,000 words under the 15 % / 80-10-10 rule."""
    expect_several(answer, 3, say="give three numbers, one for each question")
    expect_number(
        answer[0], 150, hint="first: the loss counts every chosen word"
    )
    if answer[1] == 800:
        raise WrongAnswer("80 in 100 of the *chosen* words, not of all")
    expect_number(answer[1], 120, hint="second: 80 in 100 of the chosen")
    if answer[2] == 30:
        raise WrongAnswer(
            "30 are chosen and not masked; half of them hold a wrong word"
        )
    expect_number(
        answer[2], 15, hint="third: chosen, but neither masked nor replaced"
    )
    return (
        "right: 850 words teach nothing, and for 15 the answer stands in "
        "full view"
    )


@exercise("14-derive")
def derive(answer: Callable[[Tensor], Tensor]) -> str:
    """The derivative of the exact GELU, against autograd."""
    for shape in ((41,), (3, 5), ()):
        a = torch.linspace(-4, 4, max(1, torch.Size(shape).numel()), **DOUBLE)
        a = (a + 0.3).view(shape).requires_grad_()
        (wanted,) = torch.autograd.grad(F.gelu(a).sum(), a)
        found = answer(a.detach())
        _explain_slope(found, wanted, a)
        expect_tensor(found, wanted, what="the derivative")
    return "right: the gate itself, and the input times the slope of the gate"


def _explain_slope(found: Any, wanted: Tensor, a: Tensor) -> None:
    """Name the usual mistakes."""
    if not isinstance(found, Tensor) or found.shape != wanted.shape:
        return
    found, x = found.detach().double(), a.detach()
    gate = torch.special.ndtr(x)
    density = torch.exp(-(x**2) / 2) / (2 * torch.pi) ** 0.5
    (of_tanh,) = torch.autograd.grad(F.gelu(a, approximate="tanh").sum(), a)
    wrong = {
        "that is Φ(a), the gate; it depends on a as well": gate,
        "a φ(a) is the share of the gate's slope; the other one is missing": (
            x * density
        ),
        "the density φ(a) is multiplied by a, as the product rule has it": (
            gate + density
        ),
        "that is the derivative of the approximation with tanh": of_tanh,
        "the density needs its factor 1/√(2π)": (
            gate + x * torch.exp(-(x**2) / 2)
        ),
    }
    for message, value in wrong.items():
        far = (value - wanted).abs().max() > 1e-6
        if far and (found - value).abs().max() < 1e-6:
            raise WrongAnswer(message)


Pack = Callable[[list[int], list[int], int], tuple[list[int], list[int]]]
CLS, SEP = 1, 2


@exercise("14-build")
def build(answer: Pack) -> str:
    """Two texts in one row, cut to fit."""
    for first, second, longest in (
        ([5, 6, 7], [8, 9], 10),
        ([5, 6, 7], [8, 9], 8),
        ([5, 6, 7, 8, 9, 10], [11, 12], 8),
        ([11, 12], [5, 6, 7, 8, 9, 10], 9),
        ([5, 6, 7, 8], [9, 10, 11, 12], 10),
        ([5, 6, 7, 8], [9, 10, 11, 12], 8),
        ([5], [6], 5),
    ):
        given = list(first), list(second)
        found = answer(*given, longest)
        if given != (first, second):
            raise WrongAnswer("the lists that were given have been changed")
        _judge_packing(found, _pack(first, second, longest), longest)
    return (
        "right: both texts keep their beginnings, and every token knows to "
        "which of them it belongs"
    )


def _pack(
    first: list[int], second: list[int], longest: int
) -> tuple[list[int], list[int]]:
    """The right answer: cut the longer one, the second if they are equal."""
    first, second = list(first), list(second)
    while len(first) + len(second) + 3 > longest:
        longer = first if len(first) > len(second) else second
        longer.pop()
    ids = [CLS, *first, SEP, *second, SEP]
    return ids, [0] * (len(first) + 2) + [1] * (len(second) + 1)


def _judge_packing(
    found: Any, wanted: tuple[list[int], list[int]], longest: int
) -> None:
    if found is None or found is ...:
        raise WrongAnswer("not answered yet: the function returned nothing")
    expect_several(found, 2, say="return two lists: ids and segments")
    ids, segments = found
    for name, value in (("ids", ids), ("segments", segments)):
        if not isinstance(value, list):
            kind = type(value).__name__
            raise WrongAnswer(f"{name} must be a list, not {kind}")
    if len(ids) != len(segments):
        raise WrongAnswer(
            f"{len(ids)} ids, but {len(segments)} segments: one for each "
            "token, the marks included"
        )
    _explain_ids(ids, wanted[0], longest)
    if segments != wanted[1]:
        raise WrongAnswer(
            f"for the ids {ids} the segments are {wanted[1]}, not "
            f"{segments}: [CLS] and the first [SEP] belong to the first "
            "text, the last [SEP] to the second"
        )


def _explain_ids(ids: list[int], wanted: list[int], longest: int) -> None:
    if ids == wanted:
        return
    if len(ids) > longest:
        raise WrongAnswer(f"{len(ids)} tokens, but only {longest} fit")
    if ids[:1] != [CLS]:
        raise WrongAnswer(f"a row begins with [CLS] (id {CLS})")
    if ids.count(SEP) != 2 or ids[-1:] != [SEP]:
        raise WrongAnswer(f"[SEP] (id {SEP}) stands behind *each* text")
    if len(ids) < len(wanted):
        raise WrongAnswer(
            f"{len(wanted)} tokens would fit, but there are {len(ids)}"
        )
    raise WrongAnswer(
        f"for room of {longest} tokens expected {wanted}, not {ids}: cut the "
        "last token of the longer text, of the second if they are equally "
        "long, until both fit"
    )
