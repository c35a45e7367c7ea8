"""Our GRU is ``torch.nn.GRU``; its other form is the paper's."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from nlp_course.gru import (
    GRU,
    Gates,
    GRUOutput,
    GRUStep,
    clamp_gates,
    gru_cell,
)
from nlp_course.rnn import RNN
from nlp_course.training import Ensemble, Reader, seeded

# Sums of at most a few dozen terms a step, added up in another order and
# carried through up to three layers.
TOLERANCE = {torch.float64: 1e-12, torch.float32: 1e-4}
resets = pytest.mark.parametrize("reset", ["after", "before"])


@dataclass(frozen=True)
class Case:
    """Sizes and a seed from which everything else is drawn."""

    B: int
    T: int
    D: int
    H: int
    layers: int
    seed: int
    dtype: torch.dtype = torch.float64

    def rng(self) -> torch.Generator:
        return torch.Generator().manual_seed(self.seed)

    def draw(self, *shape: int, rng: torch.Generator) -> Tensor:
        return torch.randn(*shape, generator=rng, dtype=self.dtype)

    @property
    def state(self) -> tuple[int, ...]:
        """Shape of h_0 and last."""
        layers = (self.layers,) if self.layers > 1 else ()
        return (*layers, self.B, self.H)


def cases(*dtypes: torch.dtype, layers: int = 3) -> st.SearchStrategy[Case]:
    size = st.integers(1, 5)
    seed = st.integers(0, 2**32 - 1)
    dtype = st.sampled_from(dtypes or (torch.float64,))
    return st.builds(
        Case, size, size, size, size, st.integers(1, layers), seed, dtype
    )


def two_networks(case: Case) -> tuple[nn.GRU, GRU]:
    """PyTorch's network and ours, with the same weights."""
    theirs = nn.GRU(
        case.D, case.H, case.layers, batch_first=True, dtype=case.dtype
    )
    rng = case.rng()
    with torch.no_grad():
        for weight in theirs.parameters():
            weight.copy_(case.draw(*weight.shape, rng=rng))
    return theirs, GRU.from_torch(theirs)


def network(case: Case, reset: Any = "after") -> GRU:
    with seeded(case.seed):
        return GRU(case.D, case.H, case.layers, reset, dtype=case.dtype)


def leaves(*tensors: Tensor) -> tuple[Tensor, ...]:
    return tuple(t.detach().clone().requires_grad_() for t in tensors)


def gradient(tensor: Tensor | None) -> Tensor:
    assert tensor is not None
    assert tensor.grad is not None
    return tensor.grad


def weight_gradients(theirs: nn.GRU, ours: GRU) -> list[tuple[Tensor, Tensor]]:
    """Pairs of gradients; PyTorch has two biases for each of ours."""
    named = {k: gradient(v) for k, v in theirs.named_parameters()}
    H, pairs = ours.hidden_size, []
    for k, layer in enumerate(ours.layers):
        b, beside_U = gradient(layer.b), named[f"bias_hh_l{k}"]
        pairs += [
            (gradient(layer.W), named[f"weight_ih_l{k}"]),
            (gradient(layer.U), named[f"weight_hh_l{k}"]),
            (b, named[f"bias_ih_l{k}"]),
            (b[: 2 * H], beside_U[: 2 * H]),
            (gradient(layer.b_U), beside_U[2 * H :]),
        ]
    return pairs


def lengths_of(case: Case) -> Tensor:
    return torch.randint(1, case.T + 1, (case.B,), generator=case.rng())


def real(lengths: Tensor, time: int) -> Tensor:
    """True on real steps, written as a loop."""
    rows = [[t < int(n) for t in range(time)] for n in lengths]
    return torch.tensor(rows).unsqueeze(-1)  # (B, T, 1)


def assert_close(found: Tensor, wanted: Tensor, case: Case) -> None:
    tolerance = TOLERANCE[case.dtype]
    torch.testing.assert_close(found, wanted, rtol=tolerance, atol=tolerance)


# --- the same as PyTorch ----------------------------------------------------


