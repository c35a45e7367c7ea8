"""What every kind of attention shares (chapter 09, ``09_attention``).

A *query* asks, every *key* gives a score, a softmax turns the scores into
weights, and the answer is the weighted sum of the *values*:

.. math:: \\alpha_t = \\operatorname{softmax}(e_t), \\qquad
   \\bar v_t = \\sum_{i=1}^{N} \\alpha_{ti} \\, v_i

Shapes: ``B`` sequences in a batch, ``T`` queries, ``N`` keys and values.
Leading axes may be more than one (a batch and heads, say).

A **mask** is a tensor of booleans: **True where attention is allowed**,
False where it is not (padding, the future), like that of
``torch.nn.functional.scaled_dot_product_attention``.

Source: Bahdanau, Cho and Bengio, *Neural Machine Translation by Jointly
Learning to Align and Translate*, ICLR 2015, section 3.1.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from nlp_course.checks import check_tensor, shape_of


class Attended(NamedTuple):
    """What attention returns: the answer, and how it was made."""

    output: Float[Tensor, "*batch queries features"]
    weights: Float[Tensor, "*batch queries keys"]

    @property
    def context(self) -> Float[Tensor, "*batch queries features"]:
        """The output, by the name that it has in an encoder-decoder."""
        return self.output


def check_mask(mask: Tensor, scores: Tensor) -> None:
    """``TypeError`` unless boolean, ``ValueError`` unless it fits.

    A mask fits if it broadcasts to the shape of the scores, ``(..., T, N)``.
    """
    check_tensor("mask", mask)
    if mask.dtype != torch.bool:
        raise TypeError(
            "mask must hold booleans, True where attention is allowed, "
            f"not {mask.dtype}"
        )
    try:
        fits = torch.broadcast_shapes(mask.shape, scores.shape)
    except RuntimeError:
        fits = None
    if fits != scores.shape:
        raise ValueError(
            f"mask of shape {shape_of(mask)} does not broadcast to the "
            f"scores of shape {shape_of(scores)}; it must end in "
            "(queries, keys), where each may be 1"
        )


def masked_softmax(
    scores: Float[Tensor, "*batch queries keys"],
    mask: Bool[Tensor, ...] | None = None,
) -> Float[Tensor, "*batch queries keys"]:
    """Weights from scores, :eq:`eq-attention-weights`; rows sum to 1.

    Scores where ``mask`` is False count as :math:`-\\infty`: their weight is
    exactly 0 and no gradient reaches them.  A row in which *everything* is
    masked has nothing to attend to: all its weights are 0 (a plain softmax
    would give NaN, and NaN spreads through the gradients of all weights).

    Raises ``TypeError`` for a mask that is not boolean and ``ValueError``
    for one whose shape does not fit.
    """
    if mask is None:
        return scores.softmax(dim=-1)
    check_mask(mask, scores)
    allowed = mask.expand_as(scores)
    none = ~allowed.any(dim=-1, keepdim=True)  # rows with nothing allowed
    hidden = ~allowed & ~none  # -inf everywhere would be NaN
    weights = scores.masked_fill(hidden, -torch.inf).softmax(dim=-1)
    return weights.masked_fill(none, 0.0)


def weighted_sum(
    weights: Float[Tensor, "*batch queries keys"],
    values: Float[Tensor, "*batch keys features"],
) -> Float[Tensor, "*batch queries features"]:
    """The context vectors, :eq:`eq-attention-context`.

    Raises ``ValueError`` if there is not one value for each weight.
    """
    if weights.shape[-1] != values.shape[-2]:
        raise ValueError(
            f"{weights.shape[-1]} weights for {values.shape[-2]} values: "
            f"weights have shape {shape_of(weights)}, values "
            f"{shape_of(values)}"
        )
    return weights @ values


def attend(
    scores: Float[Tensor, "*batch queries keys"],
    values: Float[Tensor, "*batch keys features"],
    mask: Bool[Tensor, ...] | None = None,
) -> Attended:
    """Weights and context vectors from scores, in this order of steps.

    The errors are those of ``masked_softmax`` and ``weighted_sum``.
    """
    weights = masked_softmax(scores, mask)  # (..., T, N)
    return Attended(weighted_sum(weights, values), weights)
