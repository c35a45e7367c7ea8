"""What "it" means is found again word by word, in plain Python."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nlp_course.data.coreference import Coreference, CoreferenceTask
from nlp_course.training import generator

TASK = CoreferenceTask()
seeds = st.integers(0, 10**6)
BEINGS = {"tired", "hungry", "shy", "lazy", "ill", "sleepy"}
PLACES = {"wide", "narrow", "muddy", "steep", "icy", "dark"}
TIRED = "the animal didn't cross the street because it was too tired"


def check(drawn: Coreference, row: int) -> None:
    """One sentence: its form, its indices, and what "it" means."""
    words = TASK.text(drawn.x[row].tolist()).split()
    a, verb, b, last = words[1], words[3], words[5], words[10]
    frame = f"the {a} didn't {verb} the {b} because it was too {last}"
    assert " ".join(words) == frame
    assert words.index("it") == TASK.it
    assert (a in TASK.beings) != (b in TASK.beings)
    assert (a in TASK.places) != (b in TASK.places)
    assert (verb in TASK.verbs[:4]) == (a in TASK.beings)
    assert last in BEINGS | PLACES
    nouns = TASK.beings if last in BEINGS else TASK.places
    meant = 1 if a in nouns else 5
    assert drawn.right[row] == meant
    assert drawn.wrong[row] == 6 - meant
    assert TASK.words[drawn.noun[row]] == words[meant]
    marks = drawn.marks[row].tolist()
    assert {i for i, m in enumerate(marks) if m} == {1, 5}
    assert marks[1] != marks[5]
    assert 1 <= min(marks[1], marks[5]) <= max(marks) <= TASK.indices
    assert drawn.y[row] == marks[meant] - 1


@settings(max_examples=30)
@given(seed=seeds, held_out=st.booleans())
def test_it_is_the_noun_that_the_last_word_fits(
    seed: int, held_out: bool
) -> None:
    drawn = TASK.sample(20, rng=generator(seed), held_out=held_out)
    twin = TASK.twin(drawn)
    for row in range(20):
        check(drawn, row)
        check(twin, row)


@settings(max_examples=30)
@given(seed=seeds)
def test_a_twin_differs_in_the_last_word_and_the_answer(seed: int) -> None:
    drawn = TASK.sample(20, rng=generator(seed))
    twin = TASK.twin(drawn)
    changed = drawn.x != twin.x
    assert changed[:, -1].all()
    assert not changed[:, :-1].any()
    assert torch.equal(drawn.marks, twin.marks)
    assert torch.equal(drawn.right, twin.wrong)
    assert (drawn.y != twin.y).all()
    for a, b in zip(drawn, TASK.twin(twin), strict=True):
        assert torch.equal(a, b)


def test_the_sentence_that_gave_the_name() -> None:
    none = torch.zeros(11, dtype=torch.int64)
    for last, noun in (("tired", "animal"), ("wide", "street")):
        x = TASK.ids(TIRED.replace("tired", last))
        assert TASK.words[TASK.solve(x, none).noun] == noun


def pairs(held_out: bool) -> set[tuple[int, ...]]:
    drawn = TASK.sample(20_000, rng=generator(0), held_out=held_out)
    both = drawn.x[:, [1, 5]].sort(dim=1).values
    return {tuple(pair) for pair in both.tolist()}


def test_held_out_pairs_occur_nowhere_else() -> None:
    seen, held = pairs(False), pairs(True)
    assert not seen & held
    assert len(seen) == 320
    assert len(held) == 80
    for noun in range(40):
        assert any(noun in pair for pair in seen)
        assert any(noun in pair for pair in held)
    assert (0, 20) in held  # the animal and the street


def test_both_meanings_and_both_orders_are_equally_frequent() -> None:
    drawn = TASK.sample(20_000, rng=generator(1))
    for share in (
        drawn.right == 1,
        drawn.noun < 20,
        drawn.x[:, 1] < 20,
        (drawn.x[:, 1] < 20) == (drawn.right == 1),
    ):
        assert 0.48 < share.float().mean() < 0.52
    counts = drawn.y.bincount(minlength=10)
    assert counts.min() > 1800
    last = drawn.x[:, -1].bincount()[40:52]
    assert last.min() > 1500


@pytest.mark.parametrize("shape", [(), (3,), (2, 3)])
def test_any_shape(shape: tuple[int, ...]) -> None:
    drawn = TASK.sample(*shape, rng=generator(0))
    for name, field in zip(drawn._fields, drawn, strict=True):
        per_word = name in ("x", "marks")
        assert field.shape == ((*shape, 11) if per_word else shape)
        assert field.dtype == torch.int64
    assert drawn.x.max() < TASK.vocabulary == len(set(TASK.words))
    assert len(TASK.beings) + len(TASK.places) == TASK.nouns


def test_the_generator_decides_and_nothing_else() -> None:
    first = TASK.sample(50, rng=generator(1))
    torch.manual_seed(99)
    again = TASK.sample(50, rng=generator(1))
    other = TASK.sample(50, rng=generator(2))
    assert torch.equal(first.x, again.x)
    assert torch.equal(first.marks, again.marks)
    assert not torch.equal(first.x, other.x)


def test_two_indices_are_enough() -> None:
    drawn = CoreferenceTask(indices=2).sample(50, rng=generator(0))
    assert (drawn.marks.sum(dim=1) == 3).all()


@pytest.mark.parametrize("indices", [1, 0, -1, 2.0, True])
def test_too_few_indices_are_refused(indices: Any) -> None:
    with pytest.raises(ValueError, match="indices"):
        CoreferenceTask(indices)


def test_unknown_words_are_named() -> None:
    with pytest.raises(ValueError, match="no such words: chicken, road2"):
        TASK.ids("the chicken didn't cross the road2")


def test_a_wrong_shape_is_named() -> None:
    with pytest.raises(ValueError, match=r"shape\[0\]"):
        TASK.sample(0, rng=generator(0))
