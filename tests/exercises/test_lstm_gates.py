"""The checks of chapter 05 pass right answers and refuse wrong ones."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from nlp_course.exercises import grade


def cell_gradient(
    f: Tensor, o: Tensor, c: Tensor, from_h: Tensor, from_c: Tensor
) -> Tensor:
    return f * (from_c + o * (1 - torch.tanh(c) ** 2) * from_h)


def coupled(wx: Tensor, h: Tensor, c: Tensor, U: Tensor, b: Tensor) -> Any:
    a_f, a_c, a_o = (wx + h @ U.T + b).chunk(3, dim=-1)
    f = torch.sigmoid(a_f)
    c = f * c + (1 - f) * torch.tanh(a_c)
    return torch.sigmoid(a_o) * torch.tanh(c), c


def stub(*_inputs: Tensor) -> Any: ...


def raises(*_inputs: Tensor) -> Any:
    raise NotImplementedError


@pytest.mark.parametrize(
    ("key", "answer"),
    [
        ("05-predict", (2480, 1860)),
        ("05-predict", [2480, 1860]),
        ("05-derive", cell_gradient),
        ("05-build", coupled),
    ],
)
def test_right_answers_pass(key: str, answer: Any) -> None:
    assert grade(key, answer).passed, grade(key, answer)


@pytest.mark.parametrize("key", ["05-derive", "05-build"])
def test_a_stub_is_called_unanswered(key: str) -> None:
    assert "not answered yet" in grade(key, stub).message


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        ((620, 620), "how many layers"),
        ((2560, 1920), "second bias"),
        ((2480, 2480), "missing"),
        ((2480, 1240), "missing"),
        ((2480, True), "number"),
    ],
)
def test_wrong_counts_are_refused(answer: Any, hint: str) -> None:
    result = grade("05-predict", answer)
    assert not result.passed
    assert hint in result.message


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda f, o, c, from_h, from_c: f * from_c, "through h_t"),
        (
            lambda f, o, c, from_h, from_c: cell_gradient(
                f, o, c, from_h, torch.zeros_like(c)
            ),
            "along the cell state",
        ),
        (
            lambda f, o, c, from_h, from_c: cell_gradient(
                torch.ones_like(f), o, c, from_h, from_c
            ),
            "one more factor",
        ),
        (lambda f, o, c, from_h, from_c: f * (from_c + o * from_h), "slope"),
        (lambda f, o, c, from_h, from_c: torch.zeros_like(f), "off by"),
        (lambda f, o, c, from_h, from_c: f[0], "shape"),
        (lambda f, o, c, from_h, from_c: 1.0, "tensor"),
    ],
    ids=map(str, range(7)),
)
def test_wrong_gradients_are_refused(answer: Any, hint: str) -> None:
    result = grade("05-derive", answer)
    assert not result.passed
    assert hint in result.message


def gates_swapped(
    wx: Tensor, h: Tensor, c: Tensor, U: Tensor, b: Tensor
) -> Any:
    a_f, a_c, a_o = (wx + h @ U.T + b).chunk(3, dim=-1)
    return coupled(torch.cat([-a_f, a_c, a_o], -1), 0 * h, c, U, 0 * b)


def no_tanh(wx: Tensor, h: Tensor, c: Tensor, U: Tensor, b: Tensor) -> Any:
    _, c_t = coupled(wx, h, c, U, b)
    return torch.sigmoid((wx + h @ U.T + b).chunk(3, dim=-1)[2]) * c_t, c_t


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (gates_swapped, "off by"),
        (no_tanh, "state h"),
        (lambda wx, h, c, U, b: coupled(wx, h, c, U, 0 * b), "off by"),
        (lambda *a: coupled(*a)[::-1], "off by"),
        (lambda *a: coupled(*a)[0], "two states"),
        (lambda *a: tuple(s.detach() for s in coupled(*a)), "gradient"),
        (
            lambda wx, h, c, U, b: coupled(wx, h.detach(), c, U, b),
            "no gradient reaches h",
        ),
        (lambda wx, h, c, U, b: (h, c), "off by"),
    ],
    ids=map(str, range(8)),
)
def test_wrong_cells_are_refused(answer: Any, hint: str) -> None:
    result = grade("05-build", answer)
    assert not result.passed
    assert hint in result.message
