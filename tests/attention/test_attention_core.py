"""Softmax under a mask and the weighted sum, against plain loops."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.func import grad, vmap

from nlp_course.attention.core import (
    attend,
    check_mask,
    masked_softmax,
    weighted_sum,
)


def assert_close(
    found: Tensor, wanted: Tensor, rtol: float = 1e-12, atol: float = 1e-12
) -> None:
    torch.testing.assert_close(found, wanted, rtol=rtol, atol=atol)


@dataclass(frozen=True)
class Case:
    """Sizes and a seed from which everything else is drawn."""

    B: int
    T: int
    N: int
    H: int
    seed: int

    def draw(self) -> tuple[Tensor, Tensor, Tensor]:
        """Scores, values, and a mask in which no row is empty."""
        rng = torch.Generator().manual_seed(self.seed)

        def normal(*shape: int) -> Tensor:
            return torch.randn(*shape, generator=rng, dtype=torch.float64)

        scores = 3 * normal(self.B, self.T, self.N)
        values = normal(self.B, self.N, self.H)
        mask = torch.rand(scores.shape, generator=rng) < 0.6
        first = torch.randint(self.N, (self.B, self.T, 1), generator=rng)
        return scores, values, mask.scatter(-1, first, True)


sizes = st.integers(1, 5)
cases = st.builds(Case, sizes, sizes, sizes, sizes, st.integers(0, 2**32))


def by_loops(scores: Tensor, values: Tensor, mask: Tensor) -> list[Any]:
    """Contexts and weights, number by number, with Python's floats."""
    B, T, N = scores.shape
    contexts, weights = [], []
    for b, t in itertools.product(range(B), range(T)):
        row = scores[b, t].tolist()
        open_ = [i for i in range(N) if bool(mask[b, t, i])]
        total = sum(math.exp(row[i]) for i in open_)
        alpha = [
            math.exp(row[i]) / total if i in open_ else 0.0 for i in range(N)
        ]
        columns = values[b].T.tolist()
        contexts.append(
            [
                sum(a * v for a, v in zip(alpha, column, strict=True))
                for column in columns
            ]
        )
        weights.append(alpha)
    return [
        torch.tensor(contexts, dtype=torch.float64).view(B, T, -1),
        torch.tensor(weights, dtype=torch.float64).view(B, T, N),
    ]


@settings(max_examples=50)
@given(case=cases)
def test_context_and_weights_are_those_of_the_loops(case: Case) -> None:
    scores, values, mask = case.draw()
    for found, wanted in zip(
        attend(scores, values, mask), by_loops(scores, values, mask),
        strict=True,
    ):  # fmt: skip
        assert_close(found, wanted)
    everywhere = torch.ones_like(mask)
    wanted_context = by_loops(scores, values, everywhere)[0]
    found_context = attend(scores, values).context
    assert_close(found_context, wanted_context)


@settings(max_examples=30)
@given(case=cases)
def test_values_and_gradients_are_those_of_torch(case: Case) -> None:
    """Identity keys turn PyTorch's queries into scores."""
    scores, values, mask = case.draw()
    eye = torch.eye(case.N, dtype=torch.float64).expand(case.B, -1, -1)
    ours = [t.clone().requires_grad_() for t in (scores, values)]
    theirs = [t.clone().requires_grad_() for t in (scores, values)]
    found = attend(ours[0], ours[1], mask).context
    wanted = F.scaled_dot_product_attention(
        theirs[0], eye, theirs[1], attn_mask=mask, scale=1.0
    )
    assert_close(found, wanted)
    weigh = torch.linspace(-1, 2, found.numel(), dtype=torch.float64)
    for result in (found, wanted):
        (result.flatten() * weigh).sum().backward()
    for a, b in zip(ours, theirs, strict=True):
        assert a.grad is not None
        assert b.grad is not None
        assert_close(a.grad, b.grad)


@settings(max_examples=30)
@given(case=cases)
def test_gradient_of_the_context_is_the_chapters(case: Case) -> None:
    """d context / d e_i = α_i (h_i − context), derived in the chapter."""
    scores, values, mask = case.draw()
    scores = scores[0, :1].requires_grad_()  # (1, N): one query
    context, weights = attend(scores, values[0], mask[0, :1])
    for k in range(case.H):
        (found,) = torch.autograd.grad(
            context[0, k], scores, retain_graph=True
        )
        wanted = weights[0] * (values[0, :, k] - context[0, k])
        assert_close(found[0], wanted)


# --- properties --------------------------------------------------------------


@settings(max_examples=50)
@given(case=cases, shift=st.floats(-50, 50))
def test_rows_sum_to_one_and_hidden_weights_are_zero(
    case: Case, shift: float
) -> None:
    scores, _, mask = case.draw()
    weights = masked_softmax(scores, mask)
    sums = weights.sum(dim=-1)
    assert_close(sums, torch.ones_like(sums))
    assert (weights[~mask] == 0).all()
    assert (weights[mask] > 0).all()
    moved = masked_softmax(scores + shift, mask)
    assert_close(moved, weights, rtol=1e-10, atol=1e-12)


