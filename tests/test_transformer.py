"""The transformer is PyTorch's, layer by layer, and translates in order."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.utils._pytree import tree_map

from nlp_course.attention.cache import KeyValueCache
from nlp_course.attention.masks import (
    as_attn_mask,
    as_key_padding_mask,
    causal_mask,
    combine,
    padding_mask,
)
from nlp_course.decoding import beam_search, greedy
from nlp_course.training import Ensemble
from nlp_course.training.seeds import seeded
from nlp_course.transformer import (
    Decoder,
    DecoderLayer,
    DecoderLayerOutput,
    Embedding,
    Encoder,
    EncoderLayer,
    EncoderLayerOutput,
    FeedForward,
    LayerNorm,
    Residual,
    Transformer,
    normalise,
)

DOUBLE: dict[str, Any] = {"dtype": torch.float64}


@dataclass(frozen=True)
class Case:
    """Random sizes and a seed."""

    B: int
    T: int
    N: int
    A: int
    d: int
    H: int
    norm_first: bool
    activation: str
    seed: int

    @property
    def D(self) -> int:
        return self.A * self.d

    def torch_options(self) -> dict[str, Any]:
        return {
            "d_model": self.D,
            "nhead": self.A,
            "dim_feedforward": self.H,
            "dropout": 0.0,
            "activation": self.activation,
            "batch_first": True,
            "norm_first": self.norm_first,
            **DOUBLE,
        }


cases = st.builds(
    Case,
    B=st.integers(1, 3),
    T=st.integers(1, 5),
    N=st.integers(1, 5),
    A=st.integers(1, 3),
    d=st.integers(2, 4),
    H=st.integers(1, 9),
    norm_first=st.booleans(),
    activation=st.sampled_from(["relu", "gelu"]),
    seed=st.integers(0, 10_000),
)


def close(found: Tensor, wanted: Tensor) -> None:
    torch.testing.assert_close(found, wanted, rtol=1e-10, atol=1e-10)


def shake(module: nn.Module) -> None:
    """Move gains from 1 and biases from 0, where mistakes could hide."""
    with torch.no_grad():
        for weight in module.parameters():
            if weight.dim() == 1:
                weight.add_(torch.randn_like(weight))


def gradients(output: Tensor, wanted: Sequence[Tensor]) -> tuple[Tensor, ...]:
    weigh = torch.linspace(-1, 1, output.numel(), **DOUBLE)
    return torch.autograd.grad(
        (output * weigh.view_as(output)).sum(), wanted, retain_graph=True
    )


# --- layer norm -------------------------------------------------------------


def test_the_deviation_of_layer_norm_is_the_biased_one() -> None:
    x = torch.tensor([1.0, 0.0, 0.0, 0.0], **DOUBLE)
    found = normalise(x, eps=1e-12)
    assert found[0].item() == pytest.approx(math.sqrt(3))  # not 1.5
    assert found[1].item() == pytest.approx(-1 / math.sqrt(3))
    assert found.mean().abs() < 1e-12
    assert found.square().mean().item() == pytest.approx(1)


@settings(max_examples=50)
@given(
    shape=st.lists(st.integers(1, 4), min_size=0, max_size=3),
    D=st.integers(1, 6),
    eps=st.sampled_from([1e-5, 1e-2, 1.0]),
    seed=st.integers(0, 10_000),
)
def test_layer_norm_is_pytorchs(
    shape: list[int], D: int, eps: float, seed: int
) -> None:
    with seeded(seed):
        theirs = nn.LayerNorm(D, eps=eps, **DOUBLE)
        shake(theirs)
        x = torch.randn(*shape, D, **DOUBLE, requires_grad=True)
    ours = LayerNorm.from_torch(theirs)
    wanted = theirs(x)
    due = gradients(wanted, [x, theirs.weight, theirs.bias])
    by_formula = ours.gain * normalise(x, eps) + ours.bias
    for found in (ours(x), by_formula):
        close(found, wanted)
        got = gradients(found, [x, ours.gain, ours.bias])
        for a, b in zip(got, due, strict=True):
            close(a, b)


@settings(max_examples=30)
@given(seed=st.integers(0, 10_000), D=st.integers(3, 8))
def test_layer_norm_projects_two_directions_out(seed: int, D: int) -> None:
    with seeded(seed):
        x = torch.randn(D, **DOUBLE)
    jacobian = torch.autograd.functional.jacobian(
        lambda v: normalise(v, eps=1e-12), x
    )
    assert (jacobian @ torch.ones(D, **DOUBLE)).abs().max() < 1e-8
    assert (jacobian @ (x - x.mean())).abs().max() < 1e-8
    assert int(torch.linalg.matrix_rank(jacobian, rtol=1e-8)) == D - 2


def test_equal_features_become_the_bias() -> None:
    norm = LayerNorm(3)
    with torch.no_grad():
        norm.bias.copy_(torch.tensor([1.0, 2.0, 3.0]))
    assert torch.equal(norm(torch.full((2, 3), 7.0)), norm.bias.expand(2, 3))


def test_errors_of_layer_norm() -> None:
    with pytest.raises(ValueError, match="eps must be positive"):
        LayerNorm(3, eps=0.0)
    with pytest.raises(ValueError, match="3 features on its last axis"):
        LayerNorm(3)(torch.zeros(2, 4))
    with pytest.raises(TypeError, match=r"convert with x\.to"):
        LayerNorm(3)(torch.zeros(2, 3, **DOUBLE))
    with pytest.raises(ValueError, match="width must be a positive"):
        LayerNorm(0)
    with pytest.raises(TypeError, match=r"expected a nn\.LayerNorm, not Lin"):
        LayerNorm.from_torch(nn.Linear(2, 2))  # type: ignore[arg-type]
    for odd in (
        nn.LayerNorm((2, 3)),
        nn.LayerNorm(3, elementwise_affine=False),
        nn.LayerNorm(3, bias=False),
    ):
        with pytest.raises(ValueError, match="over the last axis"):
            LayerNorm.from_torch(odd)


# --- feed-forward -----------------------------------------------------------


MIDDLES = {
    "relu": nn.ReLU(),
    "gelu": nn.GELU(),
    "gelu_tanh": nn.GELU(approximate="tanh"),
}


@pytest.mark.parametrize("activation", list(MIDDLES))
def test_feed_forward_is_two_linear_layers(activation: str) -> None:
    with seeded(1):
        ours = FeedForward(3, 5, activation=activation, **DOUBLE)
        shake(ours)
        x = torch.randn(2, 4, 3, **DOUBLE)
    middle = MIDDLES[activation]
    wanted = middle(x @ ours.W_1.T + ours.b_1) @ ours.W_2.T + ours.b_2
    close(ours(x), wanted)
    alone = [ours(x[:, t]) for t in range(4)]  # each word by itself
    close(ours(x), torch.stack(alone, dim=1))


def test_errors_of_feed_forward() -> None:
    with pytest.raises(ValueError, match='one of "relu", "gelu", "gel'):
        FeedForward(3, 5, activation="tanh")
    with pytest.raises(ValueError, match="hidden must be a positive"):
        FeedForward(3, 0)
    with pytest.raises(ValueError, match="must have 3 features"):
        FeedForward(3, 5)(torch.zeros(2, 5))
    with pytest.raises(TypeError, match="convert with"):
        FeedForward(3, 5)(torch.zeros(2, 3, **DOUBLE))


# --- layers -----------------------------------------------------------------


def draw_mask(case: Case, T: int, N: int) -> Tensor:
    """Some pairs forbidden, never all of a row."""
    allowed = torch.rand(case.B, T, N) < 0.6
    allowed[..., 0] = True
    return allowed


def match(
    ours: nn.Module, theirs: nn.Module, names: dict[str, str]
) -> list[tuple[Tensor, Tensor]]:
    """Pairs of weights with gradients of one shape; Q, K, V together."""
    mine, other = (
        dict(ours.named_parameters()),
        dict(theirs.named_parameters()),
    )
    pairs: list[tuple[Tensor, Tensor]] = []
    for their_name, our_name in names.items():
        pairs.append((mine[our_name], other[their_name]))
    return pairs


COMMON = {
    "linear1.weight": "feed_forward.W_1",
    "linear1.bias": "feed_forward.b_1",
    "linear2.weight": "feed_forward.W_2",
    "linear2.bias": "feed_forward.b_2",
    "self_attn.out_proj.weight": "attention.W_O",
    "self_attn.out_proj.bias": "attention.b_O",
    "norm1.weight": "attention_path.norm.gain",
    "norm1.bias": "attention_path.norm.bias",
}
ENCODER = COMMON | {
    "norm2.weight": "feed_forward_path.norm.gain",
    "norm2.bias": "feed_forward_path.norm.bias",
}
DECODER = COMMON | {
    "multihead_attn.out_proj.weight": "cross_attention.W_O",
    "multihead_attn.out_proj.bias": "cross_attention.b_O",
    "norm2.weight": "cross_path.norm.gain",
    "norm2.bias": "cross_path.norm.bias",
    "norm3.weight": "feed_forward_path.norm.gain",
    "norm3.bias": "feed_forward_path.norm.bias",
}


def compare(
    ours: nn.Module,
    theirs: nn.Module,
    found: Tensor,
    wanted: Tensor,
    inputs: list[Tensor],
) -> None:
    """Values, gradients of inputs and of every weight."""
    close(found, wanted)
    decoder = isinstance(ours, DecoderLayer)
    pairs = match(ours, theirs, DECODER if decoder else ENCODER)
    got = gradients(found, [*inputs, *(a for a, _ in pairs)])
    due = gradients(wanted, [*inputs, *(b for _, b in pairs)])
    for a, b in zip(got, due, strict=True):
        close(a, b)
    kinds = {"attention": "self_attn"}
    if decoder:
        kinds["cross_attention"] = "multihead_attn"
    mine, other = (
        dict(ours.named_parameters()),
        dict(theirs.named_parameters()),
    )
    for name, their in kinds.items():
        for kind, whole in (("W", "weight"), ("b", "bias")):
            parts = [mine[f"{name}.{kind}_{k}"] for k in "QKV"]
            (joint,) = gradients(wanted, [other[f"{their}.in_proj_{whole}"]])
            close(torch.cat(gradients(found, parts)), joint)


@settings(max_examples=40)
@given(case=cases, masked=st.booleans())
def test_the_encoder_layer_is_pytorchs(case: Case, masked: bool) -> None:
    with seeded(case.seed):
        theirs = nn.TransformerEncoderLayer(**case.torch_options())
        shake(theirs)
        x = torch.randn(case.B, case.T, case.D, **DOUBLE, requires_grad=True)
        mask = draw_mask(case, case.T, case.T) if masked else None
    ours = EncoderLayer.from_torch(theirs)
    hidden = None if mask is None else as_attn_mask(mask, case.A)
    found, wanted = ours(x, mask), theirs(x, src_mask=hidden)
    assert isinstance(found, Tensor)
    compare(ours, theirs, found, wanted, [x])
    named = ours(x, mask, return_weights=True)
    assert isinstance(named, EncoderLayerOutput)
    close(named.states, found)
    assert named.weights.shape == (case.B, case.A, case.T, case.T)
    close(named.weights.sum(-1), torch.ones(case.B, case.A, case.T, **DOUBLE))


@settings(max_examples=40)
@given(case=cases, masked=st.booleans())
def test_the_decoder_layer_is_pytorchs(case: Case, masked: bool) -> None:
    with seeded(case.seed):
        theirs = nn.TransformerDecoderLayer(**case.torch_options())
        shake(theirs)
        x = torch.randn(case.B, case.T, case.D, **DOUBLE, requires_grad=True)
        memory = torch.randn(
            case.B, case.N, case.D, **DOUBLE, requires_grad=True
        )
        lengths = torch.randint(1, case.N + 1, (case.B,))
    ours = DecoderLayer.from_torch(theirs)
    mask = causal_mask(case.T) if masked else None
    seen = padding_mask(lengths, case.N) if masked else None
    found = ours(x, memory, mask, seen)
    wanted = theirs(
        x,
        memory,
        tgt_mask=None if mask is None else as_attn_mask(mask),
        memory_key_padding_mask=(
            None if seen is None else as_key_padding_mask(seen)
        ),
    )
    compare(ours, theirs, found, wanted, [x, memory])
    named = ours(x, memory, mask, seen, return_weights=True)
    assert isinstance(named, DecoderLayerOutput)
    close(named.states, found)
    assert named.self_weights.shape == (case.B, case.A, case.T, case.T)
    assert named.cross_weights.shape == (case.B, case.A, case.T, case.N)
    if masked:
        later = ~causal_mask(case.T).expand_as(named.self_weights)
        assert (named.self_weights[later] == 0).all()


def test_the_tanh_gelu_is_taken_over() -> None:
    theirs = nn.TransformerEncoderLayer(
        6, 2, 8, 0.0, nn.GELU(approximate="tanh"), batch_first=True, **DOUBLE
    )
    x = 3 * torch.randn(2, 4, 6, **DOUBLE)
    found = EncoderLayer.from_torch(theirs)(x)
    assert isinstance(found, Tensor)
    close(found, theirs(x))


@pytest.mark.parametrize("norm_first", [True, False])
def test_the_epsilon_reaches_every_norm(norm_first: bool) -> None:
    eps = 0.7
    stack = Encoder(6, 2, 2, norm_first=norm_first, eps=eps, **DOUBLE)
    found = [m.eps for m in stack.modules() if isinstance(m, LayerNorm)]
    assert found == [eps] * (4 + norm_first)


def test_dropout_drops_shares_of_the_change_in_training_only() -> None:
    path = Residual(1000, dropout=0.25, **DOUBLE)
    x, change = torch.zeros(1, 1, 1000, **DOUBLE), torch.ones(1000, **DOUBLE)
    with seeded(0):
        joined = path.join(x, change)
    assert set(joined.flatten().tolist()) == {0.0, 1 / 0.75}
    assert 180 < int((joined == 0).sum()) < 320
    close(path.eval().join(x, change), x + change)
    with seeded(1):
        stack = Encoder(6, 2, dropout=0.5, **DOUBLE)
        y = torch.randn(2, 4, 6, **DOUBLE)
        changed = stack(y).states
    with seeded(1):
        plain = Encoder(6, 2, **DOUBLE)
    assert not torch.allclose(changed, plain(y).states)
    close(stack.eval()(y).states, plain(y).states)
    with pytest.raises(ValueError, match="dropout must be a number from 0"):
        EncoderLayer(6, 2, dropout=1.0)


@settings(max_examples=15, deadline=None)
@given(
    pieces=st.lists(st.integers(1, 4), min_size=1, max_size=4),
    norm_first=st.booleans(),
    seed=st.integers(0, 10_000),
)
def test_a_causal_encoder_reads_piece_by_piece(
    pieces: list[int], norm_first: bool, seed: int
) -> None:
    T = sum(pieces)
    with seeded(seed):
        stack = Encoder(6, 2, 2, norm_first=norm_first, **DOUBLE)
        x = torch.randn(2, T, 6, **DOUBLE)
    whole = stack(x, causal_mask(T))
    caches = [KeyValueCache(room=2) for _ in stack.layers]
    found: list[Tensor] = []
    with torch.no_grad():
        for piece in x.split(pieces, dim=1):
            n = piece.shape[1]
            mask = causal_mask(n, len(caches[0]) + n)
            found.append(stack(piece, mask, caches=caches).states)
    close(torch.cat(found, dim=1), whole.states)


def test_an_encoder_wants_a_cache_for_each_layer() -> None:
    with pytest.raises(ValueError, match="1 caches for 2 layers"):
        Encoder(6, 2, 2)(torch.zeros(1, 1, 6), caches=[KeyValueCache()])


def test_layers_that_have_no_counterpart_are_refused() -> None:
    kind = nn.TransformerEncoderLayer
    with pytest.raises(TypeError, match="TransformerEncoderLayer, not Linear"):
        EncoderLayer.from_torch(nn.Linear(2, 2))  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="TransformerDecoderLayer, not Tran"):
        DecoderLayer.from_torch(kind(4, 2))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="without biases"):
        EncoderLayer.from_torch(kind(4, 2, bias=False))
    with pytest.raises(ValueError, match="has no counterpart"):
        EncoderLayer.from_torch(kind(4, 2, activation=torch.tanh))
    assert EncoderLayer.from_torch(
        kind(4, 2, activation=nn.GELU())
    ).feed_forward.activation == "gelu"  # fmt: skip


def test_pre_and_post_norm_are_two_functions() -> None:
    with seeded(0):
        x, change = torch.randn(2, 1, 3, 4, **DOUBLE)
        pre = Residual(4, norm_first=True, **DOUBLE)
        post = Residual(4, norm_first=False, **DOUBLE)
    close(pre.enter(x), normalise(x))
    close(pre.join(x, change), x + change)
    close(post.enter(x), x)
    close(post.join(x, change), normalise(x + change))


@settings(max_examples=20)
@given(case=cases)
def test_the_encoder_without_positions_does_not_see_the_order(
    case: Case,
) -> None:
    with seeded(case.seed):
        encoder = Encoder(
            case.D, case.A, 2, hidden=case.H, norm_first=case.norm_first,
            **DOUBLE,
        )  # fmt: skip
        x = torch.randn(case.B, case.N, case.D, **DOUBLE)
        order = torch.randperm(case.N)
    close(encoder(x[:, order]).states, encoder(x).states[:, order])


def test_shapes_that_do_not_fit_are_named() -> None:
    layer, decoder = EncoderLayer(4, 2), DecoderLayer(4, 2)
    x, memory = torch.zeros(2, 3, 4), torch.zeros(2, 5, 4)
    with pytest.raises(ValueError, match=r"x must have shape .*, 4\), not"):
        layer(torch.zeros(2, 3, 5))
    with pytest.raises(ValueError, match="x is empty"):
        layer(x[:, :0])
    with pytest.raises(ValueError, match="memory must have shape"):
        decoder(x, torch.zeros(2, 5, 3))
    with pytest.raises(ValueError, match="memory holds 1 sentences"):
        decoder(x, memory[:1])
    with pytest.raises(ValueError, match="past holds 1 sentences"):
        decoder(x, memory, past=x[:1])
    with pytest.raises(TypeError, match="must hold booleans"):
        layer(x, torch.ones(3, 3))
    with pytest.raises(ValueError, match="does not fit 3 queries and 5 keys"):
        decoder(x, memory, None, causal_mask(3))
    with pytest.raises(ValueError, match="3 heads cannot share 4"):
        EncoderLayer(4, 3)
    with pytest.raises(ValueError, match="past holds 1 layers, the decoder"):
        Decoder(4, 2, 2)(x, memory, past=(x,))
    with pytest.raises(ValueError, match="layers must be a positive"):
        Encoder(4, 2, 0)


# --- the translator ---------------------------------------------------------


def translator(seed: int = 0, **options: Any) -> Transformer:
    with seeded(seed):
        model = Transformer(
            9, 7, width=8, heads=2, hidden=12, **{**DOUBLE, **options}
        )
        shake(model)
    return model


def sentences(seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    with seeded(seed + 100):
        source = torch.randint(4, 9, (3, 5))
        target_in = torch.randint(4, 7, (3, 6))
    target_in[:, 0] = 2
    lengths = torch.tensor([5, 2, 3])
    return source * (torch.arange(5) < lengths[:, None]), lengths, target_in


every_kind = pytest.mark.parametrize(
    "options",
    [
        {},
        {"norm_first": False, "activation": "gelu"},
        {"layers": 3},
        {"layers": 2, "positions": "learned", "longest": 6},
        {"positions": None},
    ],
)


@every_kind
def test_teacher_forcing_is_step_by_step(options: dict[str, Any]) -> None:
    model = translator(**options)
    source, lengths, target_in = sentences()
    whole = model(source, lengths, target_in)
    state, logits = model.encode(source, lengths), []
    for word in target_in.unbind(dim=1):
        scores, state = model.step(word, state)
        logits.append(scores)
    close(torch.stack(logits, dim=1), whole)
    close(model.attention(source, lengths, target_in).logits, whole)


@every_kind
def test_a_batch_is_its_sentences_one_by_one(options: dict[str, Any]) -> None:
    model = translator(**options)
    source, lengths, target_in = sentences()
    whole = model(source, lengths, target_in)
    for k, n in enumerate(lengths.tolist()):
        alone = model(
            source[k : k + 1, :n], lengths[k : k + 1], target_in[k : k + 1]
        )
        close(alone[0], whole[k])
    other = source.clone()
    other[1, 2:] = 5  # words where padding was
    assert torch.equal(model(other, lengths, target_in), whole)


@every_kind
def test_no_word_of_the_future_leaks(options: dict[str, Any]) -> None:
    model = translator(**options)
    source, lengths, target_in = sentences()
    x = model.embed_target(target_in).detach().requires_grad_()
    state = model.encode(source, lengths)
    states = model.decoder(x, state.memory, state.mask).states
    for t in range(6):
        (of_x,) = torch.autograd.grad(
            states[:, t].sum() + states[:, t].square().sum(), x,
            retain_graph=True,
        )  # fmt: skip
        assert (of_x[:, t + 1 :] == 0).all()
        assert (of_x[:, t] != 0).any()
        assert t == 0 or (of_x[:, 0] != 0).any()


def test_the_decoder_reads_the_source_and_only_its_real_words() -> None:
    model = translator()
    source, lengths, target_in = sentences()
    state = model.encode(source, lengths)
    memory = state.memory.detach().requires_grad_()
    x = model.embed_target(target_in)
    states = model.decoder(x, memory, state.mask).states
    (of_memory,) = torch.autograd.grad(states.square().sum(), memory)
    real = torch.arange(5) < lengths[:, None]
    assert (of_memory[~real] == 0).all()
    assert (of_memory[real].abs().sum(-1) > 0).all()


def test_positions_are_added_once_below_the_first_layer() -> None:
    model = translator(layers=2, positions="learned", longest=6)
    source, lengths, target_in = sentences()
    positions = [n for n, _ in model.named_parameters() if n.endswith(".P")]
    assert positions == [
        "embed_source.positions.P", "embed_target.positions.P",
    ]  # fmt: skip
    whole = model(source, lengths, target_in)
    rows = dict(model.named_parameters())
    x = rows["embed_source.E"][source] + rows[positions[0]][:5]
    mask = padding_mask(lengths, 5)
    memory = model.encoder(x, mask).states
    y = rows["embed_target.E"][target_in] + rows[positions[1]][:6]
    states = model.decoder(y, memory, mask).states
    close(model.readout(states), whole)


def test_the_state_can_be_reordered() -> None:
    model = translator(layers=2)
    source, lengths, target_in = sentences()
    state = model.encode(source, lengths)
    for word in target_in[:, :3].unbind(dim=1):
        _, state = model.step(word, state)
    rows = torch.tensor([2, 0, 0, 1])
    taken = tree_map(lambda t: t[rows], state)
    found, _ = model.step(target_in[rows, 3], taken)
    wanted, _ = model.step(target_in[:, 3], state)
    close(found, wanted[rows])


def test_greedy_and_beams_decode_it() -> None:
    model = translator()
    source, lengths, _ = sentences()
    one = greedy(model, source, lengths, 8)
    same = beam_search(model, source, lengths, 8, 1)
    assert torch.equal(one.ids[:, : same.ids.shape[1]], same.ids)
    for beams in (2, 4):
        found = beam_search(model, source, lengths, 8, beams)
        k = found.ids.shape[1]
        fed = torch.cat([torch.full((3, 1), 2), found.ids[:, :-1]], dim=1)
        log_p = model(source, lengths, fed).log_softmax(-1)
        taken = log_p.gather(-1, found.ids.unsqueeze(-1)).squeeze(-1)
        real = torch.arange(k) < found.lengths[:, None]
        close((taken * real).sum(1), found.log_probs.double())


def test_errors_of_the_translator() -> None:
    model = translator(positions="learned", longest=6)
    source, lengths, target_in = sentences()
    with pytest.raises(ValueError, match="the sequence reaches position 6"):
        model(source, lengths, torch.full((3, 7), 4))
    with pytest.raises(ValueError, match="holds ids from 9 to 9"):
        model(torch.full((3, 5), 9), lengths, target_in)
    with pytest.raises(ValueError, match="lengths run from 2 to 6"):
        model(source, torch.tensor([6, 2, 3]), target_in)
    with pytest.raises(ValueError, match="at least one word"):
        model(source, lengths, target_in[:, :0])
    with pytest.raises(TypeError, match="must hold int64"):
        model(source.double(), lengths, target_in)
    with pytest.raises(ValueError, match="memory holds 3 sentences"):
        model.step(target_in[:2, 0], model.encode(source, lengths))
    with pytest.raises(ValueError, match="learned positions need longest"):
        Embedding(5, 4, positions="learned")
    with pytest.raises(ValueError, match='"sinusoidal", "learned" or None'):
        Embedding(5, 4, positions="sine")
    with pytest.raises(ValueError, match="width must be even"):
        Embedding(5, 3)
    state = model.encode(source, lengths)
    for _ in range(6):
        _, state = model.step(target_in[:, 0], state)
    with pytest.raises(ValueError, match="build it with longest=7"):
        model.step(target_in[:, 0], state)


def test_numbers_of_weights() -> None:
    def count(module: nn.Module) -> int:
        return sum(w.numel() for w in module.parameters())

    D, H = 8, 20
    attention, feed_forward, norm = 4 * D * D + 4 * D, 2 * D * H + H + D, 2 * D
    encoder = attention + feed_forward + 2 * norm
    decoder = 2 * attention + feed_forward + 3 * norm
    assert count(EncoderLayer(D, 2, hidden=H)) == encoder
    assert count(DecoderLayer(D, 2, hidden=H)) == decoder
    assert count(Encoder(D, 2, 3, hidden=H)) == 3 * encoder + norm
    post = Decoder(D, 2, 3, hidden=H, norm_first=False)
    assert count(post) == 3 * decoder
    usual = attention + 2 * norm + 2 * D * 4 * D + 5 * D
    assert count(EncoderLayer(D, 2)) == usual


def test_it_works_in_an_ensemble() -> None:
    model = Ensemble(lambda: Transformer(9, 7, width=8, heads=2), [0, 1])
    source, lengths, target_in = (
        torch.stack([t, t.flip(0)]) for t in sentences()
    )
    logits = model(source, lengths, target_in)
    assert logits.shape == (2, 3, 6, 7)
    for k in range(2):
        wanted = model.member(k)(source[k], lengths[k], target_in[k])
        torch.testing.assert_close(logits[k], wanted, rtol=1e-4, atol=1e-5)


def test_masks_combine_in_an_encoder_that_looks_back_only() -> None:
    with seeded(3):
        encoder = Encoder(4, 2, 2, **DOUBLE)
        x = torch.randn(2, 5, 4, **DOUBLE)
    mask = combine(causal_mask(5), padding_mask(torch.tensor([5, 3]), 5))
    whole = encoder(x, mask, return_weights=True)
    assert len(whole.weights) == 2
    close(encoder(x[:, :3], causal_mask(3)).states, whole.states[:, :3])
