"""The checks of chapter 11 pass right answers and refuse wrong ones."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from nlp_course.exercises import grade


def merged(
    W_Q: Tensor, W_K: Tensor, W_V: Tensor, W_O: Tensor, heads: int
) -> tuple[Tensor, Tensor]:
    """In a form unlike that of the chapter: einsum over all heads."""
    D = W_Q.shape[1]
    d = W_Q.shape[0] // heads
    q, k, v = (w.view(heads, d, D) for w in (W_Q, W_K, W_V))
    compare = torch.einsum("adx,ady->axy", q, k) / d**0.5
    carry = torch.einsum("xad,ady->axy", W_O.view(D, heads, d), v)
    return compare, carry


def shared(
    x: Tensor, W_Q: Tensor, W_K: Tensor, W_V: Tensor, W_O: Tensor, heads: int
) -> Tensor:
    """One head after the other."""
    d = W_K.shape[0]
    k, v, found = x @ W_K.T, x @ W_V.T, []
    for a in range(heads):
        q = x @ W_Q[a * d : (a + 1) * d].T
        found.append((q @ k.mT / d**0.5).softmax(dim=-1) @ v)
    return torch.cat(found, dim=-1) @ W_O.T


@pytest.mark.parametrize(
    ("key", "answer"),
    [
        ("11-predict", (16384, 16384, 800)),
        ("11-predict", [16384.0, 16384, 800]),
        ("11-derive", merged),
        ("11-build", shared),
    ],
)
def test_right_answers_pass(key: str, answer: Any) -> None:
    assert grade(key, answer).passed, grade(key, answer)


@pytest.mark.parametrize(
    "answer",
    [
        (16384, 131072, 800),  # more heads, more weights
        (16384, 2048, 800),
        (12288, 12288, 800),  # without W_O
        (16384, 16384, 100),  # one head's
        (16384, 16384),
        (True, 16384, 800),
    ],
)
def test_wrong_predictions_are_refused(answer: Any) -> None:
    assert not grade("11-predict", answer).passed


WRONG_MERGED = {
    "transposed": lambda *v: (merged(*v)[0].mT, merged(*v)[1]),
    "carry transposed": lambda *v: (merged(*v)[0], merged(*v)[1].mT),
    "swapped": lambda *v: merged(*v)[::-1],
    "no root": lambda q, k, v, o, a: (
        merged(q, k, v, o, a)[0] * (len(q) // a) ** 0.5,
        merged(q, k, v, o, a)[1],
    ),
    "root of D": lambda q, k, v, o, a: (
        merged(q, k, v, o, a)[0] / a**0.5,
        merged(q, k, v, o, a)[1],
    ),
    "one head": lambda q, k, v, o, a: merged(q, k, v, o, 1),
    "rows of W_O": lambda q, k, v, o, a: merged(q, k, v, o.T, a),
    "first only": lambda *v: merged(*v)[0],
    "zeros": lambda *v: tuple(0 * m for m in merged(*v)),
}


@pytest.mark.parametrize("name", WRONG_MERGED)
def test_wrong_matrices_are_refused(name: str) -> None:
    assert not grade("11-derive", WRONG_MERGED[name]).passed


def test_the_usual_mistakes_are_named() -> None:
    said = {
        name: grade("11-derive", WRONG_MERGED[name]).message
        for name in ("transposed", "no root", "root of D")
    }
    assert "stands on the left" in said["transposed"]
    assert "no root" in said["no root"]
    assert "the root of D;" in said["root of D"]


WRONG_SHARED = {
    "detached": lambda *v: shared(*v).detach(),
    "zeros": lambda *v: 0 * shared(*v),
    "without W_O": lambda x, q, k, v, o, a: shared(
        x, q, k, v, torch.eye(len(o), dtype=o.dtype), a
    ),
    "root of D": lambda x, q, k, v, o, a: shared(x, q / a**0.5, k, v, o, a),
    "keys without gradient": lambda x, q, k, v, o, a: shared(
        x, q, k.detach(), v, o, a
    ),
    "heads in another order": lambda x, q, k, v, o, a: shared(
        x, q.flip(0), k, v, o, a
    ),
    "keys for values": lambda x, q, k, v, o, a: shared(x, q, k, k, o, a),
    "first word only": lambda *v: shared(*v)[:, :1],
}


@pytest.mark.parametrize("name", WRONG_SHARED)
def test_wrong_heads_are_refused(name: str) -> None:
    assert not grade("11-build", WRONG_SHARED[name]).passed
