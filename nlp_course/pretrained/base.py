"""What a model inherits to be read from and written to checkpoints."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Self

import torch
from torch import nn

if TYPE_CHECKING:
    from nlp_course.pretrained.layout import Layout


class Pretrained(nn.Module):
    """A model with a counterpart among Hugging Face's."""

    @classmethod
    def _layout(cls) -> Layout:
        raise NotImplementedError

    @classmethod
    def from_pretrained(
        cls,
        name_or_folder: str | Path,
        *,
        revision: str | None = None,
        cache_dir: str | Path | None = None,
        dropout: float = 0.0,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> Self:
        """The model of a checkpoint in Hugging Face's layout.

        ``name_or_folder`` is a folder with ``config.json`` and the weights
        in safetensors (one file, or several with their index), or else a
        name on the hub: "gpt2", "owner/model".  Of a name only those files
        and ``tokenizer.json`` are downloaded, of the given ``revision`` (a
        branch, a tag or a commit; "main" if absent), into ``cache_dir`` (the
        hub's common cache if absent); later calls need no network.

        Weights are converted to ``dtype``.  The dropout that the checkpoint
        was trained with is *not* taken over: it is what is given here.
        Pickles (``pytorch_model.bin``) are never opened.

        Raises ``FileNotFoundError`` if there is no such folder, name or
        file, and ``ValueError``, naming file and tensor or option, if the
        checkpoint is damaged, of another architecture, computes a function
        that ours does not, or holds NaN or infinity.
        """
        from nlp_course.pretrained.files import find_folder
        from nlp_course.pretrained.loading import load

        folder = find_folder(name_or_folder, revision, cache_dir)
        return load(
            cls,
            cls._layout(),
            folder,
            dropout=dropout,
            dtype=dtype,
            device=device,
        )

    def save_pretrained(self, folder: str | Path) -> None:
        """Write a checkpoint that Hugging Face's library reads as well.

        ``config.json`` and ``model.safetensors`` are put into ``folder``,
        which is made if need be; its other files stay.  At every moment it
        holds a whole checkpoint or none.

        Raises ``ValueError`` for weights that are NaN or infinite, and
        ``OSError`` if there is no room or no permission.
        """
        from nlp_course.pretrained.saving import save

        save(self, self._layout(), Path(folder).expanduser())
