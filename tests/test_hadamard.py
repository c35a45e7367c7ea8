"""The Hadamard product is ``torch.mul`` without its broadcasting."""

from __future__ import annotations

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.func import grad, jacrev, jvp, vmap

from nlp_course.hadamard import gated, hadamard

shapes = st.lists(st.integers(0, 4), max_size=3).map(tuple)
full_shapes = st.lists(st.integers(1, 4), max_size=3).map(tuple)
seeds = st.integers(0, 2**32 - 1)
real = st.sampled_from([torch.float64, torch.float32])
Shape = tuple[int, ...]

DTYPES = [
    torch.float64,
    torch.float32,
    torch.float16,
    torch.bfloat16,
    torch.complex128,
    torch.int64,
    torch.bool,
]


def draw(
    count: int, shape: Shape, seed: int, dtype: torch.dtype = torch.float64
) -> tuple[Tensor, ...]:
    """``count`` random tensors; integers and truth values are not all 0."""
    rng = torch.Generator().manual_seed(seed)
    whole = torch.randn(count, *shape, generator=rng, dtype=torch.float64)
    if not (dtype.is_floating_point or dtype.is_complex):
        whole = 3 * whole
    return tuple(whole.to(dtype).unbind())


def leaves(*tensors: Tensor) -> tuple[Tensor, ...]:
    return tuple(t.clone().requires_grad_() for t in tensors)


def double_loop(A: Tensor, B: Tensor) -> Tensor:
    """The definition, one entry after another."""
    rows = [
        [float(A[i, j]) * float(B[i, j]) for j in range(A.shape[1])]
        for i in range(A.shape[0])
    ]
    return torch.tensor(rows, dtype=torch.float64).view(A.shape)


# --- the same as PyTorch ----------------------------------------------------


@given(shape=shapes, seed=seeds, dtype=st.sampled_from(DTYPES))
def test_values_are_those_of_torch(
    shape: Shape, seed: int, dtype: torch.dtype
) -> None:
    a, b = draw(2, shape, seed, dtype)
    found = hadamard(a, b)
    assert found.dtype == dtype
    assert found.shape == shape
    assert torch.equal(found, torch.mul(a, b))


@given(shape=full_shapes, seed=seeds, dtype=real)
def test_gradients_of_both_factors_are_those_of_torch(
    shape: Shape, seed: int, dtype: torch.dtype
) -> None:
    a, b, delta = draw(3, shape, seed, dtype)
    ours, theirs = leaves(a, b), leaves(a, b)
    found = torch.autograd.grad(hadamard(*ours), ours, delta)
    wanted = torch.autograd.grad(torch.mul(*theirs), theirs, delta)
    for one, other in zip(found, wanted, strict=True):
        assert torch.equal(one, other)


@given(rows=st.integers(1, 4), columns=st.integers(1, 4), seed=seeds)
def test_it_is_the_double_loop_of_the_definition(
    rows: int, columns: int, seed: int
) -> None:
    A, B = draw(2, (rows, columns), seed)
    assert torch.equal(hadamard(A, B), double_loop(A, B))


def test_the_example_of_the_chapter() -> None:
    A = torch.tensor([[1, 2, 3], [4, 5, 6], [7, 8, 9]])
    B = torch.tensor([[1, 0, -1], [2, 1, 0], [0, 3, 1]])
    wanted = [[1, 0, -3], [8, 5, 0], [0, 24, 9]]
    assert hadamard(A, B).tolist() == wanted
    assert (A @ B).tolist() != wanted
    assert (A + B).tolist() != wanted


# --- gradients --------------------------------------------------------------


@pytest.mark.parametrize("shape", [(), (3,), (2, 3)])
def test_gradcheck_to_second_order(shape: Shape) -> None:
    pair = leaves(*draw(2, shape, 0))
    assert torch.autograd.gradcheck(hadamard, pair)
    assert torch.autograd.gradgradcheck(hadamard, pair)
    assert torch.autograd.gradcheck(gated, pair)


