"""The checks of chapter 17 pass right answers and refuse wrong ones."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from nlp_course.exercises import grade


def weighted(gradients: list[Tensor], rows: list[int]) -> Tensor:
    parts = [n * g for n, g in zip(rows, gradients, strict=True)]
    return torch.stack(parts).sum(dim=0) / sum(rows)


def plain(gradients: list[Tensor], rows: list[int]) -> Tensor:
    return torch.stack(gradients).mean(dim=0)


def whole(path: Path, pieces: Iterable[bytes]) -> None:
    draft = path.with_name(path.name + ".part")
    try:
        with draft.open("wb") as file:
            for piece in pieces:
                file.write(piece)
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def in_memory(path: Path, pieces: Iterable[bytes]) -> None:
    """Safe against a source that fails, not against a kill."""
    path.write_bytes(b"".join(pieces))


def in_place(path: Path, pieces: Iterable[bytes]) -> None:
    with path.open("wb", buffering=0) as file:
        for piece in pieces:
            file.write(piece)


def removed_first(path: Path, pieces: Iterable[bytes]) -> None:
    path.unlink(missing_ok=True)
    whole(path, pieces)


def silent(path: Path, pieces: Iterable[bytes]) -> None:
    with contextlib.suppress(OSError):
        whole(path, pieces)


def untidy(path: Path, pieces: Iterable[bytes]) -> None:
    draft = path.with_name(path.name + ".part")
    with draft.open("wb") as file:
        for piece in pieces:
            file.write(piece)
    os.replace(draft, path)


def nothing(path: Path, pieces: Iterable[bytes]) -> None:
    for _ in pieces:
        pass


@pytest.mark.parametrize(
    ("key", "answer"),
    [
        ("17-predict", ("C", "B", "A")),
        ("17-predict", ["c", "b", "a"]),
        ("17-derive", weighted),
        ("17-build", whole),
    ],
)
def test_right_answers_pass(key: str, answer: Any) -> None:
    assert grade(key, answer).passed, grade(key, answer)


@pytest.mark.parametrize(
    ("key", "answer", "words"),
    [
        ("17-predict", ("A", "B", "C"), "losses of a token"),
        ("17-predict", ("B", "C", "A"), "divide each loss"),
        ("17-predict", ("A", "A", "C"), "each of A, B and C once"),
        ("17-predict", ("A",), "three letters"),
        ("17-derive", plain, "however few rows"),
        ("17-derive", lambda g, n: sum(g), "off by up to"),
        ("17-derive", lambda g, n: g[0][:1], "has shape"),
        ("17-build", in_place, "was touched before"),
        ("17-build", in_memory, "was written over"),
        ("17-build", removed_first, "was touched before"),
        ("17-build", silent, "as if all were well"),
        ("17-build", untidy, "is left in the folder"),
        ("17-build", nothing, "after a whole write"),
    ],
)
def test_wrong_answers_are_told_why(key: str, answer: Any, words: str) -> None:
    verdict = grade(key, answer)
    assert not verdict.passed
    assert words in verdict.message
