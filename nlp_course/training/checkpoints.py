"""One file that holds all that is needed to go on after an interruption.

A state is a dictionary of numbers, texts, tensors, and of lists, tuples and
dictionaries of these: weights, the state of the optimizer, the number of the
step.  It is kept in the *safetensors* format, which holds numbers and never
code: to read a checkpoint from a stranger runs nothing.  The tensors stand in
the file under their names, everything else as JSON in its metadata, together
with a checksum of the whole file.

A checkpoint is written beside its place and then put there in one step, so
that at every moment, even while the machine loses its power, the place holds
the old checkpoint or the new one, whole.
"""

from __future__ import annotations

import hashlib
import json
import os
import struct
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

FORMAT = "nlp-course checkpoint 1"
State = dict[str, Any]

_BLANK = "0" * 64  # stands for the checksum while it is computed


class CheckpointError(ValueError):
    """A file is no checkpoint, or a damaged one, or of something else."""


def to_bytes(state: State) -> bytes:
    """A state as the content of a file: equal states give equal bytes.

    Raises ``TypeError`` for a value that is none of those above.
    """
    tensors: dict[str, Tensor] = {}
    content = {"sha256": _BLANK, "state": _pack(state, "", tensors)}
    # one entry alone: of several the order would be left to chance
    metadata = {FORMAT: json.dumps(content, ensure_ascii=False)}
    data: bytes = save(tensors, metadata)
    return data.replace(_field(_BLANK), _field(_checksum(data)), 1)


def from_bytes(data: bytes, name: str = "the checkpoint") -> State:
    """The state that ``to_bytes`` made into a file.

    Tensors are on the CPU.  Raises ``CheckpointError``, with the name of the
    file, if it is no checkpoint or a single byte of it is wrong.
    """
    try:
        tensors = load(data)
    except SafetensorError as error:
        raise CheckpointError(
            f"{name} is no checkpoint, or only a part of one ({error})"
        ) from error
    written = _metadata(data).get(FORMAT)
    if written is None:
        raise CheckpointError(
            f"{name} holds tensors, but is no {FORMAT}: it was written by "
            "another program or another version"
        )
    found = written.partition('"sha256": "')[2][: len(_BLANK)]
    blank = data.replace(_field(found), _field(_BLANK), 1)
    if _checksum(blank) != found:
        raise CheckpointError(
            f"{name} is damaged: its checksum does not fit its content"
        )
    state: State = _unpack(json.loads(written)["state"], tensors)
    return state


def save_checkpoint(path: str | Path, state: State) -> None:
    """Write a state; an existing file is replaced whole or not at all.

    Raises ``OSError`` if there is no room or no permission.
    """
    write_atomically(path, to_bytes(state))


def load_checkpoint(path: str | Path) -> State:
    """Read a state.

    Raises ``FileNotFoundError`` if there is no such file, and
    ``CheckpointError`` if it is no checkpoint or a damaged one.
    """
    return from_bytes(Path(path).read_bytes(), str(path))


def write_atomically(path: str | Path, data: bytes) -> None:
    """Put ``data`` at ``path`` in one step, and onto the disk.

    Raises ``OSError`` if that cannot be done; the old file is then as it
    was, and nothing is left beside it.
    """
    path = Path(path)
    draft = path.with_name(f".{path.name}.part")
    try:
        with draft.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
        _sync_folder(path.parent)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise OSError(
            error.errno, f"cannot write {path}: {error.strerror}"
        ) from error


def _sync_folder(folder: Path) -> None:
    """The new name of a file must reach the disk too."""
    if os.name != "posix":  # elsewhere a folder cannot be opened
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _checksum(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _field(checksum: str) -> bytes:
    """Where the checksum stands: JSON within JSON, and nowhere else so."""
    return f'"{FORMAT}":"{{\\"sha256\\": \\"{checksum}\\"'.encode()


def _metadata(data: bytes) -> dict[str, str]:
    """The texts at the head of a file in the safetensors format."""
    (size,) = struct.unpack_from("<Q", data)
    head: dict[str, dict[str, str]] = json.loads(data[8 : 8 + size])
    return head.get("__metadata__", {})


def _pack(value: Any, name: str, tensors: dict[str, Tensor]) -> Any:
    """A value as JSON; its tensors go to ``tensors``, under their names."""

    def inner(key: str | int, value: Any) -> Any:
        return _pack(value, f"{name}.{key}" if name else str(key), tensors)

    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Tensor):
        if name in tensors:
            raise TypeError(f"two tensors of one name: {name}")
        # a copy of its own: safetensors refuses tensors that share memory
        copy = value.detach().to("cpu", copy=True)
        tensors[name] = copy.contiguous()
        return {"tensor": name}
    if isinstance(value, dict):
        return {"dict": [[key, inner(key, v)] for key, v in value.items()]}
    if isinstance(value, list | tuple):
        kind = "list" if isinstance(value, list) else "tuple"
        return {kind: [inner(k, v) for k, v in enumerate(value)]}
    raise TypeError(
        f"{name} is of type {type(value).__name__}; a checkpoint holds "
        "numbers, texts, tensors, and lists, tuples and dictionaries of them"
    )


def _unpack(packed: Any, tensors: dict[str, Tensor]) -> Any:
    """The value that ``_pack`` made into JSON."""
    if not isinstance(packed, dict):
        return packed
    ((kind, content),) = packed.items()
    if kind == "tensor":
        return tensors[content].clone()  # not a view of the file's bytes
    if kind == "dict":
        return {key: _unpack(value, tensors) for key, value in content}
    items = [_unpack(value, tensors) for value in content]
    return tuple(items) if kind == "tuple" else items
