"""Our LSTM is ``torch.nn.LSTM``, and its gates can be seen and held."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.func import functional_call, vmap
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from nlp_course.lstm import (
    LSTM,
    Gates,
    LSTMLayer,
    LSTMOutput,
    lstm_cell,
)
from nlp_course.training import Ensemble, Reader, seeded

# Sums of at most a few dozen terms, added up in another order.
TOLERANCE = {torch.float64: 1e-12, torch.float32: 5e-5}


@dataclass(frozen=True)
class Case:
    """Sizes and a seed from which everything else is drawn."""

    B: int
    T: int
    D: int
    H: int
    L: int
    seed: int
    dtype: torch.dtype = torch.float64

    def rng(self) -> torch.Generator:
        return torch.Generator().manual_seed(self.seed)

    def draw(self, *shape: int, rng: torch.Generator) -> Tensor:
        return torch.randn(*shape, generator=rng, dtype=self.dtype)

    def lengths(self) -> Tensor:
        return torch.randint(1, self.T + 1, (self.B,), generator=self.rng())


def cases(*dtypes: torch.dtype) -> st.SearchStrategy[Case]:
    size = st.integers(1, 4)
    seed = st.integers(0, 2**32 - 1)
    dtype = st.sampled_from(dtypes or (torch.float64,))
    layers = st.integers(1, 3)
    return st.builds(Case, size, size, size, size, layers, seed, dtype)


def two_networks(case: Case) -> tuple[nn.LSTM, LSTM]:
    """PyTorch's network and ours, with the same weights."""
    theirs = nn.LSTM(
        case.D, case.H, case.L, batch_first=True, dtype=case.dtype
    )
    rng = case.rng()
    with torch.no_grad():
        for weight in theirs.parameters():
            weight.copy_(case.draw(*weight.shape, rng=rng))
    return theirs, LSTM.from_torch(theirs)


def network(case: Case) -> LSTM:
    with seeded(case.seed):
        return LSTM(case.D, case.H, case.L, dtype=case.dtype)


def leaves(*tensors: Tensor) -> tuple[Tensor, ...]:
    return tuple(t.detach().clone().requires_grad_() for t in tensors)


def gradient(tensor: Tensor) -> Tensor:
    assert tensor.grad is not None
    return tensor.grad


def real(lengths: Tensor, time: int) -> Tensor:
    """True on real steps, written as a loop: (B, T, 1)."""
    rows = [[t < int(n) for t in range(time)] for n in lengths]
    return torch.tensor(rows).unsqueeze(-1)


def assert_close(found: Tensor, wanted: Tensor, case: Case) -> None:
    tolerance = TOLERANCE[case.dtype]
    torch.testing.assert_close(found, wanted, rtol=tolerance, atol=tolerance)


def assert_same_weight_gradients(
    theirs: nn.LSTM, ours: LSTM, case: Case
) -> None:
    """All of them; PyTorch's two biases have the same one."""
    named = dict(theirs.named_parameters())
    for name, weight in ours.named_parameters():
        _, k, kind = name.split(".")
        for their_name in {
            "W": ["weight_ih"],
            "U": ["weight_hh"],
            "b": ["bias_ih", "bias_hh"],
        }[kind]:
            wanted = gradient(named[f"{their_name}_l{k}"])
            assert_close(gradient(weight), wanted, case)


# --- the same as PyTorch ----------------------------------------------------


