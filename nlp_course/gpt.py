"""A language model that only looks back: GPT (chapter 15, ``15_gpt``).

Words and learned positions, encoder layers under the causal mask, and a
readout that is the embedding once more:

.. math:: p(w_{t+1} \\mid w_1, \\dots, w_t) =
   \\operatorname{softmax}(E\\, s_t)

(:eq:`eq-gpt-readout` of the book).  The layers are those of the transformer's
*encoder*: they are called a decoder for the mask alone, and have no
cross-attention.

Shapes: ``B`` texts in a batch, ``T`` tokens, ``N`` tokens with those kept in
a cache, ``D`` features, ``A`` heads, ``V`` ids in the vocabulary.

Sources: Radford et al., *Improving Language Understanding by Generative
Pre-Training*, 2018; Radford et al., *Language Models are Unsupervised
Multitask Learners*, 2019 (the norms first, and sizes); Brown et al.,
*Language Models are Few-Shot Learners*, NeurIPS 2020, table 2.1 (sizes).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from nlp_course.attention.cache import KeyValueCache
from nlp_course.attention.masks import causal_mask
from nlp_course.checks import check_positive, check_share
from nlp_course.pretrained.base import Pretrained
from nlp_course.transformer import Embedding, Encoder
from nlp_course.transformer.weights import draw

if TYPE_CHECKING:
    from nlp_course.pretrained.layout import Layout

Caches = Sequence[KeyValueCache]


@dataclass(frozen=True)
class GPTConfig:
    """The sizes of a GPT.

    Raises ``ValueError`` for a value out of its range.
    """

    vocabulary: int  # V, ids that can be read and written
    longest: int = 128  # positions that are learned: the longest context
    width: int = 64  # D, features of a token
    heads: int = 4  # A
    layers: int = 2
    hidden: int | None = None  # units of the feed-forward parts; None: 4 D
    activation: str = "gelu_tanh"  # what GPT-2 was trained with
    dropout: float = 0.0  # share dropped of the input and of each change
    eps: float = 1e-5  # of the layer norms
    std: float = 0.02  # deviation of the weights at the start

    def __post_init__(self) -> None:
        check_positive(
            vocabulary=self.vocabulary,
            longest=self.longest,
            width=self.width,
            heads=self.heads,
            layers=self.layers,
        )
        check_share(dropout=self.dropout)


def _published(width: int, layers: int, heads: int, longest: int) -> GPTConfig:
    return GPTConfig(50_257, longest, width, heads, layers)


# by the names of the checkpoints; Radford et al. (2019), table 2
GPT2_CONFIGS = {
    "gpt2": _published(768, 12, 12, 1024),
    "gpt2-medium": _published(1024, 24, 16, 1024),
    "gpt2-large": _published(1280, 36, 20, 1024),
    "gpt2-xl": _published(1600, 48, 25, 1024),
}
# the largest of eight; Brown et al. (2020), table 2.1
GPT3_CONFIG = _published(12_288, 96, 96, 2048)


class GPT(Pretrained):
    """Scores of the next token after every token of a text.

    ``options`` are ``dtype`` and ``device``.  All matrices start normally
    distributed with deviation ``std``, those that write to the residual path
    with ``std / √(2 layers)``, since so many changes are added up there
    (Radford et al. 2019, section 2.3); biases start at 0.
    ``from_pretrained`` reads GPT-2's own weights instead.

    Raises ``ValueError`` for sizes that do not fit.
    """

    def __init__(self, config: GPTConfig, **options: Any) -> None:
        super().__init__()
        self.config = config
        self.embedding = Embedding(
            config.vocabulary,
            config.width,
            positions="learned",
            longest=config.longest,
            **options,
        )
        self.stack = Encoder(
            config.width,
            config.heads,
            config.layers,
            hidden=config.hidden,
            activation=config.activation,
            dropout=config.dropout,
            eps=config.eps,
            **options,
        )
        self.reset_parameters()

    @classmethod
    def _layout(cls) -> Layout:
        from nlp_course.pretrained.gpt2 import GPT2

        return GPT2

    @property
    def longest(self) -> int:
        """The longest context: the number of positions that are learned."""
        return self.config.longest

    def reset_parameters(self) -> None:
        """Draw all weights anew, as the class says."""
        std = self.config.std
        draw(self, std, onto_path=std / math.sqrt(2 * self.config.layers))

    def forward(
        self, ids: Int[Tensor, "batch T"]
    ) -> Float[Tensor, "batch T V"]:
        """Scores of the token after each, ``(B, T, V)``, all at once.

        Raises ``ValueError`` for no tokens, more than ``longest`` of them or
        ids outside the vocabulary; ``TypeError`` for ids that are none.
        """
        x = self._embed(ids)
        mask = causal_mask(ids.shape[1], device=ids.device)
        return self._scores(self.stack(x, mask).states)

    def attention(
        self, ids: Int[Tensor, "batch T"]
    ) -> tuple[Float[Tensor, "batch heads T T"], ...]:
        """The weights of every layer and head."""
        x = self._embed(ids)
        mask = causal_mask(ids.shape[1], device=ids.device)
        found = self.stack(x, mask, return_weights=True)
        weights: tuple[Tensor, ...] = found.weights
        return weights

    @torch.no_grad()
    def extend(
        self, ids: Int[Tensor, "batch T"], caches: Caches | None = None
    ) -> tuple[Float[Tensor, "batch V"], Caches]:
        """Read ``T`` more tokens; scores of the one that comes next.

        ``caches`` are what an earlier call returned, and are written to;
        without them the text begins here.  No gradients.

        Raises ``ValueError`` for what ``forward`` refuses and for a text
        that becomes longer than ``longest``.
        """
        if caches is None:
            caches = [KeyValueCache() for _ in self.stack.layers]
        kept, T = len(caches[0]), ids.shape[1]
        x = self._embed(ids, kept)
        # one token alone may look at everything: no mask
        mask = causal_mask(T, kept + T, device=ids.device) if T > 1 else None
        states = self.stack(x, mask, caches=caches).states
        return self._scores(states[:, -1]), caches

    def _embed(self, ids: Tensor, start: int = 0) -> Tensor:
        x: Tensor = self.embedding(ids, start)  # (B, T, D)
        if self.config.dropout and self.training:
            x = F.dropout(x, self.config.dropout)
        return x

    def _scores(self, states: Tensor) -> Tensor:
        """The same weights read and write, :eq:`eq-gpt-readout`."""
        return F.linear(states, self.embedding.E)  # (..., V)
