"""Sines, cosines and tables of positions."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nlp_course.attention.positions import (
    LearnedPositions,
    SinusoidalPositions,
    frequencies,
    shift_matrix,
    sinusoidal_positions,
)
from nlp_course.attention.scaled import SelfAttention
from nlp_course.training import Ensemble, seeded

DOUBLE: dict[str, Any] = {"dtype": torch.float64}
widths = st.integers(1, 12).map(lambda n: 2 * n)


@settings(max_examples=40)
@given(length=st.integers(1, 30), width=widths, start=st.integers(0, 500))
def test_every_entry_is_that_of_the_paper(
    length: int, width: int, start: int
) -> None:
    table = sinusoidal_positions(length, width, start=start, **DOUBLE)
    assert table.shape == (length, width)
    for t in range(length):
        for j in range(width // 2):
            angle = (start + t) / 10000 ** (2 * j / width)
            assert abs(table[t, 2 * j] - math.sin(angle)) < 1e-11
            assert abs(table[t, 2 * j + 1] - math.cos(angle)) < 1e-11


def test_position_zero_and_one_by_hand() -> None:
    table = sinusoidal_positions(2, 4, **DOUBLE)
    wanted = [math.sin(1), math.cos(1), math.sin(0.01), math.cos(0.01)]
    assert table[0].tolist() == [0, 1, 0, 1]
    assert table[1].tolist() == pytest.approx(wanted, abs=1e-15)


@settings(max_examples=40)
@given(shift=st.integers(-40, 40), width=widths)
def test_a_shift_is_one_rotation_for_all_positions(
    shift: int, width: int
) -> None:
    table = sinusoidal_positions(120, width, **DOUBLE)
    R = shift_matrix(shift, width, **DOUBLE)
    at = torch.arange(40, 80)
    gap = table[at] @ R.T - table[at + shift]
    assert gap.abs().max() < 1e-12
    eye = torch.eye(width, **DOUBLE)
    assert (R @ R.T - eye).abs().max() < 1e-12
    assert abs(torch.linalg.det(R) - 1) < 1e-12


@settings(max_examples=20)
@given(a=st.integers(-9, 9), b=st.integers(-9, 9), width=widths)
def test_rotations_add_up(a: int, b: int, width: int) -> None:
    R = [shift_matrix(k, width, **DOUBLE) for k in (a, b, a + b)]
    assert (R[0] @ R[1] - R[2]).abs().max() < 1e-12


def test_products_of_positions_depend_on_the_distance_alone() -> None:
    table = sinusoidal_positions(100, 16, **DOUBLE)
    products = table @ table.T
    for k in range(20):
        line = products.diagonal(k)
        assert (line - line[0]).abs().max() < 1e-11
    assert (products.diagonal(0) - 8).abs().max() < 1e-11


def test_positions_differ_and_are_bounded() -> None:
    table = sinusoidal_positions(500, 16, **DOUBLE)
    apart = torch.cdist(table, table) + 9 * torch.eye(500, **DOUBLE)
    assert apart.min() > 0.1
    assert table.abs().max() <= 1


def test_far_positions_are_as_exact_as_near_ones_in_single_precision() -> None:
    far = sinusoidal_positions(3, 8, start=100_000)
    exact = sinusoidal_positions(3, 8, start=100_000, **DOUBLE)
    assert far.dtype == torch.float32
    assert (far - exact).abs().max() < 1e-6


def test_the_base_sets_the_slowest_hand() -> None:
    assert frequencies(6).tolist() == pytest.approx(
        [1, 10000 ** (-1 / 3), 10000 ** (-2 / 3)]
    )
    assert frequencies(4, base=100.0).tolist() == pytest.approx([1, 0.1])


@pytest.mark.parametrize("shape", [(5, 4), (2, 5, 4), (3, 2, 5, 4)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_both_kinds_add_one_vector_for_each_place(
    shape: tuple[int, ...], dtype: torch.dtype
) -> None:
    with seeded(0):
        x = torch.randn(shape, dtype=dtype)
        learned = LearnedPositions(4, 9, dtype=dtype)
    sines = SinusoidalPositions(4)
    for start in (0, 3):
        table = sinusoidal_positions(5, 4, start=start, dtype=dtype)
        assert torch.equal(sines(x, start), x + table)
        rows = learned.P[start : start + 5]
        assert torch.equal(learned(x, start), x + rows)
    assert sines(x).dtype == dtype
    assert list(sines.parameters()) == []


def test_words_one_by_one_are_words_at_once() -> None:
    x = torch.randn(2, 6, 4)
    for place in (SinusoidalPositions(4), LearnedPositions(4, 6)):
        steps = [place(x[:, t : t + 1], start=t) for t in range(6)]
        assert torch.equal(torch.cat(steps, dim=1), place(x))


def test_only_the_rows_in_use_learn() -> None:
    place = LearnedPositions(4, 9)
    place(torch.zeros(2, 5, 4)).sum().backward()
    assert place.P.grad is not None
    assert (place.P.grad[:5] == 2).all()
    assert (place.P.grad[5:] == 0).all()


def test_the_table_starts_as_asked() -> None:
    with seeded(0):
        place = LearnedPositions(40, 50, std=0.3)
    assert 0.27 < place.P.std() < 0.33


def test_positions_make_order_visible() -> None:
    with seeded(0):
        net = SelfAttention(4, **DOUBLE)
        x = torch.randn(1, 6, 4, **DOUBLE)
    order = torch.tensor([1, 0, 2, 3, 4, 5])
    place = SinusoidalPositions(4)
    blind = net(x[:, order]) - net(x)[:, order]
    sees = net(place(x[:, order])) - net(place(x))[:, order]
    assert blind.abs().max() < 1e-12
    assert sees.abs().max() > 0.01


def test_an_ensemble_of_both_kinds() -> None:
    x = torch.randn(2, 3, 5, 4)
    kinds: list[Callable[[], Any]] = [
        lambda: LearnedPositions(4, 5),
        lambda: torch.nn.Sequential(SinusoidalPositions(4), SelfAttention(4)),
    ]
    for kind in kinds:
        model = Ensemble(kind, [0, 1])
        for s in range(2):
            torch.testing.assert_close(model(x)[s], model.member(s)(x[s]))


X = torch.zeros(2, 5, 4)
BAD: list[tuple[Callable[[], Any], type[Exception], list[str]]] = [
    (
        lambda: LearnedPositions(4, 4)(X),
        ValueError,
        ["0 to 3", "position 4", "longest=5"],
    ),
    (
        lambda: LearnedPositions(4, 6)(X, start=2),
        ValueError,
        ["0 to 5", "position 6", "longest=7"],
    ),
    (lambda: LearnedPositions(4, 9)(X, start=-1), ValueError, ["start"]),
    (lambda: SinusoidalPositions(4)(X, start=True), ValueError, ["start"]),
    (lambda: SinusoidalPositions(6)(X), ValueError, ["(..., time, 6)"]),
    (lambda: LearnedPositions(6, 9)(X), ValueError, ["(..., time, 6)"]),
    (lambda: LearnedPositions(4, 9)(X.double()), TypeError, ["x has dtype"]),
    (lambda: SinusoidalPositions(4)(X[:, :0]), ValueError, ["x is empty"]),
    (lambda: LearnedPositions(4, 9)(X[:, :0]), ValueError, ["x is empty"]),
    (lambda: SinusoidalPositions(5), ValueError, ["even", "not 5"]),
    (lambda: sinusoidal_positions(3, 5), ValueError, ["even"]),
    (lambda: sinusoidal_positions(0, 4), ValueError, ["length"]),
    (lambda: LearnedPositions(4, 0), ValueError, ["longest"]),
    (lambda: LearnedPositions(0, 4), ValueError, ["width"]),
    (lambda: shift_matrix(1, 3), ValueError, ["even"]),
]


@pytest.mark.parametrize(("call", "kind", "words"), BAD)
def test_a_wrong_argument_is_named(
    call: Callable[[], Any], kind: type[Exception], words: list[str]
) -> None:
    with pytest.raises(kind) as caught:
        call()
    for word in words:
        assert word in str(caught.value)
