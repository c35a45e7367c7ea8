"""From a name or a folder to the files of a checkpoint."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from nlp_course.pretrained.tensors import Entry, read_header

CONFIG = "config.json"
WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
PICKLES = ("pytorch_model.bin", "pytorch_model.bin.index.json")


def find_folder(
    name_or_folder: str | Path,
    revision: str | None = None,
    cache_dir: str | Path | None = None,
) -> Path:
    """The folder itself, or that into which the hub's files were put.

    A text that is the path of a folder means that folder, any other is a
    name on the Hugging Face hub.  Raises ``FileNotFoundError`` if there is
    neither, ``ValueError`` for a revision of a folder.
    """
    text = str(name_or_folder)
    folder = Path(name_or_folder).expanduser()
    if text and folder.is_dir():  # an empty path would be the current folder
        if revision is not None:
            raise ValueError(
                f"{folder} is a folder, and a folder has no revision "
                f"{revision!r}"
            )
        return folder
    if isinstance(name_or_folder, Path) or _looks_like_path(text):
        raise FileNotFoundError(f"there is no folder {name_or_folder}")
    from nlp_course.pretrained.hub import download

    return download(text, revision, cache_dir)


def _looks_like_path(text: str) -> bool:
    """Names are "gpt2" or "owner/model"."""
    return (
        text.startswith((".", "/", "~")) or text.count("/") > 1 or "\\" in text
    )


def open_weights(folder: Path) -> dict[str, Entry]:
    """All tensors of a checkpoint, from one file or from several.

    One file ``model.safetensors`` goes before an index, as in Hugging Face's
    own library.

    Raises ``FileNotFoundError`` if there are no weights or one of the files
    is missing, ``ValueError`` if a file is damaged or does not hold what the
    index says.
    """
    if (folder / WEIGHTS).is_file():
        return read_header(folder / WEIGHTS)
    if (folder / INDEX).is_file():
        return _read_shards(folder / INDEX)
    pickles = [name for name in PICKLES if (folder / name).is_file()]
    if pickles:
        raise FileNotFoundError(
            f"{folder} holds its weights in {pickles[0]} alone, a pickle, "
            "which can contain code and is never opened here; convert it "
            "where you trust it: transformers.AutoModel.from_pretrained("
            "folder).save_pretrained(other_folder)"
        )
    raise FileNotFoundError(
        f"{folder} holds no weights: neither {WEIGHTS} nor {INDEX}"
    )


def _read_shards(index: Path) -> dict[str, Entry]:
    placed = _read_index(index)
    found: dict[str, Entry] = {}
    for shard in sorted(set(placed.values())):
        file = index.with_name(shard)
        if not file.is_file():
            raise FileNotFoundError(
                f"{file} is missing, a part of the weights; {index.name} "
                "names it"
            )
        for name, entry in read_header(file).items():
            if name in found:
                raise ValueError(
                    f"{name} stands twice: in {found[name].file} and in {file}"
                )
            if name not in placed:
                raise ValueError(
                    f"{file} holds {name}, which {index} does not name"
                )
            found[name] = entry
    for name, shard in placed.items():
        if name not in found or found[name].file.name != shard:
            raise ValueError(f"{index}: {name} is not in {shard}")
    return found


def _read_index(index: Path) -> dict[str, str]:
    """Which tensor stands in which file of the same folder."""
    try:
        told = json.loads(index.read_text("utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{index} is no JSON: {error}") from None
    placed = told.get("weight_map") if isinstance(told, dict) else None
    if not isinstance(placed, dict) or not placed:
        raise ValueError(f"{index} has no weight_map from tensors to files")
    for name, shard in placed.items():
        if not _is_file_name(shard):
            raise ValueError(
                f"{index} puts {name} into {shard!r}, which is no name of a "
                "file beside it"
            )
    return placed


def _is_file_name(value: Any) -> bool:
    """Not a path: an index must not lead out of its folder."""
    return (
        isinstance(value, str)
        and value.endswith(".safetensors")
        and not set(value) & set("/\\:\0")
    )
