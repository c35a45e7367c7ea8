"""A language model that remembers its last segment (chapter 16).

A long text is read in segments of ``T`` tokens.  Every layer attends to what
it is given for the segment, ``x``, and to the last ``M`` inputs that it was
given for the segments before, its *memory* ``x'``:

.. math:: \\bar x = [\\operatorname{sg}(x');\\, x], \\qquad
   q = W^Q x, \\quad k = W^K \\bar x, \\quad v = W^V \\bar x

(:eq:`eq-lm-memory` of the book; each is layer-normed first).  ``sg`` stops
the gradient: the memory is read, and nothing is learned through it.  Places
cannot be counted from the beginning of a segment any more, so scores depend
on distances, ``nlp_course.attention.relative``.

Shapes: ``B`` texts in a batch, ``T`` tokens, ``K`` inputs in a memory (at
most ``M``), ``N = K + T``, ``D`` features, ``A`` heads, ``V`` ids.

Source: Dai et al., *Transformer-XL: Attentive Language Models beyond a
Fixed-Length Context*, ACL 2019.  The norms stand first here, as in GPT-2.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from nlp_course.attention.core import Attended
from nlp_course.attention.masks import band_mask, causal_mask
from nlp_course.attention.relative import RelativeAttention
from nlp_course.checks import (
    check_dtype,
    check_positive,
    check_share,
    check_tensor,
    shape_of,
)
from nlp_course.transformer import (
    Embedding,
    FeedForward,
    LayerNorm,
    Residual,
)
from nlp_course.transformer.weights import draw

Memory = tuple[Tensor, ...]  # for every layer (B, K, D)


@dataclass(frozen=True)
class TransformerXLConfig:
    """The sizes of a Transformer-XL.

    Raises ``ValueError`` for a value out of its range.
    """

    vocabulary: int  # V, ids that can be read and written
    memory: int = 128  # M, inputs that each layer remembers; 0: none
    width: int = 64  # D, features of a token
    heads: int = 4  # A
    layers: int = 2
    hidden: int | None = None  # units of the feed-forward parts; None: 4 D
    activation: str = "gelu_tanh"  # as in GPT-2
    dropout: float = 0.0  # share dropped of the input and of each change
    eps: float = 1e-5  # of the layer norms
    std: float = 0.02  # deviation of the weights at the start
    shared: bool = True  # one u and one v for all layers, or one for each
    same_length: bool = False  # every token sees exactly M tokens back

    def __post_init__(self) -> None:
        check_positive(
            vocabulary=self.vocabulary,
            width=self.width,
            heads=self.heads,
            layers=self.layers,
        )
        check_share(dropout=self.dropout)
        if isinstance(self.memory, bool) or not (
            isinstance(self.memory, int) and self.memory >= 0
        ):
            raise ValueError(
                "memory must be a whole number from 0, the inputs that each "
                f"layer remembers, not {self.memory!r}"
            )


class MemoryLayer(nn.Module):
    """Relative attention over memory and segment, then feed-forward.

    An encoder layer with the norms first, :eq:`eq-tr-encoder`, but for its
    attention.  ``options`` are dtype and device.
    """

    def __init__(self, config: TransformerXLConfig, **options: Any) -> None:
        super().__init__()
        D = config.width
        hidden = 4 * D if config.hidden is None else config.hidden
        self.attention = RelativeAttention(D, config.heads, **options)
        self.feed_forward = FeedForward(
            D, hidden, activation=config.activation, **options
        )
        ways = {"eps": config.eps, "dropout": config.dropout, **options}
        self.attention_path = Residual(D, **ways)
        self.feed_forward_path = Residual(D, **ways)

    def forward(
        self,
        x: Float[Tensor, "batch T width"],
        memory: Float[Tensor, "batch K width"],
        mask: Bool[Tensor, ...],
    ) -> tuple[
        Float[Tensor, "batch T width"], Float[Tensor, "batch heads T N"]
    ]:
        """A vector for every token of the segment, and the weights.

        ``memory`` is used as it is, gradients and all; ``mask (T, N)`` must
        hide what comes after a token.
        """
        T = x.shape[1]
        words = torch.cat([memory, x], dim=1)  # (B, N, D)
        seen = self.attention_path.enter(words)
        found = self.attention(
            seen[:, -T:], seen, mask=mask, return_weights=True
        )
        assert isinstance(found, Attended)
        x = self.attention_path.join(x, found.output)
        change = self.feed_forward(self.feed_forward_path.enter(x))
        return self.feed_forward_path.join(x, change), found.weights


class TransformerXL(nn.Module):
    """Scores of the next token after every token of a text of any length.

    ``options`` are ``dtype`` and ``device``.  The weights start as those of
    ``GPT``.  ``model.memory`` is ``M``; no weight depends on it, so it may
    be set to another number after training.

    Raises ``ValueError`` for sizes that do not fit.
    """

    def __init__(self, config: TransformerXLConfig, **options: Any) -> None:
        super().__init__()
        self.config, self.memory = config, config.memory
        D = config.width
        self.embedding = Embedding(
            config.vocabulary, D, positions=None, **options
        )
        self.layers = nn.ModuleList(
            MemoryLayer(config, **options) for _ in range(config.layers)
        )
        self.norm = LayerNorm(D, eps=config.eps, **options)
        if config.shared:
            heads: list[Any] = [layer.attention for layer in self.layers]
            for attention in heads[1:]:
                attention.u, attention.v = heads[0].u, heads[0].v
        self.reset_parameters()

    @property
    def longest(self) -> None:
        """The longest context: there is no limit."""
        return

    def reset_parameters(self) -> None:
        """Draw all weights anew, as those of ``GPT``."""
        std = self.config.std
        draw(self, std, onto_path=std / math.sqrt(2 * self.config.layers))

    def forward(
        self,
        ids: Int[Tensor, "batch T"],
        memory: Memory | None = None,
        *,
        keep_gradient: bool = False,
    ) -> tuple[Float[Tensor, "batch T V"], Memory]:
        """Scores ``(B, T, V)`` and the memory for the next segment.

        ``memory`` is what the call for the segment before has returned;
        without it the text begins here.  It is *detached* here, so that
        nothing has to be done between two segments; with ``keep_gradient``
        it is not, and the graph grows with every segment.

        Raises ``ValueError`` for no tokens, ids outside the vocabulary or a
        memory that does not fit; ``TypeError`` for ids that are none.
        """
        states, memory, _ = self._run(ids, memory, keep_gradient)
        return F.linear(states, self.embedding.E), memory

    def attention(
        self, ids: Int[Tensor, "batch T"], memory: Memory | None = None
    ) -> tuple[Float[Tensor, "batch heads T N"], ...]:
        """The weights of every layer and head; the memory comes first."""
        return self._run(ids, memory, False)[2]

    @torch.no_grad()
    def extend(
        self, ids: Int[Tensor, "batch T"], memory: Memory | None = None
    ) -> tuple[Float[Tensor, "batch V"], Memory]:
        """Read ``T`` more tokens; scores of the next one, and the memory.

        As ``forward``, for the last token alone and without gradients: the
        protocol of ``nlp_course.generation``.  With ``same_length``, or as
        long as the memory holds the whole text, it does not matter how the
        text is cut into pieces.
        """
        states, memory, _ = self._run(ids, memory, False)
        return F.linear(states[:, -1], self.embedding.E), memory

    def _run(
        self, ids: Tensor, memory: Memory | None, keep_gradient: bool
    ) -> tuple[Tensor, Memory, tuple[Tensor, ...]]:
        """States ``(B, T, D)``, the new memory and the weights."""
        x: Tensor = self.embedding(ids)  # (B, T, D)
        if self.config.dropout and self.training:
            x = F.dropout(x, self.config.dropout)
        if memory is None:
            memory = (x[:, :0].detach(),) * len(self.layers)
        self._check_memory(memory, x)
        T, K = x.shape[1], memory[0].shape[1]
        if self.config.same_length:
            mask = band_mask(T, K + T, back=self.memory, device=ids.device)
        else:
            mask = causal_mask(T, K + T, device=ids.device)
        kept, weights = [], []
        for layer, before in zip(self.layers, memory, strict=True):
            past = before if keep_gradient else before.detach()
            kept.append(self._remember(past, x, keep_gradient))
            x, found = layer(x, past, mask)
            weights.append(found)
        return self.norm(x), tuple(kept), tuple(weights)

    def _remember(
        self, past: Tensor, x: Tensor, keep_gradient: bool
    ) -> Tensor:
        """The last M of what a layer was given, ``(B, at most M, D)``."""
        given = torch.cat([past, x], dim=1)
        given = given[:, max(given.shape[1] - self.memory, 0) :]
        return given if keep_gradient else given.detach()

    def _check_memory(self, memory: Memory, x: Tensor) -> None:
        if len(memory) != len(self.layers):
            raise ValueError(
                f"memory holds {len(memory)} layers, the model has "
                f"{len(self.layers)}; give what an earlier call returned"
            )
        B, _, D = x.shape
        for past in memory:
            check_tensor("memory", past)
            if past.dim() != 3 or (past.shape[0], past.shape[2]) != (B, D):
                raise ValueError(
                    f"memory must have shape ({B}, K, {D}) in every layer, "
                    f"for {B} texts and {D} features, not {shape_of(past)}"
                )
            check_dtype("memory", past, x.dtype)
        if len({past.shape[1] for past in memory}) > 1:
            lengths = [past.shape[1] for past in memory]
            raise ValueError(
                f"every layer must remember as much as the others, not "
                f"{lengths} inputs"
            )