@given(shape=full_shapes, seed=seeds)
def test_each_factor_gates_the_gradient_of_the_other(
    shape: Shape, seed: int
) -> None:
    a, b, delta = draw(3, shape, seed)
    pair = leaves(a, b)
    to_a, to_b = torch.autograd.grad(hadamard(*pair), pair, delta)
    assert torch.equal(to_a, b * delta)
    assert torch.equal(to_b, a * delta)


@given(size=st.integers(1, 5), seed=seeds)
def test_the_jacobian_is_the_other_factor_as_a_diagonal(
    size: int, seed: int
) -> None:
    a, b = draw(2, (size,), seed)
    assert torch.equal(jacrev(hadamard)(a, b), torch.diag(b))
    assert torch.equal(jacrev(hadamard, argnums=1)(a, b), torch.diag(a))


def test_a_gate_of_zero_blocks_the_content_and_not_itself() -> None:
    f, v = leaves(torch.tensor([0.0, 1.0]), torch.tensor([2.0, 0.0]))
    to_f, to_v = torch.autograd.grad(hadamard(f, v).sum(), (f, v))
    assert to_f.tolist() == [2.0, 0.0]
    assert to_v.tolist() == [0.0, 1.0]


# --- algebra ----------------------------------------------------------------


@given(shape=shapes, seed=seeds, dtype=real)
def test_it_commutes_and_has_an_identity_and_a_zero(
    shape: Shape, seed: int, dtype: torch.dtype
) -> None:
    a, b = draw(2, shape, seed, dtype)
    assert torch.equal(hadamard(a, b), hadamard(b, a))
    assert torch.equal(hadamard(a, torch.ones_like(a)), a)
    assert not hadamard(a, torch.zeros_like(a)).any()


@given(shape=shapes, seed=seeds, dtype=real)
def test_grouping_and_distributing_hold_up_to_rounding(
    shape: Shape, seed: int, dtype: torch.dtype
) -> None:
    a, b, c = draw(3, shape, seed, dtype)
    unit = torch.finfo(dtype).eps
    left, right = hadamard(hadamard(a, b), c), hadamard(a, hadamard(b, c))
    assert ((left - right).abs() <= 2.01 * unit * left.abs()).all()
    apart = hadamard(a, b) + hadamard(a, c)
    size = a.abs() * (b.abs() + c.abs())
    gap = (apart - hadamard(a, b + c)).abs()
    assert (gap <= 2.01 * unit * size).all()


@given(shape=shapes, seed=seeds)
def test_reciprocals_are_inverses(shape: Shape, seed: int) -> None:
    (a,) = draw(1, shape, seed)
    assume((a != 0).all())
    torch.testing.assert_close(
        hadamard(a, 1 / a), torch.ones_like(a), rtol=0, atol=1e-15
    )


@given(m=st.integers(1, 4), n=st.integers(1, 4), seed=seeds)
def test_diagonal_and_trace_formulas(m: int, n: int, seed: int) -> None:
    A, B = draw(2, (m, n), seed)
    (x,), (y,) = draw(1, (m,), seed + 1), draw(1, (n,), seed + 2)
    close = torch.testing.assert_close
    close(hadamard(y, y), torch.diag(y) @ y)
    trace = torch.trace(torch.diag(x) @ A @ torch.diag(y) @ B.T)
    close(x @ hadamard(A, B) @ y, trace, rtol=1e-12, atol=1e-12)


@settings(max_examples=40)
@given(
    size=st.integers(1, 6),
    ranks=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    seed=seeds,
)
def test_schur_and_the_bound_on_the_rank(
    size: int, ranks: tuple[int, int], seed: int
) -> None:
    factors = [draw(1, (size, r), seed + r)[0] for r in ranks]
    A, B = (factor @ factor.T for factor in factors)
    product = hadamard(A, B)
    lowest = torch.linalg.eigvalsh(product)[0]
    assert lowest >= -1e-12 * max(1.0, float(product.norm()))
    assert torch.linalg.matrix_rank(product) <= ranks[0] * ranks[1]


# --- what it refuses --------------------------------------------------------


@given(one=shapes, other=shapes)
def test_different_shapes_are_refused_whatever_torch_does(
    one: Shape, other: Shape
) -> None:
    assume(one != other)
    with pytest.raises(ValueError, match="is not defined"):
        hadamard(torch.ones(one), torch.ones(other))


