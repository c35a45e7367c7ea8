"""Relative attention against a loop over all pairs, and against XLNet's."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.func import functional_call, vmap

from nlp_course.attention.cache import KeyValueCache
from nlp_course.attention.core import Attended
from nlp_course.attention.masks import band_mask, causal_mask
from nlp_course.attention.positions import sinusoidal_positions
from nlp_course.attention.relative import RelativeAttention, relative_shift
from nlp_course.training.seeds import seeded

DOUBLE: dict[str, Any] = {"dtype": torch.float64}


@dataclass(frozen=True)
class Case:
    """Sizes and a seed: T queries after K words of a memory."""

    B: int
    T: int
    K: int
    A: int
    d: int
    seed: int

    @property
    def N(self) -> int:
        return self.K + self.T

    def module(self) -> RelativeAttention:
        """Weights of size 1, u and v among them."""
        D = 2 * self.A
        with seeded(self.seed):
            module = RelativeAttention(D, self.A, size=self.d, **DOUBLE)
            with torch.no_grad():
                for weight in module.parameters():
                    weight.copy_(torch.randn_like(weight))
        return module

    def words(self) -> Tensor:
        with seeded(self.seed + 1):
            words = torch.randn(self.B, self.N, 2 * self.A, **DOUBLE)
        return words.requires_grad_()


cases = st.builds(
    Case,
    B=st.integers(1, 2),
    T=st.integers(1, 4),
    K=st.integers(0, 4),
    A=st.integers(1, 2),
    d=st.integers(1, 3),
    seed=st.integers(0, 10_000),
)


def close(found: Tensor, wanted: Tensor) -> None:
    torch.testing.assert_close(found, wanted, rtol=1e-10, atol=1e-10)


def gradients(output: Tensor, wanted: Sequence[Tensor]) -> tuple[Tensor, ...]:
    weigh = torch.linspace(-1, 1, output.numel(), **DOUBLE)
    return torch.autograd.grad((output * weigh.view_as(output)).sum(), wanted)


def by_loop(m: RelativeAttention, words: Tensor, T: int) -> Tensor:
    """Dai et al. (2019), appendix B, pair by pair; nothing is shared."""
    B, N, D = words.shape
    d, K = m.size, N - T
    outputs = []
    for b in range(B):
        for t in range(T):
            joined = []
            for a in range(m.heads):
                rows = slice(a * d, (a + 1) * d)
                q = m.W_Q[rows] @ words[b, K + t]
                scores, values = [], []
                for i in range(K + t + 1):
                    P = sinusoidal_positions(1, D, start=K + t - i, **DOUBLE)
                    r = m.W_R[rows] @ P[0]
                    k = m.W_K[rows] @ words[b, i]
                    e = (q + m.u[rows]) @ k + (q + m.v[rows]) @ r
                    scores.append(e / math.sqrt(d))
                    values.append(m.W_V[rows] @ words[b, i])
                alpha = torch.stack(scores).softmax(dim=0)
                joined.append(alpha @ torch.stack(values))
            outputs.append(m.W_O @ torch.cat(joined))
    return torch.stack(outputs).view(B, T, D)


@settings(max_examples=60, deadline=None)
@given(case=cases)
def test_it_is_the_formula_pair_by_pair(case: Case) -> None:
    module, words = case.module(), case.words()
    leaves = [words, *module.parameters()]
    wanted = by_loop(module, words, case.T)
    mask = causal_mask(case.T, case.N)
    plain = module(words[:, case.K :], words, mask=mask)
    told = module(words[:, case.K :], words, mask=mask, return_weights=True)
    close(plain, wanted)
    close(told.output, wanted)
    due = gradients(wanted, leaves)
    for a, b in zip(gradients(plain, leaves), due, strict=True):
        close(a, b)
    close(told.weights.sum(-1), torch.ones_like(told.weights[..., 0]))
    assert (told.weights[..., ~mask] == 0).all()


@settings(max_examples=60, deadline=None)
@given(T=st.integers(1, 6), K=st.integers(0, 6), lead=st.integers(0, 2))
def test_the_shift_finds_every_distance(T: int, K: int, lead: int) -> None:
    """Column j is the distance N - 1 - j; entries tell where they are from."""
    N = K + T
    rows = 100 * torch.arange(T).view(T, 1)
    by_distance = (rows + N - 1 - torch.arange(N)).expand(*(2,) * lead, T, N)
    shifted = relative_shift(by_distance)
    assert shifted.shape == by_distance.shape
    for t in range(T):
        for i in range(K + t + 1):
            assert (shifted[..., t, i] == 100 * t + K + t - i).all()


def test_the_same_words_later_in_a_text_get_the_same_scores() -> None:
    """Only distances count: equal neighbourhoods, equal weights."""
    case = Case(B=1, T=3, K=0, A=2, d=3, seed=5)
    module = case.module()
    with seeded(1):
        part = torch.randn(1, 5, 4, **DOUBLE)
        start = torch.randn(1, 2, 4, **DOUBLE)
    later = torch.cat([start, part], dim=1)  # places 2 to 6
    q, k = (torch.randn(1, 2, 7, 3, **DOUBLE) for _ in range(2))
    first = module.scores(q[:, :, 2:], k[:, :, 2:])
    whole = module.scores(q, k)[:, :, 2:, 2:]
    seen = causal_mask(5)
    close(first[..., seen], whole[..., seen])
    # and through the whole module, under a band: the past is out of sight
    alone = module(part, mask=band_mask(5, back=2))
    among = module(later, mask=band_mask(7, back=2))
    close(alone[:, 2:], among[:, 4:])


def test_distances_and_the_two_biases_count() -> None:
    """The same words in another order give another answer."""
    case = Case(B=1, T=1, K=4, A=3, d=2, seed=2)
    module, words = case.module(), case.words()
    turned = words[:, [3, 2, 1, 0, 4]]
    found = module(words[:, 4:], words)
    assert (found - module(turned[:, 4:], turned)).abs().max() > 1e-3
    for name in ("u", "v"):
        other = case.module()
        with torch.no_grad():
            getattr(other, name).zero_()
        assert (found - other(words[:, 4:], words)).abs().max() > 1e-3


def test_the_future_gets_no_gradient() -> None:
    case = Case(B=1, T=4, K=2, A=2, d=2, seed=3)
    module, words = case.module(), case.words()
    output = module(words[:, 2:], words, mask=causal_mask(4, 6))
    for t in range(4):
        (slope,) = torch.autograd.grad(
            output[0, t].sum(), words, retain_graph=True
        )
        assert (slope[0, t + 3 :] == 0).all()
        assert (slope[0, : t + 3].abs().amax(dim=-1) > 0).all()


def test_keys_and_values_can_be_kept() -> None:
    """Relative to the query, a kept key only moves away."""
    case = Case(B=2, T=5, K=0, A=2, d=3, seed=4)
    module, words = case.module(), case.words().detach()
    whole = module(words, mask=causal_mask(5))
    cache = KeyValueCache()
    with torch.no_grad():
        steps = [module(words[:, t : t + 1], cache=cache) for t in range(5)]
    close(torch.cat(steps, dim=1), whole.detach())


def test_many_networks_side_by_side() -> None:
    case = Case(B=2, T=3, K=2, A=2, d=2, seed=6)
    module, words = case.module(), case.words().detach()
    stacked = {
        name: torch.stack([weight, 2 * weight]).detach()
        for name, weight in module.named_parameters()
    }
    mask = causal_mask(3, 5)

    def one(weights: dict[str, Tensor]) -> Any:
        inputs = (words[:, 2:], words, words, mask)
        return functional_call(module, weights, inputs)

    found = vmap(one)(stacked)
    close(found[0], module(words[:, 2:], words, mask=mask).detach())
    assert (found[1] - found[0]).abs().max() > 1e-3


@pytest.mark.parametrize("K", [0, 3])
def test_it_is_the_attention_of_xlnet(K: int) -> None:
    """XLNet has kept the scores of Transformer-XL: same weights, same all."""
    xlnet = pytest.importorskip("transformers.models.xlnet.modeling_xlnet")
    from transformers import XLNetConfig

    B, T, A, d = 2, 4, 2, 3
    N, D = K + T, A * d
    config = XLNetConfig(
        vocab_size=5, d_model=D, n_head=A, n_layer=1, d_inner=4, dropout=0.0
    )
    with seeded(8):
        theirs = xlnet.XLNetRelativeAttention(config).double()
        with torch.no_grad():
            for weight in theirs.parameters():
                weight.copy_(torch.randn_like(weight))
        words = torch.randn(B, N, D, **DOUBLE, requires_grad=True)
    ours = RelativeAttention(D, A, **DOUBLE)
    names = {"W_Q": "q", "W_K": "k", "W_V": "v", "W_R": "r"}
    with torch.no_grad():
        for name, letter in names.items():  # (D, A, d) there, (A·d, D) here
            weight = getattr(theirs, letter).flatten(1).T
            getattr(ours, name).copy_(weight)
        ours.W_O.copy_(theirs.o.flatten(1))  # (D, A, d): D rows
        ours.u.copy_(theirs.r_w_bias.flatten())
        ours.v.copy_(theirs.r_r_bias.flatten())
    # rows for the distances N down to 1 - T; below 0 they are masked
    near = sinusoidal_positions(N + 1, D, **DOUBLE).flip(0)
    table = torch.cat([near, torch.randn(T - 1, D, **DOUBLE)])
    hidden = ~causal_mask(T, N)
    steps_first = words.transpose(0, 1)
    after, _ = theirs(
        steps_first[K:],
        None,
        hidden.double()[:, :, None, None],
        None,
        table[:, None].expand(-1, B, -1),
        None,
        mems=steps_first[:K] if K else None,
    )
    change = ours(words[:, K:], words, mask=~hidden)
    # theirs adds the input and norms the sum
    found = theirs.layer_norm(change + words[:, K:])
    wanted = after.transpose(0, 1)
    close(found, wanted)
    pairs = [(words, words), (ours.u, theirs.r_w_bias)]
    pairs += [(ours.v, theirs.r_r_bias), (ours.W_R, theirs.r)]
    pairs += [(ours.W_Q, theirs.q), (ours.W_V, theirs.v)]
    got = gradients(found, [a for a, _ in pairs])
    due = gradients(wanted, [b for _, b in pairs])
    for a, b in zip(got, due, strict=True):
        b = b.flatten() if a.dim() == 1 else b
        close(a, b.flatten(1).T if b.shape != a.shape else b)


def test_what_has_no_meaning_is_refused() -> None:
    module = Case(B=1, T=3, K=1, A=1, d=2, seed=0).module()
    words = torch.randn(1, 4, 2, **DOUBLE)
    with pytest.raises(ValueError, match="hides every key after"):
        module(words)
    with pytest.raises(ValueError, match="hides every key after"):
        module(words, mask=torch.ones(4, 4, dtype=torch.bool))
    with pytest.raises(ValueError, match="hides every key after"):
        module(words[:, :2], words, mask=causal_mask(4, 4)[2:] | True)
    with pytest.raises(ValueError, match="last of 2 words"):
        module(words, words[:, :2])
    with pytest.raises(ValueError, match="even"):
        RelativeAttention(3, 1)
    with pytest.raises(ValueError, match="at least as many keys"):
        relative_shift(torch.zeros(3, 2))
    with pytest.raises(ValueError, match="at least as many keys"):
        relative_shift(torch.zeros(3))
    with pytest.raises(TypeError, match="by_distance"):
        relative_shift([1.0])  # type: ignore[arg-type]


def test_one_query_needs_no_mask() -> None:
    case = Case(B=1, T=1, K=3, A=1, d=2, seed=0)
    module, words = case.module(), case.words()
    found = module(words[:, 3:], words, return_weights=True)
    assert isinstance(found, Attended)
    close(found.output, by_loop(module, words, 1))
