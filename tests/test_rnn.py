"""Our RNN is ``torch.nn.RNN``, and padding has no part in it."""

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
from torch.func import functional_call, grad, vmap
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from nlp_course.rnn import RNN, RNNOutput, rnn_cell, scan
from nlp_course.training import seeded

# Sums of at most a few dozen terms, added up in another order: some hundred
# roundings of 1e-16 and 1e-7, with room to spare.
TOLERANCE = {torch.float64: 1e-12, torch.float32: 2e-5}


@dataclass(frozen=True)
class Case:
    """Sizes and a seed from which everything else is drawn."""

    B: int
    T: int
    D: int
    H: int
    seed: int
    dtype: torch.dtype = torch.float64

    def rng(self) -> torch.Generator:
        return torch.Generator().manual_seed(self.seed)

    def draw(self, *shape: int, rng: torch.Generator) -> Tensor:
        return torch.randn(*shape, generator=rng, dtype=self.dtype)


def cases(*dtypes: torch.dtype) -> st.SearchStrategy[Case]:
    size = st.integers(1, 5)
    seed = st.integers(0, 2**32 - 1)
    dtype = st.sampled_from(dtypes or (torch.float64,))
    return st.builds(Case, size, size, size, size, seed, dtype)


def two_networks(case: Case) -> tuple[nn.RNN, RNN]:
    """PyTorch's network and ours, with the same weights."""
    theirs = nn.RNN(case.D, case.H, batch_first=True, dtype=case.dtype)
    rng = case.rng()
    with torch.no_grad():
        for weight in theirs.parameters():
            weight.copy_(case.draw(*weight.shape, rng=rng))
    return theirs, RNN.from_torch(theirs)


def network(case: Case, vocabulary: int | None = None) -> RNN:
    with seeded(case.seed):
        return RNN(vocabulary or case.D, case.H, dtype=case.dtype)


def leaves(*tensors: Tensor) -> tuple[Tensor, ...]:
    return tuple(t.detach().clone().requires_grad_() for t in tensors)


def gradient(tensor: Tensor) -> Tensor:
    assert tensor.grad is not None
    return tensor.grad


def weight_gradients(theirs: nn.RNN, ours: RNN) -> list[tuple[Tensor, Tensor]]:
    """Pairs of gradients; PyTorch's two biases have the same one."""
    named = dict(theirs.named_parameters())
    pairs = [
        (ours.W, named["weight_ih_l0"]),
        (ours.U, named["weight_hh_l0"]),
        (ours.b, named["bias_ih_l0"]),
        (ours.b, named["bias_hh_l0"]),
    ]
    return [(gradient(a), gradient(b)) for a, b in pairs]


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
    h_0 = case.draw(case.B, case.H, rng=rng) * with_state
    weigh_states = case.draw(case.B, case.T, case.H, rng=rng)
    weigh_last = case.draw(case.B, case.H, rng=rng)

    x1, h1 = leaves(x, h_0)
    states, last = ours(x1, h1 if with_state else None)
    ((states * weigh_states).sum() + (last * weigh_last).sum()).backward()

    x2, h2 = leaves(x, h_0)
    output, final = theirs(x2, h2[None])
    ((output * weigh_states).sum() + (final[0] * weigh_last).sum()).backward()

    assert_close(states, output, case)
    assert_close(last, final[0], case)
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
    h_0 = case.draw(case.B, case.H, rng=rng)
    mask = real(lengths, case.T)
    weigh = case.draw(case.B, case.T, case.H, rng=rng) * mask
    weigh_last = case.draw(case.B, case.H, rng=rng)

    x1, h1 = leaves(x, h_0)
    states, last = ours(x1, h1, lengths)
    ((states * weigh).sum() + (last * weigh_last).sum()).backward()

    x2, h2 = leaves(x, h_0)
    packed = pack_padded_sequence(
        x2, lengths, batch_first=True, enforce_sorted=False
    )
    output, final = theirs(packed, h2[None])
    output, _ = pad_packed_sequence(
        output, batch_first=True, total_length=case.T
    )
    ((output * weigh).sum() + (final[0] * weigh_last).sum()).backward()

    assert_close(states * mask, output, case)
    assert_close(last, final[0], case)
    assert_close(gradient(x1), gradient(x2), case)
    assert_close(gradient(h1), gradient(h2), case)
    for found, wanted in weight_gradients(theirs, ours):
        assert_close(found, wanted, case)


