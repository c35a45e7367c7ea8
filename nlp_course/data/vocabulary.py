"""What every tokenizer can do: a vocabulary, ids, special tokens, a file."""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from importlib import import_module
from inspect import isabstract
from pathlib import Path
from typing import Any, ClassVar, Self

from nlp_course.data.text import read_text, write_text


class Tokenizer(ABC):
    """A fixed vocabulary with two directions, ``encode`` and ``decode``.

    ``tokens`` is the vocabulary.  Some tokens are special: they stand for no
    text.  ``special`` says which token plays which role: ``pad`` fills up
    short sequences, ``unk`` stands for every unknown token, ``bos`` and
    ``eos`` mark start and end of a text, ``mask`` hides a token.  A tokenizer
    need not have all of them, and one token may play two roles.

    Raises ``ValueError`` if a token occurs twice, or a special one is not in
    the vocabulary.
    """

    # all classes by name, and where those stand that are not always imported
    _kinds: ClassVar[dict[str, type[Tokenizer]]] = {}
    _homes: ClassVar = {
        "SpokenTokenizer": "nlp_course.data.translation",
        "SubwordTokenizer": "nlp_course.data.subwords",
    }

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        Tokenizer._kinds[cls.__name__] = cls

    def __init__(
        self, tokens: Sequence[str], special: Mapping[str, str]
    ) -> None:
        self.tokens = tuple(tokens)
        self.special = dict(special)
        self._ids = {token: i for i, token in enumerate(self.tokens)}
        if len(self._ids) != len(self.tokens):
            twice = [t for t, n in Counter(self.tokens).items() if n > 1]
            raise ValueError(f"tokens occur twice in the vocabulary: {twice}")
        missing = {*self.special.values()} - {*self._ids}
        if missing:
            raise ValueError(
                f"special tokens outside the vocabulary: {sorted(missing)}"
            )
        marks = sorted({*special.values()}, key=len, reverse=True)
        named = "|".join(map(re.escape, marks)) or "(?!)"  # else: none
        self._marks = re.compile(f"({named})")

    @property
    def pad_id(self) -> int:
        """The id that fills up short sequences."""
        return self._special_id("pad")

    @property
    def unk_id(self) -> int:
        """The id of every unknown token."""
        return self._special_id("unk")

    @property
    def bos_id(self) -> int:
        """The id that marks the start of a text."""
        return self._special_id("bos")

    @property
    def eos_id(self) -> int:
        """The id that marks the end of a text."""
        return self._special_id("eos")

    @property
    def mask_id(self) -> int:
        """The id that hides a token."""
        return self._special_id("mask")

    def _special_id(self, role: str) -> int:
        if role not in self.special:
            raise ValueError(
                f"this tokenizer has no token for {role!r}, but {self.special}"
            )
        return self._ids[self.special[role]]

    @abstractmethod
    def split(self, text: str) -> list[str]:
        """Cut a text into tokens."""

    @abstractmethod
    def join(self, tokens: Sequence[str]) -> str:
        """Put tokens together to a text again."""

    @classmethod
    @abstractmethod
    def train(
        cls,
        texts: str | Iterable[str],
        *,
        max_size: int | None = None,
        min_count: int = 1,
    ) -> Self:
        """Make the vocabulary from a text or from several."""

    def __len__(self) -> int:
        """Size of the vocabulary ``V``, special tokens included."""
        return len(self.tokens)

    def id_of(self, token: str) -> int:
        """The id of a token; that of the unknown token if it is not known.

        Raises ``ValueError`` if it is not known and there is no unknown
        token.
        """
        found = self._ids.get(token)
        if found is None and "unk" not in self.special:
            raise ValueError(f"{token!r} is no token of this vocabulary")
        return self.unk_id if found is None else found

    def encode(
        self,
        text: str,
        *,
        bos: bool = False,
        eos: bool = False,
        special: bool = False,
    ) -> list[int]:
        """The ids of a text, on request with start and end marks.

        No text can produce the id of a special token, even if it holds the
        name of one; unless ``special`` asks that such names be read as the
        tokens.
        """
        ids = [self.bos_id] if bos else []
        parts = self._marks.split(text) if special else [text]
        for k, part in enumerate(parts):
            ids += [self._ids[part]] if k % 2 else self._text_ids(part)
        return [*ids, self.eos_id] if eos else ids

    def _text_ids(self, text: str) -> list[int]:
        return [self.id_of(token) for token in self.split(text)]

    def decode(self, ids: Iterable[int], *, special: bool = False) -> str:
        """The text of ids; padding and marks appear only if ``special``.

        The unknown token and the mask always appear: something stood there.
        Raises ``ValueError`` for an id outside the vocabulary.
        """
        roles = () if special else ("pad", "bos", "eos")
        hidden = {self.special.get(role) for role in roles}
        kept = []
        for i in map(int, ids):
            if not 0 <= i < len(self):
                raise ValueError(
                    f"id {i} is outside the vocabulary of {len(self)} tokens"
                )
            if self.tokens[i] not in hidden:
                kept.append(self.tokens[i])
        return self.join(kept)

    def to_json(self) -> str:
        """The tokenizer as text, for ``tokenizer_from_json``."""
        data = {"kind": type(self).__name__, **self._to_data()}
        return json.dumps(data, ensure_ascii=False, indent=0)

    def save(self, path: str | Path) -> None:
        """Write the tokenizer as JSON, whole or not at all."""
        write_text(path, self.to_json())

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a tokenizer that ``save`` wrote.

        Raises ``FileNotFoundError`` if there is no such file, ``ValueError``
        if it is broken or holds another kind of tokenizer.
        """
        found = load_tokenizer(path)
        if not isinstance(found, cls):
            kind = type(found).__name__
            raise ValueError(f"{path} holds a {kind}, not a {cls.__name__}")
        return found

    @abstractmethod
    def _to_data(self) -> dict[str, Any]:
        """What must be kept, as JSON can hold it."""

    @classmethod
    @abstractmethod
    def _from_data(cls, data: dict[str, Any]) -> Self:
        """The tokenizer again."""


def load_tokenizer(path: str | Path) -> Tokenizer:
    """Read a tokenizer of whatever kind that ``save`` wrote.

    Raises ``FileNotFoundError`` if there is no such file, ``ValueError`` if
    it is broken or of a kind that is not known.
    """
    text = read_text(path)
    try:
        return tokenizer_from_json(text)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def tokenizer_from_json(text: str) -> Tokenizer:
    """The tokenizer that ``to_json`` wrote.

    Raises ``ValueError`` if the text is broken, or its kind is not known.
    """
    data = _parse(text)
    kind = data["kind"]
    if kind in Tokenizer._homes:
        import_module(Tokenizer._homes[kind])
    kinds = Tokenizer._kinds
    known = sorted(name for name in kinds if not isabstract(kinds[name]))
    if kind not in known:
        raise ValueError(
            f"{kind} is no tokenizer that is known, such as "
            f"{', '.join(known)}; a class of your own must be defined before "
            "its file is read"
        )
    try:
        return kinds[kind]._from_data(data)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"this {kind} is broken: {type(error).__name__}: {error}"
        ) from error


def _parse(text: str) -> dict[str, Any]:
    """What a saved tokenizer holds; it has a kind."""
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(
            f"no saved tokenizer, or one that was cut off: {error}"
        ) from error
    if not isinstance(data, dict) or not isinstance(data.get("kind"), str):
        raise ValueError(
            "no saved tokenizer: the key 'kind' is missing (the "
            "tokenizer.json of a checkpoint is read by "
            "SubwordTokenizer.from_pretrained)"
        )
    return data
