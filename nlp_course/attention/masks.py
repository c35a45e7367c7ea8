"""Who may look at whom (chapter 12, ``12_masked_attention``).

A mask says for every query ``t`` and every key ``i`` whether ``t`` may attend
to ``i``.  It is a tensor of booleans, **True where attention is allowed**,
and broadcasts to the shape ``(..., T, N)`` of the scores.  Two kinds are all
that most chapters need (``band_mask`` serves chapter 16):

.. math:: m^{\\text{pad}}_{b,i} = [\\, i \\le n_b \\,], \\qquad
   m^{\\text{causal}}_{t,i} = [\\, i \\le t \\,]

(:eq:`eq-mask-padding` and :eq:`eq-mask-causal` of the book, steps counted
from 1; :math:`n_b` is the length of sequence ``b``.)  ``masked_softmax`` of
``nlp_course.attention.core`` applies them, :eq:`eq-mask-softmax`.

PyTorch has both conventions.  ``F.scaled_dot_product_attention`` takes a
mask as ours.  ``nn.MultiheadAttention`` takes the opposite, True where
attention is *hidden*; ``as_key_padding_mask`` and ``as_attn_mask`` are named
after the arguments that their results are meant for.

Shapes: ``B`` sequences in a batch, ``T`` queries, ``N`` keys.

Source: Vaswani et al., *Attention Is All You Need*, NeurIPS 2017, section
3.2.3.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from nlp_course.checks import (
    check_lengths,
    check_positive,
    check_tensor,
    shape_of,
)


def padding_mask(
    lengths: Int[Tensor, " batch"], N: int
) -> Bool[Tensor, "batch 1 keys"]:
    """True for the keys that are words, False for padding: ``(B, 1, N)``.

    The axis of the queries is 1: padding is hidden from *every* query, of
    padding too, :eq:`eq-mask-padding`.  For ``(B, A, T, N)`` scores of ``A``
    heads add one axis more, ``mask.unsqueeze(1)``.

    Raises ``ValueError`` if a length is below 1 or above ``N``,
    ``TypeError`` if the lengths are no integers.
    """
    check_positive(N=N)
    check_tensor("lengths", lengths)
    check_lengths(lengths, batch=lengths.numel(), time=N)
    keys = torch.arange(N, device=lengths.device)
    # m_bi = [i <= n_b], keys counted from 0 here
    return keys < lengths[:, None, None]  # (B, 1, N)


def causal_mask(
    T: int, N: int | None = None, *, device: torch.device | str | None = None
) -> Bool[Tensor, "queries keys"]:
    """True where a key is not later than the query: ``(T, N)``.

    With ``N = T``, as if none is given, query ``t`` may attend to the keys
    ``1`` to ``t``, itself included, :eq:`eq-mask-causal`.  With more keys
    than queries the queries are the *last* ``T`` of ``N`` words: so it is
    when the first ``N - T`` keys were kept from earlier steps.  (PyTorch's
    ``is_causal=True`` agrees for ``N = T`` only: it takes the queries to be
    the *first* ``T`` words.)

    Raises ``ValueError`` for sizes that are not positive integers or fewer
    keys than queries.
    """
    N = T if N is None else N
    check_positive(T=T, N=N)
    if N < T:
        raise ValueError(
            f"a causal mask for T={T} queries needs at least as many keys, "
            f"not N={N}: the first {T - N} queries would see nothing"
        )
    everything = torch.ones(T, N, dtype=torch.bool, device=device)
    # m_ti = [i <= t]; query t is word t + N - T
    return everything.tril(N - T)  # (T, N)


def band_mask(
    T: int,
    N: int | None = None,
    *,
    back: int,
    device: torch.device | str | None = None,
) -> Bool[Tensor, "queries keys"]:
    """A causal mask that ends ``back`` words before the query: ``(T, N)``.

    Every query sees itself and the ``back`` words before it,
    :eq:`eq-lm-band`.  The queries are the last ``T`` of ``N`` words, as for
    ``causal_mask``.

    Raises ``ValueError`` for sizes that do not fit or a negative ``back``.
    """
    if isinstance(back, bool) or not isinstance(back, int) or back < 0:
        raise ValueError(f"back must be a whole number from 0, not {back!r}")
    mask = causal_mask(T, N, device=device)
    return mask.triu(mask.shape[1] - T - back)


def combine(*masks: Bool[Tensor, ...]) -> Bool[Tensor, ...]:
    """True where *every* mask allows attention; shapes are broadcast.

    ``combine(causal_mask(T), padding_mask(lengths, T))`` has the shape
    ``(B, T, T)``.

    Raises ``ValueError`` for no masks or shapes that do not fit,
    ``TypeError`` for anything but tensors of booleans.
    """
    if not masks:
        raise ValueError("combine needs at least one mask")
    for place, mask in enumerate(masks):
        _check_allowed(f"mask {place}", mask)
    try:
        torch.broadcast_shapes(*(mask.shape for mask in masks))
    except RuntimeError:
        shapes = ", ".join(shape_of(mask) for mask in masks)
        raise ValueError(
            f"masks of the shapes {shapes} do not fit together; all must "
            "end in (queries, keys), where each may be 1"
        ) from None
    allowed, *rest = masks
    for mask in rest:
        allowed = allowed & mask
    return allowed


def as_key_padding_mask(
    mask: Bool[Tensor, "batch 1 keys"],
) -> Bool[Tensor, "batch keys"]:
    """For ``nn.MultiheadAttention(..., key_padding_mask=...)``.

    A ``padding_mask (B, 1, N)`` becomes ``(B, N)``, **True where a key is
    hidden**.

    Raises ``ValueError`` for a mask that differs from query to query.
    """
    _check_allowed("mask", mask)
    if mask.dim() != 3 or mask.shape[1] != 1:
        raise ValueError(
            "a key_padding_mask is one row for each sequence: give a mask "
            f"of shape (batch, 1, keys), not {shape_of(mask)}; a mask with "
            "a row for each query is for as_attn_mask"
        )
    return ~mask[:, 0]


def as_attn_mask(
    mask: Bool[Tensor, "*batch queries keys"], heads: int = 1
) -> Bool[Tensor, "*batch_heads queries keys"]:
    """For ``nn.MultiheadAttention(..., attn_mask=...)``.

    **True where attention is hidden.**  A mask ``(T, N)`` keeps its shape;
    ``(B, T, N)`` becomes ``(B * heads, T, N)``, each sequence repeated for
    all of its heads, as that layer asks.

    Raises ``ValueError`` for any other number of axes.
    """
    check_positive(heads=heads)
    _check_allowed("mask", mask)
    if mask.dim() == 2:
        return ~mask
    if mask.dim() != 3:
        raise ValueError(
            "attn_mask has the shape (queries, keys) or (batch, queries, "
            f"keys) before it is repeated for the heads, not {shape_of(mask)}"
        )
    return (~mask).repeat_interleave(heads, dim=0)


def _check_allowed(name: str, mask: Tensor) -> None:
    check_tensor(name, mask)
    if mask.dtype != torch.bool:
        raise TypeError(
            f"{name} must hold booleans, True where attention is allowed, "
            f"not {mask.dtype}"
        )
