"""The checks of chapter 06 pass right answers and refuse wrong ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from nlp_course.exercises import grade
from nlp_course.gru import GRU


def jacobian(
    h: Tensor, z: Tensor, r: Tensor, n: Tensor, U: Tensor, b_U: Tensor
) -> Tensor:
    """Entry by entry, in a form unlike that of the chapter."""
    U_r, U_z, U_n = U.chunk(3)
    dz = (z * (1 - z)).unsqueeze(1) * U_z
    dr = (r * (1 - r)).unsqueeze(1) * U_r
    past = U_n @ h + b_U
    dn = (1 - n**2).unsqueeze(1) * (
        r.unsqueeze(1) * U_n + past.unsqueeze(1) * dr
    )
    keep = torch.eye(len(h), dtype=h.dtype) * z
    return keep + (h - n).unsqueeze(1) * dz + (1 - z).unsqueeze(1) * dn


def before(theirs: Any, x: Tensor) -> Tensor:
    U_r, U_z, U_n = theirs.weight_hh_l0.chunk(3)
    wx = x @ theirs.weight_ih_l0.T + theirs.bias_ih_l0 + theirs.bias_hh_l0
    h, states = x.new_zeros(x.shape[0], theirs.hidden_size), []
    for t in range(x.shape[1]):
        x_r, x_z, x_n = wx[:, t].chunk(3, dim=-1)
        z, r = torch.sigmoid(x_z + h @ U_z.T), torch.sigmoid(x_r + h @ U_r.T)
        h = z * h + (1 - z) * torch.tanh(x_n + (r * h) @ U_n.T)
        states.append(h)
    return torch.stack(states, dim=1)


@pytest.mark.parametrize(
    ("key", "answer"),
    [
        ("06-predict", (0.5, 0.0, 0.45)),
        ("06-predict", [0.5, 0, 0.45]),
        ("06-derive", jacobian),
        ("06-build", before),
    ],
)
def test_right_answers_pass(key: str, answer: Any) -> None:
    assert grade(key, answer).passed, grade(key, answer)


@pytest.mark.parametrize(
    "answer",
    [
        (0.5, 0.5, 0.45),
        (0.5, 0.0, 0.0),  # r = 0 taken for "forget"
        (0.964, 0.0, 0.45),  # shares swapped
        (0.5, 0.0, 0.05),
        (0.5, 0.0),
        (True, False, 0.45),
        (float("nan"),) * 3,
    ],
)
def test_wrong_predictions_are_refused(answer: Any) -> None:
    assert not grade("06-predict", answer).passed


def changed(**swap: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """The right Jacobian of wrong arguments."""

    def answer(*values: Tensor) -> Tensor:
        named = dict(
            zip(("h", "z", "r", "n", "U", "b_U"), values, strict=True)
        )
        named |= {k: f(named) for k, f in swap.items()}
        return jacobian(*named.values())

    return answer


WRONG_JACOBIANS = {
    "direct way only": lambda h, z, r, n, U, b: torch.diag(z),
    "transposed": lambda *v: jacobian(*v).T,
    "identity": lambda h, *v: torch.eye(len(h), dtype=h.dtype),
    "shares swapped": changed(z=lambda v: 1 - v["z"]),
    "bias forgotten": changed(b_U=lambda v: 0 * v["b_U"]),
    "rows in another order": changed(
        U=lambda v: torch.cat([v["U"].chunk(3)[k] for k in (1, 0, 2)])
    ),
    "gates' own slopes left out": lambda h, z, r, n, U, b: (
        torch.diag(z) + torch.diag((1 - z) * (1 - n**2) * r) @ U.chunk(3)[2]
    ),
    "one row": lambda *v: jacobian(*v)[0],
}


@pytest.mark.parametrize("name", WRONG_JACOBIANS)
def test_wrong_jacobians_are_refused(name: str) -> None:
    assert not grade("06-derive", WRONG_JACOBIANS[name]).passed


def test_the_usual_mistakes_are_named() -> None:
    only = grade("06-derive", WRONG_JACOBIANS["direct way only"]).message
    assert "direct way only" in only
    turned = grade("06-derive", WRONG_JACOBIANS["transposed"]).message
    assert "transpose" in turned
    form = grade("06-build", lambda theirs, x: theirs(x)[0]).message
    assert "acts after U_n" in form


def twisted(change: Callable[[nn.GRU], None]) -> Callable[..., Tensor]:
    """The right states of wrong weights."""

    def answer(theirs: nn.GRU, x: Tensor) -> Tensor:
        with torch.no_grad():
            change(theirs)
        return before(theirs, x)

    return answer


def no_hidden_bias(theirs: nn.GRU) -> None:
    dict(theirs.named_parameters())["bias_hh_l0"].zero_()


WRONG_FORMS = {
    "PyTorch's form": lambda theirs, x: theirs(x)[0],
    "detached": lambda theirs, x: before(theirs, x).detach(),
    "a copy of the weights": lambda theirs, x: (
        GRU.from_torch(theirs, reset="before")(x).states
    ),
    "last only": lambda theirs, x: before(theirs, x)[:, -1],
    "zeros": lambda theirs, x: 0 * before(theirs, x),
    "hidden bias forgotten": twisted(no_hidden_bias),
    "batch and time mixed up": lambda theirs, x: before(
        theirs, x.transpose(0, 1)
    ).transpose(0, 1),
}


@pytest.mark.parametrize("name", WRONG_FORMS)
def test_wrong_forms_are_refused(name: str) -> None:
    assert not grade("06-build", WRONG_FORMS[name]).passed
