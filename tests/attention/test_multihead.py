"""Many heads against one head at a time, and against PyTorch's module."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from nlp_course.attention.core import Attended
from nlp_course.attention.multihead import (
    MultiHeadAttention,
    join_heads,
    split_heads,
)
from nlp_course.attention.scaled import SelfAttention
from nlp_course.training import Ensemble, seeded

DOUBLE: Any = {"dtype": torch.float64}
# weights small enough that no softmax magnifies the roundings of its scores
TOLERANCE = {torch.float64: 1e-11, torch.float32: 1e-4}


@dataclass(frozen=True)
class Case:
    """Sizes and a seed from which everything else is drawn."""

    B: int
    T: int
    N: int
    d: int
    heads: int
    bias: bool
    seed: int
    dtype: torch.dtype = torch.float64

    @property
    def width(self) -> int:
        return self.d * self.heads

    def rng(self) -> torch.Generator:
        return torch.Generator().manual_seed(self.seed)

    def words(self) -> list[Tensor]:
        """Queries, keys and values, as leaves of a graph."""
        rng = self.rng()
        return [
            torch.randn(
                self.B, n, self.width, generator=rng, dtype=self.dtype
            ).requires_grad_()
            for n in (self.T, self.N, self.N)
        ]

    def theirs(self) -> nn.MultiheadAttention:
        with seeded(self.seed):
            module = nn.MultiheadAttention(
                self.width,
                self.heads,
                bias=self.bias,
                batch_first=True,
                dtype=self.dtype,
            )
            for weight in module.parameters():  # biases too: not 0
                nn.init.normal_(weight, std=0.4)
        return module

    def mask(self, *shape: int) -> Tensor:
        """Random, with at least one key allowed to every query."""
        mask = torch.rand(*shape, generator=self.rng()) < 0.6
        mask[..., 0] = True
        return mask

    def close(self, found: Tensor, wanted: Tensor) -> None:
        t = TOLERANCE[self.dtype]
        torch.testing.assert_close(found, wanted, rtol=t, atol=t)


def cases(*dtypes: torch.dtype) -> st.SearchStrategy[Case]:
    size = st.integers(1, 4)
    dtype = st.sampled_from(dtypes or (torch.float64,))
    seed = st.integers(0, 2**32 - 1)
    return st.builds(
        Case, size, size, size, size, size, st.booleans(), seed, dtype
    )


def gradients(output: Tensor, wanted: list[Tensor]) -> list[Tensor]:
    weigh = torch.linspace(-1, 2, output.numel(), dtype=output.dtype)
    loss = (output * weigh.view_as(output)).sum()
    return list(torch.autograd.grad(loss, wanted))


def gradients_of_ours(
    output: Tensor, words: list[Tensor], ours: MultiHeadAttention
) -> list[Tensor]:
    """For the words and the weights, these in PyTorch's layout."""
    names = [name for name, _ in ours.named_parameters()]
    n = len(words)
    found = gradients(output, [*words, *ours.parameters()])
    of = dict(zip(names, found[n:], strict=True))
    layout = [("W_Q", "W_K", "W_V"), ("b_Q", "b_K", "b_V"), ("W_O",), ("b_O",)]
    joined = [
        torch.cat([of[name] for name in part])
        for part in layout
        if part[0] in of
    ]
    return [*found[:n], *joined]


# --- PyTorch's module -------------------------------------------------------


@settings(max_examples=60)
@given(
    case=cases(torch.float64, torch.float32),
    asked=st.booleans(),
    masked=st.booleans(),
    self_attention=st.booleans(),
)
def test_values_and_gradients_of_torch(
    case: Case, asked: bool, masked: bool, self_attention: bool
) -> None:
    theirs = case.theirs()
    ours = MultiHeadAttention.from_torch(theirs)
    queries, keys, values = case.words()
    words = [queries]
    if not self_attention:
        words = [queries, keys, values]
    N = words[-1].shape[1]
    mask = case.mask(case.T, N) if masked else None
    forbidden = None if mask is None else ~mask  # the opposite convention
    three = words if len(words) == 3 else words * 3
    wanted, wanted_weights = theirs(
        *three, attn_mask=forbidden, average_attn_weights=False
    )
    found = ours(*words, mask=mask, return_weights=asked)
    if asked:
        assert isinstance(found, Attended)
        assert found.weights.shape == (case.B, case.heads, case.T, N)
        case.close(found.weights, wanted_weights)
        found = found.output
    case.close(found, wanted)
    got = gradients_of_ours(found, words, ours)
    due = gradients(wanted, [*words, *theirs.parameters()])
    for a, b in zip(got, due, strict=True):
        case.close(a, b)


