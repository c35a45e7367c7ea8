"""Checks of the exercises of chapter 04, ``04_hadamard_product``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from nlp_course.exercises.grading import (
    WrongAnswer,
    exercise,
    expect_several,
    expect_tensor,
)
from nlp_course.training.seeds import generator

_PAIRS = (((32, 1), (32,)), ((3,), (4, 3)), ((3, 4), (3,)))


@exercise("04-predict")
def predict(answer: Any) -> str:
    """What ``*`` makes of three pairs of shapes."""
    expect_several(
        answer, len(_PAIRS), say='give three answers, each a shape or "error"'
    )
    for (a, b), found in zip(_PAIRS, answer, strict=True):
        if isinstance(found, list | torch.Size):
            found = tuple(found)
        if found != _shape_of_product(a, b):
            raise WrongAnswer(
                f"{a} * {b}: not {found!r}; write one shape above the "
                "other, flush right: sizes fit if equal, or if one is 1 or "
                "missing"
            )
    return (
        "right: the first two are computed without a word, and neither is a "
        "Hadamard product"
    )


def _shape_of_product(
    a: tuple[int, ...], b: tuple[int, ...]
) -> tuple[int, ...] | str:
    try:
        return tuple(torch.broadcast_shapes(a, b))
    except RuntimeError:
        return "error"


@exercise("04-derive")
def derive(
    answer: Callable[[Tensor, Tensor, Tensor], Any],
) -> str:
    """Gradients of σ(a) ⊙ v with respect to a and v, against autograd."""
    for seed, shape in enumerate(((4,), (2, 3), (3, 2, 2))):
        rng = generator(seed)
        a, v, delta = torch.randn(
            3, *shape, generator=rng, dtype=torch.float64
        )
        a.requires_grad_()
        v.requires_grad_()
        wanted = torch.autograd.grad(torch.sigmoid(a) * v, (a, v), delta)
        with torch.no_grad():
            found = answer(a.detach(), v.detach(), delta)
        if found is None or found is ...:
            raise WrongAnswer("not answered yet: nothing was returned")
        if not isinstance(found, tuple | list) or len(found) != 2:
            raise WrongAnswer("return two tensors: (dL/da, dL/dv)")
        _explain_gate(found, a.detach(), v.detach(), delta)
        expect_tensor(found[0], wanted[0], what="dL/da")
        expect_tensor(found[1], wanted[1], what="dL/dv")
    return "right: f gates the way to v; v and f(1 - f) the way to a"


def _explain_gate(found: Any, a: Tensor, v: Tensor, delta: Tensor) -> None:
    """Name the usual mistake: the sigmoid's slope left out."""
    to_a = found[0]
    if not isinstance(to_a, Tensor) or to_a.shape != a.shape:
        return
    if torch.allclose(to_a.to(delta.dtype), delta * v):
        raise WrongAnswer(
            "that is the gradient of the gate's value f; a comes before the "
            "sigmoid"
        )


@exercise("04-build")
def build(answer: Callable[[Tensor, Tensor, Tensor], Tensor]) -> str:
    """A state that a gate mixes with a new value at each step."""
    for seed, (B, T, H) in enumerate(((2, 1, 3), (3, 5, 2), (1, 8, 4))):
        rng = generator(seed)
        double = {"generator": rng, "dtype": torch.float64}
        f = torch.rand(B, T, H, **double)  # type: ignore[call-overload]
        v = torch.randn(B, T, H, **double)  # type: ignore[call-overload]
        c_0 = torch.randn(B, H, **double)  # type: ignore[call-overload]
        weigh = torch.randn(B, T, H, **double)  # type: ignore[call-overload]
        _compare(answer, (f, v, c_0), weigh)
    _expect_refusal(answer, torch.rand(2, 4, 1), torch.rand(2, 4, 3))
    _expect_refusal(answer, torch.rand(2, 4, 3), torch.rand(2, 4, 1))
    return (
        "right: where f is 1 the state stays, where it is 0 the new value "
        "takes its place, and nothing is broadcast"
    )


def _mix(f: Tensor, v: Tensor, c_0: Tensor) -> Tensor:
    """Reference: c_t = f_t ⊙ c_{t-1} + (1 - f_t) ⊙ v_t."""
    states = [c_0]
    for t in range(f.shape[1]):
        states.append(f[:, t] * states[-1] + (1 - f[:, t]) * v[:, t])
    return torch.stack(states[1:], dim=1)


def _compare(
    answer: Callable[[Tensor, Tensor, Tensor], Tensor],
    inputs: tuple[Tensor, Tensor, Tensor],
    weigh: Tensor,
) -> None:
    theirs = [x.clone().requires_grad_() for x in inputs]
    ours = [x.clone().requires_grad_() for x in inputs]
    found, wanted = answer(*theirs), _mix(*ours)
    expect_tensor(found, wanted, what="the tensor of states")
    if not found.requires_grad:
        raise WrongAnswer("the states must keep their gradient (no detach)")
    got = torch.autograd.grad((found * weigh).sum(), theirs, allow_unused=True)
    due = torch.autograd.grad((wanted * weigh).sum(), ours)
    for name, one, other in zip(("f", "v", "c_0"), got, due, strict=True):
        if one is None:
            raise WrongAnswer(f"no gradient reaches {name}")
        expect_tensor(one, other, what=f"the gradient of {name}")


def _expect_refusal(
    answer: Callable[[Tensor, Tensor, Tensor], Tensor], f: Tensor, v: Tensor
) -> None:
    """Gates or values of the wrong shape must not be stretched."""
    try:
        answer(f, v, torch.rand(2, 3))
    except ValueError:
        return
    shapes = f"f {tuple(f.shape)} and v {tuple(v.shape)}"
    raise WrongAnswer(
        f"{shapes} were stretched to fit; use the strict product, which "
        "raises ValueError"
    )
