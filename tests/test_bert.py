"""BERT: three vectors a token, post-norm layers, a tied readout.

That it is the same function as Hugging Face's, with the same gradients, is
tested in ``tests/pretrained/test_bert.py``; here it is computed by hand.
"""

from __future__ import annotations

import copy
import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from nlp_course.bert import (
    BERT,
    BERTClassifier,
    BERTConfig,
    BERTForPreTraining,
    BERTOutput,
    PreTrainingOutput,
)
from nlp_course.parity import largest_difference
from nlp_course.training import generator, seeded
from nlp_course.transformer import LayerNorm

DOUBLE: dict[str, Any] = {"dtype": torch.float64}
SMALL = BERTConfig(11, longest=9, width=8, heads=2, layers=2, std=0.4)


def build(
    config: BERTConfig = SMALL, seed: int = 0, **options: Any
) -> BERTForPreTraining:
    """A model whose gains and biases are not 1 and 0."""
    with seeded(seed):
        model = BERTForPreTraining(config, **(options or DOUBLE))
        with torch.no_grad():
            for weight in model.parameters():
                if weight.dim() == 1:
                    weight.add_(0.3 * torch.randn_like(weight))
    return model


def text(*shape: int, V: int = 11, seed: int = 1) -> Tensor:
    return torch.randint(V, shape, generator=generator(seed))


# --- the model by hand ------------------------------------------------------


def norm(x: Tensor, layer: LayerNorm) -> Tensor:
    x = x - x.mean(dim=-1, keepdim=True)
    spread = x.square().mean(dim=-1, keepdim=True)
    return layer.gain * x / torch.sqrt(spread + layer.eps) + layer.bias


def gelu(a: Tensor) -> Tensor:
    return a * (1 + torch.erf(a / math.sqrt(2))) / 2