@settings(max_examples=30)
@given(case=cases())
def test_padding_is_a_mask_of_the_opposite_convention(case: Case) -> None:
    theirs = case.theirs()
    ours = MultiHeadAttention.from_torch(theirs)
    words = case.words()
    real = case.mask(case.B, case.N)  # True on real words
    wanted, weights = theirs(
        *words, key_padding_mask=~real, average_attn_weights=False
    )
    for asked in (False, True):
        found = ours(*words, mask=real.unsqueeze(1), return_weights=asked)
        output = found.output if asked else found
        case.close(output, wanted)
        if asked:
            case.close(found.weights, weights)
            hidden = ~real.view(case.B, 1, 1, case.N).expand_as(weights)
            assert (found.weights[hidden] == 0).all()


def test_the_order_of_the_batch_does_not_matter_to_the_weights() -> None:
    case = Case(2, 3, 3, 2, 2, True, 0)
    theirs = case.theirs()
    theirs.batch_first = False
    x = case.words()[0]
    wanted = theirs(*[x.transpose(0, 1)] * 3)[0].transpose(0, 1)
    case.close(MultiHeadAttention.from_torch(theirs)(x), wanted)


def test_weights_of_torch_are_copied() -> None:
    theirs = nn.MultiheadAttention(4, 2)
    ours = MultiHeadAttention.from_torch(theirs)
    with torch.no_grad():
        theirs.out_proj.weight.zero_()
        theirs.in_proj_weight.zero_()
    assert all(bool(w.any()) for w in (ours.W_Q, ours.W_K, ours.W_V, ours.W_O))
    assert all(w.requires_grad for w in ours.parameters())


# --- one head at a time -----------------------------------------------------


