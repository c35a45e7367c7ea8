"""Reviews made for pre-training: a topic, an opinion, and pairs of them.

"superb plot fresh cast dull script grand score": a review is a row of
clauses, an adjective and an aspect each.  All aspects belong to one *topic*
(a film, a meal, ...), most adjectives to one *opinion*, good or bad.  Nothing
else connects the words, so the best possible answers can be computed: what a
model could know at most is known.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Literal, NamedTuple, get_args

import torch
from jaxtyping import Bool, Int
from torch import Generator, Tensor

from nlp_course.checks import check_positive, check_share
from nlp_course.data.tasks import _uniform, _Words

Second = Literal["any", "same topic"]


class ReviewPairs(NamedTuple):
    """Pairs of half reviews, as a BERT reads them.

    ``ids (B, T)`` are ``[CLS] first [SEP] second [SEP]``; ``segments
    (B, T)`` are 0 up to the first [SEP] and 1 after it; ``pair (B,)`` is 0
    where both halves are of one review and 1 where they are not; ``topics``
    and ``opinions (B, 2)`` belong to the halves.
    """

    ids: Int[Tensor, "batch T"]
    segments: Int[Tensor, "batch T"]
    pair: Int[Tensor, " batch"]
    topics: Int[Tensor, "batch 2"]
    opinions: Int[Tensor, "batch 2"]


class Reviews(NamedTuple):
    """Single reviews: ``ids (B, T)`` are ``[CLS] review [SEP]``.

    ``opinion (B,)`` is 0 for good and 1 for bad, ``topic (B,)`` counts the
    topics from 0.
    """

    ids: Int[Tensor, "batch T"]
    opinion: Int[Tensor, " batch"]
    topic: Int[Tensor, " batch"]


@dataclass(frozen=True)
class ReviewPairTask(_Words):
    """Six topics of eight aspects, two opinions of twenty adjectives.

    A half review has ``clauses`` clauses.  An adjective is of the *other*
    opinion with probability ``contrary``: "superb plot dull script" may well
    praise the film.

    Raises ``ValueError`` for no clauses or a share that is none.
    """

    clauses: int = 4
    contrary: float = 0.1
    special: ClassVar = ("[PAD]", "[CLS]", "[SEP]", "[MASK]")
    good: ClassVar = (
        "superb", "lovely", "great", "fine", "brilliant", "splendid",
        "perfect", "charming", "delightful", "pleasant", "wonderful",
        "excellent", "terrific", "marvellous", "amazing", "impressive",
        "outstanding", "stunning", "grand", "fresh",
    )  # fmt: skip
    bad: ClassVar = (
        "awful", "poor", "dreadful", "terrible", "horrid", "dismal",
        "shabby", "lousy", "mediocre", "ghastly", "weak", "sad", "dull",
        "ugly", "clumsy", "pathetic", "unpleasant", "tedious", "appalling",
        "feeble",
    )  # fmt: skip
    aspects: ClassVar = {
        "film": (
            "plot", "cast", "script", "score", "ending", "dialogue",
            "camera", "trailer",
        ),
        "meal": (
            "soup", "bread", "dessert", "sauce", "fish", "salad", "coffee",
            "wine",
        ),
        "hotel": (
            "room", "bed", "lobby", "pool", "shower", "view", "lift",
            "breakfast",
        ),
        "novel": (
            "prose", "preface", "chapter", "cover", "print", "heroine",
            "villain", "epilogue",
        ),
        "phone": (
            "screen", "battery", "speaker", "charger", "lens", "keypad",
            "signal", "case",
        ),
        "tour": (
            "bus", "guide", "route", "castle", "museum", "harbour", "picnic",
            "map",
        ),
    }  # fmt: skip
    topics: ClassVar = tuple(aspects)
    opinions: ClassVar = ("good", "bad")
    words: ClassVar = (*special, *good, *bad, *sum(aspects.values(), ()))
    pad_id, cls_id, sep_id, mask_id = range(4)
    first_adjective: ClassVar = 4
    first_aspect: ClassVar = 44

    def __post_init__(self) -> None:
        check_positive(clauses=self.clauses)
        check_share(contrary=self.contrary)

    @property
    def length(self) -> int:
        """Tokens of a pair, ``T``."""
        return 4 * self.clauses + 3

    @property
    def candidates(self) -> Int[Tensor, " words"]:
        """The ids that are words."""
        return torch.arange(self.first_adjective, self.vocabulary)

    def is_word(self, ids: Int[Tensor, "*shape"]) -> Bool[Tensor, "*shape"]:
        """True where a token is a word: what may be masked."""
        return ids >= self.first_adjective

    def ids(self, text: str) -> Int[Tensor, " tokens"]:
        """The ids of the tokens of a text.

        Raises ``ValueError`` for a token that the language does not have.
        """
        unknown = [w for w in text.split() if w not in self.words]
        if unknown:
            raise ValueError(f"no such words: {', '.join(unknown)}")
        return torch.tensor([self.words.index(w) for w in text.split()])

    def pairs(
        self, count: int, *, rng: Generator, second: Second = "any"
    ) -> ReviewPairs:
        """Draw pairs, half of them from one review.

        Where the second half is of another review, ``second`` says of which:
        of "any", with topic and opinion drawn anew, as BERT was trained; or
        of one with the "same topic" and the other opinion.

        Raises ``ValueError`` for no pairs or another word for ``second``.
        """
        check_positive(count=count)
        _check_second(second)
        topics = _uniform(0, len(self.topics), (count, 2), rng)
        opinions = _uniform(0, 2, (count, 2), rng)
        pair = _uniform(0, 2, (count,), rng)
        topic, opinion = topics[:, 0], opinions[:, 0]
        if second == "same topic":
            topics[:, 1], opinions[:, 1] = topic, 1 - opinion
        topics[:, 1] = torch.where(pair == 0, topic, topics[:, 1])
        opinions[:, 1] = torch.where(pair == 0, opinion, opinions[:, 1])
        halves = self._clauses(topics, opinions, self.clauses, rng)
        ids = self._marked(halves[:, 0], halves[:, 1])
        segments = torch.zeros_like(ids)
        segments[:, 2 * self.clauses + 2 :] = 1
        return ReviewPairs(ids, segments, pair, topics, opinions)

    def reviews(
        self,
        count: int,
        *,
        rng: Generator,
        clauses: int = 6,
        balanced: bool = False,
    ) -> Reviews:
        """Draw single reviews; if ``balanced``, good and bad in turn.

        Raises ``ValueError`` for no reviews or no clauses.
        """
        check_positive(count=count, clauses=clauses)
        topic = _uniform(0, len(self.topics), (count,), rng)
        opinion = _uniform(0, 2, (count,), rng)
        if balanced:
            opinion = torch.arange(count) % 2
        words = self._clauses(topic, opinion, clauses, rng)
        return Reviews(self._marked(words), opinion, topic)

    def _clauses(
        self, topic: Tensor, opinion: Tensor, clauses: int, rng: Generator
    ) -> Tensor:
        """The words of reviews, ``(*shape, 2 clauses)``."""
        shape = (*topic.shape, clauses)
        contrary = torch.rand(shape, generator=rng) < self.contrary
        bad = opinion.unsqueeze(-1).bool() ^ contrary
        n, m = len(self.good), len(self.aspects[self.topics[0]])
        adjective = _uniform(0, n, shape, rng) + torch.where(bad, n, 0)
        aspect = _uniform(0, m, shape, rng) + m * topic.unsqueeze(-1)
        both = [self.first_adjective + adjective, self.first_aspect + aspect]
        return torch.stack(both, dim=-1).flatten(-2)

    def _marked(self, *parts: Tensor) -> Tensor:
        """[CLS] in front, [SEP] behind each part."""
        cls = torch.full((len(parts[0]), 1), self.cls_id)
        sep = torch.full_like(cls, self.sep_id)
        pieces = [piece for part in parts for piece in (part, sep)]
        return torch.cat([cls, *pieces], dim=1)

    def floor(self) -> tuple[float, float]:
        """Least loss of a hidden adjective and of a hidden aspect, nats.

        Nobody can do better who knows topic and opinion of the review.
        """
        c = self.contrary
        which = -sum(p * math.log(p) for p in (c, 1 - c) if p)
        aspects = len(self.aspects[self.topics[0]])
        return which + math.log(len(self.good)), math.log(aspects)

    def best_verdict(self, clauses: int = 6) -> float:
        """The best share of single reviews whose opinion can be told."""
        good, bad = self._counts(clauses)
        return float(torch.maximum(good, bad).sum() / 2)

    def best_pair(self, second: Second = "any") -> float:
        """The best share of pairs that can be judged rightly."""
        _check_second(second)
        good, bad = self._counts(self.clauses)
        same = (torch.outer(good, good) + torch.outer(bad, bad)) / 2
        other = (torch.outer(good, bad) + torch.outer(bad, good)) / 2
        if second == "same topic":
            return float(torch.maximum(same, other).sum() / 2)
        # another topic gives itself away; what is left looks at the opinion
        hidden = 1 / len(self.topics)
        drawn = hidden * (same + other) / 2
        return float((1 - hidden + torch.maximum(same, drawn).sum()) / 2)

    def _counts(self, clauses: int) -> tuple[Tensor, Tensor]:
        """P(k bad adjectives) in a good review and in a bad one."""
        k, c = range(clauses + 1), self.contrary
        good = torch.tensor([
            math.comb(clauses, i) * c**i * (1 - c) ** (clauses - i) for i in k
        ])  # fmt: skip
        return good, good.flip(0)


def _check_second(second: str) -> None:
    if second not in get_args(Second):
        known = " or ".join(f'"{name}"' for name in get_args(Second))
        raise ValueError(f"second must be {known}, not {second!r}")
