"""A checkpoint holds everything, exactly; a spoilt one is never believed."""

from __future__ import annotations

import errno
import os
import pickle
import stat
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save, save_file

from nlp_course.training.checkpoints import (
    CheckpointError,
    from_bytes,
    load_checkpoint,
    save_checkpoint,
    to_bytes,
    write_atomically,
)

numbers = st.integers() | st.floats(allow_nan=False) | st.booleans()
plain = st.none() | numbers | st.text(st.characters(codec="utf-8"))
keys = st.text(st.characters(codec="utf-8", exclude_characters="."))
nested = st.recursive(
    plain,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(keys | st.integers(), inner, max_size=3)
    ),
    max_leaves=8,
)


def state() -> dict[str, Any]:
    """Something of every kind, with awkward numbers."""
    whole = torch.arange(6.0).view(2, 3)
    return {
        "step": 7,
        "best": (3, 0.1 + 0.2),
        "nothing": None,
        "text": 'a "quoted" line\nand 0000{"sha256": "0000 ŭ 🙂',
        "never": float("inf"),
        "model": {"a": whole, "b.c": whole.T, "same": whole},
        "optimizer": {"state": {0: {"step": torch.tensor(3.0)}, 1: {}}},
        "carried": (torch.tensor([1e-45, float("nan"), -0.0]),),
        "kinds": [
            torch.zeros(0, 4),
            torch.tensor([True, False]),
            torch.tensor([2**62], dtype=torch.int64),
            torch.tensor([1.5], dtype=torch.bfloat16),
            torch.tensor([1 / 3], dtype=torch.float64),
        ],
    }


def equal(one: Any, other: Any) -> bool:
    """The same types and values, bit by bit."""
    if isinstance(one, torch.Tensor):
        bits = [t.flatten().view(torch.uint8).tolist() for t in (one, other)]
        same = one.dtype == other.dtype and one.shape == other.shape
        return same and bits[0] == bits[1]
    if isinstance(one, dict):
        same = list(one) == list(other)
        return same and all(equal(one[k], other[k]) for k in one)
    if isinstance(one, list | tuple):
        same = type(one) is type(other) and len(one) == len(other)
        return same and all(map(equal, one, other))
    return type(one) is type(other) and bool(one == other)


def test_a_state_comes_back_bit_by_bit(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    save_checkpoint(path, state())
    assert equal(load_checkpoint(path), state())
    assert [p.name for p in tmp_path.iterdir()] == ["a.safetensors"]


@given(values=st.dictionaries(keys, nested, max_size=4))
def test_numbers_texts_and_their_nesting_come_back(
    values: dict[str, Any],
) -> None:
    assert equal(from_bytes(to_bytes(values)), values)


def test_one_state_is_always_the_same_bytes() -> None:
    assert to_bytes(state()) == to_bytes(state())
    changed = state()
    changed["carried"][0][0] = 0.0
    assert to_bytes(changed) != to_bytes(state())


def test_what_is_loaded_stands_alone() -> None:
    """Not a view of the file's bytes, which then could be forgotten."""
    found = from_bytes(to_bytes(state()))
    for tensor in found["model"].values():
        assert tensor.untyped_storage().nbytes() == 4 * tensor.numel()
        assert tensor.data_ptr() % 16 == 0, "where PyTorch puts its own"
    found["model"]["a"].zero_()
    assert found["model"]["same"].sum() == 15


def test_a_file_cut_off_anywhere_is_refused(tmp_path: Path) -> None:
    whole, path = to_bytes(state()), tmp_path / "cut.safetensors"
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        with pytest.raises(CheckpointError, match=r"cut\.safetensors") as e:
            load_checkpoint(path)
        assert "no checkpoint, or only a part of one" in str(e.value)


def test_a_single_wrong_byte_anywhere_is_noticed() -> None:
    whole = to_bytes(state())
    for place in range(len(whole)):
        spoilt = bytearray(whole)
        spoilt[place] ^= 0x01
        with pytest.raises(CheckpointError, match="the checkpoint"):
            from_bytes(bytes(spoilt))


def test_garbage_and_strangers_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    for content in (b"", b"\0" * 4096, b"garbage" * 99, pickle.dumps(state())):
        path.write_bytes(content)
        with pytest.raises(CheckpointError, match="is no checkpoint"):
            load_checkpoint(path)
    save_file({"w": torch.ones(2)}, path)
    with pytest.raises(CheckpointError, match="but is no nlp-course check"):
        load_checkpoint(path)
    path.write_bytes(save({"w": torch.ones(2)}, {"format": "pt"}))
    with pytest.raises(CheckpointError, match="by another program"):
        load_checkpoint(path)
    with pytest.raises(FileNotFoundError):
        load_checkpoint(tmp_path / "none")


@pytest.mark.parametrize(
    "value", [object(), {1, 2}, b"bytes", 1j, {"a": [lambda: 0]}]
)
def test_code_and_other_objects_are_not_written(value: Any) -> None:
    with pytest.raises(TypeError, match="a checkpoint holds numbers, texts"):
        to_bytes({"wrong": value})


def test_two_tensors_must_not_get_one_name() -> None:
    one = torch.ones(1)
    with pytest.raises(TypeError, match=r"one name: a\.b\.c"):
        to_bytes({"a": {"b.c": one, "b": {"c": one}}})


def full_disk(path: Path) -> None:
    """The next draft of this file goes to a disk without room."""
    path.with_name(f".{path.name}.part").symlink_to("/dev/full")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_leaves_the_old_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    save_checkpoint(path, {"step": 1})
    before = path.read_bytes()
    full_disk(path)
    with pytest.raises(OSError, match="No space left on device") as e:
        save_checkpoint(path, {"step": 2})
    assert e.value.errno == errno.ENOSPC
    assert str(path) in str(e.value)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    save_checkpoint(path, {"step": 2})
    assert load_checkpoint(path) == {"step": 2}


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    path = tmp_path / "none" / "a.safetensors"
    with pytest.raises(FileNotFoundError, match="cannot write") as e:
        write_atomically(path, b"")
    assert str(path) in str(e.value)


def test_first_the_content_is_on_the_disk_then_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise a power cut leaves a name without a content."""
    path, events = tmp_path / "a", []
    fsync, replace = os.fsync, os.replace

    def watch_fsync(handle: int) -> None:
        fsync(handle)
        folder = stat.S_ISDIR(os.fstat(handle).st_mode)
        size = os.fstat(handle).st_size
        events.append("folder" if folder else f"file of {size}")

    def watch_replace(source: Path, target: Path) -> None:
        replace(source, target)
        events.append(f"named {target.name}")

    monkeypatch.setattr(os, "fsync", watch_fsync)
    monkeypatch.setattr(os, "replace", watch_replace)
    write_atomically(path, b"12345")
    assert events == ["file of 5", "named a", "folder"]