@settings(max_examples=60)
@given(case=cases(torch.float64, torch.float32), with_state=st.booleans())
def test_outputs_and_all_gradients_are_those_of_torch(
    case: Case, with_state: bool
) -> None:
    theirs, ours = two_networks(case)
    rng = case.rng()
    x = case.draw(case.B, case.T, case.D, rng=rng)
    h_0 = case.draw(*case.state, rng=rng) * with_state
    weigh_states = case.draw(case.B, case.T, case.H, rng=rng)
    weigh_last = case.draw(*case.state, rng=rng)

    x1, h1 = leaves(x, h_0)
    states, last = ours(x1, h1 if with_state else None)
    ((states * weigh_states).sum() + (last * weigh_last).sum()).backward()

    x2, h2 = leaves(x, h_0)
    stacked = (case.layers, case.B, case.H)
    output, final = theirs(x2, h2.view(stacked))
    final = final.view(case.state)
    ((output * weigh_states).sum() + (final * weigh_last).sum()).backward()

    assert_close(states, output, case)
    assert_close(last, final, case)
    assert_close(gradient(x1), gradient(x2), case)
    if with_state:
        assert_close(gradient(h1), gradient(h2), case)
    for found, wanted in weight_gradients(theirs, ours):
        assert_close(found, wanted, case)


@settings(max_examples=60)
@given(case=cases(torch.float64, torch.float32))
def test_lengths_do_what_packing_does(case: Case) -> None:
    theirs, ours = two_networks(case)
    lengths, rng = lengths_of(case), case.rng()
    x = case.draw(case.B, case.T, case.D, rng=rng)
    h_0 = case.draw(*case.state, rng=rng)
    mask = real(lengths, case.T)
    weigh = case.draw(case.B, case.T, case.H, rng=rng) * mask
    weigh_last = case.draw(*case.state, rng=rng)

    x1, h1 = leaves(x, h_0)
    states, last = ours(x1, h1, lengths)
    ((states * weigh).sum() + (last * weigh_last).sum()).backward()

    x2, h2 = leaves(x, h_0)
    packed = pack_padded_sequence(
        x2, lengths, batch_first=True, enforce_sorted=False
    )
    output, final = theirs(packed, h2.view(case.layers, case.B, case.H))
    output, _ = pad_packed_sequence(
        output, batch_first=True, total_length=case.T
    )
    final = final.view(case.state)
    ((output * weigh).sum() + (final * weigh_last).sum()).backward()

    assert_close(states * mask, output, case)
    assert_close(last, final, case)
    assert_close(gradient(x1), gradient(x2), case)
    assert_close(gradient(h1), gradient(h2), case)
    for found, wanted in weight_gradients(theirs, ours):
        assert_close(found, wanted, case)


@settings(max_examples=30)
@given(
    case=cases(),
    dtype=st.sampled_from([torch.int64, torch.int32]),
    reset=st.sampled_from(["after", "before"]),
)
def test_ids_are_one_hot_vectors(
    case: Case, dtype: torch.dtype, reset: str
) -> None:
    net = network(case, reset)
    twin = copy.deepcopy(net)
    ids = torch.randint(case.D, (case.B, case.T), generator=case.rng())
    lengths = lengths_of(case)
    one_hot = nn.functional.one_hot(ids, case.D).to(case.dtype)
    found = net(ids.to(dtype), None, lengths)
    wanted = twin(one_hot, None, lengths)
    assert_close(found.states, wanted.states, case)

    weigh = case.draw(*found.states.shape, rng=case.rng())
    (found.states * weigh).sum().backward()
    (wanted.states * weigh).sum().backward()
    for a, b in zip(net.parameters(), twin.parameters(), strict=True):
        assert_close(gradient(a), gradient(b), case)


@pytest.mark.parametrize("lengths", [None, [1, 3]])
@resets
def test_gradients_agree_with_finite_differences(
    reset: str, lengths: list[int] | None
) -> None:
    case = Case(B=2, T=3, D=2, H=2, layers=2, seed=1)
    net, rng = network(case, reset), case.rng()
    names = list(dict(net.named_parameters()))
    weights = [case.draw(*p.shape, rng=rng) for p in net.parameters()]
    inputs = leaves(
        case.draw(case.B, case.T, case.D, rng=rng),
        case.draw(*case.state, rng=rng),
        *weights,
    )

    def run(x: Tensor, h_0: Tensor, *weights: Tensor) -> Any:
        size = None if lengths is None else torch.tensor(lengths)
        named = dict(zip(names, weights, strict=True))
        return tuple(functional_call(net, named, (x, h_0, size)))

    assert torch.autograd.gradcheck(run, inputs)


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
    weights = {k: p.tolist() for k, p in net.named_parameters()}
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
    case = Case(B=2, T=3, D=2, H=3, layers=1, seed=5)
    theirs, _ = two_networks(case)
    x = case.draw(2, 3, 2, rng=case.rng())
    shut = clamp_gates(r=0.0)
    after = GRU.from_torch(theirs).forward(x, edit=shut).states
    other = GRU.from_torch(theirs, reset="before")
    assert other.b_U is None
    assert (other(x, edit=shut).states - after).abs().max() > 1e-3
    with torch.no_grad():  # without the bias beside U they agree
        dict(theirs.named_parameters())["bias_hh_l0"][6:] = 0
    forms = [GRU.from_torch(theirs), GRU.from_torch(theirs, reset="before")]
    pair = [net(x, edit=shut).states for net in forms]
    assert_close(pair[0], pair[1], case)


