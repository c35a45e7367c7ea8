"""Sentences in which the last word decides what "it" means.

"The animal didn't cross the street because it was too tired": an animal can
be tired, a street cannot.  With "wide" as the last word, *it* is the street.
Such a pair of sentences is called a Winograd schema.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from jaxtyping import Int
from torch import Generator, Tensor

from nlp_course.checks import check_positive
from nlp_course.data.tasks import _uniform, _Words


class Coreference(NamedTuple):
    """Sentences, and what "it" means in them.

    ``x (*shape, 11)`` ids; ``marks (*shape, 11)`` the index that a noun
    carries, 1 to ``indices``, and 0 at all other words; ``y (*shape,)`` the
    index of the noun meant, counted from 0; ``noun (*shape,)`` the id of
    that noun; ``right`` and ``wrong (*shape,)`` the places of the noun meant
    and of the other one.
    """

    x: Int[Tensor, "*shape 11"]
    marks: Int[Tensor, "*shape 11"]
    y: Int[Tensor, "*shape"]
    noun: Int[Tensor, "*shape"]
    right: Int[Tensor, "*shape"]
    wrong: Int[Tensor, "*shape"]


@dataclass(frozen=True)
class CoreferenceTask(_Words):
    """ "The A didn't VERB the B because it was too C".

    One of the nouns A and B is a living being and the other a place, in
    either order.  C fits one of them, and nothing but C tells which.  Every
    fifth pair of nouns is held out: it is drawn with ``held_out=True`` and
    never without.

    Each noun also carries an index, drawn anew for every sentence and
    different for the two, as linguists write it: "the animal₃ … the
    street₇".
    """

    indices: int = 10
    beings: ClassVar = (
        "animal", "dog", "cat", "horse", "wolf", "rabbit", "donkey", "rat",
        "bird", "bear", "cow", "goat", "mouse", "hen", "tortoise", "frog",
        "sheep", "mare", "fox", "duck",
    )  # fmt: skip
    places: ClassVar = (
        "street", "road", "river", "alley", "motorway", "valley", "beach",
        "forest", "meadow", "yard", "path", "bridge", "field", "park",
        "canal", "garden", "pavement", "tunnel", "port", "ford",
    )  # fmt: skip
    of_beings: ClassVar = ("tired", "hungry", "shy", "lazy", "ill", "sleepy")
    of_places: ClassVar = ("wide", "narrow", "muddy", "steep", "icy", "dark")
    verbs: ClassVar = (
        # what beings do with places, and what places do with beings
        "cross", "leave", "enter", "like",
        "suit", "please", "tempt", "attract",
    )  # fmt: skip
    frame: ClassVar = ("the", "didn't", "because", "it", "was", "too")
    words: ClassVar = (
        *beings,
        *places,
        *of_beings,
        *of_places,
        *verbs,
        *frame,
    )
    nouns: ClassVar = 40  # ids 0 to 39
    length: ClassVar = 11
    first: ClassVar = 1  # the place of noun A
    verb: ClassVar = 3
    second: ClassVar = 5  # the place of noun B
    it: ClassVar = 7  # the place of "it"
    last: ClassVar = 10  # the place of C, which decides

    def __post_init__(self) -> None:
        check_positive(indices=self.indices)
        if self.indices < 2:
            raise ValueError(
                "indices must be at least 2 to tell two nouns apart, "
                f"not {self.indices}"
            )

    def ids(self, text: str) -> Int[Tensor, " words"]:
        """The ids of the words of a text.

        Raises ``ValueError`` for a word that the language does not have.
        """
        unknown = [w for w in text.split() if w not in self.words]
        if unknown:
            raise ValueError(f"no such words: {', '.join(unknown)}")
        return torch.tensor([self.words.index(w) for w in text.split()])

    def sample(
        self, *shape: int, rng: Generator, held_out: bool = False
    ) -> Coreference:
        """Draw sentences, with pairs of nouns held out or with the others."""
        check_positive(**{f"shape[{i}]": n for i, n in enumerate(shape)})
        pairs = self._pairs(held_out)  # (pairs, 2)
        being, place = pairs[_uniform(0, len(pairs), shape, rng)].unbind(-1)
        starts = _uniform(0, 2, shape, rng).bool()  # the being comes first
        x = self._template().repeat(*shape, 1)  # (*shape, 11)
        x[..., self.first] = torch.where(starts, being, place)
        x[..., self.second] = torch.where(starts, place, being)
        verb = _uniform(0, 4, shape, rng) + torch.where(starts, 0, 4)
        x[..., self.verb] = self._id("cross") + verb
        x[..., self.last] = self._id("tired") + _uniform(0, 12, shape, rng)
        marks = torch.zeros_like(x)
        one = _uniform(0, self.indices, shape, rng)
        apart = _uniform(1, self.indices, shape, rng)
        marks[..., self.first] = 1 + one
        marks[..., self.second] = 1 + (one + apart) % self.indices
        return self.solve(x, marks)

    def solve(self, x: Tensor, marks: Tensor) -> Coreference:
        """What "it" means in sentences ``x (*shape, 11)`` with ``marks``."""
        of_being = x[..., self.last] < self._id("wide")
        is_first = (x[..., self.first] < len(self.beings)) == of_being
        right = torch.where(is_first, self.first, self.second)
        wrong = self.first + self.second - right
        noun = x.gather(-1, right[..., None]).squeeze(-1)
        y = marks.gather(-1, right[..., None]).squeeze(-1) - 1
        return Coreference(x, marks, y, noun, right, wrong)

    def twin(self, drawn: Coreference) -> Coreference:
        """The same sentences with a last word of the other kind.

        "tired" becomes "wide" and so on; what was the noun meant becomes
        the other one.
        """
        last, n = drawn.x[..., self.last], len(self.of_beings)
        x = drawn.x.clone()
        of_being = last < self._id("wide")
        x[..., self.last] = torch.where(of_being, last + n, last - n)
        return self.solve(x, drawn.marks)

    def _id(self, word: str) -> int:
        return self.words.index(word)

    def _template(self) -> Tensor:
        return self.ids(
            "the animal didn't cross the street because it was too tired"
        )

    def _pairs(self, held_out: bool) -> Tensor:
        """Ids of all pairs (being, place) that may be drawn, (pairs, 2)."""
        n = torch.arange(len(self.beings))
        grid = torch.cartesian_prod(n, torch.arange(len(self.places)))
        kept = ((7 * grid[:, 0] + 3 * grid[:, 1]) % 5 == 0) == held_out
        return grid[kept] + torch.tensor([0, len(self.beings)])
