"""The checks of chapter 04 pass right answers and refuse wrong ones."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from nlp_course.exercises import grade
from nlp_course.hadamard import hadamard

RIGHT = ((32, 32), (4, 3), "error")


def gate_gradients(a: Tensor, v: Tensor, delta: Tensor) -> Any:
    f = torch.sigmoid(a)
    return f * (1 - f) * v * delta, f * delta


def mix(f: Tensor, v: Tensor, c_0: Tensor) -> Tensor:
    c, states = c_0, []
    for f_t, v_t in zip(f.unbind(1), v.unbind(1), strict=True):
        c = hadamard(f_t, c) + hadamard(1 - f_t, v_t)
        states.append(c)
    return torch.stack(states, dim=1)


def stub(*_inputs: Tensor) -> Any: ...


def raises(*_inputs: Tensor) -> Any:
    raise NotImplementedError


@pytest.mark.parametrize(
    ("key", "answer"),
    [
        ("04-predict", RIGHT),
        ("04-predict", [[32, 32], torch.Size((4, 3)), "error"]),
        ("04-derive", gate_gradients),
        ("04-build", mix),
    ],
)
def test_right_answers_pass(key: str, answer: Any) -> None:
    assert grade(key, answer).passed, grade(key, answer)


@pytest.mark.parametrize("key", ["04-derive", "04-build"])
def test_a_stub_is_called_unanswered(key: str) -> None:
    assert "not answered yet" in grade(key, stub).message


@pytest.mark.parametrize(
    "answer",
    [
        ((32, 1), (4, 3), "error"),
        ((32,), (4, 3), "error"),
        ((32, 32), "error", "error"),
        ((32, 32), (4, 3), (3, 4)),
        ("error", "error", "error"),
        ((32, 32), (4, 3)),
    ],
)
def test_wrong_shapes_are_refused(answer: Any) -> None:
    assert not grade("04-predict", answer).passed


def sigmoid_left_out(a: Tensor, v: Tensor, delta: Tensor) -> Any:
    return v * delta, torch.sigmoid(a) * delta


def swapped(a: Tensor, v: Tensor, delta: Tensor) -> Any:
    return gate_gradients(a, v, delta)[::-1]


def scores_for_values(a: Tensor, v: Tensor, delta: Tensor) -> Any:
    return a * (1 - a) * v * delta, a * delta


def no_content(a: Tensor, v: Tensor, delta: Tensor) -> Any:
    f = torch.sigmoid(a)
    return f * (1 - f) * delta, f * delta


def constant(a: Tensor, v: Tensor, delta: Tensor) -> Any:
    return torch.ones_like(a), torch.ones_like(v)


def by_autograd(a: Tensor, v: Tensor, delta: Tensor) -> Any:
    pair = a.clone().requires_grad_(), v.clone().requires_grad_()
    return torch.autograd.grad(torch.sigmoid(pair[0]) * pair[1], pair, delta)


@pytest.mark.parametrize(
    "answer",
    [
        sigmoid_left_out,
        swapped,
        scores_for_values,
        no_content,
        constant,
        by_autograd,
    ],
)
def test_wrong_gradients_are_refused(answer: Any) -> None:
    assert not grade("04-derive", answer).passed


def test_the_usual_mistake_is_named() -> None:
    message = grade("04-derive", sigmoid_left_out).message
    assert "before the sigmoid" in message


def broadcasting(f: Tensor, v: Tensor, c_0: Tensor) -> Tensor:
    c, states = c_0, []
    for t in range(max(f.shape[1], v.shape[1])):
        c = f[:, t] * c + (1 - f[:, t]) * v[:, t]
        states.append(c)
    return torch.stack(states, dim=1)


def checks_gates_only(f: Tensor, v: Tensor, c_0: Tensor) -> Tensor:
    c, states = c_0, []
    for f_t, v_t in zip(f.unbind(1), v.unbind(1), strict=True):
        c = hadamard(f_t, c) + (1 - f_t) * v_t
        states.append(c)
    return torch.stack(states, dim=1)


def parts_swapped(f: Tensor, v: Tensor, c_0: Tensor) -> Tensor:
    return mix(1 - f, v, c_0)


def last_only(f: Tensor, v: Tensor, c_0: Tensor) -> Tensor:
    return mix(f, v, c_0)[:, -1]


def no_memory(f: Tensor, v: Tensor, c_0: Tensor) -> Tensor:
    return hadamard(1 - f, v) + f * c_0.unsqueeze(1)


def gates_detached(f: Tensor, v: Tensor, c_0: Tensor) -> Tensor:
    return mix(f.detach(), v, c_0)


def detached(f: Tensor, v: Tensor, c_0: Tensor) -> Tensor:
    return mix(f, v, c_0).detach()


@pytest.mark.parametrize(
    "answer",
    [
        broadcasting,
        checks_gates_only,
        parts_swapped,
        last_only,
        no_memory,
        gates_detached,
        detached,
    ],
)
def test_wrong_loops_are_refused(answer: Any) -> None:
    assert not grade("04-build", answer).passed


def test_the_reason_for_a_refusal_is_given() -> None:
    assert "stretched" in grade("04-build", broadcasting).message
    assert "no gradient reaches f" in grade("04-build", gates_detached).message
