"""The two kinds of layer (chapter 13, ``13_transformer``).

An *encoder layer* is self-attention and a feed-forward part; a *decoder
layer* has cross-attention between the two.  A residual path leads past each
part, and a layer norm stands on the way: before the part (*pre-norm*) or
after the sum (*post-norm*):

.. math:: x + f(\\operatorname{LN}(x)) \\qquad \\text{or} \\qquad
   \\operatorname{LN}(x + f(x))

(:eq:`eq-tr-pre` and :eq:`eq-tr-post` of the book).

Shapes: ``B`` sentences in a batch, ``T`` words, ``N`` words of the source in
cross-attention, ``D`` features of a word, ``A`` heads.

Sources: Vaswani et al., *Attention Is All You Need*, NeurIPS 2017, section
3.1 (post-norm); Xiong et al., *On Layer Normalization in the Transformer
Architecture*, ICML 2020 (both, compared).
"""

from __future__ import annotations

from typing import Any, NamedTuple, Self

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from nlp_course.attention.cache import KeyValueCache
from nlp_course.attention.core import Attended
from nlp_course.attention.multihead import MultiHeadAttention
from nlp_course.checks import check_tensor, shape_of
from nlp_course.transformer.feed_forward import FeedForward
from nlp_course.transformer.norm import EPSILON, LayerNorm
from nlp_course.transformer.residual import Residual
from nlp_course.transformer.weights import (
    copy_feed_forward,
    layer_options,
)


class EncoderLayerOutput(NamedTuple):
    """What an encoder layer returns when the weights are asked for."""

    states: Float[Tensor, "batch T width"]
    weights: Float[Tensor, "batch heads T T"]


class DecoderLayerOutput(NamedTuple):
    """What a decoder layer returns when the weights are asked for."""

    states: Float[Tensor, "batch T width"]
    self_weights: Float[Tensor, "batch heads T keys"]
    cross_weights: Float[Tensor, "batch heads T N"]


class EncoderLayer(nn.Module):
    """Self-attention, then the feed-forward part, :eq:`eq-tr-encoder`.

    ``width`` is the number of features ``D``, ``heads`` that of the heads,
    ``hidden`` the number of units of the feed-forward part, ``4 * width`` if
    not given.  ``eps`` is that of the norms, ``dropout`` the share of each
    change that is dropped in training.  With a causal mask the same layer is
    what GPT is made of (chapter 15).

    Raises ``ValueError`` for sizes that do not fit.
    """

    def __init__(
        self,
        width: int,
        heads: int,
        *,
        hidden: int | None = None,
        norm_first: bool = True,
        activation: str = "relu",
        eps: float = EPSILON,
        dropout: float = 0.0,
        **options: Any,
    ) -> None:
        super().__init__()
        hidden = 4 * width if hidden is None else hidden
        self.width = width
        self.attention: nn.Module = MultiHeadAttention(width, heads, **options)
        self.feed_forward: nn.Module = FeedForward(
            width, hidden, activation=activation, **options
        )
        for name in ("attention_path", "feed_forward_path"):
            path = Residual(
                width,
                norm_first=norm_first,
                eps=eps,
                dropout=dropout,
                **options,
            )
            setattr(self, name, path)

    attention_path: Residual
    feed_forward_path: Residual

    @classmethod
    def from_torch(cls, theirs: nn.TransformerEncoderLayer) -> Self:
        """The same function with copies of PyTorch's weights.

        Its dropout is not taken over, and masks mean the opposite there:
        True where attention is *forbidden*.

        Raises ``TypeError`` for another kind of module and ``ValueError``
        for one without biases or with an activation unknown here.
        """
        if not isinstance(theirs, nn.TransformerEncoderLayer):
            kind = type(theirs).__name__
            raise TypeError(
                f"expected a nn.TransformerEncoderLayer, not {kind}"
            )
        ours = cls(**layer_options(theirs))
        ours.attention = MultiHeadAttention.from_torch(theirs.self_attn)
        copy_feed_forward(ours.feed_forward, theirs)
        ours.attention_path.norm = LayerNorm.from_torch(theirs.norm1)
        ours.feed_forward_path.norm = LayerNorm.from_torch(theirs.norm2)
        return ours

    def forward(
        self,
        x: Float[Tensor, "batch T width"],
        mask: Bool[Tensor, ...] | None = None,
        *,
        cache: KeyValueCache | None = None,
        return_weights: bool = False,
    ) -> Tensor | EncoderLayerOutput:
        """A vector for every word: ``(B, T, D)``.

        ``mask`` is True where attention is allowed, ``(T, T)``, ``(B, T, T)``
        or ``(B, A, T, T)``, where any axis may be 1.  ``cache`` holds keys
        and values of the words before ``x``, which are attended to as well;
        the last axis of the mask counts them.  With ``return_weights``
        the result is ``EncoderLayerOutput(states, weights (B, A, T, T))``.

        Raises ``ValueError`` or ``TypeError`` for shapes or dtypes that do
        not fit.
        """
        check_words("x", x, self.width)
        seen = self.attention_path.enter(x)
        change, weights = _attend(
            self.attention, seen, seen, mask, return_weights, cache
        )
        x = self.attention_path.join(x, change)
        change = self.feed_forward(self.feed_forward_path.enter(x))
        x = self.feed_forward_path.join(x, change)
        return x if weights is None else EncoderLayerOutput(x, weights)


