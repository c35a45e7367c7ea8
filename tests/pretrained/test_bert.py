"""A BERT of Hugging Face's and ours are one function, both ways."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor

from nlp_course.bert import BERT, BERTConfig, BERTForPreTraining
from nlp_course.parity import largest_difference
from nlp_course.training import generator, seeded
from tests.pretrained.cases import (
    assert_same_weights,
    change_tensors,
    rename,
    shake,
)

transformers = pytest.importorskip("transformers")
ACTIVATIONS = ("gelu", "relu", "gelu_new", "gelu_pytorch_tanh")
SEEDS = range(8)
DOUBLE: dict[str, Any] = {"dtype": torch.float64}


class Batch(NamedTuple):
    """Texts with padding and segments, for both libraries."""

    ids: Tensor  # (B, T)
    lengths: Tensor  # (B,)
    segments: Tensor  # (B, T)

    @property
    def real(self) -> Tensor:
        """Which tokens are no padding, (B, T)."""
        return torch.arange(self.ids.shape[1]) < self.lengths[:, None]

    @property
    def theirs(self) -> dict[str, Tensor]:
        """The arguments of Hugging Face's models."""
        return {
            "input_ids": self.ids,
            "attention_mask": self.real.long(),
            "token_type_ids": self.segments,
        }


def build(seed: int, kind: str = "BertForPreTraining", **changes: Any) -> Any:
    """A small model of theirs; no two sizes need be equal."""
    rng = random.Random(seed)
    heads = rng.choice((1, 2, 3, 4))
    config = {
        "vocab_size": rng.randrange(11, 60),
        "max_position_embeddings": rng.randrange(9, 20),
        "type_vocab_size": rng.choice((1, 2, 3)),
        "hidden_size": heads * rng.choice((2, 3, 4, 6)),
        "num_attention_heads": heads,
        "num_hidden_layers": rng.choice((1, 2, 3)),
        "intermediate_size": rng.choice((5, 17, 24)),
        "hidden_act": ACTIVATIONS[seed % len(ACTIVATIONS)],
        "layer_norm_eps": rng.uniform(0.01, 0.3),
    }
    settings = transformers.BertConfig(**{**config, **changes})
    with seeded(seed):
        model = getattr(transformers, kind)(settings).eval()
    shake(model, seed)
    return model


def batch(theirs: Any, seed: int = 0) -> Batch:
    """Three texts; id 0 is padding alone, for theirs learns nothing of it."""
    config, rng = theirs.config, generator(seed)
    T = config.max_position_embeddings
    ids = torch.randint(1, config.vocab_size, (3, T), generator=rng)
    lengths = torch.tensor([T, 4, 1])
    segments = torch.randint(config.type_vocab_size, (3, T), generator=rng)
    found = Batch(ids, lengths, segments)
    return found._replace(ids=ids * found.real)


def weights(
    ours: BERTForPreTraining, theirs: Any
) -> Iterator[tuple[Tensor, Tensor]]:
    """Pairs of our weights and theirs, written out by hand."""
    body, their_body = ours.bert, theirs.bert
    table = their_body.embeddings
    yield body.embedding.E, table.word_embeddings.weight
    P = body.get_parameter("embedding.positions.P")
    yield P, table.position_embeddings.weight
    yield body.G, table.token_type_embeddings.weight
    words, pair = theirs.cls.predictions, theirs.cls.seq_relationship
    yield ours.b_words, words.bias
    norms: list[tuple[Any, Any]] = [
        (body.norm, table.LayerNorm),
        (ours.norm, words.transform.LayerNorm),
    ]
    maps: list[tuple[Any, Any]] = [
        (body.pool, their_body.pooler.dense),
        (ours.transform, words.transform.dense),
        (ours.judge, pair),
    ]
    for layer, block in zip(
        body.stack.layers, their_body.encoder.layer, strict=True
    ):
        norms += [
            (layer.attention_path.norm, block.attention.output.LayerNorm),
            (layer.feed_forward_path.norm, block.output.LayerNorm),
        ]
        yield from _block(layer, block)
    for norm, other in norms:
        yield norm.gain, other.weight
        yield norm.bias, other.bias
    for own, other in maps:
        yield own.weight, other.weight
        yield own.bias, other.bias


