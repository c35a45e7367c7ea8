"""Our attention is PyTorch's, with weights and without."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

from nlp_course.attention.core import Attended
from nlp_course.attention.scaled import (
    SelfAttention,
    scaled_dot_product_attention,
)
from nlp_course.training import Ensemble, seeded

TOLERANCE = {torch.float64: 1e-12, torch.float32: 1e-5}
MASKS = ("none", "all", "keys", "queries and keys", "heads", "batch")


@dataclass(frozen=True)
class Case:
    """Sizes and a seed from which everything else is drawn."""

    B: int
    A: int
    T: int
    N: int
    d: int
    d_v: int
    seed: int
    dtype: torch.dtype
    mask: str

    def tensors(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """q, k, v and what makes one loss of all results."""
        rng = torch.Generator().manual_seed(self.seed)
        lead = (self.B, self.A) if self.A else (self.B,)

        def draw(*shape: int) -> Tensor:
            return torch.randn(*lead, *shape, generator=rng, dtype=self.dtype)

        q, k = draw(self.T, self.d), draw(self.N, self.d)
        v, weigh = draw(self.N, self.d_v), draw(self.T, self.d_v)
        for tensor in (q, k, v):
            tensor.requires_grad_()
        return q, k, v, weigh

    def masked(self) -> Tensor | None:
        """A mask that broadcasts over the axes that the case names."""
        rng = torch.Generator().manual_seed(self.seed + 1)
        heads = self.A or 1
        shape = {
            "none": (),
            "all": (self.B, heads, self.T, self.N),
            "keys": (self.N,),
            "queries and keys": (self.T, self.N),
            "heads": (heads, 1, self.N),
            "batch": (self.B, 1, 1, self.N),
        }[self.mask]
        if not shape:
            return None
        if not self.A and len(shape) == 4:
            shape = (shape[0], *shape[2:])  # no axis of heads
        if not self.A and self.mask == "heads":
            shape = (1, 1, self.N)
        return torch.rand(shape, generator=rng) < 0.6


def cases(*dtypes: torch.dtype) -> st.SearchStrategy[Case]:
    size = st.integers(1, 5)
    return st.builds(
        Case,
        B=st.integers(1, 3),
        A=st.integers(0, 3),
        T=size,
        N=size,
        d=size,
        d_v=size,
        seed=st.integers(0, 2**32 - 1),
        dtype=st.sampled_from(dtypes or (torch.float64,)),
        mask=st.sampled_from(MASKS),
    )


def assert_close(
    found: Tensor, wanted: Tensor, dtype: torch.dtype = torch.float64
) -> None:
    tolerance = TOLERANCE[dtype]
    torch.testing.assert_close(found, wanted, rtol=tolerance, atol=tolerance)


def slowly(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
    """The equations, one query at a time, in plain Python numbers."""
    lead = q.shape[:-2]
    shape = (*q.shape[:-1], k.shape[-2])
    allowed = torch.ones(shape, dtype=torch.bool)
    if mask is not None:
        allowed = mask.expand(shape)
    rows = []
    for at in torch.cartesian_prod(*(torch.arange(n) for n in lead)).view(
        -1, len(lead)
    ):
        place = tuple(at.tolist())
        for t in range(q.shape[-2]):
            e = [
                sum(
                    float(a * b) for a, b in zip(q[place][t], key, strict=True)
                )
                / math.sqrt(q.shape[-1])
                for key in k[place]
            ]
            on = allowed[place][t].tolist()
            parts = [
                math.exp(s) if o else 0.0 for s, o in zip(e, on, strict=True)
            ]
            total = sum(parts) or 1.0
            rows.append([p / total for p in parts])
    weights = torch.tensor(rows, dtype=q.dtype).view(shape)
    return weights @ v


def gradients(result: Tensor, case: Case, leaves: list[Tensor]) -> Any:
    weigh = case.tensors()[3]
    return torch.autograd.grad((result * weigh).sum(), leaves)


# --- the same as PyTorch ----------------------------------------------------


@settings(max_examples=100)
@given(case=cases(torch.float64, torch.float32))
def test_values_and_gradients_are_those_of_torch(case: Case) -> None:
    q, k, v, _ = case.tensors()
    mask = case.masked()
    shape = (*q.shape[:-1], k.shape[-2])
    theirs = F.scaled_dot_product_attention(
        q, k, v, None if mask is None else mask.expand(shape)
    )
    plain = scaled_dot_product_attention(q, k, v, mask)
    with_weights = scaled_dot_product_attention(
        q, k, v, mask, return_weights=True
    )
    wanted = gradients(theirs, case, [q, k, v])
    for output in (plain, with_weights.output):
        assert output.dtype == case.dtype
        assert_close(output, theirs, case.dtype)
        found = gradients(output, case, [q, k, v])
        for ours, due in zip(found, wanted, strict=True):
            assert_close(ours, due, case.dtype)


@settings(max_examples=30)
@given(case=cases())
def test_both_ways_are_the_equations_in_plain_numbers(case: Case) -> None:
    q, k, v, _ = case.tensors()
    with torch.no_grad():
        wanted = slowly(q, k, v, case.masked())
        for ask in (False, True):
            found = scaled_dot_product_attention(
                q, k, v, case.masked(), return_weights=ask
            )
            output = found.output if isinstance(found, Attended) else found
            assert_close(output, wanted)


@settings(max_examples=40)
@given(case=cases())
def test_rows_sum_to_one_and_masked_weights_are_exactly_zero(
    case: Case,
) -> None:
    q, k, v, _ = case.tensors()
    output, weights = scaled_dot_product_attention(
        q, k, v, case.masked(), return_weights=True
    )
    shape = (*q.shape[:-1], k.shape[-2])
    assert weights.shape == shape
    assert output.shape == (*q.shape[:-1], v.shape[-1])
    mask = case.masked()
    allowed = torch.ones(shape, dtype=torch.bool)
    allowed = allowed if mask is None else mask.expand(shape)
    assert (weights[~allowed] == 0).all()
    assert (weights >= 0).all()
    assert_close(weights.sum(-1), allowed.any(-1).double())


@pytest.mark.parametrize("ask", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("lead", [(2,), (2, 3)])
@pytest.mark.parametrize("d_v", [4, 5])  # 5: another kernel of PyTorch's
def test_a_query_that_sees_nothing_gets_zero_and_no_gradient(
    ask: bool, dtype: torch.dtype, lead: tuple[int, ...], d_v: int
) -> None:
    with seeded(1):
        q, k = torch.randn(2, *lead, 3, 4, dtype=dtype).unbind()
        v = torch.randn(*lead, 3, d_v, dtype=dtype)
    for tensor in (q, k, v):
        tensor.requires_grad_()
    mask = torch.tensor([[True, True, False], [False] * 3, [True] * 3])
    found = scaled_dot_product_attention(q, k, v, mask, return_weights=ask)
    output = found.output if isinstance(found, Attended) else found
    assert (output[..., 1, :] == 0).all()
    grads = torch.autograd.grad(output.square().sum(), [q, k, v])
    assert all(bool(g.isfinite().all()) for g in grads)
    assert (grads[0][..., 1, :] == 0).all()
    assert (grads[0][..., 0, :] != 0).any()


def test_nothing_allowed_anywhere_is_zero_everywhere() -> None:
    x = torch.randn(2, 3, 4, requires_grad=True)
    mask = torch.zeros(3, 3, dtype=torch.bool)
    for ask in (False, True):
        found = scaled_dot_product_attention(x, x, x, mask, return_weights=ask)
        output = found.output if isinstance(found, Attended) else found
        assert (output == 0).all()
        (slope,) = torch.autograd.grad(output.sum(), x)
        assert (slope == 0).all()


def test_the_division_by_the_root_of_d_matters() -> None:
    with seeded(0):
        q, k, v = torch.randn(3, 2, 5, 16, dtype=torch.float64).unbind()
    right = scaled_dot_product_attention(q, k, v)
    undivided = scaled_dot_product_attention(4 * q, k, v)  # times √16
    assert_close(undivided, (q @ k.mT).softmax(-1) @ v)
    assert (right - undivided).abs().max() > 0.1


def test_without_weights_the_memory_grows_with_the_length() -> None:
    def kept(T: int, ask: bool) -> int:
        sizes = {}

        def note(tensor: Tensor) -> Tensor:
            sizes[tensor.untyped_storage().data_ptr()] = tensor.numel()
            return tensor

        x = torch.randn(1, T, 8, requires_grad=True)
        hooks = torch.autograd.graph.saved_tensors_hooks
        with hooks(note, lambda t: t):
            scaled_dot_product_attention(x, x, x, return_weights=ask)
        return sum(sizes.values())

    assert kept(256, True) > 256**2
    assert kept(256, False) < 256 * 8 * 8


# --- a layer ----------------------------------------------------------------


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("ask", [False, True])
def test_a_layer_is_three_linear_maps_and_attention(
    bias: bool, tied: bool, ask: bool
) -> None:
    with seeded(2):
        net = SelfAttention(6, 4, bias=bias, tied=tied, dtype=torch.float64)
        for parameter in net.parameters():
            nn.init.normal_(parameter)
        x = torch.randn(2, 5, 6, dtype=torch.float64)
    mask = torch.tensor([True, True, False, True, True])
    zero = torch.zeros(4, dtype=torch.float64)
    q = x @ net.W_Q.T + (zero if net.b_Q is None else net.b_Q)
    k = x @ net.W_K.T + (zero if net.b_K is None else net.b_K)
    v = x @ net.W_V.T + (zero if net.b_V is None else net.b_V)
    weights = (q @ k.mT / 2).masked_fill(~mask, -torch.inf).softmax(-1)
    found = net(x, mask, return_weights=ask)
    if isinstance(found, Attended):
        assert_close(found.weights, weights)
        found = found.output
    assert_close(found, weights @ v)
    for ours, due in zip(net.project(x), (q, k, v), strict=True):
        assert_close(ours, due)


def test_names_shapes_and_sharing_of_the_weights() -> None:
    shapes = {
        n: tuple(p.shape) for n, p in SelfAttention(6).named_parameters()
    }
    assert shapes == dict.fromkeys(("W_Q", "W_K", "W_V"), (6, 6))
    names = {n for n, _ in SelfAttention(6, 4, bias=True).named_parameters()}
    assert names == {"W_Q", "W_K", "W_V", "b_Q", "b_K", "b_V"}
    net = SelfAttention(6, 4, bias=True)
    assert net.W_K is not net.W_Q
    assert not torch.equal(net.W_K, net.W_Q)
    tied = SelfAttention(6, 4, bias=True, tied=True)
    assert tied.W_K is tied.W_Q
    assert tied.b_K is tied.b_Q
    assert {n for n, _ in tied.named_parameters()} == {
        "W_Q", "W_V", "b_Q", "b_V",
    }  # fmt: skip


def test_weights_start_uniform_biases_at_zero_from_the_seed() -> None:
    with seeded(3):
        first = SelfAttention(50, 16, bias=True)
    with seeded(3):
        second = SelfAttention(50, 16, bias=True)
    for a, b in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(a, b)
    for weight in (first.W_Q, first.W_K, first.W_V):
        assert 0.9 * 50**-0.5 < weight.abs().max() <= 50**-0.5
    assert first.b_Q is not None
    assert (first.b_Q == 0).all()


@settings(max_examples=30)
@given(seed=st.integers(0, 10**6), tied=st.booleans())
def test_reordered_words_give_reordered_results(seed: int, tied: bool) -> None:
    with seeded(seed):
        net = SelfAttention(6, 4, bias=True, tied=tied, dtype=torch.float64)
        x = torch.randn(2, 7, 6, dtype=torch.float64)
        order = torch.randperm(7)
    output, weights = net(x, return_weights=True)
    again = net(x[:, order], return_weights=True)
    assert_close(again.output, output[:, order])
    assert_close(again.weights, weights[:, order][:, :, order])


@settings(max_examples=30)
@given(seed=st.integers(0, 10**6))
def test_one_matrix_for_both_makes_scores_mutual(seed: int) -> None:
    with seeded(seed):
        x = torch.randn(1, 6, 5, dtype=torch.float64)
        tied = SelfAttention(5, bias=True, tied=True, dtype=torch.float64)
        free = SelfAttention(5, bias=True, dtype=torch.float64)
    q, k, _ = tied.project(x)
    assert_close(q @ k.mT, (q @ k.mT).mT)
    q, k, _ = free.project(x)
    assert (q @ k.mT - (q @ k.mT).mT).abs().max() > 1e-3


@pytest.mark.parametrize("ask", [False, True])
def test_a_padded_batch_is_its_sentences_one_by_one(ask: bool) -> None:
    lengths = [5, 1, 3]
    with seeded(4):
        net = SelfAttention(6, 4, dtype=torch.float64)
        x = torch.randn(3, 5, 6, dtype=torch.float64)
    real = torch.arange(5) < torch.tensor(lengths)[:, None]  # (B, T)
    together = net(x, real[:, None, :], return_weights=ask)
    output = together.output if ask else together
    loss = (output * real[..., None]).square().sum()
    wanted = torch.autograd.grad(loss, list(net.parameters()))
    total = torch.zeros((), dtype=torch.float64)
    for row, n in enumerate(lengths):
        alone = net(x[row : row + 1, :n])
        assert_close(output[row, :n], alone[0])
        total = total + alone.square().sum()
    found = torch.autograd.grad(total, list(net.parameters()))
    for ours, due in zip(found, wanted, strict=True):
        assert_close(ours, due)


# --- errors -----------------------------------------------------------------

X = torch.zeros(2, 3, 4)
MASK = torch.ones(3, 3, dtype=torch.bool)
sdpa: Callable[..., Any] = scaled_dot_product_attention
BAD: list[tuple[Callable[[], Any], type[Exception], list[str]]] = [
    (lambda: sdpa([1.0], X, X), TypeError, ["q ", "torch.Tensor", "list"]),
    (lambda: sdpa(X, X, None), TypeError, ["v ", "NoneType"]),
    (lambda: sdpa(X[0, 0], X, X), ValueError, ["q ", "words", "(4,)"]),
    (lambda: sdpa(X, X[:, :, :3], X), ValueError, ["4 features", "has 3"]),
    (lambda: sdpa(X, X[:, :2], X), ValueError, ["every key", "2 words"]),
    (lambda: sdpa(X[:1], X, X), ValueError, ["(1, 3, 4)", "(2, 3, 4)"]),
    (lambda: sdpa(X[None], X, X), ValueError, ["(1, 2, 3, 4)"]),
    (lambda: sdpa(X, X[:, :0], X[:, :0]), ValueError, ["k is empty"]),
    (lambda: sdpa(X[:, :0], X, X), ValueError, ["q is empty", "(2, 0, 4)"]),
    (lambda: sdpa(X, X.double(), X), TypeError, ["k has torch.float64"]),
    (lambda: sdpa(X.long(), X.long(), X.long()), TypeError, ["torch.int64"]),
    (lambda: sdpa(X, X, X, MASK.float()), TypeError, ["mask", "booleans"]),
    (lambda: sdpa(X, X, X, MASK[:, :2]), ValueError, ["mask", "(3, 2)"]),
    (lambda: sdpa(X, X, X, MASK.expand(4, 3, 3)), ValueError, ["(4, 3, 3)"]),
    (
        lambda: sdpa(X, X, X, MASK.expand(5, 2, 3, 3)),
        ValueError,
        ["(5, 2, 3, 3)"],
    ),
    (lambda: sdpa(X, X, X, [True]), TypeError, ["mask", "list"]),
    (lambda: SelfAttention(4)(X[0]), ValueError, ["(batch, time, 4)"]),
    (lambda: SelfAttention(5)(X), ValueError, ["(batch, time, 5)"]),
    (lambda: SelfAttention(4)(X[:, :0]), ValueError, ["x is empty"]),
    (lambda: SelfAttention(4)(X.double()), TypeError, ["x has dtype"]),
    (lambda: SelfAttention(0), ValueError, ["width must be a positive"]),
    (lambda: SelfAttention(4, 0), ValueError, ["size must be a positive"]),
]


@pytest.mark.parametrize(("call", "kind", "words"), BAD)
def test_a_wrong_argument_is_named(
    call: Callable[[], Any], kind: type[Exception], words: list[str]
) -> None:
    with pytest.raises(kind) as caught:
        call()
    for word in words:
        assert word in str(caught.value)


def test_a_wrong_mask_is_refused_with_weights_too() -> None:
    with pytest.raises(TypeError, match="booleans"):
        sdpa(X, X, X, MASK.float(), return_weights=True)


# --- under torch.func, in an ensemble, and without values -------------------


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("tied", [False, True])
def test_an_ensemble_is_its_members(tied: bool) -> None:
    model = Ensemble(lambda: SelfAttention(4, tied=tied), [0, 1])
    with seeded(0):
        x = torch.randn(2, 3, 5, 4)
    mask = torch.rand(2, 3, 1, 5) < 0.7
    plain, (output, weights) = (
        model(x, mask, return_weights=ask) for ask in (False, True)
    )
    for s in range(2):
        wanted = model.member(s)(x[s], mask[s], return_weights=True)
        torch.testing.assert_close(plain[s], wanted.output)
        torch.testing.assert_close(output[s], wanted.output)
        torch.testing.assert_close(weights[s], wanted.weights)


def test_gradients_of_single_sentences() -> None:
    net = SelfAttention(4)
    weights: dict[str, Tensor] = dict(net.named_parameters())
    with seeded(0):
        x = torch.randn(3, 5, 4)

    def loss(weights: dict[str, Tensor], x: Tensor) -> Tensor:
        output: Tensor = functional_call(net, weights, (x[None],))
        return output.square().sum()

    each = vmap(grad(loss), in_dims=(None, 0))(weights, x)
    (wanted,) = torch.autograd.grad(net(x).square().sum(), net.W_Q)
    torch.testing.assert_close(each["W_Q"].sum(dim=0), wanted)


def test_shapes_alone_are_enough_to_run() -> None:
    x = torch.zeros(2, 5, 4, device="meta")
    net = SelfAttention(4, 3, device="meta")
    assert net(x).shape == (2, 5, 3)
    assert net(x, return_weights=True).weights.shape == (2, 5, 5)


def test_two_axes_are_enough() -> None:
    q = torch.randn(3, 4)
    output, weights = sdpa(q, q, q, return_weights=True)
    torch.testing.assert_close(sdpa(q, q, q), output)
    assert weights.shape == (3, 3)
