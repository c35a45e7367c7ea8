"""Numbers are spoken as num2words speaks them, and aligned word by word."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from num2words import num2words

from nlp_course.data.numbers import (
    LANGUAGES,
    LARGEST,
    align_numbers,
    number_words,
    slots,
    split_spoken,
)

EDGES = [
    *range(130),
    *(180, 200, 201, 280, 281, 300, 999, 1_000, 1_001, 1_100, 1_999, 2_000),
    *(21_000, 71_071, 80_000, 80_080, 81_000, 91_091, 100_000, 200_000),
    *(200_200, 280_080, 999_999, 10**6, 10**6 + 1, 10**6 + 100, 2 * 10**6),
    *(1_001_000, 1_001_001, 21 * 10**6, 80 * 10**6, 200 * 10**6, 5 * 10**6),
    *(121_121_121, 280_280_280, LARGEST),
]
targets = pytest.mark.parametrize("language", ["fr", "ru"])


def words(number: int, language: str) -> list[str]:
    return split_spoken(number_words(number, language))


@pytest.mark.parametrize("language", LANGUAGES)
def test_numbers_are_spoken_as_by_num2words(language: str) -> None:
    rng = random.Random(8)
    drawn = [
        rng.randrange(10 ** (digits - 1), 10**digits)
        for digits in range(1, 10)
        for _ in range(250)
    ]
    for number in EDGES + drawn:
        assert number_words(number, language) == num2words(
            number, lang=language
        )


@pytest.mark.parametrize(
    ("number", "message"), [(-1, "from 0 to 999999999"), (10**9, "not 10000")]
)
def test_numbers_out_of_range_are_refused(number: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        number_words(number, "fr")


def test_unknown_languages_are_refused() -> None:
    with pytest.raises(ValueError, match="one of en, fr, ru, not 'xx'"):
        number_words(1, "xx")


def test_words_are_cut_at_spaces_hyphens_and_commas() -> None:
    text = "one million, two hundred and thirty-four; zéro"
    assert split_spoken(text) == (
        [
            "one",
            "million",
            "two",
            "hundred",
            "and",
            "thirty",
            "four",
            ";",
            "zéro",
        ]
    )


# Written down by hand: the target words, each with the source words that it
# translates.
BY_HAND = {
    ("fr", 71): "soixante=seventy et= onze=seventy+one",
    ("fr", 80): "quatre=eighty vingts=eighty",
    ("fr", 24): "vingt=twenty quatre=four",
    ("fr", 77): "soixante=seventy dix=seventy sept=seven",
    ("fr", 17): "dix=seventeen sept=seventeen",
    ("fr", 91): "quatre=ninety vingt=ninety onze=ninety+one",
    ("fr", 200): "deux=two cents=hundred",
    ("fr", 101): "cent=one+hundred un=one.2",
    ("fr", 1_001): "mille=one+thousand un=one.2",
    ("fr", 4_004): "quatre=four mille=thousand quatre=four.2",
    ("fr", 2_000_001): "deux=two millions=million un=one",
    ("ru", 71): "семьдесят=seventy один=one",
    ("ru", 217): "двести=two+hundred семнадцать=seventeen",
    ("ru", 1_001): "одна=one тысяча=thousand один=one.2",
    ("ru", 2_100): "две=two тысячи=thousand сто=one+hundred",
}


@pytest.mark.parametrize(("case", "wanted"), BY_HAND.items(), ids=str)
def test_alignment_by_hand(case: tuple[str, int], wanted: str) -> None:
    language, number = case
    source = words(number, "en")
    target = words(number, language)
    found = align_numbers(source, target, language)
    pairs = [entry.split("=") for entry in wanted.split()]
    assert target == [word for word, _ in pairs]
    for places, (word, named) in zip(found, pairs, strict=True):
        expected = set()
        for name in filter(None, named.split("+")):
            name, _, which = name.partition(".")
            at = [i for i, other in enumerate(source) if other == name]
            expected.add(at[int(which or 1) - 1])
        assert places == expected, word


@targets
@settings(max_examples=200, deadline=None)
@given(number=st.integers(1, LARGEST))
def test_alignment_leaves_no_word_out(language: str, number: int) -> None:
    """Every word but "and" and "et" has a partner, in the right order."""
    source, target = words(number, "en"), words(number, language)
    found = align_numbers(source, target, language)
    assert len(found) == len(target)
    for word, places in zip(target, found, strict=True):
        assert bool(places) == (word != "et")
        assert all(0 <= i < len(source) for i in places)
    for i, word in enumerate(source):
        assert any(i in places for places in found) == (word != "and")
    spoken = [places for places in found if places]
    assert all(min(a) <= min(b) for a, b in pairwise(spoken))


@targets
@settings(max_examples=100, deadline=None)
@given(
    parts=st.tuples(
        st.integers(1, 999), st.integers(1, 999), st.integers(1, 999)
    )
)
def test_groups_never_mix(language: str, parts: tuple[int, int, int]) -> None:
    """A word of the thousands is never aligned to one of the millions."""
    millions, thousands, units = parts
    number = millions * 10**6 + thousands * 1_000 + units

    def group_of(words_of_it: list[str]) -> list[int]:
        groups, group = [], 0
        for word in words_of_it:
            groups.append(group)
            group += word.startswith(("mill", "thou", "милл", "тысяч"))
        return groups

    source, target = words(number, "en"), words(number, language)
    ours, theirs = group_of(source), group_of(target)
    for t, places in enumerate(align_numbers(source, target, language)):
        assert {ours[i] for i in places} <= {theirs[t]}


@targets
def test_a_dictation_is_aligned_number_by_number(language: str) -> None:
    spoken = [81, 0, 17]
    source, target = (
        split_spoken("; ".join(number_words(n, code) for n in spoken))
        for code in ("en", language)
    )
    found = align_numbers(source, target, language)
    assert source == ["eighty", "one", ";", "zero", ";", "seventeen"]
    assert len(found) == len(target)
    marks = [t for t, word in enumerate(target) if word == ";"]
    assert [found[t] for t in marks] == [{2}, {4}]
    assert all(places <= {0, 1} for places in found[: marks[0]])
    assert found[marks[0] + 1] == {3}
    assert all(places == {5} for places in found[marks[1] + 1 :])


def test_what_does_not_belong_together_is_refused() -> None:
    with pytest.raises(ValueError, match="1 numbers on one side, 2 on the"):
        align_numbers(["one"], ["un", ";", "un"], "fr")
    with pytest.raises(ValueError, match="'chat' belongs to no number in fr"):
        slots(["chat"], "fr")
