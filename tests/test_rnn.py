"""What the simple network has of its own; the rest: test_recurrent."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from nlp_course.rnn import RNN, RNNOutput, rnn_cell, scan
from tests.recurrent_cases import gradient

# --- the cell ----------------------------------------------------


def test_one_step_by_hand() -> None:
    """``tanh(W x + U h + b)``, with a U that is not symmetric."""
    net = RNN(2, 2, dtype=torch.float64)
    values = {
        "W": [[1.0, 2.0], [3.0, 4.0]],
        "U": [[0.5, -1.0], [2.0, 0.25]],
        "b": [0.1, -0.2],
    }
    state = {k: torch.tensor(v) for k, v in values.items()}
    net.load_state_dict(state)
    x = torch.tensor([[[0.1, -0.2]]], dtype=torch.float64)
    h_0 = torch.tensor([[0.3, 0.4]], dtype=torch.float64)
    # W x = (-0.3, -0.5), U h = (-0.25, 0.7), b = (0.1, -0.2)
    wanted = torch.tanh(torch.tensor([[-0.45, 0.0]], dtype=torch.float64))
    torch.testing.assert_close(net(x, h_0).last, wanted, rtol=0, atol=1e-7)
    wx = x[:, 0] @ net.W.T
    assert torch.equal(rnn_cell(wx, h_0, net.U, net.b), net(x, h_0).last)


# --- scan -------------------------------------------------------------------


def test_scan_hands_every_step_its_input_and_the_state_before() -> None:
    seen: list[tuple[Tensor, Tensor]] = []

    def step(x: Tensor, h: Tensor) -> Tensor:
        seen.append((x, h))
        return 10 * h + x

    inputs = torch.tensor([[[1.0], [2.0], [3.0]]])
    states, last = scan(step, inputs, torch.tensor([[4.0]]))
    assert [(float(x), float(h)) for x, h in seen] == [
        (1.0, 4.0),
        (2.0, 41.0),
        (3.0, 412.0),
    ]
    assert states.flatten().tolist() == [41.0, 412.0, 4123.0]
    assert last.item() == 4123.0


def test_scan_stops_each_row_at_its_own_length() -> None:
    ones = torch.ones(3, 4, 1)
    lengths = torch.tensor([1, 4, 2])
    states, last = scan(lambda x, h: h + x, ones, torch.zeros(3, 1), lengths)
    assert states.squeeze(-1).tolist() == [
        [1, 1, 1, 1],
        [1, 2, 3, 4],
        [1, 2, 2, 2],
    ]
    assert last.squeeze(-1).tolist() == [1, 4, 2]


def test_gradients_flow_through_all_steps() -> None:
    h_0 = torch.ones(1, 1, requires_grad=True)
    last = scan(lambda x, h: x * h, torch.full((1, 5, 1), 2.0), h_0).last
    last.backward()
    assert gradient(h_0).item() == 2.0**5


def test_the_result_has_names() -> None:
    out = RNN(2, 3)(torch.zeros(4, 5, 2))
    assert isinstance(out, RNNOutput)
    assert out.states.shape == (4, 5, 3)
    assert out.last.shape == (4, 3)
    assert torch.equal(out.states[:, -1], out.last)


# --- weights ----------------------------------------------------------------


def test_sizes_and_shapes_of_the_weights() -> None:
    net = RNN(2, 3)
    shapes = {name: tuple(p.shape) for name, p in net.named_parameters()}
    assert shapes == {"W": (3, 2), "U": (3, 3), "b": (3,)}
    assert (net.input_size, net.hidden_size) == (2, 3)
    assert torch.equal(net.initial_state(4), torch.zeros(4, 3))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"num_layers": 2}, "num_layers=2"),
        ({"nonlinearity": "relu"}, "nonlinearity='relu'"),
    ],
)
def test_from_torch_refuses_what_it_cannot_copy(
    options: dict[str, Any], words: str
) -> None:
    with pytest.raises(ValueError, match=r"RNN\.from_torch") as caught:
        RNN.from_torch(nn.RNN(2, 3, **options))
    assert words in str(caught.value)
