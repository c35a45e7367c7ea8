"""Self-attention with one head (chapter 10, ``10_self_attention``).

Every word makes a query, a key and a value.  Its query is compared with the
keys of all words, itself included; a softmax turns the scores into weights,
and the result is the weighted sum of the *values*:

.. math:: q_t = W^Q x_t, \\quad k_i = W^K x_i, \\quad v_i = W^V x_i

.. math:: e_{ti} = \\frac{q_t^\\top k_i}{\\sqrt d}, \\qquad
   \\alpha_t = \\operatorname{softmax}(e_t), \\qquad
   \\bar v_t = \\sum_i \\alpha_{ti} v_i

(:eq:`eq-self-qkv`, :eq:`eq-self-scores` and :eq:`eq-self-sum` of the book.)

Shapes: ``B`` sequences in a batch, ``T`` queries, ``N`` keys and values (in
self-attention ``N = T``), ``d`` entries of a query and a key.

Source: Vaswani et al., *Attention Is All You Need*, NeurIPS 2017, section
3.2.1.
"""

from __future__ import annotations

import math
from typing import Any, Literal, overload

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from nlp_course.attention.core import (
    Attended,
    check_mask,
    masked_softmax,
    weighted_sum,
)
from nlp_course.checks import (
    check_dtype,
    check_positive,
    check_tensor,
    is_hidden,
    shape_of,
)


def check_attention(q: Tensor, k: Tensor, v: Tensor) -> None:
    """``ValueError`` unless queries, keys and values fit together.

    They must be floating-point tensors of one dtype with equal leading axes:
    ``q (..., T, d)``, ``k (..., N, d)`` and ``v (..., N, d_v)``, none of
    them empty.
    """
    for name, value in (("q", q), ("k", k), ("v", v)):
        check_tensor(name, value)
        if value.dim() < 2:
            raise ValueError(
                f"{name} must have the axes (..., words, features), "
                f"not shape {shape_of(value)}"
            )
        if 0 in value.shape:
            raise ValueError(
                f"{name} is empty: shape {shape_of(value)}; attention needs "
                "at least one word"
            )
        if not value.is_floating_point() or value.dtype != q.dtype:
            raise TypeError(
                "q, k and v must hold floating-point numbers of one dtype, "
                f"but q has {q.dtype} and {name} has {value.dtype}"
            )
    _check_fit(q, k, v)


def _check_fit(q: Tensor, k: Tensor, v: Tensor) -> None:
    if q.shape[-1] != k.shape[-1]:
        raise ValueError(
            "a query and a key are compared entry by entry, so they need "
            f"one size: q has {q.shape[-1]} features (shape {shape_of(q)}), "
            f"k has {k.shape[-1]} (shape {shape_of(k)})"
        )
    if k.shape[-2] != v.shape[-2]:
        raise ValueError(
            f"every key needs a value: k has {k.shape[-2]} words (shape "
            f"{shape_of(k)}), v has {v.shape[-2]} (shape {shape_of(v)})"
        )
    if not q.shape[:-2] == k.shape[:-2] == v.shape[:-2]:
        raise ValueError(
            "q, k and v must agree in the axes before the last two, but "
            f"have shapes {shape_of(q)}, {shape_of(k)}, {shape_of(v)}"
        )


@overload
def scaled_dot_product_attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    mask: Tensor | None = None,
    *,
    return_weights: Literal[False] = False,
) -> Tensor: ...


@overload
def scaled_dot_product_attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    mask: Tensor | None = None,
    *,
    return_weights: Literal[True],
) -> Attended: ...


@overload
def scaled_dot_product_attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    mask: Tensor | None = None,
    *,
    return_weights: bool,
) -> Tensor | Attended: ...


def scaled_dot_product_attention(
    q: Float[Tensor, "*batch queries size"],
    k: Float[Tensor, "*batch keys size"],
    v: Float[Tensor, "*batch keys features"],
    mask: Bool[Tensor, ...] | None = None,
    *,
    return_weights: bool = False,
) -> Tensor | Attended:
    """Attention of every query to every key, :eq:`eq-self-scores`.

    ``q (..., T, d)``, ``k (..., N, d)`` and ``v (..., N, d_v)`` give
    ``(..., T, d_v)``.  ``mask`` broadcasts to ``(..., T, N)`` and is **True
    where attention is allowed**.  A query that may attend to nothing gets
    the output 0, and passes no gradient on.

    With ``return_weights`` the result is ``Attended(output, weights)``.
    Without it the work is left to PyTorch's function of the same name, which
    gives the same output and the same gradients, and has kernels that never
    store the ``(..., T, N)`` weights.

    Raises ``TypeError`` for a mask that is not boolean or numbers of another
    dtype, ``ValueError`` for shapes that do not fit, or an empty sequence.
    """
    check_attention(q, k, v)
    shape = (*q.shape[:-1], k.shape[-2])  # of the scores
    if mask is not None:
        check_mask(mask, torch.empty(shape, device="meta"))
        mask = mask.expand(shape)
    # under vmap PyTorch's function would run network by network and warn
    if not return_weights and not is_hidden(q):
        return _fused(q, k, v, mask)
    scores = q @ k.mT / math.sqrt(q.shape[-1])  # (..., T, N)
    weights = masked_softmax(scores, mask)
    found = Attended(weighted_sum(weights, v), weights)
    return found if return_weights else found.output


