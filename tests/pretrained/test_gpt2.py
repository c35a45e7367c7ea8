"""A GPT-2 of Hugging Face's and ours are one function, both ways."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from nlp_course.generation import generate
from nlp_course.gpt import GPT, GPTConfig
from nlp_course.parity import largest_difference
from nlp_course.training import generator, seeded
from tests.pretrained.cases import (
    assert_same_weights,
    change_tensors,
    rename,
    shake,
)

transformers = pytest.importorskip("transformers")
ACTIVATIONS = ("gelu_new", "gelu", "relu", "gelu_pytorch_tanh")
SEEDS = range(8)


def sizes(seed: int) -> dict[str, Any]:
    """A small configuration in which no two sizes need be equal."""
    rng = random.Random(seed)
    heads = rng.choice((1, 2, 3, 4))
    return {
        "vocab_size": rng.randrange(11, 60),
        "n_positions": rng.randrange(9, 20),
        "n_embd": heads * rng.choice((2, 3, 4, 6)),
        "n_head": heads,
        "n_layer": rng.choice((1, 2, 3)),
        "n_inner": rng.choice((None, 5, 17)),
        "activation_function": ACTIVATIONS[seed % len(ACTIVATIONS)],
        "layer_norm_epsilon": rng.uniform(0.01, 0.3),
        "bos_token_id": None,
        "eos_token_id": None,
    }


def build(seed: int, **changes: Any) -> Any:
    """A model of theirs, in evaluation mode."""
    config = transformers.GPT2Config(**{**sizes(seed), **changes})
    with seeded(seed):
        model = transformers.GPT2LMHeadModel(config).eval()
    shake(model, seed)
    return model


def text(theirs: Any, seed: int = 0) -> Tensor:
    V, T = theirs.config.vocab_size, theirs.config.n_positions
    return torch.randint(V, (3, T), generator=generator(seed))


def weights(ours: GPT, theirs: Any) -> Iterator[tuple[Tensor, Tensor]]:
    """Pairs of our weights and functions of theirs, written out by hand."""
    body, stack = theirs.transformer, ours.stack
    yield ours.embedding.E, body.wte.weight
    yield ours.get_parameter("embedding.positions.P"), body.wpe.weight
    norms: list[tuple[Any, Any]] = [(stack.norm, body.ln_f)]
    for layer, block in zip(stack.layers, body.h, strict=True):
        norms += [
            (layer.attention_path.norm, block.ln_1),
            (layer.feed_forward_path.norm, block.ln_2),
        ]
    for norm, their_norm in norms:
        yield norm.gain, their_norm.weight
        yield norm.bias, their_norm.bias


def gradients(ours: GPT, theirs: Any) -> Iterator[tuple[Tensor, Tensor]]:
    """Pairs of gradients of all weights."""
    for own, other in weights(ours, theirs):
        assert own.grad is not None
        assert other.grad is not None
        yield own.grad, other.grad
    for layer, block in zip(
        ours.stack.layers, theirs.transformer.h, strict=True
    ):
        yield from _block(layer, block)


def _block(layer: Any, block: Any) -> Iterator[tuple[Tensor, Tensor]]:
    D = layer.width
    both = block.attn.c_attn  # Q, K and V side by side
    own, mlp = layer.attention, layer.feed_forward
    for k, letter in enumerate("QKV"):
        part = slice(k * D, (k + 1) * D)
        yield getattr(own, f"W_{letter}").grad, both.weight.grad[:, part].T
        yield getattr(own, f"b_{letter}").grad, both.bias.grad[part]
    for weight, bias, other in (
        (own.W_O, own.b_O, block.attn.c_proj),
        (mlp.W_1, mlp.b_1, block.mlp.c_fc),
        (mlp.W_2, mlp.b_2, block.mlp.c_proj),
    ):
        yield weight.grad, other.weight.grad.T
        yield bias.grad, other.bias.grad


@pytest.mark.parametrize("seed", SEEDS)
def test_values_and_gradients(seed: int, tmp_path: Path) -> None:
    theirs = build(seed)
    theirs.save_pretrained(tmp_path)
    ours = GPT.from_pretrained(tmp_path, dtype=torch.float64)
    theirs.double()
    ids = text(theirs, seed)
    logits, wanted = ours(ids), theirs(ids).logits
    assert wanted.std() > 0.1
    torch.testing.assert_close(logits, wanted, rtol=0, atol=1e-12)
    weight = torch.randn(
        logits.shape, generator=generator(seed), dtype=torch.float64
    )
    (logits * weight).sum().backward()
    (wanted * weight).sum().backward()
    pairs = list(gradients(ours, theirs))
    assert len(pairs) == len(list(ours.parameters()))
    for own, other in pairs:
        size = float(other.abs().max())
        gap = largest_difference([(own, other)])
        assert gap < 1e-12 + 1e-10 * size


@pytest.mark.parametrize("seed", SEEDS)
def test_values_in_single_precision(seed: int, tmp_path: Path) -> None:
    theirs = build(seed)
    theirs.save_pretrained(tmp_path, max_shard_size=400)
    assert len(list(tmp_path.glob("model-*"))) > 1
    ours = GPT.from_pretrained(tmp_path)
    ids = text(theirs, seed)
    with torch.no_grad():
        torch.testing.assert_close(
            ours(ids), theirs(ids).logits, rtol=1e-4, atol=1e-5
        )


@pytest.mark.parametrize("seed", range(4))
def test_greedy_texts(seed: int, tmp_path: Path) -> None:
    theirs = build(seed).double()
    theirs.save_pretrained(tmp_path)
    ours = GPT.from_pretrained(tmp_path, dtype=torch.float64)
    ids = text(theirs, seed)[:, :3]
    steps = theirs.config.n_positions - 3
    written = [
        theirs.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=steps,
            do_sample=False,
            use_cache=cached,
            pad_token_id=0,
        )
        for cached in (True, False)
    ]
    written += [
        generate(ours, ids, steps, temperature=0, use_cache=cached)
        for cached in (True, False)
    ]
    assert len({tuple(row) for row in written[0].tolist()}) == 3
    for found in written[1:]:
        assert torch.equal(found, written[0])


def test_the_body_alone_is_enough(tmp_path: Path) -> None:
    """Without the prefix, as in the files of GPT-2 itself."""
    theirs = build(1)
    theirs.transformer.save_pretrained(tmp_path)
    ours = GPT.from_pretrained(tmp_path)
    ids = text(theirs)
    torch.testing.assert_close(ours(ids), theirs(ids).logits)


@pytest.mark.parametrize("prefix", ["transformer.", ""])
def test_an_old_file(prefix: str, tmp_path: Path) -> None:
    """With the causal mask among the weights, and the readout once more."""
    theirs = build(2)
    theirs.save_pretrained(tmp_path)
    T = theirs.config.n_positions

    def age(tensors: dict[str, Tensor]) -> None:
        for k in range(theirs.config.n_layer):
            name = f"transformer.h.{k}.attn"
            mask = torch.ones(1, 1, T, T, dtype=torch.uint8).tril()
            tensors[f"{name}.bias"] = mask
            tensors[f"{name}.masked_bias"] = torch.tensor(-1e4)
        readout = tensors["transformer.wte.weight"]
        tensors["lm_head.weight"] = readout.clone()

    change_tensors(tmp_path, age)
    rename(tmp_path, r"^transformer\.", prefix)
    ours = GPT.from_pretrained(tmp_path)
    ids = text(theirs)
    torch.testing.assert_close(ours(ids), theirs(ids).logits)
    # some programs keep of two equal tensors the first by name
    change_tensors(tmp_path, lambda it: it.pop(f"{prefix}wte.weight"))
    assert_same_weights(GPT.from_pretrained(tmp_path), ours)


def saved(folder: Path, config: GPTConfig, seed: int = 0, **how: Any) -> GPT:
    with seeded(seed):
        ours = GPT(config, **how)
    shake(ours, seed)
    ours.save_pretrained(folder)
    return ours


CONFIGS = (
    GPTConfig(13, 9, width=8, heads=4, layers=2, eps=0.2, dropout=0.5),
    GPTConfig(17, 5, width=6, heads=3, hidden=7, activation="relu"),
    GPTConfig(60, 12, width=4, heads=1, layers=1, activation="gelu"),
)


@pytest.mark.parametrize("config", CONFIGS)
def test_theirs_reads_what_ours_wrote(
    config: GPTConfig, tmp_path: Path
) -> None:
    ours = saved(tmp_path, config, dtype=torch.float64).eval()
    theirs, report = transformers.GPT2LMHeadModel.from_pretrained(
        tmp_path, dtype=torch.float64, output_loading_info=True
    )
    assert not any(report.values()), report
    ids = text(theirs)
    found, wanted = theirs(ids).logits, ours(ids)
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-12)
    assert theirs.config.resid_pdrop == config.dropout
    assert theirs.config.embd_pdrop == config.dropout
    assert theirs.config.attn_pdrop == 0
    again = tmp_path / "again"
    theirs.save_pretrained(again)
    reread = GPT.from_pretrained(
        again, dropout=config.dropout, dtype=torch.float64
    )
    assert_same_weights(reread, ours)


def test_what_is_written_is_theirs_byte_for_byte(tmp_path: Path) -> None:
    """The same names, order and metadata."""
    build(3).save_pretrained(tmp_path / "theirs")
    ours = GPT.from_pretrained(tmp_path / "theirs")
    ours.save_pretrained(tmp_path / "ours")
    name = "model.safetensors"
    found = (tmp_path / "ours" / name).read_bytes()
    assert found == (tmp_path / "theirs" / name).read_bytes()
