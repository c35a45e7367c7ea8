"""The GRU's equations, its other form, its gates; the rest: test_recurrent."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nlp_course.gru import (
    GRU,
    Gates,
    GRUOutput,
    GRUStep,
    clamp_gates,
    gru_cell,
)
from nlp_course.rnn import RNN
from nlp_course.training import Ensemble, Reader
from tests.recurrent_cases import FORMS, Case, assert_close, cases

resets = pytest.mark.parametrize("reset", ["after", "before"])
two_networks = FORMS["GRU"].pair


def network(case: Case, reset: str = "after") -> Any:
    return FORMS["GRU" if reset == "after" else "GRU-before"].network(case)


# --- the equations, one unit at a time --------------------------------------


def by_scalars(
    x: list[float], h: list[float], w: dict[str, Any], reset: str
) -> tuple[list[list[float]], list[float]]:
    """``[z, r, candidate]`` and the new state with Python's floats only."""

    def dot(row: list[float], column: list[float]) -> float:
        return sum(a * b for a, b in zip(row, column, strict=True))

    def sigmoid(a: float) -> float:
        return 1 / (1 + math.exp(-a))

    n = len(h)
    r, z = (
        [
            sigmoid(dot(w["W"][i], x) + dot(w["U"][i], h) + w["b"][i])
            for i in range(k * n, k * n + n)
        ]
        for k in (0, 1)
    )
    candidate = []
    for i in range(n):
        row = w["U"][2 * n + i]
        if reset == "after":
            past = r[i] * (dot(row, h) + w["b_U"][i])
        else:
            past = dot(row, [r[j] * h[j] for j in range(n)])
        a = dot(w["W"][2 * n + i], x) + w["b"][2 * n + i] + past
        candidate.append(math.tanh(a))
    new = [z[i] * h[i] + (1 - z[i]) * candidate[i] for i in range(n)]
    return [z, r, candidate], new


@settings(max_examples=40)
@given(case=cases(layers=1), reset=st.sampled_from(["after", "before"]))
def test_one_step_is_the_four_equations(case: Case, reset: str) -> None:
    net = network(case, reset)
    rng = case.rng()
    x = case.draw(1, 1, case.D, rng=rng)
    h_0 = case.draw(1, case.H, rng=rng)
    (layer,) = net.layers
    weights = {k: p.tolist() for k, p in layer.named_parameters()}
    gates, new = by_scalars(
        x.flatten().tolist(), h_0.flatten().tolist(), weights, reset
    )
    (step,) = net.gates(x, h_0)
    for found, wanted in zip(step, [*gates, new], strict=True):
        values = torch.tensor(wanted, dtype=torch.float64)
        assert_close(found.flatten(), values, case)
    assert_close(net(x, h_0).last.flatten(), step.h.flatten(), case)


@settings(max_examples=30)
@given(case=cases())
def test_the_forms_agree_where_they_must_and_nowhere_else(case: Case) -> None:
    theirs, after = two_networks(case)
    with torch.no_grad():
        for name, weight in theirs.named_parameters():
            if name.startswith("bias"):
                weight.zero_()
    after = GRU.from_torch(theirs)
    before = GRU.from_torch(theirs, reset="before")
    x = case.draw(case.B, 3, case.D, rng=case.rng())
    open_gate = clamp_gates(r=1.0)
    opened = [net(x, edit=open_gate).states for net in (after, before)]
    assert_close(opened[0], opened[1], case)
    plain = [net(x).states for net in (after, before)]
    if case.H == 1:
        assert_close(plain[0], plain[1], case)  # a 1 × 1 matrix is diagonal
    elif case.H > 2:
        assert (plain[0] - plain[1]).abs().max() > 1e-6