def _fused(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
    """PyTorch's own; its fast kernels want four axes, (B, A, T, d)."""
    missing = max(0, 4 - q.dim())
    lead = (None,) * missing
    output: Tensor = F.scaled_dot_product_attention(
        q[lead], k[lead], v[lead], None if mask is None else mask[lead]
    )
    return output[(0,) * missing]


class SelfAttention(nn.Module):
    """Self-attention with one head, :eq:`eq-self-qkv` to :eq:`eq-self-sum`.

    ``width`` is the number of features ``D`` of a word, ``size`` the number
    ``d`` of entries of a query, a key and a value (``width`` if not given).
    The weights are ``W_Q``, ``W_K`` and ``W_V``, each ``(d, D)``, and with
    ``bias`` the vectors ``b_Q``, ``b_K`` and ``b_V`` of ``d`` entries.

    ``tied`` makes keys with the weights of the queries.  Then the score of
    two words is the same in both directions (:eq:`eq-self-symmetric`).

    Raises ``ValueError`` for a size that is not a positive integer.
    """

    W_Q: nn.Parameter
    W_K: nn.Parameter
    W_V: nn.Parameter
    b_Q: nn.Parameter | None
    b_K: nn.Parameter | None
    b_V: nn.Parameter | None

    def __init__(
        self,
        width: int,
        size: int | None = None,
        *,
        bias: bool = False,
        tied: bool = False,
        **options: Any,
    ) -> None:
        super().__init__()
        size = width if size is None else size
        check_positive(width=width, size=size)
        for name in "QKV":
            weight = nn.Parameter(torch.empty(size, width, **options))
            offset = torch.empty(size, **options) if bias else None
            offset = None if offset is None else nn.Parameter(offset)
            setattr(self, f"W_{name}", weight)
            self.register_parameter(f"b_{name}", offset)
        if tied:
            self.W_K, self.b_K = self.W_Q, self.b_Q
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw all weights uniformly from ±1/√D; biases start at 0."""
        bound = 1 / math.sqrt(self.W_Q.shape[1])
        for weight in self.parameters():
            if weight.dim() == 2:
                nn.init.uniform_(weight, -bound, bound)
            else:
                nn.init.zeros_(weight)

    def project(
        self, x: Float[Tensor, "batch time width"]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values of every word, ``(B, T, d)`` each.

        Raises ``ValueError`` or ``TypeError`` for an ``x`` that does not
        fit the weights.
        """
        self._check(x)
        q = F.linear(x, self.W_Q, self.b_Q)  # (B, T, d)
        k = F.linear(x, self.W_K, self.b_K)  # (B, T, d)
        v = F.linear(x, self.W_V, self.b_V)  # (B, T, d)
        return q, k, v

    def forward(
        self,
        x: Float[Tensor, "batch time width"],
        mask: Bool[Tensor, ...] | None = None,
        *,
        return_weights: bool = False,
    ) -> Tensor | Attended:
        """A vector for every word from all words: ``(B, T, d)``.

        ``mask`` broadcasts to ``(B, T, T)``, True where word ``t`` may
        attend to word ``i``.  With ``return_weights`` the result is
        ``Attended(output (B, T, d), weights (B, T, T))``.
        """
        q, k, v = self.project(x)
        return scaled_dot_product_attention(
            q, k, v, mask, return_weights=return_weights
        )

    def _check(self, x: Tensor) -> None:
        check_tensor("x", x)
        width = self.W_Q.shape[1]
        if x.dim() != 3 or x.shape[-1] != width:
            raise ValueError(
                f"x must have shape (batch, time, {width}), not {shape_of(x)}"
            )
        if 0 in x.shape:
            raise ValueError(
                f"x is empty: shape {shape_of(x)}; self-attention needs at "
                "least one sequence of at least one word"
            )
        check_dtype("x", x, self.W_Q.dtype)
