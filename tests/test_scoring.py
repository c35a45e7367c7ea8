"""Bits of a long text from a model with a short context."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from nlp_course.gpt import GPT, GPTConfig
from nlp_course.language_model import LanguageModel, bits_per_token
from nlp_course.scoring import (
    bits_per_character,
    bits_per_token_windowed,
    log_probabilities,
)
from nlp_course.training import generator, seeded

V, LONGEST = 9, 8


def gpt(seed: int = 0) -> GPT:
    with seeded(seed):
        config = GPTConfig(V, LONGEST, 8, 2, 2, std=0.5)
        return GPT(config, dtype=torch.float64)


def text(length: int, seed: int = 1) -> Tensor:
    return torch.randint(V, (length,), generator=generator(seed))


def one_by_one(model: nn.Module, ids: Tensor, stride: int) -> Tensor:
    """Every token from a context of its own: slow, and plain to see."""
    found = []
    for t in range(1, len(ids)):
        # the window that counts t is the first one that reaches it
        late = max(0, t - LONGEST)
        start = math.ceil(late / stride) * stride
        start = min(start, max(0, len(ids) - 1 - LONGEST))
        p = model(ids[None, start:t])[0, -1].log_softmax(dim=-1)
        found.append(p[ids[t]])
    return torch.stack(found)


@pytest.mark.parametrize("length", [2, 5, 8, 9, 10, 13, 17, 30])
@pytest.mark.parametrize("stride", [1, 3, 4, 8])
@pytest.mark.parametrize("batch", [1, 3, 16])
def test_every_token_is_scored_once_from_the_right_context(
    length: int, stride: int, batch: int
) -> None:
    model, ids = gpt(), text(length)
    found = log_probabilities(model, ids, stride=stride, batch=batch)
    assert found.shape == (length - 1,)
    assert found.dtype == torch.float64
    torch.testing.assert_close(found, one_by_one(model, ids, stride))


def test_half_a_window_is_seen_unless_another_stride_is_asked_for() -> None:
    model, ids = gpt(), text(40)
    found = log_probabilities(model, ids)
    assert torch.equal(found, log_probabilities(model, ids, LONGEST, 4))
    other = log_probabilities(model, ids, LONGEST, LONGEST)
    assert (found - other).abs().max() > 1e-3


class Seen(nn.Module):
    """The score of every token is the number of tokens read up to there."""

    longest = LONGEST

    def forward(self, ids: Tensor) -> Tensor:
        count = torch.arange(1.0, ids.shape[1] + 1)
        return (count[:, None] * torch.tensor([1.0, 0.0])).expand(
            len(ids), -1, -1
        )


@pytest.mark.parametrize("stride", [1, 2, 4])
@pytest.mark.parametrize("length", [9, 22, 31])
def test_how_much_every_token_has_seen(length: int, stride: int) -> None:
    ids = torch.zeros(length, dtype=torch.int64)
    found = log_probabilities(Seen(), ids, stride=stride)
    p = found.exp()
    seen = (p / (1 - p)).log().round().long()  # the score, from its sigmoid
    assert torch.equal(seen[:LONGEST], torch.arange(1, LONGEST + 1))
    assert (seen[LONGEST:] >= LONGEST - stride + 1).all()
    assert (seen <= LONGEST).all()


def test_bits_are_the_mean_in_the_base_of_two() -> None:
    model, ids = gpt(), text(25)
    nats = -log_probabilities(model, ids).mean().item()
    assert bits_per_token_windowed(model, ids) == pytest.approx(
        nats / math.log(2), rel=1e-12
    )


def test_a_model_that_knows_nothing_needs_the_whole_logarithm() -> None:
    model = gpt()
    with torch.no_grad():
        model.stack.norm.get_parameter("gain").zero_()
    bits = bits_per_token_windowed(model, text(50))
    assert bits == pytest.approx(math.log2(V))


@pytest.mark.parametrize("cell", [nn.LSTM, nn.GRU])
def test_recurrent_models_are_scored_as_they_are(cell: Any) -> None:
    with seeded(0):
        model = LanguageModel(V, 4, 5, cell).double()
    ids = text(20)
    found = bits_per_token_windowed(model, ids, longest=30)
    assert found == pytest.approx(bits_per_token(model, ids[None]))
    with pytest.raises(ValueError, match="give longest"):
        bits_per_token_windowed(model, ids)


def test_bits_of_characters_need_the_lengths_of_both() -> None:
    # three characters in every token: a third of the bits for each
    assert bits_per_character(6.0, 10, 30) == pytest.approx(2.0)
    for tokens, characters in ((0, 5), (5, 0)):
        with pytest.raises(ValueError, match="positive integer"):
            bits_per_character(1.0, tokens, characters)


def test_the_model_is_left_as_it_was() -> None:
    with seeded(0):
        model = GPT(GPTConfig(V, LONGEST, 8, 2, 1, dropout=0.5))
    ids = text(30)
    model.train()
    first = log_probabilities(model, ids)
    assert torch.equal(first, log_probabilities(model, ids)), "no dropout"
    assert model.training
    with pytest.raises(ValueError, match="vocabulary"):
        log_probabilities(model, torch.full((30,), V))
    assert model.training, "also after an error"
    assert all(weight.grad is None for weight in model.parameters())


def test_clear_errors() -> None:
    model, ids = gpt(), text(20)
    for wrong in (ids[:1], ids[None], ids[:0]):
        with pytest.raises(ValueError, match="at least two tokens"):
            log_probabilities(model, wrong)
    with pytest.raises(ValueError, match="leaves out tokens"):
        log_probabilities(model, ids, LONGEST, LONGEST + 1)
    for sizes in ((0, None), (LONGEST, 0)):
        with pytest.raises(ValueError, match="positive integer"):
            log_probabilities(model, ids, *sizes)
    with pytest.raises(ValueError, match="positive integer"):
        log_probabilities(model, ids, batch=0)
    with pytest.raises(TypeError, match="ids"):
        log_probabilities(model, [1, 2, 3])  # type: ignore[arg-type]