def _block(layer: Any, block: Any) -> Iterator[tuple[Tensor, Tensor]]:
    own, mlp, inner = layer.attention, layer.feed_forward, block.attention
    for weight, bias, other in (
        (own.W_Q, own.b_Q, inner.self.query),
        (own.W_K, own.b_K, inner.self.key),
        (own.W_V, own.b_V, inner.self.value),
        (own.W_O, own.b_O, inner.output.dense),
        (mlp.W_1, mlp.b_1, block.intermediate.dense),
        (mlp.W_2, mlp.b_2, block.output.dense),
    ):
        yield weight, other.weight
        yield bias, other.bias


def compare(
    ours: BERTForPreTraining, theirs: Any, texts: Batch, gap: float
) -> tuple[Tensor, Tensor]:
    """All four results; returns sums of which to take gradients."""
    found = ours(*texts)
    states, pooled = ours.bert(*texts)
    wanted = theirs(**texts.theirs)
    body = theirs.bert(**texts.theirs)
    real, sums = texts.real, [torch.zeros(()), torch.zeros(())]
    for own, other in (
        (states[real], body.last_hidden_state[real]),
        (pooled, body.pooler_output),
        (found.words[real], wanted.prediction_logits[real]),
        (found.pair, wanted.seq_relationship_logits),
    ):
        torch.testing.assert_close(own, other, rtol=gap, atol=gap)
        assert other.std() > 0.05, "there is something to compare"
        weight = torch.randn(own.shape, generator=generator(len(sums)))
        for k, result in enumerate((own, other)):
            sums[k] = sums[k] + (result * weight).sum()
    return sums[0], sums[1]


@pytest.mark.parametrize("seed", SEEDS)
def test_values_and_gradients(seed: int, tmp_path: Path) -> None:
    theirs = build(seed)
    theirs.save_pretrained(tmp_path)
    ours = BERTForPreTraining.from_pretrained(tmp_path, **DOUBLE)
    theirs.double()
    own, other = compare(ours, theirs, batch(theirs, seed), 1e-11)
    own.backward()
    other.backward()
    pairs = list(weights(ours, theirs))
    assert len(pairs) == len(list(ours.parameters()))
    for weight, their_weight in pairs:
        assert weight.grad is not None
        assert their_weight.grad is not None
        size = float(their_weight.grad.abs().max())
        gap = largest_difference([(weight.grad, their_weight.grad)])
        assert gap < 1e-12 + 1e-10 * size


@pytest.mark.parametrize("seed", SEEDS)
def test_values_in_single_precision(seed: int, tmp_path: Path) -> None:
    theirs = build(seed)
    theirs.save_pretrained(tmp_path, max_shard_size=400)
    assert len(list(tmp_path.glob("model-*"))) > 1
    ours = BERTForPreTraining.from_pretrained(tmp_path)
    with torch.no_grad():
        compare(ours, theirs, batch(theirs, seed), 1e-5)


@pytest.mark.parametrize("seed", range(4))
def test_the_body_alone(seed: int, tmp_path: Path) -> None:
    theirs = build(seed, "BertModel")
    theirs.save_pretrained(tmp_path)
    ours = BERT.from_pretrained(tmp_path, **DOUBLE)
    texts = batch(theirs, seed)
    states, pooled = ours(*texts)
    wanted = theirs.double()(**texts.theirs)
    found = states[texts.real], wanted.last_hidden_state[texts.real]
    torch.testing.assert_close(*found, rtol=0, atol=1e-12)
    torch.testing.assert_close(
        pooled, wanted.pooler_output, rtol=0, atol=1e-12
    )


