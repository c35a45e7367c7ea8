"""What is saved can be read, and never mixes with what was there before."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import torch

from nlp_course.bert import BERT, BERTForPreTraining
from nlp_course.gpt import GPT, GPTConfig
from tests.pretrained.cases import (
    BERT_SIZES,
    GPT_SIZES,
    assert_same_weights,
    refused,
    save_bert,
    save_gpt,
    split_file,
)

OTHER = GPTConfig(13, 9, width=6, heads=3, layers=2, hidden=10, eps=0.2)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_new_folder(tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "best"
    save_gpt(folder)
    assert names(folder) == {"config.json", "model.safetensors"}
    modes = {path.stat().st_mode for path in folder.iterdir()}
    assert len(modes) == 1, "whoever may read one may read both"


def test_what_else_is_there_stays(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text("{}")
    save_gpt(tmp_path)
    split_file(tmp_path)
    model = save_gpt(tmp_path, seed=1)
    assert (tmp_path / "tokenizer.json").read_text() == "{}"
    assert_same_weights(GPT.from_pretrained(tmp_path), model)


@pytest.mark.parametrize(
    "dtype", [torch.float16, torch.bfloat16, torch.float64]
)
def test_the_dtype_is_kept(dtype: torch.dtype, tmp_path: Path) -> None:
    model = save_gpt(tmp_path / "first").to(dtype)
    model.save_pretrained(tmp_path)
    options = json.loads((tmp_path / "config.json").read_text())
    assert f"torch.{options['dtype']}" == str(dtype)
    assert_same_weights(GPT.from_pretrained(tmp_path, dtype=dtype), model)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_model_that_is_lost_does_not_replace_a_good_one(
    value: float, tmp_path: Path
) -> None:
    good, lost = save_gpt(tmp_path), GPT(GPT_SIZES)
    with torch.no_grad():
        lost.embedding.E[2, 1] = value
    with pytest.raises(ValueError, match=r"embedding\.E holds NaN or inf"):
        lost.save_pretrained(tmp_path)
    assert_same_weights(GPT.from_pretrained(tmp_path), good)
    assert names(tmp_path) == {"config.json", "model.safetensors"}


def test_a_dtype_that_is_not_kept(tmp_path: Path) -> None:
    model = GPT(GPT_SIZES)
    model.embedding.E.data = model.embedding.E.data.to(torch.float8_e5m2)
    with pytest.raises(ValueError, match="float8_e5m2"):
        model.save_pretrained(tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_a_model_on_its_way_is_not_changed(tmp_path: Path) -> None:
    """Saving in the middle of training leaves weights and gradients."""
    model = GPT(GPT_SIZES)
    model(torch.tensor([[1, 2, 3]])).sum().backward()
    before = {n: (w.clone(), w.grad) for n, w in model.named_parameters()}
    model.save_pretrained(tmp_path)
    for name, weight in model.named_parameters():
        kept, gradient = before[name]
        assert torch.equal(weight, kept)
        assert weight.grad is gradient
        assert weight.requires_grad


class Stop(Exception):
    """The machine loses its power."""


def interrupted(
    model: GPT, folder: Path, at: int, monkeypatch: pytest.MonkeyPatch
) -> bool:
    """Save, but stop before change number ``at`` of the folder."""
    count = 0

    def counted(real: Any) -> Any:
        def call(*arguments: Any, **options: Any) -> Any:
            nonlocal count
            count += 1
            if count > at:
                raise Stop
            return real(*arguments, **options)

        return call

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", counted(os.replace))
        patch.setattr(os, "fsync", counted(os.fsync))
        patch.setattr(Path, "unlink", counted(Path.unlink))
        try:
            model.save_pretrained(folder)
        except Stop:
            return True
    return False


@pytest.mark.parametrize("config", [GPT_SIZES, OTHER], ids=["same", "other"])
def test_power_that_is_lost(
    config: GPTConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The old model, the new one, or a clean error: never a mixture."""
    new, seen = GPT(config), []
    for at in range(20):
        folder = tmp_path / str(at)
        old = save_gpt(folder)
        stopped = interrupted(new, folder, at, monkeypatch)
        try:
            found = GPT.from_pretrained(folder)
        except FileNotFoundError as error:
            assert "config.json is missing" in str(error)
            seen.append("none")
        else:
            if torch.equal(found.embedding.E, old.embedding.E):
                assert_same_weights(found, old)
                assert found.config == old.config
                seen.append("old")
            else:
                assert_same_weights(found, new)
                assert found.config == new.config
                seen.append("new")
        assert not [n for n in names(folder) if n.startswith(".")]
        if not stopped:
            break
    assert not stopped, "the last time nothing stopped it"
    assert (seen[0], seen[-1]) == ("old", "new")
    assert ("none" in seen) == (config != GPT_SIZES), seen


def test_a_place_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("mine")
    with pytest.raises(OSError, match="taken"):
        GPT(GPT_SIZES).save_pretrained(tmp_path / "taken")
    assert (tmp_path / "taken").read_text() == "mine"


def test_a_body_over_a_whole_model(tmp_path: Path) -> None:
    body = BERT(BERT_SIZES)
    save_bert(tmp_path)
    body.save_pretrained(tmp_path)
    assert_same_weights(BERT.from_pretrained(tmp_path), body)
    assert "lacks cls." in refused(BERTForPreTraining, tmp_path)