def test_the_other_form_adds_both_biases_outside_the_gate() -> None:
    case = Case(B=2, T=3, D=2, H=3, L=1, seed=5)
    theirs, _ = two_networks(case)
    x = case.draw(2, 3, 2, rng=case.rng())
    shut = clamp_gates(r=0.0)
    after = GRU.from_torch(theirs).forward(x, edit=shut).states
    other = GRU.from_torch(theirs, reset="before")
    assert other.stack[0].b_U is None
    assert (other(x, edit=shut).states - after).abs().max() > 1e-3
    with torch.no_grad():  # without the bias beside U they agree
        dict(theirs.named_parameters())["bias_hh_l0"][6:] = 0
    forms = [GRU.from_torch(theirs), GRU.from_torch(theirs, reset="before")]
    pair = [net(x, edit=shut).states for net in forms]
    assert_close(pair[0], pair[1], case)


def test_with_open_reset_and_shut_update_it_is_the_simple_network() -> None:
    case = Case(B=2, T=4, D=3, H=5, L=1, seed=3)
    net = network(case)
    (layer,) = net.layers
    simple = RNN(3, 5, dtype=torch.float64)
    with torch.no_grad():
        simple.W.copy_(layer.W.chunk(3)[2])
        simple.U.copy_(layer.U.chunk(3)[2])
        simple.b.copy_(layer.b.chunk(3)[2] + layer.b_U)
    x = case.draw(2, 4, 3, rng=case.rng())
    found = net(x, edit=clamp_gates(z=0.0, r=1.0))
    assert_close(found.states, simple(x).states, case)


# --- gates, read and held ---------------------------------------------------


@settings(max_examples=40)
@given(
    case=cases(),
    reset=st.sampled_from(["after", "before"]),
    padded=st.booleans(),
)
def test_the_gates_of_a_run_explain_its_states(
    case: Case, reset: str, padded: bool
) -> None:
    net, rng = network(case, reset), case.rng()
    x = case.draw(case.B, case.T, case.D, rng=rng)
    h_0 = case.draw(case.L, case.B, case.H, rng=rng)
    lengths = case.lengths() if padded else torch.full((case.B,), case.T)
    out = net(x, h_0, lengths)
    seen = net.gates(x, h_0, lengths)
    assert len(seen) == case.L == len(net.layers)
    assert torch.equal(seen[-1].h, out.states)
    for k, step in enumerate(seen):
        assert isinstance(step, GRUStep)
        h = h_0[k]
        for t in range(case.T):
            z, r, candidate = (v[:, t] for v in step[:3])
            assert ((z >= 0) & (z <= 1) & (r >= 0) & (r <= 1)).all()
            new = z * h + (1 - z) * candidate
            h = torch.where((t < lengths).unsqueeze(-1), new, h)
            assert_close(step.h[:, t], h, case)


def test_an_edit_gets_layer_and_step_and_replaces_the_gates() -> None:
    case = Case(B=2, T=3, D=2, H=4, L=2, seed=0)
    net, rng = network(case), case.rng()
    x, h_0 = case.draw(2, 3, 2, rng=rng), case.draw(2, 2, 4, rng=rng)
    calls: list[tuple[int, int]] = []
    seen: list[Gates] = []

    def watch(layer: int, t: int, gates: Gates) -> Gates:
        calls.append((layer, t))
        seen.append(gates)
        return gates

    out = net(x, h_0, edit=watch)
    assert calls == [(k, t) for k in range(2) for t in range(3)]
    assert torch.equal(out.states, net(x, h_0).states)
    watched = net.gates(x, h_0)
    for (k, t), gates in zip(calls, seen, strict=True):
        assert_close(gates.z, watched[k].z[:, t], case)
        assert_close(gates.r, watched[k].r[:, t], case)

    def hold_upper(layer: int, t: int, gates: Gates) -> Gates:
        if (layer, t) == (1, 0):
            return gates
        return gates if layer == 0 else Gates(gates.z * 0 + 1, gates.r)

    held = net(x, h_0, edit=hold_upper)
    assert torch.equal(held.h_n[0], out.h_n[0]), "the lower layer changed"
    for t in range(3):
        assert torch.equal(held.states[:, t], out.states[:, 0])


