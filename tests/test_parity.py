"""What checks derivations must itself be right, and hard to deceive."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from nlp_course.parity import largest_difference, numerical_gradient

A = torch.tensor([[1.0, 2.0], [3.0, 4.0]])


def test_the_largest_difference_of_all_pairs_counts() -> None:
    other = A + torch.tensor([[0.0, -0.5], [0.25, 0.0]])
    assert largest_difference([(A, A)]) == 0.0
    assert largest_difference([(A, A), (A, other), (A, A)]) == 0.5
    assert largest_difference(iter([(other, A)])) == 0.5


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_what_is_not_finite_never_agrees(bad: float) -> None:
    spoilt = A.clone()
    spoilt[0, 1] = bad
    for pairs in ([(A, spoilt)], [(A, spoilt), (A, A)], [(spoilt, spoilt)]):
        assert not largest_difference(pairs) < 1e300


def test_shapes_are_not_broadcast() -> None:
    pairs = [(A, A), (torch.ones(2), torch.ones(2, 1))]
    with pytest.raises(ValueError, match=r"pair 2 has shapes \(2,\) and"):
        largest_difference(pairs)
    with pytest.raises(ValueError, match="nothing to compare"):
        largest_difference([])


def test_a_numerical_gradient_is_that_of_autograd() -> None:
    weight = torch.randn(2, 3, dtype=torch.float64, requires_grad=True)
    before = weight.detach().clone()

    def function() -> Tensor:
        return (weight.sin() * torch.arange(3.0)).sum() + weight[0, 0] ** 2

    (wanted,) = torch.autograd.grad(function(), weight)
    found = numerical_gradient(function, weight)
    torch.testing.assert_close(found, wanted, rtol=1e-7, atol=1e-7)
    assert torch.equal(weight, before), "put back exactly"
    assert not found.requires_grad
