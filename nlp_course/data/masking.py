"""Which words BERT has to guess (chapter 14, ``14_bert``).

Of the tokens of a text 15 in 100 are chosen.  Of the chosen, 80 in 100 are
replaced by [MASK], 10 by a token drawn at random, and 10 stay as they are;
the model has to name all of the chosen, :eq:`eq-bert-rule`.

Source: Devlin et al., *BERT: Pre-training of Deep Bidirectional Transformers
for Language Understanding*, NAACL 2019, section 3.1, task 1.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Bool, Int
from torch import Generator, Tensor

from nlp_course.checks import check_tensor, shape_of


class Masked(NamedTuple):
    """A text with gaps; ``chosen`` is True where a token is asked for."""

    ids: Int[Tensor, "batch T"]
    chosen: Bool[Tensor, "batch T"]


def mask_tokens(
    ids: Int[Tensor, "batch T"],
    maskable: Bool[Tensor, "batch T"],
    candidates: Int[Tensor, " words"],
    rng: Generator,
    *,
    mask_id: int,
    share: float = 0.15,
    masked: float = 0.8,
    random: float = 0.1,
) -> Masked:
    """Choose tokens and replace most of them.

    ``maskable (B, T)`` is True where a token may be chosen: not on padding,
    [CLS] or [SEP].  Of each row the whole number nearest to ``share`` of its
    maskable tokens is chosen, and at least one.  A chosen token becomes
    ``mask_id`` with probability ``masked``, one of the ``candidates``
    (words,) with probability ``random``, and else stays.  ``ids`` are not
    changed.

    Raises ``ValueError`` for shapes that do not fit, shares out of range, a
    row without a maskable token, or no candidates.
    """
    _check(ids, maskable, candidates, (share, masked, random))
    count = maskable.sum(dim=1)  # (B,)
    wanted = (share * count).round().clamp(min=1)
    # the maskable tokens in random order; the rest stands behind them
    order = torch.rand(ids.shape, generator=rng).masked_fill(~maskable, 2.0)
    chosen = order.argsort(dim=1).argsort(dim=1) < wanted[:, None]
    fate = torch.rand(ids.shape, generator=rng)
    drawn = torch.randint(len(candidates), ids.shape, generator=rng)
    hidden = torch.where(chosen & (fate < masked), mask_id, ids)
    swapped = chosen & (fate >= masked) & (fate < masked + random)
    return Masked(torch.where(swapped, candidates[drawn], hidden), chosen)


def _check(
    ids: Tensor,
    maskable: Tensor,
    candidates: Tensor,
    shares: tuple[float, float, float],
) -> None:
    for name, value in (("ids", ids), ("maskable", maskable)):
        check_tensor(name, value)
    if ids.dim() != 2 or maskable.shape != ids.shape:
        raise ValueError(
            "ids and maskable must both have shape (batch, time), not "
            f"{shape_of(ids)} and {shape_of(maskable)}"
        )
    if maskable.dtype != torch.bool:
        raise TypeError(f"maskable must hold booleans, not {maskable.dtype}")
    share, masked, random = shares
    if not 0 < share <= 1 or min(masked, random) < 0 or masked + random > 1:
        raise ValueError(
            "share must be above 0 and at most 1, masked and random from 0 "
            f"and together at most 1, not {share}, {masked} and {random}"
        )
    empty = (~maskable).all(dim=1).nonzero().flatten().tolist()
    if empty:
        raise ValueError(f"rows without a token that may be masked: {empty}")
    if len(candidates) == 0:
        raise ValueError("candidates must hold at least one id")
