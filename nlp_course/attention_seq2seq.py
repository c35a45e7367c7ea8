"""Encoder and decoder with attention (chapter 09, ``09_attention``).

The decoder of chapter 08 sees the encoder's last states and no more.  Here it
keeps *all* states of the encoder and looks them up anew for every word:

.. math::

   \\alpha_t = \\operatorname{softmax}(e_t), \\qquad
   \\bar h_t = \\sum_{i=1}^{N} \\alpha_{ti} \\, h_i, \\qquad
   \\tilde s_t = \\tanh(W_c [\\bar h_t; s_t]), \\qquad
   y_t = W_y \\tilde s_t + b_y

Two models differ in who asks.  ``LuongSeq2Seq`` scores with the state
:math:`s_t` that has read the last word; ``BahdanauSeq2Seq`` with the state
:math:`s_{t-1}` before it, and feeds the context into the next state.

Shapes: ``B`` sentences, ``N`` source words, ``T`` target words with the end
mark, ``H`` hidden units (of encoder and decoder), ``V`` target ids.

Sources: Luong, Pham and Manning, *Effective Approaches to Attention-based
Neural Machine Translation*, EMNLP 2015, section 3.1 (global attention,
without input feeding); Bahdanau, Cho and Bengio, *Neural Machine Translation
by Jointly Learning to Align and Translate*, ICLR 2015, section 3.  Ours are
smaller than theirs: LSTM cells in both, one layer, and one readout for both.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Literal, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from nlp_course.attention.core import attend
from nlp_course.attention.scores import (
    AdditiveScores,
    BilinearScores,
    dot_scores,
)
from nlp_course.checks import check_ids, check_tensor, shape_of
from nlp_course.seq2seq import Decoder, Encoder, State

Scores = Callable[[Tensor, Tensor], Tensor]


class AttentionState(NamedTuple):
    """All that the decoder knows: batch first, so that rows can be taken.

    ``h`` and ``c`` change at every word; ``states`` and ``mask`` are the
    encoder's and stay.
    """

    h: Float[Tensor, "batch hidden"]
    c: Float[Tensor, "batch hidden"]
    states: Float[Tensor, "batch N hidden"]
    mask: Bool[Tensor, "batch N"]


class AttentionOutput(NamedTuple):
    """Scores of the words, and where the decoder looked for each."""

    logits: Float[Tensor, "batch T V"]
    weights: Float[Tensor, "batch T N"]


class AttentionSeq2Seq(nn.Module, ABC):
    """What both models share; it obeys the protocol of chapter 08.

    ``encode``, ``step``, and a call for all steps at once; ``attention``
    returns the weights as well.

    Raises ``ValueError`` for a size below 1, or an odd ``hidden`` with a
    ``bidirectional`` encoder.
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
        self.join = nn.Linear(2 * hidden, hidden, bias=False)  # W_c

    def encode(
        self, source: Int[Tensor, "batch N"], lengths: Int[Tensor, " batch"]
    ) -> AttentionState:
        """Read the source; keep the states after every word."""
        states, mask, last = self.encoder(source, lengths)
        return AttentionState(last.h, last.c, states, mask)

    @abstractmethod
    def run(
        self, words: Int[Tensor, "batch T"], state: AttentionState
    ) -> tuple[AttentionOutput, AttentionState]:
        """Feed ``words (B, T)`` one after another, starting from a state."""

    def attentional(
        self,
        context: Float[Tensor, "batch T hidden"],
        states: Float[Tensor, "batch T hidden"],
    ) -> Float[Tensor, "batch T hidden"]:
        """:math:`\\tilde s_t = \\tanh(W_c [\\bar h_t; s_t])`.

        :eq:`eq-attention-join`: the context first, then the state.
        """
        joined = torch.cat([context, states], dim=-1)  # (B, T, 2H)
        return torch.tanh(self.join(joined))  # (B, T, H)

    def step(
        self, last: Int[Tensor, " batch"], state: AttentionState
    ) -> tuple[Float[Tensor, "batch V"], AttentionState]:
        """The scores of the next word, given the last one."""
        output, state = self.run(last.unsqueeze(1), state)
        return output.logits[:, 0], state

    def attention(
        self,
        source: Int[Tensor, "batch N"],
        lengths: Int[Tensor, " batch"],
        target_in: Int[Tensor, "batch T"],
    ) -> AttentionOutput:
        """Teacher forcing, with the weights ``(B, T, N)``.

        Row ``t`` of the weights belongs to the word that is written at step
        ``t``, that is after ``target_in[:, t]`` has been read.
        """
        return self.run(target_in, self.encode(source, lengths))[0]

    def forward(
        self,
        source: Int[Tensor, "batch N"],
        lengths: Int[Tensor, " batch"],
        target_in: Int[Tensor, "batch T"],
    ) -> Float[Tensor, "batch T V"]:
        """Teacher forcing: scores at every step, the true words fed."""
        return self.attention(source, lengths, target_in).logits


