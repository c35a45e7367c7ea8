"""GPT: a causal stack, a tied readout, and the same function as GPT-2."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from nlp_course.attention.cache import KeyValueCache
from nlp_course.gpt import GPT, GPT2_CONFIGS, GPT3_CONFIG, GPTConfig
from nlp_course.parity import largest_difference
from nlp_course.training import generator, seeded

DOUBLE: dict[str, Any] = {"dtype": torch.float64}
SMALL = GPTConfig(11, longest=16, width=8, heads=2, layers=2, std=0.3)


def build(config: GPTConfig = SMALL, seed: int = 0) -> GPT:
    """A model whose gains and biases are not 1 and 0."""
    with seeded(seed):
        model = GPT(config, **DOUBLE)
        with torch.no_grad():
            for weight in model.parameters():
                if weight.dim() == 1:
                    weight.add_(0.3 * torch.randn_like(weight))
    return model


def text(*shape: int, V: int = 11, seed: int = 1) -> Tensor:
    return torch.randint(V, shape, generator=generator(seed))


def test_shapes() -> None:
    model, ids = build(), text(3, 7)
    assert model(ids).shape == (3, 7, 11)
    weights = model.attention(ids)
    assert [w.shape for w in weights] == [(3, 2, 7, 7)] * 2
    for w in weights:
        torch.testing.assert_close(w.sum(-1), torch.ones(3, 2, 7, **DOUBLE))
        assert torch.equal(w, w.tril()), "nothing on later tokens"
    assert model.longest == 16


def test_the_model_is_the_sum_of_its_parts() -> None:
    model, ids = build(), text(2, 5)
    E, P = model.embedding.E, model.get_parameter("embedding.positions.P")
    x = E[ids] + P[:5]
    mask = torch.ones(5, 5, dtype=torch.bool).tril()
    for layer in model.stack.layers:
        x = layer(x, mask)
    logits = model.stack.norm(x) @ E.T
    torch.testing.assert_close(model(ids), logits)


def test_no_gradient_comes_from_the_future() -> None:
    model, ids = build(), text(1, 6)
    kept: list[Tensor] = []

    def keep(_module: nn.Module, _given: Any, x: Tensor) -> None:
        x.retain_grad()
        kept.append(x)

    handle = model.embedding.register_forward_hook(keep)
    for t in range(6):
        model(ids)[0, t].square().sum().backward()
        grad = kept[-1].grad
        assert grad is not None
        assert torch.equal(grad[0, t + 1 :], torch.zeros(5 - t, 8, **DOUBLE))
        assert (grad[0, : t + 1].abs().sum(-1) > 0).all()
    handle.remove()


def test_a_score_does_not_depend_on_later_tokens() -> None:
    model, ids = build(), text(2, 9)
    torch.testing.assert_close(model(ids)[:, :4], model(ids[:, :4]))


SPLITS = [[9], [1] * 9, [4, 5], [1, 8], [8, 1], [3, 1, 2, 3]]


@pytest.mark.parametrize("pieces", SPLITS)
def test_read_in_pieces_it_says_the_same(pieces: list[int]) -> None:
    model, ids = build(), text(3, 9)
    whole, state, read = model(ids), None, 0
    for piece in ids.split(pieces, dim=1):
        logits, state = model.extend(piece, state)
        read += piece.shape[1]
        torch.testing.assert_close(
            logits, whole[:, read - 1], rtol=0, atol=1e-12
        )
        assert not logits.requires_grad
        assert [len(cache) for cache in state] == [read, read]


def test_a_text_begins_anew_without_caches() -> None:
    model, ids = build(), text(1, 4)
    model.extend(ids)
    again, _ = model.extend(ids)
    torch.testing.assert_close(again, model(ids)[:, -1])


def test_the_longest_text_is_read_and_a_longer_one_refused() -> None:
    model, ids = build(), text(1, 17)
    _, state = model.extend(ids[:, :15])
    logits, state = model.extend(ids[:, 15:16], state)
    torch.testing.assert_close(logits, model(ids[:, :16])[:, -1])
    with pytest.raises(ValueError, match="position 16"):
        model.extend(ids[:, 16:], state)
    assert len(state[0]) == 16, "a refused token leaves the caches alone"
    with pytest.raises(ValueError, match="position 16"):
        model(ids)


def test_reading_and_writing_use_one_and_the_same_matrix() -> None:
    model, ids = build(), text(2, 4)
    names = [name for name, _ in model.named_parameters()]
    assert len([n for n in names if "readout" in n or "head" in n]) == 0
    E = model.embedding.E
    hidden = model.stack(model.embedding(ids)).states
    before = model(ids)
    with torch.no_grad():
        E[7] += 1.0  # a token that is not in the text, if it is drawn so
    changed = (model(ids) - before).abs().amax(dim=(0, 1)) > 1e-9
    assert changed[7]
    assert hidden.shape[-1] == E.shape[1]
    # the gradient of E is the sum of both of its uses
    model.zero_grad()
    logits = model(ids)
    logits.square().sum().backward()
    grad = E.grad
    assert grad is not None
    step = 1e-6
    with torch.no_grad():
        for entry in ((3, 2), (7, 0), (0, 5)):
            ends = []
            for sign in (1, -2):
                E[entry] += sign * step
                ends.append(model(ids).square().sum().item())
            E[entry] += step
            slope = (ends[0] - ends[1]) / (2 * step)
            assert grad[entry].item() == pytest.approx(slope, rel=1e-4)


def test_tied_weights_stay_tied_when_the_model_moves() -> None:
    model, ids = build(), text(1, 4)
    other = GPT(SMALL, **DOUBLE)
    other.load_state_dict(model.state_dict())
    assert torch.equal(other(ids), model(ids))
    torch.testing.assert_close(
        model.float()(ids), other(ids).float(), rtol=1e-4, atol=1e-4
    )


def test_how_the_weights_start() -> None:
    config = GPTConfig(500, 200, width=120, heads=4, layers=6)
    with seeded(0):
        model = GPT(config)
    small = 0.02 / math.sqrt(2 * 6)
    for name, weight in model.named_parameters():
        if weight.dim() == 2:
            onto_path = name.endswith(("W_O", "W_2"))
            wanted = small if onto_path else 0.02
            assert weight.std().item() == pytest.approx(wanted, rel=0.05), name
        else:
            value = 1.0 if name.endswith("gain") else 0.0
            assert torch.equal(weight, torch.full_like(weight, value)), name
    untouched = sum(n.endswith(("W_O", "W_2")) for n in model.state_dict())
    assert untouched == 12


def test_seeds_decide_the_start() -> None:
    ids = text(1, 4)
    assert torch.equal(build(seed=3)(ids), build(seed=3)(ids))
    assert not torch.equal(build(seed=3)(ids), build(seed=4)(ids))


def test_dropout_acts_in_training_alone() -> None:
    config = GPTConfig(11, 16, 8, 2, 2, dropout=0.5, std=0.3)
    model, ids = build(config), text(2, 6)
    plain = build(GPTConfig(11, 16, 8, 2, 2, std=0.3))
    model.eval()
    assert torch.equal(model(ids), plain(ids))
    model.train()
    with seeded(0):
        first, second = model(ids), model(ids)
    assert not torch.equal(first, second)
    # also the input itself is dropped, not only what the layers add
    for layer in model.stack.layers:
        layer.eval()
    assert not torch.equal(model(ids), model(ids))


def test_sizes_of_the_published_models() -> None:
    def formula(c: GPTConfig) -> int:
        D = c.width
        layer = (4 * D * D + 4 * D) + (8 * D * D + 5 * D) + 4 * D
        return (c.vocabulary + c.longest) * D + c.layers * layer + 2 * D

    counted = {}
    for name, config in {**GPT2_CONFIGS, "gpt3": GPT3_CONFIG}.items():
        model = GPT(config, device="meta")
        counted[name] = sum(w.numel() for w in model.parameters())
        assert counted[name] == formula(config), name
    assert counted["gpt2"] == 124_439_808
    assert counted["gpt2-xl"] == 1_557_611_200
    assert round(counted["gpt3"] / 1e9) == 175


def test_clear_errors() -> None:
    model = build()
    for sizes in ({"vocabulary": 0}, {"layers": 0}, {"longest": 1.5}):
        with pytest.raises(ValueError, match="must be a positive integer"):
            GPTConfig(**{"vocabulary": 5, **sizes})  # type: ignore[arg-type]
    for dropout in (-0.1, 1.0, math.nan):
        with pytest.raises(ValueError, match="dropout must be a number"):
            GPTConfig(5, dropout=dropout)
    with pytest.raises(ValueError, match="width"):
        GPT(GPTConfig(5, width=9, heads=2))
    with pytest.raises(ValueError, match="activation"):
        GPT(GPTConfig(5, activation="tanh"))
    with pytest.raises(ValueError, match=r"\(batch, words\)"):
        model(text(4))
    with pytest.raises(ValueError, match=r"\(batch, words\)"):
        model(text(2, 4)[:, :0])
    with pytest.raises(ValueError, match="vocabulary"):
        model(torch.full((1, 3), 11))
    with pytest.raises(TypeError, match="ids"):
        model(torch.rand(1, 3))
    with pytest.raises(ValueError, match="3 caches for 2 layers"):
        model.extend(text(1, 3), [KeyValueCache() for _ in range(3)])
    _, state = model.extend(text(2, 3))
    with pytest.raises(ValueError, match="do not continue it"):
        model.extend(text(3, 1), state)


# ---- the same function as GPT-2 of Hugging Face -------------------------

CONFIGS = [
    pytest.param(
        config, function, id=f"D{config.width}A{config.heads}L{config.layers}"
    )
    for config, function in (
        (GPTConfig(13, 10, width=8, heads=2, layers=1), "gelu_new"),
        (GPTConfig(7, 5, width=12, heads=3, layers=2, hidden=20), "gelu_new"),
        (GPTConfig(30, 9, width=6, heads=1, layers=3, eps=1e-2), "gelu_new"),
        (
            GPTConfig(5, 12, width=16, heads=4, layers=4, activation="gelu"),
            "gelu",
        ),
    )
]


def theirs(config: GPTConfig, function: str, seed: int) -> Any:
    """A GPT2LMHeadModel with random weights, all of them away from 0."""
    transformers = pytest.importorskip("transformers")
    with seeded(seed):
        model = transformers.GPT2LMHeadModel(
            transformers.GPT2Config(
                vocab_size=config.vocabulary,
                n_positions=config.longest,
                n_embd=config.width,
                n_layer=config.layers,
                n_head=config.heads,
                n_inner=config.hidden,
                activation_function=function,
                layer_norm_epsilon=config.eps,
                resid_pdrop=0.0,
                embd_pdrop=0.0,
                attn_pdrop=0.0,
                bos_token_id=None,
                eos_token_id=None,
            )
        ).double()
        with torch.no_grad():
            for weight in model.parameters():
                weight += 0.4 * torch.randn_like(weight)
    return model


def by_our_names(named: dict[str, Tensor], layers: int) -> dict[str, Tensor]:
    """GPT-2's tensors (weights or gradients) in our layout."""

    def of(name: str) -> Tensor:
        return named[f"transformer.{name}"]

    found = {
        "embedding.E": of("wte.weight"),
        "embedding.positions.P": of("wpe.weight"),
        "stack.norm.gain": of("ln_f.weight"),
        "stack.norm.bias": of("ln_f.bias"),
    }
    for k in range(layers):
        ours, h = f"stack.layers.{k}", f"h.{k}"
        for path, norm in (("attention", "ln_1"), ("feed_forward", "ln_2")):
            found[f"{ours}.{path}_path.norm.gain"] = of(f"{h}.{norm}.weight")
            found[f"{ours}.{path}_path.norm.bias"] = of(f"{h}.{norm}.bias")
        matrices = of(f"{h}.attn.c_attn.weight").chunk(3, dim=1)
        biases = of(f"{h}.attn.c_attn.bias").chunk(3)
        for letter, W, b in zip("QKV", matrices, biases, strict=True):
            found[f"{ours}.attention.W_{letter}"] = W.T
            found[f"{ours}.attention.b_{letter}"] = b
        for mine, other in (
            ("attention.{}_O", "attn.c_proj"),
            ("feed_forward.{}_1", "mlp.c_fc"),
            ("feed_forward.{}_2", "mlp.c_proj"),
        ):
            found[f"{ours}.{mine.format('W')}"] = of(f"{h}.{other}.weight").T
            found[f"{ours}.{mine.format('b')}"] = of(f"{h}.{other}.bias")
    return found


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize(("config", "function"), CONFIGS)
def test_scores_and_gradients_are_those_of_gpt2(
    config: GPTConfig, function: str, seed: int
) -> None:
    reference = theirs(config, function, seed)
    ours = GPT(config, **DOUBLE)
    ours.load_state_dict(
        by_our_names(dict(reference.named_parameters()), config.layers)
    )
    ids = text(3, config.longest, V=config.vocabulary, seed=seed)
    found, wanted = ours(ids), reference(ids).logits
    assert largest_difference([(found.detach(), wanted.detach())]) < 1e-10
    weigh = torch.randn(wanted.shape, generator=generator(5)).double()
    (found * weigh).sum().backward()
    (wanted * weigh).sum().backward()
    grads = {n: w.grad for n, w in reference.named_parameters()}
    due = by_our_names(grads, config.layers)
    got = {name: w.grad for name, w in ours.named_parameters()}
    assert got.keys() == due.keys()
    for name, grad in got.items():
        assert grad is not None
        scale = due[name].abs().max().item() + 1
        assert largest_difference([(grad, due[name])]) < 1e-10 * scale, name


def test_the_two_kinds_of_gelu_can_be_told_apart() -> None:
    ids = text(2, 8)
    exact, tanh = (
        build(GPTConfig(11, 16, 8, 2, 2, activation=kind, std=0.3))(ids)
        for kind in ("gelu", "gelu_tanh")
    )
    assert (exact - tanh).abs().max() > 1e-6
