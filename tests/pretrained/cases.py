"""Checkpoints to read: whole ones, and ones with a planted fault."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from nlp_course.bert import BERTConfig, BERTForPreTraining
from nlp_course.gpt import GPT, GPTConfig
from nlp_course.training.seeds import seeded

GPT_SIZES = GPTConfig(13, 9, width=6, heads=2, layers=2, hidden=10, eps=0.1)
BERT_SIZES = BERTConfig(
    13, 9, segments=3, width=6, heads=2, layers=2, hidden=10, eps=0.1
)
Tensors = dict[str, Tensor]


def shake(model: nn.Module, seed: int, size: float = 0.3) -> None:
    """No bias stays 0, no gain 1, and no two weights are equal."""
    with seeded(seed), torch.no_grad():
        for weight in model.parameters():
            weight.add_(size * torch.randn_like(weight))


def save_gpt(folder: Path, seed: int = 0) -> GPT:
    """A small model, and its checkpoint in ``folder``."""
    with seeded(seed):
        model = GPT(GPT_SIZES)
    shake(model, seed)
    model.save_pretrained(folder)
    return model


def save_bert(folder: Path, seed: int = 0) -> BERTForPreTraining:
    """A small model with both heads, and its checkpoint."""
    with seeded(seed):
        model = BERTForPreTraining(BERT_SIZES)
    shake(model, seed)
    model.save_pretrained(folder)
    return model


def change_options(folder: Path, **changes: Any) -> None:
    """Set options of ``config.json``; ``...`` removes one."""
    file = folder / "config.json"
    options = {**json.loads(file.read_text("utf-8")), **changes}
    kept = {name: it for name, it in options.items() if it is not ...}
    file.write_text(json.dumps(kept), "utf-8")


def change_tensors(folder: Path, change: Callable[[Tensors], Any]) -> None:
    """Read the tensors, let ``change`` work on them, write them again."""
    file = folder / "model.safetensors"
    tensors = load_file(file)
    change(tensors)
    save_file({name: it.contiguous() for name, it in tensors.items()}, file)


def rename(folder: Path, pattern: str, new: str) -> None:
    """Rename all tensors in which the pattern is found."""

    def change(tensors: Tensors) -> None:
        for name in list(tensors):
            tensors[re.sub(pattern, new, name)] = tensors.pop(name)

    change_tensors(folder, change)


def split_file(folder: Path, files: int = 3, seed: int = 0) -> None:
    """The same weights in several files with their index."""
    single = folder / "model.safetensors"
    tensors = load_file(single)
    names = sorted(tensors)
    random.Random(seed).shuffle(names)
    placed: dict[str, str] = {}
    for k in range(files):
        shard = f"model-{k + 1:05}-of-{files:05}.safetensors"
        chosen = names[k::files]
        save_file({name: tensors[name] for name in chosen}, folder / shard)
        placed |= dict.fromkeys(chosen, shard)
    index = {"metadata": {}, "weight_map": placed}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    single.unlink()


def assert_same_weights(ours: nn.Module, others: nn.Module) -> None:
    """All weights have the same names and the same numbers."""
    found, wanted = dict(ours.state_dict()), dict(others.state_dict())
    assert found.keys() == wanted.keys()
    for name, weight in found.items():
        assert torch.equal(weight, wanted[name]), name


def refused(
    kind: type[GPT] | type[BERTForPreTraining], folder: Path, **options: Any
) -> str:
    """What the error says, but for the folder, whose name could say it too.

    It must be one of the two errors that are promised.
    """
    with pytest.raises((ValueError, FileNotFoundError)) as caught:
        kind.from_pretrained(folder, **options)
    assert caught.type in (ValueError, FileNotFoundError)
    message = str(caught.value)
    assert str(folder) in message, "the error names the file"
    return message.replace(str(folder), "")
