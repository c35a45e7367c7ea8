"""Sequences of different length in one rectangular tensor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from nlp_course.checks import check_lengths, check_positive, check_tensor


class Batch(NamedTuple):
    """Padded ids and the true length of each row."""

    ids: Int[Tensor, "batch time"]
    lengths: Int[Tensor, " batch"]


def pad_batch(sequences: Sequence[Sequence[int]], padding: int = 0) -> Batch:
    """Fill up sequences of ids on the right to the longest one.

    Returns ``ids (B, T)`` and ``lengths (B,)``, both int64.

    Raises ``ValueError`` for no sequences or an empty one, with its place,
    and ``TypeError`` for a sequence that does not hold ids.
    """
    if len(sequences) == 0:
        raise ValueError("pad_batch needs at least one sequence")
    for row, sequence in enumerate(sequences):
        if len(sequence) == 0:
            raise ValueError(
                f"sequence {row} is empty; a sequence needs at least one id "
                "(an end mark, for example)"
            )
    lengths = torch.tensor([len(sequence) for sequence in sequences])
    shape = (len(sequences), int(lengths.max()))
    ids = torch.full(shape, padding, dtype=torch.int64)
    for row, sequence in enumerate(sequences):
        values = torch.as_tensor(sequence)
        if values.is_floating_point() or values.dim() != 1:
            raise TypeError(f"sequence {row} must hold ids, not {sequence!r}")
        ids[row, : len(values)] = values
    return Batch(ids, lengths)


def length_mask(
    lengths: Int[Tensor, " batch"], time: int
) -> Bool[Tensor, "batch time"]:
    """True where a real token stands, False on padding; ``(B, T)``.

    Raises ``ValueError`` if a length is below 1 or above ``time``.
    """
    check_positive(time=time)
    check_tensor("lengths", lengths)
    check_lengths(lengths, batch=lengths.numel(), time=time)
    steps = torch.arange(time, device=lengths.device)
    return steps < lengths.unsqueeze(-1)
