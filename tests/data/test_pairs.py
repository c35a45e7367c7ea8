"""A corpus of pairs makes batches that lose and invent nothing."""

from __future__ import annotations

from collections import Counter
from itertools import islice

import pytest
import torch

from nlp_course.data import WordTokenizer
from nlp_course.data.pairs import Pair, PairBatch, PairCorpus
from nlp_course.data.translation import number_corpus
from nlp_course.training import generator


def small_corpus(count: int = 7) -> PairCorpus:
    """Pair k has k + 1 source words and 2 target words more."""
    words = [f"w{k}" for k in range(count)]
    pairs = tuple(
        Pair(" ".join(words[: k + 1]), f"a b {' '.join(words[: k + 1])}", k)
        for k in range(count)
    )
    source = WordTokenizer.train(pair.source for pair in pairs)
    target = WordTokenizer.train(pair.target for pair in pairs)
    return PairCorpus("small", pairs, pairs[:1], source, target)


def unpadded(batch: PairBatch) -> list[tuple[list[int], list[int], list[int]]]:
    rows = zip(
        batch.source.tolist(),
        batch.source_lengths.tolist(),
        batch.target_in.tolist(),
        batch.target.tolist(),
        batch.target_lengths.tolist(),
        strict=True,
    )
    return [(x[:n], fed[:t], w[:t]) for x, n, fed, w, t in rows]


def test_a_target_is_fed_one_step_late_and_ends() -> None:
    corpus = small_corpus()
    batch = corpus.batch(corpus.train)
    for pair, (x, fed, w) in zip(corpus.train, unpadded(batch), strict=True):
        assert corpus.source.decode(x, special=True) == pair.source
        assert corpus.target.decode(w, special=True) == f"{pair.target} </s>"
        assert corpus.target.decode(fed, special=True) == f"<s> {pair.target}"
        assert fed[1:] == w[:-1]
    assert batch.source.shape == (7, 7)
    assert batch.target.shape == batch.target_in.shape == (7, 10)


def test_masks_show_what_is_real() -> None:
    corpus = small_corpus()
    batch = corpus.batch(corpus.train)
    assert torch.equal(batch.source_mask, batch.source != 0)
    assert torch.equal(batch.target_mask, batch.target != 0)
    assert torch.equal(batch.target_mask, batch.target_in != 0)


def test_rows_are_padded_no_more_than_they_need() -> None:
    corpus = small_corpus()
    some = corpus.encoded.rows(torch.tensor([2, 0]))
    again = corpus.batch([corpus.train[2], corpus.train[0]])
    for found, wanted in zip(some, again, strict=True):
        assert torch.equal(found, wanted)


@pytest.mark.parametrize("bucketed", [True, False])
def test_an_epoch_holds_every_pair_once(bucketed: bool) -> None:
    corpus = number_corpus("fr", generator(0), train=200, test=1)
    batches = corpus.batches(8, generator(1), bucketed=bucketed)
    for _epoch in range(2):
        seen = Counter(
            corpus.source.decode(x)
            for batch in islice(batches, 25)
            for x, _, _ in unpadded(batch)
        )
        wanted = Counter(
            " ".join(corpus.source.split(pair.source)) for pair in corpus.train
        )
        assert seen == wanted


def test_buckets_save_padding_and_keep_the_order_random() -> None:
    corpus = number_corpus("fr", generator(0), train=4_000, test=1)

    def look(bucketed: bool) -> tuple[float, list[int]]:
        drawn = corpus.batches(32, generator(1), bucketed=bucketed)
        batches = list(islice(drawn, 60))
        cells = sum(b.target.numel() for b in batches)
        real = sum(int(b.target_lengths.sum()) for b in batches)
        return real / cells, [int(b.target_lengths.max()) for b in batches]

    share, longest = look(bucketed=True)
    assert share > 0.85 > 0.65 > look(bucketed=False)[0]
    assert longest != sorted(longest)


def test_the_same_generator_gives_the_same_batches() -> None:
    corpus = small_corpus()
    one, two = (corpus.batches(3, generator(5)) for _ in range(2))
    for first, second in islice(zip(one, two, strict=True), 5):
        assert all(map(torch.equal, first, second))


def test_a_batch_larger_than_the_corpus_is_the_corpus() -> None:
    batch = next(small_corpus().batches(64, generator(0)))
    assert len(batch.source) == 7


def test_bad_requests_are_refused() -> None:
    corpus = small_corpus()
    with pytest.raises(ValueError, match="size must be a positive integer"):
        next(corpus.batches(0, generator(0)))
    with pytest.raises(ValueError, match="at least one sequence"):
        corpus.batch([])
    with pytest.raises(ValueError, match="sequence 0 is empty"):
        corpus.batch([Pair("", "a", 0)])


def test_without_an_aligner_nothing_is_known() -> None:
    corpus = small_corpus()
    assert corpus.alignment(corpus.train[0]) is None


def test_it_says_what_it_holds() -> None:
    assert repr(small_corpus()) == (
        "PairCorpus(small: 7 pairs to learn from, 1 to test)"
    )
