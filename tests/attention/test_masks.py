"""Masks: what they hide, in values and gradients, here and in PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from nlp_course.attention.core import masked_softmax, weighted_sum
from nlp_course.attention.masks import (
    as_attn_mask,
    as_key_padding_mask,
    band_mask,
    causal_mask,
    combine,
    padding_mask,
)
from nlp_course.attention.scaled import (
    SelfAttention,
    scaled_dot_product_attention,
)
from nlp_course.training import seeded

DOUBLE: Any = {"dtype": torch.float64}


def assert_close(found: Tensor, wanted: Tensor, atol: float = 1e-12) -> None:
    torch.testing.assert_close(found, wanted, rtol=1e-10, atol=atol)


def grad(
    values: Tensor, leaves: list[Tensor], keep: bool = False
) -> tuple[Tensor, ...]:
    """Gradients of a sum in which every value has a weight of its own."""
    weigh = torch.linspace(-1, 2, values.numel(), **DOUBLE)
    total = (values.flatten() * weigh).sum()
    return torch.autograd.grad(total, leaves, retain_graph=keep)


@dataclass(frozen=True)
class Case:
    """Sizes and a seed from which everything else is drawn."""

    B: int
    T: int
    d: int
    seed: int

    def attention(self) -> SelfAttention:
        with seeded(self.seed):
            return SelfAttention(self.d, **DOUBLE)

    def words(self) -> Tensor:
        rng = torch.Generator().manual_seed(self.seed)
        return torch.randn(self.B, self.T, self.d, generator=rng, **DOUBLE)

    def lengths(self) -> Tensor:
        """Random lengths, the longest of which is T."""
        rng = torch.Generator().manual_seed(self.seed + 1)
        lengths = torch.randint(1, self.T + 1, (self.B,), generator=rng)
        lengths[-1] = self.T
        return lengths


cases = st.builds(
    Case, st.integers(1, 4), st.integers(1, 6), st.integers(1, 4),
    st.integers(0, 2**30),
)  # fmt: skip


# --- what the masks are ------------------------------------------------------


def test_the_padding_mask_is_one_row_a_sequence() -> None:
    mask = padding_mask(torch.tensor([3, 1, 4]), 4)
    assert mask.dtype == torch.bool
    assert mask.int().tolist() == [
        [[1, 1, 1, 0]],
        [[1, 0, 0, 0]],
        [[1, 1, 1, 1]],
    ]


def test_the_causal_mask_keeps_the_diagonal_and_all_before_it() -> None:
    assert causal_mask(3).int().tolist() == [[1, 0, 0], [1, 1, 0], [1, 1, 1]]
    assert causal_mask(1).tolist() == [[True]]


def test_with_more_keys_the_queries_are_the_last_words() -> None:
    assert causal_mask(2, 4).int().tolist() == [[1, 1, 1, 0], [1, 1, 1, 1]]
    assert causal_mask(1, 5).all()
    assert torch.equal(causal_mask(2, 5), causal_mask(5)[3:])


@pytest.mark.parametrize("back", [0, 1, 2, 9])
def test_a_band_ends_so_many_words_back(back: int) -> None:
    T, N = 3, 5
    by_hand = torch.tensor(
        [
            [0 <= N - T + t - i <= back for i in range(N)]  # the distance
            for t in range(T)
        ]
    )
    assert torch.equal(band_mask(T, N, back=back), by_hand)
    square = band_mask(N, back=back)
    assert torch.equal(square[N - T :], by_hand)
    assert torch.equal(band_mask(T, N, back=9), causal_mask(T, N))


@pytest.mark.parametrize("back", [-1, 1.0, True])
def test_a_band_needs_a_whole_number(back: Any) -> None:
    with pytest.raises(ValueError, match="back must be a whole number"):
        band_mask(3, back=back)
    with pytest.raises(ValueError, match="at least as many keys"):
        band_mask(3, 2, back=1)


def test_masks_live_where_they_are_asked_to() -> None:
    assert causal_mask(3, device="meta").device.type == "meta"
    lengths = torch.ones(2, dtype=torch.int64, device="meta")
    assert padding_mask(lengths, 3).device.type == "meta"


@given(case=cases)
def test_combined_masks_allow_what_all_allow(case: Case) -> None:
    lengths, T = case.lengths(), case.T
    mask = combine(causal_mask(T), padding_mask(lengths, T))
    assert mask.shape == (case.B, T, T)
    for b, length in enumerate(lengths.tolist()):
        for t in range(T):
            seen = [i for i in range(T) if mask[b, t, i]]
            assert seen == list(range(min(t + 1, length)))
    assert torch.equal(combine(mask), mask)


# --- what they do: padding ---------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(case=cases)
def test_padded_is_unpadded(case: Case) -> None:
    """Values of real words, and gradients for words and weights."""
    attention, x, lengths = case.attention(), case.words(), case.lengths()
    weights = list(attention.parameters())
    for b, length in enumerate(lengths.tolist()):
        for filled in (x[b : b + 1], 100 * x[b : b + 1]):
            padded = torch.cat([x[b : b + 1, :length], filled[:, length:]], 1)
            padded.requires_grad_()
            alone = x[b : b + 1, :length].clone().requires_grad_()
            mask = padding_mask(lengths[b : b + 1], case.T)
            found = attention(padded, mask)[:, :length]
            wanted = attention(alone)
            assert_close(found, wanted)
            got = grad(found, [padded, *weights])
            due = grad(wanted, [alone, *weights])
            assert_close(got[0][:, :length], due[0])
            assert torch.equal(
                got[0][:, length:], torch.zeros_like(padded[:, length:])
            )
            for ours, theirs in zip(got[1:], due[1:], strict=True):
                assert_close(ours, theirs)


def test_without_the_mask_padding_counts() -> None:
    """What the test above would miss if it could not fail."""
    case = Case(B=1, T=5, d=3, seed=4)
    attention, x = case.attention(), case.words()
    bare = attention(x)[:, :3]
    alone = attention(x[:, :3])
    assert (bare - alone).abs().max() > 1e-2


@settings(max_examples=30, deadline=None)
@given(case=cases)
def test_weights_that_are_returned_are_masked_too(case: Case) -> None:
    attention, x, T = case.attention(), case.words(), case.T
    mask = combine(causal_mask(T), padding_mask(case.lengths(), T))
    output, weights = attention(x, mask, return_weights=True)
    assert_close(output, attention(x, mask))
    assert (weights[~mask] == 0).all()
    assert_close(weights.sum(-1), torch.ones(case.B, T, **DOUBLE))


# --- what they do: the future ------------------------------------------------


def influence(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Entry [t, j]: largest derivative of output t for input j."""
    jacobian = torch.autograd.functional.jacobian(function, x)  # (T, d, T, d)
    assert isinstance(jacobian, Tensor)
    return jacobian.abs().amax(dim=(1, 3))