@settings(max_examples=60)
@given(
    case=cases(torch.float64, torch.float32),
    with_state=st.booleans(),
    padded=st.booleans(),
)
def test_everything_is_that_of_torch(
    case: Case, with_state: bool, padded: bool
) -> None:
    theirs, ours = two_networks(case)
    rng = case.rng()
    x = case.draw(case.B, case.T, case.D, rng=rng)
    starts = case.draw(2, case.L, case.B, case.H, rng=rng) * with_state
    lengths = case.lengths() if padded else None
    full = torch.full((case.B,), case.T)
    mask = real(full if lengths is None else lengths, case.T)
    weigh = case.draw(case.B, case.T, case.H, rng=rng) * mask
    weigh_last = case.draw(2, case.L, case.B, case.H, rng=rng)

    x1, s1 = leaves(x, starts)
    given_starts = tuple(s1) if with_state else (None, None)
    out = ours(x1, *given_starts, lengths)
    last = torch.stack([out.h_n, out.c_n])
    ((out.states * weigh).sum() + (last * weigh_last).sum()).backward()

    x2, s2 = leaves(x, starts)
    packed = pack_padded_sequence(
        x2,
        full if lengths is None else lengths,
        batch_first=True,
        enforce_sorted=False,
    )
    output, final = theirs(packed, tuple(s2))
    output, _ = pad_packed_sequence(
        output, batch_first=True, total_length=case.T
    )
    final = torch.stack(final)
    ((output * weigh).sum() + (final * weigh_last).sum()).backward()

    assert_close(out.states * mask, output, case)
    assert_close(last, final, case)
    assert_close(out.last, final[0, -1], case)
    assert_close(out.last_cell, final[1, -1], case)
    assert_close(gradient(x1), gradient(x2), case)
    if with_state:
        assert_close(gradient(s1), gradient(s2), case)
    assert_same_weight_gradients(theirs, ours, case)


@settings(max_examples=30)
@given(case=cases())
def test_ids_are_one_hot_vectors(case: Case) -> None:
    net = network(case)
    twin = copy.deepcopy(net)
    ids = torch.randint(case.D, (case.B, case.T), generator=case.rng())
    one_hot = nn.functional.one_hot(ids, case.D).to(case.dtype)
    found, wanted = net(ids), twin(one_hot)
    for ours, theirs in zip(found, wanted, strict=True):
        assert_close(ours, theirs, case)
    found.states.square().sum().backward()
    wanted.states.square().sum().backward()
    for a, b in zip(net.parameters(), twin.parameters(), strict=True):
        assert_close(gradient(a), gradient(b), case)


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


@pytest.mark.parametrize("lengths", [None, [1, 3]])
def test_gradients_agree_with_finite_differences(
    lengths: list[int] | None,
) -> None:
    case = Case(B=2, T=3, D=2, H=2, L=2, seed=1)
    net, rng = network(case), case.rng()
    names = list(dict(net.named_parameters()))
    weights = [case.draw(*p.shape, rng=rng) for p in net.parameters()]
    inputs = leaves(
        case.draw(case.B, case.T, case.D, rng=rng),
        *case.draw(2, case.L, case.B, case.H, rng=rng),
        *weights,
    )

    def run(x: Tensor, h_0: Tensor, c_0: Tensor, *weights: Tensor) -> Any:
        size = None if lengths is None else torch.tensor(lengths)
        named = dict(zip(names, weights, strict=True))
        return tuple(functional_call(net, named, (x, h_0, c_0, size)))

    assert torch.autograd.gradcheck(run, inputs)


# --- padding ----------------------------------------------------------------


@settings(max_examples=40)
@given(case=cases())
def test_a_padded_batch_is_its_sequences_one_by_one(case: Case) -> None:
    net, lengths, rng = network(case), case.lengths(), case.rng()
    x = case.draw(case.B, case.T, case.D, rng=rng)
    out = net(x, lengths=lengths)
    for row, n in enumerate(lengths.tolist()):
        alone = net(x[row : row + 1, :n])
        assert_close(out.states[row, :n], alone.states[0], case)
        assert_close(out.cells[row, :n], alone.cells[0], case)
        assert_close(out.h_n[:, row], alone.h_n[:, 0], case)
        assert_close(out.c_n[:, row], alone.c_n[:, 0], case)
        for t in range(n - 1, case.T):
            assert torch.equal(out.states[row, t], out.last[row])
            assert torch.equal(out.cells[row, t], out.last_cell[row])


@settings(max_examples=30)
@given(case=cases(), junk=st.sampled_from([0.0, 1e300, float("nan")]))
def test_features_of_padding_change_nothing(case: Case, junk: float) -> None:
    net, lengths, rng = network(case), case.lengths(), case.rng()
    x = case.draw(case.B, case.T, case.D, rng=rng)
    mask = real(lengths, case.T)
    results = []
    for values in (x, torch.where(mask, x, junk)):
        net.zero_grad()
        (leaf,) = leaves(values)
        out = net(leaf, lengths=lengths)
        (out.states.square().sum() + out.c_n.sum()).backward()
        grads = [gradient(t).clone() for t in (leaf, *net.parameters())]
        results.append([*out, *grads])
    for found, wanted in zip(*results, strict=True):
        assert torch.equal(found, wanted)
    assert (results[1][4][~mask.expand_as(x)] == 0).all()