@settings(max_examples=30)
@given(case=cases(), dtype=st.sampled_from([torch.int64, torch.int32]))
def test_ids_are_one_hot_vectors(case: Case, dtype: torch.dtype) -> None:
    net = network(case)
    twin = copy.deepcopy(net)
    ids = torch.randint(case.D, (case.B, case.T), generator=case.rng())
    lengths = lengths_of(case)
    one_hot = nn.functional.one_hot(ids, case.D).to(case.dtype)
    found, wanted = net(ids.to(dtype), None, lengths), twin(one_hot)
    assert_close(net(ids.to(dtype)).states, wanted.states, case)
    wanted = twin(one_hot, None, lengths)
    assert_close(found.states, wanted.states, case)

    weigh = case.draw(*found.states.shape, rng=case.rng())
    (found.states * weigh).sum().backward()
    (wanted.states * weigh).sum().backward()
    for a, b in zip(net.parameters(), twin.parameters(), strict=True):
        assert_close(gradient(a), gradient(b), case)


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


@pytest.mark.parametrize("lengths", [None, [1, 3]])
def test_gradients_agree_with_finite_differences(
    lengths: list[int] | None,
) -> None:
    case = Case(B=2, T=3, D=2, H=3, seed=1)
    net, rng = network(case), case.rng()
    names = list(dict(net.named_parameters()))
    weights = [case.draw(*p.shape, rng=rng) for p in net.parameters()]
    inputs = leaves(
        case.draw(case.B, case.T, case.D, rng=rng),
        case.draw(case.B, case.H, rng=rng),
        *weights,
    )

    def run(x: Tensor, h_0: Tensor, *weights: Tensor) -> Any:
        size = None if lengths is None else torch.tensor(lengths)
        named = dict(zip(names, weights, strict=True))
        return tuple(functional_call(net, named, (x, h_0, size)))

    assert torch.autograd.gradcheck(run, inputs)
    assert torch.autograd.gradgradcheck(run, inputs)


# --- padding ----------------------------------------------------------------


@settings(max_examples=40)
@given(case=cases())
def test_a_padded_batch_is_its_sequences_one_by_one(case: Case) -> None:
    net = network(case)
    lengths, rng = lengths_of(case), case.rng()
    x = case.draw(case.B, case.T, case.D, rng=rng)
    weigh = case.draw(case.B, case.H, rng=rng)

    states, last = net(x, None, lengths)
    (last * weigh).sum().backward()
    together = [gradient(p).clone() for p in net.parameters()]

    net.zero_grad()
    for row, n in enumerate(lengths.tolist()):
        alone = net(x[row : row + 1, :n])
        assert_close(states[row, :n], alone.states[0], case)
        assert_close(last[row], alone.last[0], case)
        (alone.last[0] * weigh[row]).sum().backward()
    for whole, weight in zip(together, net.parameters(), strict=True):
        assert_close(whole, gradient(weight), case)


@settings(max_examples=30)
@given(case=cases())
def test_after_its_end_a_state_is_frozen(case: Case) -> None:
    net, lengths = network(case), lengths_of(case)
    x = case.draw(case.B, case.T, case.D, rng=case.rng())
    states, last = net(x, None, lengths)
    for row, n in enumerate(lengths.tolist()):
        for t in range(n - 1, case.T):
            assert torch.equal(states[row, t], last[row])


@settings(max_examples=40)
@given(
    case=cases(),
    junk=st.sampled_from([0.0, -7.0, 1e300, float("inf"), float("nan")]),
)
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
        results.append([*out, *grads])
    for found, wanted in zip(*results, strict=True):
        assert torch.equal(found, wanted)
    padding = ~mask.expand_as(x)
    assert (results[1][2][padding] == 0).all(), "not exactly 0 on padding"


