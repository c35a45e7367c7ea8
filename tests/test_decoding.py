"""Greedy decoding and beam search against searches written out."""

from __future__ import annotations

import itertools
from functools import partial
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from nlp_course.data import WordTokenizer
from nlp_course.decoding import END, PAD, START, Decoded, beam_search, greedy
from nlp_course.seq2seq import Seq2Seq
from nlp_course.training import generator, seeded

V = 7
seeds = st.integers(0, 10_000)


def untrained(seed: int, sharp: float = 3.0) -> Seq2Seq:
    """A model whose next words are far from equally likely."""
    with seeded(seed):
        model = Seq2Seq(6, V, embedding=3, hidden=4).double()
        for weight in model.parameters():
            torch.nn.init.normal_(weight, std=sharp / 2)
    return model


def sources(seed: int, count: int = 3) -> tuple[Tensor, Tensor]:
    x = torch.randint(4, 6, (count, 4), generator=generator(seed))
    lengths = torch.randint(1, 5, (count,), generator=generator(seed + 1))
    return x, lengths


@torch.no_grad()
def score(model: Seq2Seq, x: Tensor, n: Tensor, words: list[int]) -> float:
    """log p of one sentence, by teacher forcing."""
    fed = torch.tensor([[START, *words[:-1]]])
    log_p = model(x, n, fed).log_softmax(dim=-1)[0]
    return float(sum(log_p[t, w] for t, w in enumerate(words)))


def sentences(max_steps: int) -> list[list[int]]:
    """All that can be written in so many steps, with an end or cut off."""
    free = [w for w in range(V) if w not in (PAD, START, END)]
    ended = [
        [*words, END]
        for length in range(max_steps)
        for words in itertools.product(free, repeat=length)
    ]
    return ended + [list(w) for w in itertools.product(free, repeat=max_steps)]


def written(found: Decoded, row: int) -> list[int]:
    words: list[int] = found.ids[row, : found.lengths[row]].tolist()
    return words


def test_the_marks_are_those_of_the_tokenizers() -> None:
    words = WordTokenizer.train("some words")
    assert (words.pad_id, words.bos_id, words.eos_id) == (PAD, START, END)


@settings(max_examples=30, deadline=None)
@given(seed=seeds)
def test_greedy_takes_the_likeliest_word_each_time(seed: int) -> None:
    model, (x, n) = untrained(seed), sources(seed)
    found = greedy(model, x, n, 6)
    for row in range(3):
        words: list[int] = []
        while len(words) < 6 and END not in words:
            fed = torch.tensor([[START, *words]])
            one = x[row : row + 1], n[row : row + 1]
            logits = model(*one, fed)[0, -1].detach()
            logits[[PAD, START]] = -torch.inf
            words.append(int(logits.argmax()))
        assert written(found, row) == words
        assert not found.ids[row, len(words) :].any()
        wanted = score(model, x[row : row + 1], n[row : row + 1], words)
        assert abs(float(found.log_probs[row]) - wanted) < 1e-9
        assert bool(found.ended[row]) == (words[-1] == END)


@settings(max_examples=30, deadline=None)
@given(seed=seeds, power=st.sampled_from([0.0, 1.0]))
def test_one_beam_is_greedy(seed: int, power: float) -> None:
    model, (x, n) = untrained(seed), sources(seed)
    one = beam_search(model, x, n, 8, beams=1, length_power=power)
    two = greedy(model, x, n, 8)
    assert torch.equal(one.ids, two.ids)
    assert torch.equal(one.lengths, two.lengths)
    assert torch.allclose(one.log_probs, two.log_probs, atol=1e-12)


@settings(max_examples=20, deadline=None)
@given(seed=seeds, power=st.sampled_from([0.0, 0.6, 1.0]))
def test_enough_beams_find_the_best_of_all(seed: int, power: float) -> None:
    model, (x, n) = untrained(seed, sharp=2.0), sources(seed, 2)
    with torch.no_grad():  # else the best sentences are the shortest ones
        model.decoder.readout.bias[END] -= 3.0
    found = beam_search(model, x, n, 3, beams=70, length_power=power)
    for row in range(2):
        one = x[row : row + 1], n[row : row + 1]
        ranked = [
            (score(model, *one, words) / len(words) ** power, words)
            for words in sentences(3)
        ]
        best, words = max(ranked)
        assert written(found, row) == words
        total = float(found.log_probs[row])
        assert abs(total / len(words) ** power - best) < 1e-9


