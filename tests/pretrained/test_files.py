"""Folders: what is in them, what is missing, and what is never opened."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file, save_file

from nlp_course.gpt import GPT
from tests.pretrained.cases import (
    assert_same_weights,
    refused,
    save_gpt,
    split_file,
)

INDEX = "model.safetensors.index.json"
SHARDS = [f"model-0000{k}-of-00003.safetensors" for k in (1, 2, 3)]


@pytest.fixture
def shards(tmp_path: Path) -> tuple[Path, GPT]:
    """The folder of a model in three files, and the model."""
    model = save_gpt(tmp_path)
    split_file(tmp_path)
    return tmp_path, model


def change_index(folder: Path, change: Callable[[dict[str, str]], Any]) -> str:
    """Change which tensor is said to stand where; one of the names."""
    file = folder / INDEX
    placed: dict[str, str] = json.loads(file.read_text())["weight_map"]
    change(placed)
    file.write_text(json.dumps({"weight_map": placed}))
    return min(placed)


def test_several_files(shards: tuple[Path, GPT]) -> None:
    folder, model = shards
    assert_same_weights(GPT.from_pretrained(folder), model)


def test_one_file_goes_before_several(shards: tuple[Path, GPT]) -> None:
    folder, model = shards
    other = save_gpt(folder, seed=5)
    assert (folder / INDEX).is_file()
    found = GPT.from_pretrained(folder)
    assert_same_weights(found, other)
    assert not found.embedding.E.equal(model.embedding.E)


def test_a_file_is_missing(shards: tuple[Path, GPT]) -> None:
    folder, _ = shards
    (folder / SHARDS[1]).unlink()
    said = refused(GPT, folder)
    assert f"{SHARDS[1]} is missing" in said
    assert INDEX in said


def test_a_file_is_cut(shards: tuple[Path, GPT]) -> None:
    folder, _ = shards
    file = folder / SHARDS[2]
    file.write_bytes(file.read_bytes()[:-1])
    assert f"{SHARDS[2]} is cut short: " in refused(GPT, folder)


def test_a_tensor_is_not_where_the_index_says(
    shards: tuple[Path, GPT],
) -> None:
    folder, _ = shards

    def move(placed: dict[str, str]) -> None:
        name = min(placed)
        at = SHARDS.index(placed[name])
        placed[name] = SHARDS[(at + 1) % 3]

    name = change_index(folder, move)
    assert f"{INDEX}: {name} is not in model-" in refused(GPT, folder)


def test_a_tensor_is_in_no_file(shards: tuple[Path, GPT]) -> None:
    folder, _ = shards
    change_index(folder, lambda it: it.update(more=SHARDS[0]))
    assert f"more is not in {SHARDS[0]}" in refused(GPT, folder)


def test_a_tensor_that_the_index_does_not_name(
    shards: tuple[Path, GPT],
) -> None:
    folder, _ = shards
    gone = []
    change_index(folder, lambda it: gone.append(it.popitem()))
    name, shard = gone[0]
    said = refused(GPT, folder)
    assert f"{shard} holds {name}, which" in said


def test_a_tensor_stands_twice(shards: tuple[Path, GPT]) -> None:
    folder, _ = shards
    first, second = (load_file(folder / shard) for shard in SHARDS[:2])
    name = next(iter(first))
    save_file({**second, name: first[name]}, folder / SHARDS[1])
    said = refused(GPT, folder)
    assert f"{name} stands twice" in said
    assert SHARDS[0] in said
    assert SHARDS[1] in said


@pytest.mark.parametrize(
    "shard",
    ["../{}", "a/{}", "/{}", "..\\{}", "C:{}", "pytorch_model.bin", 3, None],
)
def test_an_index_does_not_lead_elsewhere(
    shard: Any, shards: tuple[Path, GPT]
) -> None:
    folder, _ = shards
    outside = folder.parent / SHARDS[0]
    outside.write_bytes((folder / SHARDS[0]).read_bytes())
    if isinstance(shard, str):
        shard = shard.format(SHARDS[0])
    name = change_index(folder, lambda it: it.update({min(it): shard}))
    said = refused(GPT, folder)
    outside.unlink()
    assert f"puts {name} into {shard!r}" in said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is no JSON"),
        ("[" * 5000, "is no JSON"),
        ("[]", "has no weight_map"),
        ("{}", "has no weight_map"),
        ('{"weight_map": {}}', "has no weight_map"),
        ('{"weight_map": []}', "has no weight_map"),
    ],
)
def test_an_index_that_is_none(
    text: str, said: str, shards: tuple[Path, GPT]
) -> None:
    folder, _ = shards
    (folder / INDEX).write_text(text)
    assert said in refused(GPT, folder)


class Trap:
    """To open it as a pickle makes a file."""

    def __init__(self, sprung: Path) -> None:
        self.sprung = sprung

    def __reduce__(self) -> Any:
        return Path.touch, (self.sprung,)


@pytest.mark.parametrize(
    "name", ["pytorch_model.bin", "pytorch_model.bin.index.json"]
)
def test_a_pickle_is_never_opened(name: str, tmp_path: Path) -> None:
    sprung = tmp_path / "sprung"
    data = pickle.dumps(Trap(sprung))
    pickle.loads(data)
    assert sprung.is_file(), "the trap works"
    sprung.unlink()
    save_gpt(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    (tmp_path / name).write_bytes(data)
    said = refused(GPT, tmp_path)
    assert f"in {name} alone, a pickle" in said
    assert "save_pretrained(other_folder)" in said
    (tmp_path / "model.safetensors").write_bytes(data)
    assert "no safetensors file" in refused(GPT, tmp_path)
    assert not sprung.exists()


def test_no_weights(tmp_path: Path) -> None:
    save_gpt(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    said = refused(GPT, tmp_path)
    assert f"neither model.safetensors nor {INDEX}" in said
    (tmp_path / "model.safetensors").mkdir()
    assert "holds no weights" in refused(GPT, tmp_path)


@pytest.mark.parametrize(
    "name", ["./absent", "/absent/gpt2", "~/absent", "a/b/c", "a\\b"]
)
def test_no_folder(name: str) -> None:
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        GPT.from_pretrained(name)
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        GPT.from_pretrained(Path("absent"))


def test_a_folder_has_no_revision(tmp_path: Path) -> None:
    save_gpt(tmp_path)
    with pytest.raises(ValueError, match="no revision 'v2'"):
        GPT.from_pretrained(tmp_path, revision="v2")


def test_a_folder_goes_before_a_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = save_gpt(tmp_path / "gpt2")
    monkeypatch.chdir(tmp_path)
    assert_same_weights(GPT.from_pretrained("gpt2"), model)
