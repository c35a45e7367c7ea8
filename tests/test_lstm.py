"""The LSTM's gates can be seen and held; the rest: test_recurrent."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from nlp_course.lstm import LSTM, Gates, LSTMOutput, lstm_cell
from tests.recurrent_cases import FORMS, Case, assert_close, cases

network = FORMS["LSTM"].network

# --- the cell ----------------------------------------------------


def test_one_step_by_hand() -> None:
    """Every gate another value, so that no two can change places."""
    half = torch.zeros(1, 4, dtype=torch.float64)
    # scores of input gate, forget gate, candidate, output gate
    scores = torch.tensor([0.0, 2.0, -1.0, 1.0], dtype=torch.float64)
    U = torch.tensor([[0.5], [-1.0], [2.0], [0.25]], dtype=torch.float64)
    h = torch.tensor([[0.4]], dtype=torch.float64)
    c = torch.tensor([[3.0]], dtype=torch.float64)
    new_h, new_c = lstm_cell(half, h, c, U, scores)
    a_i, a_f, a_c, a_o = (scores + 0.4 * U[:, 0]).unbind()
    wanted_c = torch.sigmoid(a_f) * 3 + torch.sigmoid(a_i) * torch.tanh(a_c)
    wanted_h = torch.sigmoid(a_o) * torch.tanh(wanted_c)
    torch.testing.assert_close(new_c.squeeze(), wanted_c)
    torch.testing.assert_close(new_h.squeeze(), wanted_h)


# --- gates ------------------------------------------------------------------


@settings(max_examples=40)
@given(case=cases(), padded=st.booleans())
def test_the_gates_shown_are_those_that_were_used(
    case: Case, padded: bool
) -> None:
    net, rng = network(case), case.rng()
    x = case.draw(case.B, case.T, case.D, rng=rng)
    h_0, c_0 = case.draw(2, case.L, case.B, case.H, rng=rng)
    lengths = case.lengths() if padded else None
    used: dict[tuple[int, int], Gates] = {}

    def record(layer: int, t: int, gates: Gates) -> Gates:
        used[layer, t] = gates
        return gates

    out = net(x, h_0, c_0, lengths, edit=record)
    shown = net.gates(x, h_0, c_0, lengths)
    assert set(used) == {(k, t) for k in range(case.L) for t in range(case.T)}
    for (k, t), gates in used.items():
        for gate, of_all in zip(gates, shown[k], strict=True):
            assert_close(of_all[:, t], gate, case)
    plain = net(x, h_0, c_0, lengths)
    for ours, wanted in zip(out, plain, strict=True):
        assert torch.equal(ours, wanted)


def test_gates_can_be_held() -> None:
    case = Case(B=2, T=5, D=2, H=3, L=2, seed=4)
    net, rng = network(case), case.rng()
    x = case.draw(2, 5, 2, rng=rng)
    h_0, c_0 = case.draw(2, 2, 2, 3, rng=rng)

    def copy_above(layer: int, t: int, gates: Gates) -> Gates:
        if layer == 0:
            return gates
        ones = torch.ones_like(gates.f)
        return gates._replace(f=ones, i=0 * ones)

    held, free = net(x, h_0, c_0, edit=copy_above), net(x, h_0, c_0)
    assert torch.equal(held.last_cell, c_0[1])
    assert torch.equal(held.c_n[0], free.c_n[0])
    assert not torch.equal(free.last_cell, c_0[1])


def biases(net: LSTM) -> list[tuple[Tensor, ...]]:
    """Input, forget, candidate and output bias of every layer."""
    return [layer.b.detach().clone().chunk(4) for layer in net.stack]


@pytest.mark.parametrize("layers", [1, 2])
def test_biases_of_gates_can_be_set(layers: int) -> None:
    net = LSTM(2, 3, layers)
    before = biases(net)
    assert net.set_gate_biases(forget=5, input=-4) is net
    for (b_i, b_f, b_c, b_o), old in zip(biases(net), before, strict=True):
        assert (b_i == -4).all()
        assert (b_f == 5).all()
        assert torch.equal(b_c, old[2])
        assert torch.equal(b_o, old[3])
    net.set_gate_biases(output=1)
    for b_i, b_f, _, b_o in biases(net):
        assert (b_i == -4).all() and (b_f == 5).all() and (b_o == 1).all()
    assert all(weight.requires_grad for weight in net.parameters())


# --- weights ----------------------------------------------------------------


def test_sizes_and_shapes_of_the_weights() -> None:
    net = LSTM(2, 3, 2)
    shapes = {name: tuple(p.shape) for name, p in net.named_parameters()}
    assert shapes == {
        "layers.0.W": (12, 2),
        "layers.0.U": (12, 3),
        "layers.0.b": (12,),
        "layers.1.W": (12, 3),
        "layers.1.U": (12, 3),
        "layers.1.b": (12,),
    }
    assert (net.input_size, net.hidden_size) == (2, 3)


def test_the_result_has_names() -> None:
    out = LSTM(2, 3, 2)(torch.zeros(4, 5, 2))
    assert isinstance(out, LSTMOutput)
    assert out.states.shape == out.cells.shape == (4, 5, 3)
    assert out.h_n.shape == out.c_n.shape == (2, 4, 3)
    assert torch.equal(out.last, out.states[:, -1])
    assert torch.equal(out.last_cell, out.cells[:, -1])


def test_from_torch_refuses_a_projection() -> None:
    with pytest.raises(ValueError, match=r"LSTM\.from_torch.*proj_size=2"):
        LSTM.from_torch(nn.LSTM(2, 3, proj_size=2))
