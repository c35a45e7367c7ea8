"""Networks that read: scores at every step, or of a bag."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nlp_course.rnn import RNN
from nlp_course.training import BagReader, Reader


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
