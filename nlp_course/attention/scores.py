"""Ways to score a key for a query (chapter 09, ``09_attention``).

A score says how well a place of the source fits what is being looked for.
Three ways, with :math:`s_t` the state of the decoder that asks and
:math:`h_i` the state of the encoder at source word ``i``:

.. math::

   e_{ti} &= s_t^\\top h_i && \\text{dot product} \\\\
   e_{ti} &= s_t^\\top W_e \\, h_i && \\text{bilinear} \\\\
   e_{ti} &= v_a^\\top \\tanh(W_a s_{t-1} + U_a h_i) && \\text{additive}

Shapes: ``T`` queries of ``Q`` numbers, ``N`` keys of ``K`` numbers, ``T × N``
scores.  The dot product needs ``Q = K``.

Sources: Bahdanau, Cho and Bengio, *Neural Machine Translation by Jointly
Learning to Align and Translate*, ICLR 2015, appendix A.1.2 (additive);
Luong, Pham and Manning, *Effective Approaches to Attention-based Neural
Machine Translation*, EMNLP 2015, section 3.1 (dot, and bilinear under the
name "general").
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from nlp_course.checks import (
    check_dtype,
    check_positive,
    check_tensor,
    shape_of,
)


def check_queries_and_keys(queries: Tensor, keys: Tensor) -> None:
    """``(..., T, Q)`` and ``(..., N, K)`` of one dtype, with ``N`` above 0.

    Raises ``TypeError`` for anything but tensors of one dtype, and
    ``ValueError`` for a missing axis, different axes before the last two, or
    a source without a single key.
    """
    for name, value in (("queries", queries), ("keys", keys)):
        check_tensor(name, value)
        if value.dim() < 2:
            raise ValueError(
                f"{name} must have shape (..., places, features), "
                f"not {shape_of(value)}"
            )
    if queries.dtype != keys.dtype:
        raise TypeError(
            f"queries have dtype {queries.dtype}, keys {keys.dtype}; "
            "convert one of them"
        )
    if queries.shape[:-2] != keys.shape[:-2]:
        raise ValueError(
            f"queries {shape_of(queries)} and keys {shape_of(keys)} belong "
            "to different batches: all axes but the last two must be equal"
        )
    if keys.shape[-2] == 0:
        raise ValueError(
            f"keys {shape_of(keys)} are empty: a source needs at least one "
            "word to attend to"
        )


def dot_scores(
    queries: Float[Tensor, "*batch queries features"],
    keys: Float[Tensor, "*batch keys features"],
) -> Float[Tensor, "*batch queries keys"]:
    """:math:`e_{ti} = s_t^\\top h_i` for all pairs, :eq:`eq-attention-dot`.

    Shapes: ``queries (..., T, H)``, ``keys (..., N, H)``, result
    ``(..., T, N)``.

    Raises ``ValueError`` if a query and a key differ in size, or for shapes
    that do not fit (see ``check_queries_and_keys``).
    """
    check_queries_and_keys(queries, keys)
    if queries.shape[-1] != keys.shape[-1]:
        raise ValueError(
            f"a query has {queries.shape[-1]} numbers and a key "
            f"{keys.shape[-1]}; a dot product needs equal sizes: use "
            "BilinearScores or AdditiveScores, or project one of them"
        )
    return queries @ keys.transpose(-2, -1)  # (..., T, N)


class BilinearScores(nn.Module):
    """:math:`e_{ti} = s_t^\\top W_e h_i`, :eq:`eq-attention-bilinear`.

    One weight, ``W_e (Q, K)``, uniform in :math:`\\pm 1/\\sqrt{K}` at the
    start.  With the identity it is the dot product.

    Raises ``ValueError`` if a size is not a positive integer.
    """

    def __init__(
        self,
        query_size: int,
        key_size: int,
        *,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        check_positive(query_size=query_size, key_size=key_size)
        self.W_e = _weight(query_size, key_size, dtype=dtype)

    def forward(
        self,
        queries: Float[Tensor, "*batch queries query_size"],
        keys: Float[Tensor, "*batch keys key_size"],
    ) -> Float[Tensor, "*batch queries keys"]:
        """Scores ``(..., T, N)`` of ``(..., T, Q)`` and ``(..., N, K)``.

        Raises ``ValueError`` for a wrong shape, ``TypeError`` for a wrong
        dtype.
        """
        check_queries_and_keys(queries, keys)
        _check_sizes(queries, keys, *self.W_e.shape, dtype=self.W_e.dtype)
        return dot_scores(queries @ self.W_e, keys)


class AdditiveScores(nn.Module):
    """:math:`e_{ti} = v_a^\\top \\tanh(W_a s_{t-1} + U_a h_i)`.

    :eq:`eq-attention-additive`: a network with one hidden layer of ``size``
    units.  Weights: ``W_a (size, Q)``, ``U_a (size, K)``, ``v_a (size,)``,
    each uniform in plus or minus one over the root of its last size.

    Raises ``ValueError`` if a size is not a positive integer.
    """

    def __init__(
        self,
        query_size: int,
        key_size: int,
        size: int,
        *,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        check_positive(query_size=query_size, key_size=key_size, size=size)
        self.W_a = _weight(size, query_size, dtype=dtype)
        self.U_a = _weight(size, key_size, dtype=dtype)
        self.v_a = _weight(size, dtype=dtype)

    def read_keys(
        self, keys: Float[Tensor, "*batch keys key_size"]
    ) -> Float[Tensor, "*batch keys size"]:
        """:math:`U_a h_i`: the same for all queries, so computed once."""
        return keys @ self.U_a.T  # (..., N, size)

    def compare(
        self,
        queries: Float[Tensor, "*batch queries query_size"],
        keys_read: Float[Tensor, "*batch keys size"],
    ) -> Float[Tensor, "*batch queries keys"]:
        """Scores from queries and what ``read_keys`` returned."""
        wanted = (queries @ self.W_a.T).unsqueeze(-2)  # (..., T, 1, size)
        found = keys_read.unsqueeze(-3)  # (..., 1, N, size)
        return torch.tanh(wanted + found) @ self.v_a  # (..., T, N)

    def forward(
        self,
        queries: Float[Tensor, "*batch queries query_size"],
        keys: Float[Tensor, "*batch keys key_size"],
    ) -> Float[Tensor, "*batch queries keys"]:
        """Scores ``(..., T, N)`` of ``(..., T, Q)`` and ``(..., N, K)``.

        Raises ``ValueError`` for a wrong shape, ``TypeError`` for a wrong
        dtype.
        """
        check_queries_and_keys(queries, keys)
        sizes = (self.W_a.shape[1], self.U_a.shape[1])
        _check_sizes(queries, keys, *sizes, dtype=self.v_a.dtype)
        return self.compare(queries, self.read_keys(keys))


def _weight(*shape: int, dtype: torch.dtype | None) -> nn.Parameter:
    bound = 1 / math.sqrt(shape[-1])
    weight = torch.empty(shape, dtype=dtype)
    return nn.Parameter(nn.init.uniform_(weight, -bound, bound))


def _check_sizes(
    queries: Tensor,
    keys: Tensor,
    query_size: int,
    key_size: int,
    *,
    dtype: torch.dtype,
) -> None:
    pairs = (("queries", queries, query_size), ("keys", keys, key_size))
    for name, value, size in pairs:
        check_dtype(name, value, dtype)
        if value.shape[-1] != size:
            raise ValueError(
                f"{name} have {value.shape[-1]} numbers each (shape "
                f"{shape_of(value)}), but the scores were built for {size}"
            )
