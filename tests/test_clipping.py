"""Our clipping is PyTorch's, and what it promises holds for any gradient."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_, clip_grad_value_

from nlp_course.clipping import (
    clip_factor,
    clip_gradient_norm,
    clip_gradient_value,
    gradient_norm,
)

# roundings of a handful of operations, relative to the largest entry
TOLERANCE = {torch.float64: 1e-13, torch.float32: 1e-5}
FULL = tuple(TOLERANCE)
HALF = (torch.bfloat16, torch.float16)
CLIPS: list[Callable[..., Any]] = [clip_gradient_norm, clip_gradient_value]


def weights_of(gradients: list[Tensor | None]) -> list[Tensor]:
    """Parameters that have these gradients; None is a frozen one."""
    weights = []
    for gradient in gradients:
        weight = torch.zeros(3) if gradient is None else gradient.detach()
        weight = torch.zeros_like(weight).requires_grad_(gradient is not None)
        weight.grad = None if gradient is None else gradient.clone()
        weights.append(weight)
    return weights


def one(*entries: float) -> Tensor:
    """A single parameter with this gradient."""
    return weights_of([torch.tensor(entries)])[0]


def grads(weights: list[Tensor]) -> list[Tensor]:
    return [w.grad for w in weights if w.grad is not None]


def long_vector(weights: list[Tensor]) -> Tensor:
    return torch.cat([g.double().flatten() for g in grads(weights)])


@st.composite
def gradients(draw: st.DrawFn, *dtypes: torch.dtype) -> list[Tensor | None]:
    """Some tensors of any shapes, one of them at least with entries."""
    dtype = draw(st.sampled_from(dtypes or FULL))
    shape = st.lists(st.integers(1, 4), max_size=3)
    shapes = draw(st.lists(shape, min_size=1, max_size=4))
    rng = torch.Generator().manual_seed(draw(st.integers(0, 2**32 - 1)))
    size = 10.0 ** draw(st.integers(-3, 3))
    found: list[Tensor | None] = [
        (size * torch.randn(n, generator=rng, dtype=torch.float64)).to(dtype)
        for n in shapes
    ]
    frozen = draw(st.integers(0, len(found)))
    found.insert(frozen, None)
    return found


thresholds = st.floats(1e-3, 1e3)


# --- the same as PyTorch ----------------------------------------------------


@settings(max_examples=100)
@given(given_gradients=gradients(), threshold=thresholds)
def test_it_is_the_clipping_of_torch(
    given_gradients: list[Tensor | None], threshold: float
) -> None:
    ours, theirs = weights_of(given_gradients), weights_of(given_gradients)
    norm = clip_gradient_norm(ours, threshold)
    wanted = clip_grad_norm_(theirs, threshold)
    tolerance = TOLERANCE[grads(ours)[0].dtype]
    assert float(norm) == pytest.approx(float(wanted), rel=tolerance)
    # PyTorch divides by the norm plus 1e-6
    tolerance += 1e-6 / float(norm)
    largest = long_vector(ours).abs().max().item()
    torch.testing.assert_close(
        long_vector(ours),
        long_vector(theirs),
        rtol=0,
        atol=tolerance * largest,
    )


@given(given_gradients=gradients(*HALF), threshold=thresholds)
def test_in_half_precision_it_is_the_formula_rounded_once(
    given_gradients: list[Tensor | None], threshold: float
) -> None:
    # PyTorch rounds the factor to 16 bits as well, so it is no measure
    weights = weights_of(given_gradients)
    before = long_vector(weights)
    clip_gradient_norm(weights, threshold)
    wanted = before * min(1.0, threshold / before.norm().item())
    limits = torch.finfo(grads(weights)[0].dtype)
    torch.testing.assert_close(
        long_vector(weights),
        wanted,
        rtol=limits.eps,
        atol=limits.smallest_normal * limits.eps,
    )


@given(given_gradients=gradients(*FULL, *HALF), threshold=thresholds)
def test_by_value_it_is_exactly_that_of_torch(
    given_gradients: list[Tensor | None], threshold: float
) -> None:
    ours, theirs = weights_of(given_gradients), weights_of(given_gradients)
    clip_gradient_value(ours, threshold)
    clip_grad_value_(theirs, threshold)
    assert torch.equal(long_vector(ours), long_vector(theirs))


def test_the_millionth_of_torch_is_all_that_differs() -> None:
    ours = one(3.0, 4.0).double().detach().requires_grad_()
    ours.grad = torch.tensor([3.0, 4.0], dtype=torch.float64)
    theirs = weights_of([ours.grad])[0]
    clip_gradient_norm(ours, 1.0)
    clip_grad_norm_(theirs, 1.0)
    ratio = long_vector([theirs]) / long_vector([ours])
    wanted = torch.full_like(ratio, 5 / (5 + 1e-6))
    torch.testing.assert_close(ratio, wanted, rtol=1e-14, atol=0)


# --- what it promises -------------------------------------------------------


@given(given_gradients=gradients(), threshold=thresholds)
def test_never_too_long_never_longer_never_turned(
    given_gradients: list[Tensor | None], threshold: float
) -> None:
    weights = weights_of(given_gradients)
    before = long_vector(weights)
    returned = clip_gradient_norm(weights, threshold)
    after = long_vector(weights)
    tolerance = TOLERANCE[grads(weights)[0].dtype]
    assert float(returned) == pytest.approx(
        before.norm().item(), rel=tolerance
    )
    assert after.norm() <= threshold * (1 + tolerance)
    assert after.norm() <= before.norm()
    assert (before / before.norm()) @ (after / after.norm()) == pytest.approx(
        1, abs=tolerance
    )
    wanted = min(threshold, before.norm().item())
    assert after.norm().item() == pytest.approx(wanted, rel=tolerance)


@given(given_gradients=gradients(), threshold=thresholds)
def test_twice_is_once(
    given_gradients: list[Tensor | None], threshold: float
) -> None:
    weights = weights_of(given_gradients)
    for clip in CLIPS:
        clip(weights, threshold)
        once = long_vector(weights)
        clip(weights, threshold)
        tolerance = TOLERANCE[grads(weights)[0].dtype]
        torch.testing.assert_close(
            long_vector(weights), once, rtol=tolerance, atol=0
        )


@given(given_gradients=gradients())
def test_below_the_threshold_nothing_changes(
    given_gradients: list[Tensor | None],
) -> None:
    weights = weights_of(given_gradients)
    before = long_vector(weights)
    clip_gradient_norm(weights, 1.001 * before.norm().item())
    assert torch.equal(long_vector(weights), before)
    clip_gradient_norm(weights, math.inf)
    assert torch.equal(long_vector(weights), before)


@given(given_gradients=gradients(torch.float64), threshold=thresholds)
def test_it_is_the_nearest_vector_that_is_short_enough(
    given_gradients: list[Tensor | None], threshold: float
) -> None:
    weights = weights_of(given_gradients)
    before = long_vector(weights)
    clip_gradient_norm(weights, threshold)
    after = long_vector(weights)
    rng = torch.Generator().manual_seed(0)
    away = (before - after).norm()
    for _ in range(20):
        step = torch.randn(after.shape, generator=rng, dtype=torch.float64)
        other = after + 0.1 * threshold * step
        other = other * min(1.0, threshold / other.norm().item())
        assert (before - other).norm() >= away * (1 - 1e-12)


# --- cases by hand ----------------------------------------------------------


def test_the_norm_is_that_of_all_together() -> None:
    weights = [one(3.0), one(4.0), one(12.0)]
    assert clip_gradient_norm(weights, 6.5).item() == 13
    assert long_vector(weights).tolist() == [1.5, 2.0, 6.0]


@pytest.mark.parametrize("threshold", [5.0, 5.1, math.inf])
def test_at_the_threshold_it_is_left_alone(threshold: float) -> None:
    weight = one(3.0, 4.0)
    assert clip_gradient_norm(weight, threshold).item() == 5
    assert long_vector([weight]).tolist() == [3, 4]


def test_zero_stays_zero() -> None:
    weight = one(0.0, 0.0)
    assert clip_gradient_norm(weight, 1.0).item() == 0
    clip_gradient_value(weight, 1.0)
    assert long_vector([weight]).tolist() == [0, 0]


def test_by_value_each_entry_is_cut_off() -> None:
    weight = one(-3.0, 0.5, 2.0)
    clip_gradient_value(weight, 1.0)
    assert long_vector([weight]).tolist() == [-1, 0.5, 1]


def test_frozen_and_empty_weights_are_passed_over() -> None:
    weights = weights_of([None, torch.tensor([6.0, 8.0]), torch.zeros(0, 3)])
    assert clip_gradient_norm(weights, 5.0).item() == 10
    assert weights[0].grad is None
    assert long_vector(weights).tolist() == [3, 4]


@pytest.mark.parametrize("clip", CLIPS)
def test_a_generator_is_read_once(clip: Callable[..., Any]) -> None:
    network = nn.Linear(3, 2)
    network(torch.ones(1, 3)).sum().backward()

    def parameters() -> Iterator[Tensor]:
        yield from network.parameters()

    clip(parameters(), 0.1)
    assert long_vector(list(network.parameters())).abs().max() < 0.1 + 1e-6


def test_a_weight_that_is_named_twice_counts_once() -> None:
    weight = one(6.0, 8.0)
    assert clip_gradient_norm([weight, weight], 5.0).item() == 10
    assert long_vector([weight]).tolist() == [3, 4]


def test_dtypes_may_be_mixed() -> None:
    single, double = torch.tensor([3.0]), torch.tensor([4.0]).double()
    weights = weights_of([single, double])
    norm = clip_gradient_norm(weights, 1.0)
    assert norm.dtype == torch.float64
    assert [g.dtype for g in grads(weights)] == [torch.float32, torch.float64]
    assert long_vector(weights).norm().item() == pytest.approx(1, rel=1e-7)


@pytest.mark.parametrize("size", [1e-30, 1e-25, 1e25, 1e37])
def test_squares_neither_overflow_nor_vanish(size: float) -> None:
    weight = one(3 * size, 4 * size)
    norm = clip_gradient_norm(weight, size)
    wanted = pytest.approx(5 * size, rel=1e-5, abs=0)
    assert norm.item() == wanted
    clipped = gradient_norm(grads([weight])).item()
    assert clipped == pytest.approx(size, rel=1e-5, abs=0)


def test_half_precision_is_measured_in_single() -> None:
    weights = weights_of([torch.full((100,), 6e4).half()])
    norm = clip_gradient_norm(weights, 1.0)
    assert norm.dtype == torch.float32
    assert norm.item() == pytest.approx(6e5, rel=1e-3)
    assert grads(weights)[0].dtype == torch.float16


def test_a_gradient_with_a_graph_can_be_clipped() -> None:
    weight = torch.ones(2, requires_grad=True)
    loss = (weight**2).sum()
    (weight.grad,) = torch.autograd.grad(loss, weight, create_graph=True)
    clip_gradient_norm(weight, 1.0)
    assert weight.grad is not None
    assert weight.grad.norm().item() == pytest.approx(1)
    weight.grad = None  # breaks the cycle of weight and graph


def test_one_factor_for_each_norm() -> None:
    norms = torch.tensor([0.0, 1.0, 2.0, 8.0])
    assert clip_factor(norms, 2.0).tolist() == [1, 1, 1, 0.25]


# --- what is refused, and left as it was ------------------------------------


@pytest.mark.parametrize("clip", CLIPS)
@pytest.mark.parametrize("bad", [math.inf, -math.inf, math.nan])
def test_a_gradient_without_direction_is_refused(
    clip: Callable[..., Any], bad: float
) -> None:
    weights = [one(6.0, 8.0), one(bad, 1.0)]
    with pytest.raises(ValueError, match="left as they were"):
        clip(weights, 1.0)
    assert long_vector(weights)[[0, 1, 3]].tolist() == [6, 8, 1]
    assert str(long_vector(weights)[2].item()) == str(bad)


def test_a_norm_that_fits_no_number_is_refused() -> None:
    weight = one(*[3e38] * 9)
    with pytest.raises(ValueError, match="cannot be scaled"):
        clip_gradient_norm(weight, 1.0)
    assert (long_vector([weight]) > 2e38).all()


@pytest.mark.parametrize("clip", CLIPS)
@pytest.mark.parametrize("threshold", [0, 0.0, -1.0, math.nan, -math.inf])
def test_a_threshold_must_be_positive(
    clip: Callable[..., Any], threshold: float
) -> None:
    weight = one(6.0, 8.0)
    with pytest.raises(ValueError, match=f"positive, not {threshold}"):
        clip(weight, threshold)
    assert long_vector([weight]).tolist() == [6, 8]


@pytest.mark.parametrize("clip", CLIPS)
def test_nothing_to_clip_is_an_error(clip: Callable[..., Any]) -> None:
    with pytest.raises(ValueError, match="no parameters"):
        clip([], 1.0)
    spent = nn.Linear(1, 1).parameters()
    list(spent)
    with pytest.raises(ValueError, match="only once"):
        clip(spent, 1.0)
    with pytest.raises(ValueError, match="call backward"):
        clip(nn.Linear(1, 1).parameters(), 1.0)
    with pytest.raises(ValueError, match="no gradients"):
        gradient_norm([])


@pytest.mark.parametrize("clip", CLIPS)
@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        (nn.Linear(1, 1), r"network\.parameters\(\)"),
        (nn.Sequential(nn.Linear(1, 1)), r"network\.parameters\(\)"),
        ([1.0], r"parameters\[0\] must be a torch.Tensor, not float"),
        ([one(1.0), None], r"parameters\[1\] .* not NoneType"),
        ("W", "not str"),
    ],
)
def test_anything_but_tensors_is_refused(
    clip: Callable[..., Any], parameters: Any, message: str
) -> None:
    with pytest.raises(TypeError, match=message):
        clip(parameters, 1.0)