def by_hand(
    model: BERTForPreTraining, ids: Tensor, real: Tensor, segments: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """States, pooled, words, pair; ``real`` is False on padding."""
    body: Any = model.bert
    P, T = body.embedding.positions.P, ids.shape[1]
    x = norm(body.embedding.E[ids] + P[:T] + body.G[segments], body.norm)
    for layer in body.stack.layers:
        a, f = layer.attention, layer.feed_forward
        q, k, v = (
            (x @ W.T + b).unflatten(-1, (a.heads, -1)).transpose(1, 2)
            for W, b in ((a.W_Q, a.b_Q), (a.W_K, a.b_K), (a.W_V, a.b_V))
        )
        scores = q @ k.mT / math.sqrt(q.shape[-1])
        scores = scores.masked_fill(~real[:, None, None], -torch.inf)
        seen = (scores.softmax(-1) @ v).transpose(1, 2).flatten(-2)
        x = norm(x + seen @ a.W_O.T + a.b_O, layer.attention_path.norm)
        inner = gelu(x @ f.W_1.T + f.b_1)
        x = norm(x + inner @ f.W_2.T + f.b_2, layer.feed_forward_path.norm)
    pooled = torch.tanh(x[:, 0] @ body.pool.weight.T + body.pool.bias)
    inner = gelu(x @ model.transform.weight.T + model.transform.bias)
    words = norm(inner, model.norm) @ body.embedding.E.T + model.b_words
    pair = pooled @ model.judge.weight.T + model.judge.bias
    return x, pooled, words, pair


@settings(max_examples=25, deadline=None)
@given(
    B=st.integers(1, 3),
    T=st.integers(1, 6),
    A=st.integers(1, 3),
    d=st.integers(2, 4),
    hidden=st.sampled_from([None, 1, 5]),
    layers=st.integers(1, 3),
    segments=st.integers(1, 3),
    seed=st.integers(0, 10_000),
)
def test_the_model_is_its_equations(
    B: int, T: int, A: int, d: int, hidden: int | None, layers: int,
    segments: int, seed: int,
) -> None:  # fmt: skip
    config = BERTConfig(
        7, longest=6, segments=segments, width=A * d, heads=A,
        layers=layers, hidden=hidden, std=0.5, eps=1e-3,
    )  # fmt: skip
    model, ids = build(config, seed), text(B, T, V=7, seed=seed)
    with seeded(seed):
        kinds = torch.randint(segments, (B, T))
        lengths = torch.randint(1, T + 1, (B,))
    real = torch.arange(T) < lengths[:, None]
    found = model(ids, lengths, kinds)
    states, pooled = model.bert(ids, lengths, kinds)
    wanted = by_hand(model, ids, real, kinds)
    ours = (states[real], pooled, found.words[real], found.pair)
    hand = (wanted[0][real], wanted[1], wanted[2][real], wanted[3])
    totals = []
    for results in (ours, hand):
        weigh = [torch.linspace(-1, 1, r.numel(), **DOUBLE) for r in results]
        totals.append(
            sum(
                (r * w.view_as(r)).sum()
                for r, w in zip(results, weigh, strict=True)
            )
        )
    weights = list(model.parameters())
    pairs = list(zip(ours, hand, strict=True))
    got, due = (torch.autograd.grad(t, weights) for t in totals)
    pairs += zip(got, due, strict=True)
    with torch.no_grad():
        size = max(1.0, *(float(g.abs().max()) for g in due))
        assert largest_difference(pairs) < 1e-10 * size


def test_the_other_gelu_would_be_noticed() -> None:
    model, ids = build(), text(2, 6)
    other = BERTForPreTraining(
        BERTConfig(**{**vars(SMALL), "activation": "gelu_tanh"}), **DOUBLE
    )
    other.load_state_dict(model.state_dict())
    apart = (model(ids).words - other(ids).words).abs().max()
    assert 1e-6 < apart < 0.1


# --- input ------------------------------------------------------------------


def test_shapes() -> None:
    model, ids = build(), text(3, 7)
    found = model(ids)
    assert isinstance(found, PreTrainingOutput)
    assert found.words.shape == (3, 7, 11)
    assert found.pair.shape == (3, 2)
    body = model.bert(ids)
    assert isinstance(body, BERTOutput)
    assert body.states.shape == (3, 7, 8)
    assert body.pooled.shape == (3, 8)
    assert body.pooled.abs().max() <= 1
    assert model.longest == model.bert.longest == 9
    assert model.config is model.bert.config is SMALL


def test_attention_looks_both_ways_and_not_at_padding() -> None:
    model, ids = build(), text(2, 6)
    weights = model.bert.attention(ids, torch.tensor([6, 4]))
    assert [w.shape for w in weights] == [(2, 2, 6, 6)] * 2
    for w in weights:
        torch.testing.assert_close(w.sum(-1), torch.ones(2, 2, 6, **DOUBLE))
        assert (w[0] > 0).all(), "every token sees every other"
        assert (w[1, :, :, :4] > 0).all()
        assert (w[1, :, :, 4:] == 0).all()


@settings(max_examples=15, deadline=None)
@given(length=st.integers(1, 6), seed=st.integers(0, 1000))
def test_padding_has_no_influence(length: int, seed: int) -> None:
    model, ids = build(seed=seed), text(2, 6, seed=seed)
    lengths = torch.tensor([6, length])
    segments = text(2, 6, V=2, seed=seed)
    whole = model.bert(ids, lengths, segments)
    padded = model(ids, lengths, segments)
    other = ids.clone()
    other[1, length:] = (other[1, length:] + 3) % 11
    turned = segments.clone()
    turned[1, length:] = 1 - turned[1, length:]
    for again in (
        model.bert(other, lengths, turned),
        model.bert(ids[1:, :length], None, segments[1:, :length]),
    ):
        rows = again.states[-1, :length], again.pooled[-1]
        torch.testing.assert_close(rows[0], whole.states[1, :length])
        torch.testing.assert_close(rows[1], whole.pooled[1])
    alone = model(ids[1:, :length], None, segments[1:, :length])
    torch.testing.assert_close(alone.words[0], padded.words[1, :length])
    torch.testing.assert_close(alone.pair[0], padded.pair[1])


def test_padding_gets_no_gradient() -> None:
    model, ids = build(), torch.tensor([[1, 2, 3, 9, 10]])
    states = model.bert(ids, torch.tensor([3])).states
    E = model.bert.embedding.E
    (of_E,) = torch.autograd.grad(states[0, :3].square().sum(), E)
    assert (of_E[[9, 10]] == 0).all()
    assert (of_E[[1, 2, 3]].abs().sum(dim=-1) > 0).all()


def test_segments_matter_and_are_zero_if_absent() -> None:
    model, ids = build(), text(2, 6)
    zeros = torch.zeros_like(ids)
    split = zeros.clone()
    split[:, 3:] = 1
    plain = model.bert(ids).states
    torch.testing.assert_close(model.bert(ids, None, zeros).states, plain)
    for segments in (split, 1 - zeros):
        other = model.bert(ids, None, segments).states
        assert ((other - plain).norm(dim=-1) > 1e-3).all()


def test_places_matter() -> None:
    model, ids = build(), text(1, 6)
    order = torch.tensor([5, 3, 4, 0, 2, 1])
    moved = model.bert(ids[:, order]).states
    apart = (moved - model.bert(ids).states[:, order]).norm(dim=-1)
    assert (apart > 1e-3).all()


# --- weights ----------------------------------------------------------------


def test_the_readout_is_the_embedding_itself() -> None:
    model, ids = build(), text(2, 6)
    E = model.bert.embedding.E
    shapes = [n for n, w in model.named_parameters() if w.shape == E.shape]
    assert shapes == ["bert.embedding.E"], "no copy of the embedding"
    before = model(ids).words
    unread = next(v for v in range(11) if v not in ids)
    with torch.no_grad():
        E[unread] += 1.0
    after = model(ids).words
    changed = (after != before).any(dim=0).any(dim=0)
    assert changed.tolist() == [v == unread for v in range(11)]
    # after a step the two uses still hold the same numbers
    loss = F.cross_entropy(model(ids).words.flatten(0, 1), ids.flatten())
    loss.backward()
    torch.optim.SGD(model.parameters(), lr=0.5).step()
    states = model.bert(ids).states
    hidden = model.norm(gelu(model.transform(states)))
    torch.testing.assert_close(model(ids).words, hidden @ E.T + model.b_words)


def test_words_of_some_states_alone() -> None:
    model, ids = build(), text(2, 6)
    states, chosen = model.bert(ids).states, text(2, 6, V=2).bool()
    torch.testing.assert_close(
        model.words(states[chosen]), model(ids).words[chosen]
    )


def test_the_start() -> None:
    config = BERTConfig(200, width=64, heads=4, layers=2, std=0.05)
    with seeded(0):
        model = BERTForPreTraining(config)
    for name, weight in model.named_parameters():
        if weight.dim() == 2 and weight.numel() > 1000:
            assert weight.std().item() == pytest.approx(0.05, rel=0.1), name
        elif name.endswith("gain"):
            assert (weight == 1).all(), name
        elif weight.dim() == 1:
            assert (weight == 0).all(), name
    eps = {m.eps for m in model.modules() if isinstance(m, LayerNorm)}
    assert eps == {1e-12}
    hidden = model.get_parameter("bert.stack.layers.0.feed_forward.W_1")
    assert len(hidden) == 4 * 64


@pytest.mark.parametrize(
    ("width", "layers", "heads", "total"),
    [(768, 12, 12, 109_482_240), (1024, 24, 16, 335_141_888)],
)
def test_the_published_sizes(
    width: int, layers: int, heads: int, total: int
) -> None:
    with torch.device("meta"):
        body = BERT(
            BERTConfig(
                30_522, longest=512, width=width, layers=layers, heads=heads
            )
        )
    assert sum(w.numel() for w in body.parameters()) == total


def test_dropout_in_training_only() -> None:
    config = BERTConfig(**{**vars(SMALL), "dropout": 0.5})
    model, ids = build(config), text(2, 6)
    plain = build()
    plain.load_state_dict(model.state_dict())
    with seeded(3):
        first = model(ids).words
    with seeded(4):
        assert not torch.allclose(model(ids).words, first)
    torch.testing.assert_close(model.eval()(ids).words, plain(ids).words)


# --- fine-tuning ------------------------------------------------------------


def test_the_classifier_reads_the_pooled_vector() -> None:
    body, ids = build().bert, text(3, 6)
    lengths, segments = torch.tensor([6, 2, 1]), text(3, 6, V=2)
    with seeded(0):
        model = BERTClassifier(body, 5)
    assert model.bert is body, "used, not copied"
    found = model(ids, lengths, segments)
    assert found.shape == (3, 5)
    assert found.dtype == torch.float64
    pooled = body(ids, lengths, segments).pooled
    readout = model.readout
    torch.testing.assert_close(found, pooled @ readout.weight.T + readout.bias)
    found.square().sum().backward()
    assert all(w.grad is not None for w in model.parameters())


def test_it_learns_hidden_words_and_then_a_task() -> None:
    """Words come in twos; the hidden one of two can be known."""
    rng = generator(0)
    with seeded(0):
        model = BERTForPreTraining(
            BERTConfig(11, longest=4, width=16, heads=2, layers=1, std=0.1)
        )
    adam = torch.optim.Adam(model.parameters(), lr=1e-2)

    def draw(count: int) -> Tensor:
        word = torch.randint(3, 7, (count, 1), generator=rng)
        cls = torch.full_like(word, 1)
        return torch.cat([cls, word, word + 4], dim=1)

    for _ in range(60):
        ids = draw(32)
        hidden = ids.clone()
        hidden[:, 2] = 0
        loss = F.cross_entropy(model(hidden).words[:, 2], ids[:, 2])
        adam.zero_grad()
        loss.backward()
        adam.step()
    assert loss < 0.1
    classifier = BERTClassifier(copy.deepcopy(model.bert), 2)
    tune = torch.optim.Adam(classifier.parameters(), lr=3e-3)
    for _ in range(40):
        ids = draw(16)
        answer = (ids[:, 1] > 4).long()
        loss = F.cross_entropy(classifier(ids), answer)
        tune.zero_grad()
        loss.backward()
        tune.step()
    assert loss < 0.2


# --- errors -----------------------------------------------------------------


@pytest.mark.parametrize(
    "size", ["vocabulary", "longest", "segments", "width", "heads", "layers"]
)
@pytest.mark.parametrize("value", [0, -1, 2.0, True])
def test_sizes_must_be_positive(size: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"{size} must be a positive"):
        BERTConfig(**{"vocabulary": 5, size: value})


def test_errors() -> None:
    with pytest.raises(ValueError, match="dropout must be a number from 0"):
        BERTConfig(5, dropout=1.0)
    with pytest.raises(ValueError, match="cannot share"):
        BERT(BERTConfig(5, width=6, heads=4))
    with pytest.raises(ValueError, match='one of "relu", "gelu"'):
        BERT(BERTConfig(5, activation="swish"))
    model = build().bert
    ids = text(2, 4)
    with pytest.raises(ValueError, match="positions 0 to 8"):
        model(text(1, 10))
    with pytest.raises(ValueError, match="ids must have shape"):
        model(ids[0])
    with pytest.raises(ValueError, match="ids must have shape"):
        model(ids[:, :0])
    with pytest.raises(ValueError, match="ids from 11 to 11"):
        model(torch.full((1, 2), 11))
    with pytest.raises(TypeError, match="int64"):
        model(ids.float())
    with pytest.raises(ValueError, match="lengths must have shape"):
        model(ids, torch.tensor([4]))
    with pytest.raises(ValueError, match="lengths run from 0"):
        model(ids, torch.tensor([4, 0]))
    with pytest.raises(ValueError, match=r"segments \(2, 3\) must have"):
        model(ids, None, ids[:, :3])
    with pytest.raises(ValueError, match="segments holds ids from 2"):
        model(ids, None, torch.full_like(ids, 2))
    with pytest.raises(ValueError, match="classes must be a positive"):
        BERTClassifier(model, 0)


def test_nothing_of_the_start_depends_on_the_device_default() -> None:
    model = BERTForPreTraining(SMALL)
    kinds = {w.dtype for w in model.parameters()}
    assert kinds == {torch.float32}
    assert isinstance(model, nn.Module)
