"""Attention that knows distances, not places (chapter 16).

The vectors of words have no position added to them.  A score has two parts
instead: what query ``t`` thinks of the *content* of key ``i``, and what it
thinks of the *distance* ``t - i`` between them,

.. math:: e_{ti} = \\frac{(q_t + u)^\\top k_i + (q_t + v)^\\top r_{t-i}}
   {\\sqrt d}, \\qquad r_\\delta = W^R P_\\delta

(:eq:`eq-lm-relative` of the book).  :math:`P_\\delta` are the sines and
cosines of :eq:`eq-positions-sinusoidal`, for distances instead of places;
:math:`u` and :math:`v`, written without an index, are learned vectors, the
same for all queries.

Shapes: ``B`` sequences in a batch, ``A`` heads of size ``d``, ``T`` queries,
which are the last of ``N`` words, ``D`` features of a word.

Source: Dai et al., *Transformer-XL: Attentive Language Models beyond a
Fixed-Length Context*, ACL 2019, section 3.3 and appendix B.
"""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from nlp_course.attention.core import Attended, masked_softmax, weighted_sum
from nlp_course.attention.masks import causal_mask
from nlp_course.attention.multihead import MultiHeadAttention, split_heads
from nlp_course.attention.positions import frequencies, sinusoidal_positions
from nlp_course.checks import check_tensor, is_hidden, shape_of


def relative_shift(
    by_distance: Float[Tensor, "*batch queries keys"],
) -> Float[Tensor, "*batch queries keys"]:
    """From columns that are distances to columns that are keys.

    Column ``j`` of ``by_distance (..., T, N)`` belongs to the distance
    ``N - 1 - j``: the farthest first, 0 last.  In the result column ``i``
    belongs to key ``i``, whose distance from query ``t``, both counted from
    0, is ``N - T + t - i``, :eq:`eq-lm-shift`.  Row ``t`` has to move by
    ``T - 1 - t`` columns to the left; one column more and another cut of the
    same numbers move all rows at once.

    Entries for keys *after* the query hold something else and must be
    masked.

    Raises ``ValueError`` for fewer keys than queries.
    """
    check_tensor("by_distance", by_distance)
    if by_distance.dim() < 2 or by_distance.shape[-2] > by_distance.shape[-1]:
        raise ValueError(
            "by_distance must have the axes (..., queries, keys) with at "
            "least as many keys as queries, not shape "
            f"{shape_of(by_distance)}"
        )
    T, N = by_distance.shape[-2:]
    wider = F.pad(by_distance, (1, 0))  # (..., T, N + 1)
    # the first T numbers go, and every row of N takes one more from the left
    flat = wider.flatten(-2)[..., T:]  # (..., T·N)
    shifted: Tensor = flat.unflatten(-1, (T, N))
    return shifted


class RelativeAttention(MultiHeadAttention):
    """Several heads with the scores of :eq:`eq-lm-relative`.

    Arguments and calls are those of ``MultiHeadAttention``; of the
    ``queries`` it is assumed that they are the last ``T`` of the ``N`` words
    that give the keys.  Weights: ``W_Q``, ``W_K``, ``W_V``, ``W_R (A·d, D)``,
    ``W_O (D, A·d)``, and ``u`` and ``v (A·d,)``, 0 at the start.  There are
    no other biases.

    A key after its query would have a negative distance, of which nothing is
    known: a causal mask is needed, and any other is refused.

    Raises ``ValueError`` for sizes that do not fit, or an odd ``width``.
    """

    def __init__(
        self,
        width: int,
        heads: int,
        *,
        size: int | None = None,
        **options: Any,
    ) -> None:
        frequencies(width)  # complains about an odd width
        super().__init__(width, heads, size=size, bias=False, **options)
        inner = self.heads * self.size  # A·d
        self.W_R = nn.Parameter(torch.empty(inner, width, **options))
        self.u = nn.Parameter(torch.empty(inner, **options))
        self.v = nn.Parameter(torch.empty(inner, **options))
        self.reset_parameters()

    def scores(
        self,
        q: Float[Tensor, "batch heads T size"],
        k: Float[Tensor, "batch heads N size"],
    ) -> Float[Tensor, "batch heads T N"]:
        """:eq:`eq-lm-relative` for all queries and keys.

        Only entries with ``i <= N - T + t`` have a meaning.

        Raises ``ValueError`` for fewer keys than queries.
        """
        N, size = k.shape[-2:]
        options: dict[str, Any] = {"dtype": q.dtype, "device": q.device}
        P = sinusoidal_positions(N, self.width, **options).flip(0)  # (N, D)
        r = split_heads(P @ self.W_R.T, self.heads)  # (A, N, d)
        u = self.u.view(self.heads, 1, size)
        v = self.v.view(self.heads, 1, size)
        content = (q + u) @ k.mT  # (B, A, T, N)
        distance = relative_shift((q + v) @ r.mT)  # (B, A, T, N)
        return (content + distance) / math.sqrt(size)

    def _attend(
        self,
        q: Tensor,
        k: Tensor,
        v: Tensor,
        mask: Tensor | None,
        return_weights: bool,
    ) -> Tensor | Attended:
        """Heads with relative scores instead of scaled products."""
        T, N = q.shape[-2], k.shape[-2]
        if N < T:
            raise ValueError(
                f"{T} queries cannot be the last of {N} words; relative "
                "attention is self-attention, with a memory or without"
            )
        self._check_causal(mask, T, N)
        weights = masked_softmax(self.scores(q, k), mask)
        found = Attended(weighted_sum(weights, v), weights)
        return found if return_weights else found.output

    def _check_causal(self, mask: Tensor | None, T: int, N: int) -> None:
        if T == 1:  # a single query is the last word: nothing comes after
            return
        if mask is None:
            seen = True
        elif is_hidden(mask):
            return
        else:
            later = ~causal_mask(T, N, device=mask.device)
            seen = bool((mask & later).any())
        if seen:
            raise ValueError(
                "relative attention needs a mask that hides every key after "
                "its query: a distance cannot be negative; combine yours "
                "with causal_mask(T, N)"
            )
