"""A check lets good arguments pass and says what is wrong with others."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.func import grad, vmap

from nlp_course import checks

FLOAT, DOUBLE = torch.float32, torch.float64


def ids(*values: int) -> Tensor:
    return torch.tensor(values, dtype=torch.int64)


def test_good_arguments_pass() -> None:
    x = torch.zeros(2, 3, 4)
    checks.check_tensor("x", x)
    checks.check_positive(a=1, b=10**9)
    checks.check_dtype("x", x, FLOAT)
    checks.check_inputs(x, 4, FLOAT)
    checks.check_inputs(ids(0, 3)[None], 4, FLOAT)
    checks.check_state("h", x[0], (3, 4), FLOAT)
    for good in (ids(0, 1, 2), ids(0, 1, 2).int(), ids()):
        checks.check_ids("x", good, 3)
    for lengths in (ids(1, 3), ids(1, 3).int(), ids()):
        checks.check_lengths(lengths, batch=len(lengths), time=3)


def test_a_shape_is_written_as_a_tuple() -> None:
    assert checks.shape_of(torch.zeros(2, 3)) == "(2, 3)"
    assert checks.shape_of(torch.zeros(())) == "()"


BAD: list[tuple[Callable[[], None], type[Exception], list[str]]] = [
    (
        lambda: checks.check_tensor("scores", [1.0]),
        TypeError,
        ["scores", "torch.Tensor", "list"],
    ),
    (
        lambda: checks.check_positive(good=1, hidden_size=0),
        ValueError,
        ["hidden_size", "positive integer", "not 0"],
    ),
    *(
        (
            lambda bad=bad: checks.check_share(good=0, dropout=bad),
            ValueError,
            ["dropout", "from 0 to below 1", f"not {bad!r}"],
        )
        for bad in (1, -0.1, float("nan"), True, "0.1")
    ),
    (
        lambda: checks.check_dtype("h", torch.zeros(1), DOUBLE),
        TypeError,
        ["h ", "torch.float32", "torch.float64", "h.to(torch.float64)"],
    ),
    (
        lambda: checks.check_ids("targets", ids(0, 3), 3),
        ValueError,
        ["targets", "0 to 3", "3 entries", "ids 0 to 2"],
    ),
    (
        lambda: checks.check_ids("targets", ids(-100, 1), 3),
        ValueError,
        ["targets", "-100 to 1"],
    ),
    (
        lambda: checks.check_ids("targets", torch.zeros(2), 3),
        TypeError,
        ["targets", "int64", "torch.float32"],
    ),
    (
        lambda: checks.check_state("c_0", torch.zeros(2), (2, 3), FLOAT),
        ValueError,
        ["c_0", "(2, 3)", "(2,)"],
    ),
    (
        lambda: checks.check_lengths(ids(0, 2), batch=2, time=3),
        ValueError,
        ["lengths", "0 to 2", "between 1 and", "3"],
    ),
    (
        lambda: checks.check_lengths(ids(1, 4), batch=2, time=3),
        ValueError,
        ["lengths", "1 to 4", "padded length 3"],
    ),
    (
        lambda: checks.check_lengths(ids(1, 2), batch=3, time=3),
        ValueError,
        ["lengths", "(3,)", "(2,)"],
    ),
    (
        lambda: checks.check_lengths(ids(1, 2)[None], batch=2, time=3),
        ValueError,
        ["lengths", "(2,)", "(1, 2)"],
    ),
]


@pytest.mark.parametrize(("check", "kind", "words"), BAD)
def test_the_message_names_argument_expected_and_found(
    check: Callable[[], None], kind: type[Exception], words: list[str]
) -> None:
    with pytest.raises(kind) as caught:
        check()
    for word in words:
        assert word in str(caught.value)


def test_values_stay_unseen_under_vmap_and_on_meta() -> None:
    def look(x: Tensor) -> Tensor:
        checks.check_ids("x", x.long(), 2)  # 7 is out of range
        checks.check_lengths(x.long(), batch=3, time=2)
        return x.sum()

    sevens = torch.full((4, 3), 7.0)
    assert vmap(look)(sevens).tolist() == [21.0] * 4
    assert vmap(grad(look))(sevens).shape == (4, 3)
    assert look(torch.zeros(3, device="meta")).is_meta
    with pytest.raises(ValueError, match="ids from 7 to 7"):
        grad(look)(sevens[0])  # here the values can be seen


def test_shapes_are_checked_under_vmap_too() -> None:
    def look(x: Tensor) -> Tensor:
        checks.check_lengths(x, batch=5, time=2)
        return x

    with pytest.raises(ValueError, match=r"shape \(5,\)"):
        vmap(look)(torch.ones(4, 3, dtype=torch.int64))
