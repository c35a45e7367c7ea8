"""Dot-product, bilinear and additive scores, against plain loops."""

from __future__ import annotations

import itertools
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
from torch.func import functional_call

from nlp_course.attention.core import attend
from nlp_course.attention.scores import (
    AdditiveScores,
    BilinearScores,
    dot_scores,
)
from nlp_course.training import Ensemble, seeded

DOUBLE: Any = {"dtype": torch.float64}


def assert_close(
    found: Tensor, wanted: Tensor, rtol: float = 1e-12, atol: float = 1e-12
) -> None:
    torch.testing.assert_close(found, wanted, rtol=rtol, atol=atol)


@dataclass(frozen=True)
class Case:
    """Sizes and a seed from which everything else is drawn."""

    B: int
    T: int
    N: int
    Q: int
    K: int
    size: int
    seed: int

    def normal(self, *shapes: tuple[int, ...]) -> list[Tensor]:
        rng = torch.Generator().manual_seed(self.seed)
        return [
            torch.randn(shape, generator=rng, dtype=torch.float64)
            for shape in shapes
        ]

    def queries_and_keys(self, equal: bool = False) -> list[Tensor]:
        K = self.Q if equal else self.K
        return self.normal((self.B, self.T, self.Q), (self.B, self.N, K))


sizes = st.integers(1, 4)
cases = st.builds(
    Case, sizes, sizes, sizes, sizes, sizes, sizes, st.integers(0, 2**32)
)


def of_pairs(
    queries: Tensor, keys: Tensor, score: Callable[[Tensor, Tensor], Tensor]
) -> Tensor:
    """One score for each pair of a query and a key, in a loop."""
    B, T, N = len(queries), queries.shape[1], keys.shape[1]
    pairs = itertools.product(range(B), range(T), range(N))
    found = [score(queries[b, t], keys[b, i]) for b, t, i in pairs]
    return torch.stack(found).view(B, T, N)


def numbers(rows: Tensor) -> list[list[float]]:
    found: list[list[float]] = rows.tolist()
    return found


def assert_same(
    first: Callable[..., Tensor],
    second: Callable[..., Tensor],
    *leaves: Tensor,
) -> None:
    """Equal values, and equal gradients for all leaves."""
    results = []
    for function in (first, second):
        fresh = [leaf.detach().clone().requires_grad_() for leaf in leaves]
        found = function(*fresh)
        weigh = torch.linspace(-1, 2, found.numel(), dtype=found.dtype)
        slopes = torch.autograd.grad((found.flatten() * weigh).sum(), fresh)
        results.append([found, *slopes])
    for a, b in zip(*results, strict=True):
        assert_close(a, b)


@settings(max_examples=30)
@given(case=cases)
def test_dot_scores_are_dot_products(case: Case) -> None:
    queries, keys = case.queries_and_keys(equal=True)
    assert_same(
        dot_scores,
        lambda q, k: of_pairs(q, k, lambda s, h: (s * h).sum()),
        queries,
        keys,
    )


@settings(max_examples=30)
@given(case=cases)
def test_attention_with_dot_scores_is_that_of_torch(case: Case) -> None:
    queries, keys = case.queries_and_keys(equal=True)
    rng = torch.Generator().manual_seed(case.seed)
    lengths = torch.randint(1, case.N + 1, (case.B,), generator=rng)
    mask = (torch.arange(case.N) < lengths[:, None]).unsqueeze(1)  # (B, 1, N)

    def theirs(q: Tensor, k: Tensor) -> Tensor:
        return F.scaled_dot_product_attention(q, k, k, mask, scale=1.0)

    def ours(q: Tensor, k: Tensor) -> Tensor:
        return attend(dot_scores(q, k), k, mask).context

    assert_same(ours, theirs, queries, keys)


@settings(max_examples=30)
@given(case=cases)
def test_bilinear_scores_are_a_sum_over_pairs_of_numbers(case: Case) -> None:
    queries, keys = case.queries_and_keys()
    scores = BilinearScores(case.Q, case.K, **DOUBLE)
    W = scores.W_e.detach()

    def ours(W: Tensor, q: Tensor, k: Tensor) -> Tensor:
        found: Tensor = functional_call(scores, {"W_e": W}, (q, k))
        return found

    def loops(W: Tensor, q: Tensor, k: Tensor) -> Tensor:
        return of_pairs(
            q,
            k,
            lambda s, h: torch.stack(
                [
                    s[a] * W[a, b] * h[b]
                    for a in range(case.Q)
                    for b in range(case.K)
                ]
            ).sum(),
        )

    assert_same(ours, loops, W, queries, keys)
    bilinear = F.bilinear(
        queries.unsqueeze(2).expand(-1, -1, case.N, -1).contiguous(),
        keys.unsqueeze(1).expand(-1, case.T, -1, -1).contiguous(),
        W.unsqueeze(0),
    )
    assert_close(scores(queries, keys), bilinear.squeeze(-1))


def test_the_identity_makes_bilinear_scores_dot_products() -> None:
    queries, keys = torch.randn(2, 3, 4), torch.randn(2, 5, 4)
    scores = BilinearScores(4, 4)
    with torch.no_grad():
        scores.W_e.copy_(torch.eye(4))
    assert_close(scores(queries, keys), dot_scores(queries, keys))


