"""Reviews in which one word is the verdict, and its place is known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

import torch
from torch import Generator

from nlp_course.checks import check_positive
from nlp_course.data.tasks import Examples, _uniform, _Words

Place = Literal["first", "last"]


@dataclass(frozen=True)
class ReviewTask(_Words):
    """Is the review good or bad?  One word says so.

    A review of ``length`` words holds one verdict, as its ``verdict``
    ("first" or "last") word; all other words are neutral.  Class 0: good,
    class 1: bad.
    """

    verdict: Place
    length: int = 12
    good: ClassVar = ("great", "superb")
    bad: ClassVar = ("dull", "awful")
    neutral: ClassVar = (
        "the", "book", "has", "four", "long", "parts", "and", "maps",
    )  # fmt: skip
    words: ClassVar = (*good, *bad, *neutral)
    answers: ClassVar = ("good", "bad")

    def __post_init__(self) -> None:
        check_positive(length=self.length)
        if self.verdict not in get_args(Place):
            raise ValueError(
                f'verdict must be "first" or "last", not {self.verdict!r}'
            )

    @property
    def classes(self) -> int:
        """Number of possible answers."""
        return len(self.answers)

    def sample(self, *shape: int, rng: Generator) -> Examples:
        """Draw reviews: ``x (*shape, length)``, ``y (*shape,)``."""
        check_positive(**{f"shape[{i}]": n for i, n in enumerate(shape)})
        opinions = len(self.good) + len(self.bad)
        word = _uniform(0, opinions, (*shape, 1), rng)
        rest = _uniform(
            opinions, self.vocabulary, (*shape, self.length - 1), rng
        )
        parts = [word, rest] if self.verdict == "first" else [rest, word]
        x = torch.cat(parts, dim=-1)
        return Examples(x, (word.squeeze(-1) >= len(self.good)).long())
