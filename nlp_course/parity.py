"""Do two computations agree?  Used wherever a derivation is checked."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from nlp_course.checks import shape_of


def largest_difference(pairs: Iterable[tuple[Tensor, Tensor]]) -> float:
    """The largest absolute difference within pairs of equal tensors.

    NaN in either of a pair gives NaN, which no tolerance accepts.  Raises
    ``ValueError`` for no pairs, or two tensors of different shape: they
    would be broadcast against each other and could seem to agree.
    """
    gaps = []
    for number, (found, wanted) in enumerate(pairs, start=1):
        if found.shape != wanted.shape:
            raise ValueError(
                f"pair {number} has shapes {shape_of(found)} and "
                f"{shape_of(wanted)}; compare tensors of one shape"
            )
        gaps.append((found - wanted).abs().max())
    if not gaps:
        raise ValueError("nothing to compare")
    return float(torch.stack([gap.double() for gap in gaps]).max())


def numerical_gradient(
    function: Callable[[], Tensor], weight: Tensor, step: float = 1e-6
) -> Tensor:
    """Central differences of ``function()`` for every entry of ``weight``.

    ``function`` takes no arguments, reads ``weight`` and returns a scalar;
    the weight is changed in place and restored.  Two evaluations an entry:
    for small tensors in float64 only.
    """
    gradient = torch.zeros_like(weight)
    entries = weight.detach().view(-1)
    with torch.no_grad():
        for i in range(entries.numel()):
            kept = entries[i].item()
            entries[i] = kept + step
            above = function()
            entries[i] = kept - step
            below = function()
            entries[i] = kept
            gradient.view(-1)[i] = (above - below) / (2 * step)
    return gradient