@settings(max_examples=30, deadline=None)
@given(case=cases)
def test_no_gradient_comes_from_the_future(case: Case) -> None:
    attention, x = case.attention(), case.words()[0]
    mask = causal_mask(case.T)
    seen = influence(lambda x: attention(x[None], mask)[0], x)
    assert (seen[~mask] == 0).all()  # exactly
    assert (seen[mask] > 0).all()


@settings(max_examples=40, deadline=None)
@given(case=cases)
def test_one_masked_pass_is_one_pass_for_each_prefix(case: Case) -> None:
    attention, x = case.attention(), case.words().requires_grad_()
    leaves = [x, *attention.parameters()]
    whole = attention(x, causal_mask(case.T))
    steps = [attention(x[:, : t + 1])[:, -1] for t in range(case.T)]
    apart = torch.stack(steps, dim=1)
    assert_close(whole, apart)
    for found, wanted in zip(
        grad(whole, leaves), grad(apart, leaves), strict=True
    ):
        assert_close(found, wanted)


# --- rows in which everything is masked --------------------------------------


@settings(max_examples=30, deadline=None)
@given(case=cases)
def test_a_row_with_nothing_to_see_is_finite(case: Case) -> None:
    rng = torch.Generator().manual_seed(case.seed)
    scores = torch.randn(case.B, case.T, case.T, generator=rng, **DOUBLE)
    values = case.words()
    mask = torch.rand(scores.shape, generator=rng) < 0.5
    mask[:, 0] = False
    leaves = [scores.requires_grad_(), values.requires_grad_()]
    weights = masked_softmax(scores, mask)
    context = weighted_sum(weights, values)
    assert (weights[:, 0] == 0).all()
    assert (context[:, 0] == 0).all()
    slopes = grad(context, leaves)
    assert all(torch.isfinite(g).all() for g in (context, *slopes))
    assert (slopes[0][~mask] == 0).all()


def test_a_plain_softmax_of_such_a_row_is_not() -> None:
    scores = torch.zeros(2, 3, requires_grad=True)
    mask = torch.tensor([[True, True, False], [False, False, False]])
    weights = scores.masked_fill(~mask, -torch.inf).softmax(-1)
    assert weights[1].isnan().all()
    assert not weights[0].isnan().any()


