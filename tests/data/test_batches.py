"""Rectangles of ids: every sequence is in there, the rest is padding."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nlp_course.data import Batch, length_mask, pad_batch

ids = st.integers(0, 2**63 - 1)
sequences = st.lists(
    st.lists(ids, min_size=1, max_size=6), min_size=1, max_size=5
)


@given(rows=sequences, padding=st.integers(-100, 100))
def test_every_id_stands_in_its_place(
    rows: list[list[int]], padding: int
) -> None:
    batch = pad_batch(rows, padding)
    assert isinstance(batch, Batch)
    longest = max(len(row) for row in rows)
    wanted = [row + [padding] * (longest - len(row)) for row in rows]
    assert batch.ids.tolist() == wanted
    assert batch.lengths.tolist() == [len(row) for row in rows]
    assert batch.ids.dtype == batch.lengths.dtype == torch.int64


@given(rows=sequences)
def test_the_mask_marks_the_real_ids(rows: list[list[int]]) -> None:
    found = pad_batch(rows, padding=-1)
    mask = length_mask(found.lengths, found.ids.shape[1])
    assert mask.dtype == torch.bool
    assert torch.equal(mask, found.ids != -1)


def test_sequences_may_be_tensors() -> None:
    rows = [torch.tensor([1, 2]), torch.tensor([3], dtype=torch.int32)]
    assert pad_batch(rows).ids.tolist() == [[1, 2], [3, 0]]  # type: ignore[arg-type]
    whole: Any = torch.tensor([[1, 2], [3, 4]])
    assert torch.equal(pad_batch(whole).ids, whole)


@pytest.mark.parametrize(
    ("rows", "kind", "words"),
    [
        ([], ValueError, "at least one sequence"),
        (torch.zeros(0, 3), ValueError, "at least one sequence"),
        ([[1], []], ValueError, "sequence 1 is empty"),
        ([[1], [0.5]], TypeError, r"sequence 1 must hold ids, not \[0.5\]"),
        ([[[1, 2]]], TypeError, "sequence 0 must hold ids"),
    ],
)
def test_what_cannot_be_padded_is_named(
    rows: Any, kind: type[Exception], words: str
) -> None:
    with pytest.raises(kind, match=words):
        pad_batch(rows)


def test_a_mask_by_hand() -> None:
    mask = length_mask(torch.tensor([1, 3, 2]), 3)
    assert mask.int().tolist() == [[1, 0, 0], [1, 1, 1], [1, 1, 0]]
    short = torch.tensor([1, 3], dtype=torch.int32)
    assert length_mask(short, 4).sum(dim=1).tolist() == [1, 3]


def test_no_sequences_have_an_empty_mask() -> None:
    mask = length_mask(torch.zeros(0, dtype=torch.int64), 3)
    assert mask.shape == (0, 3)
    assert mask.dtype == torch.bool


@pytest.mark.parametrize(
    ("lengths", "time", "kind", "words"),
    [
        (torch.tensor([0, 2]), 3, ValueError, "0 to 2"),
        (torch.tensor([-1, 2]), 3, ValueError, "-1 to 2"),
        (torch.tensor([1, 4]), 3, ValueError, "padded length 3"),
        (torch.tensor([1.0]), 3, TypeError, "must be integers"),
        (torch.tensor([True]), 3, TypeError, "must be integers"),
        (torch.tensor([[1, 2]]), 3, ValueError, r"not \(1, 2\)"),
        (torch.tensor(2), 3, ValueError, r"not \(\)"),
        ([1, 2], 3, TypeError, "lengths must be a torch.Tensor, not list"),
        (torch.tensor([1]), 0, ValueError, "time must be a positive"),
        (torch.tensor([1]), 2.0, ValueError, "time must be a positive"),
    ],
)
def test_wrong_lengths_are_named(
    lengths: Any, time: Any, kind: type[Exception], words: str
) -> None:
    with pytest.raises(kind, match=words):
        length_mask(lengths, time)
