"""Pairs of sentences, turned into batches (chapter 08).

One object, ``PairCorpus``, for every kind of pairs: invented ones
(``nlp_course.data.translation``), a file of your own or a public corpus
(``nlp_course.data.sentences``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import torch
from jaxtyping import Bool, Int
from torch import Generator, Tensor

from nlp_course.checks import check_positive
from nlp_course.data.batches import length_mask, pad_batch
from nlp_course.data.numbers import Alignment
from nlp_course.data.tokenizers import Tokenizer

POOL = 16  # batches that are sorted by length together


class Pair(NamedTuple):
    """A sentence and its translation.

    ``size`` is what results are told apart by: the digits of a number, the
    numbers of a dictation, else the words of the source.
    """

    source: str
    target: str
    size: int


class PairBatch(NamedTuple):
    """Padded ids of ``B`` pairs.

    A target of the words w_1 ... w_{T-1} is fed as ``target_in``, ``<s>``
    w_1 ... w_{T-1}, and asked for as ``target``, w_1 ... w_{T-1} ``</s>``:
    at every step the input is the true word of the step before.
    """

    source: Int[Tensor, "batch N"]
    source_lengths: Int[Tensor, " batch"]
    target_in: Int[Tensor, "batch T"]
    target: Int[Tensor, "batch T"]
    target_lengths: Int[Tensor, " batch"]  # with the end mark

    @property
    def source_mask(self) -> Bool[Tensor, "batch N"]:
        """True on real source words."""
        return length_mask(self.source_lengths, self.source.shape[1])

    @property
    def target_mask(self) -> Bool[Tensor, "batch T"]:
        """True on real target words and end marks."""
        return length_mask(self.target_lengths, self.target.shape[1])

    def rows(self, index: Int[Tensor, " rows"]) -> PairBatch:
        """Some of the pairs, padded no more than they need."""
        source_lengths = self.source_lengths[index]
        target_lengths = self.target_lengths[index]
        N, T = int(source_lengths.max()), int(target_lengths.max())
        return PairBatch(
            self.source[index, :N],
            source_lengths,
            self.target_in[index, :T],
            self.target[index, :T],
            target_lengths,
        )


@dataclass(frozen=True)
class PairCorpus:
    """Pairs to learn from, pairs to be tested on, and both vocabularies.

    No source of ``test`` occurs in ``train``.  ``aligner`` says which words
    translate which, where that is known.
    """

    name: str
    train: tuple[Pair, ...]
    test: tuple[Pair, ...]
    source: Tokenizer
    target: Tokenizer
    aligner: Callable[[Sequence[str], Sequence[str]], Alignment] | None = None

    def __repr__(self) -> str:
        return (
            f"PairCorpus({self.name}: {len(self.train)} pairs to learn from, "
            f"{len(self.test)} to test)"
        )

    def batch(self, pairs: Sequence[Pair]) -> PairBatch:
        """Any pairs as one batch, in their order.

        Raises ``ValueError`` for no pairs or one with an empty side.
        """
        pad = self.source.pad_id
        encode, write = self.source.encode, self.target.encode
        source = pad_batch([encode(pair.source) for pair in pairs], pad)
        words = [write(pair.target) for pair in pairs]
        first, last = self.target.bos_id, self.target.eos_id
        target_in = pad_batch([[first, *ids] for ids in words], pad)
        target = pad_batch([[*ids, last] for ids in words], pad)
        return PairBatch(*source, target_in.ids, *target)

    @cached_property
    def encoded(self) -> PairBatch:
        """All pairs of ``train`` as one batch, made once."""
        return self.batch(self.train)

    def batches(
        self, size: int, rng: Generator, *, bucketed: bool = True
    ) -> Iterator[PairBatch]:
        """Endless batches of ``train``, each pair once an epoch.

        ``bucketed``: pairs of similar length stand together, so that little
        padding is computed.  For that, 16 batches at a time are drawn,
        sorted by length, cut, and returned in random order.  Pairs that do
        not fill a batch wait for the next epoch.
        """
        check_positive(size=size)
        every, n = self.encoded, len(self.train)
        size = min(size, n)
        key = every.target_lengths * 1_000 + every.source_lengths
        while True:
            order = torch.randperm(n, generator=rng)[: n - n % size]
            for drawn in order.split(size * POOL):
                pool = drawn[key[drawn].argsort()] if bucketed else drawn
                groups = pool.split(size)
                for k in torch.randperm(len(groups), generator=rng).tolist():
                    yield every.rows(groups[k])

    def alignment(self, pair: Pair) -> Alignment | None:
        """For each target word the places of the source words behind it.

        None if it is not known.  The end mark has no entry.
        """
        if self.aligner is None:
            return None
        words = self.source.split(pair.source)
        return self.aligner(words, self.target.split(pair.target))