@settings(max_examples=30)
@given(case=cases)
def test_additive_scores_are_the_equation(case: Case) -> None:
    """Number by number, with Python's tanh."""
    queries, keys = case.queries_and_keys()
    scores = AdditiveScores(case.Q, case.K, case.size, **DOUBLE)
    W, U, v = (numbers(w.view(-1, w.shape[-1])) for w in scores.parameters())

    def one(s: Tensor, h: Tensor) -> Tensor:
        total = 0.0
        for j in range(case.size):
            inner = sum(w * float(x) for w, x in zip(W[j], s, strict=True))
            inner += sum(u * float(x) for u, x in zip(U[j], h, strict=True))
            total += v[0][j] * math.tanh(inner)
        return torch.tensor(total, **DOUBLE)

    found = scores(queries, keys).detach()
    assert_close(found, of_pairs(queries, keys, one))


@settings(max_examples=30)
@given(case=cases)
def test_additive_scores_are_a_network_with_one_hidden_layer(
    case: Case,
) -> None:
    """The same weights in torch.nn, on a query and a key joined."""
    queries, keys = case.queries_and_keys()
    scores = AdditiveScores(case.Q, case.K, case.size, **DOUBLE)
    weights = [w.detach() for w in scores.parameters()]
    names = [name for name, _ in scores.named_parameters()]

    def ours(W: Tensor, U: Tensor, v: Tensor, q: Tensor, k: Tensor) -> Tensor:
        named = dict(zip(names, (W, U, v), strict=True))
        found: Tensor = functional_call(scores, named, (q, k))
        return found

    def theirs(
        W: Tensor, U: Tensor, v: Tensor, q: Tensor, k: Tensor
    ) -> Tensor:
        def one(s: Tensor, h: Tensor) -> Tensor:
            joined = torch.cat([s, h])
            hidden = F.linear(joined, torch.cat([W, U], dim=1))
            return F.linear(hidden.tanh(), v.unsqueeze(0)).squeeze()

        return of_pairs(q, k, one)

    assert names == ["W_a", "U_a", "v_a"]
    assert_same(ours, theirs, *weights, queries, keys)


def test_keys_read_once_give_the_same_scores() -> None:
    scores = AdditiveScores(3, 4, 5)
    queries, keys = torch.randn(2, 6, 3), torch.randn(2, 7, 4)
    read = scores.read_keys(keys)
    steps = [scores.compare(queries[:, t : t + 1], read) for t in range(6)]
    assert_close(torch.cat(steps, dim=1), scores(queries, keys), 1e-5, 1e-6)


@pytest.mark.parametrize(
    "build",
    [lambda: BilinearScores(3, 4), lambda: AdditiveScores(3, 4, 5)],
    ids=["bilinear", "additive"],
)
def test_the_modules_start_within_their_bounds_and_can_be_stacked(
    build: Callable[[], nn.Module],
) -> None:
    with seeded(0):
        alone = build()
    for weight in alone.parameters():
        bound = 1 / math.sqrt(weight.shape[-1])
        assert weight.abs().max() <= bound
        assert weight.std() > bound / 4
    both = Ensemble(build, [0, 1])
    queries, keys = torch.randn(2, 2, 6, 3), torch.randn(2, 2, 7, 4)
    found = both(queries, keys)
    assert_close(found[0], alone(queries[0], keys[0]), 1e-5, 1e-6)


# --- errors ------------------------------------------------------------------

NAMES = ["dot", "bilinear", "additive"]
ALL: list[Any] = [dot_scores, BilinearScores(4, 4), AdditiveScores(4, 4, 3)]


def test_a_dot_product_needs_equal_sizes() -> None:
    with pytest.raises(ValueError, match="query has 3 numbers and a key 4"):
        dot_scores(torch.zeros(2, 1, 3), torch.zeros(2, 5, 4))


@pytest.mark.parametrize("score", ALL, ids=NAMES)
def test_an_empty_source_is_refused(score: Callable[..., Tensor]) -> None:
    with pytest.raises(ValueError, match="at least one word to attend to"):
        score(torch.zeros(2, 1, 4), torch.zeros(2, 0, 4))


@pytest.mark.parametrize("score", ALL, ids=NAMES)
def test_axes_and_batches_must_fit(score: Callable[..., Tensor]) -> None:
    with pytest.raises(ValueError, match=r"\(\.\.\., places, features\)"):
        score(torch.zeros(4), torch.zeros(5, 4))
    with pytest.raises(ValueError, match="different batches"):
        score(torch.zeros(2, 1, 4), torch.zeros(3, 5, 4))
    with pytest.raises(TypeError, match="keys must be a torch"):
        score(torch.zeros(2, 1, 4), [1.0])
    with pytest.raises(TypeError, match=r"float32, keys torch\.float64"):
        score(torch.zeros(2, 1, 4), torch.zeros(2, 5, 4).double())


@pytest.mark.parametrize("score", ALL[1:], ids=NAMES[1:])
def test_sizes_and_dtype_must_be_those_of_the_weights(
    score: Callable[..., Tensor],
) -> None:
    with pytest.raises(ValueError, match="queries have 3 numbers each"):
        score(torch.zeros(2, 1, 3), torch.zeros(2, 5, 4))
    with pytest.raises(ValueError, match="keys have 3 numbers each"):
        score(torch.zeros(2, 1, 4), torch.zeros(2, 5, 3))
    with pytest.raises(TypeError, match=r"the weights have torch\.float32"):
        score(*(torch.zeros(2, 1, 4).double() for _ in range(2)))


@pytest.mark.parametrize(
    ("sizes", "name"),
    [((0, 4, 3), "query_size"), ((4, -1, 3), "key_size"), ((4, 4, 0), "size")],
)
def test_sizes_must_be_positive(sizes: tuple[int, ...], name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} must be a positive"):
        AdditiveScores(*sizes)
    if name != "size":
        with pytest.raises(ValueError, match=f"{name} must be a positive"):
            BilinearScores(*sizes[:2])