def one_by_one(
    ours: MultiHeadAttention, words: list[Tensor], mask: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Plain loops over heads and queries; mask (B, A, T, N)."""
    d, every = ours.size, []
    outputs = torch.zeros(()) if ours.b_O is None else ours.b_O
    for a in range(ours.heads):
        rows = slice(a * d, (a + 1) * d)
        q, k, v = (
            x @ getattr(ours, f"W_{name}")[rows].T
            + (getattr(ours, f"b_{name}")[rows] if ours.b_O is not None else 0)
            for name, x in zip("QKV", words, strict=True)
        )
        contexts, weights = [], []
        for t in range(q.shape[1]):
            scores = (q[:, t : t + 1] * k).sum(dim=-1) / d**0.5  # (B, N)
            if mask is not None:
                scores = scores.masked_fill(~mask[:, a, t], -torch.inf)
            alpha = torch.exp(scores)
            alpha = alpha / alpha.sum(dim=-1, keepdim=True)
            contexts.append((alpha.unsqueeze(-1) * v).sum(dim=1))
            weights.append(alpha)
        every.append(torch.stack(weights, dim=1))
        outputs = outputs + torch.stack(contexts, dim=1) @ ours.W_O[:, rows].T
    return outputs, torch.stack(every, dim=1)


@settings(max_examples=40)
@given(case=cases(), axes=st.sampled_from(["TN", "BTN", "BATN", "1N", ""]))
def test_heads_at_once_are_heads_one_by_one(case: Case, axes: str) -> None:
    ours = MultiHeadAttention.from_torch(case.theirs())
    words = case.words()
    size = {"B": case.B, "A": case.heads, "T": case.T, "N": case.N, "1": 1}
    mask, full = None, None
    if axes:
        mask = case.mask(*[size[name] for name in axes])
        full = mask.unsqueeze(1) if axes == "BTN" else mask
        full = full.expand(case.B, case.heads, case.T, case.N)
    wanted, weights = one_by_one(ours, words, full)
    found = ours(*words, mask=mask, return_weights=True)
    case.close(found.weights, weights)
    leaves = [*words, *ours.parameters()]
    due = gradients(wanted, leaves)
    for output in (found.output, ours(*words, mask=mask)):
        case.close(output, wanted)
        for a, b in zip(gradients(output, leaves), due, strict=True):
            case.close(a, b)


def test_one_head_is_the_self_attention_of_chapter_10() -> None:
    case = Case(2, 4, 4, 5, 1, True, 3)
    ours = MultiHeadAttention.from_torch(case.theirs())
    single = SelfAttention(5, bias=True, **DOUBLE)
    with torch.no_grad():
        for name in "QKV":
            for part in "Wb":
                weight = getattr(ours, f"{part}_{name}")
                getattr(single, f"{part}_{name}").copy_(weight)
        ours.W_O.copy_(torch.eye(5))
        nn.init.zeros_(dict(ours.named_parameters())["b_O"])
    x = case.words()[0]
    case.close(ours(x), single(x))


def test_heads_are_slices_of_the_features() -> None:
    x = torch.arange(2 * 3 * 6).view(2, 3, 6)
    split = split_heads(x, 2)
    assert split.shape == (2, 2, 3, 3)
    for a in range(2):
        assert torch.equal(split[:, a], x[:, :, 3 * a : 3 * a + 3])
    assert torch.equal(join_heads(split), x)
    assert torch.equal(split_heads(x[0], 2), split[0])


@settings(max_examples=30)
@given(case=cases(), order=st.permutations(range(4)))
def test_the_order_of_heads_leaves_the_output_alone(
    case: Case, order: list[int]
) -> None:
    ours = MultiHeadAttention.from_torch(case.theirs())
    words = case.words()
    chosen = [a for a in order if a < ours.heads]
    before = ours(*words, return_weights=True)
    after = ours.with_heads(chosen)(*words, return_weights=True)
    case.close(after.output, before.output)
    case.close(after.weights, before.weights[:, chosen])
    # alone, the rows of W_Q, W_K and W_V change it if W_O stays behind
    if case.heads > 1 and chosen != sorted(chosen):
        mixed = ours.with_heads(chosen)
        with torch.no_grad():
            mixed.W_O.copy_(ours.W_O)
        assert (mixed(*words) - before.output).abs().max() > 1e-9


@settings(max_examples=30)
@given(case=cases(), data=st.data())
def test_a_head_left_out_adds_nothing(case: Case, data: Any) -> None:
    ours = MultiHeadAttention.from_torch(case.theirs())
    words = case.words()
    kept = data.draw(
        st.lists(st.integers(0, case.heads - 1), min_size=1, unique=True).map(
            sorted
        )
    )
    silent = copy.deepcopy(ours)
    with torch.no_grad():
        for a in set(range(case.heads)) - set(kept):
            silent.W_O[:, a * case.d : (a + 1) * case.d] = 0
    fewer = ours.with_heads(kept)
    case.close(fewer(*words), silent(*words))
    assert fewer.width == ours.width
    assert fewer.W_Q.shape == (len(kept) * case.d, case.width)
    assert all(p.requires_grad for p in fewer.parameters())
    assert fewer.heads == len(kept)
    assert ours.heads == case.heads


@pytest.mark.parametrize("heads", [1, 2, 3, 6, 12])
@pytest.mark.parametrize("bias", [False, True])
def test_the_number_of_heads_costs_no_weights(heads: int, bias: bool) -> None:
    ours = MultiHeadAttention(12, heads, bias=bias)
    theirs = nn.MultiheadAttention(12, heads, bias=bias)
    number = sum(p.numel() for p in ours.parameters())
    assert number == sum(p.numel() for p in theirs.parameters())
    assert number == 4 * 12 * 12 + (4 * 12 if bias else 0)


def test_a_size_of_its_own() -> None:
    ours = MultiHeadAttention(5, 2, size=3, **DOUBLE)
    assert ours.W_Q.shape == ours.W_K.shape == ours.W_V.shape == (6, 5)
    assert ours.W_O.shape == (5, 6)
    assert ours.b_Q is not None
    assert ours.b_Q.shape == (6,)
    words = [torch.randn(2, n, 5, **DOUBLE) for n in (3, 4, 4)]
    found, weights = one_by_one(ours, words, None)
    assert weights.shape == (2, 2, 3, 4)
    torch.testing.assert_close(ours(*words), found)


def test_the_start_of_the_weights() -> None:
    with seeded(0):
        ours = MultiHeadAttention(16, 4, size=9)
    for name, weight in ours.named_parameters():
        bound = weight.shape[-1] ** -0.5 if name.startswith("W") else 0.0
        largest = weight.abs().max().item()
        assert 0.95 * bound <= largest <= bound


# --- masks ------------------------------------------------------------------


@pytest.mark.parametrize("asked", [False, True])
def test_each_head_can_have_a_mask_of_its_own(asked: bool) -> None:
    case = Case(2, 3, 4, 2, 2, True, 11)
    ours = MultiHeadAttention.from_torch(case.theirs())
    words = case.words()
    mask = torch.ones(1, 2, 1, 4, dtype=torch.bool)
    mask[0, 0, 0, 1:] = False  # head 0 may look at the first key only
    found = ours(*words, mask=mask, return_weights=asked)
    wanted, _ = one_by_one(ours, words, mask.expand(2, 2, 3, 4))
    case.close(found.output if asked else found, wanted)
    if asked:
        assert (found.weights[:, 0, :, 0] == 1).all()
        assert (found.weights[:, 1] > 0).all()


@pytest.mark.parametrize("asked", [False, True])
def test_where_nothing_is_allowed_only_the_bias_is_left(asked: bool) -> None:
    case = Case(2, 3, 3, 2, 2, True, 12)
    ours = MultiHeadAttention.from_torch(case.theirs())
    (x, *_) = case.words()
    mask = torch.ones(2, 3, 3, dtype=torch.bool)
    mask[0, 1] = False
    found = ours(x, mask=mask, return_weights=asked)
    output = found.output if asked else found
    assert ours.b_O is not None
    case.close(output[0, 1], ours.b_O)
    (grad,) = torch.autograd.grad(output.sum(), x)
    assert torch.isfinite(grad).all()


# --- errors -----------------------------------------------------------------

OURS = MultiHeadAttention(6, 2)
X = torch.zeros(2, 3, 6)
YES = torch.ones(3, 3, dtype=torch.bool)


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: MultiHeadAttention(6, 4), ValueError, "4 heads cannot share"),
        (lambda: MultiHeadAttention(6, 0), ValueError, "heads must be a pos"),
        (lambda: MultiHeadAttention(6, 2, size=0), ValueError, "size must"),
        (lambda: OURS(X[0]), ValueError, "queries must have shape"),
        (lambda: OURS(X, X[..., :4]), ValueError, "keys must have shape"),
        (lambda: OURS(X, X, X[:, :2]), ValueError, "keys and values as many"),
        (lambda: OURS(X, X[:1]), ValueError, "one batch size"),
        (lambda: OURS(X, values=X), ValueError, "values without keys"),
        (lambda: OURS(X[:, :0]), ValueError, "queries are empty"),
        (lambda: OURS(X, X[:, :0]), ValueError, "keys are empty"),
        (lambda: OURS(X[:0]), ValueError, "queries are empty"),
        (lambda: OURS(X.double()), TypeError, "queries has dtype"),
        (lambda: OURS(X, None, None, X), TypeError, "mask must hold booleans"),
        (lambda: OURS(X, mask=YES.long()), TypeError, "True where"),
        (lambda: OURS(X, mask=YES[:2]), ValueError, r"mask of shape \(2, 3\)"),
        (
            lambda: OURS(X, mask=YES.expand(4, 3, 3)),
            ValueError,
            r"\(3, 3\), \(2, 3, 3\) or",
        ),
        (lambda: OURS(X, mask=True), TypeError, "mask must be a torch.Tensor"),
        (lambda: OURS([1.0]), TypeError, "queries must be a torch.Tensor"),
        (lambda: split_heads(X, 4), ValueError, "4 heads can share equally"),
        (lambda: split_heads(X, 0), ValueError, "heads must be a positive"),
        (lambda: join_heads(X[0]), ValueError, "axes"),
        (lambda: OURS.with_heads([]), ValueError, "choose different heads"),
        (lambda: OURS.with_heads([0, 0]), ValueError, "from 0 to 1"),
        (lambda: OURS.with_heads([2]), ValueError, r"not \[2\]"),
        (
            lambda: MultiHeadAttention.from_torch(
                nn.MultiheadAttention(4, 2, kdim=3)
            ),
            ValueError,
            "kdim and vdim",
        ),
        (
            lambda: MultiHeadAttention.from_torch(
                nn.MultiheadAttention(4, 2, add_bias_kv=True)
            ),
            ValueError,
            "add_bias_kv",
        ),
        (
            lambda: MultiHeadAttention.from_torch(
                nn.MultiheadAttention(4, 2, add_zero_attn=True)
            ),
            ValueError,
            "add_zero_attn",
        ),
        (
            lambda: MultiHeadAttention.from_torch(nn.Linear(2, 2)),  # type: ignore[arg-type]
            TypeError,
            "not Linear",
        ),
    ],
    ids=range(28),
)
def test_errors_say_what_to_do(
    call: Any, error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        call()


# --- many networks at once --------------------------------------------------


@pytest.mark.parametrize("asked", [False, True])
@pytest.mark.parametrize("masked", [False, True])
def test_it_works_in_an_ensemble(asked: bool, masked: bool) -> None:
    model = Ensemble(lambda: MultiHeadAttention(6, 2, **DOUBLE), [0, 1, 2])
    x = torch.randn(3, 2, 4, 6, **DOUBLE)
    options = {"mask": torch.ones(4, 4).tril().bool()} if masked else {}
    found = model(x, **options, return_weights=asked)
    output = found.output if asked else found
    for s in range(3):
        alone = model.member(s)
        wanted = alone(x[s], **options, return_weights=True)
        torch.testing.assert_close(output[s], wanted.output)
        if asked:
            torch.testing.assert_close(found.weights[s], wanted.weights)
    output.sum().backward()
    grads = [p.grad for p in model.parameters()]
    assert all(g is not None and bool(g.any()) for g in grads[:4])