@settings(max_examples=30)
@given(case=cases())
def test_ids_of_padding_change_nothing(case: Case) -> None:
    net = network(case, case.D + 1)
    lengths = lengths_of(case)
    ids = torch.randint(case.D, (case.B, case.T), generator=case.rng())
    mask = real(lengths, case.T).squeeze(-1)
    results = []
    for padding in (0, case.D):  # the last id stands nowhere else
        net.zero_grad()
        out = net(torch.where(mask, ids, padding), None, lengths)
        (out.states.sum() + out.last.square().sum()).backward()
        results.append(
            [*out, *(gradient(p).clone() for p in net.parameters())]
        )
    for found, wanted in zip(*results, strict=True):
        assert torch.equal(found, wanted)
    assert (gradient(net.W)[:, case.D] == 0).all(), "padding was learned"


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


@pytest.mark.parametrize("hidden", [1, 4, 100])
def test_weights_start_uniform_as_in_torch(hidden: int) -> None:
    torch.manual_seed(0)
    net = RNN(50, hidden)
    bound = hidden**-0.5
    for weight in net.parameters():
        assert weight.abs().max() <= bound
    assert net.W.abs().max() > 0.8 * bound
    assert abs(net.W.mean()) < 5 * bound / net.W.numel() ** 0.5


def test_weights_come_from_the_seed_and_can_be_drawn_anew() -> None:
    torch.manual_seed(3)
    first = RNN(2, 3)
    torch.manual_seed(3)
    second = RNN(2, 3)
    assert torch.equal(first.W, second.W)
    before = [p.detach().clone() for p in second.parameters()]
    second.reset_parameters()
    for old, new in zip(before, second.parameters(), strict=True):
        assert not torch.equal(old, new)
        assert new.requires_grad


def test_sizes_and_shapes_of_the_weights() -> None:
    net = RNN(2, 3)
    shapes = {name: tuple(p.shape) for name, p in net.named_parameters()}
    assert shapes == {"W": (3, 2), "U": (3, 3), "b": (3,)}
    assert (net.input_size, net.hidden_size) == (2, 3)
    assert torch.equal(net.initial_state(4), torch.zeros(4, 3))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_works_and_stays(dtype: torch.dtype) -> None:
    net = RNN(2, 3, dtype=dtype)
    x = torch.ones(2, 4, 2, dtype=dtype)
    out = net(x, None, torch.tensor([2, 4]))
    out.last.sum().backward()
    assert out.states.dtype == net.W.dtype == dtype
    assert gradient(net.U).isfinite().all()


def test_from_torch_copies_and_does_not_share() -> None:
    theirs = nn.RNN(2, 3, dtype=torch.float64)
    ours = RNN.from_torch(theirs)
    assert ours.W.dtype == torch.float64
    with torch.no_grad():
        ours.W.zero_()
    assert dict(theirs.named_parameters())["weight_ih_l0"].abs().min() > 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"num_layers": 2}, "num_layers=2"),
        ({"bidirectional": True}, "bidirectional=True"),
        ({"bias": False}, "bias=False"),
        ({"nonlinearity": "relu"}, "nonlinearity='relu'"),
    ],
)
def test_from_torch_refuses_what_it_cannot_copy(
    options: dict[str, Any], words: str
) -> None:
    with pytest.raises(ValueError, match=r"RNN\.from_torch") as caught:
        RNN.from_torch(nn.RNN(2, 3, **options))
    assert words in str(caught.value)


def test_from_torch_refuses_another_kind_of_network() -> None:
    other: Any = nn.LSTM(2, 3)
    with pytest.raises(TypeError, match=r"torch\.nn\.RNN, not LSTM"):
        RNN.from_torch(other)


# --- errors -----------------------------------------------------------------


@pytest.mark.parametrize(
    "sizes", [(0, 3), (2, 0), (-1, 3), (2, 3.0), (True, 3), ("2", 3)]
)
def test_sizes_must_be_positive_integers(sizes: Any) -> None:
    with pytest.raises(ValueError, match=r"_size must be a positive integer"):
        RNN(*sizes)


X = torch.zeros(4, 5, 2)
IDS = torch.zeros(4, 5, dtype=torch.int64)
FULL = torch.full((4,), 5)

