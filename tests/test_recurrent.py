"""What RNN, LSTM and GRU have in common: they are PyTorch's, padding has no
part in them, and they say what is wrong with their arguments."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from nlp_course.training import Ensemble, Reader
from tests.recurrent_cases import (
    FORMS,
    Case,
    Form,
    assert_close,
    cases,
    gradient,
    leaves,
    real,
)

forms = pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
parities = pytest.mark.parametrize(
    "form", [f for f in FORMS.values() if f.is_torch], ids=lambda f: f.name
)


# --- the same as PyTorch ----------------------------------------------------


@parities
@settings(max_examples=60)
@given(
    case=cases(torch.float64, torch.float32),
    with_start=st.booleans(),
    padded=st.booleans(),
)
def test_values_and_all_gradients_are_those_of_torch(
    form: Form, case: Case, with_start: bool, padded: bool
) -> None:
    case = form.fitted(case)
    theirs, ours = form.pair(case)
    rng = case.rng()
    x = case.draw(case.B, case.T, case.D, rng=rng)
    starts = case.draw(form.states, case.L, case.B, case.H, rng=rng)
    starts = starts * with_start
    lengths = case.lengths() if padded else torch.full((case.B,), case.T)
    mask = real(lengths, case.T)
    weigh = case.draw(case.B, case.T, case.H, rng=rng) * mask
    weigh_last = case.draw(*starts.shape, rng=rng)

    x1, s1 = leaves(x, starts)
    states, last = form.run(
        ours, x1, s1 if with_start else None, lengths if padded else None
    )
    ((states * weigh).sum() + (last * weigh_last).sum()).backward()

    x2, s2 = leaves(x, starts)
    packed = pack_padded_sequence(
        x2, lengths, batch_first=True, enforce_sorted=False
    )
    output, final = theirs(packed, tuple(s2) if form.states > 1 else s2[0])
    output, _ = pad_packed_sequence(
        output, batch_first=True, total_length=case.T
    )
    final = torch.stack(final if form.states > 1 else [final])
    ((output * weigh).sum() + (final * weigh_last).sum()).backward()

    assert_close(states * mask, output, case)
    assert_close(last, final, case)
    assert_close(gradient(x1), gradient(x2), case)
    if with_start:
        assert_close(gradient(s1), gradient(s2), case)
    for found, wanted in form.weight_gradients(theirs, ours):
        assert_close(found, wanted, case)


@forms
@settings(max_examples=30)
@given(case=cases(), dtype=st.sampled_from([torch.int64, torch.int32]))
def test_ids_are_one_hot_vectors(
    form: Form, case: Case, dtype: torch.dtype
) -> None:
    net = form.network(form.fitted(case))
    twin = copy.deepcopy(net)
    ids = torch.randint(case.D, (case.B, case.T), generator=case.rng())
    lengths = case.lengths()
    one_hot = nn.functional.one_hot(ids, case.D).to(case.dtype)
    found, last = form.run(net, ids.to(dtype), None, lengths)
    wanted, wanted_last = form.run(twin, one_hot, None, lengths)
    assert_close(found, wanted, case)
    assert_close(last, wanted_last, case)

    weigh = case.draw(*found.shape, rng=case.rng())
    (found * weigh).sum().backward()
    (wanted * weigh).sum().backward()
    for a, b in zip(net.parameters(), twin.parameters(), strict=True):
        assert_close(gradient(a), gradient(b), case)


@forms
@pytest.mark.parametrize("lengths", [None, [1, 3]])
def test_gradients_agree_with_finite_differences(
    form: Form, lengths: list[int] | None
) -> None:
    case = form.fitted(Case(B=2, T=3, D=2, H=2, L=2, seed=1))
    net, rng = form.network(case), case.rng()
    names = list(dict(net.named_parameters()))
    weights = [case.draw(*p.shape, rng=rng) for p in net.parameters()]
    starts = case.draw(form.states, case.L, case.B, case.H, rng=rng)
    x = case.draw(case.B, case.T, case.D, rng=rng)
    inputs = leaves(x, starts, *weights)
    size = None if lengths is None else torch.tensor(lengths)

    def run(x: Tensor, starts: Tensor, *weights: Tensor) -> Any:
        named = dict(zip(names, weights, strict=True))
        arguments = (x, *form.arguments(starts), size)
        return tuple(functional_call(net, named, arguments))

    assert torch.autograd.gradcheck(run, inputs)
    if form.name == "RNN":
        assert torch.autograd.gradgradcheck(run, inputs)


# --- padding ----------------------------------------------------------------


@forms
@settings(max_examples=40)
@given(case=cases())
def test_a_padded_batch_is_its_sequences_one_by_one(
    form: Form, case: Case
) -> None:
    case = form.fitted(case)
    net, lengths, rng = form.network(case), case.lengths(), case.rng()
    x = case.draw(case.B, case.T, case.D, rng=rng)
    weigh = case.draw(form.states, case.L, case.B, case.H, rng=rng)

    states, last = form.run(net, x, None, lengths)
    (last * weigh).sum().backward()
    together = [gradient(p).clone() for p in net.parameters()]

    net.zero_grad()
    for row, n in enumerate(lengths.tolist()):
        one, its_last = form.run(net, x[row : row + 1, :n])
        assert_close(states[row, :n], one[0], case)
        assert_close(last[:, :, row], its_last[:, :, 0], case)
        for t in range(n - 1, case.T):  # past its end it is frozen
            assert torch.equal(states[row, t], last[0, -1, row])
        (its_last[:, :, 0] * weigh[:, :, row]).sum().backward()
    for whole, weight in zip(together, net.parameters(), strict=True):
        assert_close(whole, gradient(weight), case)


@forms
@settings(max_examples=40)
@given(
    case=cases(),
    junk=st.sampled_from([0.0, -7.0, 1e300, float("inf"), float("nan")]),
)
def test_features_of_padding_change_nothing(
    form: Form, case: Case, junk: float
) -> None:
    case = form.fitted(case)
    net, lengths, rng = form.network(case), case.lengths(), case.rng()
    x = case.draw(case.B, case.T, case.D, rng=rng)
    mask = real(lengths, case.T)
    results = []
    for values in (x, torch.where(mask, x, junk)):
        net.zero_grad()
        (leaf,) = leaves(values)
        states, last = form.run(net, leaf, None, lengths)
        (states.square().sum() + last.sum()).backward()
        grads = [gradient(t).clone() for t in (leaf, *net.parameters())]
        results.append([states, last, *grads])
    for found, wanted in zip(*results, strict=True):
        assert torch.equal(found, wanted)
    padding = ~mask.expand_as(x)
    assert (results[1][2][padding] == 0).all(), "not exactly 0 on padding"


@forms
@settings(max_examples=30)
@given(case=cases())
def test_ids_of_padding_change_nothing(form: Form, case: Case) -> None:
    case = form.fitted(case)
    net = form.network(case, vocabulary=case.D + 1)
    lengths = case.lengths()
    ids = torch.randint(case.D, (case.B, case.T), generator=case.rng())
    mask = real(lengths, case.T).squeeze(-1)
    results = []
    for padding in (0, case.D):  # the last id stands nowhere else
        net.zero_grad()
        states, last = form.run(
            net, torch.where(mask, ids, padding), None, lengths
        )
        (states.sum() + last.square().sum()).backward()
        grads = [gradient(p).clone() for p in net.parameters()]
        results.append([states, last, *grads])
    for found, wanted in zip(*results, strict=True):
        assert torch.equal(found, wanted)
    first = gradient(next(net.parameters()))  # W of the lowest layer
    assert (first[:, case.D] == 0).all(), "padding was learned"


@forms
@settings(max_examples=20)
@given(case=cases(), cut=st.integers(1, 3))
def test_a_sentence_can_be_continued(form: Form, case: Case, cut: int) -> None:
    case = form.fitted(case)
    net = form.network(case)
    x = case.draw(case.B, 4, case.D, rng=case.rng())
    states, last = form.run(net, x)
    _, first = form.run(net, x[:, :cut])
    rest, end = form.run(net, x[:, cut:], first)
    assert_close(rest, states[:, cut:], case)
    assert_close(end, last, case)


@forms
def test_sequences_of_a_batch_do_not_see_each_other(form: Form) -> None:
    case = form.fitted(Case(B=3, T=4, D=2, H=3, L=2, seed=0))
    net = form.network(case)
    x = case.draw(3, 4, 2, rng=case.rng())
    changed = x.clone()
    changed[1] += 1
    kept, names = net(x), set(vars(net))
    for row in (0, 2):
        assert torch.equal(kept.states[row], net(changed).states[row])
    # nor does a call leave anything behind
    for found, wanted in zip(net(x), kept, strict=True):
        assert torch.equal(found, wanted)
    assert set(vars(net)) == names


# --- weights ----------------------------------------------------------------


@forms
@pytest.mark.parametrize("hidden", [1, 4, 100])
def test_weights_start_uniform_as_in_torch(form: Form, hidden: int) -> None:
    torch.manual_seed(0)
    net, bound = form.ours(50, hidden), hidden**-0.5
    for weight in net.parameters():
        assert weight.abs().max() <= bound
        if weight.numel() > 50:
            assert weight.abs().max() > 0.8 * bound
            assert abs(weight.mean()) < 5 * bound / weight.numel() ** 0.5


@forms
def test_weights_come_from_the_seed_and_can_be_drawn_anew(form: Form) -> None:
    case = form.fitted(Case(B=1, T=1, D=2, H=3, L=2, seed=3))
    first, second = form.network(case), form.network(case)
    for a, b in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(a, b)
    before = [p.detach().clone() for p in second.parameters()]
    second.reset_parameters()
    for old, new in zip(before, second.parameters(), strict=True):
        assert not torch.equal(old, new)
        assert new.requires_grad


@forms
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_works_and_stays(
    form: Form, dtype: torch.dtype
) -> None:
    net = form.ours(2, 3, dtype=dtype)
    x = torch.ones(2, 4, 2, dtype=dtype)
    states, last = form.run(net, x, None, torch.tensor([2, 4]))
    last.sum().backward()
    assert states.dtype == dtype
    for weight in net.parameters():
        assert weight.dtype == dtype
        assert gradient(weight).isfinite().all()


@parities
def test_from_torch_copies_and_does_not_share(form: Form) -> None:
    theirs = form.theirs(2, 3, dtype=torch.float64)
    ours = form.ours.from_torch(theirs)
    with torch.no_grad():
        for weight in ours.parameters():
            assert weight.dtype == torch.float64
            weight.zero_()
    for weight in theirs.parameters():
        assert weight.abs().min() > 0


@parities
@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"bidirectional": True}, "bidirectional=True"),
        ({"bias": False}, "bias=False"),
    ],
)
def test_from_torch_refuses_what_it_cannot_copy(
    form: Form, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(ValueError, match=rf"{form.name}\.from_torch") as found:
        form.ours.from_torch(form.theirs(2, 3, **options))
    assert words in str(found.value)


@parities
def test_from_torch_refuses_another_kind_of_network(form: Form) -> None:
    other = nn.GRU if form.theirs is nn.LSTM else nn.LSTM
    message = rf"torch\.nn\.{form.name}, not {other.__name__}"
    with pytest.raises(TypeError, match=message):
        form.ours.from_torch(other(2, 3))


# --- errors -----------------------------------------------------------------


@forms
@pytest.mark.parametrize(
    ("sizes", "name"),
    [
        ((0, 3), "input_size"),
        ((-1, 3), "input_size"),
        ((True, 3), "input_size"),
        (("2", 3), "input_size"),
        ((2, 0), "hidden_size"),
        ((2, 3.0), "hidden_size"),
    ],
)
def test_sizes_must_be_positive_integers(
    form: Form, sizes: Any, name: str
) -> None:
    with pytest.raises(ValueError, match=f"{name} must be a positive integer"):
        form.ours(*sizes)


X = torch.zeros(4, 5, 2)
IDS = torch.zeros(4, 5, dtype=torch.int64)
FULL = torch.full((4,), 5)
Call = Callable[[Any], Any]

BAD_CALLS: list[tuple[Call, type[Exception], list[str]]] = [
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
        lambda n: n(X, torch.zeros(4, 2)),
        ValueError,
        ["h_0", "4, 3)", "batch, hidden)", "(4, 2)"],
    ),
    (
        lambda n: n(X, torch.zeros(4, 3).double()),
        TypeError,
        ["h_0", "torch.float64", "torch.float32"],
    ),
    (lambda n: n(X, lengths=[5] * 4), TypeError, ["lengths", "list"]),
    (
        lambda n: n(X, lengths=FULL.float()),
        TypeError,
        ["lengths", "integers", "torch.float32"],
    ),
    (
        lambda n: n(X, lengths=FULL.bool()),
        TypeError,
        ["lengths", "integers", "torch.bool"],
    ),
    (lambda n: n(X, lengths=FULL[:3]), ValueError, ["lengths", "(4,)"]),
    (
        lambda n: n(X, lengths=FULL + 1),
        ValueError,
        ["lengths", "6 to 6", "between 1 and", "5"],
    ),
    (
        lambda n: n(X, lengths=FULL - 5),
        ValueError,
        ["lengths", "0 to 0", "between 1 and"],
    ),
    (
        lambda n: n(X, lengths=torch.tensor([-1, 5, 5, 5])),
        ValueError,
        ["lengths", "-1 to 5"],
    ),
]


@forms
@pytest.mark.parametrize(("call", "kind", "words"), BAD_CALLS)
def test_a_wrong_argument_is_named(
    form: Form, call: Call, kind: type[Exception], words: list[str]
) -> None:
    net = form.ours(2, 3)
    runs = [net] if form.name == "RNN" else [net, net.gates]
    for run in runs:
        with pytest.raises(kind) as caught:
            call(run)
        for word in words:
            assert word in str(caught.value)


stacks = pytest.mark.parametrize(
    "form", [FORMS["LSTM"], FORMS["GRU"]], ids=lambda f: f.name
)
START = torch.zeros(2, 4, 3)

BAD_STARTS: list[tuple[Any, type[Exception], list[str]]] = [
    (START[0], ValueError, ["(2, 4, 3) = (layers, batch, hidden)", "(4, 3)"]),
    (START[:1], ValueError, ["(2, 4, 3)", "(1, 4, 3)"]),
    (START[:, :1], ValueError, ["(2, 4, 3)", "(2, 1, 3)"]),
    (START.double(), TypeError, ["torch.float64"]),
]


@stacks
@pytest.mark.parametrize(("start", "kind", "words"), BAD_STARTS)
def test_a_wrong_start_of_two_layers_is_named(
    form: Form, start: Tensor, kind: type[Exception], words: list[str]
) -> None:
    net = form.ours(2, 3, 2)
    for given_ in range(form.states):
        starts = [START] * form.states
        starts[given_] = start
        with pytest.raises(kind) as caught:
            net(X, *starts)
        for word in [("h_0", "c_0")[given_], *words]:
            assert word in str(caught.value)


@stacks
@pytest.mark.parametrize("layers", [0, -1, 1.0, True, "1"])
def test_the_number_of_layers_is_a_positive_integer(
    form: Form, layers: Any
) -> None:
    with pytest.raises(ValueError, match=r"num_layers must be a positive"):
        form.ours(2, 3, layers)


@stacks
def test_one_layer_also_takes_a_start_without_an_axis_for_layers(
    form: Form,
) -> None:
    net = form.ours(2, 3)
    starts = torch.randn(form.states, 4, 3)
    short, long = net(X, *starts), net(X, *starts.unsqueeze(1))
    assert torch.equal(short.states, long.states)
    assert not torch.equal(short.states, net(X).states)


@stacks
def test_from_torch_refuses_dropout(form: Form) -> None:
    theirs = form.theirs(2, 3, num_layers=2, dropout=0.5)
    with pytest.raises(ValueError, match=r"dropout=0\.5"):
        form.ours.from_torch(theirs)


# --- under torch.func, in an ensemble, and without values -------------------


@forms
def test_many_networks_at_once(form: Form) -> None:
    nets = [form.ours(4, 3) for _ in range(2)]
    ids = torch.randint(4, (2, 3, 5))
    lengths = torch.tensor([[1, 5, 2], [5, 3, 4]])
    named = [dict(net.named_parameters()) for net in nets]
    weights = {k: torch.stack([n[k] for n in named]) for k in named[0]}

    def one(weights: dict[str, Tensor], x: Tensor, n: Tensor) -> Any:
        return functional_call(nets[0], weights, (x,), {"lengths": n})

    last = vmap(one)(weights, ids, lengths).last
    for k, net in enumerate(nets):
        wanted = net(ids[k], lengths=lengths[k]).last
        torch.testing.assert_close(last[k], wanted)
    with pytest.raises(ValueError, match=r"\(batch, time\)"):
        vmap(one)(weights, ids[:, 0], lengths)


@forms
def test_gradients_of_single_sentences(form: Form) -> None:
    net = form.ours(4, 3)
    weights: dict[str, Tensor] = dict(net.named_parameters())
    ids = torch.randint(4, (3, 5))

    def loss(weights: dict[str, Tensor], x: Tensor) -> Tensor:
        last: Tensor = functional_call(net, weights, (x[None],)).last
        return last.sum()

    each = vmap(grad(loss), in_dims=(None, 0))(weights, ids)
    net(ids).last.sum().backward()
    for name, weight in net.named_parameters():
        torch.testing.assert_close(each[name].sum(dim=0), gradient(weight))


@forms
def test_a_reader_can_be_built_of_it(form: Form) -> None:
    model = Ensemble(lambda: Reader(4, 3, 2, cell=form.ours), [0, 1, 2])
    ids = torch.randint(4, (3, 6, 5))
    scores = model(ids)
    assert scores.shape == (3, 6, 5, 2)
    for k in range(3):
        torch.testing.assert_close(scores[k], model.member(k)(ids[k]))
    scores.sum().backward()
    for weight in model.parameters():
        assert gradient(weight).isfinite().all()


@forms
def test_shapes_alone_are_enough_to_run(form: Form) -> None:
    ids = torch.zeros(2, 4, dtype=torch.int64, device="meta")
    out = form.ours(5, 3, device="meta")(ids)
    assert out.states.shape == (2, 4, 3)
    assert out.last.shape == (2, 3)
