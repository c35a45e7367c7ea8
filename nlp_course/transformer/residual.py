"""The way past a part of a layer (chapter 13, ``13_transformer``).

.. math:: x + f(\\operatorname{LN}(x)) \\qquad \\text{or} \\qquad
   \\operatorname{LN}(x + f(x))

(:eq:`eq-tr-pre` and :eq:`eq-tr-post` of the book.)

Sources: He et al., *Deep Residual Learning for Image Recognition*, CVPR
2016; Xiong et al., *On Layer Normalization in the Transformer Architecture*,
ICML 2020.
"""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from nlp_course.checks import check_share
from nlp_course.transformer.norm import EPSILON, LayerNorm


class Residual(nn.Module):
    """The way past a part of a layer, with its layer norm.

    A part reads ``enter(x)``; what it returns is put back by ``join``.
    With ``norm_first`` the two make :eq:`eq-tr-pre`, without it
    :eq:`eq-tr-post`.  In training ``dropout`` is the share of the change
    that is set to 0 at random (Vaswani et al. 2017, section 5.4).

    Raises ``ValueError`` for a share that is not from 0 to below 1.
    """

    def __init__(
        self,
        width: int,
        *,
        norm_first: bool = True,
        eps: float = EPSILON,
        dropout: float = 0.0,
        **options: Any,
    ) -> None:
        super().__init__()
        check_share(dropout=dropout)
        self.norm_first, self.dropout = norm_first, dropout
        self.norm: nn.Module = LayerNorm(width, eps=eps, **options)

    def enter(
        self, x: Float[Tensor, "batch T width"]
    ) -> Float[Tensor, "batch T width"]:
        """What the part is given."""
        normed: Tensor = self.norm(x) if self.norm_first else x
        return normed

    def join(
        self,
        x: Float[Tensor, "batch T width"],
        change: Float[Tensor, "batch T width"],
    ) -> Float[Tensor, "batch T width"]:
        """``x`` and what the part has made of it, added."""
        if self.dropout and self.training:
            change = F.dropout(change, self.dropout)
        joined: Tensor = x + change
        return joined if self.norm_first else self.norm(joined)
