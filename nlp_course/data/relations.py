"""A game in which who beats whom is not who is beaten by whom."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from jaxtyping import Int
from torch import Generator, Tensor

from nlp_course.checks import check_positive
from nlp_course.data.tasks import _uniform


class Rounds(NamedTuple):
    """Rounds of the game, ``(*shape, 3)`` each: one entry for a player.

    ``hand`` what the player shows, ``stake`` the coins before the player,
    ``prey`` the place of the player who is beaten, ``y`` the coins that are
    won from that player.
    """

    hand: Int[Tensor, "*shape 3"]
    stake: Int[Tensor, "*shape 3"]
    prey: Int[Tensor, "*shape 3"]
    y: Int[Tensor, "*shape 3"]


@dataclass(frozen=True)
class GameTask:
    """Rock, paper, scissors, by three players who show all three hands.

    Paper beats rock, rock beats scissors, scissors beat paper.  The players
    sit in random order, each with a stake of 0 to ``stakes - 1`` coins.
    Every player is to name the stake of the one who is beaten, so a player
    has to look at one of the other two and not at the third.
    """

    stakes: int = 10
    hands: ClassVar = ("paper", "rock", "scissors")  # each beats the next

    def __post_init__(self) -> None:
        check_positive(stakes=self.stakes)

    def sample(self, *shape: int, rng: Generator) -> Rounds:
        """Draw rounds; every field has the shape ``(*shape, 3)``."""
        check_positive(**{f"shape[{i}]": n for i, n in enumerate(shape)})
        n = len(self.hands)
        hand = torch.rand((*shape, n), generator=rng).argsort(dim=-1)
        stake = _uniform(0, self.stakes, (*shape, n), rng)
        place_of = hand.argsort(dim=-1)  # of each hand
        prey = place_of.gather(-1, (hand + 1) % n)
        return Rounds(hand, stake, prey, stake.gather(-1, prey))

    def ceiling(self) -> float:
        """Share right if one player of three names the wrong stake.

        That player is right only where the two stakes happen to be equal.
        """
        return (2 + 1 / self.stakes) / 3
