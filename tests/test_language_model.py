"""The language model: its cells, its state, and what a bit is."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from nlp_course.data.streams import Lanes
from nlp_course.gru import GRU
from nlp_course.language_model import (
    LanguageModel,
    bits_per_token,
    detached,
)
from nlp_course.lstm import LSTM
from nlp_course.ngrams import NGrams
from nlp_course.rnn import RNN
from nlp_course.training import TrainingConfig, generator, seeded, train

PAIRS = [(RNN, nn.RNN), (LSTM, nn.LSTM), (GRU, nn.GRU)]
CELLS = [
    pytest.param(cell, id=f"{place}-{cell.__name__}")
    for pair in PAIRS
    for place, cell in zip(("ours", "torch"), pair, strict=True)
]


def build(cell: Any, seed: int = 0) -> LanguageModel:
    with seeded(seed):
        return LanguageModel(7, 4, 5, cell).double()


def text(*shape: int) -> Tensor:
    return torch.randint(7, shape, generator=generator(3))


@pytest.mark.parametrize("cell", CELLS)
def test_the_parts_make_the_scores(cell: Any) -> None:
    model, ids = build(cell), text(3, 6)
    logits, state = model(ids)
    assert logits.shape == (3, 6, 7)
    assert all(isinstance(part, Tensor) for part in state)
    states = model.recurrent(model.embed(ids))[0]
    wanted = states @ model.readout.weight.T + model.readout.bias
    torch.testing.assert_close(logits, wanted)


@pytest.mark.parametrize("cell", CELLS)
def test_pieces_with_the_state_carried_are_one_long_run(cell: Any) -> None:
    model, ids = build(cell), text(2, 9)
    whole, end = model(ids)
    state, parts = None, []
    for piece in ids.split([4, 1, 4], dim=1):
        logits, state = model(piece, state)
        parts.append(logits)
    torch.testing.assert_close(torch.cat(parts, dim=1), whole)
    torch.testing.assert_close(state, end)
    fresh = model(ids[:, 4:])[0]
    assert (fresh - whole[:, 4:]).abs().max() > 1e-6


@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
def test_our_cells_and_those_of_pytorch_agree(ours: Any, theirs: Any) -> None:
    reference = build(theirs)
    model = build(ours)
    model.embed, model.readout = reference.embed, reference.readout
    model.recurrent = ours.from_torch(reference.recurrent)
    ids = text(2, 8)
    logits, state = model(ids[:, :5])
    wanted, end = reference(ids[:, :5])
    torch.testing.assert_close(logits, wanted)
    torch.testing.assert_close(
        model(ids[:, 5:], state)[0], reference(ids[:, 5:], end)[0]
    )


@pytest.mark.parametrize("cell", CELLS)
def test_a_score_does_not_depend_on_later_tokens(cell: Any) -> None:
    model, ids = build(cell), text(2, 8)
    torch.testing.assert_close(model(ids)[0][:, :3], model(ids[:, :3])[0])


@pytest.mark.parametrize("cell", CELLS)
def test_a_detached_state_stops_the_gradient(cell: Any) -> None:
    model, ids = build(cell), text(2, 6)
    for cut in (False, True):
        first = model.embed(ids[:, :3]).detach().requires_grad_()
        model.zero_grad()
        hook = model.embed.register_forward_hook(
            lambda _m, _i, out, first=first: (
                first if out.shape == first.shape else out
            )
        )
        _, state = model(ids[:, :3])
        hook.remove()
        before = detached(state) if cut else state
        model(ids[:, 3:], before)[0].sum().backward()
        reached = first.grad is not None and bool((first.grad != 0).any())
        assert reached is not cut
        torch.testing.assert_close(detached(state), state)


@pytest.mark.parametrize("piece", [1, 4, 1000])
def test_bits_are_those_of_the_log_probabilities(piece: int) -> None:
    model, ids = build(nn.LSTM), text(3, 11)
    logp = model(ids)[0].log_softmax(dim=-1)
    right = logp[:, :-1].gather(-1, ids[:, 1:, None])
    wanted = -right.mean().item() / math.log(2)
    assert bits_per_token(model, ids, piece) == pytest.approx(wanted)


def test_bits_of_a_model_that_knows_nothing() -> None:
    model = build(nn.RNN)
    with torch.no_grad():
        for weight in model.readout.parameters():
            weight.zero_()
    assert bits_per_token(model, text(2, 9)) == pytest.approx(math.log2(7))


def test_measuring_leaves_the_model_as_it_was() -> None:
    model = build(nn.GRU)
    model.train()
    bits_per_token(model, text(2, 5))
    assert model.training
    assert all(weight.grad is None for weight in model.parameters())


def test_it_learns_what_counting_finds() -> None:
    """A text with a known entropy: after 0 comes 1 or 2, then 0 again."""
    choice = torch.randint(1, 3, (600,), generator=generator(0))
    ids = torch.stack([torch.zeros_like(choice), choice], dim=1).flatten()
    with seeded(0):
        model = LanguageModel(3, 4, 8, nn.GRU)
    lanes, state = Lanes(ids[:1000], 4, 10), None

    def loss_of(step: int) -> Tensor:
        nonlocal state
        window = lanes[step - 1]
        start = None if window.first or state is None else detached(state)
        logits, state = model(window.x, start)
        return nn.functional.cross_entropy(
            logits.flatten(0, 1), window.y.flatten()
        )

    train(model, loss_of, TrainingConfig(steps=150, learning_rate=2e-2))
    counted = NGrams(2, 3).fit(ids[:1000]).bits_per_token(ids[1000:])
    learned = bits_per_token(model, ids[1000:].view(1, -1))
    assert counted == pytest.approx(0.5, abs=0.05)  # one bit every other time
    assert learned == pytest.approx(0.5, abs=0.05)


def test_dropout_acts_beside_the_state_and_in_training_only() -> None:
    ids = text(2, 6)
    with seeded(0):
        model = LanguageModel(7, 4, 5, nn.LSTM, 0.5).double()
    model.eval()
    torch.testing.assert_close(model(ids)[0], build(nn.LSTM)(ids)[0])
    model.train()
    with seeded(1):
        found, state = model(ids)
    with seeded(1):  # the same draws, in the same order
        x = nn.functional.dropout(model.embed(ids), 0.5)
        states, last = model.recurrent(x)
        states = nn.functional.dropout(states, 0.5)
    torch.testing.assert_close(found, model.readout(states))
    torch.testing.assert_close(state, last)
    assert (found - model(ids)[0]).abs().max() > 1e-3


def test_clear_errors() -> None:
    with pytest.raises(ValueError, match="dropout must be a number from 0"):
        LanguageModel(3, 4, 5, nn.RNN, 1.0)
    with pytest.raises(ValueError, match="hidden must be a positive"):
        LanguageModel(3, 4, 0, nn.RNN)
    with pytest.raises(ValueError, match="at least two tokens"):
        bits_per_token(build(nn.RNN), text(3, 1))
