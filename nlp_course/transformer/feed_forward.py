"""The part of a transformer layer that works on each word alone.

.. math:: \\operatorname{FF}(x) = W_2\\, \\phi(W_1 x + b_1) + b_2

(:eq:`eq-tr-feed-forward` of chapter 13).  The same weights serve every word,
and no word sees another.

Source: Vaswani et al., *Attention Is All You Need*, NeurIPS 2017, section
3.3 (with ReLU); Hendrycks and Gimpel, *Gaussian Error Linear Units*, 2016
(GELU, exact as in BERT, and its approximation by a tanh as in GPT).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

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

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": F.relu,
    "gelu": F.gelu,
    "gelu_tanh": partial(F.gelu, approximate="tanh"),
}


class FeedForward(nn.Module):
    """Two learned layers with a non-linear function between them.

    ``width`` is the number of features ``D`` of a word, ``hidden`` that of
    the units ``H`` in between.  Weights: ``W_1 (H, D)``, ``b_1 (H,)``,
    ``W_2 (D, H)``, ``b_2 (D,)``.

    Raises ``ValueError`` for a size below 1 or an activation other than
    "relu", "gelu" (exact) and "gelu_tanh" (its approximation).
    """

    def __init__(
        self,
        width: int,
        hidden: int,
        *,
        activation: str = "relu",
        **options: Any,
    ) -> None:
        super().__init__()
        check_positive(width=width, hidden=hidden)
        if activation not in ACTIVATIONS:
            known = ", ".join(f'"{name}"' for name in ACTIVATIONS)
            raise ValueError(
                f"activation must be one of {known}, not {activation!r}"
            )
        self.activation = activation
        self.W_1 = nn.Parameter(torch.empty(hidden, width, **options))
        self.b_1 = nn.Parameter(torch.zeros(hidden, **options))
        self.W_2 = nn.Parameter(torch.empty(width, hidden, **options))
        self.b_2 = nn.Parameter(torch.zeros(width, **options))
        for weight in (self.W_1, self.W_2):
            bound = 1 / math.sqrt(weight.shape[1])
            nn.init.uniform_(weight, -bound, bound)

    def forward(
        self, x: Float[Tensor, "*batch width"]
    ) -> Float[Tensor, "*batch width"]:
        """Every vector along the last axis by itself; the shape stays.

        Raises ``ValueError`` for another width and ``TypeError`` for
        another dtype.
        """
        check_tensor("x", x)
        width = len(self.b_2)
        if x.dim() < 1 or x.shape[-1] != width:
            raise ValueError(
                f"x must have {width} features on its last axis, but has "
                f"shape {shape_of(x)}"
            )
        check_dtype("x", x, self.W_1.dtype)
        phi = ACTIVATIONS[self.activation]
        hidden = phi(F.linear(x, self.W_1, self.b_1))  # (..., H)
        return F.linear(hidden, self.W_2, self.b_2)  # (..., D)
