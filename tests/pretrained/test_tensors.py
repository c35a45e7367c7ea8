"""A file in the safetensors format is read whole, or refused with reason."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from torch import Tensor

from nlp_course.gpt import GPT
from nlp_course.pretrained.tensors import read_header, read_tensor
from tests.pretrained.cases import assert_same_weights, save_gpt

DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
SHAPES = st.lists(st.integers(0, 4), max_size=3)


def write(file: Path, header: Any, data: bytes = b"") -> Path:
    """A file with this header, whatever it says."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    file.write_bytes(struct.pack("<Q", len(text)) + text + data)
    return file


def entry(**changes: Any) -> dict[str, Any]:
    """The header's entry for a tensor of 24 bytes."""
    return {
        "dtype": "F32",
        "shape": [2, 3],
        "data_offsets": [0, 24],
        **changes,
    }


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for files that are written over and over."""
    return tmp_path_factory.mktemp("files")


@given(
    st.lists(
        st.tuples(st.text('abc.é"\\', max_size=5), SHAPES),
        unique_by=lambda item: item[0],
        max_size=5,
    ),
    st.sampled_from(DTYPES),
)
@settings(max_examples=80, deadline=None)
def test_what_the_library_writes_is_read(
    place: Path, told: list[tuple[str, list[int]]], dtype: torch.dtype
) -> None:
    tensors = {name: torch.randn(shape).to(dtype) for name, shape in told}
    file = place / "written.safetensors"
    save_file(tensors, file, {"format": "pt"})
    entries = read_header(file)
    assert entries.keys() == tensors.keys()
    for name, found in entries.items():
        numbers = read_tensor(name, found)
        assert numbers.dtype == dtype
        assert torch.equal(numbers, tensors[name])


def test_other_dtypes_have_a_place_but_are_no_weights(place: Path) -> None:
    file = place / "kinds.safetensors"
    tensors: dict[str, Tensor] = {
        "mask": torch.ones(3, dtype=torch.bool),
        "count": torch.tensor(7),
        "small": torch.ones(3).to(torch.float8_e4m3fn),
        "weight": torch.ones(2),
    }
    save_file(tensors, file)
    entries = read_header(file)
    assert torch.equal(read_tensor("weight", entries["weight"]), torch.ones(2))
    for name in ("mask", "count", "small"):
        with pytest.raises(ValueError, match=rf"{name} has the dtype"):
            read_tensor(name, entries[name])


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ([], "no JSON object"),
        (b"{.", "header cannot be read"),
        (b"\xff\xfe{}", "header cannot be read"),
        (b"[" * 5000, "header cannot be read"),
        (b'{"E": 1, "E": 1}', "E stands in it twice"),
        ({"E": 5}, "entry for E must have dtype, shape and data_offsets"),
        ({"E": {"dtype": "F32"}}, "entry for E must have"),
        ({"E": entry(more=1)}, "entry for E must have"),
        ({"E": entry(dtype="F33")}, "entry for E names an unknown dtype"),
        ({"E": entry(dtype=["F32"])}, "entry for E names an unknown dtype"),
        ({"E": entry(shape=6)}, "entry for E has no shape but 6"),
        ({"E": entry(shape=[2, -3])}, "entry for E has no shape"),
        ({"E": entry(shape=[2.0, 3])}, "entry for E has no shape"),
        ({"E": entry(shape=[True, 6])}, "entry for E has no shape"),
        ({"E": entry(shape=[2**64])}, "entry for E has no shape"),
        ({"E": entry(shape=[2**62] * 99999)}, "entry for E has no shape"),
        ({"E": entry(data_offsets=[24])}, "entry for E has no two offsets"),
        ({"E": entry(data_offsets=[0, 20])}, "192 bits, its offsets 0 to 20"),
        ({"E": entry(data_offsets=[24, 0])}, "192 bits, its offsets 24 to 0"),
        ({"E": entry(shape=[2**40, 2**40])}, "entry for E does not fit"),
        ({"E": entry(), "F": entry()}, "F overlaps"),
        ({"E": entry(data_offsets=[4, 28])}, "E leaves a gap"),
        ({"E": entry(shape=[1], data_offsets=[0, 4])}, "20 bytes at its end"),
        ({"E": entry(shape=[7], data_offsets=[0, 28])}, "E ends at byte"),
    ],
)
def test_what_a_header_may_not_say(place: Path, told: Any, said: str) -> None:
    file = write(place / "broken.safetensors", told, bytes(24))
    with pytest.raises(ValueError, match=said) as caught:
        read_header(file)
    assert str(file) in str(caught.value)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize(
    "data", [b"", b"1234567", b"\0" * 8, b"\0" * 80, b"\xff" * 80]
)
def test_what_is_no_such_file(place: Path, data: bytes) -> None:
    file = place / "nothing.safetensors"
    file.write_bytes(data)
    with pytest.raises(ValueError, match="no safetensors file"):
        read_header(file)


def test_an_absurd_length_is_not_read(place: Path) -> None:
    """The file is as long as it says, but mostly a hole."""
    file = place / "absurd.safetensors"
    with file.open("wb") as target:
        target.write(struct.pack("<Q", 150_000_000))
        target.truncate(200_000_000)
    with pytest.raises(ValueError, match="is said to have 150000000 bytes"):
        read_header(file)
    file.unlink()


def test_a_file_that_is_cut(place: Path) -> None:
    """Wherever it is cut; the first tensor that is not whole is named."""
    whole = place / "whole.safetensors"
    save_file({name: torch.ones(3) for name in "abc"}, whole)
    data, entries = whole.read_bytes(), read_header(whole)
    start = min(found.begin for found in entries.values())
    cut = place / "cut.safetensors"
    for size in range(len(data)):
        cut.write_bytes(data[:size])
        with pytest.raises(ValueError, match="safetensors") as caught:
            read_header(cut)
        if size >= start:
            lost = [n for n, it in entries.items() if it.end > size]
            first = min(lost, key=lambda name: entries[name].begin)
            assert f"cut short: {first} ends" in str(caught.value)


def test_a_file_that_is_cut_after_its_header_was_read(place: Path) -> None:
    file = place / "shrinking.safetensors"
    save_file({"E": torch.ones(3)}, file)
    found = read_header(file)["E"]
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(ValueError, match="cut while E was read"):
        read_tensor("E", found)


@pytest.fixture(scope="module")
def saved(place: Path) -> tuple[Path, bytes, GPT]:
    """The folder of a model, the bytes of its weights, and the model."""
    folder = place / "model"
    model = save_gpt(folder)
    return folder, (folder / "model.safetensors").read_bytes(), model


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_a_model_that_is_cut(
    saved: tuple[Path, bytes, GPT], data: st.DataObject
) -> None:
    folder, whole, _ = saved
    size = data.draw(st.integers(0, len(whole) - 1))
    (folder / "model.safetensors").write_bytes(whole[:size])
    with pytest.raises(ValueError, match=r"model\.safetensors"):
        GPT.from_pretrained(folder)


@given(st.data())
@settings(max_examples=400, deadline=None)
def test_a_header_with_a_wrong_byte(
    saved: tuple[Path, bytes, GPT], data: st.DataObject
) -> None:
    """An error, or the same model: never another one."""
    folder, whole, model = saved
    end = 8 + int.from_bytes(whole[:8], "little")
    broken = bytearray(whole)
    broken[data.draw(st.integers(0, end - 1))] = data.draw(
        st.integers(0, 255) | st.sampled_from(b'0123456789",:[]{}. FIBU')
    )
    (folder / "model.safetensors").write_bytes(broken)
    try:
        found = GPT.from_pretrained(folder)
    except ValueError as error:
        assert str(folder) in str(error)
    else:
        assert_same_weights(found, model)


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_bytes_put_in_or_left_out(
    saved: tuple[Path, bytes, GPT], data: st.DataObject
) -> None:
    folder, whole, model = saved
    first, last = sorted(
        data.draw(st.integers(0, len(whole))) for _ in range(2)
    )
    more = data.draw(st.binary(max_size=12))
    broken = whole[:first] + more + whole[last:]
    (folder / "model.safetensors").write_bytes(broken)
    try:
        found = GPT.from_pretrained(folder)
    except ValueError as error:
        assert str(folder) in str(error)
    else:  # of the same length: numbers alone may have changed
        if len(broken) != len(whole):
            assert_same_weights(found, model)


def test_the_library_agrees_on_what_is_broken(
    saved: tuple[Path, bytes, GPT], place: Path
) -> None:
    """Whatever it refuses is refused here too."""
    _, whole, _ = saved
    end = 8 + int.from_bytes(whole[:8], "little")
    file, refused = place / "judged.safetensors", 0
    for at in range(0, end, 7):
        broken = bytearray(whole)
        broken[at] ^= 1 << at % 8
        file.write_bytes(broken)
        try:
            load_file(file)
        except Exception:
            refused += 1
            with pytest.raises(ValueError, match="judged"):
                for name, found in read_header(file).items():
                    read_tensor(name, found)
    assert refused > 50