@settings(max_examples=20)
@given(case=cases(), cut=st.integers(1, 3))
def test_a_sentence_can_be_continued(case: Case, cut: int) -> None:
    net = network(case)
    x = case.draw(case.B, 4, case.D, rng=case.rng())
    whole, first = net(x), net(x[:, :cut])
    second = net(x[:, cut:], first.h_n, first.c_n)
    assert_close(second.states, whole.states[:, cut:], case)
    assert_close(second.c_n, whole.c_n, case)


def test_sequences_of_a_batch_do_not_see_each_other() -> None:
    case = Case(B=3, T=4, D=2, H=3, L=2, seed=0)
    net = network(case)
    x = case.draw(3, 4, 2, rng=case.rng())
    changed = x.clone()
    changed[1] += 1
    first, second = net(x), net(changed)
    for row in (0, 2):
        assert torch.equal(first.states[row], second.states[row])
        assert torch.equal(first.cells[row], second.cells[row])
    # nor does a call leave anything behind
    for found, wanted in zip(net(x), first, strict=True):
        assert torch.equal(found, wanted)


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
    layers = [layer for layer in net.layers if isinstance(layer, LSTMLayer)]
    assert len(layers) == len(net.layers)
    return [layer.b.detach().clone().chunk(4) for layer in layers]


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


@pytest.mark.parametrize("hidden", [1, 4, 100])
def test_weights_start_uniform_as_in_torch(hidden: int) -> None:
    torch.manual_seed(0)
    net = LSTM(50, hidden)
    bound = hidden**-0.5
    for weight in net.parameters():
        assert weight.abs().max() <= bound
    assert max(w.abs().max() for w in net.parameters()) > 0.8 * bound


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


def test_from_torch_copies_and_does_not_share() -> None:
    theirs = nn.LSTM(2, 3, dtype=torch.float64)
    ours = LSTM.from_torch(theirs)
    with torch.no_grad():
        for weight in ours.parameters():
            assert weight.dtype == torch.float64
            weight.zero_()
    for weight in theirs.parameters():
        assert weight.abs().min() > 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"bidirectional": True}, "bidirectional=True"),
        ({"bias": False}, "bias=False"),
        ({"num_layers": 2, "dropout": 0.5}, "dropout=0.5"),
        ({"proj_size": 2}, "proj_size=2"),
    ],
)
def test_from_torch_refuses_what_it_cannot_copy(
    options: dict[str, Any], words: str
) -> None:
    with pytest.raises(ValueError, match=r"LSTM\.from_torch") as caught:
        LSTM.from_torch(nn.LSTM(2, 3, **options))
    assert words in str(caught.value)


def test_from_torch_refuses_another_kind_of_network() -> None:
    other: Any = nn.GRU(2, 3)
    with pytest.raises(TypeError, match=r"torch\.nn\.LSTM, not GRU"):
        LSTM.from_torch(other)


# --- errors -----------------------------------------------------------------


@pytest.mark.parametrize(
    "sizes", [(0, 3), (2, 0), (2, 3, 0), (2, 3.0), (True, 3), (2, 3, "1")]
)
def test_sizes_must_be_positive_integers(sizes: Any) -> None:
    with pytest.raises(ValueError, match=r"must be a positive integer"):
        LSTM(*sizes)


X = torch.zeros(4, 5, 2)
IDS = torch.zeros(4, 5, dtype=torch.int64)
FULL = torch.full((4,), 5)
START = torch.zeros(2, 4, 3)

