"""Reviews: the verdict stands where it should, and nothing else tells."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nlp_course.data import ReviewTask
from nlp_course.training import generator

OPINION = {"great": "good", "superb": "good", "dull": "bad", "awful": "bad"}
places = pytest.mark.parametrize("place", ["first", "last"])


@settings(max_examples=40)
@given(
    length=st.integers(1, 15),
    place=st.sampled_from(["first", "last"]),
    seed=st.integers(0, 10**6),
)
def test_one_word_is_the_verdict(length: int, place: Any, seed: int) -> None:
    task = ReviewTask(place, length)
    x, y = task.sample(20, rng=generator(seed))
    for ids, answer in zip(x, y.tolist(), strict=True):
        words = task.text(ids.tolist()).split(" ")
        verdict = words.pop(0 if place == "first" else -1)
        assert len(words) == length - 1
        assert task.answers[answer] == OPINION[verdict]
        assert not set(words) & set(OPINION)
        assert set(words) <= set(task.neutral)


@places
@pytest.mark.parametrize("shape", [(), (3,), (2, 3)])
def test_any_shape_of_examples(place: Any, shape: tuple[int, ...]) -> None:
    task = ReviewTask(place)
    x, y = task.sample(*shape, rng=generator(0))
    assert x.shape == (*shape, 12)
    assert y.shape == shape
    assert x.dtype == y.dtype == torch.int64
    assert task.vocabulary == len(task.words) == len(set(task.words)) == 12
    assert task.classes == 2


@places
def test_all_words_come_equally_often(place: Any) -> None:
    """40 000 draws: a share of 1/4 has a spread of 0.0022."""
    task = ReviewTask(place, 3)
    x, y = task.sample(40_000, rng=generator(1))
    at = 0 if place == "first" else -1
    verdicts = torch.bincount(x[:, at], minlength=12) / 40_000
    assert (verdicts[:4] - 1 / 4).abs().max() < 0.012
    assert verdicts[4:].sum() == 0
    other = torch.bincount(x[:, 1], minlength=12) / 40_000
    assert (other[4:] - 1 / 8).abs().max() < 0.01
    assert abs(y.float().mean() - 0.5) < 0.0125


@places
def test_the_generator_decides_and_nothing_else(place: Any) -> None:
    task = ReviewTask(place)
    state = torch.get_rng_state()
    first = task.sample(50, rng=generator(1))
    torch.manual_seed(99)
    again = task.sample(50, rng=generator(1))
    other = task.sample(50, rng=generator(2))
    assert torch.equal(first.x, again.x)
    assert torch.equal(first.y, again.y)
    assert not torch.equal(first.x, other.x)
    torch.set_rng_state(state)
    task.sample(50, rng=generator(3))
    assert torch.equal(torch.get_rng_state(), state), "not its own numbers"


def test_both_places_have_the_same_verdicts_for_one_seed() -> None:
    first = ReviewTask("first").sample(30, rng=generator(4))
    last = ReviewTask("last").sample(30, rng=generator(4))
    assert torch.equal(first.y, last.y)
    assert torch.equal(first.x[:, 0], last.x[:, -1])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"verdict": "middle"}, 'verdict must be "first" or "last".*middle'),
        ({"verdict": None}, "verdict must be.*None"),
        ({"verdict": "last", "length": 0}, "length must be a positive.*0"),
        ({"verdict": "last", "length": 2.5}, "length must be.*2.5"),
        ({"verdict": "first", "length": True}, "length must be.*True"),
    ],
)
def test_a_task_that_makes_no_sense_is_refused(
    options: dict[str, Any], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        ReviewTask(**options)


def test_a_wrong_number_of_reviews_is_named() -> None:
    with pytest.raises(ValueError, match=r"shape\[0\] must be a positive"):
        ReviewTask("last").sample(0, rng=generator(0))
