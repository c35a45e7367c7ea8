"""Networks that read: scores at every step, or of a bag."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from nlp_course.rnn import RNN
from nlp_course.training import BagReader, Ensemble, Reader
from nlp_course.training.readers import AttentionReader


def test_scores_stand_at_every_step() -> None:
    model = Reader(vocabulary=5, hidden=4, classes=3)
    ids = torch.randint(5, (2, 6))
    assert isinstance(model.recurrent, RNN)
    states = model.recurrent(ids).states
    wanted = states @ model.readout.weight.T + model.readout.bias
    torch.testing.assert_close(model(ids), wanted)
    assert model(ids).shape == (2, 6, 3)


def test_a_score_does_not_depend_on_later_words() -> None:
    model = Reader(5, 4, 3)
    ids = torch.randint(5, (2, 6))
    torch.testing.assert_close(model(ids)[:, :4], model(ids[:, :4]))


def test_another_cell_may_be_given() -> None:
    class Keep(nn.Module):
        """Remembers nothing: the state is the one-hot word itself."""

        def __init__(self, vocabulary: int, hidden: int) -> None:
            super().__init__()
            self.sizes = (vocabulary, hidden)
            self.states: Tensor

        def forward(self, ids: Tensor) -> Keep:
            self.states = nn.functional.one_hot(ids, self.sizes[1]).float()
            return self

    model = Reader(4, 4, 2, cell=Keep)
    assert model.recurrent.sizes == (4, 4)
    ids = torch.tensor([[0, 3]])
    wanted = (model.readout.weight.T + model.readout.bias)[ids]
    torch.testing.assert_close(model(ids), wanted)


def test_options_go_to_the_recurrent_network() -> None:
    model = Reader(5, 4, 3)
    ids = torch.tensor([[1, 2, 3], [4, 0, 0]])
    lengths = torch.tensor([3, 1])
    scores = model(ids, lengths=lengths)
    torch.testing.assert_close(scores[1, 2], model(ids[1:, :1])[0, 0])


def test_a_bag_reader_is_a_layer_between_two() -> None:
    model = BagReader(vocabulary=5, hidden=4, classes=3)
    bag = torch.rand(2, 7, 5)
    hidden = torch.tanh(bag @ model.read.weight.T + model.read.bias)
    wanted = hidden @ model.readout.weight.T + model.readout.bias
    torch.testing.assert_close(model(bag), wanted)


def attention_by_hand(model: AttentionReader, ids: Tensor) -> Tensor:
    """eq-cells-scores and eq-cells-context for one sentence, (C,)."""
    x = model.E[ids]
    if model.P is not None:
        x = x + model.P[: len(ids)]
    scores = torch.stack([t @ model.W_a @ x[-1] for t in x])
    alpha = torch.softmax(scores / math.sqrt(x.shape[1]), dim=0)
    context = (alpha.unsqueeze(-1) * x).sum(dim=0)
    return model.readout.weight @ context + model.readout.bias


@pytest.mark.parametrize("positions", [None, 7])
def test_attention_is_its_equations(positions: int | None) -> None:
    model = AttentionReader(5, 4, 3, positions=positions).double()
    ids = torch.randint(5, (6, 7))
    wanted = torch.stack([attention_by_hand(model, row) for row in ids])
    torch.testing.assert_close(model(ids), wanted)
    assert model(ids).shape == (6, 3)


@pytest.mark.parametrize("positions", [None, 7])
def test_attention_does_not_see_padding(positions: int | None) -> None:
    model = AttentionReader(5, 4, 3, positions=positions).double()
    ids, lengths = torch.randint(5, (4, 7)), torch.tensor([7, 1, 3, 5])
    rows = zip(ids, lengths.tolist(), strict=True)
    wanted = torch.stack([attention_by_hand(model, r[:n]) for r, n in rows])
    torch.testing.assert_close(model(ids, lengths=lengths), wanted)
    weights = model.weights(ids, lengths)
    real = torch.arange(7) < lengths[:, None]
    assert (weights[~real] == 0).all()
    torch.testing.assert_close(weights.sum(dim=-1), torch.ones(4).double())
    (gradient,) = torch.autograd.grad(
        model(torch.tensor([[1, 2, 4]]), torch.tensor([2])).sum(), model.E
    )
    assert (gradient[4] == 0).all()
    assert (gradient[:4] != 0).any()


def test_attention_is_blind_to_order_without_positions() -> None:
    ids = torch.randint(5, (3, 8))
    mixed = torch.cat([ids[:, torch.randperm(7)], ids[:, 7:]], dim=1)
    blind = AttentionReader(5, 4, 3).double()
    torch.testing.assert_close(blind(ids), blind(mixed))
    ordered = torch.tensor([[0, 1, 2, 3, 4]])
    turned = torch.tensor([[3, 1, 2, 0, 4]])
    sighted = AttentionReader(5, 4, 3, positions=8).double()
    assert (sighted(ordered) - sighted(turned)).abs().max() > 1e-6
    last = torch.tensor([[0, 1, 2, 4, 3]])  # the question counts
    assert (blind(ordered) - blind(last)).abs().max() > 1e-6


def test_attention_trains_side_by_side() -> None:
    model = Ensemble(lambda: AttentionReader(5, 4, 3), [0, 1])
    ids, lengths = torch.randint(5, (2, 3, 6)), torch.tensor([6, 2, 4])
    scores = model(ids, lengths=lengths)
    assert scores.shape == (2, 3, 3)
    for s in range(2):
        torch.testing.assert_close(
            scores[s], model.member(s)(ids[s], lengths=lengths)
        )


@pytest.mark.parametrize(
    ("ids", "lengths", "message"),
    [
        (torch.tensor([[0, 5]]), None, "vocabulary has 5"),
        (torch.tensor([0, 1]), None, "shape"),
        (torch.tensor([[0, 1]]), torch.tensor([3]), "lengths run from"),
        (torch.tensor([[0, 1, 2, 3]]), None, "only 3 positions"),
    ],
)
def test_what_attention_refuses(
    ids: Tensor, lengths: Tensor | None, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        AttentionReader(5, 4, 3, positions=3)(ids, lengths)
    with pytest.raises(ValueError, match="positions must be a positive"):
        AttentionReader(5, 4, 3, positions=0)
