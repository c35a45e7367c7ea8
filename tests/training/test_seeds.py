"""Randomness has a name, and is put back where it was found."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nlp_course.training import generator, seeded, seeds_from

choices = st.integers(0, 10**6)
counts = st.integers(1, 1000)


@given(first=choices, second=choices, count=counts)
def test_different_choices_share_no_seed(
    first: int, second: int, count: int
) -> None:
    seeds = seeds_from(first, count)
    assert len(seeds) == len(set(seeds)) == count
    assert seeds == seeds_from(first, count)
    if first != second:
        assert not set(seeds) & set(seeds_from(second, 1000))
        assert not set(seeds) & set(seeds_from(first + 1, 1000))


@given(choice=choices, count=counts)
def test_more_seeds_start_with_the_fewer(choice: int, count: int) -> None:
    assert seeds_from(choice, 1000)[:count] == seeds_from(choice, count)


@pytest.mark.parametrize("seed", [-1, 1.0, True, "1", None])
def test_a_seed_is_a_whole_number(seed: Any) -> None:
    with pytest.raises(ValueError, match="seed must be a whole number") as e:
        seeds_from(seed, 3)
    assert repr(seed) in str(e.value)


@pytest.mark.parametrize("count", [0, -2, 1001])
def test_a_count_has_bounds(count: int) -> None:
    with pytest.raises(ValueError, match=f"count .*1 to 1000, not {count}"):
        seeds_from(0, count)


def test_inside_seeded_numbers_repeat_and_outside_they_go_on() -> None:
    torch.manual_seed(1)
    wanted = [torch.rand(1).item() for _ in range(2)]
    torch.manual_seed(1)
    before = torch.rand(1).item()
    with seeded(7):
        first = torch.rand(3)
    with seeded(7):
        assert torch.equal(torch.rand(3), first)
    with seeded(8):
        assert not torch.equal(torch.rand(3), first)
    assert [before, torch.rand(1).item()] == wanted


def test_an_error_inside_seeded_puts_randomness_back_too() -> None:
    state = torch.get_rng_state()
    with pytest.raises(RuntimeError, match="oops"), seeded(7):
        torch.rand(1)
        raise RuntimeError("oops")
    assert torch.equal(torch.get_rng_state(), state)


def test_generators_are_independent_of_each_other_and_of_torch() -> None:
    state = torch.get_rng_state()
    one, two = generator(5), generator(5)
    first = torch.rand(4, generator=one)
    torch.rand(4, generator=one)
    assert torch.equal(torch.rand(4, generator=two), first)
    assert not torch.equal(torch.rand(4, generator=generator(6)), first)
    assert torch.equal(torch.get_rng_state(), state)