def test_with_open_reset_and_shut_update_it_is_the_simple_network() -> None:
    case = Case(B=2, T=4, D=3, H=5, layers=1, seed=3)
    net = network(case)
    assert net.b_U is not None
    simple = RNN(3, 5, dtype=torch.float64)
    with torch.no_grad():
        simple.W.copy_(net.W.chunk(3)[2])
        simple.U.copy_(net.U.chunk(3)[2])
        simple.b.copy_(net.b.chunk(3)[2] + net.b_U)
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
    h_0 = case.draw(*case.state, rng=rng)
    lengths = lengths_of(case) if padded else torch.full((case.B,), case.T)
    out = net(x, h_0, lengths)
    seen = net.gates(x, h_0, lengths)
    assert len(seen) == case.layers == len(net.layers)
    assert torch.equal(seen[-1].h, out.states)
    for k, step in enumerate(seen):
        assert isinstance(step, GRUStep)
        h = h_0[k] if case.layers > 1 else h_0
        for t in range(case.T):
            z, r, candidate = (v[:, t] for v in step[:3])
            assert ((z >= 0) & (z <= 1) & (r >= 0) & (r <= 1)).all()
            new = z * h + (1 - z) * candidate
            h = torch.where((t < lengths).unsqueeze(-1), new, h)
            assert_close(step.h[:, t], h, case)


def test_an_edit_gets_layer_and_step_and_replaces_the_gates() -> None:
    case = Case(B=2, T=3, D=2, H=4, layers=2, seed=0)
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
    assert torch.equal(held.last[0], out.last[0]), "the lower layer changed"
    for t in range(3):
        assert torch.equal(held.states[:, t], out.states[:, 0])


@resets
def test_held_gates_do_what_the_equations_say(reset: Any) -> None:
    case = Case(B=2, T=3, D=2, H=4, layers=1, seed=7)
    net, rng = network(case, reset), case.rng()
    x, h_0 = case.draw(2, 3, 2, rng=rng), case.draw(2, 4, rng=rng)
    kept = net(x, h_0, edit=clamp_gates(z=1.0)).states
    assert torch.equal(kept, h_0.unsqueeze(1).expand_as(kept))
    one = net(x[:, -1:], 0 * h_0, edit=clamp_gates(z=0.0, r=0.0))
    three = net(x, h_0, edit=clamp_gates(z=0.0, r=0.0))
    assert_close(three.last, one.last, case)  # nothing was remembered
    free = clamp_gates()
    assert torch.equal(net(x, h_0, edit=free).states, net(x, h_0).states)


def test_nothing_is_left_on_the_network() -> None:
    net = GRU(2, 3)
    before = set(vars(net))
    net(torch.zeros(1, 2, 2), edit=clamp_gates(z=0.5))
    net.gates(torch.zeros(1, 2, 2))
    assert set(vars(net)) == before


# --- padding ----------------------------------------------------------------


@settings(max_examples=40)
@given(case=cases(), reset=st.sampled_from(["after", "before"]))
def test_a_padded_batch_is_its_sequences_one_by_one(
    case: Case, reset: str
) -> None:
    net = network(case, reset)
    lengths, rng = lengths_of(case), case.rng()
    x = case.draw(case.B, case.T, case.D, rng=rng)
    weigh = case.draw(*case.state, rng=rng)

    states, last = net(x, None, lengths)
    (last * weigh).sum().backward()
    together = [gradient(p).clone() for p in net.parameters()]

    net.zero_grad()
    for row, n in enumerate(lengths.tolist()):
        alone = net(x[row : row + 1, :n])
        assert_close(states[row, :n], alone.states[0], case)
        assert_close(last[..., row, :], alone.last[..., 0, :], case)
        (alone.last[..., 0, :] * weigh[..., row, :]).sum().backward()
    for whole, weight in zip(together, net.parameters(), strict=True):
        assert_close(whole, gradient(weight), case)


