"""Lanes read a text in order, once, with the right successors."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from nlp_course.data.streams import Lanes, split_text

sizes = st.tuples(
    st.integers(1, 5), st.integers(1, 6), st.integers(1, 4), st.integers(0, 9)
)


@given(sizes)
def test_every_row_goes_on_where_it_ended(
    drawn: tuple[int, int, int, int],
) -> None:
    B, T, windows, more = drawn
    text = torch.arange(B * T * windows + 1 + more)  # each token is its place
    lanes = Lanes(text, B, T)
    assert len(lanes) >= windows
    x = torch.cat([window.x for window in lanes], dim=1)
    y = torch.cat([window.y for window in lanes], dim=1)
    assert x.shape == (B, len(lanes) * T)
    assert torch.equal(y, x + 1)
    assert torch.equal(x[:, 1:], x[:, :-1] + 1)
    assert len(x.unique()) == x.numel()  # no token is read twice
    left = len(text) - 1 - x.numel()
    assert left < B * T + B  # no more is left out than must be


def test_windows_begin_anew_after_the_last() -> None:
    lanes = Lanes(torch.arange(14), lanes=2, steps=2)
    assert len(lanes) == 3
    assert [lanes[k].first for k in range(5)] == [
        True, False, False, True, False,
    ]  # fmt: skip
    assert torch.equal(lanes[3].x, lanes[0].x)
    assert len(list(lanes)) == 3
    with pytest.raises(IndexError, match="counted from 0"):
        lanes[-1]


def test_a_text_may_be_just_long_enough() -> None:
    lanes = Lanes(torch.arange(7), lanes=2, steps=3)
    assert len(lanes) == 1
    assert lanes[0].y.tolist() == [[1, 2, 3], [4, 5, 6]]
    with pytest.raises(ValueError, match=r"6 tokens .* 2 lanes .* needs 7"):
        Lanes(torch.arange(6), lanes=2, steps=3)


@pytest.mark.parametrize(
    ("ids", "error", "message"),
    [
        (torch.zeros(3, 3, dtype=torch.int64), ValueError, "one text"),
        (torch.zeros(9), TypeError, "integers"),
        ([1, 2, 3], TypeError, "torch.Tensor"),
    ],
)
def test_what_is_no_text(
    ids: Tensor, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        Lanes(ids, 1, 1)
    with pytest.raises(error, match=message):
        split_text(ids)


def test_sizes_must_be_positive() -> None:
    with pytest.raises(ValueError, match="lanes must be a positive"):
        Lanes(torch.arange(9), 0, 2)
    with pytest.raises(ValueError, match="steps must be a positive"):
        Lanes(torch.arange(9), 2, 0)


@given(st.integers(2, 200), st.floats(0.05, 0.6))
def test_a_split_cuts_once_and_keeps_everything(n: int, test: float) -> None:
    if not 0 < round(test * n) < n:
        return
    before, after = split_text(torch.arange(n), test)
    assert torch.equal(torch.cat([before, after]), torch.arange(n))
    assert len(after) == round(test * n)


@pytest.mark.parametrize("test", [0, 1, 0.001, -0.1, 1.5, 0.999])
def test_both_parts_need_a_token(test: float) -> None:
    with pytest.raises(ValueError, match="both parts"):
        split_text(torch.arange(10), test)
