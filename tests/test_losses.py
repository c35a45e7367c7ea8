"""The loss is PyTorch's, and what is masked has no part in it."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.func import vmap

from nlp_course.losses import bits, cross_entropy, perplexity

sizes = st.integers(1, 5)
shapes = st.lists(sizes, min_size=0, max_size=3).map(tuple)
seeds = st.integers(0, 2**32 - 1)
assert_close = partial(torch.testing.assert_close, rtol=1e-12, atol=1e-12)


def draw(
    shape: tuple[int, ...], V: int, seed: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Scores, targets and a mask that leaves at least one position."""
    rng = torch.Generator().manual_seed(seed)
    scores = 5 * torch.randn(*shape, V, generator=rng, dtype=torch.float64)
    targets = torch.randint(V, shape, generator=rng)
    mask = torch.rand(shape, generator=rng) < 0.5
    mask.view(-1)[seed % mask.numel()] = True
    return scores.requires_grad_(), targets, mask


def grad_of(loss: Tensor, scores: Tensor) -> Tensor:
    (gradient,) = torch.autograd.grad(loss, scores)
    return gradient


@settings(max_examples=40)
@given(shape=shapes, V=sizes, seed=seeds)
def test_value_and_gradient_are_those_of_torch(
    shape: tuple[int, ...], V: int, seed: int
) -> None:
    scores, targets, _ = draw(shape, V, seed)
    found = cross_entropy(scores, targets)
    wanted = F.cross_entropy(scores.view(-1, V), targets.view(-1))
    assert_close(found, wanted)
    assert_close(grad_of(found, scores), grad_of(wanted, scores))


@settings(max_examples=40)
@given(shape=shapes, V=sizes, seed=seeds)
def test_the_mean_is_over_what_the_mask_leaves(
    shape: tuple[int, ...], V: int, seed: int
) -> None:
    scores, targets, mask = draw(shape, V, seed)
    found = cross_entropy(scores, targets, mask)
    wanted = F.cross_entropy(scores[mask].view(-1, V), targets[mask].view(-1))
    assert_close(found, wanted)
    gradient = grad_of(found, scores)
    assert_close(gradient, grad_of(wanted, scores))
    assert (gradient[~mask] == 0).all()


@pytest.mark.parametrize("junk", [1e300, math.inf, -math.inf, math.nan])
def test_masked_scores_may_be_anything(junk: float) -> None:
    scores, targets, mask = draw((4, 3), 5, seed=1)
    spoilt = torch.where(mask.unsqueeze(-1), scores.detach(), junk)
    spoilt.requires_grad_()
    found = cross_entropy(spoilt, targets, mask)
    wanted = cross_entropy(scores, targets, mask)
    assert torch.equal(found, wanted)
    assert torch.equal(grad_of(found, spoilt), grad_of(wanted, scores))


def test_a_full_mask_is_no_mask() -> None:
    scores, targets, mask = draw((4, 3), 5, seed=2)
    found = cross_entropy(scores, targets, torch.ones_like(mask))
    wanted = cross_entropy(scores, targets)
    assert_close(found, wanted)


def test_by_hand() -> None:
    scores = torch.tensor([[math.log(3.0), 0.0], [0.0, 0.0]])
    loss = cross_entropy(scores, torch.tensor([0, 1]))
    assert loss.item() == pytest.approx(-(math.log(0.75) + math.log(0.5)) / 2)


def test_large_scores_do_not_overflow() -> None:
    scores = torch.tensor([[1e4, 0.0], [-1e4, -2e4]], requires_grad=True)
    loss = cross_entropy(scores, torch.tensor([1, 0]))
    assert loss.item() == 5e3
    assert grad_of(loss, scores).isfinite().all()


def test_finite_differences_agree() -> None:
    scores, targets, mask = draw((2, 3), 4, seed=3)
    assert torch.autograd.gradcheck(
        lambda s: cross_entropy(s, targets, mask), scores
    )


def test_ids_of_32_bits_will_do() -> None:
    scores, targets, _ = draw((4,), 5, seed=4)
    found = cross_entropy(scores, targets.int())
    assert torch.equal(found, cross_entropy(scores, targets))


def test_one_loss_for_each_network_under_vmap() -> None:
    scores, targets, mask = draw((3, 4), 5, seed=5)
    mask[:, 0] = True
    found = vmap(cross_entropy)(scores, targets, mask)
    for k in range(3):
        wanted = cross_entropy(scores[k], targets[k], mask[k])
        assert_close(found[k], wanted)
    found = vmap(cross_entropy)(scores, targets)
    wanted = cross_entropy(scores, targets)
    assert_close(found.mean(), wanted)


GOOD = torch.zeros(2, 3, 4)
TARGETS = torch.zeros(2, 3, dtype=torch.int64)


@pytest.mark.parametrize(
    ("arguments", "kind", "words"),
    [
        ((GOOD, TARGETS[0]), ValueError, ["logits (2, 3, 4)", "(3,)"]),
        ((GOOD[0, 0], TARGETS), ValueError, ["logits (4,)", "(2, 3)"]),
        (
            (torch.tensor(1.0), torch.tensor(0)),
            ValueError,
            ["logits ()", "one axis more"],
        ),
        ((GOOD, TARGETS + 4), ValueError, ["targets", "4 to 4", "0 to 3"]),
        ((GOOD, TARGETS - 100), ValueError, ["targets", "-100"]),
        ((GOOD, TARGETS.float()), TypeError, ["targets", "torch.float32"]),
        ((GOOD[:0], TARGETS[:0]), ValueError, ["targets (0, 3)", "empty"]),
        (
            (GOOD, TARGETS, TARGETS == 1),
            ValueError,
            ["mask is False everywhere"],
        ),
        (
            (GOOD, TARGETS, torch.ones(2, 3)),
            TypeError,
            ["mask", "boolean", "torch.float32"],
        ),
        (
            (GOOD, TARGETS, torch.ones(3, dtype=torch.bool)),
            ValueError,
            ["mask (3,)", "targets", "(2, 3)"],
        ),
    ],
)
def test_a_wrong_argument_is_named(
    arguments: Any, kind: type[Exception], words: list[str]
) -> None:
    with pytest.raises(kind) as caught:
        cross_entropy(*arguments)
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize("V", [1, 2, 50])
def test_perplexity_counts_equally_likely_tokens(V: int) -> None:
    loss = cross_entropy(torch.zeros(3, V), torch.zeros(3, dtype=torch.int64))
    assert perplexity(loss.item()) == pytest.approx(V)
    assert bits(loss.item()) == pytest.approx(math.log2(V))


def test_perplexity_of_a_model_that_has_diverged() -> None:
    assert perplexity(1e6) == math.inf
    assert perplexity(math.inf) == math.inf
    assert math.isnan(perplexity(math.nan))
    assert perplexity(0.0) == 1.0
