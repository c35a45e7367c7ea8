"""Checks of the exercises of chapter 13, ``13_transformer``."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from nlp_course.attention.masks import causal_mask, padding_mask
from nlp_course.exercises.grading import (
    WrongAnswer,
    exercise,
    expect_number,
    expect_several,
    expect_tensor,
)
from nlp_course.training.seeds import seeded
from nlp_course.transformer import DecoderLayer

DOUBLE: dict[str, Any] = {"dtype": torch.float64}


@exercise("13-predict")
def predict(answer: Any) -> str:
    """First entry of three normed vectors."""
    expect_several(answer, 3, say="give three numbers, one for each vector")
    if answer[0] == 1.5:
        raise WrongAnswer(
            "1.5 comes of dividing the sum of squares by D - 1; layer norm "
            "divides it by D"
        )
    root = math.sqrt(3)
    expect_number(
        answer[0], root, hint="first: mean 1/4; what is the mean square left?"
    )
    expect_number(
        answer[1], root, hint="second: what does it share with the first?"
    )
    expect_number(answer[2], 0.0, hint="third: what is left of it, centred?")
    return (
        "right: adding a number to all features changes nothing, and nor "
        "does stretching them; of equal features nothing is left"
    )


NormGradient = Callable[[Tensor, Tensor, Tensor], Tensor]


@exercise("13-derive")
def derive(answer: NormGradient) -> str:
    """The gradient of layer norm, against autograd."""
    for seed, (B, D, eps) in enumerate(((1, 3, 1e-5), (4, 6, 0.5))):
        with seeded(seed):
            x = torch.randn(B, D, **DOUBLE, requires_grad=True)
            from_output = torch.randn(B, D, **DOUBLE)
        centred = x - x.mean(dim=-1, keepdim=True)
        variance = centred.square().mean(dim=-1, keepdim=True)
        deviation = torch.sqrt(variance + eps)  # (B, 1)
        normed = centred / deviation
        (wanted,) = torch.autograd.grad((normed * from_output).sum(), x)
        normed, deviation = normed.detach(), deviation.detach()
        found = answer(normed, deviation, from_output)
        _explain_gradient(found, wanted, normed, deviation, from_output)
        expect_tensor(found, wanted, what="the gradient")
    return (
        "right: what would shift all features together is taken out, and so "
        "is what would stretch them"
    )


def _explain_gradient(
    found: Any, wanted: Tensor, normed: Tensor, deviation: Tensor, g: Tensor
) -> None:
    """Name the usual mistakes: a part of the gradient left out."""
    if not isinstance(found, Tensor) or found.shape != wanted.shape:
        return
    found = found.detach().to(wanted.dtype)
    shift = g.mean(dim=-1, keepdim=True)
    stretch = normed * (g * normed).mean(dim=-1, keepdim=True)
    if torch.allclose(found, g / deviation):
        raise WrongAnswer(
            "mean and deviation are treated as constants; both depend on x"
        )
    if torch.allclose(found, (g - shift) / deviation):
        raise WrongAnswer("the deviation depends on x, too")
    if torch.allclose(found, (g - stretch) / deviation):
        raise WrongAnswer("the mean depends on x, too")
    if torch.allclose(found / deviation, wanted):
        raise WrongAnswer("x has been divided by the deviation; so is this")


PostNorm = Callable[[DecoderLayer, Tensor, Tensor, Tensor], Tensor]


@exercise("13-build")
def build(answer: PostNorm) -> str:
    """A decoder layer with its norms after the sums."""
    for seed, (B, T, N) in enumerate(((2, 4, 3), (1, 2, 5))):
        layer, x, memory, seen = _decoder(seed, B, T, N)
        wanted = layer(x, memory, causal_mask(T), seen)
        found = answer(layer, x, memory, seen)
        _explain_layer(found, wanted, (layer, x, memory, seen))
        expect_tensor(found, wanted, what="the tensor of states")
        if not found.requires_grad:
            raise WrongAnswer("the states must keep their gradient")
        weights = list(layer.parameters())
        weigh = torch.linspace(-1, 1, wanted.numel(), **DOUBLE)
        weigh = weigh.view_as(wanted)
        got = torch.autograd.grad(
            (found * weigh).sum(), weights, allow_unused=True
        )
        due = torch.autograd.grad((wanted * weigh).sum(), weights)
        for a, b in zip(got, due, strict=True):
            if a is None:
                raise WrongAnswer("no gradient reaches some of the weights")
            expect_tensor(a, b, what="a gradient of the weights")
    return "right: three parts, three sums, three norms, in this order"


def _decoder(
    seed: int, B: int, T: int, N: int
) -> tuple[DecoderLayer, Tensor, Tensor, Tensor]:
    """A post-norm layer with gains and biases that are not 1 and 0."""
    with seeded(seed):
        layer = DecoderLayer(4, 2, hidden=6, norm_first=False, **DOUBLE)
        with torch.no_grad():
            for weight in layer.parameters():
                weight.add_(0.3 * torch.randn_like(weight))
        x = torch.randn(B, T, 4, **DOUBLE)
        memory = torch.randn(B, N, 4, **DOUBLE)
        lengths = torch.randint(1, N + 1, (B,))
    return layer, x, memory, padding_mask(lengths, N)


def _explain_layer(
    found: Any,
    wanted: Tensor,
    given: tuple[DecoderLayer, Tensor, Tensor, Tensor],
) -> None:
    """Name the usual mistakes."""
    if not isinstance(found, Tensor) or found.shape != wanted.shape:
        return
    layer, x, memory, seen = given
    found, mask = found.detach().to(wanted.dtype), causal_mask(x.shape[1])
    wrong = {
        "every word attends to all words of the target; the decoder may not "
        "look ahead": layer(x, memory, None, seen),
        "padding of the source is attended to": layer(x, memory, mask, None),
        "keys and values of cross-attention must come from the encoder's "
        "states": layer(x, x, mask, mask),
    }
    for message, states in wrong.items():
        if torch.allclose(found, states) and not torch.allclose(
            states, wanted
        ):
            raise WrongAnswer(message)