class LuongSeq2Seq(AttentionSeq2Seq):
    """Attention after the decoder's state: :math:`s_t` asks.

    The decoder is that of chapter 08, run over all words in one call; then
    all its states look back at once.  ``score``: "dot", "bilinear" or
    "additive" (here of :math:`s_t`).

    Raises ``ValueError`` for another ``score`` or a wrong size.
    """

    def __init__(
        self,
        source_vocabulary: int,
        target_vocabulary: int,
        *,
        embedding: int = 32,
        hidden: int = 64,
        bidirectional: bool = False,
        score: Literal["dot", "bilinear", "additive"] = "dot",
    ) -> None:
        super().__init__(
            source_vocabulary,
            target_vocabulary,
            embedding=embedding,
            hidden=hidden,
            bidirectional=bidirectional,
        )
        self.decoder = Decoder(target_vocabulary, embedding, hidden)
        self.scores = _scores(score, hidden)

    def run(
        self, words: Int[Tensor, "batch T"], state: AttentionState
    ) -> tuple[AttentionOutput, AttentionState]:
        """Feed ``words (B, T)`` one after another, starting from a state.

        Raises ``ValueError`` for no words, an id outside the vocabulary or a
        state that does not fit; ``TypeError`` for a wrong dtype.
        """
        states, last = self.decoder.run(words, State(state.h, state.c))
        scores = self.scores(states, state.states)  # (B, T, N)
        context, weights = attend(
            scores, state.states, state.mask.unsqueeze(1)
        )
        joined = self.attentional(context, states)  # (B, T, H)
        output = AttentionOutput(self.decoder.readout(joined), weights)
        return output, state._replace(h=last.h, c=last.c)


class BahdanauSeq2Seq(AttentionSeq2Seq):
    """Attention before the decoder's state: :math:`s_{t-1}` asks.

    The context is joined to the embedding of the last word, and the LSTM
    cell reads both; so the steps must wait for one another.

    Raises ``ValueError`` for a wrong size.
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
        super().__init__(
            source_vocabulary,
            target_vocabulary,
            embedding=embedding,
            hidden=hidden,
            bidirectional=bidirectional,
        )
        self.embed = nn.Embedding(target_vocabulary, embedding)
        self.cell = nn.LSTMCell(embedding + hidden, hidden)
        self.readout = nn.Linear(hidden, target_vocabulary)
        self.scores = AdditiveScores(hidden, hidden, hidden)

    def run(
        self, words: Int[Tensor, "batch T"], state: AttentionState
    ) -> tuple[AttentionOutput, AttentionState]:
        """Feed ``words (B, T)`` one after another, starting from a state.

        Raises ``ValueError`` for no words, an id outside the vocabulary or a
        state that does not fit; ``TypeError`` for a wrong dtype.
        """
        _check_words(words, self.embed.num_embeddings)
        h, c, memory, mask = state
        keys, mask = self.scores.read_keys(memory), mask.unsqueeze(1)
        contexts, states, weights = [], [], []
        for embedded in self.embed(words).unbind(dim=1):  # (B, E)
            scores = self.scores.compare(h.unsqueeze(1), keys)  # (B, 1, N)
            context, weight = attend(scores, memory, mask)
            read = torch.cat([embedded, context[:, 0]], dim=-1)  # (B, E+H)
            h, c = self.cell(read, (h, c))  # (B, H) each
            contexts.append(context)
            states.append(h)
            weights.append(weight)
        joined = self.attentional(
            torch.cat(contexts, dim=1), torch.stack(states, dim=1)
        )
        output = AttentionOutput(
            self.readout(joined), torch.cat(weights, dim=1)
        )
        return output, state._replace(h=h, c=c)


def _scores(score: str, hidden: int) -> Scores:
    """The function or network of a name."""
    if score == "dot":
        return dot_scores
    if score == "bilinear":
        return BilinearScores(hidden, hidden)
    if score == "additive":
        return AdditiveScores(hidden, hidden, hidden)
    raise ValueError(
        f'score must be "dot", "bilinear" or "additive", not {score!r}'
    )


def _check_words(words: Tensor, vocabulary: int) -> None:
    """Ids ``(B, T)``, at least one of them, all in the vocabulary."""
    check_tensor("target_in", words)
    if words.dim() != 2 or 0 in words.shape:
        raise ValueError(
            "target_in must have shape (batch, words), with at least one "
            f"word, not {shape_of(words)}"
        )
    check_ids("target_in", words, vocabulary)