@pytest.mark.parametrize(
    ("one", "other", "hint"),
    [
        ((8,), (8, 1), r"\(8,\) and \(8, 1\).*b\.reshape\(\(8,\)\)"),
        ((2, 3), (3, 2), r"equally many entries"),
        ((2, 3), (3,), r"broadcast them to \(2, 3\).*expand"),
        ((), (3,), r"broadcast them to \(3,\)"),
        ((2,), (3,), r"no entry of one belongs"),
    ],
)
def test_the_message_names_both_shapes_and_helps(
    one: Shape, other: Shape, hint: str
) -> None:
    with pytest.raises(ValueError, match=hint):
        hadamard(torch.ones(one), torch.ones(other))


def test_different_dtypes_are_refused_and_not_promoted() -> None:
    a = torch.ones(2, dtype=torch.float32)
    with pytest.raises(TypeError, match=r"float32.*float64.*b\.to"):
        hadamard(a, a.double())
    with pytest.raises(TypeError, match="dtypes"):
        hadamard(a, torch.ones(2, dtype=torch.int64))


def test_different_devices_are_refused() -> None:
    with pytest.raises(ValueError, match=r"cpu and meta.*b\.to\('cpu'\)"):
        hadamard(torch.ones(2), torch.ones(2, device="meta"))


@pytest.mark.parametrize("wrong", [2.0, None, [1.0, 2.0]])
def test_what_is_no_tensor_is_refused(wrong: object) -> None:
    a = torch.ones(2)
    with pytest.raises(TypeError, match=r"b must be a torch\.Tensor"):
        hadamard(a, wrong)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"a must be a torch\.Tensor"):
        hadamard(wrong, a)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"scores must be a torch\.Tensor"):
        gated(wrong, a)  # type: ignore[arg-type]


# --- under transformations --------------------------------------------------


def test_under_vmap_each_row_is_multiplied_with_its_own() -> None:
    a, b = draw(2, (5, 3), 0)
    assert torch.equal(vmap(hadamard)(a, b), a * b)
    one = vmap(hadamard, in_dims=(0, None))(a, b[0])
    assert torch.equal(one, a * b[0])


def test_under_vmap_shapes_are_still_checked() -> None:
    with pytest.raises(ValueError, match=r"\(3,\) and \(3, 1\)"):
        vmap(hadamard)(torch.ones(5, 3), torch.ones(5, 3, 1))


def test_under_vmap_of_grad_each_row_has_its_gradient() -> None:
    a, b = draw(2, (4, 2), 1)
    rows = vmap(grad(lambda x, y: hadamard(x, y).sum()))(a, b)
    assert torch.equal(rows, b)


# forward mode makes PyTorch call its own, deprecated, torch.jit.script
@pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")
def test_forward_mode() -> None:
    a, b, da = draw(3, (4, 2), 1)
    tangent = jvp(lambda x: hadamard(x, b), (a,), (da,))[1]
    assert torch.equal(tangent, b * da)


def test_inputs_are_left_as_they_were() -> None:
    a, b = draw(2, (3,), 2)
    kept = a.clone(), b.clone()
    product = hadamard(a, b)
    assert torch.equal(a, kept[0])
    assert torch.equal(b, kept[1])
    assert product.data_ptr() not in (a.data_ptr(), b.data_ptr())


# --- a gate -----------------------------------------------------------------


@given(shape=full_shapes, seed=seeds)
def test_a_gate_is_a_sigmoid_times_the_content(
    shape: Shape, seed: int
) -> None:
    a, v, delta = draw(3, shape, seed)
    pair = leaves(a, v)
    y = gated(*pair)
    f = 1 / (1 + torch.exp(-a))
    close = torch.testing.assert_close
    close(y, f * v, rtol=1e-12, atol=1e-12)
    to_a, to_v = torch.autograd.grad(y, pair, delta)
    close(to_a, f * (1 - f) * v * delta, rtol=1e-12, atol=1e-12)
    close(to_v, f * delta, rtol=1e-12, atol=1e-12)


def test_a_gate_refuses_to_be_stretched() -> None:
    with pytest.raises(ValueError, match="is not defined"):
        gated(torch.ones(4, 1), torch.ones(4, 3))
