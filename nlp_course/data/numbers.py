"""Numbers in words, and which word translates which (chapter 08).

A number up to a thousand million is spoken in groups of three digits:
"two hundred and five *thousand*, thirty-one".  Every group is spoken the
same way and followed by the word of its scale, so the words of all numbers
come out of those of 2,997 groups, which ``num2words`` writes once each.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

from num2words import num2words

# English, and the languages that it is translated into
LANGUAGES = ("en", "fr", "ru")
LARGEST = 999_999_999
SEPARATOR = ";"  # between the numbers of a dictation

Alignment = tuple[frozenset[int], ...]
# what a word says: the group it is in, and a digit (h, t, u), the word
# "hundred" (H) or the scale (s)
Slot = tuple[int, str]

_SCALES = (1_000_000, 1_000, 1)
_TOKEN = re.compile(rf"\w+|{SEPARATOR}")
# words of more than one form, and those of numbers that take two words
_MORE_WORDS = {
    "en": {"hundred": 100, "thousand": 1_000, "million": 1_000_000},
    "fr": {"vingts": 20, "cents": 100, "million": 10**6, "millions": 10**6},
    "ru": {
        **{"одна": 1, "две": 2, "тысяча": 1_000, "тысячи": 1_000},
        **{"тысяч": 1_000, "миллион": 10**6, "миллиона": 10**6},
        **{"миллионов": 10**6},
    },
}


def split_spoken(text: str) -> list[str]:
    """Words, cut at spaces, hyphens and commas; ``;`` stays a token."""
    return _TOKEN.findall(text)


@cache
def _spoken(number: int, language: str) -> str:
    """One group with its scale, or zero."""
    words: str = num2words(number, lang=language)
    return words


def number_words(number: int, language: str) -> str:
    """A whole number from 0 to 999,999,999 as ``num2words`` says it.

    Raises ``ValueError`` for another language or a number out of range.
    """
    check_language(language)
    if not 0 <= number <= LARGEST:
        raise ValueError(f"number must be from 0 to {LARGEST}, not {number}")
    parts = [number // s % 1_000 * s for s in _SCALES]
    spoken = [_spoken(part, language) for part in parts if part]
    if not spoken:
        return _spoken(0, language)
    if language != "en" or len(spoken) == 1:
        return " ".join(spoken)
    # "one million, two thousand and three", but "..., three hundred"
    last = " and " if 0 < parts[-1] < 100 else ", "
    return ", ".join(spoken[:-1]) + last + spoken[-1]


def check_language(language: str) -> None:
    """``ValueError`` unless the numbers of the language are known here."""
    if language not in LANGUAGES:
        raise ValueError(
            f"language must be one of {', '.join(LANGUAGES)}, not {language!r}"
        )


@cache
def _values(language: str) -> dict[str, int]:
    """What each word is worth, as far as a number is one word."""
    known = [*range(20), *range(20, 100, 10), *range(100, 1_000, 100), 1_000]
    spoken = {_spoken(number, language): number for number in known}
    single = {w: n for w, n in spoken.items() if split_spoken(w) == [w]}
    return single | _MORE_WORDS[language]


def slots(words: Sequence[str], language: str) -> list[set[Slot]]:
    """What each word of a number says; of "and" nothing.

    The group is 0 for units, 1 for thousands, 2 for millions.  A word may
    say several things: "eleven" is a ten and a unit, the French "cent" on
    its own is the one and the hundred of "one hundred".

    Raises ``ValueError`` for a word that belongs to no number.
    """
    values = _values(language)
    result: list[set[str]] = []
    groups: list[int] = []
    waiting: list[int] = []  # places of the words of a group not yet named
    for place, word in enumerate(words):
        value = values.get(word)
        if value is None and word not in ("and", "et"):
            raise ValueError(f"{word!r} belongs to no number in {language}")
        next_value = values.get(words[place + 1]) if words[place + 1 :] else 0
        result.append(_kinds(value, next_value, alone=not waiting))
        groups.append(0)
        waiting.append(place)
        if value is not None and value >= 1_000:
            for back in waiting:
                groups[back] = 1 if value == 1_000 else 2
            waiting = []
    pairs = zip(groups, result, strict=True)
    return [{(group, kind) for kind in kinds} for group, kinds in pairs]


def _kinds(
    value: int | None, following: int | None, *, alone: bool
) -> set[str]:
    """The digits that a word of this value says, the next word known."""
    if value is None:
        return set()
    if value >= 1_000:
        return {"s", "u"} if alone else {"s"}  # "mille" is "one thousand"
    if value > 100 or (value == 100 and alone):
        return {"h", "H"}
    if value == 100:
        return {"H"}
    if following == 100:
        return {"h"}
    if value < 10 and following != 20:  # but quatre-vingt is a ten
        return {"u"}
    return {"t", "u"} if 10 < value < 20 else {"t"}


def align_numbers(
    source: Sequence[str], target: Sequence[str], language: str
) -> Alignment:
    """For each target word the places of the source words it translates.

    Exact by construction: two words belong together if they say the same
    digit or the same scale.  Both sides may be a dictation, numbers with
    ``;`` between them.  Words like "et" translate nothing: an empty set.

    Raises ``ValueError`` if the sides hold differently many numbers.
    """
    said = _said(source, "en")
    heard = _said(target, language)
    if len(said) != len(heard):
        raise ValueError(
            f"{len(said)} numbers on one side, {len(heard)} on the other"
        )
    aligned: list[frozenset[int]] = []
    for (start, ours), (_, theirs) in zip(said, heard, strict=True):
        if start:  # the separator translates the separator
            aligned.append(frozenset([start - 1]))
        for wanted in theirs:
            places = (start + i for i, s in enumerate(ours) if s & wanted)
            aligned.append(frozenset(places))
    return tuple(aligned)


def _said(
    words: Sequence[str], language: str
) -> list[tuple[int, list[set[Slot]]]]:
    """Each number of a dictation: its first place and its slots."""
    ends = [i for i, word in enumerate(words) if word == SEPARATOR]
    starts = [0, *(end + 1 for end in ends)]
    return [
        (start, slots(words[start:end], language))
        for start, end in zip(starts, [*ends, len(words)], strict=True)
    ]