BAD_CALLS: list[tuple[Callable[[LSTM], Any], type[Exception], list[str]]] = [
    (lambda n: n([[1.0]]), TypeError, ["x ", "torch.Tensor", "list"]),
    (lambda n: n(X[0]), ValueError, ["x ", "(5, 2)"]),
    (lambda n: n(IDS[0]), ValueError, ["x ", "(batch, time)", "(5,)"]),
    (lambda n: n(X[..., :1]), ValueError, ["1 features", "input_size=2"]),
    (lambda n: n(X.double()), TypeError, ["x ", "torch.float64"]),
    (lambda n: n(X[:0]), ValueError, ["x is empty", "(0, 5, 2)"]),
    (lambda n: n(X[:, :0]), ValueError, ["x is empty", "(4, 0, 2)"]),
    (lambda n: n(IDS[:, :0]), ValueError, ["x is empty", "(4, 0)"]),
    (lambda n: n(IDS + 2), ValueError, ["x ", "2 to 2", "2 entries"]),
    (lambda n: n(X, 0), TypeError, ["h_0", "torch.Tensor", "int"]),
    (
        lambda n: n(X, START[0]),
        ValueError,
        ["h_0", "(2, 4, 3) = (layers, batch, hidden)", "(4, 3)"],
    ),
    (
        lambda n: n(X, START, START[:, :1]),
        ValueError,
        ["c_0", "(2, 4, 3)", "(2, 1, 3)"],
    ),
    (lambda n: n(X, c_0=START.double()), TypeError, ["c_0", "torch.float64"]),
    (lambda n: n(X, lengths=[5] * 4), TypeError, ["lengths", "list"]),
    (lambda n: n(X, lengths=FULL.float()), TypeError, ["lengths", "integers"]),
    (lambda n: n(X, lengths=FULL[:3]), ValueError, ["lengths", "(4,)"]),
    (lambda n: n(X, lengths=FULL + 1), ValueError, ["lengths", "6 to 6"]),
    (lambda n: n(X, lengths=FULL - 5), ValueError, ["lengths", "0 to 0"]),
    (lambda n: n.gates(X[0]), ValueError, ["x ", "(5, 2)"]),
    (lambda n: n.gates(X, lengths=FULL + 1), ValueError, ["6 to 6"]),
]


@pytest.mark.parametrize(("call", "kind", "words"), BAD_CALLS)
def test_a_wrong_argument_is_named(
    call: Callable[[LSTM], Any], kind: type[Exception], words: list[str]
) -> None:
    with pytest.raises(kind) as caught:
        call(LSTM(2, 3, 2))
    for word in words:
        assert word in str(caught.value)


def test_one_layer_also_takes_states_without_an_axis_for_layers() -> None:
    net = LSTM(2, 3)
    h_0, c_0 = torch.randn(2, 4, 3)
    short, long = net(X, h_0, c_0), net(X, h_0[None], c_0[None])
    assert torch.equal(short.states, long.states)
    with pytest.raises(ValueError, match=r"h_0 must have shape"):
        net(X, h_0[:, :2], c_0)


# --- under torch.func, and without values -----------------------------------


def test_many_networks_at_once() -> None:
    seeds = [0, 1]
    ensemble = Ensemble(lambda: LSTM(4, 3, 2), seeds)
    ids = torch.randint(4, (2, 3, 5))
    lengths = torch.tensor([[1, 5, 2], [5, 3, 4]])
    template = LSTM(4, 3, 2)
    names = list(dict(template.named_parameters()))
    weights = dict(zip(names, ensemble.stacked, strict=True))

    def one(weights: dict[str, Tensor], x: Tensor, n: Tensor) -> Any:
        return functional_call(template, weights, (x, None, None, n))

    out = vmap(one)(weights, ids, lengths)
    for k in range(2):
        wanted = ensemble.member(k)(ids[k], lengths=lengths[k])
        torch.testing.assert_close(out.states[k], wanted.states)
        torch.testing.assert_close(out.last[k], wanted.last)
        torch.testing.assert_close(out.last_cell[k], wanted.last_cell)


def test_a_reader_can_be_built_of_it() -> None:
    ensemble = Ensemble(lambda: Reader(4, 3, 2, cell=LSTM), [0, 1, 2])
    ids = torch.randint(4, (3, 6, 5))
    scores = ensemble(ids)
    assert scores.shape == (3, 6, 5, 2)
    scores.sum().backward()
    for weight in ensemble.parameters():
        assert gradient(weight).isfinite().all()


def test_shapes_alone_are_enough_to_run() -> None:
    ids = torch.zeros(2, 4, dtype=torch.int64, device="meta")
    assert LSTM(5, 3, device="meta")(ids).cells.shape == (2, 4, 3)
