"""Small languages in which one question can be asked at a time.

Each task draws endless sentences from its own few words, so that a network
can be trained on sentences it will never see again and tested on others.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor

from nlp_course.checks import check_positive


class Examples(NamedTuple):
    """Sentences and their answers.

    ``x (*shape, T)`` holds ids; ``y`` has shape ``shape`` where a sentence
    has one answer and ``(*shape, T)`` where every word has one.
    """

    x: Int[Tensor, "*shape time"]
    y: Int[Tensor, "*answers"]


class _Words:
    """What the tasks share: their words are their vocabulary."""

    words: ClassVar[tuple[str, ...]]

    @property
    def vocabulary(self) -> int:
        """Number of different words ``V``."""
        return len(self.words)

    def text(self, ids: Iterable[int]) -> str:
        """The words of a row of ids."""
        return " ".join(self.words[int(i)] for i in ids)


def _uniform(
    low: int, high: int, shape: tuple[int, ...], rng: Generator
) -> Tensor:
    return torch.randint(low, high, shape, generator=rng)


@dataclass(frozen=True)
class RecallTask(_Words):
    """One word decides, ``gap`` other words later it is asked for.

    "France … speak" must be answered "French".  A sentence is a country,
    ``gap`` words that mean nothing here, and the question; ``T = gap + 2``.
    With four countries, guessing is right in one case of four.
    """

    gap: int
    countries: ClassVar = ("France", "Italy", "Spain", "Germany")
    answers: ClassVar = ("French", "Italian", "Spanish", "German")
    fillers: ClassVar = ("moved", "worked", "often", "later")
    words: ClassVar = (*countries, *fillers, "speak")

    def __post_init__(self) -> None:
        whole = isinstance(self.gap, int) and not isinstance(self.gap, bool)
        if not whole or self.gap < 0:
            raise ValueError(
                f"gap must be a whole number of words, not {self.gap!r}"
            )

    @property
    def classes(self) -> int:
        """Number of possible answers."""
        return len(self.answers)

    def sample(self, *shape: int, rng: Generator) -> Examples:
        """Draw sentences: ``x (*shape, gap+2)``, ``y (*shape,)``."""
        check_positive(**{f"shape[{i}]": n for i, n in enumerate(shape)})
        n = len(self.countries)
        country = _uniform(0, n, (*shape, 1), rng)
        filler = _uniform(n, n + len(self.fillers), (*shape, self.gap), rng)
        ask = torch.full((*shape, 1), len(self.words) - 1)
        x = torch.cat([country, filler, ask], dim=-1)
        return Examples(x, country.squeeze(-1))


@dataclass(frozen=True)
class OrderTask(_Words):
    """Did "not" come before or after "good"?  Only the order tells.

    Every sentence of ``length`` words holds each of the two once, at random
    places between fillers, so that a bag of words is drawn from the same
    distribution in both classes.  Class 0: "not" first; class 1: "good".
    """

    length: int = 8
    fillers: ClassVar = ("the", "film", "was", "tonight")
    words: ClassVar = ("not", "good", *fillers)
    classes: ClassVar = 2

    def __post_init__(self) -> None:
        check_positive(length=self.length)
        if self.length < 2:
            raise ValueError(
                f"length must be at least 2 to hold both words, "
                f"not {self.length}"
            )

    def sample(self, *shape: int, rng: Generator) -> Examples:
        """Draw sentences: ``x (*shape, length)``, ``y (*shape,)``."""
        T = self.length
        x = _uniform(2, self.vocabulary, (*shape, T), rng)
        # the two largest of T random numbers stand at two random places
        keys = torch.rand((*shape, T), generator=rng)
        places = keys.topk(2, dim=-1).indices
        x.scatter_(-1, places, torch.tensor([0, 1]).expand(*shape, 2))
        return Examples(x, (places[..., 0] > places[..., 1]).long())

    def bag(self, x: Int[Tensor, "*shape time"]) -> Float[Tensor, "*shape V"]:
        """How often each word occurs, divided by ``T``: ``(*shape, V)``."""
        one_hot = torch.nn.functional.one_hot(x, self.vocabulary)
        return one_hot.float().mean(dim=-2)


@dataclass(frozen=True)
class PronounTask(_Words):
    """ "He" or "she"?  The latest noun decides, at every step.

    A sentence starts with a noun; each later word is a noun with
    probability ``nouns``, else a filler.  The answer at a step is the gender
    of the latest noun up to and including that step: 0 "he", 1 "she".
    """

    length: int
    nouns: float = 0.2
    masculine: ClassVar = ("king", "uncle", "actor", "monk")
    feminine: ClassVar = ("queen", "aunt", "actress", "nun")
    fillers: ClassVar = ("slowly", "then", "read", "again")
    words: ClassVar = (*masculine, *feminine, *fillers)
    classes: ClassVar = 2
    answers: ClassVar = ("he", "she")
    _half: int = field(default=4, init=False, repr=False)

    def __post_init__(self) -> None:
        check_positive(length=self.length)
        if not 0 <= self.nouns <= 1:
            raise ValueError(
                f"nouns is a probability, so 0 to 1, not {self.nouns}"
            )

    def sample(self, *shape: int, rng: Generator) -> Examples:
        """Draw sentences: ``x`` and ``y`` both ``(*shape, length)``."""
        full = (*shape, self.length)
        noun = _uniform(0, 2 * self._half, full, rng)
        filler = _uniform(2 * self._half, self.vocabulary, full, rng)
        is_noun = torch.rand(full, generator=rng) < self.nouns
        is_noun[..., 0] = True
        # place of the latest noun: running maximum of the noun places
        places = torch.where(is_noun, torch.arange(self.length), 0)
        latest = noun.gather(-1, places.cummax(dim=-1).values)
        x = torch.where(is_noun, noun, filler)
        return Examples(x, (latest >= self._half).long())


@dataclass(frozen=True)
class AgreementTask(_Words):
    """Number at a verb, gender at a pronoun: the latest noun decides both.

    A sentence starts with a noun; each later word is a noun with
    probability ``nouns``, a question with probability ``questions``, else a
    filler.  The question "verb?" asks for the number of the latest noun,
    "gender?" for its gender; both are equally frequent.  At every other word
    there is nothing to say: answer 0, "-".
    """

    length: int
    nouns: float = 0.25
    questions: float = 0.5
    singular: ClassVar = ("king", "uncle", "queen", "aunt")
    plural: ClassVar = ("kings", "uncles", "queens", "aunts")
    fillers: ClassVar = ("slowly", "then", "read", "again")
    asked: ClassVar = ("verb?", "gender?")
    words: ClassVar = (*singular, *plural, *fillers, *asked)
    answers: ClassVar = ("-", "is", "are", "masculine", "feminine")
    classes: ClassVar = 5

    def __post_init__(self) -> None:
        check_positive(length=self.length)
        for name in ("nouns", "questions"):
            value = getattr(self, name)
            if not 0 <= value <= 1:
                raise ValueError(
                    f"{name} is a probability, so 0 to 1, not {value}"
                )
        if self.nouns + self.questions > 1:
            raise ValueError(
                f"nouns and questions are shares of the words: "
                f"{self.nouns} and {self.questions} add up to more than 1"
            )

    def sample(self, *shape: int, rng: Generator) -> Examples:
        """Draw sentences: ``x`` and ``y`` both ``(*shape, length)``."""
        full, fillers = (*shape, self.length), 8 + len(self.fillers)
        noun = _uniform(0, 8, full, rng)
        kind = torch.rand(full, generator=rng)
        kind[..., 0] = -1.0  # the first word is a noun
        question = _uniform(fillers, self.vocabulary, full, rng)
        x = _uniform(8, fillers, full, rng)
        x = torch.where(kind < self.nouns + self.questions, question, x)
        x = torch.where(kind < self.nouns, noun, x)
        number, gender = self.facts(x)
        y = torch.where(x == fillers, 1 + number, 0)
        return Examples(x, torch.where(x == fillers + 1, 3 + gender, y))

    def facts(
        self, x: Int[Tensor, "*shape time"]
    ) -> tuple[Int[Tensor, "*shape time"], Int[Tensor, "*shape time"]]:
        """Number (1: plural) and gender (1: feminine) of the latest noun.

        Both are given at every word of ``x``, which must start with a noun.
        """
        # place of the latest noun: running maximum of the noun places
        places = torch.where(x < 8, torch.arange(x.shape[-1]), 0)
        latest = x.gather(-1, places.cummax(dim=-1).values)
        return (latest >= 4).long(), (latest % 4 >= 2).long()
