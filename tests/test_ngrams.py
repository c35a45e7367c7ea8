"""Counting against the equation, written out with dictionaries."""

from __future__ import annotations

import math
from collections import Counter
from fractions import Fraction

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from nlp_course.ngrams import NGrams
from nlp_course.training import generator


def by_hand(
    text: list[int], word: int, context: tuple[int, ...], V: int
) -> Fraction:
    """Witten-Bell, interpolated: eq-ngram-witten-bell, exactly."""
    n = len(context)
    followed = Counter(
        text[t]
        for t in range(n, len(text))
        if tuple(text[t - n : t]) == context
    )
    shorter = by_hand(text, word, context[1:], V) if n else Fraction(1, V)
    if not followed:
        return shorter
    n_c, d_c = followed.total(), len(followed)
    return (followed[word] + d_c * shorter) / (n_c + d_c)


def ids(values: list[int]) -> Tensor:
    return torch.tensor(values, dtype=torch.int64)


texts = st.integers(2, 6).flatmap(
    lambda V: st.tuples(
        st.just(V),
        st.lists(st.integers(0, V - 1), min_size=4, max_size=40),
        st.lists(st.integers(0, V - 1), min_size=1, max_size=12),
    )
)


@settings(max_examples=60, deadline=None)
@given(texts, st.integers(1, 4))
def test_every_probability_is_that_of_the_equation(
    drawn: tuple[int, list[int], list[int]], order: int
) -> None:
    V, text, new = drawn
    model = NGrams(4, V).fit(ids(text))
    found = model.log_probabilities(ids(new), order).exp()
    for t, word in enumerate(new):
        context = tuple(new[max(0, t - order + 1) : t])
        wanted = float(by_hand(text, word, context, V))
        assert found[t].item() == pytest.approx(wanted, rel=1e-12)
        whole = model.probabilities(ids(new[:t]), order)
        assert whole[word].item() == pytest.approx(wanted, rel=1e-12)


@settings(max_examples=60, deadline=None)
@given(texts, st.integers(1, 4))
def test_probabilities_are_positive_and_sum_to_one(
    drawn: tuple[int, list[int], list[int]], order: int
) -> None:
    V, text, context = drawn
    p = NGrams(4, V).fit(ids(text)).probabilities(ids(context), order)
    assert p.shape == (V,)
    assert (p > 0).all()
    assert p.sum().item() == pytest.approx(1, abs=1e-12)


def test_large_vocabularies_do_not_overflow() -> None:
    V = 50_000  # six tokens as one number would need 94 bits
    text = torch.randint(V, (500,), generator=generator(0))
    model = NGrams(6, V).fit(text)
    seen = model.log_probabilities(text).exp()
    assert (seen[6:] > 0.9).all()  # every long context occurred once
    assert model.probabilities(text[:5]).sum().item() == pytest.approx(1)


def test_an_empty_text_before_the_first_token() -> None:
    text = [0, 1, 1, 2]
    model = NGrams(3, 4).fit(ids(text))
    # 1 occurs 2 of 4 times, 3 different tokens, V = 4
    assert model.probabilities(ids([]))[1].item() == (2 + 3 / 4) / (4 + 3)


def test_bits_are_log_two() -> None:
    model = NGrams(1, 8).fit(torch.arange(8))
    text = ids([1, 1, 5])
    assert model.bits_per_token(text) == pytest.approx(3.0)
    nats = -model.log_probabilities(text).mean().item()
    assert model.bits_per_token(text) == pytest.approx(nats / math.log(2))


def test_asking_counts_nothing() -> None:
    text, new = ids([0, 1, 2, 0, 1]), ids([2, 2, 2, 1])
    model = NGrams(2, 3).fit(text)
    before = model.log_probabilities(new)
    torch.testing.assert_close(model.log_probabilities(new), before)
    fresh = NGrams(2, 3).fit(text).log_probabilities(new)
    torch.testing.assert_close(before, fresh)


def test_fitting_again_starts_anew() -> None:
    model = NGrams(2, 3).fit(ids([0, 0, 0, 0])).fit(ids([1, 2, 1, 2]))
    wanted = NGrams(2, 3).fit(ids([1, 2, 1, 2])).probabilities(ids([1]))
    torch.testing.assert_close(model.probabilities(ids([1])), wanted)


def test_samples_follow_the_probabilities() -> None:
    model = NGrams(2, 3).fit(ids([0, 1, 0, 1, 0, 2, 0, 1]))
    rng = generator(0)
    start = ids([0])
    drawn = torch.stack([model.sample(1, rng, start) for _ in range(3000)])
    shares = torch.bincount(drawn.flatten(), minlength=3) / 3000
    torch.testing.assert_close(
        shares.double(), model.probabilities(start), atol=0.03, rtol=0
    )
    assert model.sample(7, rng).shape == (7,)


def test_a_sample_goes_on_from_what_it_drew() -> None:
    text = ids([0, 1, 2, 3, 4, 5] * 200)
    drawn = NGrams(3, 6).fit(text).sample(60, generator(1), ids([0, 1]))
    follows = (drawn[1:] - drawn[:-1]) % 6 == 1
    assert follows.float().mean() > 0.9


def test_the_number_of_parameters_is_that_of_different_ngrams() -> None:
    model = NGrams(3, 3).fit(ids([0, 1, 0, 1, 2]))
    assert [model.parameters_of(k) for k in (1, 2, 3)] == [3, 6, 9]


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        (ids([0]), ValueError, "too short for n-grams of 2"),
        (ids([0, 3]), ValueError, "vocabulary has 3"),
        (torch.tensor([[0, 1]]), ValueError, r"shape \(time,\)"),
        (ids([]), ValueError, "at least one token"),
        (torch.tensor([0.0, 1.0]), TypeError, "int64"),
        ([0, 1], TypeError, "torch.Tensor"),
    ],
)
def test_texts_that_cannot_be_counted(
    text: Tensor, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        NGrams(2, 3).fit(text)


def test_errors_of_the_other_methods() -> None:
    model = NGrams(2, 3)
    with pytest.raises(RuntimeError, match="call fit first"):
        model.bits_per_token(ids([0]))
    model.fit(ids([0, 1]))
    with pytest.raises(ValueError, match="order 3 was not counted"):
        model.log_probabilities(ids([0]), 3)
    with pytest.raises(ValueError, match="vocabulary has 3"):
        model.probabilities(ids([7]))
    with pytest.raises(ValueError, match="order must be a positive"):
        NGrams(0, 3)