@settings(max_examples=30)
@given(case=cases(), junk=st.sampled_from([-7.0, float("inf"), float("nan")]))
def test_features_of_padding_change_nothing(case: Case, junk: float) -> None:
    net = network(case)
    lengths, rng = lengths_of(case), case.rng()
    x = case.draw(case.B, case.T, case.D, rng=rng)
    mask = real(lengths, case.T)
    results = []
    for values in (x, torch.where(mask, x, junk)):
        net.zero_grad()
        (leaf,) = leaves(values)
        out = net(leaf, None, lengths)
        (out.states.square().sum() + out.last.sum()).backward()
        grads = [gradient(t).clone() for t in (leaf, *net.parameters())]
        watched = [step.h for step in net.gates(leaf, None, lengths)]
        results.append([*out, *grads, *watched])
    for found, wanted in zip(*results, strict=True):
        assert torch.equal(found, wanted)
    padding = ~mask.expand_as(x)
    assert (results[1][2][padding] == 0).all(), "not exactly 0 on padding"


@settings(max_examples=30)
@given(case=cases())
def test_a_sequence_knows_nothing_of_its_neighbours(case: Case) -> None:
    net, rng = network(case), case.rng()
    x = case.draw(2, case.T, case.D, rng=rng)
    found = net(x).states[0]
    x[1] = case.draw(case.T, case.D, rng=rng)
    assert torch.equal(net(x).states[0], found)


# --- weights ----------------------------------------------------------------


def test_sizes_and_shapes_of_the_weights() -> None:
    net = GRU(2, 3, 2)
    shapes = {name: tuple(p.shape) for name, p in net.named_parameters()}
    assert shapes == {
        "W": (9, 2), "U": (9, 3), "b": (9,), "b_U": (3,),
        "above.W": (9, 3), "above.U": (9, 3), "above.b": (9,),
        "above.b_U": (3,),
    }  # fmt: skip
    assert (net.input_size, net.hidden_size, len(net.layers)) == (2, 3, 2)
    assert net.layers[0] is net
    assert torch.equal(net.initial_state(4), torch.zeros(2, 4, 3))
    assert torch.equal(GRU(2, 3).initial_state(4), torch.zeros(4, 3))
    names = {n for n, _ in GRU(2, 3, reset="before").named_parameters()}
    assert names == {"W", "U", "b"}


def test_the_result_has_names() -> None:
    out = GRU(2, 3)(torch.zeros(4, 5, 2))
    assert isinstance(out, GRUOutput)
    assert out.states.shape == (4, 5, 3)
    assert torch.equal(out.states[:, -1], out.last)
    assert GRU(2, 3, 2)(torch.zeros(4, 5, 2)).last.shape == (2, 4, 3)


def test_weights_start_uniform_come_from_the_seed_and_can_be_redrawn() -> None:
    torch.manual_seed(3)
    first = GRU(50, 16, 2)
    torch.manual_seed(3)
    second = GRU(50, 16, 2)
    for weight in first.parameters():
        assert 0.5 * 16**-0.5 < weight.abs().max() <= 16**-0.5
    before = [p.detach().clone() for p in second.parameters()]
    for a, b in zip(first.parameters(), before, strict=True):
        assert torch.equal(a, b)
    second.reset_parameters()
    for old, new in zip(before, second.parameters(), strict=True):
        assert not torch.equal(old, new)
        assert new.requires_grad


@resets
def test_gate_biases_are_set_in_every_layer(reset: Any) -> None:
    net = GRU(2, 3, 2, reset)
    before = [layer.b.detach().clone() for layer in net.layers]
    assert net.set_gate_biases(update=4.0) is net
    for old, layer in zip(before, net.layers, strict=True):
        assert (layer.b[3:6] == 4).all()
        assert torch.equal(layer.b[:3], old[:3])
        assert torch.equal(layer.b[6:], old[6:])
        assert layer.b.requires_grad
    net.set_gate_biases(reset=-2.0)
    for layer in net.layers:
        assert (layer.b[:3] == -2).all()
        assert (layer.b[3:6] == 4).all()
    (step, _) = net.gates(torch.zeros(1, 1, 2))
    wanted = torch.sigmoid(torch.tensor(4.0))
    torch.testing.assert_close(step.z, wanted.expand_as(step.z))


