"""Rounds of the game, judged again in plain Python."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nlp_course.data.relations import GameTask
from nlp_course.training import generator

BEATS = {("paper", "rock"), ("rock", "scissors"), ("scissors", "paper")}


@settings(max_examples=30)
@given(seed=st.integers(0, 10**6), stakes=st.integers(1, 12))
def test_everybody_wins_the_stake_of_the_one_beaten(
    seed: int, stakes: int
) -> None:
    task = GameTask(stakes)
    rounds = task.sample(20, rng=generator(seed))
    for hand, stake, prey, y in zip(
        *(field.tolist() for field in rounds), strict=True
    ):
        assert sorted(hand) == [0, 1, 2]
        assert all(0 <= coins < stakes for coins in stake)
        for player in range(3):
            beaten = prey[player]
            pair = (task.hands[hand[player]], task.hands[hand[beaten]])
            assert pair in BEATS
            assert y[player] == stake[beaten]


def test_every_order_and_every_stake_occur_equally_often() -> None:
    rounds = GameTask().sample(6000, rng=generator(0))
    orders = (rounds.hand * torch.tensor([9, 3, 1])).sum(-1)
    counts = orders.unique(return_counts=True)[1]
    assert len(counts) == 6
    assert counts.min() > 850
    assert rounds.stake.flatten().bincount().min() > 1650


@pytest.mark.parametrize("shape", [(), (3,), (2, 3)])
def test_any_shape(shape: tuple[int, ...]) -> None:
    for field in GameTask().sample(*shape, rng=generator(0)):
        assert field.shape == (*shape, 3)
        assert field.dtype == torch.int64


def test_the_ceiling_is_what_two_of_three_players_reach() -> None:
    task = GameTask()
    rounds = task.sample(20_000, rng=generator(1))
    third = 3 - torch.arange(3) - rounds.prey
    named = rounds.y.clone()  # the player with paper looks wrongly
    wrong = rounds.stake.gather(-1, third)
    named[rounds.hand == 0] = wrong[rounds.hand == 0]
    share = (named == rounds.y).float().mean()
    assert abs(share - task.ceiling()) < 0.01
    assert task.ceiling() == pytest.approx(0.7)


def test_the_generator_decides_and_nothing_else() -> None:
    first = GameTask().sample(50, rng=generator(1))
    torch.manual_seed(99)
    again = GameTask().sample(50, rng=generator(1))
    other = GameTask().sample(50, rng=generator(2))
    assert all(map(torch.equal, first, again))
    assert not torch.equal(first.stake, other.stake)


@pytest.mark.parametrize("stakes", [0, -1, 2.0, True])
def test_stakes_must_be_a_positive_number(stakes: Any) -> None:
    with pytest.raises(ValueError, match="stakes must be a positive"):
        GameTask(stakes)
