"""A reader that looks both ways: BERT (chapter 14, ``14_bert``).

Words, learned positions and the segment that a word belongs to are added,
normed, and led through encoder layers with the norms after the sums.  Two
heads serve the training on plain text: one says which word stood at a place,
:eq:`eq-bert-mlm`, the other whether the second segment followed the first,
:eq:`eq-bert-nsp`.

Shapes: ``B`` texts in a batch, ``T`` tokens, ``D`` features, ``V`` ids in
the vocabulary, ``C`` classes.

Source: Devlin et al., *BERT: Pre-training of Deep Bidirectional Transformers
for Language Understanding*, NAACL 2019, section 3, and appendix A.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from nlp_course.attention.masks import padding_mask
from nlp_course.checks import (
    check_ids,
    check_lengths,
    check_positive,
    check_share,
    shape_of,
)
from nlp_course.pretrained.base import Pretrained
from nlp_course.transformer import Embedding, Encoder, LayerNorm
from nlp_course.transformer.feed_forward import ACTIVATIONS
from nlp_course.transformer.weights import draw

if TYPE_CHECKING:
    from nlp_course.pretrained.layout import Layout


@dataclass(frozen=True)
class BERTConfig:
    """The sizes of a BERT.

    Raises ``ValueError`` for a value out of its range.
    """

    vocabulary: int  # V, ids that can be read
    longest: int = 128  # positions that are learned
    segments: int = 2  # kinds of segments: first and second sentence
    width: int = 64  # D, features of a token
    heads: int = 4  # A
    layers: int = 2
    hidden: int | None = None  # units of the feed-forward parts; None: 4 D
    activation: str = "gelu"  # the exact one
    dropout: float = 0.0  # share dropped of the input and of each change
    eps: float = 1e-12  # of the layer norms
    std: float = 0.02  # deviation of the weights at the start

    def __post_init__(self) -> None:
        check_positive(
            vocabulary=self.vocabulary,
            longest=self.longest,
            segments=self.segments,
            width=self.width,
            heads=self.heads,
            layers=self.layers,
        )
        check_share(dropout=self.dropout)


class BERTOutput(NamedTuple):
    """A state for every word, and one vector for the whole text.

    ``pooled`` is made of the state of the first token, [CLS].
    """

    states: Float[Tensor, "batch T width"]
    pooled: Float[Tensor, "batch width"]


class PreTrainingOutput(NamedTuple):
    """Scores of the two tasks."""

    words: Float[Tensor, "batch T V"]
    pair: Float[Tensor, "batch 2"]  # 0: the second segment is the next


class BERT(Pretrained):
    """The body: from ids to states; ``options`` are dtype and device.

    Matrices start normally distributed with deviation ``std``, biases at 0.
    ``from_pretrained`` reads BERT's own weights instead.

    Raises ``ValueError`` for sizes that do not fit.
    """

    def __init__(self, config: BERTConfig, **options: Any) -> None:
        super().__init__()
        self.config = config
        D = config.width
        self.embedding = Embedding(
            config.vocabulary,
            D,
            positions="learned",
            longest=config.longest,
            **options,
        )
        self.G = nn.Parameter(torch.empty(config.segments, D, **options))
        self.norm = LayerNorm(D, eps=config.eps, **options)
        self.stack = Encoder(
            D,
            config.heads,
            config.layers,
            hidden=config.hidden,
            norm_first=False,
            activation=config.activation,
            dropout=config.dropout,
            eps=config.eps,
            **options,
        )
        self.pool = nn.Linear(D, D, **options)
        draw(self, config.std)

    @classmethod
    def _layout(cls) -> Layout:
        from nlp_course.pretrained.bert import BODY

        return BODY

    @property
    def longest(self) -> int:
        """The longest text: the number of positions that are learned."""
        return self.config.longest

    def forward(
        self,
        ids: Int[Tensor, "batch T"],
        lengths: Int[Tensor, " batch"] | None = None,
        segments: Int[Tensor, "batch T"] | None = None,
    ) -> BERTOutput:
        """States ``(B, T, D)`` and the pooled vector ``(B, D)``.

        ``lengths (B,)`` counts the real tokens, all of them if absent;
        padding has no influence.  ``segments (B, T)`` says to which segment
        a token belongs, 0 if absent.

        Raises ``ValueError`` for no tokens, more than ``longest`` of them,
        ids, lengths or segments out of their range; ``TypeError`` for ids
        that are none.
        """
        x, mask = self._prepare(ids, lengths, segments)
        states = self.stack(x, mask).states
        # tanh of a learned map of the first token's state
        return BERTOutput(states, torch.tanh(self.pool(states[:, 0])))

    def attention(
        self,
        ids: Int[Tensor, "batch T"],
        lengths: Int[Tensor, " batch"] | None = None,
        segments: Int[Tensor, "batch T"] | None = None,
    ) -> tuple[Float[Tensor, "batch heads T T"], ...]:
        """The weights of every layer and head."""
        x, mask = self._prepare(ids, lengths, segments)
        found = self.stack(x, mask, return_weights=True)
        weights: tuple[Tensor, ...] = found.weights
        return weights

    def _prepare(
        self, ids: Tensor, lengths: Tensor | None, segments: Tensor | None
    ) -> tuple[Tensor, Tensor | None]:
        """What the stack reads, :eq:`eq-bert-input`, and its mask."""
        x = self.embedding(ids)  # (B, T, D)
        B, T = ids.shape
        if segments is None:
            x = x + self.G[0]
        else:
            self._check_segments(segments, ids)
            x = x + F.embedding(segments, self.G)
        x = self.norm(x)
        if self.config.dropout and self.training:
            x = F.dropout(x, self.config.dropout)
        if lengths is None:
            return x, None
        check_lengths(lengths, batch=B, time=T)
        return x, padding_mask(lengths, T)  # (B, 1, T)

    def _check_segments(self, segments: Tensor, ids: Tensor) -> None:
        if segments.shape != ids.shape:
            raise ValueError(
                f"segments {shape_of(segments)} must have the shape of ids "
                f"{shape_of(ids)}, one number for each token"
            )
        check_ids("segments", segments, len(self.G))


class BERTForPreTraining(Pretrained):
    """BERT with the heads for masked words and for pairs of segments.

    The readout of words is tied to the embedding, after one more layer of
    its own; ``b_words (V,)`` is its bias.  ``from_pretrained`` reads BERT's
    own weights.
    """

    def __init__(self, config: BERTConfig, **options: Any) -> None:
        super().__init__()
        D = config.width
        self.config = config
        self.bert = BERT(config, **options)
        self.transform = nn.Linear(D, D, **options)
        self.norm = LayerNorm(D, eps=config.eps, **options)
        self.b_words = nn.Parameter(torch.zeros(config.vocabulary, **options))
        self.judge = nn.Linear(D, 2, **options)
        for head in (self.transform, self.judge):
            draw(head, config.std)

    @classmethod
    def _layout(cls) -> Layout:
        from nlp_course.pretrained.bert import PRE_TRAINING

        return PRE_TRAINING

    @property
    def longest(self) -> int:
        """The longest text: the number of positions that are learned."""
        return self.bert.longest

    def forward(
        self,
        ids: Int[Tensor, "batch T"],
        lengths: Int[Tensor, " batch"] | None = None,
        segments: Int[Tensor, "batch T"] | None = None,
    ) -> PreTrainingOutput:
        """Scores of every word ``(B, T, V)`` and of the pair ``(B, 2)``.

        Arguments and errors are those of ``BERT``.
        """
        states, pooled = self.bert(ids, lengths, segments)
        return PreTrainingOutput(self.words(states), self.judge(pooled))

    def words(
        self, states: Float[Tensor, "*batch width"]
    ) -> Float[Tensor, "*batch V"]:
        """Scores of the word that stood at each place, :eq:`eq-bert-mlm`.

        Give it the states of the chosen places alone to save the rest.
        """
        phi = ACTIVATIONS[self.config.activation]
        own = self.norm(phi(self.transform(states)))  # (..., D)
        return F.linear(own, self.bert.embedding.E, self.b_words)


class BERTClassifier(nn.Module):
    """A pre-trained body and one new layer on [CLS], for fine-tuning.

    The body is used as it is, not copied.

    Raises ``ValueError`` for fewer than one class.
    """

    def __init__(self, bert: BERT, classes: int) -> None:
        super().__init__()
        check_positive(classes=classes)
        self.bert = bert
        like = bert.pool.weight
        self.readout = nn.Linear(
            bert.config.width, classes, dtype=like.dtype, device=like.device
        )
        draw(self.readout, bert.config.std)

    def forward(
        self,
        ids: Int[Tensor, "batch T"],
        lengths: Int[Tensor, " batch"] | None = None,
        segments: Int[Tensor, "batch T"] | None = None,
    ) -> Float[Tensor, "batch C"]:
        """Scores of the classes, ``(B, C)``; arguments as for ``BERT``."""
        pooled = self.bert(ids, lengths, segments).pooled
        scores: Tensor = self.readout(pooled)
        return scores
