"""A transformer that translates (chapter 13, ``13_transformer``).

It obeys the protocol of ``nlp_course.decoding``, so that everything written
for the models of chapters 08 and 09 works with it.

Shapes: ``B`` sentences, ``N`` source words, ``T`` target words with the end
mark, ``D`` features, ``A`` heads, ``V`` target ids.

Source: Vaswani et al., *Attention Is All You Need*, NeurIPS 2017.  Ours is
smaller, has its norms first unless asked otherwise, no dropout, and a
readout with weights of its own.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from nlp_course.attention.masks import padding_mask
from nlp_course.checks import check_lengths
from nlp_course.transformer.stacks import Decoder, Embedding, Encoder


class TransformerState(NamedTuple):
    """All that the decoder knows: batch first, so that rows can be taken.

    ``memory`` and ``mask`` are the encoder's and stay; ``past`` grows by a
    word at every step, one tensor for each layer.
    """

    memory: Float[Tensor, "batch N width"]
    mask: Bool[Tensor, "batch 1 N"]
    past: tuple[Float[Tensor, "batch kept width"], ...]


class TransformerOutput(NamedTuple):
    """Scores of the words, and the weights of every layer."""

    logits: Float[Tensor, "batch T V"]
    encoder_weights: tuple[Float[Tensor, "batch heads N N"], ...]
    self_weights: tuple[Float[Tensor, "batch heads T T"], ...]
    cross_weights: tuple[Float[Tensor, "batch heads T N"], ...]


class Transformer(nn.Module):
    """Encoder and decoder of the same number of layers, and a readout.

    ``hidden`` is the number of units of the feed-forward parts, ``4 * width``
    if not given; ``norm_first`` and ``activation`` as for ``EncoderLayer``,
    ``positions`` and ``longest`` as for ``Embedding``.

    Raises ``ValueError`` for sizes that do not fit.
    """

    def __init__(
        self,
        source_vocabulary: int,
        target_vocabulary: int,
        *,
        width: int = 64,
        heads: int = 4,
        hidden: int | None = None,
        layers: int = 1,
        norm_first: bool = True,
        activation: str = "relu",
        positions: str | None = "sinusoidal",
        longest: int | None = None,
        **options: Any,
    ) -> None:
        super().__init__()
        where: dict[str, Any] = {
            "positions": positions,
            "longest": longest,
            **options,
        }
        what: dict[str, Any] = {
            "hidden": hidden,
            "norm_first": norm_first,
            "activation": activation,
            **options,
        }
        self.embed_source = Embedding(source_vocabulary, width, **where)
        self.embed_target = Embedding(target_vocabulary, width, **where)
        self.encoder = Encoder(width, heads, layers, **what)
        self.decoder = Decoder(width, heads, layers, **what)
        self.readout = nn.Linear(width, target_vocabulary, **options)

    def encode(
        self, source: Int[Tensor, "batch N"], lengths: Int[Tensor, " batch"]
    ) -> TransformerState:
        """Read the source; padding has no influence.

        Raises ``ValueError`` for a wrong shape, an id outside the vocabulary
        or a length outside 1 to ``N``; ``TypeError`` for a wrong dtype.
        """
        x = self.embed_source(source)  # (B, N, D)
        B, N = source.shape
        check_lengths(lengths, batch=B, time=N)
        mask = padding_mask(lengths, N)  # (B, 1, N)
        memory = self.encoder(x, mask).states
        return TransformerState(memory, mask, self._no_words(memory))

    def step(
        self, last: Int[Tensor, " batch"], state: TransformerState
    ) -> tuple[Float[Tensor, "batch V"], TransformerState]:
        """The scores of the next word, given the last one."""
        start = state.past[0].shape[1]
        x = self.embed_target(last.unsqueeze(1), start)  # (B, 1, D)
        found = self.decoder(x, state.memory, state.mask, past=state.past)
        logits = self.readout(found.states)  # (B, 1, V)
        return logits[:, 0], state._replace(past=found.past)

    def forward(
        self,
        source: Int[Tensor, "batch N"],
        lengths: Int[Tensor, " batch"],
        target_in: Int[Tensor, "batch T"],
    ) -> Float[Tensor, "batch T V"]:
        """Teacher forcing: scores at every step, all at once.

        Padding of the target needs no mask: it comes after the real words,
        which cannot see it.
        """
        memory, mask, _ = self.encode(source, lengths)
        x = self.embed_target(target_in)  # (B, T, D)
        logits: Tensor = self.readout(self.decoder(x, memory, mask).states)
        return logits

    def attention(
        self,
        source: Int[Tensor, "batch N"],
        lengths: Int[Tensor, " batch"],
        target_in: Int[Tensor, "batch T"],
    ) -> TransformerOutput:
        """Teacher forcing, with the weights of every layer and head."""
        mask = self.encode(source, lengths).mask
        read = self.encoder(
            self.embed_source(source), mask, return_weights=True
        )
        wrote = self.decoder(
            self.embed_target(target_in),
            read.states,
            mask,
            return_weights=True,
        )
        return TransformerOutput(
            self.readout(wrote.states),
            read.weights,
            wrote.self_weights,
            wrote.cross_weights,
        )

    def _no_words(self, memory: Tensor) -> tuple[Tensor, ...]:
        """The past of every layer before the first word."""
        return (memory[:, :0],) * len(self.decoder.layers)
