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

from jaxtyping import Float
from torch import Tensor, nn

from nlp_course.transformer.norm import LayerNorm


class Residual(nn.Module):
    """The way past a part of a layer, with its layer norm.

    A part reads ``enter(x)``; what it returns is put back by ``join``.
    With ``norm_first`` the two make :eq:`eq-tr-pre`, without it
    :eq:`eq-tr-post`.
    """

    def __init__(
        self, width: int, *, norm_first: bool = True, **options: Any
    ) -> None:
        super().__init__()
        self.norm_first = norm_first
        self.norm: nn.Module = LayerNorm(width, **options)

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
        joined: Tensor = x + change
        return joined if self.norm_first else self.norm(joined)