@resets
def test_held_gates_do_what_the_equations_say(reset: Any) -> None:
    case = Case(B=2, T=3, D=2, H=4, L=1, seed=7)
    net, rng = network(case, reset), case.rng()
    x, h_0 = case.draw(2, 3, 2, rng=rng), case.draw(2, 4, rng=rng)
    kept = net(x, h_0, edit=clamp_gates(z=1.0)).states
    assert torch.equal(kept, h_0.unsqueeze(1).expand_as(kept))
    one = net(x[:, -1:], 0 * h_0, edit=clamp_gates(z=0.0, r=0.0))
    three = net(x, h_0, edit=clamp_gates(z=0.0, r=0.0))
    assert_close(three.last, one.last, case)  # nothing was remembered
    free = clamp_gates()
    assert torch.equal(net(x, h_0, edit=free).states, net(x, h_0).states)


# --- weights ----------------------------------------------------------------


def test_sizes_and_shapes_of_the_weights() -> None:
    net = GRU(2, 3, 2)
    shapes = {name: tuple(p.shape) for name, p in net.named_parameters()}
    assert shapes == {
        "layers.0.W": (9, 2), "layers.0.U": (9, 3), "layers.0.b": (9,),
        "layers.0.b_U": (3,), "layers.1.W": (9, 3), "layers.1.U": (9, 3),
        "layers.1.b": (9,), "layers.1.b_U": (3,),
    }  # fmt: skip
    assert (net.input_size, net.hidden_size, len(net.layers)) == (2, 3, 2)
    names = {n for n, _ in GRU(2, 3, reset="before").named_parameters()}
    assert names == {"layers.0.W", "layers.0.U", "layers.0.b"}


def test_the_result_has_names() -> None:
    out = GRU(2, 3)(torch.zeros(4, 5, 2))
    assert isinstance(out, GRUOutput)
    assert out.states.shape == (4, 5, 3)
    assert torch.equal(out.states[:, -1], out.last)
    deep = GRU(2, 3, 2)(torch.zeros(4, 5, 2))
    assert deep.h_n.shape == (2, 4, 3)
    assert torch.equal(deep.last, deep.states[:, -1])


@resets
def test_gate_biases_are_set_in_every_layer(reset: Any) -> None:
    net = GRU(2, 3, 2, reset)
    before = [layer.b.detach().clone() for layer in net.stack]
    assert net.set_gate_biases(update=4.0) is net
    for old, layer in zip(before, net.stack, strict=True):
        assert (layer.b[3:6] == 4).all()
        assert torch.equal(layer.b[:3], old[:3])
        assert torch.equal(layer.b[6:], old[6:])
        assert layer.b.requires_grad
    net.set_gate_biases(reset=-2.0)
    for layer in net.stack:
        assert (layer.b[:3] == -2).all()
        assert (layer.b[3:6] == 4).all()
    (step, _) = net.gates(torch.zeros(1, 1, 2))
    wanted = torch.sigmoid(torch.tensor(4.0))
    torch.testing.assert_close(step.z, wanted.expand_as(step.z))


# --- errors -----------------------------------------------------------------


@pytest.mark.parametrize("reset", ["After", "", None, True])
def test_an_unknown_place_of_the_reset_gate_is_named(reset: Any) -> None:
    with pytest.raises(ValueError, match='reset must be "after"') as caught:
        GRU(2, 3, reset=reset)
    assert repr(reset) in str(caught.value)


# --- under torch.func, in an ensemble, and without values -------------------


def test_a_reader_in_an_ensemble_takes_edits() -> None:
    model = Ensemble(lambda: Reader(4, 3, 2, cell=GRU), [0, 1])
    ids = torch.randint(4, (2, 3, 5))
    for edit in (None, clamp_gates(z=0.3, r=0.0)):
        scores = model(ids, edit=edit)
        assert scores.shape == (2, 3, 5, 2)
        for k in range(2):
            wanted = model.member(k)(ids[k], edit=edit)
            torch.testing.assert_close(scores[k], wanted)


def test_the_cell_takes_any_leading_axes() -> None:
    (layer,) = GRU(2, 3).stack
    wx, h = torch.randn(4, 5, 9), torch.randn(4, 5, 3)
    whole = gru_cell(wx, h, layer.U, layer.b_U)
    part = gru_cell(wx[1, 2], h[1, 2], layer.U, layer.b_U)
    for a, b in zip(whole, part, strict=True):
        torch.testing.assert_close(a[1, 2], b)