class DecoderLayer(nn.Module):
    """Self-attention, cross-attention, feed-forward, :eq:`eq-tr-decoder`.

    In self-attention queries, keys and values all come from the decoder; in
    cross-attention the queries do, and keys and values come from the states
    of the encoder, the *memory*.  Arguments as for ``EncoderLayer``.
    """

    def __init__(
        self,
        width: int,
        heads: int,
        *,
        hidden: int | None = None,
        norm_first: bool = True,
        activation: str = "relu",
        eps: float = EPSILON,
        dropout: float = 0.0,
        **options: Any,
    ) -> None:
        super().__init__()
        hidden = 4 * width if hidden is None else hidden
        self.width = width
        self.attention: nn.Module = MultiHeadAttention(width, heads, **options)
        self.cross_attention: nn.Module = MultiHeadAttention(
            width, heads, **options
        )
        self.feed_forward: nn.Module = FeedForward(
            width, hidden, activation=activation, **options
        )
        for name in ("attention_path", "cross_path", "feed_forward_path"):
            path = Residual(
                width,
                norm_first=norm_first,
                eps=eps,
                dropout=dropout,
                **options,
            )
            setattr(self, name, path)

    attention_path: Residual
    cross_path: Residual
    feed_forward_path: Residual

    @classmethod
    def from_torch(cls, theirs: nn.TransformerDecoderLayer) -> Self:
        """The same function with copies of PyTorch's weights.

        See ``EncoderLayer.from_torch``.
        """
        if not isinstance(theirs, nn.TransformerDecoderLayer):
            kind = type(theirs).__name__
            raise TypeError(
                f"expected a nn.TransformerDecoderLayer, not {kind}"
            )
        ours = cls(**layer_options(theirs))
        copy = MultiHeadAttention.from_torch
        ours.attention = copy(theirs.self_attn)
        ours.cross_attention = copy(theirs.multihead_attn)
        copy_feed_forward(ours.feed_forward, theirs)
        ours.attention_path.norm = LayerNorm.from_torch(theirs.norm1)
        ours.cross_path.norm = LayerNorm.from_torch(theirs.norm2)
        ours.feed_forward_path.norm = LayerNorm.from_torch(theirs.norm3)
        return ours

    def forward(
        self,
        x: Float[Tensor, "batch T width"],
        memory: Float[Tensor, "batch N width"],
        mask: Bool[Tensor, ...] | None = None,
        memory_mask: Bool[Tensor, ...] | None = None,
        *,
        past: Float[Tensor, "batch kept width"] | None = None,
        return_weights: bool = False,
    ) -> Tensor | DecoderLayerOutput:
        """A vector for every word of the target: ``(B, T, D)``.

        ``mask`` says which words of the target a word may attend to,
        ``memory_mask`` which words of the source; without ``mask`` all of
        them: this layer does not know what is causal.  ``past`` holds what
        the layer was given for the words before ``x``: they are attended
        to, not computed again.  With ``return_weights`` the result is
        ``DecoderLayerOutput(states, self_weights, cross_weights)``.

        Raises ``ValueError`` or ``TypeError`` for shapes or dtypes that do
        not fit.
        """
        T = self._check(x, memory, past)
        words = x if past is None else torch.cat([past, x], dim=1)
        seen = self.attention_path.enter(words)
        change, own = _attend(
            self.attention, seen[:, -T:], seen, mask, return_weights
        )
        x = self.attention_path.join(x, change)
        # queries from the decoder, keys and values from the encoder
        change, cross = _attend(
            self.cross_attention,
            self.cross_path.enter(x),
            memory,
            memory_mask,
            return_weights,
        )
        x = self.cross_path.join(x, change)
        change = self.feed_forward(self.feed_forward_path.enter(x))
        x = self.feed_forward_path.join(x, change)
        if own is None or cross is None:
            return x
        return DecoderLayerOutput(x, own, cross)

    def _check(self, x: Tensor, memory: Tensor, past: Tensor | None) -> int:
        """The number of new words, once all shapes are right."""
        check_words("x", x, self.width)
        check_words("memory", memory, self.width)
        if past is not None:
            check_words("past", past, self.width, empty=True)
        for name, other in (("memory", memory), ("past", past)):
            if other is not None and len(other) != len(x):
                raise ValueError(
                    f"{name} holds {len(other)} sentences (shape "
                    f"{shape_of(other)}), x holds {len(x)}"
                )
        return x.shape[1]


def check_words(
    name: str, x: Tensor, width: int, *, empty: bool = False
) -> None:
    """``ValueError`` unless ``x`` is ``(batch, words, width)``."""
    check_tensor(name, x)
    if x.dim() != 3 or x.shape[-1] != width:
        raise ValueError(
            f"{name} must have shape (batch, words, {width}), not "
            f"{shape_of(x)}"
        )
    if not empty and 0 in x.shape:
        raise ValueError(
            f"{name} is empty: shape {shape_of(x)}; at least one sentence of "
            "at least one word is needed"
        )


def _attend(
    attention: nn.Module,
    queries: Tensor,
    keys: Tensor,
    mask: Tensor | None,
    return_weights: bool,
    cache: KeyValueCache | None = None,
) -> tuple[Tensor, Tensor | None]:
    """Output and, if asked for, weights of an attention."""
    # a part that stands in for an attention need not know caches
    kept = {} if cache is None else {"cache": cache}
    found = attention(
        queries, keys, mask=mask, return_weights=return_weights, **kept
    )
    if isinstance(found, Attended):
        return found.output, found.weights
    return found, None
