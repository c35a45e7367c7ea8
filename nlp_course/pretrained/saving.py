"""From a model to the files of a checkpoint.

A folder holds either a whole checkpoint or none at any moment, even while
the machine loses its power: files are written beside their places and put
there one after the other, ``config.json`` last, and without that file a
folder is no checkpoint.  When a model is saved again and again, so that its
configuration stays, the old weights are replaced by the new ones in one step.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from nlp_course.pretrained.files import CONFIG, WEIGHTS
from nlp_course.pretrained.layout import Layout
from nlp_course.pretrained.tensors import DTYPES


def save(model: nn.Module, layout: Layout, folder: Path) -> None:
    """Write ``config.json`` and ``model.safetensors`` into ``folder``.

    The folder is made if need be; other files in it stay.

    Raises ``ValueError`` for weights that could not be read again: NaN,
    infinity or a dtype that is none of the four usual ones.  The folder is
    then as it was.
    """
    from safetensors.torch import save_file

    options = options_of(model, layout)
    text = json.dumps(options, indent=2, sort_keys=True) + "\n"
    tensors = tensors_of(model, layout)
    folder.mkdir(parents=True, exist_ok=True)
    drafts = Path(tempfile.mkdtemp(prefix=".saving-", dir=folder))
    try:
        (drafts / CONFIG).write_text(text, "utf-8")
        save_file(tensors, drafts / WEIGHTS, {"format": "pt"})
        shutil.copymode(drafts / CONFIG, drafts / WEIGHTS)
        _publish(drafts, folder)
    finally:
        shutil.rmtree(drafts, ignore_errors=True)


def options_of(model: nn.Module, layout: Layout) -> dict[str, Any]:
    """What stands in ``config.json``."""
    weight = next(model.parameters())
    return {
        "architectures": [layout.architecture],
        "dtype": str(weight.dtype).removeprefix("torch."),
        "model_type": layout.model_type,
        "tie_word_embeddings": True,
        **layout.write_config(model.config),
    }


def tensors_of(model: nn.Module, layout: Layout) -> dict[str, Tensor]:
    """The weights by their names in the file, copied to the CPU."""
    ours = dict(model.named_parameters())
    shares: dict[str, list[Tensor]] = defaultdict(list)
    # parts of one tensor are listed in their order
    for place in sorted(layout.places(model.config), key=lambda it: it.part):
        weight = ours.pop(place.ours).detach()
        _check(place.ours, weight)
        shares[place.theirs].append(place.to_file(weight))
    assert not ours, f"no place is known for {', '.join(ours)}"
    return {
        layout.written(name): torch.cat(parts, dim=-1).cpu()
        for name, parts in shares.items()
    }


def _check(name: str, weight: Tensor) -> None:
    if weight.dtype not in DTYPES.values():
        raise ValueError(f"{name} has dtype {weight.dtype}, which is not kept")
    if not weight.isfinite().all():
        raise ValueError(
            f"{name} holds NaN or infinity; such a model is not saved, since "
            "it could not be read again"
        )


def _publish(drafts: Path, folder: Path) -> None:
    """Put the files into their places, so that they never mix."""
    for name in (CONFIG, WEIGHTS):
        _sync(drafts / name)
    config = folder / CONFIG
    same = config.is_file() and (
        config.read_bytes() == (drafts / CONFIG).read_bytes()
    )
    if not same:
        # new weights beside old options would be another model
        config.unlink(missing_ok=True)
        _sync(folder)
    os.replace(drafts / WEIGHTS, folder / WEIGHTS)
    _sync(folder)
    if not same:
        os.replace(drafts / CONFIG, config)
        _sync(folder)


def _sync(path: Path) -> None:
    """Onto the disk, in this order."""
    if path.is_dir() and os.name != "posix":
        return  # elsewhere a folder cannot be opened
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