BAD_CALLS: list[tuple[Callable[[RNN], Any], type[Exception], list[str]]] = [
    (lambda n: n([[1.0]]), TypeError, ["x ", "torch.Tensor", "list"]),
    (
        lambda n: n(X[0]),
        ValueError,
        ["x ", "(batch, time, features)", "(5, 2)"],
    ),
    (lambda n: n(IDS[0]), ValueError, ["x ", "(batch, time)", "(5,)"]),
    (lambda n: n(X.bool()), ValueError, ["x ", "torch.bool", "(4, 5, 2)"]),
    (lambda n: n(IDS.bool()), TypeError, ["x ", "ids", "torch.bool"]),
    (lambda n: n(IDS.to(torch.uint8)), TypeError, ["x ", "torch.uint8"]),
    (
        lambda n: n(torch.zeros(4, 5, 3)),
        ValueError,
        ["x ", "3 features", "input_size=2"],
    ),
    (
        lambda n: n(X.double()),
        TypeError,
        ["x ", "torch.float64", "torch.float32", ".to("],
    ),
    (lambda n: n(X[:0]), ValueError, ["x is empty", "(0, 5, 2)"]),
    (lambda n: n(X[:, :0]), ValueError, ["x is empty", "(4, 0, 2)"]),
    (lambda n: n(IDS[:, :0]), ValueError, ["x is empty", "(4, 0)"]),
    (lambda n: n(IDS + 2), ValueError, ["x ", "2 to 2", "2 entries"]),
    (lambda n: n(IDS - 1), ValueError, ["x ", "-1 to -1", "ids 0 to 1"]),
    (lambda n: n(X, 0), TypeError, ["h_0", "torch.Tensor", "int"]),
    (
        lambda n: n(X, torch.zeros(1, 4, 3)),
        ValueError,
        ["h_0", "(4, 3) = (batch, hidden)", "(1, 4, 3)"],
    ),
    (
        lambda n: n(X, torch.zeros(4, 3).double()),
        TypeError,
        ["h_0", "torch.float64", "torch.float32"],
    ),
    (lambda n: n(X, None, [5] * 4), TypeError, ["lengths", "list"]),
    (
        lambda n: n(X, None, FULL.float()),
        TypeError,
        ["lengths", "integers", "torch.float32"],
    ),
    (
        lambda n: n(X, None, FULL.bool()),
        TypeError,
        ["lengths", "integers", "torch.bool"],
    ),
    (
        lambda n: n(X, None, FULL[:3]),
        ValueError,
        ["lengths", "(4,)", "(3,)"],
    ),
    (
        lambda n: n(X, None, FULL + 1),
        ValueError,
        ["lengths", "6 to 6", "between 1 and", "5"],
    ),
    (
        lambda n: n(X, None, FULL - 5),
        ValueError,
        ["lengths", "0 to 0", "between 1 and"],
    ),
    (
        lambda n: n(X, None, torch.tensor([-1, 5, 5, 5])),
        ValueError,
        ["lengths", "-1 to 5"],
    ),
]


@pytest.mark.parametrize(("call", "kind", "words"), BAD_CALLS)
def test_a_wrong_argument_is_named(
    call: Callable[[RNN], Any], kind: type[Exception], words: list[str]
) -> None:
    with pytest.raises(kind) as caught:
        call(RNN(2, 3))
    for word in words:
        assert word in str(caught.value)


# --- under torch.func, and without values -----------------------------------


def test_many_networks_at_once() -> None:
    nets = [RNN(4, 3) for _ in range(2)]
    ids = torch.randint(4, (2, 3, 5))
    lengths = torch.tensor([[1, 5, 2], [5, 3, 4]])
    weights = {
        name: torch.stack([dict(n.named_parameters())[name] for n in nets])
        for name in ("W", "U", "b")
    }

    def one(weights: dict[str, Tensor], x: Tensor, n: Tensor) -> Any:
        return functional_call(nets[0], weights, (x, None, n))

    last = vmap(one)(weights, ids, lengths).last
    for k, net in enumerate(nets):
        wanted = net(ids[k], None, lengths[k]).last
        torch.testing.assert_close(last[k], wanted)
    with pytest.raises(ValueError, match=r"\(batch, time\)"):
        vmap(one)(weights, ids[:, 0], lengths)


def test_gradients_of_single_sentences() -> None:
    net = RNN(4, 3)
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
    out = RNN(5, 3, device="meta")(ids)
    assert out.states.shape == (2, 4, 3)
