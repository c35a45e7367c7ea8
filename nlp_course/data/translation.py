"""Translation tasks without a download (chapters 08, 09 and 13).

Numbers in words, dates and dictated numbers, from English into French or
Russian; ``open_corpus`` also opens a file or a public corpus of sentences.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from functools import partial

import torch
from babel.dates import format_date
from torch import Generator

from nlp_course.checks import check_positive
from nlp_course.data.numbers import (
    SEPARATOR,
    align_numbers,
    check_language,
    number_words,
    split_spoken,
)
from nlp_course.data.pairs import Pair, PairBatch, PairCorpus
from nlp_course.data.sentences import (
    CORPORA,
    load_pairs,
    read_pairs,
    split_pairs,
)
from nlp_course.data.tokenizers import RuleTokenizer

__all__ = [
    "Pair",
    "PairBatch",
    "PairCorpus",
    "SpokenTokenizer",
    "date_corpus",
    "dictation_corpus",
    "load_pairs",
    "number_corpus",
    "number_pair",
    "open_corpus",
    "read_pairs",
    "split_pairs",
]

MOST_DIGITS = 9
SHORTEST_TESTED = 3  # digits; nearly all shorter numbers are trained on
_FIRST_DAY = datetime.date(1950, 1, 1)
_DAYS = 36_525  # a hundred years


class SpokenTokenizer(RuleTokenizer):
    """Words, cut at spaces, hyphens and commas: numbers and dates."""

    @staticmethod
    def split(text: str) -> list[str]:
        """The words; of the marks only the ``;`` of a dictation."""
        return split_spoken(text)

    @staticmethod
    def join(tokens: Sequence[str]) -> str:
        """Words with one space between them."""
        return " ".join(tokens)


def number_pair(number: int, language: str = "fr") -> Pair:
    """A number in English and in another language."""
    source, target = number_words(number, "en"), number_words(number, language)
    return Pair(source, target, len(str(number)))


def _numbers(digits: int, count: int, rng: Generator) -> list[int]:
    """Numbers of so many digits, each equally likely."""
    low, high = 10 ** (digits - 1), 10**digits
    return torch.randint(low, high, (count,), generator=rng).tolist()


def _different_numbers(digits: int, count: int, rng: Generator) -> list[int]:
    """As many of them without repetition, in random order."""
    found: dict[int, None] = {}
    while len(found) < count:
        found.update(dict.fromkeys(_numbers(digits, count, rng)))
    return list(found)[:count]


def number_corpus(
    language: str,
    rng: Generator,
    *,
    train: int = 20_000,
    test: int = 50,
    most_digits: int = MOST_DIGITS,
) -> PairCorpus:
    """Numbers in words; the number of digits is drawn from 1 to the most.

    ``test`` numbers of each length from three digits up are held out by
    value: they are never trained on.  Shorter ones are too few to hold any
    out.  ``train`` pairs are drawn with repetition.

    Raises ``ValueError`` for an unknown language, a count below 1, a test
    of more than 500 numbers a length (there are 900 of three digits), or
    ``most_digits`` outside 3 to 9.
    """
    _check_target(language)
    check_positive(train=train, test=test, most_digits=most_digits)
    if test > 500:
        raise ValueError(f"test must be at most 500 a length, not {test}")
    if not SHORTEST_TESTED <= most_digits <= MOST_DIGITS:
        raise ValueError(
            f"most_digits must be from {SHORTEST_TESTED} to {MOST_DIGITS}, "
            f"not {most_digits}"
        )
    held_out = [
        number
        for digits in range(SHORTEST_TESTED, most_digits + 1)
        for number in _different_numbers(digits, test, rng)
    ]
    lengths = torch.randint(1, most_digits + 1, (train,), generator=rng)
    hidden, kept = set(held_out), []
    for digits in lengths.tolist():
        number = _numbers(digits, 1, rng)[0]
        while number in hidden:
            number = _numbers(digits, 1, rng)[0]
        kept.append(number)
    return _spoken_corpus(
        f"numbers, en-{language}",
        [number_pair(number, language) for number in kept],
        [number_pair(number, language) for number in held_out],
        language,
    )


def dictation_corpus(
    language: str,
    rng: Generator,
    *,
    train: int = 20_000,
    test: int = 50,
    most_numbers: int = 6,
) -> PairCorpus:
    """Numbers from 0 to 99 dictated one after another, ``;`` between them.

    How many is drawn from 1 to the most.  ``test`` sequences of each length
    from two numbers up are held out.
    """
    _check_target(language)
    check_positive(train=train, test=test, most_numbers=most_numbers)
    if most_numbers < 2:
        raise ValueError("most_numbers must be at least 2")

    def draw(k: int) -> tuple[int, ...]:
        return tuple(torch.randint(0, 100, (k,), generator=rng).tolist())

    held_out: dict[tuple[int, ...], None] = {}
    for k in range(2, most_numbers + 1):
        wanted = len(held_out) + test
        while len(held_out) < wanted:
            held_out[draw(k)] = None
    lengths = torch.randint(1, most_numbers + 1, (train,), generator=rng)
    kept = []
    for k in lengths.tolist():
        numbers = draw(k)
        while numbers in held_out:
            numbers = draw(k)
        kept.append(numbers)
    return _spoken_corpus(
        f"dictation, en-{language}",
        [_dictated(numbers, language) for numbers in kept],
        [_dictated(numbers, language) for numbers in held_out],
        language,
    )


def _dictated(numbers: Sequence[int], language: str) -> Pair:
    sides = [
        f"{SEPARATOR} ".join(number_words(number, code) for number in numbers)
        for code in ("en", language)
    ]
    return Pair(sides[0], sides[1], len(numbers))


def date_corpus(
    language: str, rng: Generator, *, train: int = 5_000, test: int = 300
) -> PairCorpus:
    """Dates of a hundred years, written out: "March 1, 1987".

    ``test`` dates are held out; ``size`` of a pair is always 3.
    """
    _check_target(language)
    check_positive(train=train, test=test)
    if train + test > _DAYS:
        raise ValueError(
            f"train and test together must be at most {_DAYS} days, "
            f"not {train + test}"
        )
    days = torch.randperm(_DAYS, generator=rng)[: train + test].tolist()
    pairs = [_date_pair(day, language) for day in days]
    return _spoken_corpus(
        f"dates, en-{language}", pairs[test:], pairs[:test], language, False
    )


def _date_pair(day: int, language: str) -> Pair:
    date = _FIRST_DAY + datetime.timedelta(days=day)
    source = format_date(date, "long", locale="en")
    return Pair(source, format_date(date, "long", locale=language), 3)


def _spoken_corpus(
    name: str,
    train: list[Pair],
    test: list[Pair],
    language: str,
    aligned: bool = True,
) -> PairCorpus:
    return PairCorpus(
        name,
        tuple(train),
        tuple(test),
        SpokenTokenizer.train(pair.source for pair in train),
        SpokenTokenizer.train(pair.target for pair in train),
        partial(align_numbers, language=language) if aligned else None,
    )


def _check_target(language: str) -> None:
    check_language(language)
    if language == "en":
        raise ValueError("language is that of the translation, not en")


def open_corpus(data: str, language: str, rng: Generator) -> PairCorpus:
    """The corpus that a notebook's parameter ``data`` names.

    ``"numbers"``, ``"dates"``, ``"dictation"``; ``"opus_books"`` or
    ``"multi30k"``, or ``"hf:owner/name@revision"`` for another public corpus
    (``load_pairs``); anything else is the path of a tab-separated file
    (``read_pairs``).
    """
    tasks = {
        "numbers": number_corpus,
        "dates": date_corpus,
        "dictation": dictation_corpus,
    }
    if data in tasks:
        return tasks[data](language, rng)
    if data.startswith("hf:") or data in CORPORA:
        pairs = load_pairs(data.removeprefix("hf:"), language)
    else:
        pairs = read_pairs(data)
    return split_pairs(pairs, rng, name=data)