def test_the_body_of_a_file_with_heads(tmp_path: Path) -> None:
    build(1).save_pretrained(tmp_path / "heads")
    whole = BERTForPreTraining.from_pretrained(tmp_path / "heads")
    body = BERT.from_pretrained(tmp_path / "heads")
    assert_same_weights(body, whole.bert)
    classifier = build(2, "BertForSequenceClassification")
    classifier.save_pretrained(tmp_path / "classes")
    texts = batch(classifier)
    found = BERT.from_pretrained(tmp_path / "classes")(*texts).pooled
    wanted = classifier.bert(**texts.theirs).pooler_output
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-6)


def test_masked_words_alone(tmp_path: Path) -> None:
    """Their model of masked words, read out of a file with all heads."""
    build(3).save_pretrained(tmp_path)
    theirs = transformers.BertForMaskedLM.from_pretrained(tmp_path).eval()
    ours, texts = BERTForPreTraining.from_pretrained(tmp_path), batch(theirs)
    found, wanted = ours(*texts).words, theirs(**texts.theirs).logits
    real = texts.real
    torch.testing.assert_close(found[real], wanted[real], rtol=1e-5, atol=1e-5)


def test_an_old_file(tmp_path: Path) -> None:
    """Gamma, beta, numbers of positions, and readout and bias twice."""
    build(4).save_pretrained(tmp_path)
    ours = BERTForPreTraining.from_pretrained(tmp_path)

    def age(tensors: dict[str, Tensor]) -> None:
        readout = tensors["bert.embeddings.word_embeddings.weight"]
        head = "cls.predictions"
        tensors[f"{head}.decoder.weight"] = readout.clone()
        tensors[f"{head}.decoder.bias"] = tensors[f"{head}.bias"].clone()
        T = len(tensors["bert.embeddings.position_embeddings.weight"])
        tensors["bert.embeddings.position_ids"] = torch.arange(T)[None]

    change_tensors(tmp_path, age)
    rename(tmp_path, r"LayerNorm\.weight", "LayerNorm.gamma")
    rename(tmp_path, r"LayerNorm\.bias", "LayerNorm.beta")
    assert_same_weights(BERTForPreTraining.from_pretrained(tmp_path), ours)
    assert_same_weights(BERT.from_pretrained(tmp_path), ours.bert)
    change_tensors(tmp_path, lambda it: it.pop("cls.predictions.bias"))
    assert_same_weights(BERTForPreTraining.from_pretrained(tmp_path), ours)


CONFIGS = (
    BERTConfig(13, 9, width=8, heads=4, layers=2, eps=0.2, dropout=0.5),
    BERTConfig(17, 9, 1, width=6, heads=3, hidden=7, activation="relu"),
    BERTConfig(60, 12, 3, width=4, heads=1, activation="gelu_tanh"),
)


@pytest.mark.parametrize("config", CONFIGS)
def test_theirs_reads_what_ours_wrote(
    config: BERTConfig, tmp_path: Path
) -> None:
    with seeded(0):
        ours = BERTForPreTraining(config, **DOUBLE).eval()
    shake(ours, 0)
    ours.save_pretrained(tmp_path / "whole")
    ours.bert.save_pretrained(tmp_path / "body")
    theirs, report = transformers.BertForPreTraining.from_pretrained(
        tmp_path / "whole", output_loading_info=True, **DOUBLE
    )
    assert not any(report.values()), report
    compare(ours, theirs, batch(theirs), 1e-12)
    assert theirs.config.hidden_dropout_prob == config.dropout
    assert theirs.config.attention_probs_dropout_prob == 0
    body, report = transformers.BertModel.from_pretrained(
        tmp_path / "body", output_loading_info=True, **DOUBLE
    )
    assert not any(report.values()), report
    for name, weight in body.state_dict().items():
        assert torch.equal(weight, theirs.bert.state_dict()[name]), name
    again = BERTForPreTraining.from_pretrained(
        tmp_path / "whole", dropout=config.dropout, **DOUBLE
    )
    assert_same_weights(again, ours)
    assert again.config == ours.config
