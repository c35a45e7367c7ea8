"""Every answer is compared with one found word by word, in plain Python."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from nlp_course.data import (
    AgreementTask,
    Examples,
    OrderTask,
    PronounTask,
    RecallTask,
)
from nlp_course.training import generator

Task = AgreementTask | OrderTask | PronounTask | RecallTask
EVERY_STEP = (AgreementTask, PronounTask)  # an answer at every word

seeds = st.integers(0, 10**6)
some = settings(max_examples=40)
TASKS: list[Task] = [
    RecallTask(gap=0),
    RecallTask(gap=5),
    OrderTask(),
    OrderTask(length=2),
    PronounTask(length=1),
    PronounTask(length=9, nouns=0.4),
    AgreementTask(length=1),
    AgreementTask(length=9, nouns=0.3, questions=0.4),
]
tasks = pytest.mark.parametrize("task", TASKS, ids=str)
LANGUAGE = {
    "France": "French",
    "Italy": "Italian",
    "Spain": "Spanish",
    "Germany": "German",
}
GENDER = {
    **dict.fromkeys(["king", "uncle", "actor", "monk"], "he"),
    **dict.fromkeys(["queen", "aunt", "actress", "nun"], "she"),
}
# word: its number, its gender
FACTS = {
    **dict.fromkeys(["king", "uncle"], ("is", "masculine")),
    **dict.fromkeys(["queen", "aunt"], ("is", "feminine")),
    **dict.fromkeys(["kings", "uncles"], ("are", "masculine")),
    **dict.fromkeys(["queens", "aunts"], ("are", "feminine")),
}


def sentences(task: Task, examples: Examples) -> list[list[str]]:
    return [task.text(row.tolist()).split(" ") for row in examples.x]


# --- the answers ------------------------------------------------------------


@some
@given(gap=st.integers(0, 12), seed=seeds)
def test_recall_asks_for_the_first_word(gap: int, seed: int) -> None:
    task = RecallTask(gap)
    examples = task.sample(20, rng=generator(seed))
    for words, y in zip(
        sentences(task, examples), examples.y.tolist(), strict=True
    ):
        country, *fillers, ask = words
        assert task.answers[y] == LANGUAGE[country]
        assert ask == "speak"
        assert len(fillers) == gap
        assert set(fillers) <= set(task.fillers)


@some
@given(length=st.integers(2, 12), seed=seeds)
def test_order_is_that_of_not_and_good(length: int, seed: int) -> None:
    task = OrderTask(length)
    examples = task.sample(20, rng=generator(seed))
    for words, y in zip(
        sentences(task, examples), examples.y.tolist(), strict=True
    ):
        counts = Counter(words)
        assert len(words) == length
        assert counts["not"] == counts["good"] == 1
        assert y == int(words.index("good") < words.index("not"))
        assert set(words) <= {"not", "good", *task.fillers}


@some
@given(length=st.integers(1, 15), nouns=st.floats(0, 1), seed=seeds)
def test_the_latest_noun_decides(length: int, nouns: float, seed: int) -> None:
    task = PronounTask(length, nouns)
    examples = task.sample(20, rng=generator(seed))
    for words, answers in zip(
        sentences(task, examples), examples.y.tolist(), strict=True
    ):
        assert words[0] in GENDER, "a sentence starts with a noun"
        latest = ""
        for word, answer in zip(words, answers, strict=True):
            latest = GENDER.get(word, latest)
            assert task.answers[answer] == latest
            assert word in GENDER or word in task.fillers


@some
@given(length=st.integers(1, 15), share=st.floats(0, 0.5), seed=seeds)
def test_each_question_asks_for_its_own_fact(
    length: int, share: float, seed: int
) -> None:
    task = AgreementTask(length, nouns=share, questions=share)
    examples = task.sample(20, rng=generator(seed))
    for words, answers in zip(
        sentences(task, examples), examples.y.tolist(), strict=True
    ):
        assert words[0] in FACTS, "a sentence starts with a noun"
        number = gender = ""
        for word, answer in zip(words, answers, strict=True):
            number, gender = FACTS.get(word, (number, gender))
            wanted = {"verb?": number, "gender?": gender}.get(word, "-")
            assert task.answers[answer] == wanted
            assert word in {*FACTS, *task.fillers, "verb?", "gender?"}


def test_the_facts_are_those_of_the_latest_noun() -> None:
    task = AgreementTask(6)
    text = "queens then gender? uncle verb? queen"
    x = torch.tensor([task.words.index(word) for word in text.split(" ")])
    number, gender = task.facts(x)
    assert number.tolist() == [1, 1, 1, 0, 0, 0]
    assert gender.tolist() == [1, 1, 1, 0, 0, 1]
    both = task.facts(torch.stack([x, x.flip(0)]))
    assert torch.equal(both[0][0], number)
    assert torch.equal(both[1][0], gender)


# --- how they are drawn -----------------------------------------------------


@tasks
@pytest.mark.parametrize("shape", [(), (3,), (2, 3)])
def test_any_shape_of_examples(task: Task, shape: tuple[int, ...]) -> None:
    x, y = task.sample(*shape, rng=generator(0))
    assert x.shape[:-1] == shape
    wanted = x.shape if isinstance(task, EVERY_STEP) else shape
    assert y.shape == wanted
    assert x.dtype == y.dtype == torch.int64
    assert x.min() >= 0
    assert x.max() < task.vocabulary == len(task.words)


@tasks
def test_the_generator_decides_and_nothing_else(task: Task) -> None:
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


def shares(values: Tensor, size: int) -> Tensor:
    return torch.bincount(values.flatten(), minlength=size) / values.numel()


def test_guessing_is_right_in_one_case_of_the_classes() -> None:
    """40 000 draws: a share has a spread of at most 0.0025."""
    for task in TASKS:
        if isinstance(task, AgreementTask):
            continue  # mostly there is nothing to say: see below
        y = task.sample(40_000, rng=generator(5)).y
        last = y[..., -1] if isinstance(task, PronounTask) else y
        fair = torch.full((task.classes,), 1 / task.classes)
        assert (shares(last, task.classes) - fair).abs().max() < 0.0125


def test_either_answer_to_a_question_comes_equally_often() -> None:
    """10 000 draws or more of each kind: a spread of 0.005 at most."""
    task = AgreementTask(4, nouns=0.3, questions=0.6)
    y = task.sample(40_000, rng=generator(13)).y[:, 1:]
    share = shares(y, task.classes)
    assert share[0].item() == pytest.approx(0.4, abs=0.015)
    assert (share[1:] - 0.15).abs().max() < 0.01


def test_the_two_words_stand_anywhere() -> None:
    x = OrderTask(5).sample(40_000, rng=generator(6)).x
    for word in (0, 1):
        places = (x == word).long().argmax(dim=-1)
        assert (shares(places, 5) - 0.2).abs().max() < 0.01


@pytest.mark.parametrize(
    ("task", "place", "words"),
    [
        (RecallTask(3), 0, RecallTask.countries),
        (RecallTask(3), 1, RecallTask.fillers),
        (RecallTask(3), 3, RecallTask.fillers),
        (OrderTask(5), 0, OrderTask.fillers),
        (OrderTask(5), 4, OrderTask.fillers),
        (PronounTask(4, nouns=0.5), 3, PronounTask.fillers),
        (PronounTask(4), 0, (*PronounTask.masculine, *PronounTask.feminine)),
        (AgreementTask(3), 0, AgreementTask.words[:8]),
        (AgreementTask(3, 0.1, 0.0), 2, AgreementTask.fillers),
        (AgreementTask(3, 0.1, 0.8), 2, AgreementTask.asked),
    ],
    ids=range(10),
)
def test_words_of_a_kind_come_equally_often(
    task: Task, place: int, words: tuple[str, ...]
) -> None:
    x = task.sample(40_000, rng=generator(12)).x[:, place]
    counts = Counter(task.words[i] for i in x.tolist())
    total = sum(counts[word] for word in words)
    for word in words:
        # a share of 20 000 or more has a spread of at most 0.0031
        assert counts[word] / total == pytest.approx(1 / len(words), abs=0.015)


def test_nouns_come_as_often_as_asked() -> None:
    task = PronounTask(11, nouns=0.3)
    x = task.sample(4_000, rng=generator(7)).x[:, 1:]
    assert (x < 8).float().mean().item() == pytest.approx(0.3, abs=0.015)
    words = shares(x[x < 8], 8)
    assert (words - 1 / 8).abs().max() < 0.02


def test_only_the_first_word_is_a_noun_if_none_is_wanted() -> None:
    x = PronounTask(6, nouns=0).sample(500, rng=generator(8)).x
    assert (x[:, 0] < 8).all()
    assert (x[:, 1:] >= 8).all()
    assert (PronounTask(6, nouns=1).sample(500, rng=generator(8)).x < 8).all()


# --- bags of words ----------------------------------------------------------


def test_a_bag_counts_words() -> None:
    task = OrderTask(4)
    x = torch.tensor([[0, 2, 1, 2], [1, 5, 0, 3]])
    counts = 4 * task.bag(x)
    assert counts.tolist() == [[1, 1, 2, 0, 0, 0], [1, 1, 0, 1, 0, 1]]


def test_a_bag_forgets_the_order() -> None:
    task = OrderTask(7)
    x = task.sample(3, 20, rng=generator(9)).x
    assert torch.equal(task.bag(x), task.bag(x.flip(-1)))
    assert task.bag(x).shape == (3, 20, task.vocabulary)


def test_bags_are_drawn_alike_in_both_classes() -> None:
    """The shares of every possible bag, in one class and in the other."""
    task = OrderTask(4)  # two fillers: 10 different bags
    x, y = task.sample(80_000, rng=generator(10))
    bags = (4 * task.bag(x)).long()
    found = [
        Counter(map(tuple, bags[y == answer].tolist())) for answer in (0, 1)
    ]
    assert set(found[0]) == set(found[1])
    assert len(found[0]) == 10
    for bag in found[0]:
        first, second = (c[bag] / c.total() for c in found)
        # spread of each share: at most 0.0017
        assert abs(first - second) < 0.012


def test_to_swap_the_two_words_is_to_swap_the_answer() -> None:
    task = OrderTask(6)
    x, y = task.sample(300, rng=generator(11))
    swapped = torch.where(x < 2, 1 - x, x)
    assert torch.equal(task.bag(swapped), task.bag(x))
    first = (swapped == 1).long().argmax(-1) < (swapped == 0).long().argmax(-1)
    assert torch.equal(first.long(), 1 - y)


# --- errors -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "options", "words"),
    [
        (RecallTask, {"gap": -1}, "gap must be a whole number.*not -1"),
        (RecallTask, {"gap": 2.0}, "gap must be a whole number.*not 2.0"),
        (RecallTask, {"gap": True}, "gap must be a whole number.*not True"),
        (OrderTask, {"length": 1}, "length must be at least 2.*not 1"),
        (OrderTask, {"length": 3.5}, "length must be a positive.*not 3.5"),
        (OrderTask, {"length": -4}, "length must be.*not -4"),
        (PronounTask, {"length": 0}, "length must be a positive.*not 0"),
        (PronounTask, {"length": 3, "nouns": 1.1}, "nouns.*0 to 1, not 1.1"),
        (PronounTask, {"length": 3, "nouns": -0.1}, "nouns.*not -0.1"),
        (PronounTask, {"length": 3, "nouns": float("nan")}, "not nan"),
        (AgreementTask, {"length": 0}, "length must be a positive.*not 0"),
        (AgreementTask, {"length": 3, "nouns": -0.1}, "nouns.*not -0.1"),
        (AgreementTask, {"length": 3, "questions": 2}, "questions.*not 2"),
        (AgreementTask, {"length": 3, "nouns": 0.6}, "0.6 and 0.5 .*than 1"),
    ],
)
def test_a_task_that_makes_no_sense_is_refused(
    kind: Any, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        kind(**options)


def test_a_wrong_number_of_sentences_is_named() -> None:
    with pytest.raises(ValueError, match=r"shape\[1\] must be a positive"):
        RecallTask(2).sample(3, 0, rng=generator(0))