@settings(max_examples=30)
@given(case=cases)
def test_what_is_hidden_has_no_influence(case: Case) -> None:
    scores, values, mask = case.draw()
    other = torch.where(mask, scores, 1e3 * torch.sign(scores))
    assert torch.equal(
        masked_softmax(other, mask), masked_softmax(scores, mask)
    )
    spoilt = torch.where(mask, scores, torch.nan).requires_grad_()
    context, weights = attend(spoilt, values, mask)
    assert torch.equal(weights, masked_softmax(scores, mask))
    (slopes,) = torch.autograd.grad(context.sum(), spoilt)
    assert (slopes[~mask] == 0).all()
    assert slopes.isfinite().all()


@settings(max_examples=30)
@given(case=cases)
def test_the_order_of_the_keys_does_not_matter(case: Case) -> None:
    scores, values, mask = case.draw()
    rng = torch.Generator().manual_seed(case.seed)
    order = torch.randperm(case.N, generator=rng)
    straight = attend(scores, values, mask)
    shuffled = attend(scores[..., order], values[:, order], mask[..., order])
    assert_close(shuffled.context, straight.context)
    assert_close(shuffled.weights, straight.weights[..., order])


@settings(max_examples=30)
@given(case=cases)
def test_a_context_lies_between_the_values(case: Case) -> None:
    scores, values, mask = case.draw()
    context = attend(scores, values, mask).context
    low = values.amin(dim=1, keepdim=True)
    high = values.amax(dim=1, keepdim=True)
    assert (context >= low - 1e-12).all()
    assert (context <= high + 1e-12).all()


def test_a_row_with_nothing_allowed_is_zero_and_stops_gradients() -> None:
    scores = torch.randn(2, 3, 4, requires_grad=True)
    mask = torch.ones(2, 3, 4, dtype=torch.bool)
    mask[0, 1] = False
    context, weights = attend(scores, torch.randn(2, 4, 5), mask)
    assert (weights[0, 1] == 0).all()
    assert (context[0, 1] == 0).all()
    assert weights.isfinite().all()
    with torch.autograd.set_detect_anomaly(True):  # no NaN on the way either
        context.pow(2).sum().backward()
    assert scores.grad is not None
    assert scores.grad.isfinite().all()
    assert (scores.grad[0, 1] == 0).all()
    assert (scores.grad[0, 0] != 0).any()


def test_very_large_scores_do_not_overflow() -> None:
    weights = masked_softmax(torch.tensor([[1e4, 1e4, -1e4]]))
    assert torch.allclose(weights, torch.tensor([[0.5, 0.5, 0.0]]))


def test_a_mask_of_the_source_serves_all_queries_and_heads() -> None:
    scores = torch.randn(2, 3, 4, 5)  # (B, heads, T, N)
    source = torch.tensor([[True] * 5, [True] * 2 + [False] * 3])
    mask = source[:, None, None]  # (B, 1, 1, N)
    weights = masked_softmax(scores, mask)
    assert (weights[1, :, :, 2:] == 0).all()
    wanted = masked_softmax(scores, mask.expand_as(scores))
    assert torch.equal(weights, wanted)


def test_it_runs_under_vmap_and_grad() -> None:
    scores = torch.randn(3, 2, 4, dtype=torch.float64)
    values = torch.randn(3, 4, 5, dtype=torch.float64)
    mask = torch.tensor([True, True, False, True])

    def loss(scores: Tensor, values: Tensor) -> Tensor:
        return attend(scores, values, mask).context.pow(2).sum()

    together = vmap(grad(loss))(scores, values)
    alone = [grad(loss)(s, v) for s, v in zip(scores, values, strict=True)]
    assert_close(together, torch.stack(alone))


# --- errors ------------------------------------------------------------------


def test_a_mask_must_be_boolean() -> None:
    scores = torch.zeros(2, 3)
    for mask in (torch.ones(2, 3), torch.ones(2, 3, dtype=torch.int64)):
        with pytest.raises(TypeError, match="True where attention is allow"):
            masked_softmax(scores, mask)
    with pytest.raises(TypeError, match=r"must be a torch\.Tensor, not list"):
        check_mask([True], scores)  # type: ignore[arg-type]


@pytest.mark.parametrize("shape", [(2,), (4, 3), (5, 2, 3), (2, 1, 3)])
def test_a_mask_must_fit(shape: tuple[int, ...]) -> None:
    mask = torch.ones(shape, dtype=torch.bool)
    with pytest.raises(ValueError, match=r"does not broadcast to the scores"):
        masked_softmax(torch.zeros(2, 3), mask)


def test_every_weight_needs_a_value() -> None:
    with pytest.raises(ValueError, match=r"4 weights for 5 values.*\(5, 6\)"):
        weighted_sum(torch.zeros(3, 4), torch.zeros(5, 6))
