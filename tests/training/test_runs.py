"""Options are checked before anything is done; a run can be used later."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from nlp_course.training.checkpoints import (
    CheckpointError,
    load_checkpoint,
    save_checkpoint,
)
from nlp_course.training.runs import BEST, LAST, Run, RunConfig, load_run
from nlp_course.training.text_models import (
    OPTIMIZERS,
    TOKENIZERS,
    build_model,
    build_optimizer,
    default_rate,
    read_tokenizer,
    train_tokenizer,
    written_tokenizer,
)
from nlp_course.training.text_training import train_text
from tests.training.text_runs import MODELS, small, small_text


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("runs")
    config = small("gpt", small_text(folder), steps=4, evaluate_every=2)
    return train_text(config, folder / "run")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"model": "elman"}, "model must be one of rnn, lstm, gru, gpt, bert"),
        ({"tokenizer": "bytes"}, "tokenizer must be one of char, word, bpe"),
        ({"optimizer": "sgd"}, "optimizer must be one of adamw, muon"),
        ({"steps": 0}, "steps must be a positive integer, not 0"),
        ({"batch": 2.5}, "batch must be a positive integer"),
        ({"vocabulary": 0}, "vocabulary must be a positive integer"),
        ({"threads": -1}, "threads must be a positive integer"),
        ({"log_every": 0}, "log_every must be a positive integer"),
        ({"dropout": 1.0}, "dropout must be a number from 0 to below 1"),
        ({"learning_rate": 0.0}, "learning_rate must be positive, not 0.0"),
        ({"learning_rate": float("nan")}, "learning_rate must be positive"),
        ({"clip_norm": float("inf")}, "clip_norm must be positive"),
        ({"weight_decay": -0.1}, "weight_decay must not be negative"),
        ({"seed": -1}, "seed must be a whole number from 0"),
        ({"model": "gpt", "width": 30}, "width 30 cannot be divided among 4"),
    ],
)
def test_a_wrong_option_is_named(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        RunConfig(**{"model": "lstm", **options})


def test_heads_do_not_matter_where_there_are_none() -> None:
    assert RunConfig("lstm", width=30).width == 30


def test_differences_are_told_but_not_how_it_is_computed() -> None:
    one = RunConfig("gpt", seed=1, threads=1)
    assert one.differences(replace(one, threads=2, device="cuda")) == []
    other = replace(one, model="lstm", seed=2)
    assert one.differences(other) == ["model: gpt, not lstm", "seed: 1, not 2"]


def test_the_rate_is_the_given_one_or_suits_the_model() -> None:
    assert RunConfig("gpt", learning_rate=0.5).rate == 0.5
    for model in MODELS:
        config = RunConfig(model)
        assert config.rate == default_rate(model, config.method)
        assert RunConfig(model, optimizer="adamw").method == "adamw"
        for optimizer in OPTIMIZERS:
            assert 1e-4 < default_rate(model, optimizer) < 0.1
    assert RunConfig("bert").method == "muon"
    assert RunConfig("lstm").method == "adamw"


@pytest.mark.parametrize("model", MODELS)
def test_a_model_is_that_of_its_seed(model: str) -> None:
    """And to build one draws nothing from PyTorch's own numbers."""
    before = torch.get_rng_state()
    weights = [
        torch.cat([w.flatten() for w in build_model(c, 9).parameters()])
        for c in (small(model, "x"), small(model, "x", seed=1))
        for _ in range(2)
    ]
    assert torch.equal(weights[0], weights[1])
    assert torch.equal(weights[2], weights[3])
    assert not torch.equal(weights[0], weights[2])
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("layers", [1, 2])
def test_one_layer_with_dropout_draws_no_warning(layers: int) -> None:
    build_model(small("gru", "x", layers=layers, dropout=0.5), 9)


def test_what_bert_does_not_learn_is_not_trained() -> None:
    model = build_model(small("bert", "x"), 9)
    fixed = [k for k, w in model.named_parameters() if not w.requires_grad]
    assert fixed == [
        *("bert.pool.weight", "bert.pool.bias"),
        *("judge.weight", "judge.bias"),
    ]
    with torch.no_grad():
        words = model(torch.tensor([[9]])).words
    assert words.shape == (1, 1, 10), "one id more than the tokenizer has"


def test_muon_is_for_layers_of_matrices() -> None:
    for model in ("gpt", "bert"):
        config = small(model, "x", optimizer="muon", learning_rate=0.1)
        optimizer = build_optimizer(config, build_model(config, 9))
        rates = [group["lr"] for group in optimizer.param_groups]
        assert rates == pytest.approx([0.1, 0.02])
    config = small("lstm", "x", optimizer="muon")
    with pytest.raises(ValueError, match="which Muon is for; use AdamW"):
        build_optimizer(config, build_model(config, 9))


@pytest.mark.parametrize("kind", TOKENIZERS)
def test_a_tokenizer_comes_back_from_its_text(kind: str) -> None:
    said = "one fish, two fish; red fish, blue fish\n" * 3
    limit = 270 if kind == "bpe" else 9
    tokenizer = train_tokenizer(kind, said, limit)
    again = read_tokenizer(written_tokenizer(tokenizer))
    assert type(again) is type(tokenizer)
    assert again.tokens == tokenizer.tokens
    assert again.encode(said) == tokenizer.encode(said)
    assert len(again) <= limit


def test_a_run_can_be_used_later(trained: Run) -> None:
    run = load_run(trained.folder, "last")
    assert run.step == 4
    assert run.config == trained.config
    assert run.tokenizer.tokens == trained.tokenizer.tokens
    assert not run.model.training
    ids = torch.tensor([run.tokenizer.encode("the text")])
    with torch.no_grad():
        assert torch.equal(run.model(ids), trained.model(ids))


def test_the_best_is_that_of_the_lowest_loss(trained: Run) -> None:
    assert trained.best is not None
    run = load_run(trained.folder)
    assert run.step == trained.best[0] == 4
    assert run.best == trained.best


def test_before_the_first_measurement_the_last_is_the_best(
    trained: Run, tmp_path: Path
) -> None:
    (tmp_path / LAST).write_bytes((trained.folder / LAST).read_bytes())
    assert load_run(tmp_path).step == 4


def test_one_file_is_enough(trained: Run, tmp_path: Path) -> None:
    (tmp_path / BEST).write_bytes((trained.folder / BEST).read_bytes())
    assert load_run(tmp_path).tokenizer.tokens == trained.tokenizer.tokens


def test_what_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="there is no run folder"):
        load_run(tmp_path / "none")
    with pytest.raises(FileNotFoundError, match="holds no run"):
        load_run(tmp_path)
    with pytest.raises(ValueError, match="checkpoint must be one of best"):
        load_run(tmp_path, "first")


def test_checkpoints_that_do_not_fit_are_refused(
    trained: Run, tmp_path: Path
) -> None:
    path = tmp_path / LAST
    state = load_checkpoint(trained.folder / LAST)
    wide = {**state, "config": {**state["config"], "width": 32}}
    save_checkpoint(path, wide)
    with pytest.raises(CheckpointError, match="weights of another model") as e:
        load_run(tmp_path)
    assert str(path) in str(e.value)
    for spoilt in (
        {"config": {"model": "gpt", "colour": "red"}},
        {"config": {**state["config"], "steps": 0}},
        {"step": 3},
    ):
        save_checkpoint(path, spoilt)
        with pytest.raises(CheckpointError, match="not of a run of this"):
            load_run(tmp_path)
