"""Segments with a memory against one long text, and against loops."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from nlp_course.attention.masks import band_mask, causal_mask
from nlp_course.attention.positions import sinusoidal_positions
from nlp_course.data.streams import Lanes
from nlp_course.generation import generate
from nlp_course.language_model import bits_per_token
from nlp_course.losses import bits, cross_entropy
from nlp_course.training import Ensemble, TrainingConfig, train
from nlp_course.training.optimizers import inner_matrices
from nlp_course.training.seeds import generator, seeded
from nlp_course.transformer_xl import (
    MemoryLayer,
    TransformerXL,
    TransformerXLConfig,
)

DOUBLE: dict[str, Any] = {"dtype": torch.float64}
SMALL = TransformerXLConfig(7, memory=4, width=6, heads=2, layers=2, hidden=5)


def build(config: TransformerXLConfig = SMALL, seed: int = 0) -> TransformerXL:
    """Weights of size 1/2, gains and biases among them."""
    with seeded(seed):
        model = TransformerXL(config, **DOUBLE)
        with torch.no_grad():
            for weight in model.parameters():
                weight.add_(0.5 * torch.randn_like(weight))
    return model


def text(*shape: int, seed: int = 0, vocabulary: int = 7) -> Tensor:
    return torch.randint(vocabulary, shape, generator=generator(seed))


def close(found: Tensor, wanted: Tensor) -> None:
    torch.testing.assert_close(found, wanted, rtol=1e-9, atol=1e-9)


def gradients(output: Tensor, leaves: Sequence[Tensor]) -> tuple[Tensor, ...]:
    weigh = torch.linspace(-1, 1, output.numel(), **DOUBLE)
    return torch.autograd.grad(
        (output * weigh.view_as(output)).sum(), leaves, retain_graph=True
    )


def same(model: TransformerXL, found: Tensor, wanted: Tensor) -> None:
    """Values, and the gradients of all weights."""
    close(found, wanted)
    leaves = list(model.parameters())
    pairs = zip(
        gradients(found, leaves), gradients(wanted, leaves), strict=True
    )
    for a, b in pairs:
        close(a, b)


# --- the whole model, with loops --------------------------------------------


def layer_by_loop(
    layer: MemoryLayer, x: Tensor, memory: Tensor, back: int | None
) -> Tensor:
    """One layer, one text: x (T, D), memory (K, D); token by token."""
    m, path = layer.attention, layer.attention_path
    T, K, d = len(x), len(memory), m.size
    seen = [path.norm(word) for word in [*memory, *x]]
    states = []
    for t in range(T):
        first = 0 if back is None else max(0, K + t - back)
        heads = []
        for a in range(m.heads):
            rows = slice(a * d, (a + 1) * d)
            q = m.W_Q[rows] @ seen[K + t]
            scores = []
            for i in range(first, K + t + 1):
                P = sinusoidal_positions(
                    1, m.width, start=K + t - i, **DOUBLE
                )[0]
                content = (q + m.u[rows]) @ (m.W_K[rows] @ seen[i])
                distance = (q + m.v[rows]) @ (m.W_R[rows] @ P)
                scores.append((content + distance) / math.sqrt(d))
            alpha = torch.stack(scores).softmax(dim=0)
            values = torch.stack(
                [m.W_V[rows] @ seen[i] for i in range(first, K + t + 1)]
            )
            heads.append(alpha @ values)
        word = x[t] + m.W_O @ torch.cat(heads)
        change = layer.feed_forward(layer.feed_forward_path.norm(word))
        states.append(word + change)
    return torch.stack(states)


def by_loop(model: TransformerXL, ids: Tensor, sizes: Sequence[int]) -> Tensor:
    """All segments of one text (T,); the memory of a layer is its input."""
    memory = [torch.zeros(0, model.config.width, **DOUBLE) for _ in
              model.layers]  # fmt: skip
    back = model.memory if model.config.same_length else None
    logits = []
    for segment in ids.split(list(sizes)):
        x = model.embedding.E[segment]
        kept = []
        for layer, past in zip(model.layers, memory, strict=True):
            assert isinstance(layer, MemoryLayer)
            given = torch.cat([past, x]).detach()
            kept.append(given[len(given) - min(model.memory, len(given)) :])
            x = layer_by_loop(layer, x, past, back)
        memory = kept
        logits.append(model.norm(x) @ model.embedding.E.T)
    return torch.cat(logits)


def in_segments(
    model: TransformerXL, ids: Tensor, sizes: Sequence[int], **options: Any
) -> Tensor:
    memory, logits = None, []
    for segment in ids.split(list(sizes), dim=1):
        found, memory = model(segment, memory, **options)
        logits.append(found)
    return torch.cat(logits, dim=1)


@settings(max_examples=25, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 4), min_size=1, max_size=3),
    memory=st.integers(0, 6),
    shared=st.booleans(),
    same_length=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_it_is_the_loop_over_segments_tokens_and_keys(
    sizes: list[int], memory: int, shared: bool, same_length: bool, seed: int
) -> None:
    config = replace(
        SMALL, memory=memory, shared=shared, same_length=same_length
    )
    model, ids = build(config, seed), text(2, sum(sizes), seed=seed)
    wanted = torch.stack([by_loop(model, row, sizes) for row in ids])
    same(model, in_segments(model, ids, sizes), wanted)


# --- segments and one long text ---------------------------------------------


def staircase(sizes: Sequence[int], memory: int) -> Tensor:
    """What a token may see: its segment, and M tokens before the segment."""
    T = sum(sizes)
    mask, begin = torch.zeros(T, T, dtype=torch.bool), 0
    for size in sizes:
        for t in range(begin, begin + size):
            mask[t, max(0, begin - memory) : t + 1] = True
        begin += size
    return mask


def at_once(model: TransformerXL, ids: Tensor, mask: Tensor) -> Tensor:
    """One pass over a long text under a mask, without any memory."""
    x = model.embedding(ids)
    for layer in model.layers:
        x, _ = layer(x, x[:, :0], mask)
    return F.linear(model.norm(x), model.embedding.E)


@pytest.mark.parametrize("sizes", [(4, 4), (2, 5, 3), (1, 1, 6), (8,)])
@pytest.mark.parametrize("memory", [0, 1, 3, 4, 20])
def test_segments_with_gradients_are_one_long_text(
    sizes: tuple[int, ...], memory: int
) -> None:
    """Values and gradients, once gradients may pass the memory."""
    model = build(replace(SMALL, memory=memory))
    ids = text(2, sum(sizes))
    found = in_segments(model, ids, sizes, keep_gradient=True)
    same(model, found, at_once(model, ids, staircase(sizes, memory)))


@pytest.mark.parametrize("memory", [0, 1, 3, 20])
def test_under_a_band_it_does_not_matter_how_a_text_is_cut(
    memory: int,
) -> None:
    model = build(replace(SMALL, memory=memory, same_length=True))
    ids = text(2, 8)
    whole = at_once(model, ids, band_mask(8, back=memory))
    for sizes in ((8,), (4, 4), (1, 5, 2), (1,) * 8):
        found = in_segments(model, ids, sizes, keep_gradient=True)
        same(model, found, whole)
        close(in_segments(model, ids, sizes), whole)  # values, as used


def test_without_memory_segments_know_nothing_of_each_other() -> None:
    model = build(replace(SMALL, memory=0))
    ids = text(1, 8)
    apart = torch.cat([model(ids[:, :5])[0], model(ids[:, 5:])[0]], dim=1)
    close(in_segments(model, ids, (5, 3)), apart)
    same(model, model(ids)[0], at_once(model, ids, causal_mask(8)))


def test_the_memory_is_what_each_layer_was_given() -> None:
    model, ids = build(), text(2, 6)
    x = model.embedding(ids)
    _, memory = model(ids)
    for layer, kept in zip(model.layers, memory, strict=True):
        assert kept.shape == (2, 4, 6)  # M of the six, the last ones
        close(kept, x[:, 2:])
        assert not kept.requires_grad
        x, _ = layer(x, x[:, :0], causal_mask(6))
    # one more token pushes the oldest input out
    _, after = model(ids[:, :1], memory)
    for old, new in zip(memory, after, strict=True):
        close(new[:, :-1], old[:, 1:])
    _, short = model(ids[:, :3])
    assert [kept.shape[1] for kept in short] == [3, 3]


def test_the_memory_may_be_longer_or_shorter_after_training() -> None:
    model, ids = build(), text(1, 8)
    for memory in (0, 2, 8):
        model.memory = memory
        found = in_segments(model, ids, (4, 4), keep_gradient=True)
        wanted = at_once(model, ids, staircase((4, 4), memory))
        same(model, found, wanted)


# --- gradients --------------------------------------------------------------


def test_nothing_is_learned_through_the_memory() -> None:
    """The memory is read, and its gradient is exactly none, or kept."""
    model = build()
    first, second = text(1, 4), text(1, 4, seed=1)
    _, memory = model(first)
    other = tuple(kept.flip(2) for kept in memory)
    moved = model(second, memory)[0] - model(second, other)[0]
    assert (moved.abs().amax(dim=-1) > 1e-3).all()
    asking = tuple(kept.clone().requires_grad_() for kept in memory)
    logits, new = model(second, asking)
    slopes = torch.autograd.grad(
        logits.sum(), asking, allow_unused=True, retain_graph=True
    )
    assert all(slope is None for slope in slopes)
    assert not any(kept.requires_grad for kept in new)
    logits, new = model(second, asking, keep_gradient=True)
    slopes = torch.autograd.grad(logits.sum(), asking)
    assert all((slope.abs().amax(dim=-1) > 0).all() for slope in slopes)
    assert all(kept.requires_grad for kept in new)


def test_the_future_gets_no_gradient() -> None:
    model, ids = build(), text(1, 5)
    _, memory = model(text(1, 4, seed=1))
    x = model.embedding(ids).detach().requires_grad_()

    def run(x: Tensor) -> Tensor:
        for layer, past in zip(model.layers, memory, strict=True):
            x, _ = layer(x, past, causal_mask(5, 9))
        normed: Tensor = model.norm(x)
        return normed

    slopes = torch.autograd.functional.jacobian(run, x)  # (1, T, D, 1, T, D)
    influence = slopes.abs().amax(dim=(0, 2, 3, 5))  # (T, T)
    seen = causal_mask(5)
    assert (influence[~seen] == 0).all()
    assert (influence[seen] > 0).all()


@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("memory", [0, 2, 3])
def test_every_layer_adds_a_memory_to_the_reach(
    layers: int, memory: int
) -> None:
    """With 0 < M <= T token p depends on p + M + (L - 1) T before it."""
    model = build(replace(SMALL, layers=layers, memory=memory))
    ids = text(1, 12)
    base = in_segments(model, ids, (3, 3, 3, 3))[0]
    for place in range(12):
        changed = ids.clone()
        changed[0, place] = (ids[0, place] + 1) % 7
        moved = in_segments(model, changed, (3, 3, 3, 3))[0] != base
        for t in range(12):
            reach = t % 3 + memory + (layers - 1) * 3 * bool(memory)
            expected = place <= t <= place + reach
            assert moved[t].any() == expected, (place, t)


# --- as a language model ----------------------------------------------------


def test_a_place_in_the_text_does_not_matter() -> None:
    """The same words later in a text get the same scores."""
    model = build(replace(SMALL, same_length=True))
    part = text(1, 20)  # reach: 2 layers of 4
    for before in (text(1, 3, seed=1), text(1, 40, seed=2)):
        ids = torch.cat([before, part], dim=1)
        found = in_segments(model, ids, (1,) * ids.shape[1])
        close(found[:, -12:], in_segments(model, part, (5,) * 4)[:, -12:])


def test_step_by_step_is_all_at_once() -> None:
    for config in (
        replace(SMALL, same_length=True),  # any memory
        replace(SMALL, memory=50),  # one that holds the whole text
    ):
        model, ids = build(config), text(2, 9)
        whole, _ = model(ids)
        memory = None
        for t in range(9):
            logits, memory = model.extend(ids[:, t : t + 1], memory)
            close(logits, whole[:, t].detach())
            assert not logits.requires_grad
        options: dict[str, Any] = {"temperature": 0.8}
        texts = [
            generate(
                model, ids, 12, rng=generator(1), use_cache=cached, **options
            )
            for cached in (True, False)
        ]
        assert torch.equal(*texts)
        assert texts[0].shape == (2, 21)
        assert len(texts[0][:, 9:].unique()) > 2


def test_bits_of_a_long_text_are_read_in_segments() -> None:
    model, ids = build(), text(2, 11)
    logits = in_segments(model, ids[:, :-1], (5, 5))
    wanted = bits(cross_entropy(logits, ids[:, 1:]).item())
    assert bits_per_token(model, ids, piece=5) == pytest.approx(wanted)


def test_the_weights_of_every_layer_and_head() -> None:
    model, ids = build(), text(2, 5)
    _, memory = model(text(2, 4, seed=1))
    weights = model.attention(ids, memory)
    assert [w.shape for w in weights] == [(2, 2, 5, 9)] * 2
    for w in weights:
        close(w.sum(-1), torch.ones(2, 2, 5, **DOUBLE))
        assert (w[..., ~causal_mask(5, 9)] == 0).all()


def test_one_u_and_v_or_one_for_each_layer() -> None:
    def names(shared: bool) -> set[str]:
        model = TransformerXL(replace(SMALL, shared=shared))
        return {
            name
            for name, _ in model.named_parameters()
            if name.endswith((".u", ".v"))
        }

    def biases(layer: int) -> set[str]:
        return {f"layers.{layer}.attention.{letter}" for letter in "uv"}

    assert names(True) == biases(0)
    assert names(False) == biases(0) | biases(1)


def test_muon_gets_the_matrices_and_no_vector() -> None:
    model = TransformerXL(SMALL)
    inner = inner_matrices(model)
    assert len(inner) == 2 * 7  # Q, K, V, R, O, W_1, W_2 of two layers
    known = {id(weight) for weight in inner}
    assert id(model.embedding.E) not in known


def test_it_learns_what_lies_beyond_its_segment() -> None:
    """Token 6 back, in segments of 4: impossible without a memory."""
    ids = text(2000, seed=3, vocabulary=4)
    losses = {}
    for memory in (0, 8):
        config = TransformerXLConfig(
            4, memory=memory, width=16, heads=2, layers=1
        )
        with seeded(1):
            model = TransformerXL(config)
        losses[memory] = copy_loss(model, ids)
    chance = math.log(4)
    assert losses[0] > chance - 0.05
    assert losses[8] < 0.1


def copy_loss(model: TransformerXL, ids: Tensor, back: int = 6) -> float:
    """Loss of the last steps on: which token stood ``back`` tokens ago?"""
    lanes, memory = Lanes(ids, lanes=20, steps=4), None
    source, target = lanes._x, lanes._x.roll(back, dims=1)

    def loss_of(step: int) -> Tensor:
        nonlocal memory
        at = (step - 1) % len(lanes) * 4
        memory = None if at == 0 else memory
        logits, memory = model(source[:, at : at + 4], memory)
        return cross_entropy(logits, target[:, at : at + 4])

    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    config = TrainingConfig(steps=400)
    log = train(model, loss_of, config, optimizer=optimizer)
    # the first two segments of a pass have nothing to look back to
    late = (log.column("step") - 1) % len(lanes) >= 2
    return float(log.column("loss")[late][-30:].mean())


def test_many_models_side_by_side() -> None:
    config = replace(SMALL, memory=3)
    many = Ensemble(lambda: TransformerXL(config, **DOUBLE), [1, 2])
    ids = text(2, 3, 4)
    logits, memory = many(ids)
    again, _ = many(ids, memory)
    for s in range(2):
        alone: Any = many.member(s)
        own, kept = alone(ids[s])
        close(logits[s], own)
        close(again[s], alone(ids[s], kept)[0])


def test_dropout_is_for_training_alone() -> None:
    model, ids = build(replace(SMALL, dropout=0.5)), text(1, 5)
    model.eval()
    close(model(ids)[0], build()(ids)[0])
    model.train()
    assert (model(ids)[0] - model(ids)[0]).abs().max() > 1e-3


# --- refusals ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"vocabulary": 0}, "vocabulary"),
        ({"memory": -1}, "memory"),
        ({"memory": 1.5}, "memory"),
        ({"memory": True}, "memory"),
        ({"layers": 0}, "layers"),
        ({"dropout": 1.0}, "dropout"),
    ],
)
def test_sizes_out_of_range_are_refused(
    change: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        replace(SMALL, **change)


def test_a_memory_that_does_not_fit_is_refused() -> None:
    model, ids = build(), text(2, 3)
    _, memory = model(ids)
    with pytest.raises(ValueError, match="holds 1 layers"):
        model(ids, memory[:1])
    with pytest.raises(ValueError, match="for 1 texts"):
        model(ids[:1], memory)
    with pytest.raises(ValueError, match="memory must have shape"):
        model(ids, tuple(kept[0] for kept in memory))
    with pytest.raises(ValueError, match="as much as the others"):
        model(ids, (memory[0], memory[1][:, :2]))
    with pytest.raises(TypeError, match="dtype"):
        model(ids, tuple(kept.float() for kept in memory))
    with pytest.raises(TypeError, match="memory"):
        model(ids, (1, 2))


def test_what_is_no_text_is_refused() -> None:
    model = build()
    with pytest.raises(ValueError, match="at least one"):
        model(text(2, 0))
    with pytest.raises(ValueError, match="vocabulary"):
        model(text(1, 2) + 7)
    with pytest.raises(TypeError, match="int64"):
        model(torch.zeros(1, 2))
    with pytest.raises(ValueError, match="even"):
        TransformerXL(replace(SMALL, width=9, heads=3))
