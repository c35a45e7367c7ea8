"""A language with case endings: who does it and to whom, in any order.

Latin and Russian mark a noun's part in a sentence by an ending, so that
words may stand in any order.  So does this language: "wolf-a sees bear-u"
and "bear-u sees wolf-a" both say that the wolf sees the bear.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from jaxtyping import Int
from torch import Generator, Tensor

from nlp_course.checks import check_ids, check_positive
from nlp_course.data.tasks import Examples, _uniform


class Morphemes(NamedTuple):
    """Words cut into stem and ending, ``(*shape, T)`` each.

    ``stem``: 0 to 11 for nouns, 12 to 15 for verbs.  ``case``: 0 to 4 for
    nouns, 5 for a verb, which has no ending.
    """

    stem: Int[Tensor, "*shape time"]
    case: Int[Tensor, "*shape time"]


@dataclass(frozen=True)
class CaseTask:
    """Six words in random order: a verb, and one noun in each of five cases.

    The nouns of a sentence are different, all orders and all choices are
    equally likely.  The answer is two stems: who does it (the *agent*, the
    noun in the nominative) and to whom (the *patient*, in the accusative).

    The id of a noun is ``5 * stem + case``; the verbs come last.
    """

    stems: ClassVar = (
        "wolf", "bear", "hare", "deer", "lynx", "crow",
        "swan", "seal", "mole", "toad", "goat", "duck",
    )  # fmt: skip
    cases: ClassVar = (
        "nominative",
        "accusative",
        "dative",
        "instrumental",
        "locative",
    )
    endings: ClassVar = ("-a", "-u", "-i", "-o", "-e")
    verbs: ClassVar = ("sees", "hears", "meets", "likes")
    nominative: ClassVar = 0
    accusative: ClassVar = 1
    verb: ClassVar = 5  # the "case" of a verb
    length: ClassVar = 6

    @property
    def words(self) -> tuple[str, ...]:
        """All word forms by id."""
        forms = [stem + end for stem in self.stems for end in self.endings]
        return (*forms, *self.verbs)

    @property
    def vocabulary(self) -> int:
        """Number of different word forms ``V``."""
        return len(self.stems) * len(self.cases) + len(self.verbs)

    @property
    def classes(self) -> int:
        """Number of stems that can be an answer."""
        return len(self.stems)

    def text(self, ids: Iterable[int]) -> str:
        """The words of a row of ids."""
        words = self.words
        return " ".join(words[int(i)] for i in ids)

    def sample(self, *shape: int, rng: Generator) -> Examples:
        """Draw sentences: ``x (*shape, 6)``, ``y (*shape, 2)``.

        ``y[..., 0]`` is the stem of the agent, ``y[..., 1]`` that of the
        patient.
        """
        check_positive(**{f"shape[{i}]": n for i, n in enumerate(shape)})
        n, k = len(self.stems), len(self.cases)
        drawn = torch.rand((*shape, n), generator=rng).argsort(dim=-1)
        stem = drawn[..., :k]  # one for each case, all different
        noun = k * stem + torch.arange(k)
        verb = n * k + _uniform(0, len(self.verbs), (*shape, 1), rng)
        x = torch.cat([noun, verb], dim=-1)  # (*shape, 6)
        order = torch.rand(x.shape, generator=rng).argsort(dim=-1)
        return Examples(x.gather(-1, order), stem[..., :2].contiguous())

    def morphemes(self, x: Int[Tensor, "*shape time"]) -> Morphemes:
        """Stem and case of every word.

        Raises ``ValueError`` for ids that are no words.
        """
        check_ids("x", x, self.vocabulary)
        k = len(self.cases)
        nouns = k * len(self.stems)
        is_verb = x >= nouns
        stem = torch.where(is_verb, x - nouns + len(self.stems), x // k)
        return Morphemes(stem, torch.where(is_verb, self.verb, x % k))