def test_from_torch_copies_and_does_not_share() -> None:
    theirs = nn.GRU(2, 3, dtype=torch.float64)
    ours = GRU.from_torch(theirs)
    assert ours.W.dtype == torch.float64
    with torch.no_grad():
        ours.W.zero_()
    assert dict(theirs.named_parameters())["weight_ih_l0"].abs().min() > 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"bidirectional": True}, "bidirectional=True"),
        ({"bias": False}, "bias=False"),
        ({"dropout": 0.5, "num_layers": 2}, "dropout=0.5"),
    ],
)
def test_from_torch_refuses_what_it_cannot_copy(
    options: dict[str, Any], words: str
) -> None:
    with pytest.raises(ValueError, match=r"GRU\.from_torch") as caught:
        GRU.from_torch(nn.GRU(2, 3, **options))
    assert words in str(caught.value)


def test_from_torch_refuses_another_kind_of_network() -> None:
    other: Any = nn.LSTM(2, 3)
    with pytest.raises(TypeError, match=r"torch\.nn\.GRU, not LSTM"):
        GRU.from_torch(other)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_works_and_stays(dtype: torch.dtype) -> None:
    net = GRU(2, 3, 2, dtype=dtype)
    x = torch.ones(2, 4, 2, dtype=dtype)
    out = net(x, None, torch.tensor([2, 4]))
    out.last.sum().backward()
    assert out.states.dtype == net.W.dtype == dtype
    assert gradient(net.U).isfinite().all()


# --- errors -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("sizes", "name"),
    [
        ((0, 3), "input_size"),
        ((2, 0), "hidden_size"),
        ((2, 3.0), "hidden_size"),
        ((True, 3), "input_size"),
        ((2, 3, 0), "num_layers"),
        ((2, 3, "1"), "num_layers"),
    ],
)
def test_sizes_must_be_positive_integers(sizes: Any, name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} must be a positive integer"):
        GRU(*sizes)


@pytest.mark.parametrize("reset", ["After", "", None, True])
def test_an_unknown_place_of_the_reset_gate_is_named(reset: Any) -> None:
    with pytest.raises(ValueError, match='reset must be "after"') as caught:
        GRU(2, 3, reset=reset)
    assert repr(reset) in str(caught.value)


X = torch.zeros(4, 5, 2)
IDS = torch.zeros(4, 5, dtype=torch.int64)
FULL = torch.full((4,), 5)

BAD_CALLS: list[tuple[Callable[[GRU], Any], type[Exception], list[str]]] = [
    (lambda n: n([[1.0]]), TypeError, ["x ", "torch.Tensor", "list"]),
    (lambda n: n(X[0]), ValueError, ["x ", "(5, 2)"]),
    (lambda n: n(IDS[0]), ValueError, ["x ", "(batch, time)", "(5,)"]),
    (lambda n: n(IDS.bool()), TypeError, ["x ", "ids", "torch.bool"]),
    (
        lambda n: n(torch.zeros(4, 5, 3)),
        ValueError,
        ["x ", "3 features", "input_size=2"],
    ),
    (lambda n: n(X.double()), TypeError, ["x ", "torch.float64"]),
    (lambda n: n(X[:0]), ValueError, ["x is empty", "(0, 5, 2)"]),
    (lambda n: n(X[:, :0]), ValueError, ["x is empty", "(4, 0, 2)"]),
    (lambda n: n(IDS[:, :0]), ValueError, ["x is empty", "(4, 0)"]),
    (lambda n: n(IDS + 2), ValueError, ["x ", "2 to 2", "2 entries"]),
    (lambda n: n(X, None, [5] * 4), TypeError, ["lengths", "list"]),
    (lambda n: n(X, None, FULL.float()), TypeError, ["lengths", "integers"]),
    (lambda n: n(X, None, FULL[:3]), ValueError, ["lengths", "(4,)", "(3,)"]),
    (lambda n: n(X, None, FULL + 1), ValueError, ["lengths", "6 to 6", "5"]),
    (lambda n: n(X, None, FULL - 5), ValueError, ["lengths", "0 to 0"]),
]
BAD_STARTS: list[tuple[int, Any, type[Exception], list[str]]] = [
    (1, 0, TypeError, ["h_0", "torch.Tensor", "int"]),
    (1, torch.zeros(1, 4, 3), ValueError, ["h_0", "(4, 3)", "(1, 4, 3)"]),
    (1, torch.zeros(4, 2), ValueError, ["h_0", "(4, 3)", "(4, 2)"]),
    (1, torch.zeros(4, 3).double(), TypeError, ["h_0", "torch.float64"]),
    (2, torch.zeros(4, 3), ValueError, ["h_0", "2 layers", "(4, 3)"]),
    (2, torch.zeros(3, 4, 3), ValueError, ["h_0", "(2, batch", "(3, 4, 3)"]),
    (2, torch.zeros(2, 5, 3), ValueError, ["h_0", "(4, 3)", "(5, 3)"]),
    (2, torch.zeros(2, 4, 3).half(), TypeError, ["h_0", "torch.float16"]),
]


