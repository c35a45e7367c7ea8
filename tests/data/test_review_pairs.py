"""Reviews have one topic, mostly one opinion, and known best answers."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from nlp_course.data.review_pairs import ReviewPairTask
from nlp_course.training import generator

TASK = ReviewPairTask()
PURE = ReviewPairTask(contrary=0.0)
seeds = st.integers(0, 10_000)


def topic_of(word: str) -> str:
    (found,) = [t for t, words in TASK.aspects.items() if word in words]
    return found


def read(ids: Tensor) -> tuple[list[str], list[str]]:
    """Adjectives and aspects of a row of clauses."""
    words = TASK.text(ids).split()
    return words[::2], words[1::2]


def test_every_word_has_one_meaning() -> None:
    assert len(set(TASK.words)) == TASK.vocabulary == 4 + 40 + 48
    assert TASK.words[:4] == TASK.special
    marks = (TASK.pad_id, TASK.cls_id, TASK.sep_id, TASK.mask_id)
    assert tuple(TASK.words[i] for i in marks) == TASK.special
    assert TASK.words[TASK.first_adjective] == TASK.good[0]
    assert TASK.words[TASK.first_aspect] == TASK.aspects["film"][0]
    assert {len(words) for words in TASK.aspects.values()} == {8}
    assert len(TASK.good) == len(TASK.bad)
    every = torch.arange(TASK.vocabulary)
    assert torch.equal(every[TASK.is_word(every)], TASK.candidates)
    assert TASK.words[int(TASK.candidates[-1])] == TASK.words[-1]


@settings(max_examples=30)
@given(seed=seeds, second=st.sampled_from(["any", "same topic"]))
def test_pairs_are_what_they_say(seed: int, second: Any) -> None:
    drawn = PURE.pairs(20, rng=generator(seed), second=second)
    n = 2 * PURE.clauses
    assert drawn.ids.shape == drawn.segments.shape == (20, PURE.length)
    for row in range(20):
        ids = drawn.ids[row]
        assert PURE.text(ids[[0, n + 1, -1]]) == "[CLS] [SEP] [SEP]"
        assert drawn.segments[row].tolist() == [0] * (n + 2) + [1] * (n + 1)
        halves = (ids[1 : n + 1], ids[n + 2 : -1])
        for k, half in enumerate(halves):
            adjectives, aspects = read(half)
            topic = PURE.topics[drawn.topics[row, k]]
            kind = (PURE.good, PURE.bad)[drawn.opinions[row, k]]
            assert set(aspects) <= set(PURE.aspects[topic])
            assert set(adjectives) <= set(kind)
        same = [len(set(v[row].tolist())) == 1 for v in drawn[3:]]
        if drawn.pair[row] == 0:
            assert same == [True, True]
        elif second == "same topic":
            assert same == [True, False]


def test_shares_of_pairs() -> None:
    drawn = TASK.pairs(30_000, rng=generator(0))
    other = drawn.pair == 1
    assert 0.49 < other.float().mean() < 0.51
    same_topic = drawn.topics[other, 0] == drawn.topics[other, 1]
    assert abs(same_topic.float().mean() - 1 / 6) < 0.01
    same_opinion = drawn.opinions[other, 0] == drawn.opinions[other, 1]
    assert abs(same_opinion.float().mean() - 1 / 2) < 0.015
    for values, count in ((drawn.topics, 6), (drawn.opinions, 2)):
        shares = values.flatten().bincount(minlength=count) / values.numel()
        assert (shares - 1 / count).abs().max() < 0.01
    used = drawn.ids.flatten().bincount(minlength=TASK.vocabulary)
    assert used[TASK.pad_id] == used[TASK.mask_id] == 0
    adjectives = used[TASK.first_adjective : TASK.first_aspect]
    aspects = used[TASK.first_aspect :]
    for counts in (adjectives, aspects):
        assert counts.max() < 1.1 * counts.min()
    assert adjectives.sum() == aspects.sum()


def test_the_share_of_contrary_adjectives() -> None:
    drawn = TASK.reviews(10_000, rng=generator(1))
    adjectives = drawn.ids[:, 1:-1:2]
    bad = (adjectives >= TASK.first_adjective + len(TASK.good)).long()
    share = (bad != drawn.opinion[:, None]).float().mean()
    assert abs(share - 0.1) < 0.005


@pytest.mark.parametrize("clauses", [1, 6])
def test_single_reviews(clauses: int) -> None:
    drawn = PURE.reviews(40, rng=generator(2), clauses=clauses, balanced=True)
    assert drawn.ids.shape == (40, 2 * clauses + 2)
    assert drawn.opinion.tolist() == [0, 1] * 20
    for ids, opinion, topic in zip(*drawn, strict=True):
        assert PURE.text(ids[[0, -1]]) == "[CLS] [SEP]"
        adjectives, aspects = read(ids[1:-1])
        assert {topic_of(word) for word in aspects} == {PURE.topics[topic]}
        assert set(adjectives) <= set((PURE.good, PURE.bad)[opinion])


def test_the_generator_decides_and_nothing_else() -> None:
    for draw in (TASK.pairs, TASK.reviews):
        first = draw(20, rng=generator(1))
        torch.manual_seed(99)
        again = draw(20, rng=generator(1))
        other = draw(20, rng=generator(2))
        for a, b in zip(first, again, strict=True):
            assert torch.equal(a, b)
        assert not torch.equal(first[0], other[0])


def count_bad(ids: Tensor) -> Tensor:
    """Bad adjectives in each row of clauses."""
    bad = ids[:, ::2] >= TASK.first_adjective + len(TASK.good)
    return bad.sum(dim=1)


@pytest.mark.parametrize("clauses", [1, 2, 5, 6])
def test_no_rule_beats_the_best_verdict(clauses: int) -> None:
    drawn = TASK.reviews(60_000, rng=generator(3), clauses=clauses)
    counts = count_bad(drawn.ids[:, 1:-1])
    by_count = torch.zeros(clauses + 1, 2)
    by_count.index_put_(
        (counts, drawn.opinion), torch.ones(len(counts)), accumulate=True
    )
    best = by_count.amax(dim=1).sum() / len(counts)
    assert abs(best - TASK.best_verdict(clauses)) < 0.005


@pytest.mark.parametrize("second", ["any", "same topic"])
def test_no_rule_beats_the_best_pair(second: Any) -> None:
    drawn = TASK.pairs(120_000, rng=generator(4), second=second)
    n = 2 * TASK.clauses
    first = count_bad(drawn.ids[:, 1 : n + 1])
    other = count_bad(drawn.ids[:, n + 2 : -1])
    same_topic = drawn.topics[:, 0] == drawn.topics[:, 1]
    seen = (same_topic.long(), first, other, drawn.pair)
    table = torch.zeros(2, TASK.clauses + 1, TASK.clauses + 1, 2)
    table.index_put_(seen, torch.ones(len(first)), accumulate=True)
    best = table.amax(dim=-1).sum() / len(first)
    assert abs(best - TASK.best_pair(second)) < 0.005


def test_the_floor_is_the_entropy_of_a_hidden_word() -> None:
    adjective, aspect = TASK.floor()
    p = [0.9 / 20] * 20 + [0.1 / 20] * 20
    assert adjective == pytest.approx(-sum(v * math.log(v) for v in p))
    assert aspect == pytest.approx(math.log(8))
    assert PURE.floor()[0] == pytest.approx(math.log(20))


def test_ids_and_text() -> None:
    text = "[CLS] superb plot [MASK] cast [SEP]"
    assert TASK.text(TASK.ids(text)) == text
    with pytest.raises(ValueError, match="no such words: chicken, nice"):
        TASK.ids("superb chicken nice plot")


def test_errors() -> None:
    with pytest.raises(ValueError, match="clauses must be a positive"):
        ReviewPairTask(clauses=0)
    with pytest.raises(ValueError, match="contrary must be a number from 0"):
        ReviewPairTask(contrary=1.0)
    with pytest.raises(ValueError, match="count must be a positive"):
        TASK.pairs(0, rng=generator(0))
    with pytest.raises(ValueError, match="clauses must be a positive"):
        TASK.reviews(1, rng=generator(0), clauses=0)
    word: Any = "other"
    for call in (
        lambda: TASK.pairs(1, rng=generator(0), second=word),
        lambda: TASK.best_pair(word),
    ):
        with pytest.raises(ValueError, match='"any" or "same topic", not'):
            call()
