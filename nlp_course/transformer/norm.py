"""Layer norm (chapter 13, ``13_transformer``).

Every word's vector is brought to mean 0 and variance 1 by itself, then
stretched and shifted by numbers that are learned:

.. math::

   \\hat x = \\frac{x - \\mu}{\\sqrt{\\nu + \\epsilon}}, \\qquad
   \\mu = \\frac1D \\sum_j x_j, \\qquad
   \\nu = \\frac1D \\sum_j (x_j - \\mu)^2, \\qquad
   \\operatorname{LN}(x) = \\gamma \\odot \\hat x + \\beta

(:eq:`eq-tr-norm` of the book).  The variance is the mean of the squares: it
is divided by ``D``, not by ``D - 1``.

Source: Ba, Kiros and Hinton, *Layer Normalization*, 2016, section 3.
"""

from __future__ import annotations

from typing import Any, Self

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from nlp_course.checks import (
    check_dtype,
    check_positive,
    check_tensor,
    shape_of,
)

EPSILON = 1e-5  # as in PyTorch


def normalise(
    x: Float[Tensor, "*batch width"], eps: float = EPSILON
) -> Float[Tensor, "*batch width"]:
    """Mean 0 and variance 1 along the last axis, :eq:`eq-tr-norm`.

    A vector of equal numbers becomes 0: it has nothing to be stretched.
    """
    centred = x - x.mean(dim=-1, keepdim=True)  # (..., D)
    variance = centred.square().mean(dim=-1, keepdim=True)  # (..., 1)
    return centred / torch.sqrt(variance + eps)


class LayerNorm(nn.Module):
    """``normalise``, then a gain and a bias for every feature.

    Weights: ``gain (D,)``, 1 at the start, and ``bias (D,)``, 0 at the
    start.  The same function as ``torch.nn.LayerNorm``.

    Raises ``ValueError`` for a width below 1 or an ``eps`` that is not
    positive.
    """

    def __init__(
        self, width: int, *, eps: float = EPSILON, **options: Any
    ) -> None:
        super().__init__()
        check_positive(width=width)
        if not eps > 0:
            raise ValueError(f"eps must be positive, not {eps}")
        self.eps = eps
        self.gain = nn.Parameter(torch.ones(width, **options))
        self.bias = nn.Parameter(torch.zeros(width, **options))

    @classmethod
    def from_torch(cls, theirs: nn.LayerNorm) -> Self:
        """The same function with copies of PyTorch's weights.

        Raises ``TypeError`` for another kind of module and ``ValueError``
        for one without weights or over more than one axis.
        """
        if not isinstance(theirs, nn.LayerNorm):
            kind = type(theirs).__name__
            raise TypeError(f"expected a nn.LayerNorm, not {kind}")
        weight, bias = theirs.weight, theirs.bias
        if weight is None or bias is None or weight.dim() != 1:
            raise ValueError(
                "only a nn.LayerNorm over the last axis, with weight and "
                "bias, has a counterpart here"
            )
        ours = cls(
            len(weight),
            eps=theirs.eps,
            dtype=weight.dtype,
            device=weight.device,
        )
        with torch.no_grad():
            ours.gain.copy_(weight)
            ours.bias.copy_(bias)
        return ours

    def forward(
        self, x: Float[Tensor, "*batch width"]
    ) -> Float[Tensor, "*batch width"]:
        """``gain * normalise(x) + bias``; the shape stays.

        Every vector along the last axis by itself.  PyTorch's function of
        this name does the same, with the same gradients, in one operation
        where ours takes nine.

        Raises ``ValueError`` for another width and ``TypeError`` for
        another dtype.
        """
        check_tensor("x", x)
        width = len(self.gain)
        if x.dim() < 1 or x.shape[-1] != width:
            raise ValueError(
                f"x must have {width} features on its last axis, but has "
                f"shape {shape_of(x)}"
            )
        check_dtype("x", x, self.gain.dtype)
        return F.layer_norm(x, (width,), self.gain, self.bias, self.eps)