@pytest.mark.parametrize(("call", "kind", "words"), BAD_CALLS)
@pytest.mark.parametrize("layers", [1, 2])
def test_a_wrong_argument_is_named(
    layers: int,
    call: Callable[[Any], Any],
    kind: type[Exception],
    words: list[str],
) -> None:
    net = GRU(2, 3, layers)
    for run in (net, net.gates):
        with pytest.raises(kind) as caught:
            call(run)
        for word in words:
            assert word in str(caught.value)


@pytest.mark.parametrize(("layers", "h_0", "kind", "words"), BAD_STARTS)
def test_a_wrong_start_is_named(
    layers: int, h_0: Any, kind: type[Exception], words: list[str]
) -> None:
    with pytest.raises(kind) as caught:
        GRU(2, 3, layers)(X, h_0)
    for word in words:
        assert word in str(caught.value)


# --- under torch.func, in an ensemble, and without values -------------------


@resets
def test_many_networks_at_once(reset: Any) -> None:
    nets = [GRU(4, 3, 2, reset) for _ in range(2)]
    ids = torch.randint(4, (2, 3, 5))
    lengths = torch.tensor([[1, 5, 2], [5, 3, 4]])
    named = [dict(net.named_parameters()) for net in nets]
    weights = {k: torch.stack([n[k] for n in named]) for k in named[0]}

    def one(weights: dict[str, Tensor], x: Tensor, n: Tensor) -> Any:
        return functional_call(nets[0], weights, (x, None, n))

    last = vmap(one)(weights, ids, lengths).last
    for k, net in enumerate(nets):
        wanted = net(ids[k], None, lengths[k]).last
        torch.testing.assert_close(last[k], wanted)
    with pytest.raises(ValueError, match=r"\(batch, time\)"):
        vmap(one)(weights, ids[:, 0], lengths)


def test_a_reader_in_an_ensemble_takes_edits() -> None:
    model = Ensemble(lambda: Reader(4, 3, 2, cell=GRU), [0, 1])
    ids = torch.randint(4, (2, 3, 5))
    for edit in (None, clamp_gates(z=0.3, r=0.0)):
        scores = model(ids, edit=edit)
        assert scores.shape == (2, 3, 5, 2)
        for k in range(2):
            wanted = model.member(k)(ids[k], edit=edit)
            torch.testing.assert_close(scores[k], wanted)


def test_gradients_of_single_sentences() -> None:
    net = GRU(4, 3)
    weights: dict[str, Tensor] = dict(net.named_parameters())
    ids = torch.randint(4, (3, 5))

    def loss(weights: dict[str, Tensor], x: Tensor) -> Tensor:
        last: Tensor = functional_call(net, weights, (x[None],)).last
        return last.sum()

    each = vmap(grad(loss), in_dims=(None, 0))(weights, ids)
    net(ids).last.sum().backward()
    torch.testing.assert_close(each["U"].sum(dim=0), gradient(net.U))


def test_shapes_alone_are_enough_to_run() -> None:
    ids = torch.zeros(2, 4, dtype=torch.int64, device="meta")
    out = GRU(5, 3, 2, device="meta")(ids)
    assert out.states.shape == (2, 4, 3)
    assert out.last.shape == (2, 2, 3)


def test_the_cell_takes_any_leading_axes() -> None:
    net = GRU(2, 3)
    wx, h = torch.randn(4, 5, 9), torch.randn(4, 5, 3)
    whole = gru_cell(wx, h, net.U, net.b_U)
    part = gru_cell(wx[1, 2], h[1, 2], net.U, net.b_U)
    for a, b in zip(whole, part, strict=True):
        torch.testing.assert_close(a[1, 2], b)
