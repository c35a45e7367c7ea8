"""Checks of the exercises of chapter 17, ``17_your_own_text``."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from nlp_course.exercises.grading import (
    WrongAnswer,
    exercise,
    expect_several,
    expect_tensor,
)
from nlp_course.training.seeds import seeded


@exercise("17-predict")
def predict(answer: Any) -> str:
    """Which of three losses is the best, each in a unit of its own?"""
    expect_several(answer, 3, say="give three letters, the best model first")
    order = [str(letter).upper() for letter in answer]
    if sorted(order) != ["A", "B", "C"]:
        raise WrongAnswer("name each of A, B and C once, the best first")
    if order == ["A", "B", "C"]:
        raise WrongAnswer(
            "these are the losses of a token; a token of C says as much as "
            "five or six of A"
        )
    if order != ["C", "B", "A"]:
        raise WrongAnswer("divide each loss by the characters of a token")
    return "right: 1.09, 1.20 and 1.40 nats for a character"


Join = Callable[[list[Tensor], list[int]], Tensor]


@exercise("17-derive")
def derive(answer: Join) -> str:
    """The gradient of a whole batch from those of unequal shards."""
    for seed, rows in enumerate(([2, 2], [5, 1], [1, 3, 4])):
        with seeded(seed):
            x = torch.randn(sum(rows), 3, dtype=torch.float64)
            w = torch.randn(3, dtype=torch.float64, requires_grad=True)
        losses = (x @ w).tanh().square()  # one for each row

        def of(loss: Tensor, w: Tensor = w) -> Tensor:
            return torch.autograd.grad(loss, w, retain_graph=True)[0]

        shards = [of(part.mean()) for part in losses.split(rows)]
        found = answer([g.clone() for g in shards], list(rows))
        plain = torch.stack(shards).mean(dim=0)
        wanted = of(losses.mean())
        if _same(found, plain) and not _same(plain, wanted):
            raise WrongAnswer(
                "every row of the batch must count the same; here each "
                "process counts the same, however few rows it had"
            )
        expect_tensor(found, wanted, what="the gradient")
    return "right: a mean of means is the mean only where all are as large"


def _same(found: Any, wanted: Tensor) -> bool:
    if not isinstance(found, Tensor) or found.shape != wanted.shape:
        return False
    return torch.allclose(found.to(wanted.dtype), wanted)


Save = Callable[[Path, Iterable[bytes]], None]
OLD, NEW = b"the last good checkpoint", [b"a ", b"new ", b"checkpoint"]


@exercise("17-build")
def build(answer: Save) -> str:
    """Replace a file whole or not at all."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.safetensors"
        path.write_bytes(OLD)
        before = path.stat().st_ino
        answer(path, _watched(path, NEW))
        _expect_file(path, b"".join(NEW), "after a whole write")
        if path.stat().st_ino == before:  # the same file, written over
            raise WrongAnswer(
                "the old file was written over: a process killed in the "
                "middle leaves half of each; write another file, then "
                "os.replace the old one by it"
            )
        path.write_bytes(OLD)
        _fail_half_way(answer, path)
        _expect_file(path, OLD, "after a write that failed half way")
        path.unlink()
        answer(path, iter(NEW))  # where there was no file yet
        _expect_file(path, b"".join(NEW), "where there was no file before")
    return "right: whoever opens the file finds the old one or the new one"


def _watched(path: Path, pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The pieces; between them the old file must still be there."""
    for piece in pieces:
        yield piece
        if not path.is_file() or path.read_bytes() != OLD:
            raise WrongAnswer(
                "the old file was touched before the new one was whole: a "
                "process killed now would leave neither"
            )


def _fail_half_way(answer: Save, path: Path) -> None:
    def pieces() -> Iterator[bytes]:
        yield from _watched(path, NEW[:2])
        raise OSError(28, "No space left on device")

    try:
        answer(path, pieces())
    except OSError:
        return
    raise WrongAnswer(
        "the disk was full and your function returned as if all were well; "
        "let the error reach the caller"
    )


def _expect_file(path: Path, wanted: bytes, when: str) -> None:
    found = path.read_bytes() if path.is_file() else None
    if found != wanted:
        state = "no file" if found is None else repr(found)
        raise WrongAnswer(f"{when} there is {state}, not {wanted!r}")
    others = sorted(p.name for p in path.parent.iterdir() if p != path)
    if others:
        raise WrongAnswer(f"{when} {', '.join(others)} is left in the folder")