@settings(max_examples=20, deadline=None)
@given(seed=seeds, beams=st.integers(2, 5))
def test_rows_do_not_mix(seed: int, beams: int) -> None:
    """A sentence is translated alike alone and in a batch."""
    model, (x, n) = untrained(seed), sources(seed)
    together = beam_search(model, x, n, 6, beams)
    for row in range(3):
        alone = beam_search(
            model, x[row : row + 1], n[row : row + 1], 6, beams
        )
        assert written(alone, 0) == written(together, row)


class Fixed:
    """Always the same scores, whatever came before."""

    def __init__(self, *probabilities: float) -> None:
        self.scores = torch.tensor(probabilities).log()

    def encode(self, source: Tensor, lengths: Tensor) -> Any:
        return ()

    def step(self, last: Tensor, state: Any) -> tuple[Tensor, Any]:
        return self.scores.expand(len(last), -1).clone(), state


ONE = torch.full((2, 1), 4), torch.ones(2, dtype=torch.int64)


def test_both_stop_at_the_end_mark() -> None:
    model = Fixed(0, 0, 0, 0.6, 0.4)
    for found in (greedy(model, *ONE, 9), beam_search(model, *ONE, 9, 1)):
        assert found.ids.tolist() == [[END], [END]]
        assert found.lengths.tolist() == [1, 1]
        assert found.ended.all()


def test_both_are_cut_off_without_one() -> None:
    model = Fixed(0, 0, 0, 0.1, 0.9)
    for found in (greedy(model, *ONE, 5), beam_search(model, *ONE, 5, 1)):
        assert found.ids.tolist() == [[4] * 5] * 2
        assert found.lengths.tolist() == [5, 5]
        assert not found.ended.any()


def test_a_power_of_the_length_favours_long_sentences() -> None:
    """p(</s>) = 0.3: likeliest is to end at once, but not for each word."""
    model = Fixed(0, 0, 0, 0.3, 0.7)
    short = beam_search(model, *ONE, 4, 8)
    long = beam_search(model, *ONE, 4, 8, length_power=1.0)
    assert short.ids[0].tolist() == [END]
    assert long.ids[0].tolist() == [4] * 4


def test_marks_are_never_written() -> None:
    model = Fixed(0.5, 0, 0.4, 0.04, 0.06)
    for found in (greedy(model, *ONE, 3), beam_search(model, *ONE, 3, 4)):
        assert not ((found.ids == START).any())
        assert (found.lengths >= 1).all()


def test_decoding_leaves_no_graph() -> None:
    model, (x, n) = untrained(0), sources(0)
    assert not greedy(model, x, n, 3).log_probs.requires_grad
    assert not beam_search(model, x, n, 3, 2).log_probs.requires_grad


def test_bad_requests_are_refused() -> None:
    model = Fixed(0, 0, 0, 0.6, 0.4)
    with pytest.raises(ValueError, match="max_steps must be a positive"):
        greedy(model, *ONE, 0)
    with pytest.raises(ValueError, match="max_steps must be a positive"):
        beam_search(model, *ONE, 0, 2)
    with pytest.raises(ValueError, match="beams must be a positive"):
        beam_search(model, *ONE, 3, 0)
    with pytest.raises(ValueError, match="length_power must be from 0"):
        beam_search(model, *ONE, 3, 2, length_power=-1.0)
    with pytest.raises(ValueError, match="source is empty"):
        greedy(untrained(0), ONE[0][:, :0], ONE[1], 3)


def test_a_model_without_an_end_mark_is_refused() -> None:
    two_beams = partial(beam_search, beams=2)
    model = Fixed(0.2, 0.3, 0.5)
    for search in (greedy, two_beams):
        with pytest.raises(ValueError, match="without an end mark no"):
            search(model, *ONE, 3)


def test_a_model_that_answers_in_another_shape_is_refused() -> None:
    class Flat(Fixed):
        def step(self, last: Tensor, state: Any) -> tuple[Tensor, Any]:
            return self.scores, state

    with pytest.raises(ValueError, match=r"must return scores of shape \(2,"):
        greedy(Flat(0, 0, 0, 0.6, 0.4), *ONE, 3)
