"""Sentences with case endings: answers found word by word, in plain Python."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nlp_course.data.cases import CaseTask
from nlp_course.training import generator

TASK = CaseTask()


@settings(max_examples=30)
@given(seed=st.integers(0, 10**6))
def test_the_endings_tell_who_and_whom(seed: int) -> None:
    x, y = TASK.sample(20, rng=generator(seed))
    for row, answer in zip(x.tolist(), y.tolist(), strict=True):
        words = TASK.text(row).split(" ")
        assert len(words) == TASK.length == 6
        verbs = [w for w in words if w in TASK.verbs]
        nouns = [w.split("-") for w in words if w not in TASK.verbs]
        assert len(verbs) == 1
        assert sorted(end for _, end in nouns) == ["a", "e", "i", "o", "u"]
        assert len({stem for stem, _ in nouns}) == 5, "a noun came twice"
        by_end = {end: stem for stem, end in nouns}
        assert TASK.stems[answer[0]] == by_end["a"]
        assert TASK.stems[answer[1]] == by_end["u"]


@settings(max_examples=20)
@given(seed=st.integers(0, 10**6))
def test_words_are_cut_into_stem_and_case(seed: int) -> None:
    x, _ = TASK.sample(3, 4, rng=generator(seed))
    stem, case = TASK.morphemes(x)
    assert stem.shape == case.shape == x.shape
    every = zip(x.flatten(), stem.flatten(), case.flatten(), strict=True)
    for word, s, c in every:
        name = TASK.text([int(word)])
        if int(c) == TASK.verb:
            assert TASK.verbs[int(s) - 12] == name
        else:
            assert TASK.stems[int(s)] + TASK.endings[int(c)] == name
    assert (case.sort(dim=-1).values == torch.arange(6)).all()


@pytest.mark.parametrize("shape", [(), (3,), (2, 3)])
def test_any_shape_of_examples(shape: tuple[int, ...]) -> None:
    x, y = TASK.sample(*shape, rng=generator(0))
    assert x.shape == (*shape, 6)
    assert y.shape == (*shape, 2)
    assert x.dtype == y.dtype == torch.int64


def test_the_generator_decides_and_nothing_else() -> None:
    state = torch.get_rng_state()
    first = TASK.sample(50, rng=generator(1))
    again = TASK.sample(50, rng=generator(1))
    other = TASK.sample(50, rng=generator(2))
    assert torch.equal(first.x, again.x)
    assert torch.equal(first.y, again.y)
    assert not torch.equal(first.x, other.x)
    assert torch.equal(torch.get_rng_state(), state), "not its own numbers"


def test_every_order_and_every_noun_is_equally_likely() -> None:
    """40 000 draws: a share of 1/6 has a spread of 0.0019."""
    x, y = TASK.sample(40_000, rng=generator(3))
    assert x.max() < TASK.vocabulary == len(TASK.words) == 64
    assert TASK.classes == len(TASK.stems) == 12
    stem, case = TASK.morphemes(x)
    for kind in range(6):
        places = (case == kind).long().argmax(dim=-1)
        shares = torch.bincount(places, minlength=6) / len(places)
        assert (shares - 1 / 6).abs().max() < 0.01
        chosen = stem.gather(-1, places.unsqueeze(-1)).squeeze(-1)
        n = 4 if kind == TASK.verb else 12
        low = 12 if kind == TASK.verb else 0
        shares = torch.bincount(chosen - low, minlength=n) / len(places)
        assert (shares - 1 / n).abs().max() < 0.01
    assert len({(int(a), int(b)) for a, b in y}) == 12 * 11


def test_errors_say_what_to_do() -> None:
    with pytest.raises(ValueError, match="positive integer"):
        TASK.sample(0, rng=generator(0))
    with pytest.raises(ValueError, match="64 entries"):
        TASK.morphemes(torch.tensor([64]))
    with pytest.raises(TypeError, match="int64 ids"):
        TASK.morphemes(torch.tensor([1.0]))