# --- the same in PyTorch -----------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(case=cases)
def test_it_is_the_causal_attention_of_torch(case: Case) -> None:
    attention, x = case.attention(), case.words().requires_grad_()
    q, k, v = attention.project(x)
    mask = causal_mask(case.T)
    leaves = [x, attention.W_Q, attention.W_K, attention.W_V]
    theirs = F.scaled_dot_product_attention(q, k, v, is_causal=True)
    due = grad(theirs, leaves, keep=True)
    for asked in (False, True):
        found = scaled_dot_product_attention(
            q, k, v, mask, return_weights=asked
        )
        ours = found if isinstance(found, Tensor) else found.output
        assert_close(ours, theirs)
        slopes = grad(ours, leaves, keep=True)
        for a, b in zip(slopes, due, strict=True):
            assert_close(a, b)


def test_with_more_keys_torch_counts_from_the_other_end() -> None:
    """``is_causal`` takes the queries to be the first words."""
    q, k = torch.zeros(1, 2, 1), torch.zeros(1, 4, 1)
    v = torch.arange(4.0).view(1, 4, 1)
    theirs = F.scaled_dot_product_attention(q, k, v, is_causal=True)
    assert theirs.flatten().tolist() == [0.0, 0.5]
    ours = scaled_dot_product_attention(q, k, v, causal_mask(2, 4))
    assert ours.flatten().tolist() == [1.0, 1.5]


@settings(max_examples=40, deadline=None)
@given(case=cases, heads=st.integers(1, 3), causal=st.booleans())
def test_multihead_attention_of_torch_hides_the_same(
    case: Case, heads: int, causal: bool
) -> None:
    """Through key_padding_mask and attn_mask, and through attn_mask alone."""
    B, T, d = case.B, case.T, case.d
    with seeded(case.seed):
        theirs = nn.MultiheadAttention(
            heads * d, heads, bias=False, batch_first=True, **DOUBLE
        )
        x = torch.randn(B, T, heads * d, **DOUBLE)
    padding = padding_mask(case.lengths(), T)
    future = causal_mask(T) if causal else torch.ones(T, T).bool()
    both = combine(padding, future)  # (B, T, T)

    joint = theirs.in_proj_weight.detach()
    q, k, v = (
        (x @ W.T).view(B, T, heads, d).transpose(1, 2) for W in joint.chunk(3)
    )
    out, weights = scaled_dot_product_attention(
        q, k, v, both.unsqueeze(1), return_weights=True
    )
    wanted = out.transpose(1, 2).flatten(2) @ theirs.out_proj.weight.T
    apart = theirs(
        x, x, x, average_attn_weights=False,
        key_padding_mask=as_key_padding_mask(padding),
        attn_mask=as_attn_mask(future),
    )  # fmt: skip
    whole = theirs(
        x, x, x, average_attn_weights=False,
        attn_mask=as_attn_mask(both, heads),
    )  # fmt: skip
    for found, seen in (apart, whole):
        assert_close(found, wanted)
        assert_close(seen, weights)


# --- errors ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lengths", "N", "error", "text"),
    [
        ([0, 2], 3, ValueError, "lengths run from 0 to 2"),
        ([1, 4], 3, ValueError, "between 1 and the padded length 3"),
        ([1.0], 3, TypeError, "lengths must be integers"),
        ([[1], [2]], 3, ValueError, "one for each sequence"),
        ([1], 0, ValueError, "N must be a positive integer"),
    ],
)
def test_wrong_lengths_are_refused(
    lengths: Any, N: int, error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        padding_mask(torch.tensor(lengths), N)


def test_lengths_must_be_a_tensor() -> None:
    with pytest.raises(TypeError, match=r"lengths must be a torch\.Tensor"):
        padding_mask([1, 2], 3)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("sizes", "text"),
    [
        ((0,), "T must be a positive integer"),
        ((2, 0), "N must be a positive integer"),
        ((True,), "T must be a positive integer"),
        ((4, 3), "at least as many keys, not N=3: the first 1 queries"),
    ],
)
def test_wrong_sizes_are_refused(sizes: tuple[Any, ...], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        causal_mask(*sizes)


def test_masks_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one mask"):
        combine()
    with pytest.raises(TypeError, match=r"mask 1 must hold booleans.*float32"):
        combine(causal_mask(2), torch.ones(2, 2))
    with pytest.raises(ValueError, match=r"\(2, 2\), \(1, 1, 3\) do not fit"):
        combine(causal_mask(2), padding_mask(torch.tensor([3]), 3))


def test_conversions_name_what_they_need() -> None:
    with pytest.raises(ValueError, match=r"one row .* as_attn_mask"):
        as_key_padding_mask(causal_mask(3))
    with pytest.raises(ValueError, match="before it is repeated"):
        as_attn_mask(torch.ones(3).bool())
    with pytest.raises(TypeError, match="must hold booleans"):
        as_attn_mask(torch.zeros(2, 2))
    with pytest.raises(ValueError, match="heads must be a positive"):
        as_attn_mask(causal_mask(2), heads=0)
