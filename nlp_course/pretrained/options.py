"""What ``config.json`` says, read with errors that name the option."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

LARGEST = 2**24  # no size of a model is as large


class Options:
    """The options of a checkpoint, by their names.

    Raises ``FileNotFoundError`` if the folder has no ``config.json``, and
    ``ValueError`` if that is no JSON object.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        if not file.is_file():
            raise FileNotFoundError(
                f"{file} is missing: a checkpoint is a folder with "
                "config.json and model.safetensors"
            )
        try:
            found = json.loads(file.read_text("utf-8"))
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{file} is no JSON: {error}") from None
        if not isinstance(found, dict):
            raise ValueError(f"{file} holds no JSON object")
        self.found: dict[str, Any] = found

    def get(self, *names: str, default: Any = None) -> Any:
        """The first of these options that is there and not null."""
        for name in names:
            if self.found.get(name) is not None:
                return self.found[name]
        return default

    def size(self, *names: str, default: int | None = None) -> int:
        """A positive integer; an error if it is absent without default."""
        value = self.get(*names, default=default)
        if type(value) is not int or not 0 < value < LARGEST:
            raise ValueError(
                f"{self.file}: {names[0]} must be a positive integer, not "
                f"{value!r}"
            )
        return value

    def hidden(self, name: str, width: int) -> int | None:
        """Units of the feed-forward parts; None for ``4 width``."""
        found = self.size(name, default=4 * width)
        return None if found == 4 * width else found

    def number(self, name: str, default: float) -> float:
        """A positive number."""
        value = self.get(name, default=default)
        if type(value) not in (int, float) or not 0 < value < float("inf"):
            raise ValueError(
                f"{self.file}: {name} must be a positive number, not {value!r}"
            )
        return float(value)

    def choice(self, name: str, known: Mapping[str, str], default: str) -> str:
        """Our name of the function that the file names."""
        value = self.get(name, default=default)
        if not isinstance(value, str) or value not in known:
            raise ValueError(
                f"{self.file}: {name} is {value!r}, which has no counterpart "
                f"here; there are {', '.join(known)}"
            )
        return known[value]

    def only(self, **wanted: Any) -> None:
        """Refuse every option that is there and has another value."""
        for name, value in wanted.items():
            found = self.get(name, default=value)
            if type(found) is not type(value) or found != value:
                raise ValueError(
                    f"{self.file}: {name} is {found!r}; only models with "
                    f"{value!r} can be read, since ours compute no other "
                    "function"
                )

    def check_type(self, wanted: str) -> None:
        """Refuse another architecture."""
        found = self.get("model_type")
        if found != wanted:
            raise ValueError(
                f"{self.file}: model_type is {found!r}, but this class reads "
                f"{wanted!r}; GPT reads 'gpt2', BERT reads 'bert', and "
                "nothing else is read"
            )
