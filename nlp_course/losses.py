"""How wrong a prediction is (chapter 00, ``00_text_to_tensors``)."""

from __future__ import annotations

import math

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from nlp_course.checks import check_ids, is_hidden, shape_of


def cross_entropy(
    logits: Float[Tensor, "*shape V"],
    targets: Int[Tensor, "*shape"],
    mask: Bool[Tensor, "*shape"] | None = None,
) -> Float[Tensor, ""]:
    """Mean of :math:`-\\log p(\\text{target})`, :eq:`eq-cross-entropy`.

    ``logits (..., V)`` are scores before the softmax, ``targets (...)`` ids
    of the right tokens, ``mask (...)`` True where a position counts (all of
    them if absent).  The result is in nats.

    Raises ``ValueError`` for shapes that do not fit, a target outside the
    vocabulary, or nothing to average; ``TypeError`` for a mask that is not
    boolean.
    """
    if logits.dim() == 0 or logits.shape[:-1] != targets.shape:
        raise ValueError(
            f"logits {shape_of(logits)} must have the shape of targets "
            f"{shape_of(targets)} and one axis more, for the vocabulary"
        )
    check_ids("targets", targets, logits.shape[-1])
    if targets.numel() == 0:
        raise ValueError(
            f"targets {shape_of(targets)} are empty: nothing to average"
        )
    if mask is not None:
        _check_mask(mask, targets)
        # an inf that does not count would still make its gradient NaN
        logits = torch.where(mask.unsqueeze(-1), logits, 0.0)
    # log p = score of the right token - log of the sum over all tokens
    right = logits.gather(-1, targets.unsqueeze(-1)).squeeze(-1)
    losses = torch.logsumexp(logits, dim=-1) - right
    if mask is None:
        return losses.mean()
    return torch.where(mask, losses, 0.0).sum() / mask.sum()


def _check_mask(mask: Tensor, targets: Tensor) -> None:
    if mask.dtype != torch.bool:
        raise TypeError(f"mask must be boolean, not {mask.dtype}")
    if mask.shape != targets.shape:
        raise ValueError(
            f"mask {shape_of(mask)} must have the shape of targets "
            f"{shape_of(targets)}"
        )
    if not is_hidden(mask) and not mask.any():
        raise ValueError("mask is False everywhere: nothing to average")


def perplexity(nats: float) -> float:
    """:math:`e^{\\text{loss}}`, :eq:`eq-perplexity`.

    The number of equally likely tokens that would be as hard to guess.
    """
    try:
        return math.exp(nats)
    except OverflowError:  # a loss above 709
        return math.inf


def bits(nats: float) -> float:
    """Nats in bits: a loss divided by ``ln 2``."""
    return nats / math.log(2)
