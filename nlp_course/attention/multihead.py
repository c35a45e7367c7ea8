"""Attention with several heads (chapter 11, ``11_multi_head_attention``).

``A`` heads of size ``d`` look at the same words, each through queries, keys
and values of its own.  All queries come out of one product with ``W_Q``,
whose rows are the rows of head 1, then those of head 2, and so on; the same
holds for keys and values.  What the heads found is written one behind the
other and joined by ``W_O``:

.. math::

   \\bar v_t^{(a)} = \\sum_i \\alpha_{ti}^{(a)} v_i^{(a)}, \\qquad
   o_t = W^O \\,[\\bar v_t^{(1)}; \\dots; \\bar v_t^{(A)}]
       = \\sum_{a=1}^{A} W^{O(a)} \\bar v_t^{(a)}

(:eq:`eq-heads-one`, :eq:`eq-heads-join` and :eq:`eq-heads-sum` of the book).

Shapes: ``B`` sequences in a batch, ``T`` queries, ``N`` keys and values (in
self-attention ``N = T``), ``D`` features of a word.

Source: Vaswani et al., *Attention Is All You Need*, NeurIPS 2017, section
3.2.2.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import Any, Self

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from nlp_course.attention.cache import KeyValueCache
from nlp_course.attention.core import Attended, check_mask
from nlp_course.attention.scaled import scaled_dot_product_attention
from nlp_course.checks import (
    check_dtype,
    check_positive,
    check_tensor,
    shape_of,
)


def split_heads(
    x: Float[Tensor, "*batch time features"], heads: int
) -> Float[Tensor, "*batch heads time size"]:
    """Slices of the features, one for each head, :eq:`eq-heads-slices`.

    ``(..., T, A·d)`` becomes ``(..., A, T, d)``: head ``a`` gets the
    features ``a·d`` to ``(a+1)·d - 1`` of *every* word.

    Raises ``ValueError`` if the features cannot be divided among the heads.
    """
    check_positive(heads=heads)
    check_tensor("x", x)
    if x.dim() < 2 or x.shape[-1] == 0 or x.shape[-1] % heads:
        raise ValueError(
            f"x must have shape (..., words, features) with features that "
            f"{heads} heads can share equally, not {shape_of(x)}"
        )
    slices: Tensor = x.unflatten(-1, (heads, -1))  # (..., T, A, d)
    return slices.transpose(-3, -2)


def join_heads(
    x: Float[Tensor, "*batch heads time size"],
) -> Float[Tensor, "*batch time features"]:
    """The heads' vectors one behind the other: undoes ``split_heads``.

    ``(..., A, T, d)`` becomes ``(..., T, A·d)``.  Raises ``ValueError`` for
    fewer than three axes.
    """
    check_tensor("x", x)
    if x.dim() < 3:
        raise ValueError(
            f"x must have the axes (..., heads, words, features), "
            f"not shape {shape_of(x)}"
        )
    joined: Tensor = x.transpose(-3, -2).flatten(-2)
    return joined


class MultiHeadAttention(nn.Module):
    """Self- or cross-attention with several heads, :eq:`eq-heads-join`.

    ``width`` is the number of features ``D`` of a word, ``heads`` the number
    ``A`` of heads, ``size`` the number ``d`` of entries of a query, a key
    and a value of one head, ``D / A`` if not given.  The weights are
    ``W_Q``, ``W_K`` and ``W_V (A·d, D)`` and ``W_O (D, A·d)``, and with
    ``bias`` the vectors ``b_Q``, ``b_K``, ``b_V (A·d,)`` and ``b_O (D,)``.

    Raises ``ValueError`` for a size that is not a positive integer, or if
    ``width`` cannot be divided by ``heads`` and no ``size`` is given.
    """

    W_Q: nn.Parameter
    W_K: nn.Parameter
    W_V: nn.Parameter
    W_O: nn.Parameter
    b_Q: nn.Parameter | None
    b_K: nn.Parameter | None
    b_V: nn.Parameter | None
    b_O: nn.Parameter | None

    def __init__(
        self,
        width: int,
        heads: int,
        *,
        size: int | None = None,
        bias: bool = True,
        **options: Any,
    ) -> None:
        super().__init__()
        check_positive(width=width, heads=heads)
        if size is None:
            if width % heads:
                raise ValueError(
                    f"{heads} heads cannot share {width} features equally; "
                    "choose a width that is a multiple of heads, or give "
                    "the size of a head"
                )
            size = width // heads
        check_positive(size=size)
        self.heads, self.size = heads, size
        inner = heads * size  # A·d
        for name in "QKVO":
            shape = (width, inner) if name == "O" else (inner, width)
            weight = nn.Parameter(torch.empty(shape, **options))
            offset = torch.empty(shape[0], **options) if bias else None
            setattr(self, f"W_{name}", weight)
            self.register_parameter(
                f"b_{name}", None if offset is None else nn.Parameter(offset)
            )
        self.reset_parameters()

    @property
    def width(self) -> int:
        """The number of features ``D`` of a word."""
        return self.W_O.shape[0]

    def reset_parameters(self) -> None:
        """Draw weights uniformly from ±1/√(their columns); biases are 0."""
        for weight in self.parameters():
            if weight.dim() == 2:
                bound = 1 / math.sqrt(weight.shape[1])
                nn.init.uniform_(weight, -bound, bound)
            else:
                nn.init.zeros_(weight)

    @classmethod
    def from_torch(cls, theirs: nn.MultiheadAttention) -> Self:
        """The same function with copies of PyTorch's weights.

        PyTorch keeps the rows of queries, keys and values below one another,
        in this order.  Its dropout is not taken over.

        Mind two differences in calling: here the batch always comes first,
        and a mask is True where attention is *allowed*, while PyTorch's
        module wants True where it is *forbidden*.

        Raises ``TypeError`` for another kind of module and ``ValueError``
        for one with ``kdim``, ``vdim``, ``add_bias_kv`` or ``add_zero_attn``.
        """
        if not isinstance(theirs, nn.MultiheadAttention):
            kind = type(theirs).__name__
            raise TypeError(f"expected a nn.MultiheadAttention, not {kind}")
        if theirs.in_proj_weight is None:
            raise ValueError("kdim and vdim must be those of the queries")
        if theirs.bias_k is not None or theirs.add_zero_attn:
            raise ValueError(
                "add_bias_kv and add_zero_attn have no counterpart here"
            )
        weights = [*theirs.in_proj_weight.chunk(3), theirs.out_proj.weight]
        offsets: list[Tensor] = []
        if theirs.in_proj_bias is not None:
            offsets = [*theirs.in_proj_bias.chunk(3), theirs.out_proj.bias]
        ours = cls(
            theirs.embed_dim,
            theirs.num_heads,
            bias=bool(offsets),
            dtype=weights[0].dtype,
            device=weights[0].device,
        )
        with torch.no_grad():
            for name, weight in zip("QKVO", weights, strict=True):
                getattr(ours, f"W_{name}").copy_(weight)
            for name, offset in zip("QKVO", offsets, strict=False):
                getattr(ours, f"b_{name}").copy_(offset)
        return ours

    def with_heads(self, chosen: Sequence[int]) -> MultiHeadAttention:
        """A copy with these heads only, in this order (counted from 0).

        A head that is left out adds nothing to the sum :eq:`eq-heads-sum`;
        the copy has fewer weights and the same ``width``.

        Raises ``ValueError`` for no heads, a head that does not exist, or
        the same head twice.
        """
        names = list(range(self.heads))
        if not chosen or len(set(chosen).intersection(names)) < len(chosen):
            raise ValueError(
                f"choose different heads from 0 to {self.heads - 1}, "
                f"not {list(chosen)}"
            )
        rows = torch.arange(self.heads * self.size).view(self.heads, -1)
        rows = rows[list(chosen)].flatten()  # of W_Q, W_K and W_V
        fewer = copy.deepcopy(self)
        fewer.heads = len(chosen)
        for name, weight in self.named_parameters():
            if name != "b_O":
                kept = weight[:, rows] if name == "W_O" else weight[rows]
                setattr(fewer, name, nn.Parameter(kept.detach().clone()))
        return fewer

    def forward(
        self,
        queries: Float[Tensor, "batch queries width"],
        keys: Float[Tensor, "batch keys width"] | None = None,
        values: Float[Tensor, "batch keys width"] | None = None,
        mask: Bool[Tensor, ...] | None = None,
        *,
        cache: KeyValueCache | None = None,
        return_weights: bool = False,
    ) -> Tensor | Attended:
        """A vector for every query: ``(B, T, D)``.

        ``queries (B, T, D)`` alone: self-attention.  With ``keys (B, N, D)``
        queries attend to other words (cross-attention); ``values (B, N, D)``
        are the keys' words unless given.

        ``mask`` is True where attention is allowed.  ``(T, N)`` or
        ``(B, T, N)`` holds for all heads, ``(B, A, T, N)`` for each head;
        any axis may be 1.  Where nothing is allowed the sum over the heads
        is 0.

        ``cache`` holds keys and values of earlier words: the queries attend
        to them too, and those of the words in ``keys`` are added to it.
        ``N`` then counts all of them.

        With ``return_weights`` the result is ``Attended(output, weights)``
        with the weights of every head, ``(B, A, T, N)``; without it PyTorch
        computes the same output in one fused operation.

        Raises ``ValueError`` or ``TypeError`` for shapes or dtypes that do
        not fit.
        """
        if keys is None:
            if values is not None:
                raise ValueError("values without keys: give both, or neither")
            keys = queries
        values = keys if values is None else values
        self._check(queries, keys, values)
        q = split_heads(F.linear(queries, self.W_Q, self.b_Q), self.heads)
        k = split_heads(F.linear(keys, self.W_K, self.b_K), self.heads)
        v = split_heads(F.linear(values, self.W_V, self.b_V), self.heads)
        if cache is not None:
            k, v = cache.append(k, v)
        if mask is not None:  # q (B, A, T, d), k and v (B, A, N, d)
            mask = self._for_heads(mask, queries, k.shape[-2])
        found = self._attend(q, k, v, mask, return_weights)
        context = found.output if isinstance(found, Attended) else found
        output = F.linear(join_heads(context), self.W_O, self.b_O)
        if isinstance(found, Attended):
            return Attended(output, found.weights)
        return output

    def _attend(
        self,
        q: Tensor,
        k: Tensor,
        v: Tensor,
        mask: Tensor | None,
        return_weights: bool,
    ) -> Tensor | Attended:
        """The heads one by one; where another kind of score can stand in."""
        return scaled_dot_product_attention(
            q, k, v, mask, return_weights=return_weights
        )

    def _for_heads(self, mask: Tensor, queries: Tensor, N: int) -> Tensor:
        """The mask with an axis for the heads, ``(B, A, T, N)`` or 1s."""
        check_tensor("mask", mask)
        B, T = queries.shape[:2]
        fitted = mask.unsqueeze(1) if mask.dim() == 3 else mask
        scores = torch.empty(B, self.heads, T, N, device="meta")
        try:
            check_mask(fitted, scores)
        except ValueError:
            raise ValueError(
                f"mask of shape {shape_of(mask)} does not fit {T} queries "
                f"and {N} keys; it must have shape {(T, N)}, {(B, T, N)} or, "
                f"with an axis for the heads, {(B, self.heads, T, N)}, where "
                "any axis may be 1"
            ) from None
        return fitted

    def _check(self, queries: Tensor, keys: Tensor, values: Tensor) -> None:
        named = {"queries": queries, "keys": keys, "values": values}
        for name, x in named.items():
            check_tensor(name, x)
            if x.dim() != 3 or x.shape[-1] != self.width:
                raise ValueError(
                    f"{name} must have shape (batch, words, {self.width}), "
                    f"not {shape_of(x)}"
                )
            if 0 in x.shape:
                raise ValueError(
                    f"{name} are empty: shape {shape_of(x)}; attention needs "
                    "at least one word"
                )
            check_dtype(name, x, self.W_O.dtype)
        if queries.shape[0] != keys.shape[0] or keys.shape != values.shape:
            shapes = ", ".join(shape_of(x) for x in named.values())
            raise ValueError(
                "queries, keys and values need one batch size, and keys and "
                f"values as many words; they have shapes {shapes}"
            )
