"""One file in the safetensors format, read without trust.

The format is simple: 8 bytes (little-endian) with the length of the header,
the header in JSON, then the numbers of all tensors one behind the other:

.. code-block:: none

   <length> {"E": {"dtype": "F32", "shape": [2, 3],
                   "data_offsets": [0, 24]}, ...} <numbers>

Everything that the header says is checked against the length of the file
before a number is read: each tensor's bytes must fit its shape, follow the
tensor before, and lie inside the file, and none may be left over.  What no
such check can find is a wrong number: the format has no checksum.

Source: the description of the format at
https://huggingface.co/docs/safetensors.
"""

from __future__ import annotations

import json
import math
import reprlib
import sys
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

LONGEST_HEADER = 100_000_000  # bytes; the format's own limit
MOST_AXES = 8  # weights have two at most
# bits of one number; the format knows more than can be weights
BITS = {
    **{"BOOL": 8, "U8": 8, "I8": 8, "U16": 16, "I16": 16, "U32": 32},
    **{"I32": 32, "U64": 64, "I64": 64, "F4": 4, "F6_E2M3": 6},
    **{"F6_E3M2": 6, "F8_E4M3": 8, "F8_E5M2": 8, "F8_E8M0": 8},
    **{"F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8, "C64": 64},
    **{"F16": 16, "BF16": 16, "F32": 32, "F64": 64},
}
DTYPES = {
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "F32": torch.float32,
    "F64": torch.float64,
}


class Entry(NamedTuple):
    """Where a tensor stands, and what its numbers are."""

    file: Path
    dtype: str  # as the format writes it: "F32"
    shape: tuple[int, ...]
    begin: int  # first byte in the file
    end: int  # the byte behind its last


def read_header(file: Path) -> dict[str, Entry]:
    """All tensors of a file by their names, in the file's order.

    Raises ``ValueError``, with the name of the file and, where there is one,
    of the tensor, if the file is not exactly what the format asks for.
    """
    size = file.stat().st_size
    with file.open("rb") as source:
        length = _header_length(file, size, source.read(8))
        text = source.read(length)
    header = _parse(file, text)
    header.pop("__metadata__", None)
    start = 8 + length
    entries = {
        name: _entry(file, name, told, start) for name, told in header.items()
    }
    _check_places(file, entries, start, size)
    return entries


def read_tensor(name: str, entry: Entry) -> Tensor:
    """The numbers of a tensor, on the CPU.

    Raises ``ValueError`` if they are no floating-point numbers, or if the
    file has become shorter since its header was read.
    """
    file, dtype, shape, begin, end = entry
    if dtype not in DTYPES:
        known = ", ".join(DTYPES)
        raise ValueError(
            f"{file}: {name} has the dtype {dtype}; weights must be one of "
            f"{known}"
        )
    data = bytearray(end - begin)
    with file.open("rb") as source:
        source.seek(begin)
        found = source.readinto(data)
    if found < len(data):
        raise ValueError(f"{file}: it was cut while {name} was read")
    if not data:
        return torch.empty(shape, dtype=DTYPES[dtype])
    numbers = torch.frombuffer(data, dtype=DTYPES[dtype])
    if sys.byteorder == "big":
        numbers.untyped_storage().byteswap(numbers.dtype)
    return numbers.view(shape)


def _header_length(file: Path, size: int, first: bytes) -> int:
    length = int.from_bytes(first, "little")
    if len(first) < 8 or length < 2:
        raise ValueError(
            f"{file}: no safetensors file: it has {size} bytes, and the first "
            "8 must hold the length of a header"
        )
    if length > min(LONGEST_HEADER, size - 8):
        raise ValueError(
            f"{file}: no safetensors file, or only the beginning of one: its "
            f"header is said to have {length} bytes, the file has {size}"
        )
    return length


def _parse(file: Path, text: bytes) -> dict[str, Any]:
    """The header; a name that stands there twice is an error."""
    try:
        header = json.loads(
            text.decode("utf-8"), object_pairs_hook=_without_repeats
        )
    except (ValueError, RecursionError) as error:
        raise ValueError(
            f"{file}: no safetensors file: its header cannot be read ({error})"
        ) from None
    if not isinstance(header, dict):
        raise ValueError(
            f"{file}: no safetensors file: its header is no JSON object"
        )
    return header


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"{name} stands in it twice")
        found[name] = value
    return found


def _entry(file: Path, name: str, told: Any, start: int) -> Entry:
    where = f"{file}: the header's entry for {name}"
    if not isinstance(told, dict) or set(told) != {
        "dtype",
        "shape",
        "data_offsets",
    }:
        raise ValueError(
            f"{where} must have dtype, shape and data_offsets, not "
            f"{reprlib.repr(told)}"
        )
    dtype, shape, offsets = told["dtype"], told["shape"], told["data_offsets"]
    if not isinstance(dtype, str) or dtype not in BITS:
        raise ValueError(
            f"{where} names an unknown dtype: {reprlib.repr(dtype)}"
        )
    if not _are_counts(shape) or len(shape) > MOST_AXES:
        raise ValueError(f"{where} has no shape but {reprlib.repr(shape)}")
    if not _are_counts(offsets) or len(offsets) != 2:
        raise ValueError(
            f"{where} has no two offsets but {reprlib.repr(offsets)}"
        )
    begin, end = offsets
    bits = math.prod(shape) * BITS[dtype]
    if bits != 8 * (end - begin):
        raise ValueError(
            f"{where} does not fit itself: {dtype} of shape {tuple(shape)} "
            f"takes {bits} bits, its offsets {begin} to {end} hold "
            f"{8 * (end - begin)}"
        )
    return Entry(file, dtype, tuple(shape), start + begin, start + end)


def _are_counts(value: Any) -> bool:
    """Whether this is a list of whole numbers from 0, not absurdly large."""
    return isinstance(value, list) and all(
        type(number) is int and 0 <= number < 2**63 for number in value
    )


def _check_places(
    file: Path, entries: dict[str, Entry], start: int, size: int
) -> None:
    """Each tensor follows the one before, and the last ends the file."""
    reached = start
    for name, entry in sorted(
        entries.items(), key=lambda item: (item[1].begin, item[1].end)
    ):
        if entry.begin != reached:
            kind = "overlaps" if entry.begin < reached else "leaves a gap to"
            raise ValueError(
                f"{file}: {name} {kind} the tensor before it: it begins at "
                f"byte {entry.begin}, that one ends at {reached}"
            )
        reached = entry.end
        if reached > size:
            raise ValueError(
                f"{file} is cut short: {name} ends at byte {reached}, but "
                f"the file has {size} bytes; copy or download it again"
            )
    if reached < size:
        raise ValueError(
            f"{file}: {size - reached} bytes at its end belong to no tensor"
        )
