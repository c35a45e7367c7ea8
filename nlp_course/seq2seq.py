"""Encoder and decoder: one sequence in, another out (chapter 08).

An *encoder* reads the source x_1 ... x_N and hands its last states to a
*decoder*, which is a language model of the target: it gives the
probability of every next word, and starts from these states.

.. math::

   p(w_1, \\dots, w_T \\mid x) = \\prod_{t=1}^{T} p(w_t \\mid w_{<t}, x),
   \\qquad w_0 = \\langle s\\rangle, \\quad w_T = \\langle /s\\rangle

Shapes: ``B`` sentences, ``N`` source words, ``T`` target words with the end
mark, ``E`` numbers an embedding, ``H`` hidden units, ``V`` target ids.

The recurrence is ``torch.nn.LSTM``, which chapter 05 showed to be ours; it
needs no loop in Python.

Source: Sutskever, Vinyals and Le, *Sequence to Sequence Learning with
Neural Networks*, NeurIPS 2014; Cho et al., *Learning Phrase Representations
using RNN Encoder-Decoder*, EMNLP 2014.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from nlp_course.checks import (
    check_ids,
    check_lengths,
    check_positive,
    check_tensor,
    shape_of,
)
from nlp_course.decoding import Decoded, beam_search, greedy

__all__ = [
    "Decoded",
    "Decoder",
    "Encoded",
    "Encoder",
    "Seq2Seq",
    "State",
    "beam_search",
    "greedy",
    "sentence_losses",
    "translation_loss",
]


class State(NamedTuple):
    """All that the decoder knows: batch first, so that rows can be taken."""

    h: Float[Tensor, "batch hidden"]
    c: Float[Tensor, "batch hidden"]


class Encoded(NamedTuple):
    """What the encoder makes of a source.

    ``states`` are zero on padding; ``mask`` is True on real words; ``last``
    are the states after the last real word.
    """

    states: Float[Tensor, "batch N hidden"]
    mask: Bool[Tensor, "batch N"]
    last: State


class Encoder(nn.Module):
    """Embeddings and an LSTM over the source.

    ``bidirectional``: a second LSTM reads from the end to the beginning,
    each has ``hidden / 2`` units, and their states are joined, so that the
    shapes stay the same.

    Raises ``ValueError`` for a size below 1, or an odd ``hidden`` with two
    directions.
    """

    def __init__(
        self,
        vocabulary: int,
        embedding: int,
        hidden: int,
        *,
        bidirectional: bool = False,
    ) -> None:
        super().__init__()
        check_positive(
            vocabulary=vocabulary, embedding=embedding, hidden=hidden
        )
        if bidirectional and hidden % 2:
            raise ValueError(
                f"hidden must be even for two directions, not {hidden}"
            )
        self.embed = nn.Embedding(vocabulary, embedding)
        self.lstm = nn.LSTM(
            embedding,
            hidden // 2 if bidirectional else hidden,
            batch_first=True,
            bidirectional=bidirectional,
        )

    def forward(
        self, source: Int[Tensor, "batch N"], lengths: Int[Tensor, " batch"]
    ) -> Encoded:
        """Read ``source (B, N)``; padding has no influence.

        Raises ``ValueError`` for an empty source, a wrong shape, an id
        outside the vocabulary or a length outside 1 to ``N``; ``TypeError``
        for a wrong dtype.
        """
        _check_words("source", source, self.embed.num_embeddings)
        B, N = source.shape
        check_lengths(lengths, batch=B, time=N)
        packed = pack_padded_sequence(
            self.embed(source),  # (B, N, E)
            lengths.cpu(),
            batch_first=True,
            enforce_sorted=False,
        )
        output, (h, c) = self.lstm(packed)
        states, _ = pad_packed_sequence(
            output, batch_first=True, total_length=N
        )  # (B, N, H)
        steps = torch.arange(N, device=source.device)
        mask = steps < lengths.unsqueeze(-1)  # (B, N)
        last = State(_join_directions(h), _join_directions(c))
        return Encoded(states, mask, last)


def _join_directions(
    state: Float[Tensor, "directions batch part"],
) -> Float[Tensor, "batch hidden"]:
    """Forward and backward states side by side."""
    return state.transpose(0, 1).flatten(1)


class Decoder(nn.Module):
    """Embeddings, an LSTM over the words so far, and a readout.

    Without a start it is a language model of the target.
    """

    def __init__(self, vocabulary: int, embedding: int, hidden: int) -> None:
        super().__init__()
        check_positive(
            vocabulary=vocabulary, embedding=embedding, hidden=hidden
        )
        self.embed = nn.Embedding(vocabulary, embedding)
        self.lstm = nn.LSTM(embedding, hidden, batch_first=True)
        self.readout = nn.Linear(hidden, vocabulary)

    def run(
        self, words: Int[Tensor, "batch T"], start: State
    ) -> tuple[Float[Tensor, "batch T hidden"], State]:
        """The states s_t after each word, and the last ones.

        Raises ``ValueError`` for no words, an id outside the vocabulary, or
        a start that does not fit; ``TypeError`` for a wrong dtype.
        """
        _check_words("target_in", words, self.embed.num_embeddings)
        wanted = (len(words), self.lstm.hidden_size)
        for name, state in zip(State._fields, start, strict=True):
            if tuple(state.shape) != wanted:
                raise ValueError(
                    f"start.{name} must have shape {wanted} = (batch, "
                    f"hidden), not {shape_of(state)}"
                )
        h, c = (state.unsqueeze(0).contiguous() for state in start)
        states, (h, c) = self.lstm(self.embed(words), (h, c))  # (B, T, H)
        return states, State(h[0], c[0])

    def forward(
        self, words: Int[Tensor, "batch T"], start: State
    ) -> tuple[Float[Tensor, "batch T V"], State]:
        """The scores y_t of the word after each word, and the last states."""
        states, last = self.run(words, start)
        return self.readout(states), last


class Seq2Seq(nn.Module):
    """A translator whose decoder sees the encoder's last states, no more.

    It obeys the protocol of ``nlp_course.decoding``: ``encode``, ``step``,
    and a call for all steps at once.
    """

    def __init__(
        self,
        source_vocabulary: int,
        target_vocabulary: int,
        *,
        embedding: int = 32,
        hidden: int = 64,
        bidirectional: bool = False,
    ) -> None:
        super().__init__()
        self.encoder = Encoder(
            source_vocabulary, embedding, hidden, bidirectional=bidirectional
        )
        self.decoder = Decoder(target_vocabulary, embedding, hidden)

    def encode(
        self, source: Int[Tensor, "batch N"], lengths: Int[Tensor, " batch"]
    ) -> State:
        """The start of the decoder, :eq:`eq-s2s-context`."""
        encoded: Encoded = self.encoder(source, lengths)
        return encoded.last

    def step(
        self, last: Int[Tensor, " batch"], state: State
    ) -> tuple[Float[Tensor, "batch V"], State]:
        """The scores of the next word, given the last one."""
        logits, state = self.decoder(last.unsqueeze(1), state)
        return logits[:, 0], state

    def forward(
        self,
        source: Int[Tensor, "batch N"],
        lengths: Int[Tensor, " batch"],
        target_in: Int[Tensor, "batch T"],
    ) -> Float[Tensor, "batch T V"]:
        """Teacher forcing: scores at every step, the true words fed."""
        start = self.encode(source, lengths)
        logits, _ = self.decoder(target_in, start)
        scores: Tensor = logits
        return scores


def sentence_losses(
    logits: Float[Tensor, "batch T V"],
    target: Int[Tensor, "batch T"],
    lengths: Int[Tensor, " batch"],
) -> Float[Tensor, " batch"]:
    """:math:`-\\log p(w \\mid x)` of each sentence, :eq:`eq-s2s-loss`.

    The sum over the real words and the end mark; padding counts nothing.

    Raises ``ValueError`` for shapes that do not fit, an id outside the
    vocabulary or a length outside 1 to ``T``.
    """
    if logits.dim() != 3 or logits.shape[:2] != target.shape:
        raise ValueError(
            f"logits {shape_of(logits)} must have the shape of target "
            f"{shape_of(target)} and one axis more, for the vocabulary"
        )
    check_ids("target", target, logits.shape[-1])
    B, T = target.shape
    check_lengths(lengths, batch=B, time=T)
    steps = torch.arange(T, device=target.device)
    real = steps < lengths.unsqueeze(-1)  # (B, T)
    # an inf that does not count would still make its gradient NaN
    logits = torch.where(real.unsqueeze(-1), logits, 0.0)
    losses = F.cross_entropy(
        logits.transpose(1, 2), target, reduction="none"
    )  # (B, T)
    return torch.where(real, losses, 0.0).sum(dim=1)


def translation_loss(
    logits: Float[Tensor, "batch T V"],
    target: Int[Tensor, "batch T"],
    lengths: Int[Tensor, " batch"],
) -> Float[Tensor, ""]:
    """The loss of a batch for each real word: a sum over a number of words.

    So a long batch does not weigh more than a short one.
    """
    return sentence_losses(logits, target, lengths).sum() / lengths.sum()


def _check_words(name: str, words: Tensor, vocabulary: int) -> None:
    """Ids ``(B, N)``, at least one of them, all in the vocabulary."""
    check_tensor(name, words)
    if words.dim() != 2:
        raise ValueError(
            f"{name} must have shape (batch, words), not {shape_of(words)}"
        )
    if 0 in words.shape:
        raise ValueError(
            f"{name} is empty: shape {shape_of(words)}; at least one "
            "sentence of at least one word is needed"
        )
    check_ids(name, words, vocabulary)
