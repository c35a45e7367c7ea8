"""The invented translation tasks: drawn as said, and nothing leaks."""

from __future__ import annotations

from collections import Counter
from functools import cache
from pathlib import Path

import pytest
from babel.dates import format_date
from num2words import num2words

from nlp_course.data.pairs import PairCorpus
from nlp_course.data.translation import (
    date_corpus,
    dictation_corpus,
    number_corpus,
    number_pair,
    open_corpus,
)
from nlp_course.training import generator

TASKS = {
    "numbers": number_corpus,
    "dates": date_corpus,
    "dictation": dictation_corpus,
}


@cache
def corpus(task: str, language: str = "fr") -> PairCorpus:
    return TASKS[task](language, generator(3))


@pytest.mark.parametrize("language", ["fr", "ru"])
@pytest.mark.parametrize("task", TASKS)
def test_no_tested_source_was_trained_on(task: str, language: str) -> None:
    made = corpus(task, language)
    tested = {pair.source for pair in made.test}
    assert tested
    assert not tested & {pair.source for pair in made.train}
    assert len(tested) == len(made.test)


@pytest.mark.parametrize("language", ["fr", "ru"])
@pytest.mark.parametrize("task", TASKS)
def test_every_tested_word_is_known(task: str, language: str) -> None:
    made = corpus(task, language)
    for pair in made.test:
        assert 1 not in made.source.encode(pair.source)
        assert 1 not in made.target.encode(pair.target)


def test_numbers_have_each_length_equally_often() -> None:
    made = corpus("numbers")
    counts = Counter(pair.size for pair in made.train)
    assert sorted(counts) == list(range(1, 10))
    assert all(abs(n - 20_000 / 9) < 300 for n in counts.values())
    tested = Counter(pair.size for pair in made.test)
    assert tested == dict.fromkeys(range(3, 10), 50)


def test_numbers_are_spread_evenly_within_a_length() -> None:
    first = Counter(
        pair.target.split()[0] for pair in corpus("numbers").train
        if pair.size == 1
    )  # fmt: skip
    assert len(first) == 9
    assert max(first.values()) < 1.5 * min(first.values())


@pytest.mark.parametrize("language", ["fr", "ru"])
def test_a_pair_is_one_number(language: str) -> None:
    pair = number_pair(280_071, language)
    assert pair.source == num2words(280_071, lang="en")
    assert pair.target == num2words(280_071, lang=language)
    assert pair.size == 6


def test_shorter_tasks_hold_shorter_numbers() -> None:
    made = number_corpus(
        "fr", generator(0), train=300, test=500, most_digits=4
    )
    assert {pair.size for pair in made.train} == {1, 2, 3, 4}
    assert Counter(p.size for p in made.test) == {3: 500, 4: 500}


def test_dictations_hold_each_count_of_numbers() -> None:
    made = corpus("dictation")
    assert Counter(p.size for p in made.test) == dict.fromkeys(range(2, 7), 50)
    assert {pair.size for pair in made.train} == set(range(1, 7))
    for pair in made.train[:50]:
        assert pair.source.count(";") == pair.size - 1


def test_dates_are_those_of_babel() -> None:
    import datetime

    made = corpus("dates", "ru")
    pairs = {pair.source: pair.target for pair in made.train + made.test}
    day = datetime.date(1950, 1, 1)
    found = 0
    for _ in range(400):
        day += datetime.timedelta(days=31)
        source = format_date(day, "long", locale="en")
        if source in pairs:
            found += 1
            assert pairs[source] == format_date(day, "long", locale="ru")
    assert found > 20


@pytest.mark.parametrize("language", ["fr", "ru"])
@pytest.mark.parametrize("task", ["numbers", "dictation"])
def test_alignments_reach_every_pair(task: str, language: str) -> None:
    made = corpus(task, language)
    for pair in made.test:
        found = made.alignment(pair)
        assert found is not None
        assert len(found) == len(made.target.split(pair.target))


def test_dates_have_no_alignment() -> None:
    made = corpus("dates")
    assert made.alignment(made.test[0]) is None


def test_the_same_seed_gives_the_same_corpus() -> None:
    one, two = (number_corpus("fr", generator(4), train=50) for _ in range(2))
    other = number_corpus("fr", generator(5), train=50)
    assert one.train == two.train
    assert one.test == two.test
    assert one.train != other.train


@pytest.mark.parametrize("task", TASKS)
def test_a_parameter_names_a_task(task: str) -> None:
    made = open_corpus(task, "ru", generator(3))
    assert made.train == corpus(task, "ru").train
    assert made.name == f"{task}, en-ru"


def test_a_parameter_names_a_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.tsv"
    lines = [f"sentence {k}\tphrase {k}\n" for k in range(20)]
    path.write_text("".join(lines), "utf-8")
    made = open_corpus(str(path), "fr", generator(0))
    assert len(made.train) == 18
    with pytest.raises(ValueError, match="no corpus 'nothing'"):
        open_corpus("hf:nothing", "fr", generator(0))


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize("data", ["multi30k", "hf:multi30k", "opus_books"])
def test_a_public_corpus_is_known_by_its_name(data: str) -> None:
    with pytest.raises(ConnectionError, match="without a network use numbers"):
        open_corpus(data, "fr", generator(0))


@pytest.mark.parametrize(
    ("build", "options", "message"),
    [
        (number_corpus, {"train": 0}, "train must be a positive integer"),
        (number_corpus, {"test": 501}, "test must be at most 500 a length"),
        (number_corpus, {"most_digits": 2}, "must be from 3 to 9, not 2"),
        (number_corpus, {"most_digits": 10}, "must be from 3 to 9, not 10"),
        (dictation_corpus, {"most_numbers": 1}, "must be at least 2"),
        (date_corpus, {"train": 40_000}, "at most 36525 days, not 40300"),
    ],
)
def test_impossible_tasks_are_refused(
    build: object, options: dict[str, int], message: str
) -> None:
    assert callable(build)
    with pytest.raises(ValueError, match=message):
        build("fr", generator(0), **options)


@pytest.mark.parametrize("task", TASKS.values())
def test_english_is_the_source(task: object) -> None:
    assert callable(task)
    with pytest.raises(ValueError, match="that of the translation, not en"):
        task("en", generator(0))
    with pytest.raises(ValueError, match="one of en, fr, ru, not 'de'"):
        task("de", generator(0))
